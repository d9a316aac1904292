//! One dimension, counted: who was in which segment and when, who moved, how long they stayed, who came back.
//!
//! Segments are numbered with none in front, as in the engine's sizes. What always holds: at each sample the sizes add
//! up to the customers that had come by then.

use super::dwell::{Stay, Stays};
use super::period::Period;
use crate::event::{Instant, Span};

/// A segment's number in a tally: 0 is none, 1 the first segment.
pub type Slot = usize;

/// The moves of one customer in one dimension.
#[derive(Debug, Clone, Copy)]
pub struct Timeline<'a> {
    /// When the customer came, to none.
    pub first: Instant,
    /// To where and when, in order.
    pub moves: &'a [(Instant, Slot)],
}

impl Timeline<'_> {
    pub fn last(&self) -> Slot {
        self.moves.last().map_or(0, |(_, to)| *to)
    }
}

/// What is known of one dimension.
#[derive(Debug)]
pub struct Tally {
    /// `[sample][slot]`, of sizes, as differences until [`Tally::finish`].
    pub sizes: Vec<Vec<i64>>,
    /// `[from][to]`.
    pub flows: Vec<Vec<Flow>>,
    pub slots: Vec<SlotTally>,
    /// The customer who was counted last in each flow, to count each once.
    last_in_flow: Vec<Vec<usize>>,
    n_customers: usize,
}

/// Moves from one segment to another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flow {
    pub n_moves: u64,
    pub n_customers: u64,
}

/// What is known of one segment.
#[derive(Debug, Default)]
pub struct SlotTally {
    /// At the end.
    pub size: u64,
    /// So long before the end as growth is measured over.
    pub size_before: u64,
    /// In the period.
    pub n_entered: u64,
    pub n_left: u64,
    /// Time that customers spent there in the period, in milliseconds.
    pub time_ms: i128,
    /// That began in the period.
    pub stays: Stays,
    /// Left in the period, and long enough ago to know whether they were back in time.
    pub n_left_observed: u64,
    /// Of these, back within the flap window.
    pub n_flaps_observed: u64,
    /// All that were back within the flap window.
    pub n_flaps: u64,
}

/// What a tally measures against.
#[derive(Debug, Clone, Copy)]
pub struct Against<'a> {
    pub period: &'a Period,
    pub growth_window: Span,
    pub flap_window: Span,
}

impl Tally {
    pub fn new(n_slots: usize, n_samples: usize) -> Tally {
        Tally {
            sizes: vec![vec![0; n_slots]; n_samples + 1],
            flows: vec![vec![Flow::default(); n_slots]; n_slots],
            slots: (0..n_slots).map(|_| SlotTally::default()).collect(),
            last_in_flow: vec![vec![0; n_slots]; n_slots],
            n_customers: 0,
        }
    }

    /// Counts one customer.
    pub fn add(&mut self, timeline: Timeline<'_>, against: Against<'_>) {
        self.n_customers += 1;
        let before = against.period.end - against.growth_window;
        let mut last_left: Vec<Option<Instant>> = vec![None; self.slots.len()];
        let (mut slot, mut since) = (0, timeline.first);
        for (at, to) in timeline.moves.iter().copied().chain([(Instant::NEVER, usize::MAX)]) {
            self.add_stay(slot, since, at, against);
            if since <= before && before < at {
                self.slots[slot].size_before += 1;
            }
            if at.is_never() {
                self.slots[slot].size += 1;
                break;
            }
            last_left[slot] = Some(at);
            if against.period.has(at) {
                self.add_move(slot, to);
                self.slots[slot].n_left_observed += u64::from(at <= against.period.end - against.flap_window);
            }
            if let Some(left) =
                last_left[to].filter(|left| at - *left <= against.flap_window && against.period.has(*left))
            {
                let slot = &mut self.slots[to];
                slot.n_flaps += 1;
                slot.n_flaps_observed += u64::from(left <= against.period.end - against.flap_window);
            }
            (slot, since) = (to, at);
        }
    }

    fn add_stay(&mut self, slot: Slot, since: Instant, until: Instant, against: Against<'_>) {
        let period = against.period;
        let sample = |at: Instant| period.samples.partition_point(|sample| *sample < at);
        self.sizes[sample(since)][slot] += 1;
        self.sizes[sample(until)][slot] -= 1;
        let tally = &mut self.slots[slot];
        tally.time_ms += i128::from(period.part(since, until).0);
        if period.has(since) {
            tally.stays.push(Stay { length: until.min(period.end) - since, has_ended: !until.is_never() });
        }
    }

    fn add_move(&mut self, from: Slot, to: Slot) {
        let flow = &mut self.flows[from][to];
        flow.n_moves += 1;
        let last = std::mem::replace(&mut self.last_in_flow[from][to], self.n_customers);
        flow.n_customers += u64::from(last != self.n_customers);
        self.slots[from].n_left += 1;
        self.slots[to].n_entered += 1;
    }

    /// When all customers are counted: sizes instead of differences.
    pub fn finish(&mut self) {
        // What begins or ends after the last sample shows in none.
        self.sizes.pop();
        for sample in 1..self.sizes.len() {
            let (before, after) = self.sizes.split_at_mut(sample);
            let last = &before[sample - 1];
            after[0].iter_mut().zip(last).for_each(|(size, before)| *size += before);
        }
    }
}
