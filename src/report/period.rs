//! The time that a report is about, and the instants at which segments are counted.

use crate::event::{Instant, Span};

/// More points of a series help nobody.
pub const SAMPLES_MAX: u64 = 5_000;

/// What lies after `from` and not after `end`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// `None`: with the first event, which belongs to it.
    pub from: Option<Instant>,
    pub end: Instant,
    /// When segments are counted: the end, and steps back from it; ascending.
    pub samples: Vec<Instant>,
}

/// The series would have too many points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a series of {0} points; at most {SAMPLES_MAX} can be shown: take a longer --every")]
pub struct TooMany(pub u64);

impl Period {
    /// `first`: the time of the first event.
    pub fn new(from: Option<Instant>, first: Instant, end: Instant, every: Span) -> Result<Period, TooMany> {
        assert!(every.0 > 0, "the step is checked where it is read");
        let start = from.unwrap_or(first).min(end);
        let n_steps = ((end - start).0 / every.0) as u64;
        if n_steps >= SAMPLES_MAX {
            return Err(TooMany(n_steps + 1));
        }
        let samples = (0..=n_steps).rev().map(|step| Instant(end.0 - step as i64 * every.0)).collect();
        Ok(Period { from, end, samples })
    }

    /// Whether what happened at `at` belongs to it; nothing is later than the end.
    pub fn has(&self, at: Instant) -> bool {
        self.from.is_none_or(|from| at > from)
    }

    /// The part of a time from `since` on and before `until` that lies in the period.
    pub fn part(&self, since: Instant, until: Instant) -> Span {
        let since = self.from.map_or(since, |from| since.max(from));
        Span((until.min(self.end) - since).0.max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_go_back_from_the_end() {
        let period = Period::new(None, Instant(3), Instant(24), Span(10)).expect("few");
        assert_eq!(period.samples, [Instant(4), Instant(14), Instant(24)]);
        assert_eq!(
            Period::new(Some(Instant(30)), Instant(3), Instant(24), Span(10)).expect("few").samples,
            [Instant(24)]
        );
        assert_eq!(Period::new(None, Instant(0), Instant(5_000), Span(1)), Err(TooMany(5_001)));
    }

    #[test]
    fn a_part_lies_within() {
        let period = Period { from: Some(Instant(10)), end: Instant(20), samples: Vec::new() };
        assert_eq!(period.part(Instant(5), Instant(12)), Span(2));
        assert_eq!(period.part(Instant(15), Instant::NEVER), Span(5));
        assert_eq!(period.part(Instant(1), Instant(3)), Span(0));
        assert!(!period.has(Instant(10)) && period.has(Instant(11)));
    }
}
