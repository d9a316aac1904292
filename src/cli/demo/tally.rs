//! What the demo counted: changes, and how long each took from the event's arrival in the log to a subscriber.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::kafka::feeder::Delivered;

/// When events that have not caused a change yet were in the log. Shared by who feeds and who subscribes.
#[derive(Debug, Default)]
pub struct Arrivals(Mutex<HashMap<(i32, i64), Instant>>);

impl Arrivals {
    pub fn note(&self, delivered: impl IntoIterator<Item = Delivered>) {
        let mut arrivals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        arrivals.extend(delivered.into_iter().map(|event| ((event.partition, event.offset), event.at)));
    }

    /// When the event at this place was in the log. An event may cause several changes, so it stays.
    pub fn of(&self, partition: i32, offset: i64) -> Option<Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&(partition, offset)).copied()
    }
}

/// Latencies as they are met.
#[derive(Debug, Default)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    pub fn add(&mut self, latency: Duration) {
        self.0.push(latency);
    }

    /// The latency that so many of a hundred do not exceed; `None` before the first.
    pub fn percentile(&mut self, percent: usize) -> Option<Duration> {
        self.0.sort_unstable();
        let last = self.0.len().checked_sub(1)?;
        Some(self.0[(self.0.len() * percent).div_ceil(100).saturating_sub(1).min(last)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentile(50), None);
        (1..=10).rev().for_each(|ms| latencies.add(Duration::from_millis(ms)));
        assert_eq!(latencies.percentile(50), Some(Duration::from_millis(5)));
        assert_eq!(latencies.percentile(99), Some(Duration::from_millis(10)));
        assert_eq!(latencies.percentile(0), Some(Duration::from_millis(1)));
    }
}
