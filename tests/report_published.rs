//! Published results of the Online Retail year: the ten groups of recency and frequency, from `config/examples/`, whose
//! cuts are the quintiles' edges, which are computed here anew from the events; orders and revenue by country; and the
//! cohorts of first months, from `config/examples/`, with how many came again in which month.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const RULES: &str = "config/examples/rfm-online-retail.toml";
const EVENTS: &str = "data/online-retail.jsonl.zst";
const NUMBERS: &str = "data/online-retail-numbers.jsonl.zst";
const TODAY: &str = "2011-12-11T00:00:00Z";

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn lines(name: &str) -> Vec<Value> {
    let file = std::fs::File::open(path(name)).expect("the data is there");
    let bytes = zstd::decode_all(file).expect("a zstd frame");
    let text = String::from_utf8(bytes).expect("the data is UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

fn report(arguments: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dormouse"));
    command.arg("report").arg("-c").arg(path(RULES)).args(["--json", "--until", TODAY]).args(arguments);
    let output = command.arg(path(EVENTS)).arg(path(NUMBERS)).output().expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("the report is JSON")
}

#[test]
fn the_published_groups_of_the_year_come_out_exactly() {
    let published = [
        ("hibernating", 1071),
        ("loyal", 819),
        ("champions", 633),
        ("at risk", 593),
        ("potential loyalists", 484),
        ("about to sleep", 352),
        ("need attention", 187),
        ("promising", 95),
        ("can't lose", 63),
        ("new", 42),
        // Those who only sent something back.
        ("none", 4_372 - 4_339),
    ];
    let published: BTreeMap<String, u64> = published.map(|(name, n)| (name.to_owned(), n)).into();
    for threads in ["1", "2"] {
        let report = report(&["--threads", threads]);
        let found: BTreeMap<String, u64> =
            serde_json::from_value(report["dimensions"][0]["sizes"].clone()).expect("sizes");
        assert_eq!(found, published);
    }
}

/// Rules that divide the buyers in two ways; the sums over either are those of all.
const COUNTRIES: &str = r#"
currency = "GBP"
[report]
value_window = "400d"
habits = ["country", "month", "weekday", "hour"]
[[dimension]]
name = "often"
[[dimension.segment]]
name = "once"
when = 'purchase.count() == 1'
[[dimension.segment]]
name = "again"
when = 'purchase.count() >= 2'
[[dimension]]
name = "much"
[[dimension.segment]]
name = "much"
when = 'purchase.sum() >= 1000'
"#;

/// Tells of a dimension's segments and `none` the sums of what `of` finds in each.
fn sum<T: std::iter::Sum>(dimension: &Value, of: impl Fn(&Value) -> T) -> T {
    dimension["segments"].as_array().expect("segments").iter().map(of).sum()
}

/// Money in 1/10 000.
fn money(value: &Value) -> i128 {
    (value.as_f64().expect("money") * 10_000.0).round() as i128
}

/// Orders, buyers and revenue of the year, of its largest countries, and of months, weekdays and hours, before
/// cancellations, as they stand in many published analyses of the data set.
#[test]
fn orders_and_revenue_by_country_and_by_time_come_out_to_the_penny() {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("countries.toml");
    std::fs::write(&rules, COUNTRIES).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_dormouse"));
    let output = command.args(["report", "--json", "-c"]).arg(&rules).arg(path(EVENTS)).output();
    let output = output.expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("the report is JSON");
    assert_eq!(money(&report["value"]), 83_000_658_140);
    for dimension in report["dimensions"].as_array().expect("dimensions") {
        let buying = |name: &str| sum(dimension, |segment| segment["buying"][name].as_u64().expect("a count"));
        assert_eq!((buying("buyers"), buying("orders")), (4_339, 18_536));
        let [paid, refunded] =
            ["paid", "refunded"].map(|name| sum(dimension, |segment| money(&segment["buying"][name])));
        assert_eq!((paid, paid - refunded), (89_114_079_040, 83_000_658_140));
        for (name, buyers, orders, paid) in [
            ("United Kingdom", 3_921, 16_649, 73_083_915_540),
            ("Netherlands", 9, 95, 2_854_463_400),
            ("EIRE", 3, 260, 2_655_459_000),
            ("Germany", 94, 457, 2_288_671_400),
            ("France", 87, 389, 2_090_240_500),
            ("Australia", 9, 57, 1_385_213_100),
            ("2010-12", 885, 1_400, 5_727_138_900),
            ("2011-09", 1_266, 1_756, 9_528_383_820),
            ("2011-11", 1_665, 2_658, 11_618_173_800),
            ("Thursday", 2_007, 4_033, 19_768_590_700),
            ("Sunday", 1_225, 2_169, 7_925_142_210),
            ("06", 1, 1, 42_500),
            ("12", 1_637, 3_129, 13_785_441_300),
        ] {
            let of = |segment: &Value| {
                let habits = segment["habits"].as_array().expect("habits").iter();
                let mut values = habits.flat_map(|habits| habits["values"].as_array().expect("values"));
                values.find(|value| value["name"] == name).cloned().unwrap_or(Value::Null)
            };
            let count = |what: &str| sum(dimension, |segment| of(segment)[what].as_u64().unwrap_or(0));
            assert_eq!((count("buyers"), count("orders")), (buyers, orders), "{name}");
            let found: i128 =
                sum(dimension, |segment| if of(segment).is_null() { 0 } else { money(&of(segment)["paid"]) });
            assert_eq!(found, paid, "{name}");
        }
    }
}

/// By the month in which they came first: how many, and how many of them were seen in each month after it.
const COHORTS: [&[u64]; 13] = [
    &[948, 362, 317, 367, 341, 376, 360, 336, 336, 374, 354, 474, 260],
    &[421, 101, 119, 102, 138, 126, 110, 108, 131, 146, 155, 63],
    &[380, 94, 73, 106, 102, 94, 97, 107, 98, 119, 35],
    &[440, 84, 112, 96, 102, 78, 116, 105, 127, 39],
    &[299, 68, 66, 63, 62, 71, 69, 78, 25],
    &[279, 66, 48, 48, 60, 68, 74, 29],
    &[235, 49, 44, 64, 58, 79, 24],
    &[191, 40, 39, 44, 52, 22],
    &[167, 42, 42, 42, 23],
    &[298, 89, 97, 36],
    &[352, 93, 46],
    &[321, 43],
    &[41],
];

#[test]
fn the_published_cohorts_come_out_exactly() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dormouse"));
    command.args(["report", "--json", "--until", "2011-12-10T00:00:00Z", "-c"]);
    let output = command.arg(path("config/examples/cohorts-online-retail.toml")).arg(path(EVENTS)).output();
    let output = output.expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("the report is JSON");
    let cohorts = report["dimensions"][0]["segments"].as_array().expect("segments");
    let seen = |cohort: &Value| -> Vec<u64> {
        let overlaps = report["overlaps"].as_array().expect("overlaps").iter();
        let months = overlaps.filter(|overlap| overlap["dimensions"][0] == "cohort");
        let cells = months.flat_map(|overlap| overlap["cells"].as_array().expect("cells"));
        let cells = cells.filter(|cell| cell["segments"][0] == cohort["name"] && cell["segments"][1] == "seen");
        cells.map(|cell| cell["customers"].as_u64().expect("a count")).collect()
    };
    for (index, (cohort, published)) in cohorts.iter().zip(COHORTS).enumerate() {
        let mut found = seen(cohort);
        // No dimension asks who was seen in the first month of all.
        if index == 0 {
            found.insert(0, cohort["size"].as_u64().expect("a size"));
        }
        assert_eq!(cohort["size"], published[0], "{}", cohort["name"]);
        assert_eq!(found, published, "{}", cohort["name"]);
    }
    assert_eq!(cohorts.len(), COHORTS.len() + 1, "and none");
}

/// `(fifths · (n - 1)) / 5` into the sorted values, between two of them in proportion: twice as large, and rounded down
/// to a whole, since all that is asked is which whole numbers are greater.
fn edge(sorted: &[i64], fifths: usize) -> i64 {
    let (place, rest) = (fifths * (sorted.len() - 1) / 5, (fifths * (sorted.len() - 1) % 5) as i64);
    let next = sorted.get(place + 1).unwrap_or(&sorted[place]);
    (sorted[place] * 5 + (next - sorted[place]) * rest).div_euclid(5)
}

#[test]
fn the_cuts_are_the_edges_of_the_quintiles() {
    let today: jiff::Timestamp = TODAY.parse().expect("a time");
    let mut customers: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    for event in lines(EVENTS).iter().filter(|event| event["kind"] == "purchase") {
        let number = event["customer_id"].as_str().expect("an id").parse().expect("a number");
        let time: jiff::Timestamp = event["time"].as_str().expect("a time").parse().expect("RFC 3339");
        let days = today.duration_since(time).as_secs() / 86_400;
        let (recency, frequency) = customers.entry(number).or_insert((days, 0));
        *recency = days.min(*recency);
        *frequency += 1;
    }
    assert_eq!(customers.len(), 4_339);
    let rules = std::fs::read_to_string(path(RULES)).expect("the rules are there");

    let mut days: Vec<i64> = customers.values().map(|(recency, _)| *recency).collect();
    days.sort_unstable();
    // More days than the edge are at least one day more than its whole part.
    let cuts: Vec<String> = (1..5).map(|fifths| format!("\"{}d\"", edge(&days, fifths) + 1)).collect();
    assert!(rules.contains(&format!("cuts = [{}]", cuts.join(", "))), "{cuts:?}");

    // Ranked by frequency, and among as many by number: the edges are places in this order.
    let mut ranked: Vec<(i64, i64)> = customers.iter().map(|(number, (_, frequency))| (*frequency, *number)).collect();
    ranked.sort_unstable();
    let ranks: Vec<i64> = (1..=ranked.len() as i64).collect();
    let first_above = |fifths| ranked[edge(&ranks, fifths) as usize];
    let cuts: Vec<String> = (1..5).map(first_above).map(|(n, number)| (n * 100_000 + number).to_string()).collect();
    assert!(rules.contains(&format!("cuts = [{}]", cuts.join(", "))), "{cuts:?}");
}

#[test]
fn every_customer_has_their_number() {
    let numbers = lines(NUMBERS);
    assert_eq!(numbers.len(), 4_372);
    for profile in &numbers {
        let number = profile["attributes"]["number"].as_u64().expect("a number");
        assert_eq!(profile["customer_id"].as_str(), Some(&*number.to_string()));
        assert!(number < 100_000, "the weight of an order has to be greater");
    }
}
