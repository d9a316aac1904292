//! One instance at work. Here so far: what it tells others about itself while it runs.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "runs shards: clocks, threads, files, log"
)]

pub mod status;

pub use status::{Phase, Status};
