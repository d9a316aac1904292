//! The given cases through the library: rules, decoder and engine without files, threads or a command line.

mod listing;

use std::sync::Arc;

use dormouse::config::rules;
use dormouse::engine::{Arrival, Change, Mark, Progress, Shard};
use dormouse::event::{Decoder, Event, Format, Instant, Span};
use dormouse::rules::Plan;
use listing::case_folders;

const GRACE: Span = Span(5_000);
const UNTIL: Instant = Instant(1_811_808_000_000);

/// (customer, sequence, dimension, from, to, effective_at, cause)
type Row = (String, u64, String, String, String, i64, String);

/// An event, and where its record moves the clock to.
type Step<'a> = (Event<'a>, Instant);

fn steps<'a>(plan: &Plan, events: &'a str) -> Vec<Step<'a>> {
    let decoder = Decoder::new(&plan.schema);
    let mut latest = Instant(i64::MIN);
    let step = |line: &'a str| {
        let event = decoder.decode(Format::Json, line.as_bytes(), None).expect("the cases' events are acceptable");
        (event.time <= UNTIL).then(|| {
            latest = latest.max(event.time);
            (event, latest - GRACE)
        })
    };
    events.lines().filter_map(step).collect()
}

fn one_by_one(plan: &Arc<Plan>, steps: &[Step]) -> Vec<Row> {
    let mut shard = Shard::new(plan.clone());
    let mut changes = Vec::new();
    for (event, clock) in steps {
        shard.apply(event, *clock, &mut changes);
    }
    while shard.advance(UNTIL, 3, &mut changes) == Progress::More {}
    checked(plan, &shard, &changes)
}

/// Customer by customer, `n_together` events at a time; time is let pass by both ways in turn.
fn together(plan: &Arc<Plan>, steps: &[Step], n_together: usize) -> Vec<Row> {
    let mut shard = Shard::new(plan.clone());
    let mut changes = Vec::new();
    for (number, steps) in steps.chunks(n_together).enumerate() {
        let mut clock = shard.clock();
        let mut arrivals = Vec::new();
        for (event, clock_after) in steps {
            let clock_before = std::mem::replace(&mut clock, *clock_after);
            arrivals.push(Arrival { event, mark: Mark::of(event), clock_before, clock_after: *clock_after });
        }
        let mut batch = shard.batch(&arrivals);
        let mut applied: Vec<usize> = std::iter::from_fn(|| batch.apply_next(&mut changes)).map(|(i, _)| i).collect();
        drop(batch);
        applied.sort_unstable();
        assert!(applied.into_iter().eq(0..arrivals.len()), "each is applied once");
        let clock = shard.clock();
        match number % 3 {
            // Some are still due afterwards.
            0 => drop(shard.overdue(clock).judge_next(&mut changes)),
            1 => drop(shard.advance(clock, 1, &mut changes)),
            _ => {}
        }
    }
    let mut overdue = shard.overdue(UNTIL);
    while overdue.judge_next(&mut changes) {}
    drop(overdue);
    checked(plan, &shard, &changes)
}

fn checked(plan: &Plan, shard: &Shard, changes: &[Change]) -> Vec<Row> {
    assert_eq!(shard.clock(), UNTIL);
    check_sizes(shard, changes);
    changes.iter().map(|change| row(plan, change)).collect()
}

/// The sizes of segments are what the changes add up to.
fn check_sizes(shard: &Shard, changes: &[Change]) {
    for (dimension, sizes) in shard.sizes().iter().enumerate() {
        for (segment, size) in sizes.iter().enumerate().skip(1) {
            let count = |end: fn(&Change) -> Option<dormouse::rules::plan::SegmentId>| {
                let is_it = |change: &&Change| {
                    usize::from(change.dimension.0) == dimension
                        && end(change).is_some_and(|id| usize::from(id.0) + 1 == segment)
                };
                changes.iter().filter(is_it).count() as u64
            };
            assert_eq!(*size, count(|change| change.to) - count(|change| change.from));
        }
        assert_eq!(sizes.iter().sum::<u64>(), shard.n_customers() as u64);
    }
}

fn row(plan: &Plan, change: &Change) -> Row {
    let name = |segment| plan.segment_name(change.dimension, segment).to_owned();
    (
        change.customer.to_string(),
        change.sequence,
        plan.dimension(change.dimension).name.to_string(),
        name(change.from),
        name(change.to),
        change.effective_at.0,
        change.cause.name().to_owned(),
    )
}

fn expected(text: &str) -> Vec<Row> {
    let row = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let text = |name: &str| value[name].as_str().expect("a string").to_owned();
        // None is `""` in some cases, null in others.
        let segment = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        (
            text("customer_id"),
            value["sequence"].as_u64().expect("a number"),
            text("dimension"),
            segment("from"),
            segment("to"),
            value["effective_at"].as_i64().expect("a number"),
            text("cause"),
        )
    };
    text.lines().map(row).collect()
}

#[test]
fn every_case_gives_exactly_its_changes() {
    let mut wrong = Vec::new();
    for case in case_folders() {
        let read = |name: &str| std::fs::read_to_string(case.join(name)).expect("readable");
        let loaded = rules::load_text("segments.toml", &read("segments.toml")).expect("the cases' rules are right");
        let plan = Arc::new(loaded.plan);
        let events = read("events.jsonl");
        let steps = steps(&plan, &events);
        let mut expected = expected(&read("changes.jsonl"));
        expected.sort();
        let ways = [
            ("one by one", one_by_one(&plan, &steps)),
            ("seven together", together(&plan, &steps, 7)),
            ("many together", together(&plan, &steps, 500)),
        ];
        for (way, mut found) in ways {
            found.sort();
            if found != expected {
                let first = found.iter().find(|row| !expected.contains(row));
                let missing = expected.iter().find(|row| !found.contains(row));
                wrong.push(format!("{}, {way}: first wrong {first:?}, first missing {missing:?}", case.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} cases differ:\n{}", wrong.len(), wrong.join("\n"));
}
