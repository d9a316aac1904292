//! `dormouse verify` over files, and the judging of customers whose events came late.

mod generate;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use dormouse::cli::generate::{Kind, Model, write as generate_events};
use dormouse::config::rules;
use dormouse::engine::{self, Cause, Progress, Shard};
use dormouse::event::{Decoder, Event, Format, Instant};
use dormouse::plain::{self, FindingKind, Outcome, Published, Record, Rules, Said, Written};
use dormouse::rules::Plan;
use expect_test::expect;
use generate::{Case, case};
use serde_json::Value;

const START: i64 = 1_767_225_600_000;

/// A folder with a replay in it: `segments.toml`, `events.jsonl` and `changes.jsonl`.
struct Place {
    folder: tempfile::TempDir,
    changes: Vec<String>,
}

impl Place {
    fn new(n_customers: u64, n_events: u64) -> Place {
        let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/rules20.toml");
        let model =
            Model { n_customers, n_events, seed: 5, kinds: Kind::ALL.to_vec(), start: Instant(START), days: 300 };
        let mut events = Vec::new();
        generate_events(&model, &mut events).expect("memory takes it");
        let mut place = Place { folder: tempfile::tempdir().expect("a folder"), changes: Vec::new() };
        fs::copy(rules, place.path("segments.toml")).expect("the rules are copied");
        fs::write(place.path("events.jsonl"), events).expect("the events are written");
        let output = place.run(&["replay", "-c", "segments.toml", "events.jsonl", "--changes", "changes.jsonl"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = fs::read_to_string(place.path("changes.jsonl")).expect("there are changes");
        place.changes = text.lines().map(str::to_owned).collect();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dormouse"));
        command.current_dir(self.folder.path()).args(arguments).stdin(Stdio::null());
        command.output().expect("the binary runs")
    }

    fn verify(&self, arguments: &[&str]) -> Output {
        let files = ["verify", "-c", "segments.toml", "--changes", "changes.jsonl", "events.jsonl"];
        self.run(&[&files, arguments].concat())
    }

    /// What is found with these changes in place of the right ones: kind, customer and sequence.
    fn found(&self, changes: &[String]) -> Vec<(String, String, Option<u64>)> {
        let text: String = changes.iter().map(|line| format!("{line}\n")).collect();
        fs::write(self.path("changes.jsonl"), text).expect("the changes are written");
        let output = self.verify(&["--json"]);
        let document: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
        let findings = document["findings"].as_array().expect("a list");
        assert_eq!(output.status.code(), Some(i32::from(!findings.is_empty())), "{document}");
        let one = |finding: &Value| {
            let text = |name: &str| finding[name].as_str().expect("a text").to_owned();
            (text("kind"), text("customer_id"), finding["sequence"].as_u64())
        };
        findings.iter().map(one).collect()
    }

    /// Somebody with at least five changes: their id, and the lines of those.
    fn busy(&self) -> (String, Vec<usize>) {
        let mut lines: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (number, line) in self.changes.iter().enumerate() {
            lines.entry(field(line, "customer_id")).or_default().push(number);
        }
        lines.into_iter().find(|(_, lines)| lines.len() >= 5).expect("somebody is busy")
    }
}

fn field(line: &str, name: &str) -> String {
    let change: Value = serde_json::from_str(line).expect("a change is JSON");
    change[name].as_str().expect("a text").to_owned()
}

/// The change with another value.
fn with(line: &str, name: &str, value: Value) -> String {
    let mut change: Value = serde_json::from_str(line).expect("a change is JSON");
    change[name] = value;
    change.to_string()
}

#[test]
fn every_kind_of_finding_is_found_and_nothing_else() {
    let place = Place::new(60, 2_000);
    assert_eq!(place.found(&place.changes), []);
    let (customer, lines) = place.busy();
    let named = |kind: &str, sequence: u64| (kind.to_owned(), customer.clone(), Some(sequence));

    let mut changes = place.changes.clone();
    changes.remove(lines[1]);
    assert_eq!(place.found(&changes), [named("gap", 3), named("missing", 2)]);

    let mut changes = place.changes.clone();
    let last = lines.len() as u64;
    let end = changes[lines[lines.len() - 1]].clone();
    changes.push(with(&with(&end, "sequence", (last + 1).into()), "to", "nowhere".into()));
    assert_eq!(place.found(&changes), [named("extra", last + 1)]);

    for (name, value) in [
        ("to", Value::from("nowhere")),
        ("from", "nowhere".into()),
        ("dimension", "nothing".into()),
        ("effective_at", "2026-05-05T05:05:05.005Z".into()),
        ("from_since", "2026-01-01T01:01:01.001Z".into()),
        ("cause", serde_json::json!({"type": "rules"})),
        ("cause", serde_json::json!({"type": "event", "file": "events.jsonl", "line": 1})),
    ] {
        let mut changes = place.changes.clone();
        changes[lines[2]] = with(&changes[lines[2]], name, value);
        assert_eq!(place.found(&changes), [named("different", 3)], "{name}");
    }

    let mut changes = place.changes.clone();
    changes.insert(lines[3], changes[lines[2]].clone());
    assert_eq!(place.found(&changes), [named("repetition", 3)]);

    let mut changes = place.changes.clone();
    changes.swap(lines[1], lines[2]);
    assert_eq!(place.found(&changes), [named("order", 2)]);

    let mut changes = place.changes.clone();
    changes.insert(0, "{\"customer_id\":7}".to_owned());
    assert_eq!(place.found(&changes), [("unreadable".to_owned(), String::new(), None)]);

    // Somebody who never was.
    let mut changes = place.changes.clone();
    changes.push(with(&with(&end, "customer_id", "nobody".into()), "sequence", 1.into()));
    assert_eq!(place.found(&changes), [("extra".to_owned(), "nobody".to_owned(), Some(1))]);
}

#[test]
fn a_finding_names_the_customer_the_instant_and_both_values() {
    let place = Place::new(3, 60);
    let mut changes = place.changes.clone();
    changes[0] = with(&changes[0], "to", "nowhere".into());
    changes.remove(1);
    place.found(&changes);
    let output = place.verify(&["-q"]);
    let expected = expect![[r#"
        gap in the sequence, customer cust6866e81ff8c17d1e, change 2, 2026-01-25T14:20:45.000Z
          published  activity: new → none at 2026-01-25T14:20:45.000Z, elapsed
          at         line 4
        missing change, customer cust6866e81ff8c17d1e, change 1, 2026-01-11T14:20:45.392Z
          right      activity: none → new at 2026-01-11T14:20:45.392Z, event (events.jsonl line 3)
          published  nothing
        different change, customer custec243404b0db07b7, change 1, 2026-01-01T00:00:00.000Z
          right      activity: none → new at 2026-01-01T00:00:00.000Z, event (events.jsonl line 1)
          published  activity: none → nowhere at 2026-01-01T00:00:00.000Z, event (events.jsonl line 1)
          at         line 1
    "#]];
    expected.assert_eq(&String::from_utf8(output.stdout).expect("text"));
    let summary = String::from_utf8(output.stderr).expect("text");
    assert!(summary.contains("wrong        2 differ\n"), "{summary}");
    assert!(summary.contains("findings     1 missing, 1 different, 1 gap\n"), "{summary}");
}

#[test]
fn a_share_or_one_customer_or_many_passes_give_the_same_answers() {
    let place = Place::new(400, 6_000);
    let document = |arguments: &[&str]| -> Value {
        let output = place.verify(&[&["--json"], arguments].concat());
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("it is JSON")
    };
    let all = document(&[]);
    assert_eq!((&all["right"], &all["wrong"], &all["passes"]), (&all["customers"], &0.into(), &1.into()));
    assert_eq!(all["changes"].as_u64(), Some(place.changes.len() as u64));
    let mut passes = document(&["--memory", "1MiB", "--threads", "1"]);
    assert!(passes["passes"].as_u64() > Some(2), "{passes}");
    passes["passes"] = 1.into();
    assert_eq!(passes, all);
    let sample = document(&["--sample", "25%"]);
    let n = sample["customers"].as_u64().expect("a number");
    assert!((60..140).contains(&n), "{n} of 400");
    let (customer, lines) = place.busy();
    let one = document(&["--customer", &customer]);
    assert_eq!((&one["customers"], one["changes"].as_u64()), (&1.into(), Some(lines.len() as u64)));
}

#[test]
fn a_replay_with_an_end_or_another_grace_is_held_against_the_same() {
    let place = Place::new(40, 2_000);
    let until = "2026-05-01T00:00:00Z";
    let arguments = ["-c", "segments.toml", "events.jsonl", "--changes", "changes.jsonl", "--until", until];
    assert!(place.run(&[&["replay"][..], &arguments].concat()).status.success());
    assert_eq!(place.verify(&["--until", until]).status.code(), Some(0));
    assert_eq!(place.verify(&[]).status.code(), Some(1));
}

#[test]
fn other_rules_are_no_finding_and_wrong_usage_is_no_world_that_failed() {
    let place = Place::new(20, 500);
    let mut text = fs::read_to_string(place.path("segments.toml")).expect("there are rules");
    text.push_str(
        "\n[[dimension]]\nname = \"more\"\n[[dimension.segment]]\nname = \"all\"\nwhen = 'purchase.count() >= 1'\n",
    );
    fs::write(place.path("other.toml"), text).expect("written");
    let files = ["--changes", "changes.jsonl", "events.jsonl", "--json"];
    let output = place.run(&[&["verify", "-c", "other.toml"], &files[..]].concat());
    let document: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!((output.status.code(), &document["other_rules"]), (Some(0), &document["customers"]), "{document}");
    let code = |arguments: &[&str]| place.run(arguments).status.code();
    assert_eq!(code(&["verify", "-c", "segments.toml", "--changes", "-", "events.jsonl"]), Some(2));
    assert_eq!(code(&["verify", "-c", "segments.toml", "--changes", "changes.jsonl"]), Some(2));
    assert_eq!(code(&["verify", "-c", "segments.toml", "--changes", "changes.jsonl", "changes.jsonl"]), Some(2));
    assert_eq!(code(&["verify", "-c", "segments.toml", "--changes", "changes.jsonl", "nothing.jsonl"]), Some(3));
    assert_eq!(code(&["verify", "-c", "nothing.toml"]), Some(2));
}

/// A customer's events as they were read, and what an engine said when they came in an order, and with clocks, of its own.
struct Lived {
    records: BTreeMap<String, Vec<Record>>,
    published: BTreeMap<String, Vec<Published>>,
    end: i64,
}

/// The events of a file, with their lines.
fn decoded<'a>(decoder: &Decoder, text: &'a str, until: i64) -> Vec<(u64, Event<'a>)> {
    let event = |(line, text): (u64, &'a str)| Some((line, decoder.decode(Format::Json, text.as_bytes(), None).ok()?));
    (1..).zip(text.lines()).filter_map(event).filter(|(_, event)| event.time.0 <= until).collect()
}

/// Topics are read one at a time, records come late, and time passes on an empty line.
fn live(
    plan: &Arc<Plan>,
    topics: &[Vec<(u64, Event<'_>)>],
    grace: i64,
    random: &mut fastrand::Rng,
) -> (Vec<Published>, i64) {
    let mut shard = Shard::new(plan.clone());
    let (mut next, mut changes, mut published) = (vec![0; topics.len()], Vec::new(), Vec::new());
    let latest = topics.iter().flatten().map(|(_, event)| event.time.0).max().unwrap_or(0);
    while let Some(topic) = choose(topics, &next, random) {
        let (line, event) = &topics[topic][next[topic]];
        next[topic] += 1;
        if random.u8(0..20) == 0 {
            let ahead = event.time.0 + random.i64(0..40 * 86_400_000);
            while shard.advance(Instant(ahead.min(latest)), usize::MAX, &mut changes) == Progress::More {}
            say(plan, &mut changes, None, &mut published);
        }
        shard.apply(event, Instant(event.time.0 - grace), &mut changes);
        say(plan, &mut changes, Some((topic, *line)), &mut published);
    }
    while shard.advance(Instant(latest), usize::MAX, &mut changes) == Progress::More {}
    say(plan, &mut changes, None, &mut published);
    (published, shard.clock().0)
}

/// Mostly the earliest, now and then another.
fn choose(topics: &[Vec<(u64, Event<'_>)>], next: &[usize], random: &mut fastrand::Rng) -> Option<usize> {
    let open: Vec<usize> = (0..topics.len()).filter(|&topic| next[topic] < topics[topic].len()).collect();
    if random.u8(0..12) == 0 && !open.is_empty() {
        return Some(open[random.usize(0..open.len())]);
    }
    open.into_iter().min_by_key(|&topic| (topics[topic][next[topic]].1.time, topic))
}

fn origin(input: usize, position: u64) -> String {
    format!("{input} line {position}")
}

fn say(plan: &Plan, changes: &mut Vec<engine::Change>, source: Option<(usize, u64)>, published: &mut Vec<Published>) {
    for change in changes.drain(..) {
        let name = |segment: Option<_>| segment.map(|_| plan.segment_name(change.dimension, segment).to_owned());
        let by_event = matches!(change.cause, Cause::Event | Cause::LateEvent);
        let said = Said {
            sequence: change.sequence,
            dimension: plan.dimension(change.dimension).name.to_string(),
            from: name(change.from),
            to: name(change.to),
            from_since: change.from_since.map(|since| since.0),
            effective_at: change.effective_at.0,
            cause: change.cause.name().to_owned(),
            origin: source.filter(|_| by_event).map(|(topic, line)| origin(topic, line)),
        };
        let customer = change.customer.to_string();
        published.push(Published { said, place: customer, rules: String::new(), is_new: false });
    }
}

/// The records in the order of time, with what is known of the clock.
fn in_order(
    topics: &[Vec<(u64, Event<'_>)>],
    grace: i64,
    schema: &dormouse::event::Schema,
) -> BTreeMap<String, Vec<Record>> {
    let mut records: BTreeMap<String, Vec<Record>> = BTreeMap::new();
    let (mut next, mut clock, mut clocks) = (vec![0; topics.len()], i64::MIN, vec![i64::MIN; topics.len()]);
    loop {
        let open = (0..topics.len()).filter(|&topic| next[topic] < topics[topic].len());
        let Some(input) = open.min_by_key(|&topic| (topics[topic][next[topic]].1.time, topic)) else { return records };
        let (line, event) = &topics[input][next[input]];
        next[input] += 1;
        records.entry(event.customer.to_string()).or_default().push(Record {
            event: plain::Event::new(event, schema),
            input,
            partition: 0,
            position: *line,
            clock,
            clock_min: clocks[input],
            clock_max: i64::MAX,
        });
        clock = clock.max(event.time.0 - grace);
        clocks[input] = clocks[input].max(event.time.0 - grace);
    }
}

fn lived(case: &Case, seed: u64) -> (Rules, Lived) {
    let (grace, until) = (case.grace, case.until.unwrap_or(i64::MAX));
    let loaded = rules::load_text("segments.toml", &case.rules).expect("generated rules are right");
    let written = Written::new(&loaded.declared).expect("checked rules can be read");
    let rules = Rules::new(&written).expect("checked rules can be read");
    let schema = plain::schema(&loaded.declared, &rules);
    let decoder = Decoder::new(&schema);
    let topics: Vec<Vec<_>> = case.files.iter().map(|file| decoded(&decoder, file, until)).collect();
    let plan_decoder = Decoder::new(&loaded.plan.schema);
    let for_engine: Vec<Vec<_>> = case.files.iter().map(|file| decoded(&plan_decoder, file, until)).collect();
    let plan = Arc::new(loaded.plan);
    let (all, end) = live(&plan, &for_engine, grace, &mut fastrand::Rng::with_seed(seed));
    let mut published: BTreeMap<String, Vec<Published>> = BTreeMap::new();
    for one in all {
        published.entry(one.place.clone()).or_default().push(one);
    }
    (rules, Lived { records: in_order(&topics, grace, &schema), published, end })
}

#[test]
fn whatever_an_engine_says_of_late_events_is_one_of_the_ways_it_could_have_been() {
    let (mut n_agree, mut n_late, mut n_found, mut n_undecided) = (0, 0, 0, 0);
    for seed in 0..160 {
        let case = case(seed);
        let (rules, lived) = lived(&case, seed);
        for (customer, records) in &lived.records {
            let published = lived.published.get(customer).map_or(&[][..], Vec::as_slice);
            let name = |record: &Record| origin(record.input, record.position);
            let verdict = plain::verify(&rules, records, lived.end, (published, 1), &name);
            match verdict.outcome {
                Outcome::Agrees => n_agree += 1,
                Outcome::AgreesWithLate => n_late += 1,
                Outcome::Differs => {
                    let is_undecided = verdict.findings.iter().all(|finding| finding.kind == FindingKind::Undecided);
                    let found = &verdict.findings;
                    assert!(is_undecided, "seed {seed}, customer {customer}: {found:#?}\n{published:#?}");
                    assert!(records.len() > 500, "seed {seed}, customer {customer}: {} events", records.len());
                    n_undecided += 1;
                }
            }
            // And a change that nobody made is no way that it could have been.
            if let Some(last) = published.last() {
                let mut forged = published.to_vec();
                let mut more = last.clone();
                more.said.sequence += 1;
                more.said.effective_at += 1;
                forged.push(more);
                let verdict = plain::verify(&rules, records, lived.end, (&forged, 1), &name);
                assert_eq!(verdict.outcome, Outcome::Differs, "seed {seed}, customer {customer}");
                n_found += 1;
            }
        }
    }
    println!("{n_agree} agree, {n_late} late, {n_found} forged, {n_undecided} undecided");
    assert!(n_agree > 300 && n_late > 50 && n_found > 300, "{n_agree} agree, {n_late} late, {n_found} forged");
    assert!(n_undecided * 100 < n_agree + n_late, "{n_undecided} were not decided");
}
