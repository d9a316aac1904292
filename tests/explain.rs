//! What `dormouse explain` says is what `dormouse replay` does: over generated cases, the standing it shows is where the
//! changes have led, and the change it foretells is the one that comes when nothing happens.

mod generate;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;

use dormouse::config::rules;
use dormouse::engine::{Explanation, Next};
use dormouse::event::{Instant, Span};
use dormouse::pipeline::replay::{self, Followed, Options};
use dormouse::rules::Plan;
use dormouse::rules::plan::{DimensionId, SegmentId};
use serde_json::Value;

/// Customers who are looked at in each case.
const CUSTOMERS_MAX: usize = 6;

struct Tried {
    plan: Arc<Plan>,
    options: Options,
    /// Holds the files.
    _folder: tempfile::TempDir,
}

fn tried(seed: u64) -> Tried {
    let case = generate::case(seed);
    let folder = tempfile::tempdir().expect("a folder");
    let write = |(number, text): (usize, &String)| {
        let path = folder.path().join(format!("events-{number}.jsonl"));
        fs::write(&path, text).expect("the events are written");
        path
    };
    let files: Vec<PathBuf> = case.files.iter().enumerate().map(write).collect();
    let plan = rules::load_text("segments.toml", &case.rules).expect("generated rules are right").plan;
    let options = Options {
        files,
        until: case.until.map(Instant),
        grace: Span(case.grace),
        n_threads: NonZero::new(2).expect("two is not zero"),
        is_sorted_first: false,
        sort_bytes_max: 1 << 20,
        n_bytes_read: Arc::default(),
    };
    Tried { plan: Arc::new(plan), options, _folder: folder }
}

/// A change as far as it matters here: customer, sequence, dimension, to, instant.
type Move = (String, u64, String, Option<String>, String);

impl Tried {
    /// All changes of a whole replay, by customer.
    fn replayed(&self, until: Option<Instant>) -> BTreeMap<String, Vec<Move>> {
        let mut bytes = Vec::new();
        let options = Options { until, ..self.options.clone() };
        replay::run(&self.plan, &options, None, &mut bytes).expect("the files can be read");
        let mut by_customer: BTreeMap<String, Vec<Move>> = BTreeMap::new();
        for line in String::from_utf8(bytes).expect("JSON").lines() {
            let change: Value = serde_json::from_str(line).expect("JSON");
            let text = |name: &str| change[name].as_str().map(str::to_owned);
            let customer = text("customer_id").expect("a customer");
            let found = (
                customer.clone(),
                change["sequence"].as_u64().expect("a number"),
                text("dimension").expect("a dimension"),
                text("to"),
                text("effective_at").expect("an instant"),
            );
            by_customer.entry(customer).or_default().push(found);
        }
        by_customer.values_mut().for_each(|moves| moves.sort_by_key(|(_, sequence, ..)| *sequence));
        by_customer
    }

    fn followed(&self, customer: &str) -> (Followed, Explanation) {
        let mut followed = replay::follow(&self.plan, &self.options, customer).expect("the files can be read");
        let explanation = followed.shard.explain(customer).expect("who has changes is known");
        (followed, explanation)
    }

    fn name(&self, dimension: usize, segment: Option<SegmentId>) -> Option<String> {
        segment.map(|id| self.plan.segment_name(DimensionId(dimension as u8), Some(id)).to_owned())
    }
}

/// Everything about one customer of one case.
fn check(seed: u64, tried: &Tried, customer: &str, moves: &[Move]) {
    let (followed, explanation) = tried.followed(customer);
    let own: Vec<Move> = followed
        .changes
        .iter()
        .map(|(change, _)| {
            let dimension = usize::from(change.dimension.0);
            let to = tried.name(dimension, change.to);
            let name = tried.plan.dimensions[dimension].name.to_string();
            (change.customer.to_string(), change.sequence, name, to, change.effective_at.to_string())
        })
        .collect();
    assert_eq!(own, moves, "seed {seed}, {customer}: the history is the replay's");
    assert_eq!(explanation.standing.sequence, moves.len() as u64);
    for (index, place) in explanation.standing.places.iter().enumerate() {
        let name = &*tried.plan.dimensions[index].name;
        let last = moves.iter().rev().find(|(_, _, dimension, ..)| dimension == name);
        let expected = last.map(|(.., to, at)| (to.clone(), at.clone()));
        let found = place.since.map(|since| (tried.name(index, place.segment), since.to_string()));
        assert_eq!(found, expected, "seed {seed}, {customer}, {name}: the standing is the last change's");
        let outlook = &explanation.dimensions[index];
        let holding = outlook.segments.iter().position(|segment| segment.verdict.holds);
        if outlook.bound.is_none() {
            let current = place.segment.map(|segment| usize::from(segment.0));
            assert_eq!(holding, current, "seed {seed}, {customer}, {name}: the first that holds has the customer");
        }
    }
}

/// The first change that is foretold, if any, is the replay's next one when no more events come.
fn check_ahead(seed: u64, tried: &Tried, customer: &str, explanation: &Explanation) -> bool {
    let ahead = explanation.dimensions.iter().filter_map(|outlook| match &outlook.next {
        Next::Change(change) => Some(change),
        Next::Never | Next::NoneUntil(_) => None,
    });
    let Some(first) = ahead.min_by_key(|change| change.sequence) else { return false };
    let at = first.effective_at;
    let before = tried.replayed(Some(Instant(at.0 - 1))).remove(customer).unwrap_or_default();
    assert_eq!(before.len() as u64, explanation.standing.sequence, "seed {seed}, {customer}: nothing before {at}");
    let then = tried.replayed(Some(at)).remove(customer).unwrap_or_default();
    let dimension = usize::from(first.dimension.0);
    let name = tried.plan.dimensions[dimension].name.to_string();
    let expected = (customer.to_owned(), first.sequence, name, tried.name(dimension, first.to), at.to_string());
    assert_eq!(then.get(before.len()), Some(&expected), "seed {seed}: what is foretold comes");
    true
}

#[test]
fn explanations_are_what_the_replay_did() {
    for seed in 0..120 {
        let tried = tried(seed);
        let replayed = tried.replayed(tried.options.until);
        for (customer, moves) in replayed.iter().take(CUSTOMERS_MAX) {
            check(seed, &tried, customer, moves);
        }
    }
}

#[test]
fn what_is_foretold_comes() {
    let mut n_foretold = 0;
    for seed in 0..120 {
        let mut tried = tried(seed);
        // To the end of the files, so that nothing happens afterwards.
        tried.options.until = None;
        let customers: BTreeSet<String> = tried.replayed(None).into_keys().collect();
        for customer in customers.iter().take(3) {
            let (_, explanation) = tried.followed(customer);
            n_foretold += usize::from(check_ahead(seed, &tried, customer, &explanation));
        }
    }
    assert!(n_foretold > 30, "only {n_foretold} changes were foretold");
}

#[test]
fn nobody_is_explained_with_the_nearest_names() {
    let tried = tried(3);
    let replayed = tried.replayed(tried.options.until);
    let someone = replayed.keys().next().expect("somebody changes");
    let wrong = format!("{someone}x");
    let mut followed = replay::follow(&tried.plan, &tried.options, &wrong).expect("the files can be read");
    assert!(followed.shard.explain(&wrong).is_none());
    assert_eq!(followed.n_events, 0);
    assert_eq!(followed.near.first().map(|near| &**near), Some(&**someone));
}
