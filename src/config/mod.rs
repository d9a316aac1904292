//! From TOML to a checked configuration, or everything that is wrong with it, each with its place. Starts nothing.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "reads the files and variables of a configuration"
)]

mod quantity;
pub mod service;
