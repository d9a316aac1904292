//! What comes with the project works together: the events in `data/` are what data/README.md says, every one is
//! acceptable, `config/segments.toml` has the segments that a shop asks for, under `config/quickstart.toml` a year of
//! the shop shows people going dormant and coming back, and `config/dormouse.toml` is a service, also in the container that `deploy/` makes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use dormouse::cli::generate::{self, Kind, Model};
use dormouse::config::rules::load;
use dormouse::config::service::{self, Environment, Surroundings};
use dormouse::engine::{Cause, Change, Outcome, Shard};
use dormouse::event::{Amount, Decoder, Event, Format, Instant, Span};
use dormouse::rules::Plan;
use dormouse::rules::place::SourceFile;
use dormouse::rules::plan::SegmentId;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn plan_of(name: &str) -> Plan {
    match load(&path(name)) {
        Ok(loaded) => {
            assert!(loaded.warnings.is_empty(), "{name}: {:?}", loaded.warnings);
            loaded.plan
        }
        Err(errors) => panic!("{name}: {errors:?}"),
    }
}

fn plan() -> Plan {
    plan_of("config/segments.toml")
}

fn lines(name: &str) -> Vec<String> {
    let file = std::fs::File::open(path(name)).expect("the data is there");
    let lines: std::io::Result<Vec<String>> = if name.ends_with(".zst") {
        BufReader::new(zstd::Decoder::new(file).expect("a zstd frame")).lines().collect()
    } else {
        BufReader::new(file).lines().collect()
    };
    lines.expect("the data is UTF-8")
}

/// Decodes every line; one that is no event fails the test.
fn events<'a>(plan: &Plan, lines: &'a [String]) -> Vec<Event<'a>> {
    let decoder = Decoder::new(&plan.schema);
    let decode = |line: &'a String| decoder.decode(Format::Json, line.as_bytes(), None);
    lines.iter().map(|line| decode(line).unwrap_or_else(|reject| panic!("{reject:?} in {line}"))).collect()
}

fn n_by_kind<'p>(plan: &'p Plan, events: &[Event<'_>]) -> BTreeMap<&'p str, usize> {
    let mut n_by_kind = BTreeMap::new();
    for event in events {
        *n_by_kind.entry(&*plan.schema.kinds[usize::from(event.kind.0)].name).or_default() += 1;
    }
    n_by_kind
}

#[test]
fn the_year_of_the_shop_is_what_its_page_says() {
    let plan = plan();
    let lines = lines("data/online-retail.jsonl.zst");
    let events = events(&plan, &lines);
    assert_eq!(n_by_kind(&plan, &events), BTreeMap::from([("purchase", 18_536), ("refund", 3_654)]));
    assert!(events.is_sorted_by_key(|event| event.time), "not in the order of time");

    let customers: BTreeSet<&str> = events.iter().map(|event| &*event.customer).collect();
    assert_eq!(customers.len(), 4_372);
    let ids: BTreeSet<Option<&str>> = events.iter().map(|event| event.id.as_deref()).collect();
    assert_eq!(ids.len(), events.len(), "two invoices of one number, or one without");
    assert!(lines.iter().all(|line| line.contains(r#""currency":"GBP""#)));

    // 536365 is the first invoice: 6 × 2.55 + 6 × 3.39 + 8 × 2.75 + 6 × 3.39 + 6 × 3.39 + 2 × 7.65 + 6 × 4.25.
    assert_eq!(events[0].amount, Some(Amount(139_1200)));
    assert_eq!(events[0].id.as_deref(), Some("536365"));
}

#[test]
fn the_sample_of_a_web_shop_is_what_its_page_says() {
    let plan = plan();
    let lines = lines("data/otto-sample.jsonl");
    let events = events(&plan, &lines);
    assert_eq!(n_by_kind(&plan, &events), BTreeMap::from([("browse", 800), ("cart_add", 52), ("purchase", 5)]));
    assert!(events.is_sorted_by_key(|event| event.time), "not in the order of time");
    assert!(events.iter().all(|event| event.customer.starts_with("otto-")));
}

/// All changes of a replay: the clock is the latest event time so far minus the grace of five seconds.
fn replay(plan: Plan, events: &[Event<'_>]) -> Vec<Change> {
    let mut shard = Shard::new(Arc::new(plan));
    let mut changes = Vec::new();
    let mut latest = Instant(i64::MIN + 5_000);
    for event in events {
        latest = latest.max(event.time);
        let outcome = shard.apply(event, Instant(latest.0 - 5_000), &mut changes);
        assert_ne!(outcome, Outcome::Duplicate);
    }
    while shard.advance(latest, usize::MAX, &mut changes) == dormouse::engine::Progress::More {}
    changes
}

/// How often each move was made, by the names of dimension, from and to.
fn moves<'p>(plan: &'p Plan, changes: &[Change]) -> BTreeMap<(&'p str, &'p str, &'p str), usize> {
    let mut n_moves = BTreeMap::new();
    for change in changes {
        let name = |segment| plan.segment_name(change.dimension, segment);
        let dimension = &*plan.dimension(change.dimension).name;
        *n_moves.entry((dimension, name(change.from), name(change.to))).or_default() += 1;
    }
    n_moves
}

#[test]
fn under_the_small_rules_customers_go_dormant_and_come_back() {
    let plan = plan_of("config/quickstart.toml");
    let lines = lines("data/online-retail.jsonl.zst");
    let changes = replay(plan.clone(), &events(&plan, &lines));
    let n_moves = moves(&plan, &changes);
    // Counted once apart from the engine, by a script that looks at the gaps between each customer's orders.
    assert_eq!(n_moves[&("activity", "active", "dormant")], 3_219);
    assert_eq!(n_moves[&("activity", "dormant", "active")], 1_770);

    let to_dormant = changes.iter().filter(|change| plan.segment_name(change.dimension, change.to) == "dormant");
    assert!(to_dormant.clone().all(|change| change.cause == Cause::Elapsed), "somebody went dormant by an event");
}

#[test]
fn the_small_rules_are_small() {
    let text = std::fs::read_to_string(path("config/quickstart.toml")).expect("the file is there");
    assert!(text.lines().count() <= 20, "{} lines", text.lines().count());
}

/// The dimensions that a shop asks for, and their segments.
const SEGMENTS: [(&str, &str); 12] = [
    ("behaviour", "high_spending active promising dormant low_spending"),
    ("life_cycle", "prospect won_back lost at_risk new returning"),
    ("spend", "top high medium low"),
    (
        "rfm",
        "champions loyal_customers potential_loyalists new_customers promising need_attention about_to_sleep \
         cant_lose_them at_risk hibernating",
    ),
    ("interest", "garden kitchen toys books shoes jewellery camping pets"),
    ("place", "new_to_country united_kingdom ireland france german_speaking benelux elsewhere"),
    (
        "who",
        "large_company medium_company small_company family student retired women_under_35 men_under_35 \
         people_under_35 women_35_to_66 men_35_to_66 people_35_to_66",
    ),
    ("mindset", "premium promotion_driven price_sensitive brand_loyal variety_seeking"),
    ("feedback", "unhappy_and_valuable unhappy delighted satisfied"),
    ("rhythm", "birthday_soon seasonal evening weekend weekday"),
    ("cart", "abandoned browsed_without_buying"),
    ("social", "refers shares reviews"),
];

#[test]
fn every_segment_has_a_label_and_says_what_to_do() {
    let plan = plan();
    let found = plan.dimensions.iter().map(|dimension| {
        let names: Vec<&str> = dimension.segments.iter().map(|segment| &*segment.name).collect();
        (&*dimension.name, names.join(" "))
    });
    let expected = SEGMENTS.map(|(dimension, segments)| (dimension, segments.to_owned()));
    assert_eq!(found.collect::<Vec<_>>(), expected);
    for dimension in &plan.dimensions {
        for segment in &dimension.segments {
            let is_told = segment.label.is_some() && segment.action.is_some();
            assert!(is_told, "{}.{}", dimension.name, segment.name);
        }
    }
}

#[test]
fn a_year_of_the_shop_reaches_all_that_its_orders_can_tell() {
    let plan = plan();
    let lines = lines("data/online-retail.jsonl.zst");
    let changes = replay(plan.clone(), &events(&plan, &lines));
    let n_moves = moves(&plan, &changes);
    for (dimension, segments) in SEGMENTS.iter().take(4) {
        for segment in segments.split(' ') {
            let n: usize =
                n_moves.iter().filter(|((d, _, to), _)| d == dimension && *to == segment).map(|(_, n)| n).sum();
            assert!(n > 50, "{dimension}.{segment} was entered {n} times");
        }
    }
}

fn model() -> Model {
    Model {
        n_customers: 3_000,
        n_events: 100_000,
        seed: 7,
        kinds: [Kind::ALL.as_slice(), &Kind::CONFIGURED].concat(),
        // 2025-11-01T00:00:00Z: two months before Christmas, and time to see that some do not come again until then.
        start: Instant(1_761_955_200_000),
        days: 365,
    }
}

/// A year of some thousand customers of the made-up shop, who do everything that the rules ask about.
fn a_generated_year() -> Vec<String> {
    let mut bytes = Vec::new();
    generate::write_in("GBP", &model(), &mut bytes).expect("memory takes it");
    String::from_utf8(bytes).expect("it is text").lines().map(str::to_owned).collect()
}

#[test]
fn the_generated_sample_is_what_the_program_writes() {
    let mut bytes = Vec::new();
    let model = Model { n_customers: 300, n_events: 10_000, seed: 1, ..model() };
    generate::write_in("GBP", &model, &mut bytes).expect("memory takes it");
    let written = String::from_utf8(bytes).expect("it is text");
    assert!(lines("data/generated-shop.jsonl.zst").iter().eq(written.lines()), "make it anew: data/README.md says how");
}

#[test]
fn the_rules_pass_their_own_tests_which_enter_every_segment() {
    let check = Command::new(env!("CARGO_BIN_EXE_dormouse"))
        .args(["check", "-c", "config/segments.toml"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_clear()
        .output()
        .expect("the binary runs");
    let text = String::from_utf8_lossy(&check.stdout);
    assert!(check.status.success() && check.stderr.is_empty(), "{text}{}", String::from_utf8_lossy(&check.stderr));
    // A line on segments that no test enters would come after it.
    assert!(text.ends_with(" tests passed\n"), "{text}");
}

#[test]
fn a_generated_year_reaches_every_segment() {
    let plan = plan();
    let lines = a_generated_year();
    let changes = replay(plan.clone(), &events(&plan, &lines));
    let n_moves = moves(&plan, &changes);
    for (dimension, segments) in SEGMENTS {
        for segment in segments.split(' ') {
            let n: usize =
                n_moves.iter().filter(|((d, _, to), _)| *d == dimension && *to == segment).map(|(_, n)| n).sum();
            assert!(n >= 10, "{dimension}.{segment} was entered {n} times");
        }
    }
    // What the customers who ever bought are at the end, in percent.
    let mut at_end: BTreeMap<&str, &str> = BTreeMap::new();
    for change in changes.iter().filter(|change| change.dimension.0 == 0) {
        at_end.insert(&change.customer, plan.segment_name(change.dimension, change.to));
    }
    for segment in SEGMENTS[0].1.split(' ') {
        let percent = 100 * at_end.values().filter(|name| **name == segment).count() / at_end.len();
        assert!((4..45).contains(&percent), "{percent} % are {segment}");
    }
}

/// How long ago a segment was left for coming back to be a flap.
const FLAP: Span = Span(30 * Span::DAY.0);

/// The moves of a dimension back into a segment that was left less than 30 days before, by customer.
fn flaps(changes: &[Change], dimension: usize) -> BTreeMap<&str, Vec<&Change>> {
    let mut left: BTreeMap<(&str, Option<SegmentId>), Instant> = BTreeMap::new();
    let mut flaps: BTreeMap<&str, Vec<&Change>> = BTreeMap::new();
    for change in changes.iter().filter(|change| usize::from(change.dimension.0) == dimension) {
        left.insert((&change.customer, change.from), change.effective_at);
        let is_back = left.get(&(&*change.customer, change.to)).is_some_and(|at| change.effective_at - *at < FLAP);
        if is_back {
            flaps.entry(&change.customer).or_default().push(change);
        }
    }
    flaps
}

/// Under the shipped rules; returns how many customers of a thousand went to and fro at all, and how many by time alone.
#[track_caller]
fn check_flaps(lines: &[String]) -> [usize; 2] {
    let plan = plan();
    let changes = replay(plan.clone(), &events(&plan, lines));
    let flaps = flaps(&changes, 0);
    for (customer, flaps) in &flaps {
        for (index, flap) in flaps.iter().enumerate() {
            let again = flaps[index + 1..].iter().filter(|later| later.effective_at - flap.effective_at < FLAP);
            let of_same = again.clone().filter(|later| later.to == flap.to).count();
            assert_eq!(of_same, 0, "{customer} came back twice within a month: {flap:?}");
            let without_cause = again.filter(|later| later.cause == Cause::Elapsed).count();
            assert_eq!(without_cause, 0, "{customer} did nothing, and went to and fro twice within a month: {flap:?}");
        }
    }
    let n_customers = changes.iter().map(|change| &*change.customer).collect::<BTreeSet<_>>().len();
    let by_time = flaps.values().filter(|flaps| flaps.iter().any(|flap| flap.cause == Cause::Elapsed));
    [1_000 * flaps.len() / n_customers, 1_000 * by_time.count() / n_customers]
}

#[test]
fn nobody_goes_to_and_fro_more_than_once_a_month() {
    for lines in [a_generated_year(), lines("data/generated-shop.jsonl.zst")] {
        let [n, n_by_time] = check_flaps(&lines);
        assert!(n < 120 && n_by_time < 5, "{n} of a thousand, {n_by_time} by time alone");
    }
    // Many customers of a wholesaler order every second month or third, each time as if it were the beginning.
    let [n, n_by_time] = check_flaps(&lines("data/online-retail.jsonl.zst"));
    assert!(n < 200 && n_by_time < 5, "{n} of a thousand, {n_by_time} by time alone");
}

#[test]
fn time_alone_moves_nobody_to_and_fro() {
    let plan = plan();
    let lines = lines("data/online-retail.jsonl.zst");
    let changes = replay(plan.clone(), &events(&plan, &lines));
    for (index, dimension) in plan.dimensions.iter().enumerate() {
        for (customer, flaps) in flaps(&changes, index) {
            let by_time: Vec<&Change> = flaps.into_iter().filter(|flap| flap.cause == Cause::Elapsed).collect();
            let is_again = by_time.windows(2).any(|pair| pair[1].effective_at - pair[0].effective_at < FLAP);
            assert!(!is_again, "{customer} came back twice within a month in {}: {by_time:?}", dimension.name);
        }
    }
}

/// `config/dormouse.toml` as it is read with these variables set.
fn service(variables: &[(&str, &str)]) -> service::Loaded {
    let text = std::fs::read_to_string(path("config/dormouse.toml")).expect("the configuration is there");
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let surroundings = Surroundings {
        folder: path("config"),
        environment: Environment::of(variables),
        host: Some("this-machine".to_owned()),
    };
    match service::load_file(&SourceFile::new("config/dormouse.toml", text), &surroundings) {
        Ok(loaded) => loaded,
        Err(errors) => panic!("config/dormouse.toml: {errors:?}"),
    }
}

#[test]
fn the_service_configuration_is_whole_and_names_the_rules_beside_it() {
    let service::Loaded { service, warnings } = service(&[]);
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(service.kafka.brokers, "127.0.0.1:9092");
    assert_eq!(service.inputs.iter().map(|input| &*input.topic).collect::<Vec<_>>(), ["purchases", "behaviour"]);
    assert_eq!(service.rules, path("config/segments.toml"));
}

/// The variables that a file of `deploy/` sets, in whichever way it writes them: `NAME=value` or `NAME: value`.
fn variables(name: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(path(name)).expect("the file is there");
    let lines = text.lines().map(|line| line.trim().trim_start_matches("ENV "));
    let settings = lines.filter(|line| line.starts_with("DORMOUSE_"));
    let split =
        |line: &str| line.split_once(['=', ':']).map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
    settings.filter_map(split).collect()
}

#[test]
fn the_container_listens_where_it_can_be_reached_and_finds_the_broker_beside_it() {
    let mut variables =
        variables("deploy/Dockerfile").into_iter().chain(variables("deploy/compose.yaml")).collect::<Vec<_>>();
    variables.sort();
    variables.dedup();
    let borrowed: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (&**name, &**value)).collect();
    // Warned of: between the two containers records travel in the clear.
    let service::Loaded { service, .. } = service(&borrowed);
    assert_eq!(service.kafka.brokers, "kafka:19092");
    assert_eq!(service.http.listen.to_string(), "0.0.0.0:8080");
}
