//! One instance at work. Here so far: the wall clock it goes by, and what it tells others about itself while it runs.

pub mod replay;
pub mod status;
pub mod wall;

pub use status::{Phase, Status};
pub use wall::{Driven, Wall};
