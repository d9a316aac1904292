//! Configuration files: TOML to what the rest works with, or all that is wrong with it, each with its place. Reads
//! files and nothing else; it does not know what rules mean (`rules` does), draws nothing, starts nothing.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "reads files of configuration and what the process was started with"
)]

pub mod document;
mod interests;
mod quantity;
mod settings;
mod timelines;

pub mod report;
pub mod rules;
pub mod service;
