//! How far the inputs reach, as their leaders said at a known moment: what "read to the end" is decided by.
//!
//! A leader that does not answer, an open transaction and a stalled fetch are all not an end: the answer grows old, or
//! the reader's position stays below it.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant as Moment};

use super::pace::Waker;

/// The latest answers for all partitions of all inputs.
pub struct Ends {
    base: Moment,
    n_partitions: usize,
    slots: Vec<Slot>,
    owned: Mutex<Vec<i32>>,
    is_demanded: AtomicBool,
    poller: OnceLock<Waker>,
}

#[derive(Debug)]
struct Slot {
    /// The high watermark.
    high: AtomicI64,
    /// When it was asked for, in microseconds after `base`, plus one; 0: never.
    asked: AtomicU64,
}

impl Ends {
    /// `base` is the present.
    pub fn new(n_inputs: usize, n_partitions: usize, base: Moment) -> Ends {
        let slot = |_| Slot { high: AtomicI64::new(i64::MAX), asked: AtomicU64::new(0) };
        Ends {
            base,
            n_partitions,
            slots: (0..n_inputs * n_partitions).map(slot).collect(),
            owned: Mutex::default(),
            is_demanded: AtomicBool::new(false),
            poller: OnceLock::new(),
        }
    }

    /// When it was last known that a reader at `position` has read everything: the moment of the question. `None` when
    /// it has not, or nobody knows.
    pub fn reached(&self, input: usize, partition: i32, position: i64) -> Option<Moment> {
        let slot = &self.slots[self.index(input, partition)];
        // The moment first: a mark that is newer than the moment can only be higher.
        let asked = slot.asked.load(Ordering::Acquire);
        let is_reached = asked > 0 && position >= slot.high.load(Ordering::Acquire);
        is_reached.then(|| self.base + Duration::from_micros(asked - 1))
    }

    /// The high watermark as last told, if ever.
    pub fn high(&self, input: usize, partition: i32) -> Option<i64> {
        let slot = &self.slots[self.index(input, partition)];
        (slot.asked.load(Ordering::Acquire) > 0).then(|| slot.high.load(Ordering::Acquire))
    }

    /// A leader's answer to a question that was sent at `asked`.
    pub fn told(&self, input: usize, partition: i32, high: i64, asked: Moment) {
        let slot = &self.slots[self.index(input, partition)];
        let micros = asked.saturating_duration_since(self.base).as_micros() as u64 + 1;
        slot.high.store(high, Ordering::Release);
        slot.asked.store(micros, Ordering::Release);
    }

    /// Asks for a fresh answer soon.
    pub fn demand(&self) {
        if !self.is_demanded.swap(true, Ordering::AcqRel)
            && let Some(poller) = self.poller.get()
        {
            poller.wake();
        }
    }

    pub fn is_demanded(&self) -> bool {
        self.is_demanded.load(Ordering::Acquire)
    }

    /// Whether somebody waits for an answer; from now on nobody.
    pub fn take_demand(&self) -> bool {
        self.is_demanded.swap(false, Ordering::AcqRel)
    }

    /// Whom to wake when an answer is wanted.
    pub fn poll_from(&self, poller: Waker) {
        self.poller.get_or_init(|| poller);
    }

    /// Whose ends are of interest.
    pub fn set_owned(&self, partitions: Vec<i32>) {
        *self.owned.lock().unwrap_or_else(PoisonError::into_inner) = partitions;
    }

    pub fn owned(&self) -> Vec<i32> {
        self.owned.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn index(&self, input: usize, partition: i32) -> usize {
        input * self.n_partitions + usize::try_from(partition).expect("partitions count from 0")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_reached_as_of_the_question_that_told_it() {
        let ends = Ends::new(2, 3, Moment::now());
        assert_eq!(ends.reached(1, 2, i64::MAX - 1), None);
        let asked = Moment::now();
        ends.told(1, 2, 10, asked);
        assert_eq!(ends.reached(1, 2, 9), None);
        let reached = ends.reached(1, 2, 10).expect("the position is the mark");
        assert!(asked.duration_since(reached) < Duration::from_millis(1));
        assert_eq!(ends.reached(0, 2, 10), None);
        assert_eq!((ends.high(1, 2), ends.high(1, 1)), (Some(10), None));
    }
}
