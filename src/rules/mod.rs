//! What the configuration's rules mean: text in, a checked [`Plan`] out, and verdicts from it.
//!
//! Stages, each with its own types: parse → resolve → type check → plan → verdict. This room is pure: no I/O, no
//! clocks, no threads, no logging.

pub mod calendar;
pub mod plan;
pub mod verdict;

pub use plan::Plan;
