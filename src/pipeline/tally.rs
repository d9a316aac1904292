//! What a worker has counted since it last told: no metric is touched for a single event.

use crate::engine::Outcome;
use crate::event::{KindId, Reason};
use crate::rules::Plan;
use crate::telemetry::metrics;

use super::status::Status;

/// Counts of one worker.
#[derive(Debug)]
pub struct Tally {
    /// By kind.
    n_folded: Vec<u64>,
    /// Since the last [`Tally::tell_progress`].
    n_records: u64,
    n_duplicates: u64,
    n_unchecked: u64,
    /// By reason, in the order of [`Reason::ALL`].
    n_rejects: [u64; Reason::ALL.len()],
}

impl Tally {
    pub fn new(plan: &Plan) -> Tally {
        Tally {
            n_folded: vec![0; plan.kinds.len()],
            n_records: 0,
            n_duplicates: 0,
            n_unchecked: 0,
            n_rejects: [0; Reason::ALL.len()],
        }
    }

    pub fn event(&mut self, kind: KindId, outcome: Outcome) {
        self.n_records += 1;
        match outcome {
            Outcome::Duplicate => self.n_duplicates += 1,
            Outcome::Unchecked => self.n_unchecked += 1,
            Outcome::Folded => {}
        }
        if outcome != Outcome::Duplicate {
            self.n_folded[usize::from(kind.0)] += 1;
        }
    }

    pub fn reject(&mut self, reason: Reason) {
        self.n_records += 1;
        self.n_rejects[reason as usize] += 1;
    }

    /// Says how many records were dealt with, for who waits for that.
    pub fn tell_progress(&mut self, status: &Status) {
        if self.n_records > 0 {
            status.add_records(std::mem::take(&mut self.n_records));
        }
    }

    /// Adds everything to the metrics and begins anew.
    pub fn tell(&mut self, plan: &Plan, status: &Status) {
        let mut n_events = 0;
        for (kind, n) in plan.schema.kinds.iter().zip(&mut self.n_folded) {
            n_events += *n;
            if *n > 0 {
                metrics::EVENTS.increment([&kind.name], std::mem::take(n));
            }
        }
        status.add_events(n_events);
        for (reason, n) in Reason::ALL.iter().zip(&mut self.n_rejects) {
            if *n > 0 {
                metrics::REJECTS.increment([reason.name()], std::mem::take(n));
            }
        }
        metrics::DUPLICATES.increment([], std::mem::take(&mut self.n_duplicates));
        metrics::UNCHECKED.increment([], std::mem::take(&mut self.n_unchecked));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_numbered_in_their_order() {
        for (index, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, index);
        }
    }
}
