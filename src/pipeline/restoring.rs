//! A shard as its snapshot and its partition of the standing topic give it: facts of the snapshot, standings as they were
//! published last, and the shard's record.
//!
//! A snapshot is used only when the record says that it lies in the past of what was committed. One that cannot be used is
//! said, with the reason, and the next older one is tried; without any, facts are empty and are folded from the start.
//!
//! From a snapshot on only the tail of the standing topic is read: compaction keeps each customer's latest record where it
//! was written, so whoever changed after the cut is in the tail. Tombstones do go after a while; for a snapshot that is
//! older than half of that, all standings are read from the topic.

use super::error::Error;
use super::message::Messages;
use super::progress::Steps;
use super::record::{KEY, ShardRecord};
use super::sabotage::{self, Bug};
use super::standing::{Entry, IsCancelled, Standing, decode};
use super::tools::Tools;
use crate::engine::{self, Place, Shard, layout};
use crate::event::Instant;
use crate::kafka::Cluster;
use crate::snapshot::{self, Catalog, Manifest, Watch};

/// Kafka's default for `delete.retention.ms`.
const TOMBSTONE_MS: i64 = 24 * 3_600_000;

/// A shard, but for the facts that are to be folded.
pub struct Restored {
    pub shard: Shard,
    /// Its latest record on the standing topic, with the offset.
    pub record: Option<(i64, ShardRecord)>,
    /// Standings that were read.
    pub n_standings: u64,
    /// Up to where the topic was read.
    pub mark: i64,
    pub snapshot: Option<Manifest>,
}

/// Brings back what snapshots and standings hold. `None` when it was cancelled.
pub fn restore<C: Cluster>(
    tools: &Tools,
    standing: &mut Standing<C>,
    partition: i32,
    is_cancelled: IsCancelled<'_>,
) -> Result<Option<Restored>, Error> {
    let mut steps = Steps::new(partition, tools);
    let Some(candidates) = candidates(tools, standing, partition, is_cancelled)? else { return Ok(None) };
    let has_any = !candidates.is_empty();
    for manifest in candidates {
        let mut watch = Loading { tools, steps: &mut steps, n_all: manifest.n_customers, is_cancelled };
        let keeping = tools.keeping.as_ref().expect("there are candidates where snapshots are kept");
        let mut shard = match snapshot::load(&keeping.snapshots.store, &manifest, &tools.plan, &mut watch) {
            Ok(shard) => shard,
            Err(snapshot::Error::Cancelled) => return Ok(None),
            Err(_) if sabotage::has(Bug::TakesDamagedForEmpty) => Shard::new(tools.plan.clone()),
            Err(error) => {
                tracing::warn!("snapshot {} cannot be used: {error}", manifest.name());
                continue;
            }
        };
        let from = if is_fresh(tools, &manifest) { manifest.standing_at } else { 0 };
        if from == 0 {
            shard.forget_standings();
        }
        let Some(restored) = read(tools, standing, (partition, from), shard, is_cancelled, &mut steps)? else {
            return Ok(None);
        };
        match ineligible(&manifest, restored.record.as_ref().map(|(_, record)| record)) {
            None => return Ok(Some(Restored { snapshot: Some(manifest), ..restored })),
            Some(_) if sabotage::has(Bug::TakesAnySnapshot) => {
                return Ok(Some(Restored { snapshot: Some(manifest), ..restored }));
            }
            Some(why) => tracing::warn!("snapshot {} cannot be used: {why}", manifest.name()),
        }
    }
    if has_any {
        tracing::warn!("no snapshot of shard {partition} can be used: its facts are folded from the input alone");
    }
    read(tools, standing, (partition, 0), Shard::new(tools.plan.clone()), is_cancelled, &mut steps)
}

/// The snapshots that may be worth loading, the newest first. `None` when it was cancelled.
fn candidates<C: Cluster>(
    tools: &Tools,
    standing: &mut Standing<C>,
    partition: i32,
    is_cancelled: IsCancelled<'_>,
) -> Result<Option<Vec<Manifest>>, Error> {
    let Some(keeping) = &tools.keeping else { return Ok(Some(Vec::new())) };
    let Catalog { whole, unusable, .. } = match snapshot::look(&keeping.snapshots.store, partition) {
        Ok(catalog) => catalog,
        Err(error) => {
            tracing::warn!("snapshots of shard {partition} cannot be looked at: {error}");
            return Ok(Some(Vec::new()));
        }
    };
    unusable.iter().for_each(|one| tracing::warn!("{one}"));
    let layout = format!("{:016x}", layout(&tools.plan));
    let is_readable = |manifest: &Manifest| {
        let why = if manifest.rules != *tools.plan.version {
            "it was made by other rules"
        } else if manifest.layout != layout {
            "it was made by a version that keeps facts in another way"
        } else {
            return true;
        };
        tracing::warn!("snapshot {} cannot be used: {why}", manifest.name());
        false
    };
    let mut candidates: Vec<Manifest> = whole.into_iter().filter(is_readable).collect();
    let is_mixed = candidates.iter().any(|one| one.lineage != candidates[0].lineage);
    if is_mixed && !sabotage::has(Bug::TakesAnySnapshot) {
        // Of which history we are, the topic says.
        let Some(latest) = standing.latest_record(partition, 0, is_cancelled)? else { return Ok(None) };
        let lineage = latest.map(|(_, record)| record.lineage);
        candidates.retain(|one| {
            let is_ours = lineage.as_ref().is_some_and(|lineage| one.lineage == lineage.as_str());
            if !is_ours {
                tracing::info!("snapshot {} is of another history", one.name());
            }
            is_ours
        });
    }
    Ok(Some(candidates))
}

/// Whether no tombstone that came after the snapshot can be gone.
fn is_fresh(tools: &Tools, manifest: &Manifest) -> bool {
    let age = tools.clock.now() - Instant(manifest.taken_at);
    age.0.abs() < tools.tombstone_ms.unwrap_or(TOMBSTONE_MS) / 2
}

/// Why a snapshot is not of the past of what the record says.
fn ineligible(manifest: &Manifest, record: Option<&ShardRecord>) -> Option<String> {
    let Some(record) = record else { return Some("the shard has no record".to_owned()) };
    if manifest.lineage != record.lineage.as_str() {
        return Some("it is of another history".to_owned());
    }
    let is_past =
        manifest.epoch < record.epoch || manifest.epoch == record.epoch && manifest.token == record.token.as_str();
    if !is_past {
        return Some(format!("its epoch was not committed; epoch {} was the last", record.epoch));
    }
    let is_ahead = |(topic, next): (&String, &i64)| record.next.get(topic).is_some_and(|committed| next > committed);
    manifest.next.iter().any(is_ahead).then(|| "it has folded more than was committed".to_owned())
}

/// Reads the standing partition into a shard.
fn read<C: Cluster>(
    tools: &Tools,
    standing: &mut Standing<C>,
    (partition, from): (i32, i64),
    shard: Shard,
    is_cancelled: IsCancelled<'_>,
    steps: &mut Steps,
) -> Result<Option<Restored>, Error> {
    let messages = Messages::new(tools.plan.clone(), tools.settings.output.format, "");
    let topic = standing.topic().to_owned();
    let is_tail = from > 0;
    let mut reader = Reader { topic, partition, messages, shard, record: None, n_standings: 0, is_tail, tools };
    let mut each = |entry: Entry<'_>| {
        if entry.offset % 1_024 == 0 {
            steps.standing(tools, (entry.offset - from).max(0) as u64, (entry.mark - from).max(0) as u64);
        }
        reader.entry(&entry)
    };
    let Some(mark) = standing.read(partition, from, is_cancelled, &mut each)? else { return Ok(None) };
    let Reader { shard, record, n_standings, .. } = reader;
    Ok(Some(Restored { shard, record, n_standings, mark, snapshot: None }))
}

/// A shard as its standing partition fills it.
struct Reader<'a> {
    topic: String,
    partition: i32,
    messages: Messages,
    shard: Shard,
    record: Option<(i64, ShardRecord)>,
    n_standings: u64,
    /// A snapshot has the standings before.
    is_tail: bool,
    tools: &'a Tools,
}

impl Reader<'_> {
    fn entry(&mut self, entry: &Entry<'_>) -> Result<(), Error> {
        if entry.key == KEY {
            let record = decode(&self.topic, self.partition, entry)?;
            // What other rules have written cannot be read by these.
            check_rules(self.tools, self.partition, &record)?;
            self.record = Some((entry.offset, record));
            return Ok(());
        }
        let Some(value) = entry.value else {
            self.erase(entry.key);
            return Ok(());
        };
        let problem = |problem: String| Error::Standing {
            topic: self.topic.clone(),
            partition: self.partition,
            offset: entry.offset,
            problem,
        };
        let decoded = self.messages.read_standing(value).map_err(|error| problem(error.to_string()))?;
        if decoded.customer.as_bytes() != entry.key {
            return Err(problem("its key is not its customer".to_owned()));
        }
        let is_skipped = sabotage::has(Bug::SkipsTheTail) && self.is_tail;
        if !is_skipped && !sabotage::has(Bug::ForgetsStanding) {
            self.shard.restore(&decoded.customer, &decoded.standing);
        }
        self.n_standings += 1;
        Ok(())
    }

    /// A tombstone: whatever stood before it was erased.
    fn erase(&mut self, key: &[u8]) {
        if let Ok(customer) = std::str::from_utf8(key)
            && self.shard.standing(customer).is_some()
        {
            let places = vec![Place::default(); self.tools.plan.dimensions.len()];
            self.shard.restore(customer, &engine::Standing { sequence: 0, places });
        }
    }
}

/// A shard is not taken over by other rules in passing.
pub fn check_rules(tools: &Tools, shard: i32, record: &ShardRecord) -> Result<(), Error> {
    if record.rules == *tools.plan.version || sabotage::has(Bug::TakesOverOtherRules) {
        return Ok(());
    }
    Err(Error::RulesChanged { shard, recorded: record.rules.clone(), loaded: tools.plan.version.to_string() })
}

/// Tells how a snapshot is loaded, and stops when the shard goes elsewhere.
struct Loading<'a> {
    tools: &'a Tools,
    steps: &'a mut Steps,
    n_all: u64,
    is_cancelled: IsCancelled<'a>,
}

impl Watch for Loading<'_> {
    fn is_cancelled(&self) -> bool {
        (self.is_cancelled)()
    }

    fn loaded(&mut self, n_customers: u64) {
        self.steps.snapshot(self.tools, n_customers, self.n_all);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::pipeline::record::Token;

    fn record() -> ShardRecord {
        let offsets = BTreeMap::from([("orders".to_owned(), 40)]);
        ShardRecord {
            lineage: Token::random().expect("there is chance"),
            epoch: 7,
            token: Token::random().expect("there is chance"),
            predecessor: None,
            next: offsets.clone(),
            begin: offsets,
            topic_ids: BTreeMap::new(),
            clock: None,
            has_dues: false,
            rules: "r".to_owned(),
            transactional_id: "i".to_owned(),
        }
    }

    fn manifest(record: &ShardRecord) -> Manifest {
        Manifest {
            format: snapshot::FORMAT,
            shard: 0,
            lineage: record.lineage.as_str().to_owned(),
            epoch: record.epoch,
            token: record.token.as_str().to_owned(),
            rules: record.rules.clone(),
            layout: String::new(),
            next: record.next.clone(),
            standing_at: 0,
            clock: None,
            taken_at: 0,
            n_customers: 0,
            n_names: 0,
            n_fingerprints: 0,
            sizes: Vec::new(),
            parts: Vec::new(),
        }
    }

    #[test]
    fn a_snapshot_is_used_only_when_it_lies_in_the_past_of_the_record() {
        let record = record();
        let same = manifest(&record);
        let refused = |manifest: Manifest| ineligible(&manifest, Some(&record)).unwrap_or_default();
        assert_eq!(refused(same.clone()), "");
        assert_eq!(refused(Manifest { epoch: 6, token: "whichever".to_owned(), ..same.clone() }), "");
        let other = Manifest { token: "another".to_owned(), ..same.clone() };
        assert_eq!(refused(other), "its epoch was not committed; epoch 7 was the last");
        let later = Manifest { epoch: 8, ..same.clone() };
        assert_eq!(refused(later), "its epoch was not committed; epoch 7 was the last");
        assert_eq!(refused(Manifest { lineage: "l".to_owned(), ..same.clone() }), "it is of another history");
        let ahead = Manifest { epoch: 6, next: BTreeMap::from([("orders".to_owned(), 41)]), ..same.clone() };
        assert_eq!(refused(ahead), "it has folded more than was committed");
        assert_eq!(ineligible(&same, None).as_deref(), Some("the shard has no record"));
    }
}
