//! Dormouse: a streaming event processor that keeps rolling state for each customer of a shop, reclassifies a
//! customer the moment an event or the passing of time changes what they are, and publishes each change exactly once.
//!
//! The rooms, in the order to read them; dependencies point up this list, never down:
//! an [`event`] is what a customer did; [`config`] and [`rules`] turn text into a checked plan; the [`engine`] folds
//! events into facts and says what changed. `docs/ARCHITECTURE.md` is the map.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

// The pure rooms: nothing of the outside world, which clippy.toml lists, is ever permitted in them.
pub mod engine;
pub mod event;
pub mod rules;

// The rooms that deal with the world, and may.
#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "runs the program")]
pub mod cli;
#[allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "reads the files and variables of a configuration"
)]
pub mod config;
#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "answers requests")]
pub mod http;
#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "batches, epochs, files")]
pub mod pipeline;
#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "writes the log, times what is measured")]
pub mod telemetry;
