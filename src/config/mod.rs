//! From TOML to a checked configuration, or everything that is wrong with it, each with its place. Starts nothing.

pub mod quantity;
pub mod service;
