//! A Kafka cluster of one broker as an instance can tell it: logs with transactions, a coordinator for them, and a group.
//!
//! It answers at once and does nothing by itself but what lies in its queue of effects: markers that are written later,
//! each partition's on its own, doubled requests, time-outs. Who asks decides on delays and losses.

pub mod group;
pub mod log;
pub mod transactions;

use std::collections::{BTreeMap, BinaryHeap};

use group::Group;
use log::Log;
use transactions::{Identity, TransactionKey, Transactional};

/// Something that happens at its time, whoever is alive.
type Effect = Box<dyn FnOnce(&mut Broker) + Send>;

pub struct Broker {
    /// By topic and partition.
    pub logs: BTreeMap<(String, i32), Log>,
    pub transactionals: BTreeMap<String, Transactional>,
    pub group: Group,
    /// Committed offsets of the group.
    pub offsets: BTreeMap<(String, i32), i64>,
    pub now: u64,
    pub rng: fastrand::Rng,
    effects: BinaryHeap<Queued>,
    n_effects: u64,
    n_producers: u64,
    /// How long markers may take, in microseconds, drawn for each partition.
    pub marker_delay_max: u64,
    /// Commits that went astray, and how many requests of their producer's id arrive before each.
    pub astray: Vec<(Identity, usize)>,
    pub transaction_timeout: u64,
    /// Which process opened a producer of which id, in the order of the broker's answers.
    pub opened: Vec<(String, usize)>,
    /// Counts what subscribers may see.
    pub n_decided: u64,
}

struct Queued {
    at: u64,
    number: u64,
    effect: Effect,
}

impl PartialEq for Queued {
    fn eq(&self, other: &Queued) -> bool {
        self.number == other.number
    }
}

impl Eq for Queued {}

impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Queued) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Queued {
    /// The earliest is the greatest.
    fn cmp(&self, other: &Queued) -> std::cmp::Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl Broker {
    pub fn new(seed: u64, topics: &[&str], n_partitions: i32) -> Broker {
        let places = topics.iter().flat_map(|topic| (0..n_partitions).map(move |n| ((*topic).to_owned(), n)));
        Broker {
            logs: places.map(|place| (place, Log::default())).collect(),
            transactionals: BTreeMap::new(),
            group: Group::new(n_partitions),
            offsets: BTreeMap::new(),
            now: 0,
            rng: fastrand::Rng::with_seed(seed),
            effects: BinaryHeap::new(),
            n_effects: 0,
            n_producers: 0,
            marker_delay_max: 0,
            astray: Vec::new(),
            transaction_timeout: 6_000_000,
            opened: Vec::new(),
            n_decided: 0,
        }
    }

    /// Lets something happen later.
    pub fn later(&mut self, delay: u64, effect: impl FnOnce(&mut Broker) + Send + 'static) {
        self.n_effects += 1;
        self.effects.push(Queued { at: self.now + delay, number: self.n_effects, effect: Box::new(effect) });
    }

    /// When the next effect is due.
    pub fn next_effect(&self) -> u64 {
        self.effects.peek().map_or(u64::MAX, |queued| queued.at)
    }

    /// Lets everything happen that is due by then.
    pub fn advance(&mut self, now: u64) {
        while self.next_effect() <= now {
            let Some(Queued { at, effect, .. }) = self.effects.pop() else { break };
            self.now = self.now.max(at);
            effect(self);
        }
        self.now = self.now.max(now);
    }

    pub fn log(&self, topic: &str, partition: i32) -> Option<&Log> {
        self.logs.get(&(topic.to_owned(), partition))
    }

    fn log_mut(&mut self, topic: &str, partition: i32) -> Option<&mut Log> {
        self.logs.get_mut(&(topic.to_owned(), partition))
    }

    /// Tells one partition whether a transaction was committed.
    fn write_marker(&mut self, topic: &str, partition: i32, key: TransactionKey, epoch: i16, is_commit: bool) {
        let now = self.now;
        if let Some(log) = self.log_mut(topic, partition) {
            log.mark(key, epoch, is_commit, now);
        }
        self.n_decided += 1;
    }
}
