//! The thread that keeps snapshots: it writes what shards hand out, publishes a snapshot when its epoch is known to be
//! committed, and deletes those that are older than the two newest.
//!
//! Nobody waits for it. What fails costs that snapshot, is said, and is tried again when the next one is due.

use std::collections::BTreeMap;
use std::time::Instant as Moment;

use super::epoch::Held;
use super::error::Error;
use super::keeping::{Keeping, Told};
use super::sabotage::{self, Bug};
use super::tools::Tools;
use crate::snapshot::{self, Head, Manifest, Name, Writing};
use crate::telemetry::metrics;

/// A snapshot in the making.
struct Job {
    name: Name,
    writing: Writing,
    /// What that holds, in the shared budget.
    held: Held,
    begun: Moment,
    is_whole: bool,
    is_committed: bool,
}

/// Works until it is told to end.
pub fn keep(tools: &Tools) -> Result<(), Error> {
    let Some(keeping) = &tools.keeping else { return Ok(()) };
    let mut keeper = Keeper { tools, keeping, jobs: BTreeMap::new() };
    while let Some(told) = tools.pace.next(keeping.receiver()) {
        if matches!(told, Told::End) {
            break;
        }
        keeper.hear(told);
    }
    for (_, job) in std::mem::take(&mut keeper.jobs) {
        keeper.discard(job);
    }
    Ok(())
}

struct Keeper<'t> {
    tools: &'t Tools,
    keeping: &'t Keeping,
    jobs: BTreeMap<i32, Job>,
}

impl Keeper<'_> {
    fn hear(&mut self, told: Told) {
        match told {
            Told::Cut(head) => self.begin(*head),
            Told::Packet(shard, packet, _in_flight) => self.work(shard, |job| job.writing.add(&packet)),
            Told::Whole(shard) => {
                self.work(shard, |job| {
                    job.is_whole = true;
                    job.writing.finish()
                });
                self.publish_if_ready(shard);
            }
            Told::Committed(shard, token) => {
                if let Some(job) = self.jobs.get_mut(&shard).filter(|job| job.name.token == token.as_str()) {
                    job.is_committed = true;
                }
                self.publish_if_ready(shard);
            }
            Told::GivenUp(shard) => {
                if let Some(job) = self.jobs.remove(&shard) {
                    tracing::info!("snapshot {} was given up", job.name);
                    self.fail(shard, job);
                }
            }
            Told::End => {}
        }
    }

    fn begin(&mut self, head: Head) {
        let writing = Writing::begin(&self.keeping.snapshots.store, head);
        let name = writing.manifest().name();
        let shard = name.shard;
        let begun = self.tools.pace.now();
        let held = Held::new(&self.tools.budget);
        let is_committed = sabotage::has(Bug::PublishesTooSoon);
        let job = Job { name, writing, held, begun, is_whole: false, is_committed };
        if let Some(before) = self.jobs.insert(shard, job) {
            self.discard(before);
        }
    }

    /// Does something for a shard's snapshot; when it fails, there will be none.
    fn work(&mut self, shard: i32, work: impl FnOnce(&mut Job) -> Result<(), snapshot::Error>) {
        let Some(job) = self.jobs.get_mut(&shard) else { return };
        let outcome = work(job);
        job.held.set(job.writing.held_bytes());
        if let Err(error) = outcome
            && let Some(job) = self.jobs.remove(&shard)
        {
            tracing::warn!("snapshot {} could not be written: {error}", job.name);
            self.fail(shard, job);
        }
    }

    fn publish_if_ready(&mut self, shard: i32) {
        let Some(job) = self.jobs.remove(&shard) else { return };
        if !job.is_whole || !job.is_committed {
            self.jobs.insert(shard, job);
            return;
        }
        let Job { name, writing, begun, .. } = job;
        match writing.publish() {
            Ok(manifest) => {
                metrics::SNAPSHOTS.increment(["published"], 1);
                tracing::info!(
                    "snapshot {name} is there: {} customers in {} bytes, after {} ms",
                    manifest.n_customers,
                    manifest.n_bytes(),
                    self.tools.pace.since(begun).as_millis()
                );
                self.keeping.set_newest(shard, Some(&manifest));
                self.keeping.no_longer_awaited(shard, &name.token);
                if let Err(error) = self.prune(&manifest) {
                    tracing::warn!("older snapshots of shard {shard} could not be deleted: {error}");
                }
            }
            Err(error) => {
                metrics::SNAPSHOTS.increment(["failed"], 1);
                tracing::warn!("snapshot {name} could not be published: {error}");
                self.keeping.no_longer_awaited(shard, &name.token);
            }
        }
    }

    fn prune(&self, newest: &Manifest) -> Result<usize, snapshot::Error> {
        let store = &self.keeping.snapshots.store;
        if sabotage::has(Bug::DeletesLaterOnes) {
            let whole = snapshot::look(store, newest.shard)?.whole;
            let others = whole.iter().filter(|other| other.token != newest.token);
            return others.map(|other| store.delete(&other.name().manifest()).map(|()| 1_usize)).sum();
        }
        snapshot::prune(store, newest)
    }

    fn fail(&self, shard: i32, job: Job) {
        metrics::SNAPSHOTS.increment(["failed"], 1);
        self.keeping.no_longer_awaited(shard, &job.name.token);
        self.discard(job);
    }

    fn discard(&self, job: Job) {
        let name = job.name;
        if let Err(error) = job.writing.discard() {
            tracing::debug!("what was written of snapshot {name} is left for who publishes a later one: {error}");
        }
    }
}
