//! Says how far a shard is on its way back: a line in the log every few seconds, and a metric.

use std::time::{Duration, Instant as Moment};

use super::tools::Tools;
use crate::telemetry::metrics;

const SAY_INTERVAL: Duration = Duration::from_secs(3);

/// The steps of one shard: its snapshot, its standings, the input after them.
#[derive(Debug)]
pub struct Steps {
    shard: String,
    said: Moment,
    /// Records of the input that were to be folded when that began.
    n_input: Option<u64>,
}

impl Steps {
    pub fn new(shard: i32, tools: &Tools) -> Steps {
        Steps { shard: shard.to_string(), said: tools.pace.now(), n_input: None }
    }

    pub fn snapshot(&mut self, tools: &Tools, n_customers: u64, n_all: u64) {
        self.step(tools, "snapshot", n_customers, n_all, "customers are loaded");
    }

    pub fn standing(&mut self, tools: &Tools, n_records: u64, n_all: u64) {
        self.step(tools, "standing", n_records, n_all, "offsets of standings are read");
    }

    /// `n_left` records of the input are still to be folded.
    pub fn input(&mut self, tools: &Tools, n_left: u64) {
        let n_all = *self.n_input.get_or_insert(n_left);
        self.step(tools, "input", n_all.saturating_sub(n_left), n_all, "records of the input are folded again");
    }

    fn step(&mut self, tools: &Tools, step: &'static str, n: u64, n_all: u64, what: &str) {
        let is_over = n >= n_all;
        if !is_over && tools.pace.since(self.said) < SAY_INTERVAL {
            return;
        }
        self.said = tools.pace.now();
        let ratio = if n_all == 0 { 1.0 } else { n as f64 / n_all as f64 };
        metrics::RESTORE_PROGRESS.set([&self.shard, step], ratio);
        if is_over {
            tracing::debug!("shard {}: all {n_all} {what}", self.shard);
        } else {
            tracing::info!("shard {} is coming back: {n} of {n_all} {what}", self.shard);
        }
    }
}
