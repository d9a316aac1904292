//! Commits epochs: one transaction at a time, while the shards already draft the next.
//!
//! This is who decides what is done next; `ownership` knows whose the shards are, `backlog` keeps what was sealed,
//! `producer` sends it, `settle` compares what is in doubt with the shard's record.
//!
//! What always holds: a transactional call runs only inside the gate; an epoch is sent as it was sealed until its fate is
//! known; after any failure the producer is replaced first, and the shard records are read only then.

use std::sync::Arc;
use std::time::{Duration, Instant as Moment};

use crossbeam_channel::Receiver;

use super::account;
use super::backlog::{Backlog, Epoch};
use super::constancy::Constancy;
use super::error::Error;
use super::gate::Gate;
use super::ownership::Ownership;
use super::producer::Producer;
use super::recovery::Recovered;
use super::sabotage::{self, Bug};
use super::settle::{Fate, fate};
use super::standing::Standing;
use super::tools::{Tools, Want};
use crate::kafka::{Assignment, Cluster, Fence, Isolation, Membership, Outcome, Reason, Stamp};
use crate::telemetry::metrics;

/// Between the starts of two epochs at least, so that what comes close together leaves together.
const EPOCH_INTERVAL: Duration = Duration::from_millis(5);
/// Between two looks whether the group has moved on.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// How long it sleeps when nobody tells it anything.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long before the end of a clean end snapshots are given up, and how long to wait between two looks at them.
const SNAPSHOT_MARGIN: Duration = Duration::from_secs(1);
const SNAPSHOT_WAIT: Duration = Duration::from_millis(5);

/// What the committer is told by the instance.
pub enum Notice {
    /// With how often the gate had been closed by then.
    Assigned(Assignment, u64),
    /// Finish what there is, until then.
    Stop(Moment),
}

/// The committer's ears.
pub struct Inbox {
    pub notices: Receiver<Notice>,
    pub wants: Receiver<Want>,
    pub recovered: Receiver<Recovered>,
}

/// Works until it is stopped.
pub struct Committer<C: Cluster> {
    tools: Arc<Tools>,
    gate: Arc<Gate>,
    member: Arc<C::Member>,
    inbox: Inbox,
    standing: Standing<C>,
    ownership: Ownership,
    backlog: Backlog,
    producer: Producer<C>,
    constancy: Constancy<C::Watermarks>,
    /// Of the present assignment, while there is one.
    stamp: Option<Stamp>,
    /// The group has moved on, and the next assignment is on its way.
    is_between: bool,
    doubt: Doubt,
    want: Option<Want>,
    sealed: Moment,
    /// When a clean end must be over, and whether the last epoch was sealed.
    stopping: Option<(Moment, bool)>,
}

/// What has to be settled before anything else is sent.
#[derive(Debug, Default)]
struct Doubt {
    /// The fate of the oldest epoch is not known.
    is_of_epoch: bool,
    /// Shards outlived an assignment, and nobody has looked yet whether their memory is true.
    is_of_memory: bool,
    /// The oldest epoch took too long and is to be cut, once it is known not to be committed.
    is_too_large: bool,
}

impl<C: Cluster> Committer<C> {
    /// To be used by the calling thread.
    pub fn new(
        cluster: Arc<C>,
        tools: Arc<Tools>,
        gate: Arc<Gate>,
        member: Arc<C::Member>,
        inbox: Inbox,
        ownership: Ownership,
    ) -> Result<Committer<C>, Error> {
        Ok(Committer {
            standing: Standing::open(Arc::clone(&cluster), &tools)?,
            backlog: Backlog::default(),
            constancy: Constancy::new(Arc::clone(&tools), cluster.open_watermarks(Isolation::Uncommitted)?),
            producer: Producer::new(cluster, Arc::clone(&tools)),
            stamp: None,
            is_between: true,
            doubt: Doubt::default(),
            want: None,
            sealed: tools.pace.now(),
            stopping: None,
            tools,
            gate,
            member,
            inbox,
            ownership,
        })
    }

    pub fn run(mut self) -> Result<(), Error> {
        loop {
            self.listen()?;
            if self.is_finished()? {
                return Ok(());
            }
            // Outside of the gate: nobody's revoke waits for an answer.
            if !self.is_between && self.has_work() {
                self.constancy.ascertain()?;
            }
            self.turn()?;
        }
    }

    /// Waits for something to do, and takes in everything that was said.
    fn listen(&mut self) -> Result<(), Error> {
        let now = self.tools.pace.now();
        let ready = if self.is_between {
            now + LOOK_AGAIN
        } else if self.has_work() {
            (self.sealed + EPOCH_INTERVAL).max(self.producer.next_try()).max(self.constancy.next_try())
        } else {
            now + PATIENCE
        };
        // Until it may commit, another want changes nothing; without one, it is what it waits for.
        let wait = ready.saturating_duration_since(now).min(PATIENCE);
        let Inbox { notices, wants, recovered } = &self.inbox;
        self.tools.pace.wait_for_any(&[notices, wants, recovered], wait);
        while let Ok(notice) = self.inbox.notices.try_recv() {
            self.notice(notice)?;
        }
        while let Ok(shard) = self.inbox.recovered.try_recv() {
            self.ownership.start(shard);
        }
        while let Ok(want) = self.inbox.wants.try_recv() {
            self.want = self.want.max(Some(want));
        }
        Ok(())
    }

    /// Whether anything is to be committed.
    fn has_work(&self) -> bool {
        self.want.is_some() || !self.backlog.is_empty() || self.stopping.is_some()
    }

    fn notice(&mut self, notice: Notice) -> Result<(), Error> {
        match notice {
            Notice::Assigned(assignment, n_closed) => self.assigned(assignment, n_closed),
            Notice::Stop(deadline) => {
                self.stopping = Some((deadline, false));
                Ok(())
            }
        }
    }

    /// Whether a clean end was asked for and has come.
    fn is_finished(&mut self) -> Result<bool, Error> {
        let Some((deadline, is_sealed)) = self.stopping else { return Ok(false) };
        if self.stamp.is_none() || self.gate.is_closed() {
            return Ok(true);
        }
        if is_sealed && self.backlog.is_empty() {
            return Ok(self.are_snapshots_kept(deadline));
        }
        if self.tools.pace.now() >= deadline {
            return Err(Error::ShutdownTimeout(self.tools.settings.shutdown_timeout));
        }
        Ok(false)
    }

    /// Whether the last snapshots are there, or too late: they make the next start quicker, and nothing depends on them.
    fn are_snapshots_kept(&self, deadline: Moment) -> bool {
        let pace = &self.tools.pace;
        if !self.tools.keeping.as_ref().is_some_and(|keeping| keeping.is_busy()) {
            return true;
        }
        if pace.now() + SNAPSHOT_MARGIN < deadline {
            pace.park(SNAPSHOT_WAIT);
            return false;
        }
        tracing::warn!("the last snapshots are not there in time: the next start folds a little more");
        true
    }

    /// Takes up what is ours from now on. Memory that stays is looked at before anything is sent.
    fn assigned(&mut self, assignment: Assignment, n_closed: u64) -> Result<(), Error> {
        let Assignment { stamp, partitions } = assignment;
        tracing::info!("assigned {} shards as {stamp}", partitions.len());
        self.ownership.take_up(&partitions)?;
        if !sabotage::has(Bug::KeepsForeignParts) {
            self.backlog.retain(|shard| partitions.contains_key(&shard));
        }
        self.producer.assigned();
        self.doubt.is_of_memory = !sabotage::has(Bug::TrustsMemory);
        self.stamp = stamp.is_valid().then_some(stamp);
        let Some(stamp) = self.stamp.clone() else { return Ok(()) };
        if sabotage::has(Bug::TrustsMemory) {
            self.trust(&stamp);
        }
        self.gate.open(n_closed);
        Ok(())
    }

    /// As settling does for memory that is found true.
    fn trust(&mut self, stamp: &Stamp) {
        self.ownership.working().into_iter().for_each(|shard| self.keep(shard, 0, stamp));
        self.ownership.request_missing(stamp);
    }

    /// One step of committing, if any may be taken.
    fn turn(&mut self) -> Result<(), Error> {
        let gate = Arc::clone(&self.gate);
        let (pass, stamp) = (gate.enter(), self.stamp.clone().filter(|stamp| self.is_present(stamp)));
        self.is_between = pass.is_none() || stamp.is_none();
        let (Some(_pass), Some(stamp)) = (pass, stamp) else { return Ok(()) };
        if self.tools.pace.now() < self.producer.next_try() {
            return Ok(());
        }
        if sabotage::has(Bug::ReadsBeforeNewProducer) && self.doubt.is_of_epoch && !self.settle(&stamp)? {
            return Ok(());
        }
        if !self.producer.make_ready()? {
            return Ok(());
        }
        if (self.doubt.is_of_memory || self.doubt.is_of_epoch) && !self.settle(&stamp)? {
            return Ok(());
        }
        if self.backlog.is_empty() && !matches!(self.stopping, Some((_, true))) {
            self.seal();
        }
        match self.backlog.pop() {
            Some(epoch) if self.constancy.is_certain() => self.publish(epoch, &stamp),
            Some(epoch) => {
                self.backlog.put_back(epoch);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Whether the group has not moved on from this membership.
    fn is_present(&self, stamp: &Stamp) -> bool {
        self.member.stamp() == *stamp || sabotage::has(Bug::StampsAnew)
    }

    /// Reads the records of shards whose memory or parts are in doubt, and decides. False: come again later.
    fn settle(&mut self, stamp: &Stamp) -> Result<bool, Error> {
        let mut asked = self.ownership.working();
        asked.retain(|&shard| self.doubt.is_of_memory || self.backlog.parts_of(shard).next().is_some());
        for shard in asked {
            let gate = Arc::clone(&self.gate);
            let from = self.ownership.record_at(shard);
            let Some(latest) = self.standing.latest_record(shard, from, &|| gate.is_closed())? else {
                return Ok(false);
            };
            let token = latest.as_ref().map(|(_, record)| &record.token);
            match fate(token, self.backlog.parts_of(shard), self.ownership.token(shard)) {
                Fate::Kept { n_committed } => {
                    latest.iter().for_each(|(at, _)| self.ownership.set_record_at(shard, *at));
                    self.keep(shard, n_committed, stamp);
                }
                Fate::Forgotten => self.forget(shard),
            }
        }
        if std::mem::take(&mut self.doubt.is_of_memory) {
            self.ownership.request_missing(stamp);
        }
        self.doubt.is_of_epoch = false;
        if std::mem::take(&mut self.doubt.is_too_large) {
            self.backlog.cut_oldest()?;
        }
        Ok(true)
    }

    /// The shard's memory is true; its first parts were committed, the others are sent again under this membership.
    fn keep(&mut self, shard: i32, n_committed: usize, stamp: &Stamp) {
        let committed = self.backlog.settle(shard, n_committed, stamp);
        committed.iter().for_each(|part| account::committed(&self.tools, part));
        self.ownership.restamp(shard, stamp);
    }

    /// Somebody else went on from this shard: what we know of it counts for nothing.
    fn forget(&mut self, shard: i32) {
        tracing::warn!("shard {shard} was worked on elsewhere meanwhile: it is brought back afresh");
        self.backlog.retain(|other| other != shard);
        self.ownership.forget(shard);
        // Where memory is in doubt, all that do not work are asked for in the end.
        if let Some(stamp) = self.stamp.as_ref().filter(|_| !self.doubt.is_of_memory) {
            self.ownership.request(shard, stamp);
        }
    }

    /// Asks every worker for what there is, when it is time.
    fn seal(&mut self) {
        let is_last = self.stopping.is_some();
        if !is_last && (self.want.is_none() || self.tools.pace.since(self.sealed) < EPOCH_INTERVAL) {
            return;
        }
        self.want = None;
        self.sealed = self.tools.pace.now();
        self.tools.rearm_nudge();
        for part in self.ownership.seal(is_last) {
            self.backlog.push(part, self.tools.epoch_bytes());
        }
        if let Some((_, is_sealed)) = &mut self.stopping {
            *is_sealed = true;
        }
    }

    fn publish(&mut self, mut epoch: Epoch, stamp: &Stamp) -> Result<(), Error> {
        let mut stamp = stamp.clone();
        if sabotage::has(Bug::StampsAnew) {
            stamp = self.member.stamp();
            epoch.iter_mut().for_each(|part| part.stamp = stamp.clone());
        }
        let stamp = &stamp;
        assert!(epoch.iter().all(|part| part.stamp == *stamp), "a part is sent only under the stamp that it bears");
        let started = self.tools.pace.now();
        let shard_records: Vec<Vec<u8>> = epoch.iter().map(|part| self.ownership.shard_record(part)).collect();
        let fence = Fence { member: &*self.member, stamp };
        let (outcome, placed) = self.producer.send(&epoch, &shard_records, &fence);
        let took = self.tools.pace.since(started);
        match outcome {
            Outcome::Committed => {
                metrics::EPOCHS.increment(["committed"], 1);
                metrics::EPOCH_COMMIT.record([], took.as_secs_f64());
                placed.into_iter().for_each(|(shard, offset)| self.ownership.set_record_at(shard, offset));
                self.tools.adapt_epochs(took);
                epoch.iter().for_each(|part| account::committed(&self.tools, part));
                Ok(())
            }
            Outcome::Unknown(_) if sabotage::has(Bug::TakesUnknownForCommitted) => {
                self.producer.give_up();
                Ok(())
            }
            Outcome::NotCommitted(reason) => self.failed("aborted", &reason, epoch),
            Outcome::Unknown(reason) => self.failed("unknown", &reason, epoch),
        }
    }

    /// The epoch stays the oldest. Its producer is at its end, and its fate is read after the next one has started.
    fn failed(&mut self, outcome: &'static str, reason: &Reason, epoch: Epoch) -> Result<(), Error> {
        metrics::EPOCHS.increment([outcome], 1);
        tracing::warn!("an epoch of {} shards was not committed ({outcome}): {reason}", epoch.len());
        self.backlog.put_back(epoch);
        let is_sure = sabotage::has(Bug::KeepsProducer) && outcome == "aborted";
        self.doubt.is_of_epoch = !(is_sure || sabotage::has(Bug::TakesUnknownForFailed));
        if let Reason::TimedOut(_) = reason {
            self.doubt.is_too_large = true;
            self.tools.shrink_epochs();
        }
        self.producer.failed(reason)
    }
}
