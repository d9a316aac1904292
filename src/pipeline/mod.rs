//! One instance at work. Here so far: the messages it publishes, the wall clock it goes by, and what it tells others
//! about itself while it runs.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "runs shards: clocks, threads, files, log")]

mod clock;
mod ends;
mod epoch;
mod error;
mod gate;
mod merge;
pub mod message;
mod placement;
mod record;
pub mod replay;
mod settings;
pub mod status;
pub mod stop;
pub mod wall;

pub use error::Error;
pub use placement::Placement;
pub use settings::{Input, Output, Settings};
pub use status::{Phase, Status};
pub use stop::Stop;
pub use wall::{Driven, Wall};
