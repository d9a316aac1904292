//! Plays the shop: puts its events into the topic as its time goes by, and drives the clock that the pipeline goes by.
//!
//! What always holds: the clock moves on to an instant only when every event up to it was dealt with, so that none comes
//! late and the changes are those of a replay, at any speed.

use std::sync::Arc;
use std::time::{Duration, Instant as Moment};

use crossbeam_channel::{after, tick};

use super::shop::ShopEvent;
use super::tally::Arrivals;
use crate::event::{Instant, Span};
use crate::kafka::{Feeder, feeder};
use crate::pipeline::{Driven, Phase, Status, Stop};

/// How often the shop's time moves on.
const STEP: Duration = Duration::from_millis(20);
/// How many events a step has when nobody asks for a speed.
const STEP_EVENTS: usize = 500;
/// How long the broker in this process may take for one step.
const SETTLE_MAX: Duration = Duration::from_secs(30);
/// How often the player looks whether the pipeline has come as far as it.
const LOOK: Duration = Duration::from_millis(1);

/// How fast the shop's time goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// Days of the shop in a second.
    Days(f64),
    /// As fast as events are dealt with.
    Max,
}

impl std::str::FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Speed, String> {
        if text == "max" {
            return Ok(Speed::Max);
        }
        match text.parse::<f64>() {
            Ok(days) if days.is_finite() && days > 0.0 => Ok(Speed::Days(days)),
            _ => Err("a speed is days of the shop in a second, such as 4 or 0.5, or max".to_owned()),
        }
    }
}

/// Everything that the shop is played with.
pub struct Player {
    pub feeder: Feeder,
    pub arrivals: Arc<Arrivals>,
    pub wall: Driven,
    pub status: Arc<Status>,
    pub stop: Stop,
    pub speed: Speed,
    /// How far the clock of the pipeline stays behind the wall clock.
    pub grace: Span,
    /// How long time goes on after the last event.
    pub after: Span,
    /// Ends then. Otherwise time goes on as it does outside, until a stop is requested.
    pub is_once: bool,
}

/// How far the shop came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Played {
    pub n_events: u64,
    /// The time of the last event.
    pub at: Instant,
}

impl Player {
    /// Plays all events and the time after them; ends earlier when a stop is requested.
    pub fn play(mut self, events: impl Iterator<Item = ShopEvent>) -> Result<Played, feeder::Error> {
        let mut events = events.peekable();
        let Some(start) = events.peek().map(|event| event.time) else {
            return Ok(Played { n_events: 0, at: Instant::ORIGIN });
        };
        // The shop opens when somebody listens; otherwise the first customers' changes would seem slow.
        self.wait_until(|status| status.phase() == Phase::Live);
        let pace = Pace { started: Moment::now(), start, speed: self.speed };
        let (ticks, mut played) = (tick(STEP), Played { n_events: 0, at: start });
        while events.peek().is_some() && !self.stop.is_requested() {
            let target = pace.wait(&ticks);
            let mut n_sent = 0;
            while let Some(event) = events.next_if(|event| match target {
                Some(target) => event.time <= target,
                None => n_sent < STEP_EVENTS || event.time == played.at,
            }) {
                self.feeder.send(&event.customer, &event.payload, event.time.0)?;
                played.at = event.time;
                n_sent += 1;
            }
            played.n_events += n_sent as u64;
            self.arrivals.note(self.feeder.settle(SETTLE_MAX)?);
            self.wait_until(|status| status.n_records() >= played.n_events);
            self.wall.advance(target.unwrap_or(played.at));
        }
        self.let_time_pass(played.at, &pace, &ticks);
        Ok(played)
    }

    /// Nobody buys any more; what is due by time alone comes to pass. Ends with the pipeline's clock at the very end.
    fn let_time_pass(&self, last: Instant, pace: &Pace, ticks: &crossbeam_channel::Receiver<Moment>) {
        let end = last + self.after + self.grace;
        while self.wall.now() < end && !self.stop.is_requested() {
            self.wall.advance(pace.wait(ticks).unwrap_or(end).min(end));
        }
        self.wait_until(|status| status.clock() >= last + self.after);
        let ended = Moment::now();
        while !self.is_once && !self.stop.is_requested() {
            let _ = ticks.recv();
            self.wall.advance(end + Span(ended.elapsed().as_millis() as i64));
        }
    }

    fn wait_until(&self, is_there: impl Fn(&Status) -> bool) {
        while !is_there(&self.status) && !self.stop.is_requested() {
            let _ = after(LOOK).recv();
        }
    }
}

/// What the shop's time is.
struct Pace {
    started: Moment,
    start: Instant,
    speed: Speed,
}

impl Pace {
    /// Waits for the next step and tells the shop's time then; `None` when there is no pace to keep.
    fn wait(&self, ticks: &crossbeam_channel::Receiver<Moment>) -> Option<Instant> {
        let Speed::Days(days) = self.speed else { return None };
        let _ = ticks.recv();
        let passed_ms = self.started.elapsed().as_secs_f64() * days * Span::DAY.0 as f64;
        Some(self.start + Span(passed_ms as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_days_a_second_or_max() {
        assert_eq!("4".parse(), Ok(Speed::Days(4.0)));
        assert_eq!("0.5".parse(), Ok(Speed::Days(0.5)));
        assert_eq!("max".parse(), Ok(Speed::Max));
        for wrong in ["0", "-1", "fast", "inf", "NaN", ""] {
            assert!(wrong.parse::<Speed>().is_err(), "{wrong:?}");
        }
    }
}
