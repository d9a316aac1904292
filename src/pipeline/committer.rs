//! Commits epochs: one transaction at a time, while the shards already draft the next.
//!
//! What always holds: a transactional call runs only inside the gate; an epoch is sent as it was sealed until its fate is
//! known; after any failure the producer is replaced first, and the shard records are read only then.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant as Moment};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::account;
use super::epoch::{Part, Sink};
use super::error::Error;
use super::gate::Gate;
use super::reading::{ReadOrder, Workers};
use super::record::{KEY, Token};
use super::recovery::{Assignments, Recovered, Request};
use super::sabotage::{self, Bug};
use super::settle::{Fate, fate};
use super::standing::Standing;
use super::task::Opening;
use super::tools::{Tools, Want};
use super::worker::Order;
use crate::engine::Cause;
use crate::kafka::{self, Assignment, Cluster, Fence, Membership, Outcome, Outgoing, Publishing, Reason, Stamp};
use crate::telemetry::metrics;

/// Between the starts of two epochs at least, so that what comes close together leaves together.
const EPOCH_INTERVAL: Duration = Duration::from_millis(5);
/// Between two looks whether the group has moved on.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// How long it sleeps when nobody tells it anything.
const PATIENCE: Duration = Duration::from_millis(100);
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// How long before the end of a clean end snapshots are given up, and how long to wait between two looks at them.
const SNAPSHOT_MARGIN: Duration = Duration::from_secs(1);
const SNAPSHOT_WAIT: Duration = Duration::from_millis(5);
/// Fenced so often in one generation, somebody else uses our name.
const FENCED_MAX: u32 = 2;

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

/// The committer's hands.
pub struct Outbox {
    pub workers: Workers,
    pub reader: Sender<ReadOrder>,
    pub requests: Sender<Request>,
}

/// Works until it is stopped.
pub struct Committer<C: Cluster> {
    cluster: Arc<C>,
    tools: Arc<Tools>,
    gate: Arc<Gate>,
    member: Arc<C::Member>,
    inbox: Inbox,
    outbox: Outbox,
    assignments: Assignments,
    standing: Standing<C>,
    publisher: Option<C::Publisher>,
    /// Of the present assignment, while there is one.
    stamp: Option<Stamp>,
    shards: BTreeMap<i32, Owned>,
    /// Sealed and not known to be committed, oldest first.
    queue: VecDeque<Vec<Part>>,
    /// The group has moved on, and the next assignment is on its way.
    is_between: bool,
    /// The fate of the oldest epoch is not known.
    is_doubtful: bool,
    /// Shards outlived an assignment, and nobody has looked yet whether their memory is true.
    is_unverified: bool,
    /// The oldest epoch took too long and is to be cut.
    is_too_large: bool,
    n_fenced: u32,
    n_failed: u32,
    next_try: Moment,
    want: Option<Want>,
    sealed: Moment,
    n_readings: u64,
    /// When a clean end must be over, and whether the last epoch was sealed.
    stopping: Option<(Moment, bool)>,
}

/// A shard that is ours.
struct Owned {
    is_working: bool,
    /// The last token that its memory produced or read.
    token: Option<Token>,
    /// Where to look for its latest record.
    record_at: i64,
    begin: Vec<i64>,
}

impl<C: Cluster> Committer<C> {
    /// To be used by the calling thread.
    pub fn new(
        cluster: Arc<C>,
        tools: Arc<Tools>,
        gate: Arc<Gate>,
        member: Arc<C::Member>,
        inbox: Inbox,
        outbox: Outbox,
        assignments: Assignments,
    ) -> Result<Committer<C>, Error> {
        let standing = Standing::open(Arc::clone(&cluster), &tools)?;
        let now = tools.pace.now();
        Ok(Committer {
            cluster,
            tools,
            gate,
            member,
            inbox,
            outbox,
            assignments,
            standing,
            publisher: None,
            stamp: None,
            shards: BTreeMap::new(),
            queue: VecDeque::new(),
            is_between: true,
            is_doubtful: false,
            is_unverified: false,
            is_too_large: false,
            n_fenced: 0,
            n_failed: 0,
            next_try: now,
            want: None,
            sealed: now,
            n_readings: 0,
            stopping: None,
        })
    }

    pub fn run(mut self) -> Result<(), Error> {
        loop {
            self.listen()?;
            if self.is_finished()? {
                return Ok(());
            }
            self.turn()?;
        }
    }

    /// Waits for something to do, and takes in everything that was said.
    fn listen(&mut self) -> Result<(), Error> {
        let now = self.tools.pace.now();
        let ready = if self.is_between {
            now + LOOK_AGAIN
        } else if self.want.is_some() || !self.queue.is_empty() || self.stopping.is_some() {
            (self.sealed + EPOCH_INTERVAL).max(self.next_try)
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
            self.recovered(shard);
        }
        while let Ok(want) = self.inbox.wants.try_recv() {
            self.want = self.want.max(Some(want));
        }
        Ok(())
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
        if is_sealed && self.queue.is_empty() {
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
        let number = self.assignments.fetch_add(1, Ordering::AcqRel) + 1;
        let Assignment { stamp, partitions } = assignment;
        tracing::info!("assigned {} shards as {stamp}", partitions.len());
        self.check_complete(&partitions)?;
        let gone: Vec<i32> = self.shards.keys().filter(|shard| !partitions.contains_key(shard)).copied().collect();
        for shard in gone {
            self.close(shard);
            self.shards.remove(&shard);
        }
        self.drop_parts(|part| partitions.contains_key(&part.shard) || sabotage::has(Bug::KeepsForeignParts));
        self.tools.set_n_owned(partitions.len());
        self.tools.ends.set_owned(partitions.keys().copied().collect());
        self.n_fenced = 0;
        self.is_unverified = !sabotage::has(Bug::TrustsMemory);
        self.stamp = stamp.is_valid().then_some(stamp);
        for &partition in partitions.keys() {
            let unknown = || Owned { is_working: false, token: None, record_at: 0, begin: Vec::new() };
            self.shards.entry(partition).or_insert_with(unknown);
        }
        if let (true, Some(stamp)) = (sabotage::has(Bug::TrustsMemory), self.stamp.clone()) {
            self.trust(&stamp);
        }
        if self.stamp.is_some() {
            self.gate.open(n_closed);
        }
        tracing::debug!("assignment {number}");
        Ok(())
    }

    /// As settling does for memory that is found true.
    fn trust(&mut self, stamp: &Stamp) {
        let working: Vec<i32> =
            self.shards.iter().filter(|(_, owned)| owned.is_working).map(|(&shard, _)| shard).collect();
        working.into_iter().for_each(|shard| self.keep(shard, 0, None, stamp));
        self.request_all(stamp);
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

    /// Lets worker and reader forget a shard.
    fn close(&self, shard: i32) {
        self.outbox.workers.send(shard, Order::Close(shard));
        self.tell_reader(ReadOrder::Stop(shard));
    }

    fn tell_reader(&self, order: ReadOrder) {
        // A reader that has ended has said why.
        drop(self.outbox.reader.send(order));
        self.tools.wake_reader();
    }

    fn drop_parts(&mut self, is_kept: impl Fn(&Part) -> bool) {
        for epoch in &mut self.queue {
            epoch.retain(&is_kept);
        }
        self.queue.retain(|epoch| !epoch.is_empty());
    }

    /// A shard is back: it starts to work, unless it is not ours any more.
    fn recovered(&mut self, recovered: Recovered) {
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
        self.outbox.workers.send(partition, Order::Open(Box::new(opening)));
        self.tell_reader(ReadOrder::Start { reading, partition, starts });
    }

    /// One step of committing, if any may be taken.
    fn turn(&mut self) -> Result<(), Error> {
        let gate = Arc::clone(&self.gate);
        let (pass, stamp) = (gate.enter(), self.stamp.clone().filter(|stamp| self.is_present(stamp)));
        self.is_between = pass.is_none() || stamp.is_none();
        let (Some(_pass), Some(stamp)) = (pass, stamp) else { return Ok(()) };
        if self.tools.pace.now() < self.next_try {
            return Ok(());
        }
        if sabotage::has(Bug::ReadsBeforeNewProducer) && self.is_doubtful && !self.settle(&stamp)? {
            return Ok(());
        }
        if self.publisher.as_ref().is_none_or(|publisher| self.is_at_end(publisher)) && !self.renew()? {
            return Ok(());
        }
        if (self.is_unverified || self.is_doubtful) && !self.settle(&stamp)? {
            return Ok(());
        }
        if self.queue.is_empty() && !matches!(self.stopping, Some((_, true))) {
            self.seal()?;
        }
        match self.queue.pop_front() {
            Some(epoch) => self.publish(epoch, &stamp),
            None => Ok(()),
        }
    }

    fn is_at_end(&self, publisher: &C::Publisher) -> bool {
        publisher.is_spent() && !sabotage::has(Bug::KeepsProducer)
    }

    /// Whether the group has not moved on from this membership.
    fn is_present(&self, stamp: &Stamp) -> bool {
        self.member.stamp() == *stamp || sabotage::has(Bug::StampsAnew)
    }

    /// A new producer. The transaction that the old one may have open is aborted or, if it was committed, complete.
    fn renew(&mut self) -> Result<bool, Error> {
        // Two producers of one id fence each other.
        self.publisher = None;
        match self.cluster.open_publisher(&self.tools.author.transactional_id, OPEN_TIMEOUT) {
            Ok(publisher) => {
                self.publisher = Some(publisher);
                Ok(true)
            }
            Err(kafka::Error::Fenced { .. }) => {
                self.fenced()?;
                self.back_off();
                Ok(false)
            }
            Err(error @ kafka::Error::Transactions { .. }) => {
                tracing::warn!("{error}");
                self.back_off();
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn back_off(&mut self) {
        let backoff = BACKOFF_MIN * 2u32.pow(self.n_failed.min(10));
        self.n_failed += 1;
        self.next_try = self.tools.pace.now() + backoff.min(BACKOFF_MAX);
    }

    fn fenced(&mut self) -> Result<(), Error> {
        self.n_fenced += 1;
        if self.n_fenced < FENCED_MAX {
            return Ok(());
        }
        Err(kafka::Error::Fenced { id: self.tools.settings.kafka.transactional_id() }.into())
    }

    /// Reads the records of shards whose memory or parts are in doubt, and decides. False: come again later.
    fn settle(&mut self, stamp: &Stamp) -> Result<bool, Error> {
        let is_queued = |shard: &i32| self.queue.iter().flatten().any(|part| part.shard == *shard);
        let working = self.shards.iter().filter(|(_, owned)| owned.is_working).map(|(&shard, _)| shard);
        let asked: Vec<i32> = working.filter(|shard| self.is_unverified || is_queued(shard)).collect();
        for shard in asked {
            let gate = Arc::clone(&self.gate);
            let from = self.shards[&shard].record_at;
            let Some(latest) = self.standing.latest_record(shard, from, &|| gate.is_closed())? else {
                return Ok(false);
            };
            let token = latest.as_ref().map(|(_, record)| &record.token);
            let queued = self.queue.iter().flatten().filter(|part| part.shard == shard);
            match fate(token, queued, self.shards[&shard].token.as_ref()) {
                Fate::Kept { n_committed } => self.keep(shard, n_committed, latest.map(|(at, _)| at), stamp),
                Fate::Forgotten => self.forget(shard),
            }
        }
        self.queue.retain(|epoch| !epoch.is_empty());
        if std::mem::take(&mut self.is_unverified) {
            self.request_all(stamp);
        }
        self.is_doubtful = false;
        if std::mem::take(&mut self.is_too_large) {
            self.cut_oldest()?;
        }
        Ok(true)
    }

    /// The shard's memory is true; its first parts were committed, the others are sent again under this membership.
    fn keep(&mut self, shard: i32, mut n_committed: usize, record_at: Option<i64>, stamp: &Stamp) {
        if let (Some(owned), Some(at)) = (self.shards.get_mut(&shard), record_at) {
            owned.record_at = at;
            self.tools.keeping.iter().for_each(|keeping| keeping.set_record_at(shard, at));
        }
        for epoch in &mut self.queue {
            let is_committed = |part: &Part| part.shard == shard && n_committed > 0;
            if let Some(index) = epoch.iter().position(is_committed) {
                n_committed -= 1;
                account::committed(&self.tools, &epoch.remove(index));
            }
            epoch.iter_mut().filter(|part| part.shard == shard).for_each(|part| part.stamp = stamp.clone());
        }
        self.outbox.workers.send(shard, Order::Restamp(shard, stamp.clone()));
    }

    /// Somebody else went on from this shard: what we know of it counts for nothing.
    fn forget(&mut self, shard: i32) {
        tracing::warn!("shard {shard} was worked on elsewhere meanwhile: it is brought back afresh");
        self.drop_parts(|part| part.shard != shard);
        self.close(shard);
        if let Some(owned) = self.shards.get_mut(&shard) {
            owned.is_working = false;
            owned.record_at = 0;
        }
        if let Some(stamp) = self.stamp.clone().filter(|_| !self.is_unverified) {
            self.request(shard, &stamp);
        }
    }

    fn request_all(&self, stamp: &Stamp) {
        for (&shard, _) in self.shards.iter().filter(|(_, owned)| !owned.is_working) {
            self.request(shard, stamp);
        }
    }

    fn request(&self, partition: i32, stamp: &Stamp) {
        let assignment = self.assignments.load(Ordering::Acquire);
        drop(self.outbox.requests.send(Request { partition, stamp: stamp.clone(), assignment }));
    }

    /// Cuts an epoch that took too long: between its parts, or in a part between its pieces.
    fn cut_oldest(&mut self) -> Result<(), Error> {
        let Some(mut epoch) = self.queue.pop_front() else { return Ok(()) };
        if epoch.len() > 1 {
            let rest = epoch.split_off(epoch.len() / 2);
            self.queue.push_front(rest);
            self.queue.push_front(epoch);
        } else if let Some(part) = epoch.pop() {
            let (first, second) = part.split()?;
            if let Some(second) = second {
                self.queue.push_front(vec![second]);
            }
            self.queue.push_front(vec![first]);
        }
        Ok(())
    }

    /// Asks every worker for what there is, when it is time.
    fn seal(&mut self) -> Result<(), Error> {
        let is_last = self.stopping.is_some();
        if !is_last && (self.want.is_none() || self.tools.pace.since(self.sealed) < EPOCH_INTERVAL) {
            return Ok(());
        }
        self.want = None;
        self.sealed = self.tools.pace.now();
        self.tools.rearm_nudge();
        let (reply, parts) = bounded(self.outbox.workers.0.len());
        self.outbox.workers.send_all(|| Order::Seal { is_last, reply: reply.clone() });
        drop(reply);
        let pace = self.tools.pace.clone();
        let replies = std::iter::from_fn(|| pace.next(&parts));
        for part in replies.flatten() {
            // What was made by a shard that is not ours now is nobody's.
            let Some(owned) = self.shards.get_mut(&part.shard).filter(|owned| owned.is_working) else { continue };
            owned.token = Some(part.token.clone());
            let room = self.tools.epoch_bytes();
            match self.queue.back_mut() {
                Some(last) if last.iter().map(Part::size_bytes).sum::<usize>() + part.size_bytes() <= room => {
                    last.push(part);
                }
                _ => self.queue.push_back(vec![part]),
            }
        }
        if let Some((_, is_sealed)) = &mut self.stopping {
            *is_sealed = true;
        }
        Ok(())
    }

    fn publish(&mut self, mut epoch: Vec<Part>, stamp: &Stamp) -> Result<(), Error> {
        let mut stamp = stamp.clone();
        if sabotage::has(Bug::StampsAnew) {
            stamp = self.member.stamp();
            epoch.iter_mut().for_each(|part| part.stamp = stamp.clone());
        }
        let stamp = &stamp;
        assert!(epoch.iter().all(|part| part.stamp == *stamp), "a part is sent only under the stamp that it bears");
        let publisher = self.publisher.as_mut().expect("a turn begins with a producer");
        let (tools, started) = (&self.tools, self.tools.pace.now());
        let records: Vec<Vec<u8>> = epoch.iter().map(|part| shard_record(tools, &self.shards, part)).collect();
        let outgoing = epoch.iter().zip(&records).flat_map(|(part, record)| outgoing(tools, part, record));
        let topics = || tools.topics.iter().map(String::as_str);
        let offsets: Vec<(&str, i32, i64)> = epoch
            .iter()
            .filter(|part| !(sabotage::has(Bug::LeavesOutUnchangedOffsets) && is_of_time_alone(part)))
            .flat_map(|part| topics().zip(part.next()).map(|(topic, &next)| (topic, part.shard, next)))
            .collect();
        let outcome = publisher.publish(outgoing, &offsets, &Fence { member: &*self.member, stamp });
        let took = tools.pace.since(started);
        match outcome {
            Outcome::Committed => {
                metrics::EPOCHS.increment(["committed"], 1);
                metrics::EPOCH_COMMIT.record([], took.as_secs_f64());
                for (topic, partition, offset) in publisher.placed() {
                    debug_assert_eq!(topic, self.tools.settings.output.standing);
                    if let Some(owned) = self.shards.get_mut(&partition) {
                        owned.record_at = offset;
                        self.tools.keeping.iter().for_each(|keeping| keeping.set_record_at(partition, offset));
                    }
                }
                self.n_failed = 0;
                self.tools.adapt_epochs(took);
                epoch.iter().for_each(|part| account::committed(&self.tools, part));
                Ok(())
            }
            Outcome::Unknown(_) if sabotage::has(Bug::TakesUnknownForCommitted) => {
                self.publisher = None;
                Ok(())
            }
            Outcome::NotCommitted(reason) => self.failed("aborted", &reason, epoch),
            Outcome::Unknown(reason) => self.failed("unknown", &reason, epoch),
        }
    }

    /// The epoch stays the oldest. Its producer is at its end, and its fate is read after the next one has started.
    fn failed(&mut self, outcome: &'static str, reason: &Reason, epoch: Vec<Part>) -> Result<(), Error> {
        metrics::EPOCHS.increment([outcome], 1);
        tracing::warn!("an epoch of {} shards was not committed ({outcome}): {reason}", epoch.len());
        self.queue.push_front(epoch);
        if !sabotage::has(Bug::KeepsProducer) {
            self.publisher = None;
        }
        let is_sure = sabotage::has(Bug::KeepsProducer) && outcome == "aborted";
        self.is_doubtful = !(is_sure || sabotage::has(Bug::TakesUnknownForFailed));
        match reason {
            Reason::Fenced(_) => self.fenced()?,
            Reason::TimedOut(_) => {
                self.is_too_large = true;
                self.tools.shrink_epochs();
            }
            Reason::Stale(_) | Reason::Other(_) => {}
        }
        self.back_off();
        Ok(())
    }
}

fn shard_record(tools: &Tools, shards: &BTreeMap<i32, Owned>, part: &Part) -> Vec<u8> {
    let begin = &shards[&part.shard].begin;
    part.record(begin, &tools.author).encode()
}

/// Whether no record made any of it.
fn is_of_time_alone(part: &Part) -> bool {
    part.pieces.iter().flat_map(|piece| &piece.told).all(|told| told.cause == Cause::Elapsed)
}

/// The shard's record first, then everything that it covers.
fn outgoing<'a>(tools: &'a Tools, part: &'a Part, record: &'a [u8]) -> impl Iterator<Item = Outgoing<'a>> {
    let output = &tools.settings.output;
    let first = Outgoing {
        topic: &output.standing,
        partition: part.shard,
        key: Some(KEY),
        value: Some(record),
        headers: &[],
        is_marked: true,
    };
    let messages = part.pieces.iter().flat_map(|piece| &piece.messages).map(|message| Outgoing {
        topic: match message.sink {
            Sink::Changes => &output.changes,
            Sink::Standing => &output.standing,
            Sink::Rejects => &output.rejects,
        },
        partition: part.shard,
        key: message.key.as_deref(),
        value: message.value.as_deref(),
        headers: &message.headers,
        is_marked: false,
    });
    std::iter::once(first).chain(messages)
}
