//! Dormouse: a streaming event processor that keeps rolling state for each customer of a shop, reclassifies a
//! customer the moment an event or the passing of time changes what they are, and publishes each change exactly once.
//!
//! The rooms, in the order to read them; dependencies point up this list, never down:
//! an [`event`] is what a customer did; [`config`] and [`rules`] turn text into a checked plan; the [`engine`] folds
//! events into facts and says what changed. `docs/ARCHITECTURE.md` is the map.

// What clippy.toml lists of the outside world is refused; a room that deals with the world permits it at its own head.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod cli;
pub mod config;
pub mod engine;
pub mod event;
pub mod http;
pub mod kafka;
pub mod pipeline;
pub mod plain;
pub mod report;
pub mod rules;
pub mod snapshot;
pub mod suggest;
pub mod telemetry;
pub mod trial;
