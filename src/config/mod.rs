//! From TOML to a checked configuration, or everything that is wrong with it, each with its place. Starts nothing.

#![expect(clippy::disallowed_methods, reason = "reads the files and variables that it checks")]

mod quantity;
pub mod service;
