//! How the shards of an instance are, put together for its status and its metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::keeping::is_overdue;
use super::status::{Phase, Status};
use super::task::{Report, clock_lag};
use super::tools::Tools;
use crate::telemetry::metrics;

/// The latest report of each shard.
#[derive(Debug)]
pub struct Board {
    status: Arc<Status>,
    reports: Mutex<BTreeMap<i32, Report>>,
    /// Shards whose newest snapshot is too old, as was said.
    alarmed: Mutex<BTreeSet<i32>>,
}

impl Board {
    pub fn new(status: Arc<Status>) -> Board {
        Board { status, reports: Mutex::default(), alarmed: Mutex::default() }
    }

    pub fn status(&self) -> &Status {
        &self.status
    }

    /// A shard's report; its own metrics are set at once.
    pub fn put(&self, report: Report, tools: &Tools) {
        let shard = report.partition.to_string();
        if let Some(lag) = clock_lag(report.clock, tools.clock.now()) {
            metrics::CLOCK_LAG.set([&shard], lag.0 as f64 / 1000.0);
        }
        for (input, next) in report.next.iter().enumerate() {
            if let Some(high) = tools.ends.high(input, report.partition) {
                metrics::CONSUMER_LAG.set([&tools.topics[input], &shard], (high - next).max(0) as f64);
            }
        }
        self.tell_snapshot(&report, &shard, tools);
        self.status.set_sizes(report.partition, report.sizes.clone());
        self.reports().insert(report.partition, report);
    }

    /// How old the shard's newest snapshot is, and an alarm while that is too old.
    fn tell_snapshot(&self, report: &Report, shard: &str, tools: &Tools) {
        let Some(keeping) = tools.keeping.as_ref().filter(|_| report.is_live) else { return };
        let newest = keeping.newest(report.partition);
        let since = newest.as_ref().map_or(report.live_since, |newest| newest.taken_at);
        let age = tools.clock.now() - since;
        if newest.is_some() {
            metrics::SNAPSHOT_AGE.set([shard], age.0.max(0) as f64 / 1000.0);
        }
        let covered = |(topic, next): (&String, &i64)| {
            newest.as_ref().is_some_and(|newest| newest.next.get(topic).is_some_and(|covered| covered >= next))
        };
        let has_more = !tools.topics.iter().zip(&report.next).all(covered);
        let is_overdue = is_overdue(age, tools.retention_ms, has_more);
        metrics::SNAPSHOT_OVERDUE.set([shard], f64::from(u8::from(is_overdue)));
        let mut alarmed = self.alarmed.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_overdue {
            alarmed.remove(&report.partition);
        } else if alarmed.insert(report.partition) {
            tracing::warn!(
                "shard {shard}: its newest snapshot is {age} old, more than half of the time for which the inputs are kept: \
                 soon a restart will find that records are gone"
            );
        }
    }

    pub fn forget(&self, partition: i32) {
        self.status.forget_sizes(partition);
        self.reports().remove(&partition);
    }

    /// Tells what all shards are together; `n_assigned`: how many should be there, if any assignment came.
    pub fn tell(&self, n_assigned: Option<usize>, tools: &Tools) {
        let reports = self.reports();
        let n_live = reports.values().filter(|report| report.is_live).count();
        let wall = tools.clock.now();
        let has_caught_up = |report: &Report| {
            report.is_at_end || clock_lag(report.clock, wall).is_some_and(|lag| lag <= tools.settings.ready_lag)
        };
        let phase = match n_assigned {
            None => Phase::Starting,
            Some(n) if n_live < n => Phase::Restoring,
            Some(_) if !reports.values().all(has_caught_up) => Phase::CatchingUp,
            Some(_) => Phase::Live,
        };
        let n_customers = reports.values().map(|report| report.n_customers).sum();
        let clock = reports.values().map(|report| report.clock).min();
        let is_settled = Some(n_live) == n_assigned && !reports.values().any(|report| report.has_dues);
        let state_bytes: u64 = reports.values().map(|report| report.state_bytes).sum();
        drop(reports);
        self.status.set_phase(phase);
        self.status.set_shards(n_assigned.unwrap_or(0) as u64, n_live as u64);
        self.status.set_customers(n_customers);
        if let (Some(clock), true) = (clock, is_settled) {
            self.status.set_clock(clock);
        }
        self.status.beat();
        metrics::STATE_BYTES.set([], state_bytes as f64);
        tools.memory.look(state_bytes);
        for (dimension, counts) in tools.plan.dimensions.iter().zip(self.status.sizes()) {
            let names = std::iter::once("").chain(dimension.segments.iter().map(|segment| &*segment.name));
            for (segment, count) in names.zip(counts) {
                metrics::CUSTOMERS.set([&dimension.name, segment], count as f64);
            }
        }
    }

    fn reports(&self) -> MutexGuard<'_, BTreeMap<i32, Report>> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
