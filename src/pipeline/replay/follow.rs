//! One customer in a replay: every record moves the clock as ever, but only this customer's events are applied.
//!
//! What always holds: their changes and standing are those of a whole replay of the same files.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::sync::Arc;

use super::packed::Origin;
use super::worker::Sink;
use super::{Error, Options, watch};
use crate::engine::{Cause, Change, Shard};
use crate::event::{Decoder, Event, Instant};
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
    /// In the order of `sequence`, those that an event caused with its place.
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
    let follower = || Follower::new(customer);
    let (summary, followers) = watch(plan, Decoder::new(&plan.schema), options, None, follower)?;
    let mut near = BTreeSet::new();
    let mut owner: Option<(Follower, Shard)> = None;
    for (follower, shard) in followers {
        near.extend(follower.near.iter().cloned());
        if owner.as_ref().is_none_or(|(owner, _)| owner.n_events < follower.n_events) {
            owner = Some((follower, shard));
        }
    }
    let (Follower { n_events, changes, .. }, shard) =
        owner.expect("there is at least one thread, each with a follower");
    Ok(Followed {
        shard,
        changes,
        n_events,
        n_events_read: summary.n_events,
        n_not_read: summary.n_not_read,
        end: summary.end,
        near: near.into_iter().take(NEAR_MAX).filter(|_| n_events == 0).map(|(_, id)| id).collect(),
    })
}

/// Whom a shard looks at, what became of them, and who looks alike.
#[derive(Debug)]
struct Follower {
    customer: Box<str>,
    n_events: u64,
    changes: Vec<(Change, Option<Origin>)>,
    /// By how much they differ, then by id.
    near: BTreeSet<(usize, Box<str>)>,
    /// Hashes of ids that were compared already.
    compared: HashSet<u64>,
}

impl Sink for Follower {
    type Left = (Follower, Shard);

    fn take(&mut self, changes: &mut Vec<Change>, origin: Option<Origin>) -> io::Result<()> {
        let with_origin = |change: Change| {
            let is_of_event = matches!(change.cause, Cause::Event | Cause::LateEvent);
            (change, origin.filter(|_| is_of_event))
        };
        self.changes.extend(changes.drain(..).map(with_origin));
        Ok(())
    }

    fn folded(&mut self, _: &Event<'_>) {}

    fn wants(&mut self, event: &Event<'_>) -> bool {
        let is_theirs = *event.customer == *self.customer;
        self.n_events += u64::from(is_theirs);
        if self.n_events == 0 {
            self.compare(&event.customer);
        }
        is_theirs
    }

    fn end(self, shard: Shard) -> (Follower, Shard) {
        (self, shard)
    }
}

impl Follower {
    fn new(customer: &str) -> Follower {
        Follower {
            customer: customer.into(),
            n_events: 0,
            changes: Vec::new(),
            near: BTreeSet::new(),
            compared: HashSet::new(),
        }
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
