//! Which shards are ours in the present assignment, which of them work, and what was last heard of each.
//!
//! What always holds: a shard works only after it was recovered under an assignment that was the present one by then;
//! one that does not work makes no parts; worker and reader hear of every shard that goes before anybody asks them for
//! more. Whether memory may be believed is not decided here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam_channel::{Sender, bounded};

use super::epoch::Part;
use super::error::Error;
use super::reading::{ReadOrder, Workers};
use super::record::Token;
use super::recovery::{Assignments, Recovered, Request};
use super::task::Opening;
use super::tools::Tools;
use super::worker::Order;
use crate::kafka::Stamp;

/// Those who work on shards.
pub struct Hands {
    pub workers: Workers,
    pub reader: Sender<ReadOrder>,
    pub requests: Sender<Request>,
}

/// The shards that are ours.
pub struct Ownership {
    tools: Arc<Tools>,
    hands: Hands,
    /// The number of the present one.
    assignments: Assignments,
    shards: BTreeMap<i32, Owned>,
    n_readings: u64,
}

/// A shard that is ours.
#[derive(Default)]
struct Owned {
    is_working: bool,
    /// The last token that its memory produced or read.
    token: Option<Token>,
    /// Where to look for its latest record.
    record_at: i64,
    begin: Vec<i64>,
}

impl Ownership {
    pub fn new(tools: Arc<Tools>, hands: Hands, assignments: Assignments) -> Ownership {
        Ownership { tools, hands, assignments, shards: BTreeMap::new(), n_readings: 0 }
    }

    /// From now on these partitions, of these topics, are ours. What is not of them is closed; what was ours stays as it is.
    pub fn take_up(&mut self, partitions: &BTreeMap<i32, Vec<String>>) -> Result<(), Error> {
        let number = self.assignments.fetch_add(1, Ordering::AcqRel) + 1;
        self.check_complete(partitions)?;
        let gone: Vec<i32> = self.shards.keys().filter(|shard| !partitions.contains_key(shard)).copied().collect();
        for shard in gone {
            self.close(shard);
            self.shards.remove(&shard);
        }
        self.tools.set_n_owned(partitions.len());
        self.tools.ends.set_owned(partitions.keys().copied().collect());
        for &partition in partitions.keys() {
            self.shards.entry(partition).or_default();
        }
        tracing::debug!("assignment {number}");
        Ok(())
    }

    /// A shard is partition N of every input.
    fn check_complete(&self, partitions: &BTreeMap<i32, Vec<String>>) -> Result<(), Error> {
        for (&partition, topics) in partitions {
            if partition as usize >= self.tools.n_partitions {
                let (topic, now) = (topics.join(", "), partition as usize + 1);
                return Err(Error::PartitionsChanged { topic, was: self.tools.n_partitions, now });
            }
            let of: BTreeSet<&String> = topics.iter().collect();
            if of.len() != self.tools.topics.len() {
                let (of, wanted) = (topics.clone(), self.tools.topics.clone());
                return Err(Error::Incomplete { partition, of, wanted });
            }
        }
        Ok(())
    }

    /// The shards that work.
    pub fn working(&self) -> Vec<i32> {
        self.shards.iter().filter(|(_, owned)| owned.is_working).map(|(&shard, _)| shard).collect()
    }

    /// The last token that the shard's memory produced or read.
    pub fn token(&self, shard: i32) -> Option<&Token> {
        self.shards[&shard].token.as_ref()
    }

    /// Where to look for the shard's latest record.
    pub fn record_at(&self, shard: i32) -> i64 {
        self.shards[&shard].record_at
    }

    pub fn set_record_at(&mut self, shard: i32, offset: i64) {
        if let Some(owned) = self.shards.get_mut(&shard) {
            owned.record_at = offset;
            self.tools.keeping.iter().for_each(|keeping| keeping.set_record_at(shard, offset));
        }
    }

    /// The record of the shard that goes with a part.
    pub fn shard_record(&self, part: &Part) -> Vec<u8> {
        part.record(&self.shards[&part.shard].begin, &self.tools.author).encode()
    }

    /// What the shard makes from now on is made under this membership.
    pub fn restamp(&self, shard: i32, stamp: &Stamp) {
        self.hands.workers.send(shard, Order::Restamp(shard, stamp.clone()));
    }

    /// Asks for a shard to be brought back.
    pub fn request(&self, partition: i32, stamp: &Stamp) {
        let assignment = self.assignments.load(Ordering::Acquire);
        drop(self.hands.requests.send(Request { partition, stamp: stamp.clone(), assignment }));
    }

    /// Asks for all shards that do not work.
    pub fn request_missing(&self, stamp: &Stamp) {
        for (&shard, _) in self.shards.iter().filter(|(_, owned)| !owned.is_working) {
            self.request(shard, stamp);
        }
    }

    /// A shard is back: it starts to work, unless it is not ours any more.
    pub fn start(&mut self, recovered: Recovered) {
        let is_present = self.assignments.load(Ordering::Acquire) == recovered.assignment;
        let Some(owned) = self.shards.get_mut(&recovered.partition).filter(|owned| is_present && !owned.is_working)
        else {
            return;
        };
        self.n_readings += 1;
        let Recovered { partition, stamp, shard, chain, starts, folding, record_at, asked, snapshot, .. } = recovered;
        *owned = Owned { is_working: true, token: chain.token.clone(), record_at, begin: chain.begin.clone() };
        let reading = self.n_readings;
        if let Some(keeping) = &self.tools.keeping {
            keeping.set_record_at(partition, record_at);
            keeping.set_newest(partition, snapshot.as_ref());
        }
        let snapshot = snapshot.map(|manifest| manifest.epoch);
        let starts_at = starts.clone();
        let opening = Opening { reading, partition, stamp, shard, chain, starts: starts_at, folding, asked, snapshot };
        self.hands.workers.send(partition, Order::Open(Box::new(opening)));
        self.tell_reader(ReadOrder::Start { reading, partition, starts });
    }

    /// What we know of the shard counts for nothing: it does not work until it was brought back.
    pub fn forget(&mut self, shard: i32) {
        self.close(shard);
        if let Some(owned) = self.shards.get_mut(&shard) {
            owned.is_working = false;
            owned.record_at = 0;
        }
    }

    /// Asks every worker for what there is since it was asked last.
    pub fn seal(&mut self, is_last: bool) -> Vec<Part> {
        let (reply, parts) = bounded(self.hands.workers.0.len());
        self.hands.workers.send_all(|| Order::Seal { is_last, reply: reply.clone() });
        drop(reply);
        let pace = self.tools.pace.clone();
        let mut sealed = Vec::new();
        for part in std::iter::from_fn(|| pace.next(&parts)).flatten() {
            // What was made by a shard that is not ours now is nobody's.
            let Some(owned) = self.shards.get_mut(&part.shard).filter(|owned| owned.is_working) else { continue };
            owned.token = Some(part.token.clone());
            sealed.push(part);
        }
        sealed
    }

    /// Lets worker and reader forget a shard.
    fn close(&self, shard: i32) {
        self.hands.workers.send(shard, Order::Close(shard));
        self.tell_reader(ReadOrder::Stop(shard));
    }

    fn tell_reader(&self, order: ReadOrder) {
        // A reader that has ended has said why.
        drop(self.hands.reader.send(order));
        self.tools.wake_reader();
    }
}
