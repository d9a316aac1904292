//! One shard at work: records in by time, facts folded, customers judged, a draft of what to publish.
//!
//! A shard that was recovered first folds what its record says was folded before, publishing nothing; then it is live.
//! Its memory is never rolled back: what it has drafted is published as it is, or the whole shard is forgotten.

use std::ops::ControlFlow;
use std::time::{Duration, Instant as Moment};

use super::desk::{Answer, Topic};
use super::epoch::{Draft, Part};
use super::error::Error;
use super::explain::Known;
use super::merge::{Judge, Merge, Pause, Taken};
use super::message::Messages;
use super::progress::Steps;
use super::record::Token;
use super::sabotage::{self, Bug};
use super::taking::{Going, Schedule, Taking};
use super::tally::Tally;
use super::tools::{Tools, Want};
use super::writer::{Source, Writer, appended};
use crate::engine::{Change, Progress, Shard};
use crate::event::{Event, Instant, Reason, Reject, Span};
use crate::kafka::{Batch, Record, Stamp, Stamped};

/// Records taken before others have their turn.
const TURN_RECORDS: usize = 4_096;
/// Customers looked at for arming before others have their turn.
const TURN_ARMED: usize = 8_192;
/// Offsets that moved without a change are committed this often.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// The history of a shard as far as its next part needs it.
#[derive(Debug, Clone)]
pub struct Chain {
    pub lineage: Token,
    /// Of the last epoch; 0 before the first.
    pub epoch: u64,
    /// Of the last part that was sealed or read.
    pub token: Option<Token>,
    /// Where the very first start began to read.
    pub begin: Vec<i64>,
}

/// A shard that was recovered, to be worked on.
#[derive(Debug)]
pub struct Opening {
    /// Number of the reading whose batches are for it.
    pub reading: u64,
    pub partition: i32,
    pub stamp: Stamp,
    pub shard: Shard,
    pub chain: Chain,
    /// Where reading starts.
    pub starts: Vec<i64>,
    /// What is only to be folded: up to these offsets; and the clock then. None for a shard's first start.
    pub folding: Option<Folding>,
    /// When bringing it back began.
    pub asked: Moment,
    /// The epoch of the snapshot that it was brought back from.
    pub snapshot: Option<u64>,
}

#[derive(Debug)]
pub struct Folding {
    pub until: Vec<i64>,
    pub clock: Option<Instant>,
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// There is more to do at once.
    Busy,
    Idle,
    /// It holds as much as it may until a part is settled.
    Stalled,
}

/// A shard and all that belongs to it.
pub struct Task {
    pub reading: u64,
    partition: i32,
    stamp: Stamp,
    shard: Shard,
    chain: Chain,
    merge: Merge,
    folding: Option<Folding>,
    /// Of those that were folded: how many customers are armed.
    n_armed: u32,
    writer: Writer,
    draft: Draft,
    changes: Vec<Change>,
    /// As of the last part.
    sealed_next: Vec<i64>,
    sealed: Moment,
    /// The input that holds up the others, since when.
    held: Option<(usize, Moment)>,
    is_left_behind: Vec<bool>,
    has_dues: bool,
    is_at_end: bool,
    asked: Moment,
    live_since: Instant,
    progress: Steps,
    schedule: Schedule,
    taking: Option<Taking>,
    /// The last part was sealed: nothing is done any more but to hand out a snapshot.
    is_over: bool,
}

/// How a shard is, for the metrics.
#[derive(Debug, Clone)]
pub struct Report {
    pub partition: i32,
    pub is_live: bool,
    /// By the wall clock.
    pub live_since: Instant,
    pub is_at_end: bool,
    pub clock: Instant,
    /// Not everyone who is due by the clock was judged yet.
    pub has_dues: bool,
    pub n_customers: u64,
    pub state_bytes: u64,
    pub sizes: Vec<Vec<u64>>,
    /// The first offset of every input that was not taken.
    pub next: Vec<i64>,
}

impl Task {
    pub fn new(opening: Opening, tools: &Tools) -> Task {
        let Opening { reading, partition, stamp, shard, chain, starts, folding, asked, snapshot } = opening;
        let messages = Messages::new(tools.plan.clone(), tools.settings.output.format, chain.lineage.as_str());
        let bytes_max = tools.settings.kafka.message_bytes_max();
        Task {
            reading,
            partition,
            stamp,
            shard,
            chain,
            merge: Merge::new(&starts),
            progress: Steps::new(partition, tools),
            schedule: Schedule::new(tools, snapshot, folding.is_none()),
            sealed_next: folding.as_ref().map_or(starts, |folding| folding.until.clone()),
            folding,
            n_armed: 0,
            writer: Writer { messages, partition, bytes_max },
            draft: Draft::new(&tools.budget, tools.settings.piece_messages),
            changes: Vec::new(),
            sealed: tools.pace.now(),
            held: None,
            is_left_behind: vec![false; tools.topics.len()],
            has_dues: false,
            is_at_end: false,
            asked,
            live_since: tools.clock.now(),
            taking: None,
            is_over: false,
        }
    }

    /// Takes what was read next of an input.
    pub fn push(&mut self, batch: Batch, tools: &Tools) {
        if let Some(Stamped::Appended(at)) = batch.latest() {
            tools.clock.confirm(Instant(at));
            // Appended after its topic was known to end before it: then the broker's clock was not further.
            if let Some(position) = self.merge.idle(batch.input)
                && let Some(asked) = tools.ends.reached(batch.input, self.partition, position)
            {
                tools.clock.refute(asked, Instant(at), tools.clock_tolerance());
            }
        }
        self.is_left_behind[batch.input] = false;
        self.merge.push(batch);
    }

    /// The shard survives under another membership.
    pub fn restamp(&mut self, stamp: Stamp) {
        self.stamp = stamp;
    }

    /// Does a bounded amount of work.
    pub fn step(&mut self, tools: &Tools, tally: &mut Tally) -> Result<Step, Error> {
        let is_handing_out = self.hand_out(tools) == Some(Going::On);
        let step = if self.is_over { Step::Idle } else { self.work(tools, tally)? };
        Ok(if is_handing_out { Step::Busy } else { step })
    }

    fn hand_out(&mut self, tools: &Tools) -> Option<Going> {
        let going = self.taking.as_mut()?.step(tools, &mut self.shard);
        if going == Going::Over {
            self.taking = None;
        }
        Some(going)
    }

    fn work(&mut self, tools: &Tools, tally: &mut Tally) -> Result<Step, Error> {
        if self.draft.size_bytes() >= tools.share_bytes() || tools.is_budget_spent() {
            tools.nudge(Want::Output);
            return Ok(Step::Stalled);
        }
        let pause = self.take_records(tools, tally)?;
        if self.folding.is_some() {
            self.tell_folding(tools);
            return Ok(if self.finish_folding(tools) || pause == Pause::Turn { Step::Busy } else { Step::Idle });
        }
        self.pass_time(tools)?;
        if self.draft.is_piece_full() {
            self.close_piece(tools)?;
        }
        self.say_what_waits(tools);
        Ok(if self.has_dues || pause == Pause::Turn { Step::Busy } else { Step::Idle })
    }

    fn take_records(&mut self, tools: &Tools, tally: &mut Tally) -> Result<Pause, Error> {
        let mut turn = Turn {
            tools,
            tally,
            partition: self.partition,
            shard: &mut self.shard,
            writer: &self.writer,
            draft: &mut self.draft,
            changes: &mut self.changes,
            folding: self.folding.as_ref(),
            is_left_behind: &self.is_left_behind,
            age_max: tools.end_age_max(),
            wall: tools.clock.now(),
            now: tools.pace.now(),
            failure: None,
        };
        let (pause, n_done) = self.merge.run(TURN_RECORDS, &mut turn);
        if let Some(failure) = turn.failure {
            return Err(failure);
        }
        if n_done > 0 {
            tools.wake_reader();
        }
        self.watch_held(pause, tools);
        Ok(pause)
    }

    /// A topic that holds the others up for too long is left behind until it has something again.
    fn watch_held(&mut self, pause: Pause, tools: &Tools) {
        let Pause::Held(input) = pause else {
            self.held = None;
            return;
        };
        tools.ends.demand();
        match self.held {
            Some((held, since)) if held == input => {
                let limit = Duration::from_millis(tools.settings.max_hold.0.max(0) as u64);
                if tools.pace.since(since) > limit {
                    tracing::error!(
                        "{}/{} has held up the other topics for {}: it is left behind, and its events may be late",
                        tools.topics[input],
                        self.partition,
                        tools.settings.max_hold
                    );
                    self.is_left_behind[input] = true;
                    self.held = None;
                }
            }
            _ => self.held = Some((input, tools.pace.now())),
        }
    }

    fn tell_folding(&mut self, tools: &Tools) {
        let Some(folding) = &self.folding else { return };
        let next = self.merge.next();
        let left: i64 = next.iter().zip(&folding.until).map(|(next, until)| (until - next).max(0)).sum();
        self.progress.input(tools, left as u64);
    }

    /// Folds no more when all that was folded before is folded again: arms everybody, in turns, and is live then. Says
    /// whether there is more to do at once.
    fn finish_folding(&mut self, tools: &Tools) -> bool {
        let Some(folding) = &self.folding else { return false };
        if self.merge.next().iter().zip(&folding.until).any(|(next, until)| next < until) {
            return false;
        }
        let clock = folding.clock.unwrap_or(Instant(i64::MIN));
        if let Some(next) = self.shard.arm_some(clock, self.n_armed, TURN_ARMED) {
            self.n_armed = next;
        } else {
            self.folding = None;
            if sabotage::has(Bug::ArmsAfterTheClock) {
                let clock = self.shard.clock();
                while self.shard.advance(clock, usize::MAX, &mut self.changes) == Progress::More {}
                self.changes.clear();
            }
            let took = tools.pace.since(self.asked);
            crate::telemetry::metrics::RESTORE.record([], took.as_secs_f64());
            tracing::info!(
                "shard {} is back after {} ms: {} customers, epoch {}",
                self.partition,
                took.as_millis(),
                self.shard.n_customers(),
                self.chain.epoch
            );
        }
        true
    }

    /// Lets time pass: with the wall clock when everything was read, else with the records.
    fn pass_time(&mut self, tools: &Tools) -> Result<(), Error> {
        self.is_at_end = self.has_read_everything(tools);
        let mut clock = self.shard.clock();
        let wall = tools.clock.now();
        if self.is_at_end {
            clock = clock.max(wall - tools.settings.grace);
        }
        let progress = self.shard.advance(clock, tools.settings.turn_dues, &mut self.changes);
        self.has_dues = progress == Progress::More;
        self.writer.changes(&tools.settings, &mut self.changes, None, wall, &mut self.draft)
    }

    /// Every input is read to its end, as its leader said less than half of grace ago.
    fn has_read_everything(&self, tools: &Tools) -> bool {
        let age_max = tools.end_age_max();
        (0..self.merge.n_inputs()).all(|input| {
            let reached =
                self.merge.idle(input).and_then(|position| tools.ends.reached(input, self.partition, position));
            reached.is_some_and(|asked| tools.pace.since(asked) <= age_max || sabotage::has(Bug::BelievesOldEnds))
        })
    }

    fn say_what_waits(&self, tools: &Tools) {
        if !self.draft.is_empty() {
            tools.nudge(Want::Output);
        } else if tools.pace.since(self.sealed) >= PROGRESS_INTERVAL && self.merge.next() != self.sealed_next {
            tools.nudge(Want::Progress);
        }
    }

    fn close_piece(&mut self, tools: &Tools) -> Result<(), Error> {
        let Task { shard, draft, writer, merge, has_dues, .. } = self;
        let clock = (shard.clock(), *has_dues);
        draft.close_piece(merge.next(), clock, |customer| writer.standing(&tools.settings, shard, customer))
    }

    /// Seals what there is into a part of the next epoch. Offsets alone are worth one only now and then, or at the end.
    pub fn seal(&mut self, tools: &Tools, is_last: bool) -> Result<Option<Part>, Error> {
        let next = self.merge.next();
        let is_time = is_last || tools.pace.since(self.sealed) >= PROGRESS_INTERVAL;
        if self.folding.is_some() {
            return Ok(None);
        }
        self.is_over = is_last;
        if self.draft.is_empty() && !(is_time && next != self.sealed_next) {
            if is_last {
                self.cut_as_it_is(tools);
            }
            return Ok(None);
        }
        self.close_piece(tools)?;
        let token = Token::random()?;
        self.chain.epoch += 1;
        self.sealed_next = next;
        self.sealed = tools.pace.now();
        let predecessor = self.chain.token.replace(token.clone());
        self.cut_if_due(tools, is_last);
        Ok(Some(Part {
            shard: self.partition,
            stamp: self.stamp.clone(),
            lineage: self.chain.lineage.clone(),
            epoch: self.chain.epoch,
            predecessor,
            token,
            pieces: self.draft.take(),
        }))
    }

    /// What is known of a customer as of the shard's clock, published or not yet.
    pub fn answer(&mut self, customer: &str, topic: Topic) -> Answer {
        if self.folding.is_some() {
            return Answer::Restoring;
        }
        let found = match topic {
            Topic::Standing => self.shard.standing(customer).map(|standing| {
                let interests = self.shard.interests(customer);
                Answer::Standing(Box::new(Known { standing, interests, at: self.shard.clock() }))
            }),
            Topic::Explanation => self.shard.explain(customer).map(|found| Answer::Explanation(Box::new(found))),
        };
        found.unwrap_or(Answer::Nobody)
    }

    /// Cuts a snapshot behind the part that is being sealed, when one is due.
    fn cut_if_due(&mut self, tools: &Tools, is_last: bool) {
        let Some(keeping) = &tools.keeping else { return };
        let is_due = self.taking.is_none() && self.schedule.is_due(tools, self.chain.epoch, is_last);
        // At the end each shard is cut at once and waits for its turn, since nothing changes any more.
        if is_due && (is_last || keeping.is_free()) {
            self.schedule.cut(tools, keeping, self.chain.epoch);
            self.taking =
                Taking::begin(tools, keeping, self.partition, &mut self.shard, &self.chain, &self.sealed_next);
        }
    }

    /// At a clean end without a last part: the memory is still what the part before left. That one is settled, for else
    /// nobody would ask for another.
    fn cut_as_it_is(&mut self, tools: &Tools) {
        let n_before = self.schedule.epoch();
        self.cut_if_due(tools, true);
        if let (Some(keeping), Some(token)) = (&tools.keeping, &self.chain.token)
            && self.schedule.epoch() > n_before
        {
            keeping.committed(self.partition, token);
        }
    }

    pub fn report(&self) -> Report {
        Report {
            partition: self.partition,
            is_live: self.folding.is_none(),
            live_since: self.live_since,
            is_at_end: self.is_at_end,
            clock: self.shard.clock(),
            has_dues: self.has_dues,
            n_customers: self.shard.n_customers() as u64,
            state_bytes: self.shard.state_bytes() as u64,
            sizes: self.shard.sizes(),
            next: self.merge.next(),
        }
    }
}

/// One go at the records at hand.
struct Turn<'t> {
    tools: &'t Tools,
    tally: &'t mut Tally,
    partition: i32,
    shard: &'t mut Shard,
    writer: &'t Writer,
    draft: &'t mut Draft,
    changes: &'t mut Vec<Change>,
    folding: Option<&'t Folding>,
    is_left_behind: &'t [bool],
    age_max: Duration,
    wall: Instant,
    now: Moment,
    failure: Option<Error>,
}

impl Judge for Turn<'_> {
    fn decode<'r>(&self, input: usize, record: &Record<'r>) -> Result<Event<'r>, Reject> {
        let settings = &self.tools.settings;
        let Some(value) = record.value else {
            return Err(Reject::new(Reason::Undecodable, "the record has no value"));
        };
        let event = self.tools.decoder.decode(settings.inputs[input].format, value, settings.inputs[input].kind)?;
        let mut stamped = appended(record.stamped).unwrap_or(event.time);
        if sabotage::has(Bug::AsksTheWall) {
            stamped = self.wall;
        }
        if event.time > stamped + settings.max_skew {
            let detail = format!("{} is {} ahead of its record", event.time, event.time - stamped);
            return Err(Reject::new(Reason::Future, detail));
        }
        // What was folded once is folded again, whatever the wall clock says now.
        let is_created = matches!(record.stamped, Stamped::Created(_)) && self.folding.is_none();
        if is_created && stamped > self.wall + settings.max_skew {
            let detail = format!("its record's timestamp {stamped} is {} ahead of the clock", stamped - self.wall);
            return Err(Reject::new(Reason::Future, detail));
        }
        Ok(event)
    }

    fn is_wanted(&self, input: usize, offset: i64) -> bool {
        self.folding.is_none_or(|folding| offset < folding.until[input])
    }

    fn is_at_end(&self, input: usize, position: i64, since: Moment) -> bool {
        if let Some(folding) = self.folding {
            return position >= folding.until[input];
        }
        let reached = self.tools.ends.reached(input, self.partition, position);
        self.is_left_behind[input]
            || sabotage::has(Bug::ReadsTopicByTopic)
            || reached.is_some_and(|asked| asked >= since && self.now.saturating_duration_since(asked) <= self.age_max)
    }

    fn take(&mut self, input: usize, record: &Record<'_>, taken: Taken<'_>) -> ControlFlow<()> {
        match taken {
            Taken::Event(event) => {
                if let Err(error) = self.event(input, record, event) {
                    self.failure = Some(error);
                }
            }
            Taken::Reject(reject) => {
                if self.folding.is_none() {
                    self.tally.reject(reject.reason);
                    self.writer.reject(&self.tools.topics[input], record, &reject, self.draft);
                }
            }
        }
        if self.failure.is_some() || self.draft.is_piece_full() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

impl Turn<'_> {
    fn event(&mut self, input: usize, record: &Record<'_>, event: &Event<'_>) -> Result<(), Error> {
        self.check_placement(input, record, event)?;
        let tools = self.tools;
        let stamped = appended(record.stamped).unwrap_or(event.time);
        let clock = event.time.min(stamped);
        if self.folding.is_some() {
            self.shard.fold(event, clock - tools.settings.grace);
            return Ok(());
        }
        let outcome = self.shard.apply(event, clock.min(self.wall) - tools.settings.grace, self.changes);
        self.tally.event(event.kind, outcome);
        if self.changes.is_empty() {
            return Ok(());
        }
        let source = Source { topic: &tools.topics[input], record, event_id: event.id.as_deref() };
        self.writer.changes(&tools.settings, self.changes, Some(source), self.wall, self.draft)
    }

    /// A customer of another partition would be split over two shards.
    fn check_placement(&self, input: usize, record: &Record<'_>, event: &Event<'_>) -> Result<(), Error> {
        let placement = self.tools.settings.placement;
        if self.tools.n_partitions == 1 {
            return Ok(());
        }
        match placement.partition(event.customer.as_bytes(), self.tools.n_partitions) {
            Some(expected) if expected != self.partition => Err(Error::Misplaced {
                topic: self.tools.topics[input].clone(),
                partition: self.partition,
                offset: record.offset,
                customer: event.customer.to_string(),
                expected,
                placement: placement.name(),
            }),
            _ => Ok(()),
        }
    }
}

/// How far a shard's clock is behind the wall's; none before its first record.
pub fn clock_lag(clock: Instant, wall: Instant) -> Option<Span> {
    (clock.0 != i64::MIN).then(|| wall - clock)
}
