//! One customer in a replay: every record moves the clock as ever, but only this customer's events are applied.
//!
//! What always holds: their changes and standing are those of a whole replay of the same files.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::io;
use std::sync::Arc;

use super::packed::{Origin, unpack};
use super::spill::Merged;
use super::worker::{Entry, Job};
use super::{Error, Options, Played, play};
use crate::engine::{Change, Shard};
use crate::event::Instant;
use crate::rules::Plan;

/// So many ids are compared with one that is not found.
const COMPARED_MAX: usize = 1 << 20;
/// And so many are proposed.
const NEAR_MAX: usize = 3;

/// What became of one customer.
#[derive(Debug)]
pub struct Followed {
    /// Holds this customer alone, or nobody; its clock stands where the whole replay's does.
    pub shard: Shard,
    /// In the order of `sequence`, with the record that caused it.
    pub changes: Vec<(Change, Option<Origin>)>,
    /// Accepted events of the customer, duplicates included.
    pub n_events: u64,
    /// Accepted events of everybody.
    pub n_events_read: u64,
    /// Of everybody, later than the end moment.
    pub n_not_read: u64,
    /// Where the clock stands; `None` without any event.
    pub end: Option<Instant>,
    /// Ids that look like this one, when nobody has it; the nearest first.
    pub near: Vec<Box<str>>,
}

/// Replays the files for one customer. `options` as for a whole replay.
pub fn follow(plan: &Arc<Plan>, options: &Options, customer: &str) -> Result<Followed, Error> {
    let Played { done, files, n_not_read, clock, .. } = play(plan, options, None, Some(customer))?;
    let mut sorted = Vec::new();
    let mut shards = Vec::new();
    let mut near = BTreeSet::new();
    let mut n_events = 0;
    for done in done {
        sorted.push(done.changes);
        if let Some((focus, shard)) = done.focused {
            n_events += focus.n_events;
            near.extend(focus.near);
            shards.push(shard);
        }
    }
    let owner = shards.iter().position(|shard| shard.n_customers() > 0).unwrap_or(0);
    let changes = Merged::new(sorted).and_then(read).map_err(Error::Temporary)?;
    Ok(Followed {
        shard: shards.swap_remove(owner),
        changes,
        n_events,
        n_events_read: files.iter().map(|file| file.summary.n_events).sum(),
        n_not_read,
        end: clock,
        near: near.into_iter().take(NEAR_MAX).filter(|_| n_events == 0).map(|(_, id)| id).collect(),
    })
}

fn read(mut sorted: Merged) -> io::Result<Vec<(Change, Option<Origin>)>> {
    let mut changes = Vec::new();
    while let Some((key, payload)) = sorted.next()? {
        changes.push(unpack(key, payload));
    }
    changes.sort_by_key(|(change, _)| change.sequence);
    Ok(changes)
}

/// Whom a shard looks at, and who looks alike.
#[derive(Debug)]
pub struct Focus {
    customer: Box<str>,
    n_events: u64,
    /// By how much they differ, then by id.
    near: BTreeSet<(usize, Box<str>)>,
    /// Hashes of ids that were compared already.
    compared: HashSet<u64>,
}

impl Focus {
    pub fn new(customer: &str) -> Focus {
        Focus { customer: customer.into(), n_events: 0, near: BTreeSet::new(), compared: HashSet::new() }
    }

    /// The customer's own among a job's entries.
    pub fn of_customer<'j>(&mut self, job: &'j Job) -> Cow<'j, [Entry]> {
        let is_theirs = |entry: &&Entry| {
            let customer = &*job.event(entry).1.customer;
            let is_theirs = *customer == *self.customer;
            self.n_events += u64::from(is_theirs);
            if self.n_events == 0 {
                self.compare(customer);
            }
            is_theirs
        };
        Cow::Owned(job.entries.iter().filter(is_theirs).copied().collect())
    }

    fn compare(&mut self, other: &str) {
        let allowed = 1 + self.customer.len() / 4;
        let hash = rapidhash::v3::rapidhash_v3(other.as_bytes());
        if other.len().abs_diff(self.customer.len()) > allowed
            || self.compared.len() == COMPARED_MAX
            || !self.compared.insert(hash)
        {
            return;
        }
        let distance = strsim::osa_distance(&other.to_lowercase(), &self.customer.to_lowercase());
        if distance <= allowed {
            self.near.insert((distance, other.into()));
            if self.near.len() > NEAR_MAX {
                self.near.pop_last();
            }
        }
    }
}
