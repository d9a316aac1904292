//! One instance at work: shards assigned, records in by time, epochs out in transactions, recovery, a clean end.
//!
//! Read [`run`] for the threads, `task` for a shard's life, `committer` for how epochs leave. What always holds: memory
//! is never rolled back; what was sealed is sent as it is or its shard is forgotten; recovery believes only what was
//! committed; where any doubt is left, a shard is brought back afresh.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "runs shards: clocks, threads, files, log")]

mod account;
mod backlog;
mod backoff;
mod board;
mod clock;
mod committer;
mod constancy;
pub mod desk;
mod ends;
mod epoch;
mod error;
pub mod explain;
mod gate;
mod keeper;
mod keeping;
mod loss;
mod memory;
mod merge;
pub mod message;
mod outgoing;
mod ownership;
pub mod pace;
mod placement;
mod producer;
mod progress;
mod reading;
mod record;
mod recovery;
pub mod replay;
mod restoring;
mod run;
pub mod sabotage;
mod settings;
mod settle;
mod standing;
pub mod status;
pub mod stop;
mod taking;
mod tally;
mod task;
mod tools;
pub mod verify;
pub mod wall;
mod worker;
mod writer;

pub use error::Error;
pub use keeping::Snapshots;
pub use pace::Pace;
pub use placement::Placement;
pub use run::{run, run_in};
pub use settings::{Input, Output, Settings};
pub use status::{Phase, Status};
pub use stop::Stop;
pub use wall::{Driven, Hand, Wall};
