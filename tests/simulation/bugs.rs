//! Each deliberate bug is found within some seeds; what is never found is said, with the reason.
//! `DORMOUSE_BUG=CutsTheChain` looks for one of them only.

use dormouse::pipeline::sabotage::{Bug, with};

use super::life::{self, Leaning};
use super::twins;

/// Seeds in which a bug has to show.
const SEEDS: u64 = 3_000;

/// Rules that safety does not need as long as the others hold: breaking one of them alone makes nobody hear anything wrong.
///
/// - `WaitsForDeadOwners`: aborting is for speed; the transaction would time out.
/// - `CommitsWhileRevoked`: offsets are sent when all records are acknowledged, and the broker refuses them once the
///   generation has moved; a new owner looks only after that.
/// - `ReadsBeforeNewProducer`: what is read lies below a mark that is decided, and the records of the epoch in doubt lie below
///   the mark, so the reader waits for its fate.
const NOT_FOUND: [Bug; 3] = [Bug::WaitsForDeadOwners, Bug::CommitsWhileRevoked, Bug::ReadsBeforeNewProducer];

#[test]
fn each_bug_is_found() {
    let mut missed = Vec::new();
    let asked = std::env::var("DORMOUSE_BUG").ok();
    let is_asked = |bug: &Bug| asked.as_ref().is_none_or(|asked| format!("{bug:?}") == *asked);
    let bugs: Vec<Bug> = Bug::ALL.into_iter().filter(is_asked).collect();
    assert!(!bugs.is_empty(), "there is no bug `{}`", asked.unwrap_or_default());
    for bug in bugs {
        let n_seeds = if NOT_FOUND.contains(&bug) { SEEDS / 10 } else { SEEDS };
        let live = |seed| match bug {
            // No two processes of a life have one name.
            Bug::OpensAtOnce => twins::live(seed),
            // It does harm to a shard that has gone on elsewhere, and long.
            Bug::DeletesLaterOnes => life::live_leaning(seed, Leaning::Sleepers).map(drop),
            _ => life::live(seed).map(drop),
        };
        let found = with(bug, || (0..n_seeds).find_map(|seed| live(seed).err().map(|broken| (seed, broken))));
        match &found {
            Some((seed, broken)) => println!("{bug:?}: seed {seed}: {broken}"),
            None => println!("{bug:?}: not in {n_seeds} seeds"),
        }
        if found.is_none() != NOT_FOUND.contains(&bug) {
            missed.push(bug);
        }
    }
    assert!(missed.is_empty(), "not as it should be: {missed:?}");
}
