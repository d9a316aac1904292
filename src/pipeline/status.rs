//! How the instance is, for whoever asks while it works: the health and readiness pages, the demo's status line.
//!
//! The pipeline writes, others read; nothing here decides anything. What is always true: a reader never holds up the
//! pipeline for longer than a copy of the sizes takes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::desk::Desk;
use crate::event;
use crate::rules::Plan;

/// A pipeline that did not say anything for so long does not work any more.
pub const SILENCE_MAX: Duration = Duration::from_secs(60);

/// What the instance is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Topics are checked, the group is joined; no assignment came yet.
    Starting,
    /// Assigned shards are brought back.
    Restoring,
    /// All assigned shards are restored; some are further behind their inputs than the configured bound.
    CatchingUp,
    /// All assigned shards work at the head of their inputs.
    Live,
    /// The last epoch is finished, the group is left.
    Stopping,
    /// It ended by an error.
    Failed,
}

impl Phase {
    const ALL: [Phase; 6] =
        [Phase::Starting, Phase::Restoring, Phase::CatchingUp, Phase::Live, Phase::Stopping, Phase::Failed];

    /// The word for it, for people and the readiness page.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Starting => "starting",
            Phase::Restoring => "restoring",
            Phase::CatchingUp => "catching_up",
            Phase::Live => "live",
            Phase::Stopping => "stopping",
            Phase::Failed => "failed",
        }
    }
}

/// Customers by segment: `[dimension][0 = none, 1 + segment]`, as the engine counts them.
pub type Sizes = Vec<Vec<u64>>;

/// Shared by the pipeline and its readers through an `Arc`.
#[derive(Debug)]
pub struct Status {
    made: Instant,
    phase: AtomicU8,
    /// Milliseconds from `made` to the last sign of life; negative: none yet.
    beat_ms: AtomicI64,
    n_assigned: AtomicU64,
    n_restored: AtomicU64,
    n_events: AtomicU64,
    n_records: AtomicU64,
    /// The least of the shards' clocks, in ms.
    clock_ms: AtomicI64,
    n_customers: AtomicU64,
    /// Why it is not ready, or ended: one line for people.
    detail: Mutex<String>,
    plan: Mutex<Option<Arc<Plan>>>,
    sizes: Mutex<BTreeMap<i32, Sizes>>,
    desk: Desk,
}

impl Default for Status {
    fn default() -> Status {
        Status {
            made: Instant::now(),
            phase: AtomicU8::new(Phase::Starting as u8),
            beat_ms: AtomicI64::new(-1),
            n_assigned: AtomicU64::new(0),
            n_restored: AtomicU64::new(0),
            n_events: AtomicU64::new(0),
            n_records: AtomicU64::new(0),
            clock_ms: AtomicI64::new(0),
            n_customers: AtomicU64::new(0),
            detail: Mutex::default(),
            plan: Mutex::default(),
            sizes: Mutex::default(),
            desk: Desk::default(),
        }
    }
}

/// What the pipeline says.
impl Status {
    /// To be called on every turn of the main loop, restoring included.
    pub fn beat(&self) {
        self.beat_ms.store(self.made.elapsed().as_millis() as i64, Relaxed);
    }

    pub fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
    }

    /// Why it is in this phase, in one line for people: a lost topic, the error that ended it.
    pub fn set_detail(&self, detail: impl Into<String>) {
        *lock(&self.detail) = detail.into();
    }

    pub fn set_shards(&self, n_assigned: u64, n_restored: u64) {
        self.n_assigned.store(n_assigned, Relaxed);
        self.n_restored.store(n_restored, Relaxed);
    }

    /// Counts events that were folded.
    pub fn add_events(&self, n: u64) {
        self.n_events.fetch_add(n, Relaxed);
    }

    /// Counts records that live shards have dealt with, whatever became of them.
    pub fn add_records(&self, n: u64) {
        self.n_records.fetch_add(n, Relaxed);
    }

    /// The least of the clocks of this instance's shards, after everyone due at or before it was judged.
    pub fn set_clock(&self, clock: event::Instant) {
        self.clock_ms.store(clock.0, Relaxed);
    }

    pub fn set_customers(&self, n: u64) {
        self.n_customers.store(n, Relaxed);
    }

    /// The rules that decide from now on: they name what [`Status::set_sizes`] counts.
    pub fn set_plan(&self, plan: Arc<Plan>) {
        *lock(&self.plan) = Some(plan);
    }

    pub fn set_sizes(&self, shard: i32, sizes: Sizes) {
        lock(&self.sizes).insert(shard, sizes);
    }

    /// A shard that went elsewhere counts no more.
    pub fn forget_sizes(&self, shard: i32) {
        lock(&self.sizes).remove(&shard);
    }
}

/// What others read.
impl Status {
    pub fn phase(&self) -> Phase {
        Phase::ALL[usize::from(self.phase.load(Relaxed))]
    }

    /// True unless the pipeline failed or has been silent for longer than [`SILENCE_MAX`].
    pub fn is_healthy(&self) -> bool {
        self.phase() != Phase::Failed && self.silence() <= SILENCE_MAX
    }

    /// Restored, assigned and caught up.
    pub fn is_ready(&self) -> bool {
        self.phase() == Phase::Live && self.is_healthy()
    }

    /// Since the last sign of life, or since it was made.
    pub fn silence(&self) -> Duration {
        let beat_ms = self.beat_ms.load(Relaxed).max(0) as u64;
        self.made.elapsed().saturating_sub(Duration::from_millis(beat_ms))
    }

    pub fn detail(&self) -> String {
        lock(&self.detail).clone()
    }

    pub fn n_assigned(&self) -> u64 {
        self.n_assigned.load(Relaxed)
    }

    pub fn n_restored(&self) -> u64 {
        self.n_restored.load(Relaxed)
    }

    pub fn n_events(&self) -> u64 {
        self.n_events.load(Relaxed)
    }

    pub fn n_records(&self) -> u64 {
        self.n_records.load(Relaxed)
    }

    /// See [`Status::set_clock`]; 1970 before the first.
    pub fn clock(&self) -> event::Instant {
        event::Instant(self.clock_ms.load(Relaxed))
    }

    pub fn n_customers(&self) -> u64 {
        self.n_customers.load(Relaxed)
    }

    /// Where questions about customers are asked.
    pub fn desk(&self) -> &Desk {
        &self.desk
    }

    pub fn plan(&self) -> Option<Arc<Plan>> {
        lock(&self.plan).clone()
    }

    /// Summed over this instance's shards.
    pub fn sizes(&self) -> Sizes {
        let mut sum = Sizes::new();
        for sizes in lock(&self.sizes).values() {
            sum.resize(sum.len().max(sizes.len()), Vec::new());
            for (into, from) in sum.iter_mut().zip(sizes) {
                into.resize(into.len().max(from.len()), 0);
                into.iter_mut().zip(from).for_each(|(into, from)| *into += from);
            }
        }
        sum
    }
}

/// A panic elsewhere ends the process, so what a lock holds is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_live_instance_is_ready() {
        let status = Status::default();
        for phase in Phase::ALL {
            status.set_phase(phase);
            assert_eq!(status.phase(), phase);
            assert_eq!(status.is_ready(), phase == Phase::Live, "{phase:?}");
            assert_eq!(status.is_healthy(), phase != Phase::Failed, "{phase:?}");
        }
    }

    #[test]
    fn sizes_are_summed_over_the_shards_that_are_here() {
        let status = Status::default();
        status.set_sizes(0, vec![vec![1, 2], vec![3]]);
        status.set_sizes(4, vec![vec![10, 20], vec![30]]);
        assert_eq!(status.sizes(), vec![vec![11, 22], vec![33]]);
        status.forget_sizes(0);
        assert_eq!(status.sizes(), vec![vec![10, 20], vec![30]]);
    }
}
