//! `dormouse report` from outside: its numbers are those that a slow count over the changes of `dormouse replay` and
//! over the events gives, for any number of threads; what goes wrong is said with the right exit code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use dormouse::cli::generate::{Kind, Model, write as generate};
use dormouse::event::Instant;
use serde_json::Value;

const START: i64 = 1_767_225_600_000;
const DAY: i64 = 86_400_000;

const RULES: &str = r#"
[report]
value_window = "60d"
growth_window = "30d"
flap_window = "20d"
contact = ["email"]

[[dimension]]
name = "activity"
[[dimension.segment]]
name = "active"
when = 'purchase.count("30d") >= 2'
[[dimension.segment]]
name = "awake"
when = 'purchase.count("30d") >= 1'
[[dimension.segment]]
name = "asleep"
when = 'purchase.count() >= 1'

[[dimension]]
name = "spend"
[[dimension.segment]]
name = "high"
when = 'purchase.sum("60d") - refund.sum("60d") >= 200'
[[dimension.segment]]
name = "low"
when = 'purchase.sum("60d") > 0 && profile.age > 0'
"#;

/// A folder with files in it, in which the program runs.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().expect("a temporary folder"));
        place.write("rules.toml", RULES);
        place
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).expect("the folder can be written");
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dormouse"));
        command.current_dir(self.0.path()).args(arguments).stdin(Stdio::null());
        command.output().expect("the program starts")
    }

    /// Standard output of a command that must succeed.
    fn output(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    }

    fn report(&self, arguments: &[&str]) -> Value {
        let arguments = [&["report", "-c", "rules.toml", "--json"], arguments].concat();
        serde_json::from_str(&self.output(&arguments)).expect("the report is JSON")
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("output is UTF-8")
}

fn events() -> String {
    let kinds = Kind::ALL.to_vec();
    let model = Model { n_customers: 150, n_events: 6_000, seed: 5, kinds, start: Instant(START), days: 200 };
    let mut bytes = Vec::new();
    generate(&model, &mut bytes).expect("memory takes it");
    text(&bytes)
}

fn ms(time: &Value) -> i64 {
    let time: jiff::Timestamp = time.as_str().expect("a time").parse().expect("RFC 3339");
    time.as_millisecond()
}

/// A customer's moves in one dimension, with none from their first event on.
type Moves = Vec<(i64, String)>;

/// Everything that the slow count looks at.
struct Slow {
    /// By dimension and customer.
    moves: BTreeMap<&'static str, BTreeMap<String, Moves>>,
    events: Vec<Value>,
    end: i64,
}

impl Slow {
    fn new(events: &str, changes: &str) -> Slow {
        let read = |text: &str| -> Vec<Value> {
            text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
        };
        let events = read(events);
        let mut first: BTreeMap<String, Moves> = BTreeMap::new();
        for event in &events {
            let customer = event["customer_id"].as_str().expect("a customer").to_owned();
            first.entry(customer).or_insert_with(|| vec![(ms(&event["time"]), "none".to_owned())]);
        }
        let mut moves = BTreeMap::from([("activity", first.clone()), ("spend", first)]);
        for change in read(changes) {
            let dimension = moves.get_mut(change["dimension"].as_str().expect("a dimension")).expect("one of two");
            let of_customer = dimension.get_mut(change["customer_id"].as_str().expect("a customer")).expect("known");
            let to = change["to"].as_str().unwrap_or("none").to_owned();
            of_customer.push((ms(&change["effective_at"]), to));
        }
        let end = events.iter().map(|event| ms(&event["time"])).max().expect("there are events");
        Slow { moves, events, end }
    }

    fn standing(moves: &Moves, at: i64) -> Option<&str> {
        moves.iter().rev().find(|(since, _)| *since <= at).map(|(_, segment)| &**segment)
    }

    fn sizes(&self, dimension: &str, at: i64) -> BTreeMap<String, u64> {
        let mut sizes = BTreeMap::new();
        for segment in self.moves[dimension].values().filter_map(|moves| Slow::standing(moves, at)) {
            *sizes.entry(segment.to_owned()).or_default() += 1;
        }
        sizes
    }

    /// Money of each customer in 60 days.
    fn value(&self) -> BTreeMap<&str, f64> {
        let mut value = BTreeMap::new();
        for event in &self.events {
            let sign = match event["kind"].as_str() {
                Some("purchase") => 1.0,
                Some("refund") => -1.0,
                _ => continue,
            };
            let time = ms(&event["time"]);
            if time - time % 1_000 > self.end - 60 * DAY {
                *value.entry(event["customer_id"].as_str().expect("a customer")).or_default() += sign * amount(event);
            }
        }
        value
    }

    /// Pairs of a leaving and, if there is one, the next entering.
    fn leavings(&self, dimension: &str, segment: &str) -> Vec<(i64, Option<i64>)> {
        let mut found = Vec::new();
        for moves in self.moves[dimension].values() {
            for (index, pair) in moves.windows(2).enumerate() {
                if pair[0].1 == segment {
                    let again = moves[index + 2..].iter().find(|(_, to)| to == segment);
                    found.push((pair[1].0, again.map(|(at, _)| *at)));
                }
            }
        }
        found
    }
}

/// In the generated events a purchase's amount is its lines'.
fn amount(event: &Value) -> f64 {
    if let Some(amount) = number(&event["amount"]) {
        return amount.abs();
    }
    let lines = event["items"].as_array().expect("lines");
    let line = |line: &Value| {
        number(&line["amount"])
            .unwrap_or_else(|| number(&line["unit_price"]).expect("a price") * number(&line["quantity"]).unwrap_or(1.0))
    };
    lines.iter().map(line).sum::<f64>().abs()
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn near(found: &Value, expected: f64) -> bool {
    found.as_f64().is_some_and(|found| (found - expected).abs() < 1e-6 * expected.abs().max(1.0))
}

#[test]
fn the_numbers_are_those_of_a_slow_count() {
    let place = Place::new();
    let events = events();
    place.write("events.jsonl", &events);
    let slow = Slow::new(&events, &place.output(&["replay", "-c", "rules.toml", "-q", "events.jsonl"]));
    let report = place.report(&["events.jsonl"]);
    assert_eq!(ms(&report["period"]["until"]), slow.end);
    let value = slow.value();
    assert!(near(&report["value"], value.values().sum()), "{}", report["value"]);
    for dimension in report["dimensions"].as_array().expect("dimensions") {
        let name = dimension["name"].as_str().expect("a name");
        check_series(&slow, name, dimension);
        check_flows(&slow, name, dimension);
        for segment in dimension["segments"].as_array().expect("segments") {
            check_segment(&slow, &value, name, segment);
        }
    }
}

fn check_series(slow: &Slow, name: &str, dimension: &Value) {
    let series = dimension["series"].as_array().expect("a series");
    assert!(series.len() > 25, "{}", series.len());
    for (step, sample) in series.iter().rev().enumerate() {
        let at = slow.end - step as i64 * 7 * DAY;
        assert_eq!(ms(&sample["at"]), at);
        let mut sizes: BTreeMap<String, u64> = serde_json::from_value(sample["sizes"].clone()).expect("sizes");
        assert_eq!(sizes.values().sum::<u64>(), sample["customers"].as_u64().expect("a count"));
        sizes.retain(|_, size| *size > 0);
        assert_eq!(sizes, slow.sizes(name, at), "{name} {at}");
    }
    assert_eq!(dimension["sizes"], series.last().expect("it is long")["sizes"]);
}

fn check_flows(slow: &Slow, name: &str, dimension: &Value) {
    let mut expected: BTreeMap<(&str, &str), (u64, BTreeSet<&str>)> = BTreeMap::new();
    for (customer, moves) in &slow.moves[name] {
        for pair in moves.windows(2) {
            let flow = expected.entry((&pair[0].1, &pair[1].1)).or_default();
            flow.0 += 1;
            flow.1.insert(customer);
        }
    }
    let expected: BTreeMap<_, _> = expected.into_iter().map(|(key, (n, who))| (key, (n, who.len() as u64))).collect();
    let count = |value: &Value| value.as_u64().expect("a count");
    let flows = dimension["flows"].as_array().expect("flows").iter().map(|flow| {
        let ends = (flow["from"].as_str().expect("a name"), flow["to"].as_str().expect("a name"));
        (ends, (count(&flow["moves"]), count(&flow["customers"])))
    });
    assert_eq!(flows.collect::<BTreeMap<_, _>>(), expected, "{name}");
}

fn check_segment(slow: &Slow, value: &BTreeMap<&str, f64>, dimension: &str, segment: &Value) {
    let name = segment["name"].as_str().expect("a name");
    let moves = &slow.moves[dimension];
    let there: Vec<&str> = moves
        .iter()
        .filter(|(_, moves)| Slow::standing(moves, slow.end) == Some(name))
        .map(|(customer, _)| &**customer)
        .collect();
    assert_eq!(segment["size"].as_u64(), Some(there.len() as u64), "{dimension} {name}");
    assert!(near(&segment["share"], there.len() as f64 / moves.len() as f64));
    let money: f64 = there.iter().filter_map(|customer| value.get(customer)).sum();
    assert!(near(&segment["value"], money), "{dimension} {name}: {} {money}", segment["value"]);
    let before = slow.sizes(dimension, slow.end - 30 * DAY).get(name).copied().unwrap_or(0);
    assert_eq!(segment["size_before"].as_u64(), Some(before));

    let leavings = slow.leavings(dimension, name);
    assert_eq!(segment["left"].as_u64(), Some(leavings.len() as u64));
    let is_flap = |leaving: &&(i64, Option<i64>)| leaving.1.is_some_and(|again| again - leaving.0 <= 20 * DAY);
    let observed: Vec<_> = leavings.iter().filter(|(left, _)| *left <= slow.end - 20 * DAY).collect();
    let flaps = &segment["flaps"];
    assert_eq!(flaps["flaps"].as_u64(), Some(leavings.iter().filter(is_flap).count() as u64));
    assert_eq!(flaps["left_observed"].as_u64(), Some(observed.len() as u64));
    assert_eq!(flaps["flaps_observed"].as_u64(), Some(observed.iter().copied().filter(is_flap).count() as u64));

    let mut time = 0;
    let (mut n_stays, mut ended) = (0, Vec::new());
    for moves in moves.values() {
        for (index, (since, _)) in moves.iter().enumerate().filter(|(_, (_, segment))| segment == name) {
            let until = moves.get(index + 1).map(|(until, _)| *until);
            time += until.unwrap_or(slow.end) - since;
            n_stays += 1;
            ended.extend(until.map(|until| until - since));
        }
    }
    let flow = (time > 0).then(|| leavings.len() as f64 * 30.0 * DAY as f64 / time as f64);
    assert!(flow.map_or(segment["flow"].is_null(), |flow| near(&segment["flow"], flow)), "{dimension} {name}");
    let dwell = &segment["dwell"];
    assert_eq!((dwell["stays"].as_u64(), dwell["ended"].as_u64()), (Some(n_stays), Some(ended.len() as u64)));
    ended.sort_unstable();
    let median = ended.len().checked_sub(1).map(|last| ended[last / 2]);
    assert_eq!(dwell["median_of_ended_ms"].as_i64(), median, "{dimension} {name}");
}

#[test]
fn threads_and_files_do_not_show() {
    let place = Place::new();
    let events = events();
    place.write("events.jsonl", &events);
    let one = place.output(&["report", "-c", "rules.toml", "--json", "events.jsonl", "--threads", "1"]);
    for n_threads in ["2", "5"] {
        let found = place.output(&["report", "-c", "rules.toml", "--json", "events.jsonl", "--threads", n_threads]);
        assert_eq!(found, one, "{n_threads} threads");
    }
    let (odd, even): (Vec<_>, Vec<_>) = events.lines().enumerate().partition(|(index, _)| index % 2 == 1);
    for (name, lines) in [("odd.jsonl", odd), ("even.jsonl", even)] {
        place.write(name, &lines.into_iter().map(|(_, line)| format!("{line}\n")).collect::<String>());
    }
    assert_eq!(place.output(&["report", "-c", "rules.toml", "--json", "odd.jsonl", "even.jsonl"]), one);
}

#[test]
fn a_period_has_its_own_moves_and_the_standing_of_all_that_was_before() {
    let place = Place::new();
    place.write("events.jsonl", &events());
    let whole = place.report(&["events.jsonl"]);
    let from = jiff::Timestamp::from_millisecond(START + 100 * DAY).expect("a time").to_string();
    let part = place.report(&["events.jsonl", "--from", &from, "--every", "1d"]);
    assert_eq!(part["dimensions"][0]["sizes"], whole["dimensions"][0]["sizes"]);
    assert_eq!(part["value"], whole["value"]);
    let n_moves = |report: &Value| -> u64 {
        let flows = report["dimensions"][0]["flows"].as_array().expect("flows");
        flows.iter().map(|flow| flow["moves"].as_u64().expect("a count")).sum()
    };
    assert!(n_moves(&part) > 0 && n_moves(&part) < n_moves(&whole));
    let n_samples = part["dimensions"][0]["series"].as_array().expect("a series").len() as i64;
    assert_eq!(n_samples, (ms(&part["period"]["until"]) - START) / DAY - 100 + 1);
}

#[test]
fn the_four_tests_find_what_is_not_known_and_nobody_who_can_be_reached() {
    let place = Place::new();
    place.write("events.jsonl", &events());
    let strict = place.run(&["report", "-c", "rules.toml", "events.jsonl", "--strict"]);
    assert_eq!(strict.status.code(), Some(1), "{}", text(&strict.stderr));
    let table = text(&strict.stdout);
    // Nothing that is generated has an address.
    assert!(table.contains("active is not reachable: 0.0 % email (at least 50.0 %)"), "{table}");

    let report = place.report(&["events.jsonl"]);
    let low = &report["dimensions"][1]["segments"][1];
    assert_eq!(low["name"], "low");
    let measures = low["tests"]["measurable"]["measures"].as_array().expect("measures");
    let names: Vec<&str> = measures.iter().filter_map(|measure| measure["name"].as_str()).collect();
    assert_eq!(names, ["purchase events", "profile.age"]);
    let ranks: BTreeSet<u64> = report["dimensions"][0]["segments"]
        .as_array()
        .expect("segments")
        .iter()
        .filter_map(|segment| segment["attractiveness"]["rank"].as_u64())
        .collect();
    assert_eq!(ranks, BTreeSet::from([1, 2, 3]));
}

#[test]
fn of_alternatives_one_must_be_known_and_the_others_are_not_asked_for() {
    let place = Place::new();
    let rules = r#"
[[dimension]]
name = "place"
[[dimension.segment]]
name = "near"
when = 'profile.town == "Here" || !has(profile.town) && purchase.where(country == "GB").count() >= 1'
[[dimension.segment]]
name = "keen"
when = '(visit.count() >= 1 || purchase.count() >= 2) && purchase.where(coupon == "X").count() >= 1'
[kind.visit]
"#;
    place.write("rules.toml", rules);
    let event =
        |id: &str| format!(r#"{{"kind":"purchase","customer_id":"{id}","time":{START},"amount":9,"country":"GB"}}"#);
    place.write("events.jsonl", &["a", "b"].map(|id| event(id) + "\n").concat());
    let report = place.report(&["events.jsonl"]);
    let measurable = |index: usize| &report["dimensions"][0]["segments"][index]["tests"]["measurable"];
    assert_eq!(measurable(0)["passes"], true, "the country is known of all orders, and no town of anybody");
    let asked = |index: usize| -> Vec<(&str, Option<bool>)> {
        let measures = measurable(index)["measures"].as_array().expect("measures");
        measures.iter().map(|one| (one["name"].as_str().expect("a name"), one["passes"].as_bool())).collect()
    };
    let near = [("purchase events", Some(true)), ("country of purchase events", Some(true)), ("profile.town", None)];
    assert_eq!(asked(0), near);
    let keen = [("purchase events", Some(true)), ("visit events", None), ("coupon of purchase events", Some(false))];
    assert_eq!(asked(1), keen);
    let texts: Vec<&str> = report["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .filter(|finding| finding["segment"] == "keen" && finding["test"] == "measurable")
        .filter_map(|finding| finding["text"].as_str())
        .collect();
    assert_eq!(texts, ["no coupon of purchase events"]);
}

#[test]
fn what_goes_wrong_is_said_with_the_right_exit_code() {
    let place = Place::new();
    place.write("events.jsonl", &events());
    place.write("empty.jsonl", "");
    place.write("typo.toml", &RULES.replace("flap_window", "flop_window"));
    let (early, late) = ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
    for (arguments, code, complaint) in [
        (&["-c", "typo.toml", "events.jsonl"][..], 2, "did you mean `flap_window`?"),
        (&["-c", "rules.toml", "events.jsonl", "--from", late, "--until", early], 2, "is not before"),
        (&["-c", "rules.toml", "events.jsonl", "--every", "1s"], 2, "at least a minute"),
        (&["-c", "rules.toml", "events.jsonl", "--every", "1m"], 2, "take a longer --every"),
        (&["-c", "rules.toml", "nowhere.jsonl"], 3, "nowhere.jsonl"),
        (&["-c", "rules.toml", "empty.jsonl"], 3, "no event and no --until"),
    ] {
        let output = place.run(&[&["report"], arguments].concat());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(complaint), "{arguments:?}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty());
    }
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/segments.toml");
    let rules = rules.to_str().expect("a path of ours");
    let nobody = place.output(&["report", "-c", rules, "empty.jsonl", "--until", early]);
    assert!(nobody.starts_with("0 customers"), "{nobody}");
}
