//! From TOML to a checked configuration, or everything that is wrong with it, each with its place. Starts nothing.
//!
//! This room reads files; it does not know what rules mean (`rules` does), and it draws nothing.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "reads the files and variables of a configuration")]

pub mod document;
pub mod quantity;
pub mod rules;
pub mod service;
mod settings;
