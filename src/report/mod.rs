//! How good a segment is: size, value, flows, how long customers stay, whether they come back, what they buy and where,
//! and the four classic tests. Pure: a history goes in, a [`Report`] comes out, and pictures are drawn from that.
//!
//! A [`Journal`] listens to each shard; [`History`] draws them together; [`measure`] counts. Nothing here decides what a
//! customer is: it only looks at what the engine said. Unlike there, ratios are floating point, computed once from
//! exact sums.

pub mod watch;

pub mod reads;

pub mod moves;

pub mod journal;

pub mod history;

pub mod period;

pub mod dwell;
pub mod tally;

pub mod bought;

pub mod attraction;
pub mod verdict;

pub mod model;

pub mod said;

mod measure;

mod compare;

pub mod page;

pub use compare::compare;
pub use history::History;
pub use journal::Journal;
pub use measure::{NONE, Read, measure};
pub use model::Report;
pub use period::Period;
pub use watch::Watch;
