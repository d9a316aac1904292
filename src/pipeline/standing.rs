//! Reads partitions of the standing topic as recovery may believe them: everything below a mark, once all of it is
//! decided.
//!
//! Reading "to the end" as a read-committed subscriber sees it would stop short of a commit whose marker is on its way.
//! So the mark is the high watermark; a transaction that is open below it is waited for, and one whose owner is dead is
//! aborted by taking over the id that its shard record names.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::error::Error;
use super::pace::Pace;
use super::record::{KEY, ShardRecord};
use super::sabotage::{self, Bug};
use super::tools::Tools;
use crate::kafka::{Cluster, Ends, Isolation, Reading};

/// A marker may take so long before anybody is taken for dead.
const PATIENCE: Duration = Duration::from_millis(500);
/// Between two looks at what is not decided.
const LOOK_INTERVAL: Duration = Duration::from_secs(3);
const POLL_INTERVAL: Duration = Duration::from_millis(5);
const ASK_AGAIN: Duration = Duration::from_millis(200);
/// Longer than brokers take to start, and than a leader to be chosen.
const RANGE_TIMEOUT: Duration = Duration::from_secs(60);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// A reader of the standing topic.
pub struct Standing<C: Cluster> {
    cluster: Arc<C>,
    pace: Pace,
    /// Under which we publish ourselves.
    transactional_id: String,
    topic: String,
    n_partitions: usize,
    committed: C::Intake,
    high: C::Watermarks,
    stable: C::Watermarks,
    n_readings: u64,
}

/// Ends a wait when it is no longer of use.
pub type IsCancelled<'a> = &'a dyn Fn() -> bool;

/// One record of the topic.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    pub offset: i64,
    pub key: &'a [u8],
    /// None: a tombstone.
    pub value: Option<&'a [u8]>,
    /// Up to where it is read.
    pub mark: i64,
}

impl<C: Cluster> Standing<C> {
    /// To be used by the calling thread.
    pub fn open(cluster: Arc<C>, tools: &Tools) -> Result<Standing<C>, Error> {
        let (topic, n_partitions) = (tools.settings.output.standing.clone(), tools.n_partitions);
        let committed = cluster.open_intake(Isolation::Committed, std::slice::from_ref(&topic), n_partitions)?;
        Ok(Standing {
            high: cluster.open_watermarks(Isolation::Uncommitted)?,
            stable: cluster.open_watermarks(Isolation::Committed)?,
            cluster,
            pace: tools.pace.clone(),
            transactional_id: tools.author.transactional_id.clone(),
            topic,
            n_partitions,
            committed,
            n_readings: 0,
        })
    }

    /// Reads what is committed from an offset to the mark, which is taken now. None when it was cancelled.
    pub fn read(
        &mut self,
        partition: i32,
        from: i64,
        is_cancelled: IsCancelled<'_>,
        each: &mut dyn FnMut(Entry<'_>) -> Result<(), Error>,
    ) -> Result<Option<i64>, Error> {
        let asked = if sabotage::has(Bug::ReadsToStableOnly) { &self.stable } else { &self.high };
        let Some(mark) = self.ask(asked, partition, is_cancelled) else { return Ok(None) };
        if !self.wait_until_decided(partition, mark, is_cancelled)? {
            return Ok(None);
        }
        if mark <= from {
            return Ok(Some(mark));
        }
        let (low, _) = self.range(&self.topic, partition)?;
        self.n_readings += 1;
        self.committed.start(self.n_readings, partition, &[from.max(low)])?;
        let outcome = read_until(&self.pace, &mut self.committed, mark, is_cancelled, each);
        self.committed.stop(partition)?;
        Ok(outcome?.then_some(mark))
    }

    /// The shard's latest record at or after an offset, if there is one, with its offset. None when it was cancelled.
    pub fn latest_record(
        &mut self,
        partition: i32,
        from: i64,
        is_cancelled: IsCancelled<'_>,
    ) -> Result<Option<Option<(i64, ShardRecord)>>, Error> {
        let mut found = None;
        let topic = self.topic.clone();
        let mark = self.read(partition, from, is_cancelled, &mut |entry| {
            if entry.key == KEY {
                found = Some((entry.offset, decode(&topic, partition, &entry)?));
            }
            Ok(())
        })?;
        Ok(mark.map(|_| found))
    }

    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The first offset that an input's partition still has, and its end.
    pub fn range(&self, topic: &str, partition: i32) -> Result<(i64, i64), Error> {
        let started = self.pace.now();
        loop {
            match self.high.range(topic, partition) {
                Err(error) if error.is_silence() && self.pace.since(started) < RANGE_TIMEOUT => {
                    tracing::warn!("{error}; asking again");
                    self.pace.park(ASK_AGAIN);
                }
                outcome => return Ok(outcome?),
            }
        }
    }

    fn ask(&self, watermarks: &impl Ends, partition: i32, is_cancelled: IsCancelled<'_>) -> Option<i64> {
        while !is_cancelled() {
            match watermarks.ends(&[(&self.topic, partition)], REQUEST_TIMEOUT) {
                Ok(ends) => return ends.first().copied(),
                Err(error) => {
                    tracing::warn!("{}/{partition} does not tell where it ends: {error}", self.topic);
                    self.pace.park(ASK_AGAIN);
                }
            }
        }
        None
    }

    fn wait_until_decided(&self, partition: i32, mark: i64, is_cancelled: IsCancelled<'_>) -> Result<bool, Error> {
        let started = self.pace.now();
        let mut next_look = PATIENCE;
        let mut taken_over = BTreeSet::new();
        loop {
            let Some(stable) = self.ask(&self.stable, partition, is_cancelled) else { return Ok(false) };
            if stable >= mark || sabotage::has(Bug::ReadsToStableOnly) {
                return Ok(true);
            }
            if self.pace.since(started) >= next_look && !sabotage::has(Bug::WaitsForDeadOwners) {
                next_look += LOOK_INTERVAL;
                tracing::info!("{}/{partition}: a transaction is open since offset {stable}", self.topic);
                for id in self.undecided(partition, stable, mark, is_cancelled)? {
                    // Ours was aborted when our own producer started.
                    if id != self.transactional_id && taken_over.insert(id.clone()) {
                        tracing::warn!("{}/{partition}: aborting the open transaction of `{id}`", self.topic);
                        // Taking the id over aborts it; nothing is published under it.
                        if let Err(error) = self.cluster.open_publisher(&id, REQUEST_TIMEOUT) {
                            tracing::warn!("{error}; trying again");
                            taken_over.remove(&id);
                        }
                    }
                }
            }
            self.pace.park(POLL_INTERVAL);
        }
    }

    /// Under which ids shard records that are not decided were published.
    fn undecided(
        &self,
        partition: i32,
        stable: i64,
        mark: i64,
        is_cancelled: IsCancelled<'_>,
    ) -> Result<BTreeSet<String>, Error> {
        let topics = std::slice::from_ref(&self.topic);
        let mut uncommitted = self.cluster.open_intake(Isolation::Uncommitted, topics, self.n_partitions)?;
        uncommitted.start(0, partition, &[stable])?;
        let mut ids = BTreeSet::new();
        read_until(&self.pace, &mut uncommitted, mark, is_cancelled, &mut |entry| {
            if entry.key == KEY {
                ids.insert(decode(&self.topic, partition, &entry)?.transactional_id);
            }
            Ok(())
        })?;
        uncommitted.stop(partition)?;
        Ok(ids)
    }
}

/// A shard record of the topic.
pub fn decode(topic: &str, partition: i32, entry: &Entry<'_>) -> Result<ShardRecord, Error> {
    ShardRecord::decode(entry.value.unwrap_or_default()).map_err(|error| Error::Standing {
        topic: topic.to_owned(),
        partition,
        offset: entry.offset,
        problem: format!("the shard's record cannot be read: {error}"),
    })
}

/// Hands over all records below the mark; false when it was cancelled.
fn read_until(
    pace: &Pace,
    intake: &mut impl Reading,
    mark: i64,
    is_cancelled: IsCancelled<'_>,
    each: &mut dyn FnMut(Entry<'_>) -> Result<(), Error>,
) -> Result<bool, Error> {
    let (mut position, mut outcome) = (i64::MIN, Ok(()));
    while position < mark {
        if is_cancelled() {
            return Ok(false);
        }
        let any = intake.read(usize::MAX, &mut |batch| {
            let records = (0..batch.n_records()).filter_map(|index| batch.record(index));
            for record in records.take_while(|record| record.offset < mark) {
                let entry =
                    Entry { offset: record.offset, key: record.key.unwrap_or_default(), value: record.value, mark };
                if outcome.is_ok() {
                    outcome = each(entry);
                }
            }
            position = batch.position;
        })?;
        std::mem::replace(&mut outcome, Ok(()))?;
        if !any {
            pace.park(POLL_INTERVAL);
        }
    }
    Ok(true)
}
