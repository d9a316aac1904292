//! Plays the tests of a rules file to the engine, and says where a customer stands elsewhere than was expected. Pure.
//!
//! A test is a history of one customer: its events pass the decoder and a [`Shard`] of their own, as a shop's would, and
//! the clock is where the test has come to (the grace is zero). Nothing here knows what a rule means; nothing is drawn.

mod found;
mod run;

pub use found::{Finding, Found, Mismatch, Run};
pub use run::{Bench, Coverage};
