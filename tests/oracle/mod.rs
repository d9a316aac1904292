//! The oracle: a second engine, written from the specification alone, as plainly as it goes, to judge the first one by.
//!
//! What it judges with is the plain evaluator, `dormouse::plain`, which `dormouse verify` uses too and which shares nothing
//! with the engine. Here it is given rules and events by readers of its own, so that nothing of the crate's parsers,
//! checks and decoders takes part either. Takes right rules only; knows no warnings.

mod decimal;
mod event;
pub mod interests;
mod language;
mod rules;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

pub use dormouse::plain::Cause;
use dormouse::plain::{Customer, Event};
use interests::Interests;

/// One move; none is `None`, the instant in ms.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    pub customer_id: String,
    pub sequence: u64,
    pub dimension: String,
    pub from: Option<String>,
    pub to: Option<String>,
    pub effective_at: i64,
    pub cause: Cause,
}

impl fmt::Display for Change {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |segment: &'_ Option<String>| segment.clone().unwrap_or_else(|| "none".to_owned());
        let (from, into) = (name(&self.from), name(&self.to));
        write!(to, "{} {:>3} {} ", self.customer_id, self.sequence, self.dimension)?;
        write!(to, "{from} -> {into} at {} {}", self.effective_at, self.cause)
    }
}

/// How the found changes differ from the right ones, a line each, or nothing; both sorted.
pub fn difference(right: &[Change], found: &[Change]) -> Option<String> {
    let missing = right.iter().filter(|change| !found.contains(change)).map(|change| format!("  missing {change}"));
    let wrong = found.iter().filter(|change| !right.contains(change)).map(|change| format!("  wrong   {change}"));
    let lines: Vec<String> = missing.chain(wrong).take(30).collect();
    (right != found).then(|| format!("  {} changes, right are {}\n{}", found.len(), right.len(), lines.join("\n")))
}

/// A line that is no event: the number of its file (from 0), its line (from 1), and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reject {
    pub file: usize,
    pub line: usize,
    pub reason: &'static str,
}

#[derive(Debug, Default)]
pub struct Replayed {
    /// By customer, then by sequence.
    pub changes: Vec<Change>,
    /// What each of the changes offers; empty where the rules do not ask for it.
    pub interests: Vec<Interests>,
    pub rejects: Vec<Reject>,
}

/// SPEC 3's replay of files, each a topic of JSON lines; `until` and `grace` in ms.
pub fn replay(rules_toml: &str, files: &[&str], until: Option<i64>, grace: i64) -> Replayed {
    let reading = rules::load(rules_toml);
    let mut replayed = Replayed::default();
    let mut topics: Vec<VecDeque<(String, Event)>> = Vec::new();
    for (file, text) in files.iter().enumerate() {
        let mut events = VecDeque::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            match event::read(line, &reading) {
                Ok((_, event)) if until.is_some_and(|until| event.time > until) => {}
                Ok(event) => events.push_back(event),
                Err(reason) => replayed.rejects.push(Reject { file, line: number + 1, reason }),
            }
        }
        topics.push(events);
    }
    let mut customers: BTreeMap<String, Customer<'_>> = BTreeMap::new();
    let (mut latest, mut clock) = (None, i64::MIN);
    while let Some((customer, event)) = next(&mut topics) {
        latest = latest.max(Some(event.time));
        let moved = clock.max(event.time - grace);
        customers.entry(customer).or_insert_with(|| Customer::new(&reading.rules)).take(&event, clock);
        clock = moved;
    }
    for (customer_id, mut customer) in customers {
        customer.pass_time(until.or(latest).unwrap_or(clock));
        replayed.interests.extend(customer.interests);
        replayed.changes.extend(customer.changes.into_iter().map(|change| Change {
            customer_id: customer_id.clone(),
            sequence: change.sequence,
            dimension: change.dimension,
            from: change.from,
            to: change.to,
            effective_at: change.effective_at,
            cause: change.cause,
        }));
    }
    replayed
}

/// The earliest head, of equal ones that of the first topic.
fn next(topics: &mut [VecDeque<(String, Event)>]) -> Option<(String, Event)> {
    let heads = topics.iter().enumerate().filter_map(|(number, topic)| Some((topic.front()?.1.time, number)));
    let (_, number) = heads.min()?;
    topics[number].pop_front()
}
