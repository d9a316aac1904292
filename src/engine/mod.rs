//! The engine: facts of customers, their standing, and when it changes next. Pure: an instant is a parameter,
//! passing time is an input like an event; no I/O, no clocks, no threads, no randomness, no logging.

mod change;

pub use change::{Cause, Change, Evidence, Outcome, Place, Progress, Standing};
