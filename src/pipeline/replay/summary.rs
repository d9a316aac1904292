//! What a replay did, in numbers.

use std::time::Duration;

use super::worker::Done;
use crate::event::{Instant, Reason};
use crate::rules::Plan;

/// The numbers of a whole replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Accepted events that were read, duplicates included.
    pub n_events: u64,
    /// Of these, dropped.
    pub n_duplicates: u64,
    /// Of these, folded without looking for a duplicate, since they came too late for it.
    pub n_unchecked: u64,
    /// Events after the end moment.
    pub n_not_read: u64,
    pub n_customers: u64,
    pub n_changes: u64,
    /// Indexed by the order of [`Reason::ALL`].
    pub n_rejects: [u64; Reason::ALL.len()],
    /// Where the clock stands at the end; `None` when no event was read and no end moment given.
    pub end: Option<Instant>,
    /// `[dimension][0 = none, 1 + segment]`.
    pub sizes: Vec<Vec<u64>>,
    /// What the customers take in memory at the end.
    pub state_bytes: u64,
    /// In the order of the command line.
    pub files: Vec<FileSummary>,
    /// From the first byte read to the last byte written.
    pub elapsed: Duration,
}

/// The numbers of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileSummary {
    pub n_events: u64,
    /// Events whose time the clock had reached already when they came.
    pub n_late: u64,
    pub n_rejects: u64,
}

impl FileSummary {
    /// Whether so many records are late that the file is probably not in order.
    pub fn is_out_of_order(&self) -> bool {
        self.n_late > 0 && self.n_late * 100 >= self.n_events
    }
}

impl Summary {
    /// Of the files alone; shards are added.
    pub(super) fn new(plan: &Plan, files: Vec<FileSummary>) -> Summary {
        Summary {
            n_events: files.iter().map(|file| file.n_events).sum(),
            n_duplicates: 0,
            n_unchecked: 0,
            n_not_read: 0,
            n_customers: 0,
            n_changes: 0,
            n_rejects: [0; Reason::ALL.len()],
            end: None,
            sizes: plan.dimensions.iter().map(|dimension| vec![0; dimension.segments.len() + 1]).collect(),
            state_bytes: 0,
            files,
            elapsed: Duration::ZERO,
        }
    }

    /// Adds a shard's numbers; gives back what its sink left.
    pub(super) fn add<L>(&mut self, shard: Done<L>) -> L {
        self.n_duplicates += shard.n_duplicates;
        self.n_unchecked += shard.n_unchecked;
        self.n_customers += shard.n_customers;
        self.n_changes += shard.n_changes;
        self.state_bytes += shard.state_bytes;
        for (sum, size) in self.sizes.iter_mut().flatten().zip(shard.sizes.into_iter().flatten()) {
            *sum += size;
        }
        shard.left
    }

    pub fn n_late(&self) -> u64 {
        self.files.iter().map(|file| file.n_late).sum()
    }

    /// All rejects, whatever the reason.
    pub fn n_rejects_total(&self) -> u64 {
        self.n_rejects.iter().sum()
    }

    /// Those reasons that occurred.
    pub fn rejects(&self) -> impl Iterator<Item = (Reason, u64)> {
        Reason::ALL.into_iter().zip(self.n_rejects).filter(|(_, n)| *n > 0)
    }

    pub fn events_per_second(&self) -> f64 {
        self.n_events as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }
}
