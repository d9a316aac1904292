//! A replay of files.

pub mod chunk;
pub mod source;
pub mod spill;
