//! What all threads of an instance share: settings, clocks, the ends of the inputs, the budget, and how to wake others.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crossbeam_channel::Sender;

use super::clock::Clock;
use super::ends::Ends;
use super::epoch::Budget;
use super::keeping::Keeping;
use super::memory::Memory;
use super::pace::{Pace, Waker};
use super::record::Author;
use super::settings::Settings;
use crate::event::{Decoder, Span};
use crate::kafka::Topics;
use crate::rules::Plan;

/// An epoch is never made larger than this.
const EPOCH_BYTES_MAX: usize = 16 << 20;
/// And never smaller, however slow the broker is: one piece of each shard must fit.
const EPOCH_BYTES_MIN: usize = 512 << 10;
/// A shard may fill at least this before it waits.
const SHARE_BYTES_MIN: usize = 512 << 10;

/// A partition of an input may have at least this at hand.
const QUOTA_BYTES_MIN: usize = 64 << 10;
const QUOTA_BYTES_MAX: usize = 8 << 20;

/// Shared through an `Arc`.
pub struct Tools {
    pub pace: Pace,
    pub settings: Settings,
    pub plan: Arc<Plan>,
    /// The input topics in their order.
    pub topics: Vec<String>,
    pub n_partitions: usize,
    pub author: Author,
    /// Of all topics, inputs and outputs, where the broker tells them.
    pub topic_ids: BTreeMap<String, String>,
    pub decoder: Decoder,
    pub clock: Clock,
    pub ends: Ends,
    pub budget: Arc<Budget>,
    /// How long the inputs keep their records, where that is limited and known.
    pub retention_ms: Option<i64>,
    /// How long a tombstone stays on the standing topic, where that is known.
    pub tombstone_ms: Option<i64>,
    /// When snapshots are kept.
    pub keeping: Option<Arc<Keeping>>,
    pub memory: Memory,
    /// How large an epoch may be, by how long the last ones took.
    epoch_bytes: AtomicUsize,
    /// `usize::MAX` before the first assignment.
    n_owned: AtomicUsize,
    reader: OnceLock<Waker>,
    nudge: Nudge,
}

/// Tells the committer that there is something to commit, once until it has looked.
struct Nudge {
    has_output: AtomicBool,
    has_progress: AtomicBool,
    committer: Sender<Want>,
}

/// What there is to commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Want {
    /// Offsets that moved, and nothing that anybody waits for.
    Progress,
    Output,
}

fn owned((name, id): (&String, &String)) -> (String, String) {
    (name.clone(), id.clone())
}

/// Two epochs fit into what may wait: one on its way, one that fills.
fn epoch_bytes_max(settings: &Settings) -> usize {
    EPOCH_BYTES_MAX.min(settings.buffer_bytes / 4)
}

impl Tools {
    /// `committer` is told when there is something to commit.
    pub fn new(pace: Pace, settings: Settings, plan: Arc<Plan>, looked: &Topics, committer: Sender<Want>) -> Tools {
        let n_partitions = looked.n_partitions;
        let topics = settings.topics();
        let author = Author {
            topic_ids: looked.ids.iter().filter(|(topic, _)| topics.contains(topic)).map(owned).collect(),
            topics: topics.clone(),
            rules: plan.version.to_string(),
            transactional_id: settings.kafka.transactional_id(),
        };
        Tools {
            topics,
            author,
            topic_ids: looked.ids.clone(),
            decoder: Decoder::new(&plan.schema),
            clock: Clock::new(settings.wall.clone(), pace.clone()),
            ends: Ends::new(settings.inputs.len(), n_partitions, pace.now()),
            budget: Arc::default(),
            retention_ms: looked.retention_ms,
            tombstone_ms: looked.tombstone_ms,
            keeping: settings.snapshots.clone().map(|snapshots| Arc::new(Keeping::new(snapshots, n_partitions))),
            epoch_bytes: AtomicUsize::new(epoch_bytes_max(&settings)),
            memory: Memory::new(settings.memory_limit_bytes),
            n_owned: AtomicUsize::new(usize::MAX),
            reader: OnceLock::new(),
            nudge: Nudge { has_output: AtomicBool::new(false), has_progress: AtomicBool::new(false), committer },
            pace,
            settings,
            plan,
            n_partitions,
        }
    }

    /// How old an answer about an input's end may be to count as one: half of grace.
    pub fn end_age_max(&self) -> Duration {
        Duration::from_millis(self.settings.grace.0.max(0) as u64 / 2).max(Duration::from_millis(50))
    }

    /// How far the machine's clock may be ahead of the brokers'.
    pub fn clock_tolerance(&self) -> Span {
        Span((self.settings.grace.0 / 2).max(500))
    }

    /// What one shard may hold before it waits for a commit.
    pub fn share_bytes(&self) -> usize {
        (self.epoch_bytes() / self.n_owned().unwrap_or(1).max(1)).max(SHARE_BYTES_MIN)
    }

    /// Whether all shards together hold as much as they may.
    pub fn is_budget_spent(&self) -> bool {
        self.budget.held_bytes() >= self.settings.buffer_bytes / 2
    }

    /// What one partition of one input may hold of records that were read and not yet used.
    pub fn quota_bytes(&self) -> usize {
        let n_flows = self.n_owned().unwrap_or(1).max(1) * self.topics.len();
        (self.settings.buffer_bytes / 4 / n_flows).clamp(QUOTA_BYTES_MIN, QUOTA_BYTES_MAX)
    }

    /// Shards of the present assignment, if any came yet.
    pub fn n_owned(&self) -> Option<usize> {
        Some(self.n_owned.load(Ordering::Relaxed)).filter(|&n| n != usize::MAX)
    }

    pub fn set_n_owned(&self, n: usize) {
        self.n_owned.store(n, Ordering::Relaxed);
    }

    /// How large an epoch may be.
    pub fn epoch_bytes(&self) -> usize {
        self.epoch_bytes.load(Ordering::Relaxed)
    }

    /// An epoch took this long: the next ones are sized so that they take at most a quarter of a transaction's time-out.
    pub fn adapt_epochs(&self, took: Duration) {
        let limit = self.settings.kafka.transaction_timeout() / 4;
        let now = self.epoch_bytes();
        if took > limit {
            self.shrink_epochs();
        } else if took < limit / 4 {
            self.epoch_bytes.store((now * 2).min(epoch_bytes_max(&self.settings)), Ordering::Relaxed);
        }
    }

    /// An epoch took too long.
    pub fn shrink_epochs(&self) {
        self.epoch_bytes.store((self.epoch_bytes() / 2).max(EPOCH_BYTES_MIN), Ordering::Relaxed);
    }

    /// The calling thread is the one that reads.
    pub fn read_from_here(&self) {
        self.reader.get_or_init(|| self.pace.waker());
    }

    /// Records were used up: there may be room for more.
    pub fn wake_reader(&self) {
        if let Some(reader) = self.reader.get() {
            reader.wake();
        }
    }

    /// Tells the committer, unless it was told already.
    pub fn nudge(&self, want: Want) {
        let flag = match want {
            Want::Output => &self.nudge.has_output,
            Want::Progress => &self.nudge.has_progress,
        };
        if !flag.swap(true, Ordering::AcqRel) {
            // It has ended when nobody listens, and then there is nobody to tell.
            let _ = self.nudge.committer.try_send(want);
        }
    }

    /// From now on the committer wants to be told again.
    pub fn rearm_nudge(&self) {
        self.nudge.has_output.store(false, Ordering::Release);
        self.nudge.has_progress.store(false, Ordering::Release);
    }
}
