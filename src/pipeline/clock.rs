//! The wall clock as shards may believe it.
//!
//! It moves only as fast as the monotonic clock, so that a machine whose clock jumps ahead does not age every customer,
//! and it never goes back. A broker's timestamp may bring it forward, or hold it when it turns out to be ahead of the
//! broker. While it lags behind the machine's clock, that is said in the log.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant as Moment};

use super::pace::Pace;
use super::sabotage::{self, Bug};
use super::wall::Wall;
use crate::event::{Instant, Span};

/// A smaller difference between the clocks is not worth a word.
const TOLERANCE: Span = Span::SECOND;

/// Shared by all who read the wall clock.
pub struct Clock {
    pace: Pace,
    wall: Wall,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The reading at `anchored` was this; from there on it goes with the monotonic clock.
    anchor: Instant,
    anchored: Moment,
    latest: Instant,
    is_alarmed: bool,
}

impl Clock {
    pub fn new(wall: Wall, pace: Pace) -> Clock {
        let now = wall.now();
        let state = State { anchor: now, anchored: pace.now(), latest: now, is_alarmed: false };
        Clock { pace, wall, state: Mutex::new(state) }
    }

    /// The present. Never before an earlier answer.
    pub fn now(&self) -> Instant {
        if !self.wall.is_machine() || sabotage::has(Bug::BelievesTheWall) {
            return self.wall.now();
        }
        self.state().read(self.wall.now(), self.pace.now())
    }

    /// What the answer was at an earlier moment, about.
    pub fn at(&self, moment: Moment) -> Instant {
        self.now() - span(self.pace.since(moment))
    }

    /// A broker stamped a record with this time: it is at least so late.
    pub fn confirm(&self, stamped: Instant) {
        if self.wall.is_machine() {
            self.state().confirm(self.wall.now(), self.pace.now(), stamped);
        }
    }

    /// A broker stamped a record with this time at `asked` or later: by then it was not later than that.
    pub fn refute(&self, asked: Moment, stamped: Instant, tolerance: Span) {
        if self.wall.is_machine() && self.at(asked) > stamped + tolerance {
            self.state().hold(self.pace.now(), stamped);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Where the monotonic clock says we are.
    fn paced(&self, moment: Moment) -> Instant {
        self.anchor + span(moment.saturating_duration_since(self.anchored))
    }

    fn read(&mut self, wall: Instant, moment: Moment) -> Instant {
        let paced = self.paced(moment);
        self.alarm(wall, paced);
        self.latest = self.latest.max(wall.min(paced));
        self.latest
    }

    fn confirm(&mut self, wall: Instant, moment: Moment, stamped: Instant) {
        let believed = wall.min(stamped);
        if believed > self.paced(moment) {
            (self.anchor, self.anchored) = (believed, moment);
        }
    }

    fn hold(&mut self, moment: Moment, stamped: Instant) {
        if stamped < self.paced(moment) {
            (self.anchor, self.anchored) = (stamped, moment);
        }
    }

    /// Says once that the clocks disagree, and once that they agree again.
    fn alarm(&mut self, wall: Instant, paced: Instant) {
        let is_off = wall > paced + TOLERANCE || wall + TOLERANCE < self.latest;
        if is_off && !self.is_alarmed {
            tracing::error!(
                "the machine's clock says {wall}, which cannot be: time is taken to be {}; check its synchronisation",
                paced.min(wall).max(self.latest)
            );
        } else if self.is_alarmed && !is_off {
            tracing::info!("the machine's clock is believed again");
        }
        self.is_alarmed = is_off;
    }
}

fn span(duration: Duration) -> Span {
    Span(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(start: Moment) -> State {
        State { anchor: Instant(1_000_000), anchored: start, latest: Instant(1_000_000), is_alarmed: false }
    }

    #[test]
    fn a_jump_ahead_is_not_followed_until_a_broker_confirms_it() {
        let start = Moment::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut state = state(start);
        assert_eq!(state.read(Instant(1_000_100), after(100)), Instant(1_000_100));
        assert_eq!(state.read(Instant(9_000_000), after(200)), Instant(1_000_200));
        assert!(state.is_alarmed);
        state.confirm(Instant(9_000_100), after(300), Instant(9_000_050));
        assert_eq!(state.read(Instant(9_000_150), after(350)), Instant(9_000_100));
        assert!(!state.is_alarmed);
    }

    #[test]
    fn a_jump_back_stands_still() {
        let start = Moment::now();
        let mut state = state(start);
        let later = start + Duration::from_secs(10);
        assert_eq!(state.read(Instant(1_010_000), later), Instant(1_010_000));
        assert_eq!(state.read(Instant(1_000_000), later), Instant(1_010_000));
        assert!(state.is_alarmed);
    }

    #[test]
    fn a_clock_ahead_of_the_brokers_stands_until_they_have_caught_up() {
        let start = Moment::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut state = state(start);
        state.read(Instant(1_000_000), start);
        state.hold(start, Instant(940_000));
        assert_eq!(state.read(Instant(1_050_000), after(50_000)), Instant(1_000_000));
        assert_eq!(state.read(Instant(1_070_000), after(70_000)), Instant(1_010_000));
    }
}
