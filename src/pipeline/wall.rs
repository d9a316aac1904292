//! The wall clock as the pipeline reads it: the machine's, or one that somebody drives, so that a year of a shop can pass
//! in a minute. Only the pipeline reads it; the engine is handed instants.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::event::Instant;

/// Where the pipeline's wall clock comes from.
#[derive(Debug, Clone, Default)]
pub enum Wall {
    /// The machine's clock.
    #[default]
    System,
    /// It stands where it was last set.
    Driven(Driven),
    /// A machine's clock whose hand somebody else moves, ahead and back; it is believed no further than the machine's.
    Set(Hand),
}

impl Wall {
    pub fn now(&self) -> Instant {
        match self {
            Wall::System => system_now(),
            Wall::Driven(driven) => driven.now(),
            Wall::Set(hand) => hand.now(),
        }
    }

    /// True when it should go as fast as the machine's monotonic clock, and may fail to.
    pub fn is_machine(&self) -> bool {
        matches!(self, Wall::System | Wall::Set(_))
    }
}

/// The machine's clock; 1970 when it stands before that.
fn system_now() -> Instant {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Instant(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// A clock that stands still until it is moved on. It never goes back.
#[derive(Debug, Clone)]
pub struct Driven(Arc<AtomicI64>);

impl Driven {
    pub fn new(start: Instant) -> Driven {
        Driven(Arc::new(AtomicI64::new(start.0)))
    }

    pub fn now(&self) -> Instant {
        Instant(self.0.load(Ordering::Acquire))
    }

    /// Moves it on to `instant`, unless it is there already.
    pub fn advance(&self, instant: Instant) {
        self.0.fetch_max(instant.0, Ordering::AcqRel);
    }
}

/// What shows the time of a machine in a simulation, and may jump.
#[derive(Debug, Clone)]
pub struct Hand(Arc<AtomicI64>);

impl Hand {
    pub fn new(start: Instant) -> Hand {
        Hand(Arc::new(AtomicI64::new(start.0)))
    }

    pub fn now(&self) -> Instant {
        Instant(self.0.load(Ordering::Acquire))
    }

    pub fn set(&self, instant: Instant) {
        self.0.store(instant.0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driven_clock_moves_for_all_who_hold_it_and_never_back() {
        let driven = Driven::new(Instant(5));
        let wall = Wall::Driven(driven.clone());
        assert_eq!(wall.now(), Instant(5));
        driven.advance(Instant(9));
        driven.advance(Instant(7));
        assert_eq!(wall.now(), Instant(9));
    }

    #[test]
    fn the_machine_is_past_the_day_this_was_written() {
        assert!(Wall::System.now() > Instant(1_700_000_000_000));
    }
}
