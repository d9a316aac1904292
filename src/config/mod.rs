//! Configuration files: TOML to what the rest works with, or all that is wrong with it, each with its place.
//!
//! This room reads files; it does not know what rules mean (`rules` does), it draws nothing and starts nothing.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "reads the files and variables of a configuration"
)]

pub mod document;
pub mod quantity;

pub mod rules;
mod settings;

pub mod service;
