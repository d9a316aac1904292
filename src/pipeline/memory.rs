//! How much memory the process has, beside the limit that it was given: said before it is reached. Nothing is refused for
//! it: what waits to be used or to be committed is bounded apart, and state is what it is.

use std::fs;
use std::sync::Mutex;

use crate::telemetry::metrics;

/// Of the limit, in percent: from here on somebody should look.
const ALARM_PERCENT: u64 = 85;
/// An alarm ends when so much less is taken, in percent of the limit, lest it come and go.
const RELIEF_PERCENT: u64 = 5;

/// How near the limit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
enum Stage {
    #[default]
    Fine,
    Near,
    Past,
}

/// Compares what is taken with the limit.
#[derive(Debug)]
pub struct Memory {
    limit_bytes: Option<u64>,
    stage: Mutex<Stage>,
}

impl Memory {
    pub fn new(limit_bytes: Option<u64>) -> Memory {
        Memory { limit_bytes, stage: Mutex::default() }
    }

    /// Looks, and says in the log what has changed since the last look.
    pub fn look(&self, state_bytes: u64) {
        let Some(resident) = resident_bytes() else { return };
        metrics::RESIDENT_BYTES.set([], resident as f64);
        let Some(limit) = self.limit_bytes else { return };
        let Ok(mut stage) = self.stage.lock() else { return };
        let now = next_stage(*stage, resident, limit);
        if now != *stage {
            let (resident, limit, state) = (mib(resident), mib(limit), mib(state_bytes));
            let remedy = "start another instance, shorten windows, or raise state.memory_limit";
            match now {
                Stage::Fine => tracing::info!("memory is fine again: {resident} of {limit} MiB"),
                Stage::Near => tracing::error!(
                    "memory is at {resident} of {limit} MiB, {state} of them customers' state: {remedy} before it is full"
                ),
                Stage::Past => tracing::error!(
                    "memory is at {resident} MiB, past its limit of {limit}; {state} are customers' state: {remedy}"
                ),
            }
        }
        *stage = now;
    }
}

fn next_stage(before: Stage, resident: u64, limit: u64) -> Stage {
    // One that has been reached is left only when there is some room again.
    let from = |stage: Stage, percent: u64| {
        let relief = if before >= stage { RELIEF_PERCENT } else { 0 };
        resident >= limit / 100 * (percent - relief)
    };
    match (from(Stage::Past, 100), from(Stage::Near, ALARM_PERCENT)) {
        (true, _) => Stage::Past,
        (false, true) => Stage::Near,
        (false, false) => Stage::Fine,
    }
}

fn mib(n_bytes: u64) -> u64 {
    n_bytes >> 20
}

/// As Linux tells it; elsewhere nobody knows.
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alarm_comes_before_the_limit_and_does_not_flap() {
        let limit = 1_000;
        let mut stage = Stage::Fine;
        let mut at = |resident| {
            stage = next_stage(stage, resident, limit);
            stage
        };
        assert_eq!(at(849), Stage::Fine);
        assert_eq!(at(850), Stage::Near);
        assert_eq!(at(820), Stage::Near);
        assert_eq!(at(1_000), Stage::Past);
        assert_eq!(at(960), Stage::Past);
        assert_eq!(at(949), Stage::Near);
        assert_eq!(at(799), Stage::Fine);
    }

    #[test]
    fn this_process_has_some_memory() {
        assert!(resident_bytes().is_none_or(|bytes| bytes > 1 << 20));
    }
}
