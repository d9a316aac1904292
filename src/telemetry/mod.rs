//! What the process says about itself: its log and its metrics. Decides nothing, and no decision reads it.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "writes the log and times what is measured")]

mod instrument;
pub mod logging;
pub mod metrics;
mod recorder;

pub use instrument::{Counter, Gauge, Histogram};
pub use recorder::{AlreadyInstalled, Exposition, install};

/// The commit that this program was built from, or `unknown`.
pub fn revision() -> &'static str {
    env!("DORMOUSE_REVISION")
}
