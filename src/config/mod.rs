//! Configuration files: TOML to what the rest works with, or all that is wrong with it, each with its place.
//!
//! This room reads files; it does not know what rules mean (`rules` does), and it draws nothing.

pub mod document;

pub mod rules;
mod settings;
