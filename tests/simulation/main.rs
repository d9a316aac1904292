//! Whole instances in a simulated world, decided by a seed: exactly once, whatever happens.
//!
//! The pipeline runs as it is, but for Kafka, time and threads. `DORMOUSE_SEEDS=17` lives one life,
//! `DORMOUSE_SEEDS=0..100000` many.

mod broker;
#[cfg(feature = "sabotage")]
mod bugs;
mod client;
mod history;
mod keeping;
mod life;
mod schedule;
mod twins;
mod verdict;

use std::num::NonZero;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use life::{Leaning, Lived};

const SEEDS: Range<u64> = 0..300;

/// The seeds asked for, or the usual ones.
fn seeds() -> Range<u64> {
    let Ok(asked) = std::env::var("DORMOUSE_SEEDS") else { return SEEDS };
    let number = |text: &str| text.trim().parse::<u64>().expect("DORMOUSE_SEEDS is a number or a range");
    match asked.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => number(&asked)..number(&asked) + 1,
    }
}

/// Lives the lives of all these seeds, on all cores; fails with the least seed that was found to break something.
fn live_all(seeds: Range<u64>, leaning: Leaning) -> Vec<Lived> {
    let (next, failed) = (AtomicU64::new(seeds.start), Mutex::new(None));
    let n_threads = thread::available_parallelism().map_or(1, NonZero::get);
    let live = || {
        let mut lived = Vec::new();
        while let seed = next.fetch_add(1, Ordering::Relaxed)
            && seed < seeds.end
        {
            match life::live_leaning(seed, leaning) {
                Ok(one) => lived.push(one),
                Err(broken) => {
                    next.store(seeds.end, Ordering::Relaxed);
                    let mut failed = failed.lock().expect("nobody panics with it");
                    let is_first = failed.as_ref().is_none_or(|(other, _)| seed < *other);
                    *failed = if is_first { Some((seed, broken)) } else { failed.take() };
                }
            }
        }
        lived
    };
    let lived = thread::scope(|scope| {
        let threads: Vec<_> = (0..n_threads).map(|_| scope.spawn(live)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a life ends with an error")).collect()
    });
    if let Some((seed, broken)) = failed.into_inner().expect("nobody panics with it") {
        panic!("DORMOUSE_SEEDS={seed}: {broken}");
    }
    lived
}

#[test]
fn whatever_happens_every_change_is_told_once() {
    let (seeds, begun) = (seeds(), Instant::now());
    let n_seeds = seeds.end - seeds.start;
    let lived = live_all(seeds, Leaning::Nothing);
    let sum = |of: fn(&Lived) -> u64| lived.iter().map(of).sum::<u64>();
    let (n_changes, n_snapshots) = (sum(|one| one.n_changes), sum(|one| one.n_snapshots));
    let (n_turns, n_kills, took) = (sum(|one| one.n_turns), sum(|one| one.n_kills), begun.elapsed());
    println!(
        "{n_seeds} seeds: {n_turns} turns, {n_kills} kills, {n_changes} changes, {n_snapshots} snapshots, {took:.0?}"
    );
    assert!(n_changes > n_seeds, "something is told in a life");
    assert!(n_snapshots >= n_seeds / 2, "snapshots are taken in a life");
}

#[test]
fn publishers_of_snapshots_that_fall_asleep_undo_nothing() {
    let lived = live_all(0..60, Leaning::Sleepers);
    assert!(lived.iter().map(|one| one.n_snapshots).sum::<u64>() > 60, "snapshots are taken in a life");
}

#[test]
fn the_same_seed_is_the_same_life() {
    for seed in 1_000..1_004 {
        assert_eq!(life::live(seed), life::live(seed), "seed {seed}");
    }
}
