//! One shard: all the customers of one partition number, their facts, and when each is due.
//!
//! Customers are independent of each other, so a shard may judge them in any order; what counts is that before a
//! record is applied, its customer has been judged at every due up to the shard's clock. `apply` sees to that itself,
//! `advance` for everybody.

mod batch;
mod export;
mod import;
mod mark;

use std::sync::Arc;

use hashbrown::HashTable;

use super::arena::{Arena, Block};
use super::change::{Cause, Change, Interests, Outcome, Progress, Standing};
use super::dedup::{Dedup, Seniority};
use super::dependence::Touched;
use super::explain::{self, Explanation, Outlook, Weighed};
use super::facts::customer::Customer;
use super::facts::series::Entry;
use super::facts::view::{Scratch, View};
use super::fold::Folder;
use super::intern::Interner;
use super::judge::{self, Occasion, Terms};
use super::reason::{Before, Reasons};
use super::varint::Reader;
use super::wheel::{Links, Records, Wheel};
use crate::event::{Event, Instant};
use crate::rules::Plan;
use crate::rules::calendar::Calendar;
use crate::rules::plan::{DimensionId, SegmentId};

pub use batch::{Arrival, Batch, Overdue};
pub use export::{Cut, Packet, Section, layout};
pub use import::{Import, Misfit};
pub use mark::Mark;

use batch::Lineup;
use export::Export;
use mark::hash_of;

/// What is at hand of a customer without opening them.
#[derive(Debug)]
struct Record {
    due: Instant,
    /// The later of the latest event folded and the latest move. Before both: `i64::MIN`.
    latest: Instant,
    links: Links,
    block: Block,
}

#[derive(Debug, Default)]
struct RecordList(Vec<Record>);

impl Records for RecordList {
    fn links(&mut self, index: u32) -> &mut Links {
        &mut self.0[index as usize].links
    }

    fn due(&self, index: u32) -> Instant {
        self.0[index as usize].due
    }
}

const LONG_AGO: Instant = Instant(i64::MIN);
/// The due of a customer whom recovery has changed and who is to be armed at its end. The wheel takes it for never.
const TO_BE_ARMED: Instant = Instant(i64::MAX - 1);

/// Customers whose memory is fetched before the first of them is judged.
const LOOKAHEAD: usize = 32;

/// Not shared between threads: one owner folds, judges and moves the clock.
#[derive(Debug)]
pub struct Shard {
    plan: Arc<Plan>,
    calendar: Calendar,
    terms: Terms,
    clock: Instant,
    index: HashTable<u32>,
    records: RecordList,
    arena: Arena,
    wheel: Wheel,
    dedup: Dedup,
    names: Interner,
    /// Customers by dimension, and there by segment with none in front.
    sizes: Vec<Vec<u64>>,
    /// The customer who is open, and what they are worked on with.
    open: Customer,
    scratch: Scratch,
    /// Only when the rules ask for reasons.
    reasons: Option<Reasons>,
    entry: Entry,
    touched: Touched,
    encoded: Vec<u8>,
    popped: Vec<u32>,
    /// Those that are judged next, in reverse order: by due, then by customer id.
    waiting: Vec<u32>,
    lineup: Lineup,
    /// While the state of an earlier moment is handed out.
    export: Option<Box<Export>>,
}

impl Shard {
    pub fn new(plan: Arc<Plan>) -> Shard {
        let sizes = plan.dimensions.iter().map(|dimension| vec![0; dimension.segments.len() + 1]).collect();
        Shard {
            calendar: Calendar::new(&plan.zone),
            terms: Terms::new(&plan),
            clock: LONG_AGO,
            index: HashTable::new(),
            records: RecordList::default(),
            arena: Arena::default(),
            wheel: Wheel::default(),
            dedup: Dedup::new(plan.kinds.iter().map(|kind| kind.dedup_window).collect()),
            names: Interner::default(),
            sizes,
            open: Customer::default(),
            scratch: Scratch::new(&plan),
            reasons: plan.reasons.then(|| Reasons::new(&plan)),
            entry: Entry::default(),
            touched: Touched::nothing(&plan),
            encoded: Vec::new(),
            popped: Vec::new(),
            waiting: Vec::new(),
            lineup: Lineup::default(),
            export: None,
            plan,
        }
    }

    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Never goes back. Before anything: `i64::MIN`.
    pub fn clock(&self) -> Instant {
        self.clock
    }

    /// Moves the clock without judging anybody yet: the next `apply` judges its customer up to it, the next `advance`
    /// everybody.
    pub fn observe(&mut self, clock: Instant) {
        self.clock = self.clock.max(clock);
    }

    /// Applies one accepted event. `clock` is where its record moves the shard's clock to.
    pub fn apply(&mut self, event: &Event<'_>, clock: Instant, out: &mut Vec<Change>) -> Outcome {
        let located = Located::of(Mark::of(event));
        let outcome = self.check(located, event);
        if outcome != Outcome::Duplicate {
            let mut now = self.open(located, &event.customer);
            self.apply_open(&mut now, event, self.clock, out);
            self.close(now);
        }
        self.observe(clock);
        outcome
    }

    /// Moves the clock and judges everyone due at or before it, in order of due, then of customer id; at most
    /// `budget` judgements, then `More`.
    pub fn advance(&mut self, clock: Instant, budget: usize, out: &mut Vec<Change>) -> Progress {
        self.observe(clock);
        for _ in 0..budget {
            let Some(index) = self.next_waiting() else { return Progress::Done };
            let n_before = out.len();
            let mut record = self.now_of(index);
            self.open_at(index);
            self.judge_due(&mut record, out);
            self.put_back(record);
            self.wait_or_arm(index);
            self.count_moves(&out[n_before..]);
        }
        if self.waiting.is_empty() && self.peek().is_none() { Progress::Done } else { Progress::More }
    }

    /// Recovery: adds an event to the facts and judges nobody. Duplicates are dropped as ever.
    pub fn fold(&mut self, event: &Event<'_>, clock: Instant) -> Outcome {
        let located = Located::of(Mark::of(event));
        let outcome = self.check(located, event);
        self.observe(clock);
        if outcome != Outcome::Duplicate {
            let mut record = self.open(located, &event.customer);
            self.fold_open(event, record.latest);
            record.latest = record.latest.max(event.time);
            record.due = TO_BE_ARMED;
            self.close(record);
        }
        outcome
    }

    /// Recovery: a customer's standing as it was published. Replaces what was known of it.
    pub fn restore(&mut self, customer: &str, standing: &Standing) {
        let located = Located { hash: hash_of(customer), fingerprint: None, candidate: None, block: None };
        let mut record = self.open(located, customer);
        let cooldowns = &self.terms.cooldowns;
        let history = self.open.history_mut(&self.plan, cooldowns);
        history.sequence = standing.sequence;
        for (dimension, place) in standing.places.iter().enumerate() {
            history.since[dimension] = place.since.unwrap_or(Instant::NEVER);
            for (segment, left) in &place.left {
                if let Some(number) = cooldowns.of(DimensionId(dimension as u8), *segment) {
                    history.left[number] = *left;
                }
            }
            record.latest = record.latest.max(place.since.unwrap_or(LONG_AGO));
        }
        for (dimension, place) in standing.places.iter().enumerate() {
            let old = std::mem::replace(&mut self.open.segments[dimension], place.segment);
            self.sizes[dimension][size_index(old)] -= 1;
            self.sizes[dimension][size_index(place.segment)] += 1;
        }
        record.due = TO_BE_ARMED;
        self.close(record);
    }

    /// Recovery: nobody is in a segment, as if nothing had been published yet. Facts stay.
    pub fn forget_standings(&mut self) {
        for index in 0..self.records.0.len() as u32 {
            let mut record = self.now_of(index);
            self.open_at(index);
            self.open.forget_standing(&self.plan, &self.terms.cooldowns);
            record.due = TO_BE_ARMED;
            self.close(record);
        }
        for segments in &mut self.sizes {
            segments.fill(0);
            segments[0] = self.records.0.len() as u64;
        }
    }

    /// Recovery, last step: moves the clock, and arms every customer who was changed by it strictly after their own
    /// `latest`; the others stay armed as they were imported. What is then due is judged by the next `advance`.
    pub fn arm(&mut self, clock: Instant) {
        let mut next = Some(0);
        while let Some(from) = next {
            next = self.arm_some(clock, from, usize::MAX);
        }
    }

    /// As [`Shard::arm`], for at most `budget` customers from that number on. Says with which to go on, if any are left;
    /// until then nothing may be applied.
    pub fn arm_some(&mut self, clock: Instant, from: u32, budget: usize) -> Option<u32> {
        self.observe(clock);
        let n_all = self.records.0.len();
        let end = (from as usize).saturating_add(budget).min(n_all);
        for index in from..end as u32 {
            let mut record = self.now_of(index);
            if record.due != TO_BE_ARMED {
                continue;
            }
            self.open_at(index);
            let mut view = View {
                plan: &self.plan,
                calendar: &self.calendar,
                cooldowns: &self.terms.cooldowns,
                customer: &mut self.open,
                scratch: &mut self.scratch,
                latest: record.latest,
            };
            record.due = judge::next_due(&mut view, &self.terms, record.latest);
            self.close(record);
        }
        (end < n_all).then_some(end as u32)
    }

    pub fn standing(&self, customer: &str) -> Option<Standing> {
        let index = self.find(hash_of(customer), customer)?;
        let mut open = Customer::default();
        open.open(&self.plan, self.arena.bytes(self.records.0[index as usize].block));
        Some(open.standing(&self.plan, &self.terms.cooldowns))
    }

    /// What to offer a customer; `None`: there is no such customer, or the rules do not ask for it.
    pub fn interests(&self, customer: &str) -> Option<Interests> {
        let limits = self.plan.interests;
        let index = self.find(hash_of(customer), customer).filter(|_| limits.any())?;
        let mut open = Customer::default();
        open.open(&self.plan, self.arena.bytes(self.records.0[index as usize].block));
        Some(open.interests(limits, &self.names))
    }

    /// Why a customer is where they are as of the clock, and what time alone will change. Leaves no trace: what is judged
    /// on the way there and ahead of it is not kept, and is judged again when its moment comes.
    pub fn explain(&mut self, customer: &str) -> Option<Explanation> {
        let index = self.find(hash_of(customer), customer)?;
        self.open_at(index);
        let mut now = self.now_of(index);
        let mut overdue = Vec::new();
        while now.due <= self.clock {
            self.judge_due(&mut now, &mut overdue);
        }
        let at = self.clock.max(now.latest);
        let latest = now.latest;
        let assessed = {
            let Shard { plan, calendar, open: customer, scratch, terms, .. } = self;
            let cooldowns = &terms.cooldowns;
            explain::assess(&mut View { plan, calendar, cooldowns, customer, scratch, latest }, terms, at)
        };
        let standing = self.open.standing(&self.plan, &self.terms.cooldowns);
        let first = (!self.open.first.is_never()).then_some(self.open.first);
        let limits = self.plan.interests;
        let interests = limits.any().then(|| self.open.interests(limits, &self.names));
        // What is foretold has reasons, whether the rules ask for them or not.
        let reasons = self.reasons.replace(Reasons::new(&self.plan));
        let dimensions = assessed.into_iter().zip(self.look_ahead(now));
        self.reasons = reasons;
        let dimensions = dimensions.map(|((bound, segments), next)| Outlook { bound, segments, next }).collect();
        Some(Explanation { at, first, latest, standing, interests, dimensions })
    }

    /// Lets time pass for the open customer alone, until each dimension has changed once or nothing is due any more.
    fn look_ahead(&mut self, mut now: Now) -> Vec<explain::Next> {
        let n_dimensions = self.plan.dimensions.len();
        let mut ahead = Vec::new();
        let mut moved = vec![false; n_dimensions];
        for _ in 0..explain::AHEAD_MAX {
            if now.due.is_never() || moved.iter().all(|moved| *moved) {
                return explain::next(n_dimensions, ahead, None);
            }
            let n_before = ahead.len();
            self.judge_due(&mut now, &mut ahead);
            ahead[n_before..].iter().for_each(|change| moved[usize::from(change.dimension.0)] = true);
        }
        explain::next(n_dimensions, ahead, Some(now.due))
    }

    /// Holds a segment against a customer at an instant, for explanations: moves nobody. `None`: no such customer.
    pub fn weigh(
        &mut self,
        customer: &str,
        (dimension, segment): (DimensionId, SegmentId),
        at: Instant,
    ) -> Option<Weighed> {
        let index = self.find(hash_of(customer), customer)?;
        let latest = self.records.0[index as usize].latest;
        self.open_at(index);
        let Shard { plan, calendar, open: customer, scratch, terms, .. } = self;
        let mut view = View { plan, calendar, cooldowns: &terms.cooldowns, customer, scratch, latest };
        Some(explain::weigh(&mut view, terms, (dimension, segment), at))
    }

    pub fn n_customers(&self) -> usize {
        self.records.0.len()
    }

    /// Customers by dimension, and there by segment, with none in front.
    pub fn sizes(&self) -> Vec<Vec<u64>> {
        self.sizes.clone()
    }

    /// All memory held for customers, in bytes: facts, records, the directory, dues, fingerprints, names.
    pub fn state_bytes(&self) -> usize {
        self.arena.held_bytes()
            + self.records.0.capacity() * size_of::<Record>()
            + self.index.allocation_size()
            + self.wheel.held_bytes()
            + self.dedup.held_bytes()
            + self.names.held_bytes()
            + self.export_bytes()
    }

    fn check(&mut self, located: Located, event: &Event) -> Outcome {
        let Some(fingerprint) = located.fingerprint else { return Outcome::Folded };
        match self.dedup.check(fingerprint, event.kind, event.time, self.clock) {
            Seniority::New => Outcome::Folded,
            Seniority::Unchecked => Outcome::Unchecked,
            Seniority::Duplicate => Outcome::Duplicate,
        }
    }

    fn find(&self, hash: u64, customer: &str) -> Option<u32> {
        let is_it = |index: &u32| id_of(&self.arena, &self.records.0[*index as usize]) == customer.as_bytes();
        self.index.find(hash, is_it).copied()
    }

    /// Opens a customer, new or known.
    fn open(&mut self, Located { hash, candidate, .. }: Located, customer: &str) -> Now {
        let is_it = |index: &u32| id_of(&self.arena, &self.records.0[*index as usize]) == customer.as_bytes();
        // Who was new then may have come since.
        if let Some(index) = candidate.filter(is_it).or_else(|| self.find(hash, customer)) {
            self.open_at(index);
            return self.now_of(index);
        }
        self.scratch.forget();
        self.open.open_new(&self.plan, &self.terms.cooldowns, customer);
        let index = u32::try_from(self.records.0.len()).expect("a shard has fewer than 2^32 customers");
        // The block has to hold the id before the directory may look at it again.
        self.encoded.clear();
        self.open.encode(&self.plan, &self.terms.cooldowns, LONG_AGO, &mut self.encoded);
        let block = self.arena.insert(&self.encoded);
        if self.records.0.len() == self.records.0.capacity() {
            // Doubling would hold half of it empty.
            self.records.0.reserve_exact((self.records.0.len() / 8).max(1_024));
        }
        self.records.0.push(Record { due: Instant::NEVER, latest: LONG_AGO, links: Links::default(), block });
        let Shard { index: directory, arena, records, .. } = self;
        directory
            .insert_unique(hash, index, |index| rapidhash::v3::rapidhash_v3(id_of(arena, &records.0[*index as usize])));
        self.sizes.iter_mut().for_each(|segments| segments[0] += 1);
        self.now_of(index)
    }

    fn open_at(&mut self, index: u32) {
        self.scratch.forget();
        let block = self.arena.bytes(self.records.0[index as usize].block);
        self.open.open(&self.plan, block);
    }

    fn now_of(&self, index: u32) -> Now {
        let Record { due, latest, .. } = self.records.0[index as usize];
        Now { index, due, latest, judged: latest }
    }

    /// Folds an event into the open customer and judges them; `clock` is the shard's before its record.
    fn apply_open(&mut self, now: &mut Now, event: &Event<'_>, clock: Instant, out: &mut Vec<Change>) {
        let n_before = out.len();
        while now.due < event.time || now.due <= clock {
            self.judge_due(now, out);
        }
        self.touched.clear();
        self.fold_open(event, now.latest);
        let is_late = event.time < now.latest;
        if is_late {
            // Its first look is not bound by `min_stay`, so nothing is certain.
            self.touched.add_all();
        }
        let cause = if is_late { Cause::LateEvent } else { Cause::Event };
        let occasion = Occasion { at: event.time.max(now.latest), cause, due: now.due };
        now.judged = now.latest;
        now.latest = occasion.at;
        self.judge_open(now, occasion, out);
        while now.due <= clock {
            self.judge_due(now, out);
        }
        self.count_moves(&out[n_before..]);
    }

    fn fold_open(&mut self, event: &Event, latest: Instant) {
        let Shard { plan, calendar, names, entry, open, scratch, terms, touched, .. } = self;
        scratch.forget();
        Folder { plan, calendar, names, entry, dependence: &terms.dependence, touched }.fold(open, event, latest)
    }

    fn judge_open(&mut self, now: &mut Now, occasion: Occasion, out: &mut Vec<Change>) {
        let n_before = out.len();
        let mut view = View {
            plan: &self.plan,
            calendar: &self.calendar,
            cooldowns: &self.terms.cooldowns,
            customer: &mut self.open,
            scratch: &mut self.scratch,
            latest: now.latest,
        };
        now.due = judge::judge(&mut view, &self.terms, occasion, &mut self.touched, out);
        assert!(now.due > occasion.at, "the next due is later than the judgement");
        if out.len() == n_before {
            return;
        }
        if let Some(reasons) = &mut self.reasons {
            let record = &self.records.0[now.index as usize];
            let at = now.judged.max(Instant(occasion.at.0 - 1));
            let before = Before { block: self.arena.bytes(record.block), latest: record.latest, at };
            reasons.give(&mut view, &self.terms, before, &mut out[n_before..]);
        }
        if self.plan.interests.any() {
            let interests = self.open.interests(self.plan.interests, &self.names);
            out[n_before..].iter_mut().for_each(|change| change.interests = Some(Box::new(interests.clone())));
        }
        now.latest = now.latest.max(occasion.at);
    }

    fn judge_due(&mut self, now: &mut Now, out: &mut Vec<Change>) {
        self.touched.clear();
        now.judged = now.latest;
        self.judge_open(now, Occasion::elapsed(now.due), out);
    }

    /// Puts the open customer back, to be met when they are due.
    fn close(&mut self, now: Now) {
        self.put_back(now);
        self.wheel.arm(&mut self.records, now.index);
    }

    fn put_back(&mut self, Now { index, due, latest, .. }: Now) {
        self.encoded.clear();
        self.open.encode(&self.plan, &self.terms.cooldowns, latest, &mut self.encoded);
        let record = &mut self.records.0[index as usize];
        if let Some(export) = &mut self.export {
            export.keep(index, record, &self.arena);
        }
        record.block = self.arena.replace(record.block, &self.encoded);
        (record.due, record.latest) = (due, latest);
    }

    /// Who is due again before others who wait already waits in their place among them.
    fn wait_or_arm(&mut self, index: u32) {
        let Shard { arena, records, waiting, .. } = self;
        let before = |other: &u32| due_and_id(arena, records, index) < due_and_id(arena, records, *other);
        if waiting.first().is_some_and(before) {
            let place = waiting.partition_point(before);
            waiting.insert(place, index);
        } else {
            self.wheel.arm(&mut self.records, index);
        }
    }

    /// The next customer whose due the clock has reached.
    fn next_waiting(&mut self) -> Option<u32> {
        loop {
            while let Some(index) = self.waiting.pop() {
                // An event may have judged them meanwhile.
                if self.records.0[index as usize].due <= self.clock {
                    return Some(index);
                }
                self.wheel.arm(&mut self.records, index);
            }
            self.gather_waiting();
            if self.waiting.is_empty() {
                return None;
            }
        }
    }

    /// Takes some of the next customers that the clock has reached out of the wheel at once, so that their waits for
    /// memory overlap.
    fn gather_waiting(&mut self) {
        let Shard { wheel, popped, waiting, arena, records, clock, .. } = self;
        while waiting.len() < LOOKAHEAD && wheel.pop(records, *clock, popped).is_some() {
            popped.iter().for_each(|index| arena.touch(records.0[*index as usize].block));
            popped.sort_unstable_by(|a, b| due_and_id(arena, records, *a).cmp(&due_and_id(arena, records, *b)));
            waiting.append(popped);
        }
        waiting.reverse();
    }

    fn peek(&mut self) -> Option<()> {
        let index = self.next_waiting()?;
        self.waiting.push(index);
        Some(())
    }

    fn count_moves(&mut self, changes: &[Change]) {
        for change in changes {
            let sizes = &mut self.sizes[usize::from(change.dimension.0)];
            sizes[size_index(change.from)] -= 1;
            sizes[size_index(change.to)] += 1;
        }
    }
}

/// Where an event's customer is, and what the event is known by.
#[derive(Debug, Clone, Copy)]
struct Located {
    hash: u64,
    fingerprint: Option<u64>,
    /// Probably the customer, seldom another one. `None`: not looked for, or not there yet.
    candidate: Option<u32>,
    /// Where the candidate's bytes were when it was looked for.
    block: Option<Block>,
}

impl Located {
    /// Nothing is looked up yet.
    fn of(Mark { customer, fingerprint }: Mark) -> Located {
        Located { hash: customer, fingerprint, candidate: None, block: None }
    }
}

/// What `Record` says of the open customer, while it changes.
#[derive(Debug, Clone, Copy)]
struct Now {
    index: u32,
    due: Instant,
    latest: Instant,
    /// `latest` before the judgement that is being made.
    judged: Instant,
}

fn id_of<'a>(arena: &'a Arena, record: &Record) -> &'a [u8] {
    let mut reader = Reader::new(arena.bytes(record.block));
    let n = reader.get_short() as usize;
    reader.bytes(n)
}

fn due_and_id<'a>(arena: &'a Arena, records: &RecordList, index: u32) -> (Instant, &'a [u8]) {
    let record = &records.0[index as usize];
    (record.due, id_of(arena, record))
}

fn size_index(segment: Option<SegmentId>) -> usize {
    segment.map_or(0, |segment| usize::from(segment.0) + 1)
}
