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
mod verdict;

use std::ops::Range;

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

#[test]
fn whatever_happens_every_change_is_told_once() {
    let (mut n_changes, mut n_kills, mut n_turns, mut n_snapshots) = (0, 0, 0, 0);
    let seeds = seeds();
    let n_seeds = seeds.end - seeds.start;
    for seed in seeds {
        match life::live(seed) {
            Ok(lived) => {
                n_changes += lived.n_changes;
                n_kills += lived.n_kills;
                n_turns += lived.n_turns;
                n_snapshots += lived.n_snapshots;
            }
            Err(broken) => panic!("DORMOUSE_SEEDS={seed}: {broken}"),
        }
    }
    println!("{n_seeds} seeds: {n_turns} turns, {n_kills} kills, {n_changes} changes, {n_snapshots} snapshots");
    assert!(n_changes > n_seeds, "something is told in a life");
    assert!(n_snapshots >= n_seeds / 2, "snapshots are taken in a life");
}

#[test]
fn the_same_seed_is_the_same_life() {
    for seed in 1_000..1_004 {
        assert_eq!(life::live(seed), life::live(seed), "seed {seed}");
    }
}
