//! The real binary's replay gives exactly the changes of the given cases, and of generated ones those of the oracle, on one
//! thread and on two, in the order that it promises.
//!
//! `DORMOUSE_SEEDS=5000` takes that many seeds, `DORMOUSE_SEEDS=1200..1300` those. What fails stays under `target/tmp`.

mod generate;
mod given;
mod oracle;
mod said;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use generate::{Case, case};
use jiff::Timestamp;
use oracle::interests::Interests;
use oracle::{Cause, Change, Replayed, difference, replay};
use said::{change, interests};

/// What the binary said.
struct Said {
    /// In the order of writing.
    changes: Vec<Change>,
    /// Of each change; empty where the rules do not ask for them.
    interests: Vec<Interests>,
    n_rejects: usize,
}

fn written(folder: &Path, case: &Case) -> Vec<PathBuf> {
    fs::create_dir_all(folder).expect("a folder for the case");
    fs::write(folder.join("segments.toml"), &case.rules).expect("the rules are written");
    let file = |(number, text): (usize, &String)| {
        let path = folder.join(format!("events-{number}.jsonl"));
        fs::write(&path, text).expect("the events are written");
        path
    };
    case.files.iter().enumerate().map(file).collect()
}

fn run(folder: &Path, files: &[PathBuf], case: &Case, threads: usize) -> Result<Said, String> {
    let (changes, rejects) = (folder.join(format!("changes-{threads}.jsonl")), folder.join("rejects.jsonl"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_dormouse"));
    command.arg("replay").arg("-c").arg(folder.join("segments.toml"));
    command.arg("--changes").arg(&changes).arg("--rejects").arg(&rejects);
    command.arg("--threads").arg(threads.to_string()).arg("--grace").arg(format!("{}ms", case.grace));
    if let Some(until) = case.until {
        command.arg("--until").arg(Timestamp::from_millisecond(until).expect("a time in range").to_string());
    }
    let output = command.args(files).output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    let read = |path: &Path| fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()));
    let said = read(&changes)?;
    let changes: Option<Vec<Change>> = said.lines().map(change).collect();
    let changes = changes.ok_or("a change is not as the contract says")?;
    let interests = said.lines().filter_map(interests).collect();
    Ok(Said { changes, interests, n_rejects: read(&rejects)?.lines().count() })
}

/// How the binary disagrees with what is right, in words, or nothing.
fn disagreement(folder: &Path, case: &Case, replayed: &Replayed) -> Option<String> {
    let files = written(folder, case);
    let mut order: Vec<usize> = (0..replayed.changes.len()).collect();
    order.sort_by_key(|index| {
        let change = &replayed.changes[*index];
        (change.effective_at, change.customer_id.clone(), change.sequence)
    });
    let right: Vec<Change> = order.iter().map(|index| replayed.changes[*index].clone()).collect();
    let offered: Vec<&Interests> = order.iter().filter_map(|index| replayed.interests.get(*index)).collect();
    let n_rejects = replayed.rejects.len();
    for threads in [1, 2] {
        let said = match run(folder, &files, case, threads) {
            Ok(said) => said,
            Err(error) => return Some(format!("  on {threads} threads: {error}")),
        };
        if said.changes != right {
            return Some(format!("  on {threads} threads:\n{}", smallest(case, &right, &said.changes)));
        }
        if let Some(index) = (0..right.len()).find(|index| said.interests.get(*index) != offered.get(*index).copied()) {
            let (change, found, right) = (&right[index], said.interests.get(index), offered.get(index));
            return Some(format!("  on {threads} threads: {change} offers {found:?}, right is {right:?}"));
        }
        if said.n_rejects != n_rejects {
            return Some(format!("  on {threads} threads: {} rejects, right are {n_rejects}", said.n_rejects));
        }
    }
    fs::remove_dir_all(folder).expect("the folder of the case goes");
    None
}

/// Changes that are known to be right.
fn of_changes(right: &[Change]) -> Replayed {
    Replayed { changes: right.to_vec(), ..Replayed::default() }
}

/// The customer with the fewest lines among those that differ.
fn smallest(case: &Case, right: &[Change], found: &[Change]) -> String {
    let of = |changes: &[Change], customer: &str| {
        let mut changes: Vec<Change> =
            changes.iter().filter(|change| change.customer_id == customer).cloned().collect();
        changes.sort();
        changes
    };
    let mut customers: Vec<&String> = right.iter().chain(found).map(|change| &change.customer_id).collect();
    customers.sort();
    customers.dedup();
    let lines = |customer: &str| {
        let named = [format!("\"customer_id\": \"{customer}\""), format!("\"customer_id\": {customer},")];
        case.files
            .iter()
            .flat_map(|file| file.lines())
            .filter(|line| named.iter().any(|name| line.contains(name)))
            .count()
    };
    let differing = customers.into_iter().filter(|customer| of(right, customer) != of(found, customer));
    let Some(customer) = differing.min_by_key(|customer| lines(customer)) else {
        return "  the right changes in a wrong order".to_owned();
    };
    let (right, found) = (of(right, customer), of(found, customer));
    let list = |changes: &[Change]| changes.iter().map(|change| format!("    {change}\n")).collect::<String>();
    let differs = difference(&right, &found).unwrap_or_default();
    format!("{differs}\n  all of the oracle's:\n{}  all of the binary's:\n{}", list(&right), list(&found))
}

/// Runs `one` for each number below `end` on two threads and fails with what disagrees.
fn each(end: usize, one: impl Fn(usize) -> Option<String> + Sync) {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= end {
                        break;
                    }
                    let disagreement = one(number);
                    found.lock().expect("no thread failed").extend(disagreement);
                }
            });
        }
    });
    let mut found = found.into_inner().expect("no thread failed");
    found.sort_by_key(String::len);
    assert!(found.is_empty(), "{} of {end} disagree\n{}", found.len(), found[..found.len().min(5)].join("\n"));
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("differential").join(name)
}

#[test]
fn given_cases_agree() {
    let cases = given::cases();
    each(cases.len(), |number| {
        let given = &cases[number];
        let files = vec![given.events.clone()];
        let case = Case { rules: given.rules.clone(), files, until: Some(given::UNTIL), grace: given::GRACE };
        let found = disagreement(&folder(&format!("case-{}", given.name)), &case, &of_changes(&given.changes));
        found.map(|found| format!("case {}\n{found}", given.name))
    });
}

fn seeds() -> std::ops::Range<usize> {
    let asked = env::var("DORMOUSE_SEEDS").unwrap_or_else(|_| "160".to_owned());
    let number = |text: &str| text.parse().expect("DORMOUSE_SEEDS is a number, or two with .. between");
    asked.split_once("..").map_or_else(|| 0..number(&asked), |(from, to)| number(from)..number(to))
}

#[test]
fn generated_cases_agree() {
    let seeds = seeds();
    each(seeds.len(), |number| {
        let seed = seeds.start + number;
        let case = case(seed as u64);
        let files: Vec<&str> = case.files.iter().map(String::as_str).collect();
        let right = replay(&case.rules, &files, case.until, case.grace);
        let folder = folder(&format!("seed-{seed}"));
        let found = disagreement(&folder, &case, &right);
        found.map(|found| format!("seed {seed}, kept in {}\n{found}", folder.display()))
    });
}

/// More of the largest amounts than a sum can hold: too many for the oracle, so the answer is worked out by hand.
#[test]
fn a_sum_beyond_its_bound_stays_there() {
    const START: i64 = 1_767_225_600_000;
    const HOUR: i64 = 3_600_000;
    let segment = |name: &str, when: &str| {
        format!("[[dimension]]\nname = \"{name}\"\n[[dimension.segment]]\nname = \"in\"\nwhen = '{when}'\n")
    };
    let rules = [
        segment("full", r#"purchase.sum("1h") >= 900000000000000"#),
        segment("empty", "purchase.sum() <= -900000000000000"),
        segment("over", "purchase.sum() > 900000000000000 || purchase.sum() < -900000000000000"),
        segment("back", "refund.count() == 1 && purchase.sum() - refund.sum() == 899990000000000"),
    ];
    let mut events = String::new();
    // An event a millisecond: a thousand in each second's bucket, 9.24e14 in all.
    for number in 0..92_400 {
        let time = START + number;
        for (customer, sign) in [("gives", ""), ("takes", "-")] {
            let line = format!(r#"{{"kind":"purchase","customer_id":"{customer}","time":{time},"amount":{sign}1e10}}"#);
            events.push_str(&line);
            events.push('\n');
        }
    }
    let refund = START + 100_000;
    events.push_str(&format!(r#"{{"kind":"refund","customer_id":"gives","time":{refund},"amount":10000000000}}"#));
    let change = |customer: &str, sequence, dimension: &str, enters: bool, effective_at, cause| {
        let named = |named: bool| named.then(|| "in".to_owned());
        let (customer_id, dimension) = (customer.to_owned(), dimension.to_owned());
        Change { customer_id, sequence, dimension, from: named(!enters), to: named(enters), effective_at, cause }
    };
    let right = [
        // The 90 000th event fills it.
        change("gives", 1, "full", true, START + 89_999, Cause::Event),
        change("takes", 1, "empty", true, START + 89_999, Cause::Event),
        change("gives", 2, "back", true, refund, Cause::Event),
        // 2 400 more than are needed: it holds until the third bucket has left.
        change("gives", 3, "full", false, START + 2_000 + HOUR, Cause::Elapsed),
    ];
    let case = Case { rules: rules.concat(), files: vec![events], until: Some(START + 24 * HOUR), grace: given::GRACE };
    let found = disagreement(&folder("saturated"), &case, &of_changes(&right));
    assert!(found.is_none(), "{}", found.unwrap_or_default());
}

/// SPEC 4, `bound`: a late event at the instant of the last move corrects it, but only at a dimension's first look.
#[test]
fn a_late_event_corrects_a_move_at_the_first_look_only() {
    const START: i64 = 1_767_225_600_000;
    const DAY: i64 = 86_400_000;
    let rules = r#"
[[dimension]]
name = "d"
[[dimension.segment]]
name = "top"
when = 'purchase.count() >= 2'
from = ["middle"]
[[dimension.segment]]
name = "middle"
when = 'purchase.count() >= 2'
min_stay = "1d"
"#;
    let event = |customer: &str, kind: &str, ms: i64| {
        let time = START + ms;
        format!(r#"{{"kind":"{kind}","customer_id":"{customer}","time":{time},"amount":1}}"#) + "\n"
    };
    let mut events = String::new();
    for customer in ["left", "touched"] {
        events.push_str(&event(customer, "browse", 2000));
        events.push_str(&event(customer, "purchase", 1000));
        events.push_str(&event(customer, "purchase", 1001));
    }
    events.push_str(&event("touched", "browse", 500));
    let change = |customer: &str, sequence, from: Option<&str>, to: &str, ms: i64, cause| Change {
        customer_id: customer.to_owned(),
        sequence,
        dimension: "d".to_owned(),
        from: from.map(str::to_owned),
        to: Some(to.to_owned()),
        effective_at: START + ms,
        cause,
    };
    let right = [
        change("left", 1, None, "middle", 2000, Cause::LateEvent),
        change("left", 2, Some("middle"), "top", 2000 + DAY, Cause::Elapsed),
        change("touched", 1, None, "middle", 2000, Cause::LateEvent),
        change("touched", 2, Some("middle"), "top", 2000, Cause::LateEvent),
    ];
    let case = Case { rules: rules.to_owned(), files: vec![events], until: Some(START + 9 * DAY), grace: given::GRACE };
    let replayed = replay(&case.rules, &[&case.files[0]], case.until, case.grace);
    assert_eq!(difference(&right, &replayed.changes), None, "the oracle");
    let found = disagreement(&folder("late-correction"), &case, &replayed);
    assert!(found.is_none(), "{}", found.unwrap_or_default());
}
