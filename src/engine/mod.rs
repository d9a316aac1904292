//! The engine: facts of customers, their standing, and when it changes next. Pure: an instant is a parameter,
//! passing time is an input like an event; no I/O, no clocks, no threads, no randomness, no logging.

mod arena;
mod bits;
mod change;
pub mod dedup;
mod dependence;
mod evidence;
mod explain;
mod facts;
mod filter;
mod fold;
mod intern;
mod judge;
mod reading;
mod reason;
mod shard;
mod varint;
mod wheel;

pub use change::{Cause, Change, Evidence, EvidenceList, Interests, Outcome, Place, Progress, Standing};
pub use explain::{Assessment, Bar, Explanation, Finding, Next, Outlook, Weighed};
pub use reading::Readings;
pub use shard::{Arrival, Batch, Cut, Import, Mark, Misfit, Overdue, Packet, Section, Shard, layout};
