//! What must hold: after every decision of the broker, and in the end.

use std::collections::{BTreeMap, BTreeSet};

use dormouse::event::{Format, Instant};
use serde_json::Value;

use super::broker::Broker;
use super::broker::log::{Data, Entry};
use super::history::{Fed, INPUTS, Told};

/// The shard's record stands under this key.
const SHARD_KEY: &[u8] = b"\xffdormouse-shard";

/// What read-committed subscribers have seen so far.
#[derive(Default)]
pub struct Seen {
    /// By topic and partition: the next offset that was not looked at.
    next: BTreeMap<(String, i32), i64>,
    chains: BTreeMap<i32, Chain>,
    /// Of the committed epochs of every shard.
    pub tokens: BTreeSet<(i32, String)>,
    pub changes: BTreeMap<String, Vec<Told>>,
    pub n_changes: u64,
    pub rejects: BTreeMap<Vec<u8>, u64>,
    /// The latest epoch of some shard left people due who were not judged.
    pub has_dues: bool,
}

struct Chain {
    lineage: String,
    rules: String,
    token: String,
    epoch: u64,
    next: BTreeMap<String, i64>,
    clock: i64,
}

impl Seen {
    /// How many shards have a record.
    pub fn n_shards(&self) -> usize {
        self.chains.len()
    }

    /// Looks at what has become visible. An error is a promise that was broken.
    pub fn look(&mut self, broker: &Broker) -> Result<(), String> {
        for ((topic, partition), log) in &broker.logs {
            let next = self.next.entry((topic.clone(), *partition)).or_default();
            let stable = log.last_stable();
            let (from, mut new) = (*next, Vec::new());
            for entry in log.range(from, stable).filter(|entry| log.is_visible(entry)) {
                if let Some(data) = &entry.record {
                    new.push((entry.clone(), data.clone()));
                }
            }
            *next = stable;
            for (entry, data) in new {
                self.visible(topic, *partition, &entry, &data)
                    .map_err(|broken| format!("{topic}/{partition} at {}: {broken}", entry.offset))?;
            }
        }
        Ok(())
    }

    fn visible(&mut self, topic: &str, partition: i32, _entry: &Entry, data: &Data) -> Result<(), String> {
        let value = || serde_json::from_slice::<Value>(data.value.as_deref().unwrap_or_default());
        match topic {
            "standing" if data.key.as_deref() == Some(SHARD_KEY) => {
                let record = value().map_err(|error| error.to_string())?;
                self.shard_record(partition, &record)
            }
            "changes" => self.change(&value().map_err(|error| error.to_string())?),
            "rejects" => {
                *self.rejects.entry(data.value.clone().unwrap_or_default()).or_default() += 1;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The chain of a shard's tokens is unbroken, and nothing of it goes back.
    fn shard_record(&mut self, partition: i32, record: &Value) -> Result<(), String> {
        let text = |name: &str| record[name].as_str().map(str::to_owned);
        let token = text("token").ok_or("no token")?;
        let next: BTreeMap<String, i64> =
            INPUTS.iter().map(|topic| ((*topic).to_owned(), record["next"][*topic].as_i64().unwrap_or(-1))).collect();
        let new = Chain {
            lineage: text("lineage").ok_or("no lineage")?,
            rules: text("rules").ok_or("no rules")?,
            token,
            epoch: record["epoch"].as_u64().ok_or("no epoch")?,
            next,
            clock: record["clock"].as_i64().unwrap_or(i64::MIN),
        };
        let before = self.chains.get(&partition);
        let predecessor = text("predecessor");
        if predecessor.as_deref() != before.map(|chain| chain.token.as_str()) {
            return Err(format!("epoch {} does not follow the one before: the chain of tokens is broken", new.epoch));
        }
        if let Some(before) = before {
            if before.lineage != new.lineage {
                return Err("another lineage".to_owned());
            }
            if before.rules != new.rules {
                return Err(format!("taken over by other rules: {} after {}", new.rules, before.rules));
            }
            // A part that was cut in two has one number.
            if new.epoch < before.epoch || new.epoch > before.epoch + 1 {
                return Err(format!("epoch {} after {}", new.epoch, before.epoch));
            }
            if new.clock < before.clock || new.next.iter().any(|(topic, next)| *next < before.next[topic]) {
                return Err("offsets or the clock went back".to_owned());
            }
        }
        self.has_dues = record["has_dues"].as_bool().ok_or("it does not say whether there are dues")?;
        self.tokens.insert((partition, new.token.clone()));
        self.chains.insert(partition, new);
        Ok(())
    }

    /// A customer's changes come in the order of their sequence, without gaps.
    fn change(&mut self, change: &Value) -> Result<(), String> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let customer = text(&change["customer_id"]).ok_or("no customer")?;
        let told = Told {
            sequence: change["sequence"].as_u64().ok_or("no sequence")?,
            dimension: text(&change["dimension"]).ok_or("no dimension")?,
            from: text(&change["from"]),
            to: text(&change["to"]),
            effective_at: text(&change["effective_at"]).ok_or("no instant")?,
            cause: text(&change["cause"]["type"]).ok_or("no cause")?,
        };
        let of_customer = self.changes.entry(customer.clone()).or_default();
        let wanted = of_customer.last().map_or(0, |last| last.sequence) + 1;
        if told.sequence != wanted {
            return Err(format!("{customer}: sequence {} where {wanted} comes next", told.sequence));
        }
        of_customer.push(told);
        self.n_changes += 1;
        Ok(())
    }

    /// In the end: everything that was due by `due` was told, as an engine that never failed tells it, and nothing else.
    pub fn compare(&self, expected: &BTreeMap<String, Vec<Told>>, due: Instant) -> Result<(), String> {
        let mut due_text = Vec::new();
        due.append_to(&mut due_text);
        let due_text = String::from_utf8(due_text).map_err(|error| error.to_string())?;
        let nothing = Vec::new();
        for customer in expected.keys().chain(self.changes.keys()) {
            let (told, expected) =
                (self.changes.get(customer).unwrap_or(&nothing), expected.get(customer).unwrap_or(&nothing));
            for (index, told) in told.iter().enumerate() {
                if expected.get(index) != Some(told) {
                    return Err(format!("{customer}: told {told:?}\n  where {:?} is right", expected.get(index)));
                }
            }
            if let Some(missing) = expected.get(told.len()).filter(|missing| missing.effective_at <= due_text) {
                return Err(format!("{customer}: never told {missing:?}"));
            }
        }
        Ok(())
    }

    /// Every bad record is kept, once.
    pub fn compare_rejects(&self, fed: &[Fed]) -> Result<(), String> {
        for bad in fed.iter().filter(|record| !record.is_good) {
            let n = self.rejects.get(&bad.value).copied().unwrap_or(0);
            if n != 1 {
                return Err(format!("a bad record was kept {n} times: {}", String::from_utf8_lossy(&bad.value)));
            }
        }
        let n_bad = fed.iter().filter(|record| !record.is_good).count() as u64;
        let n_kept: u64 = self.rejects.values().sum();
        if n_bad == n_kept { Ok(()) } else { Err(format!("{n_kept} rejects of {n_bad} bad records")) }
    }

    /// The group's offsets, which people's tools read, are those of the last epochs.
    pub fn compare_offsets(&self, broker: &Broker) -> Result<(), String> {
        for (partition, chain) in &self.chains {
            for (topic, next) in &chain.next {
                let told = broker.offsets.get(&(topic.clone(), *partition));
                if told != Some(next) {
                    return Err(format!(
                        "{topic}/{partition}: the group's offset is {told:?}, the shard's record has {next}"
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Changes are published as JSON here.
pub const FORMAT: Format = Format::Json;
