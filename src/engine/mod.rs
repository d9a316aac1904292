//! The engine: facts of customers, their standing, and when it changes next. Pure: an instant is a parameter,
//! passing time is an input like an event; no I/O, no clocks, no threads, no randomness, no logging.

mod arena;
mod change;
pub mod dedup;
mod dependence;
mod evidence;
mod facts;
mod filter;
mod fold;
mod intern;
mod judge;
mod reading;
mod shard;
mod varint;
mod weigh;
mod wheel;

pub use change::{Cause, Change, Evidence, Outcome, Place, Progress, Standing};
pub use reading::{Reading, Readings};
pub use shard::{Cut, Import, Located, Misfit, Packet, Section, Shard, layout};
pub use weigh::{Bar, Weighed};
