//! When to try again after failures: each pause twice the last, up to a bound, until something goes well.

use std::time::{Duration, Instant as Moment};

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

/// Failures in a row, and when to go on after them.
#[derive(Debug)]
pub struct Backoff {
    n_failed: u32,
    next_try: Moment,
}

impl Backoff {
    /// Nothing has failed yet.
    pub fn new(now: Moment) -> Backoff {
        Backoff { n_failed: 0, next_try: now }
    }

    /// When the next try may be made; it may be past.
    pub fn next_try(&self) -> Moment {
        self.next_try
    }

    pub fn failed(&mut self, now: Moment) {
        let pause = FIRST * 2u32.pow(self.n_failed.min(10));
        self.n_failed += 1;
        self.next_try = now + pause.min(LONGEST);
    }

    /// The next failure is a first one again.
    pub fn succeeded(&mut self) {
        self.n_failed = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_are_short_again_after_a_success() {
        let now = Moment::now();
        let mut backoff = Backoff::new(now);
        assert_eq!(backoff.next_try(), now);
        let mut pause = || {
            backoff.failed(now);
            (backoff.next_try() - now).as_millis()
        };
        let pauses: Vec<u128> = (0..9).map(|_| pause()).collect();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        backoff.succeeded();
        backoff.failed(now);
        assert_eq!(backoff.next_try(), now + FIRST);
    }
}
