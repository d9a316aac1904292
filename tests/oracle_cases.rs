//! The oracle gives exactly the changes of the given cases (`tests/cases`), so that it may judge others.

mod oracle;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use oracle::{Change, replay};
use serde_json::Value;

/// `2027-06-01T00:00:00Z`.
const UNTIL: i64 = 1_811_808_000_000;

fn read(path: PathBuf) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// One change in words, so that a difference can be read.
fn words(change: &Change) -> String {
    let none = || "none".to_owned();
    let (from, to) = (change.from.clone().unwrap_or_else(none), change.to.clone().unwrap_or_else(none));
    let (at, cause) = (change.effective_at, change.cause.name());
    format!("{} {:>4} {} {from} -> {to} at {at} {cause}", change.customer_id, change.sequence, change.dimension)
}

fn expected(line: &str) -> String {
    let change: Value = serde_json::from_str(line).expect("a change is JSON");
    let segment = |field: &str| change[field].as_str().filter(|name| !name.is_empty()).unwrap_or("none").to_owned();
    format!(
        "{} {:>4} {} {} -> {} at {} {}",
        segment("customer_id"),
        change["sequence"].as_u64().expect("a sequence"),
        segment("dimension"),
        segment("from"),
        segment("to"),
        change["effective_at"].as_i64().expect("an instant"),
        segment("cause"),
    )
}

/// What differs, or nothing.
fn difference(case: &Path) -> Option<String> {
    let rules = read(case.join("segments.toml"));
    let events = read(case.join("events.jsonl"));
    let replayed = replay(&rules, &[&events], Some(UNTIL));
    let mut found: Vec<String> = replayed.changes.iter().map(words).collect();
    let mut right: Vec<String> = read(case.join("changes.jsonl")).lines().map(expected).collect();
    found.sort();
    right.sort();
    let missing = right.iter().filter(|change| !found.contains(change)).map(|change| format!("  - {change}"));
    let wrong = found.iter().filter(|change| !right.contains(change)).map(|change| format!("  + {change}"));
    let rejects = replayed.rejects.iter().map(|reject| format!("  {reject:?}"));
    let lines: Vec<String> = missing.chain(wrong).chain(rejects).take(20).collect();
    (!lines.is_empty() || found.len() != right.len()).then(|| {
        format!("{}: {} changes, right are {}\n{}", case.display(), found.len(), right.len(), lines.join("\n"))
    })
}

#[test]
fn all_cases_agree() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut cases: Vec<PathBuf> =
        fs::read_dir(&folder).expect("the cases").map(|entry| entry.expect("an entry").path()).collect();
    cases.retain(|path| path.is_dir());
    cases.sort();
    assert_eq!(cases.len(), 420);
    let (next, differences) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = difference(case);
                    differences.lock().expect("no thread failed").extend(found);
                }
            });
        }
    });
    let mut differences = differences.into_inner().expect("no thread failed");
    differences.sort();
    assert!(
        differences.is_empty(),
        "{} cases differ\n{}",
        differences.len(),
        differences[..differences.len().min(8)].join("\n")
    );
}
