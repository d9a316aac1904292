//! What the process says about itself: its log and its metrics. Decides nothing.

pub mod logging;
