//! What the configuration's rules mean: text in, a checked [`Plan`] out, and verdicts from it.
//!
//! Stages, each with its own types: parse → resolve → type check → plan → verdict. This room is pure: no I/O, no
//! clocks, no threads, no logging.

pub mod place;

pub mod diagnostic;

pub mod units;

pub mod ast;
mod lexer;
pub mod parser;

pub mod declared;

pub mod check;

pub mod plan;

pub mod calendar;
pub mod decider;
pub mod verdict;

pub mod reading;

pub mod timeline;
pub mod words;

pub mod cost;
pub mod shown;

pub use check::compile;
pub use plan::Plan;
