//! Many events applied together, customer by customer: those of one customer follow each other, so that the customer is
//! fetched, opened and put back once for all of them.
//!
//! Customers are independent of each other, and each event comes with its own clock; so what is judged, and what comes
//! of it, is what applying the events one by one would give. Only the changes of different customers may come in
//! another order.

use hashbrown::HashTable;

use super::{Located, Mark, Now, Shard};
use crate::engine::change::{Change, Outcome};
use crate::event::{Event, Instant};

/// The memory of so many customers is fetched at once, right before the first of them is opened: one after the other
/// they would be waited for singly.
const FETCHED_TOGETHER: usize = 16;

/// An accepted event on its way to the shard.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'e> {
    pub event: &'e Event<'e>,
    /// Of that event.
    pub mark: Mark,
    /// Where the shard's clock stands before this record. Never goes back from one arrival to the next.
    pub clock_before: Instant,
    /// Where the record moves it to.
    pub clock_after: Instant,
}

/// In which order the events of a batch are applied.
#[derive(Debug, Default)]
pub(super) struct Lineup {
    located: Vec<Located>,
    outcomes: Vec<Outcome>,
    /// Indices of the events: customers in the order of their first events, each with all of theirs.
    order: Vec<u32>,
    /// Numbers of the customers, by hash. Two customers of one hash share theirs, and take turns.
    numbers: HashTable<(u64, u32)>,
    /// Of each event its customer's number.
    number_of: Vec<u32>,
    /// Of each customer, where in the order the next of their events goes.
    starts: Vec<u32>,
}

impl Lineup {
    fn arrange(&mut self) {
        let Lineup { located, order, numbers, number_of, starts, .. } = self;
        numbers.clear();
        number_of.clear();
        starts.clear();
        for Located { hash, .. } in located.iter() {
            let entry = numbers.entry(*hash, |(known, _)| known == hash, |(known, _)| *known);
            let (_, number) = *entry.or_insert((*hash, starts.len() as u32)).get();
            if number as usize == starts.len() {
                starts.push(0);
            }
            starts[number as usize] += 1;
            number_of.push(number);
        }
        let mut n_before = 0;
        for start in &mut *starts {
            n_before += std::mem::replace(start, n_before);
        }
        order.clear();
        order.resize(located.len(), 0);
        for (index, number) in number_of.iter().enumerate() {
            let place = &mut starts[*number as usize];
            order[*place as usize] = index as u32;
            *place += 1;
        }
    }
}

/// Events on their way through a shard. Dropped, it puts the last customer back and moves the clock behind all events;
/// those that it was not asked for by then are lost.
#[derive(Debug)]
pub struct Batch<'s, 'e> {
    shard: &'s mut Shard,
    arrivals: &'s [Arrival<'e>],
    /// How many were applied.
    n_applied: usize,
    open: Option<Now>,
}

impl Shard {
    /// Begins to apply accepted events, in the order in which they were read. Their number should be in the hundreds:
    /// more find more company of their own customer, and too much memory to stay close.
    pub fn batch<'s, 'e>(&'s mut self, arrivals: &'s [Arrival<'e>]) -> Batch<'s, 'e> {
        let mut lineup = std::mem::take(&mut self.lineup);
        lineup.located.clear();
        lineup.located.extend(arrivals.iter().map(|arrival| Located::of(arrival.mark)));
        lineup.arrange();
        self.look_up(&mut lineup.located);
        lineup.outcomes.clear();
        lineup.outcomes.extend(lineup.located.iter().zip(arrivals).map(|(located, arrival)| {
            self.observe(arrival.clock_before);
            self.check(*located, arrival.event)
        }));
        self.lineup = lineup;
        Batch { shard: self, arrivals, n_applied: 0, open: None }
    }

    /// Looks customers and fingerprints up, all before the first is used, so that the waits for memory overlap: one kind
    /// of memory after the other, since what is waited for in one loop does not depend on each other.
    fn look_up(&self, located: &mut [Located]) {
        for located in &mut *located {
            self.index.find(located.hash, |index| {
                located.candidate = Some(*index);
                true
            });
            if let Some(fingerprint) = located.fingerprint {
                self.dedup.touch(fingerprint);
            }
        }
        for located in located {
            located.block = located.candidate.map(|index| self.records.0[index as usize].block);
        }
    }
}

/// Reads a byte of what an event says in memory of its own, which another thread may have written, so that it is at hand
/// soon.
fn touch(event: &Event) {
    let lines = event.lines.first().map(|line| line.quantity);
    let texts = event.texts.each_ref().map(|text| text.as_ref().and_then(|text| text.as_bytes().first().copied()));
    std::hint::black_box((event.customer.as_bytes().first().copied(), lines, texts));
}

impl Batch<'_, '_> {
    /// Applies the next event. Says which of the arrivals it was, and what became of it.
    pub fn apply_next(&mut self, out: &mut Vec<Change>) -> Option<(usize, Outcome)> {
        let lineup = &self.shard.lineup;
        let index = *lineup.order.get(self.n_applied)? as usize;
        if self.n_applied.is_multiple_of(FETCHED_TOGETHER) {
            let soon = lineup.order[self.n_applied..].iter().take(FETCHED_TOGETHER).map(|index| *index as usize);
            for index in soon {
                touch(self.arrivals[index].event);
                lineup.located[index].block.iter().for_each(|block| self.shard.arena.touch(*block));
            }
        }
        self.n_applied += 1;
        let (located, outcome) = (lineup.located[index], lineup.outcomes[index]);
        if outcome != Outcome::Duplicate {
            let Arrival { event, clock_before, .. } = self.arrivals[index];
            let mut now = self.open(located, &event.customer);
            self.shard.apply_open(&mut now, event, clock_before, out);
            self.open = Some(now);
        }
        Some((index, outcome))
    }

    fn open(&mut self, located: Located, customer: &str) -> Now {
        if let Some(now) = self.open.take() {
            // Why something changed is told by the customer's block, as it was before the event.
            if self.shard.reasons.is_none() && self.shard.open.id == customer.as_bytes() {
                return now;
            }
            self.shard.close(now);
        }
        self.shard.open(located, customer)
    }
}

/// Everyone who is due up to the shard's clock, each judged at all their dues at once. Dropped before its end, it leaves
/// the others due.
#[derive(Debug)]
pub struct Overdue<'s> {
    shard: &'s mut Shard,
    found: Vec<u32>,
}

impl Shard {
    /// Moves the clock and begins to judge everyone due at or before it, customer by customer in no particular order:
    /// [`Shard::advance`] for those who bring the changes into an order themselves.
    pub fn overdue(&mut self, clock: Instant) -> Overdue<'_> {
        self.observe(clock);
        // What `advance` was about to judge.
        let found = std::mem::take(&mut self.waiting);
        Overdue { shard: self, found }
    }
}

impl Overdue<'_> {
    /// Judges the next customer; false when nobody is due any more.
    pub fn judge_next(&mut self, out: &mut Vec<Change>) -> bool {
        let Overdue { shard, found } = self;
        let is_new = found.is_empty() && shard.wheel.take_due(&mut shard.records, shard.clock, found);
        if is_new || found.len().is_multiple_of(FETCHED_TOGETHER) {
            let soon = found.iter().rev().take(FETCHED_TOGETHER);
            soon.for_each(|index| shard.arena.touch(shard.records.0[*index as usize].block));
        }
        let Some(index) = found.pop() else { return false };
        let n_before = out.len();
        let mut now = shard.now_of(index);
        if now.due <= shard.clock {
            shard.open_at(index);
            while now.due <= shard.clock {
                shard.judge_due(&mut now, out);
            }
            shard.put_back(now);
            shard.count_moves(&out[n_before..]);
        }
        shard.wheel.arm(&mut shard.records, index);
        true
    }
}

impl Drop for Overdue<'_> {
    fn drop(&mut self) {
        let Overdue { shard, found } = self;
        found.iter().for_each(|index| shard.wheel.arm(&mut shard.records, *index));
        found.clear();
        // Its memory is used again.
        shard.waiting = std::mem::take(found);
    }
}

impl Drop for Batch<'_, '_> {
    fn drop(&mut self) {
        if let Some(now) = self.open.take() {
            self.shard.close(now);
        }
        self.arrivals.iter().for_each(|arrival| self.shard.observe(arrival.clock_after));
    }
}
