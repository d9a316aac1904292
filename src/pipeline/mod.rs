//! One instance at work. Here so far: what it tells others about itself while it runs.

pub mod replay;
pub mod status;

pub use status::{Phase, Status};
