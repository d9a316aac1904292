//! The oracle gives exactly the changes of the given cases, so that it may judge others.

mod given;
mod oracle;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use given::{GRACE, Given, UNTIL, cases};
use oracle::{difference, replay};

/// What differs, or nothing.
fn disagreement(case: &Given) -> Option<String> {
    let mut replayed = replay(&case.rules, &[&case.events], Some(UNTIL), GRACE);
    if !replayed.rejects.is_empty() {
        return Some(format!("case {}: {:?}", case.name, replayed.rejects));
    }
    if !replayed.interests.is_empty() {
        return Some(format!("case {}: {:?}", case.name, replayed.interests));
    }
    replayed.changes.sort();
    difference(&case.changes, &replayed.changes).map(|lines| format!("case {}\n{lines}", case.name))
}

#[test]
fn all_cases_agree() {
    let cases = cases();
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let disagreement = disagreement(case);
                    found.lock().expect("no thread failed").extend(disagreement);
                }
            });
        }
    });
    let found = found.into_inner().expect("no thread failed");
    assert!(found.is_empty(), "{} cases differ\n{}", found.len(), found[..found.len().min(8)].join("\n"));
}
