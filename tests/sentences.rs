//! Sentences in plain words for every shape of the rule language, from facts that the engine folded: the snapshots in
//! `tests/sentences/` are read by people. `UPDATE_EXPECT=1 cargo test --test sentences` writes them anew.

mod generate;

use std::sync::Arc;

use dormouse::config::rules;
use dormouse::engine::{Change, Explanation, Progress, Shard};
use dormouse::event::{Decoder, Format, Instant, Span};
use dormouse::rules::Plan;
use dormouse::rules::words::Words;
use expect_test::{expect, expect_file};

/// 2026-06-15T12:00:00Z, a Monday.
const AT: Instant = Instant(1_781_524_800_000);

const HEAD: &str = r#"
timezone = "Europe/Berlin"
currency = "EUR"
[kind.cart_add]
[kind.game]
amount = "points"
[score.recency]
of = 'purchase.since_last()'
cuts = ["14d", "30d"]
falling = true
[[dimension]]
name = "activity"
[[dimension.segment]]
name = "active"
label = "Active"
when = 'purchase.count() >= 1'
"#;

/// A rules file with one segment for each condition.
fn rules_of(conditions: &[&str]) -> String {
    let segment = |(number, condition): (usize, &&str)| {
        format!("[[dimension.segment]]\nname = \"s{number}\"\nwhen = '{condition}'\n")
    };
    let segments: String = conditions.iter().enumerate().map(segment).collect();
    format!("{HEAD}[[dimension]]\nname = \"shapes\"\n{segments}")
}

fn explanation(plan: &Arc<Plan>, events: &[&str]) -> Explanation {
    let decoder = Decoder::new(&plan.schema);
    let mut shard = Shard::new(plan.clone());
    for line in events {
        let event = decoder.decode(Format::Json, line.as_bytes(), None).expect("an event");
        let clock = event.time - Span(5_000);
        shard.apply(&event, clock, &mut Vec::new());
    }
    shard.observe(AT);
    shard.explain("c").expect("the customer is there")
}

/// Each condition with its sentence for each of the histories.
fn sentences(conditions: &[&str], histories: &[&[&str]]) -> String {
    let text = rules_of(conditions);
    let plan = Arc::new(rules::load_text("segments.toml", &text).unwrap_or_else(|errors| panic!("{errors:#?}")).plan);
    let explanations: Vec<Explanation> = histories.iter().map(|events| explanation(&plan, events)).collect();
    let mut shown = String::new();
    for (index, condition) in conditions.iter().enumerate() {
        shown.push_str(condition);
        shown.push('\n');
        for explanation in &explanations {
            let readings = &explanation.dimensions[1].segments[index].when.readings;
            let words = Words::new(&plan, explanation.at);
            let needs: Vec<String> = readings.iter().filter_map(|reading| words.needs(reading)).collect();
            let needs = if needs.is_empty() { String::new() } else { format!("   [needs {}]", needs.join("; ")) };
            shown.push_str(&format!("    {}{needs}\n", words.sentence(readings)));
        }
    }
    shown
}

/// Buys, browses, searches, rates; profile attributes of every type.
const BUSY: &[&str] = &[
    r#"{"kind":"profile","customer_id":"c","time":"2025-11-20T10:00:00Z","attributes":{"tier":"gold","age":34,"newsletter":true,"birthday":"1990-06-20","email":"x, y"}}"#,
    r#"{"kind":"purchase","customer_id":"c","time":"2025-12-24T18:30:00Z","items":[{"product_id":"22423","category":"garden","brand":"Acme","amount":80.5},{"product_id":"7","category":"home","amount":20,"discount":5}],"coupon":"XMAS","channel":"app","country":"DE"}"#,
    r#"{"kind":"purchase","customer_id":"c","time":"2026-05-05T10:00:00Z","items":[{"product_id":"22423","category":"garden","brand":"Acme","amount":1249.73}],"channel":"web"}"#,
    r#"{"kind":"refund","customer_id":"c","time":"2026-05-06T10:00:00Z","amount":49.73}"#,
    r#"{"kind":"browse","customer_id":"c","time":"2026-06-14T12:00:00Z","category":"garden","brand":"Acme"}"#,
    r#"{"kind":"search","customer_id":"c","time":"2026-06-15T11:00:00Z","query":"Garden Hose"}"#,
    r#"{"kind":"feedback","customer_id":"c","time":"2026-06-01T10:00:00Z","rating":2.5}"#,
    r#"{"kind":"cart_add","customer_id":"c","time":"2026-06-15T12:00:00Z","amount":30,"attributes":{"gift":true,"gift_level":3}}"#,
    r#"{"kind":"game","customer_id":"c","time":"2026-06-10T12:00:00Z","points":12}"#,
];

/// Only ever searched.
const QUIET: &[&str] = &[r#"{"kind":"search","customer_id":"c","time":"2026-06-15T11:30:00Z","query":"x"}"#];

#[test]
fn counts_and_amounts() {
    let conditions = [
        r#"purchase.count("30d") >= 1"#,
        r#"purchase.count("60d") >= 3"#,
        r#"purchase.count() >= 2"#,
        r#"purchase.count("365d") == 2"#,
        r#"purchase.count("365d") < 5"#,
        r#"3 <= purchase.count("365d")"#,
        r#"purchase.count() in [2, 3]"#,
        r#"!(purchase.count("60d") >= 1)"#,
        r#"purchase.sum("180d") >= 1000"#,
        r#"purchase.sum("365d") < 2000"#,
        r#"purchase.sum() >= 5000"#,
        r#"purchase.avg("365d") >= 50"#,
        r#"purchase.max("365d") >= 2000"#,
        r#"purchase.min() < 1"#,
        r#"purchase.days("1h") >= 1"#,
        r#"purchase.days("60d") >= 2"#,
        r#"purchase.days() >= 2"#,
        r#"feedback.avg("90d") <= 3"#,
        r#"feedback.max("90d") >= 4"#,
        r#"feedback.sum("90d") >= 10"#,
        r#"refund.sum("90d") > 0"#,
        r#"cart_add.sum("1d") >= 10"#,
        r#"game.sum("30d") >= 10"#,
        r#"game.max("30d") >= 10"#,
        r#"profile.count("365d") >= 1"#,
        r#"browse.count("90m") >= 1"#,
        r#"purchase.distinct(category, "365d") >= 3"#,
        r#"purchase.distinct(brand, "365d") >= 2"#,
        r#"search.distinct(query, "30d") >= 2"#,
        r#"purchase.top(brand, "365d") >= 3"#,
        r#"search.top(query, "30d") >= 1"#,
    ];
    expect_file!["sentences/counts.txt"].assert_eq(&sentences(&conditions, &[BUSY, QUIET]));
}

#[test]
fn distances_in_time() {
    let conditions = [
        r#"purchase.since_last() >= duration("30d")"#,
        r#"purchase.since_last() > duration("90d")"#,
        r#"purchase.since_last() < duration("90d")"#,
        r#"search.since_last() < duration("1h")"#,
        r#"search.since_last() >= duration("1h")"#,
        r#"cart_add.since_last() >= duration("1h")"#,
        r#"search.since_last() == duration("1h")"#,
        r#"purchase.since_first() >= duration("365d")"#,
        r#"search.since_first() < duration("30d")"#,
        r#"purchase.gap() >= duration("30d")"#,
        r#"purchase.gap() > duration("200d")"#,
        r#"refund.gap() < duration("9d")"#,
        r#"customer.age() >= duration("30d")"#,
        r#"customer.age() < duration("1d")"#,
    ];
    expect_file!["sentences/time.txt"].assert_eq(&sentences(&conditions, &[BUSY, QUIET]));
}

#[test]
fn what_is_known_of_a_customer() {
    let conditions = [
        r#"profile.tier == "gold""#,
        r#"profile.tier != "gold""#,
        r#"profile.tier in ["silver", "bronze"]"#,
        r#"profile.email == "x, y""#,
        r#""gold" == profile.tier"#,
        r#"profile.age >= 30"#,
        r#"profile.age > 40"#,
        r#"profile.tier > 3"#,
        r#"profile.newsletter"#,
        r#"!profile.newsletter"#,
        r#"profile.newsletter == false"#,
        r#"has(profile.email)"#,
        r#"!has(profile.phone_number)"#,
        r#"profile.birthday.days_until() <= 7"#,
        r#"profile.email.days_until() == 0"#,
        r#"segment.activity == "active""#,
        r#"segment.activity != """#,
        r#"segment.activity in ["active"]"#,
        r#"segment.activity == profile.tier"#,
        r#"segment.activity.age() >= duration("30d")"#,
        r#"score.recency >= 2"#,
        r#"score.recency == 3"#,
    ];
    expect_file!["sentences/customer.txt"].assert_eq(&sentences(&conditions, &[BUSY, QUIET]));
}

#[test]
fn sums_of_several() {
    let conditions = [
        r#"purchase.sum("180d") - refund.sum("180d") >= 1000"#,
        r#"purchase.sum("180d") - refund.sum("180d") >= 2000"#,
        r#"purchase.sum("180d") - refund.sum("90d") >= 1000"#,
        r#"purchase.sum("30d") > purchase.sum("365d") - purchase.sum("30d")"#,
        r#"purchase.top(brand, "365d") >= 0.6 * purchase.count("365d")"#,
        r#"purchase.distinct(category, "365d") >= 0.5 * purchase.count("365d")"#,
        r#"purchase.where(coupon != "").count("365d") >= 0.5 * purchase.count("365d")"#,
        r#"0.8 * purchase.count() <= purchase.where(month == 12 || brand == "Acme").count()"#,
        r#"purchase.where(device == "phone").count("365d") > 0.1 * purchase.count("365d")"#,
        r#"purchase.days("365d") < purchase.count("365d")"#,
        r#"purchase.count("30d") > purchase.count("90d")"#,
        r#"purchase.since_last() > 2 * purchase.gap()"#,
        r#"10 * purchase.count() + 2 * browse.count() + 4 * search.count() - refund.count() >= 5"#,
        r#"purchase.since_last() > search.since_last() + duration("1d")"#,
        r#"2 * purchase.count() >= 6"#,
        r#"purchase.count() + browse.count() >= 3"#,
        r#"-purchase.count() < 0"#,
        r#"5 - purchase.count() >= 3"#,
        r#"profile.age + 1 >= purchase.count()"#,
        r#"profile.tier + 1 >= purchase.count()"#,
        r#"score.recency + purchase.count() in [3, 5]"#,
        r#"purchase.days("90d") * 2 > profile.birthday.days_until()"#,
        r#"customer.age() - segment.activity.age() < duration("1d")"#,
    ];
    expect_file!["sentences/sums.txt"].assert_eq(&sentences(&conditions, &[BUSY, QUIET]));
}

const FILTERS: [(&str, &str); 60] = [
    ("purchase", r#"category == "garden""#),
    ("purchase", r#"category != "garden""#),
    ("purchase", r#"!(category == "garden")"#),
    ("purchase", r#"category in ["garden", "home", "pets"]"#),
    ("purchase", r#"category == """#),
    ("purchase", r#"coupon != """#),
    ("purchase", r#"!(coupon != "")"#),
    ("purchase", r#"coupon == "XMAS""#),
    ("purchase", r#"coupon.startsWith("XM")"#),
    ("purchase", r#"!category.contains("gar")"#),
    ("purchase", r#"brand == "Acme""#),
    ("purchase", r#"brand.endsWith("me")"#),
    ("purchase", r#"product == "22423""#),
    ("purchase", r#"channel == "app""#),
    ("purchase", r#"country in ["DE", "AT"]"#),
    ("purchase", r#"device == "phone, old""#),
    ("purchase", r#"amount >= 50"#),
    ("purchase", r#"order_amount < 50"#),
    ("purchase", r#"quantity > 1"#),
    ("purchase", r#"quantity in [1, 2]"#),
    ("purchase", r#"discount > 0"#),
    ("purchase", r#"!(discount > 0)"#),
    ("purchase", r#"discount >= 5"#),
    ("purchase", r#"category == "garden" && coupon != """#),
    ("purchase", r#"category == "garden" || coupon != """#),
    ("purchase", r#"weekday >= 6 && (category == "garden" || brand == "Acme")"#),
    ("purchase", r#"category == "garden" || (month == 12 && hour < 12)"#),
    ("purchase", r#"!(category == "garden" || coupon != "")"#),
    ("purchase", r#"!(category == "garden" && coupon != "")"#),
    ("purchase", r#"!(category == "a" && brand == "b" && channel == "c")"#),
    ("purchase", r#"month == 12"#),
    ("purchase", r#"month in [11, 12]"#),
    ("purchase", r#"month >= 10"#),
    ("purchase", r#"!(month >= 3)"#),
    ("purchase", r#"weekday >= 6"#),
    ("purchase", r#"weekday < 6"#),
    ("purchase", r#"weekday in [1, 3]"#),
    ("purchase", r#"hour >= 18"#),
    ("purchase", r#"hour < 6"#),
    ("purchase", r#"hour >= 9 && hour < 17"#),
    ("purchase", r#"hour in [8, 9, 20]"#),
    ("purchase", r#"date == "12-24""#),
    ("purchase", r#"date >= "12-01" && date <= "12-24""#),
    ("purchase", r#"date in ["12-24", "12-31"]"#),
    ("purchase", r#"date != "02-29""#),
    ("purchase", r#"true"#),
    ("search", r#"query == "Garden Hose""#),
    ("search", r#"query.contains("hose")"#),
    ("search", r#"query.contains("hose") || query.contains("plant") || query.contains("b, c")"#),
    ("search", r#"query.contains("hose") || query.startsWith("plant")"#),
    ("purchase", r#"discount > 0 || coupon != """#),
    ("search", r#"!query.startsWith("a")"#),
    ("search", r#"query in ["a", "b, c"]"#),
    ("feedback", r#"rating >= 4"#),
    ("feedback", r#"amount < 3"#),
    ("cart_add", r#"attributes.gift"#),
    ("cart_add", r#"attributes.gift == false"#),
    ("cart_add", r#"attributes.gift_level >= 3"#),
    ("cart_add", r#"attributes.color == "red""#),
    ("game", r#"amount >= 10"#),
];

#[test]
fn filters() {
    let conditions: Vec<String> =
        FILTERS.iter().map(|(kind, filter)| format!("{kind}.where({filter}).count() >= 1")).collect();
    let conditions: Vec<&str> = conditions.iter().map(String::as_str).collect();
    expect_file!["sentences/filters.txt"].assert_eq(&sentences(&conditions, &[BUSY, QUIET]));
}

#[test]
fn several_facts_make_one_sentence() {
    let conditions = [
        r#"purchase.count() >= 1 && purchase.since_last() >= duration("30d")"#,
        r#"purchase.count() >= 1 || profile.newsletter || has(profile.email)"#,
        r#"purchase.count() >= 1 && refund.count() >= 1 && browse.count() >= 1 && search.count() >= 1"#,
        r#"purchase.count() >= 1 && refund.count() >= 1 && browse.count() >= 1 && search.count() >= 1 && profile.newsletter"#,
        r#"purchase.count() >= 1 && !(purchase.count() < 1)"#,
    ];
    expect_file!["sentences/joined.txt"].assert_eq(&sentences(&conditions, &[BUSY, QUIET]));
}

/// What no sentence may be, whatever the rules and the facts.
fn flaw(sentence: &str) -> Option<&'static str> {
    let quotes = |quote: char| sentence.matches(quote).count();
    let is_doubled =
        |pair: &[&str]| pair[0] == pair[1] && ["a", "an", "the", "of", "with", "in", "only"].contains(&pair[0]);
    let words: Vec<&str> = sentence.split(' ').collect();
    let starts_well = sentence.starts_with(|c: char| c.is_uppercase() || !c.is_alphabetic());
    match () {
        () if sentence.is_empty() => Some("empty"),
        () if sentence.contains("  ") || sentence.trim() != sentence => Some("spaces"),
        () if quotes('“') != quotes('”') => Some("quotation marks"),
        () if quotes('(') != quotes(')') => Some("parentheses"),
        () if words.windows(2).any(is_doubled) => Some("a word twice"),
        () if !starts_well => Some("no capital letter"),
        () if sentence.ends_with(['.', ',', ' ']) => Some("its end"),
        () if sentence.contains(" ,") || sentence.contains(",,") => Some("commas"),
        () => None,
    }
}

#[test]
fn generated_rules_give_sentences_without_flaws() {
    let mut n_sentences = 0;
    for seed in 0..150 {
        let case = generate::case(seed);
        let plan = Arc::new(rules::load_text("segments.toml", &case.rules).expect("generated rules are right").plan);
        let decoder = Decoder::new(&plan.schema);
        let mut shard = Shard::new(plan.clone());
        let mut customers = Vec::new();
        for line in case.files.iter().flat_map(|file| file.lines()) {
            let Ok(event) = decoder.decode(Format::Json, line.as_bytes(), None) else { continue };
            if case.until.is_some_and(|until| event.time.0 > until) {
                continue;
            }
            shard.apply(&event, event.time - Span(case.grace), &mut Vec::new());
            customers.push(event.customer.to_string());
        }
        customers.sort();
        customers.dedup();
        for customer in customers.iter().take(4) {
            let explanation = shard.explain(customer).expect("the customer is there");
            let words = Words::new(&plan, explanation.at);
            let findings = explanation.dimensions.iter().flat_map(|outlook| &outlook.segments);
            let findings = findings.flat_map(|segment| std::iter::once(&segment.when).chain(&segment.stay));
            for reading in findings.flat_map(|finding| &finding.readings) {
                let sentence = words.sentence([reading]);
                let condition = &plan.comparison(reading.comparison).text;
                assert_eq!(flaw(&sentence), None, "seed {seed}: {condition}: {sentence}");
                n_sentences += 1;
            }
        }
    }
    assert!(n_sentences > 2_000, "only {n_sentences} sentences");
}

fn replayed(case: &generate::Case, reasons: bool) -> (Arc<Plan>, Vec<Change>) {
    let mut plan = rules::load_text("segments.toml", &case.rules).expect("generated rules are right").plan;
    plan.reasons = reasons;
    let plan = Arc::new(plan);
    let decoder = Decoder::new(&plan.schema);
    let mut shard = Shard::new(plan.clone());
    let mut changes = Vec::new();
    let mut latest = Instant(0);
    for line in case.files.iter().flat_map(|file| file.lines()) {
        let Ok(event) = decoder.decode(Format::Json, line.as_bytes(), None) else { continue };
        latest = latest.max(event.time);
        shard.apply(&event, latest - Span(case.grace), &mut changes);
    }
    while shard.advance(latest + Span(400 * Span::DAY.0), 100, &mut changes) == Progress::More {}
    (plan, changes)
}

#[test]
fn reasons_are_beside_the_changes() {
    let mut n_reasons = 0;
    for seed in 0..150 {
        let case = generate::case(seed);
        let (_, without) = replayed(&case, false);
        let (plan, with) = replayed(&case, true);
        assert_eq!(without.len(), with.len(), "seed {seed}");
        for (without, with) in without.iter().zip(&with) {
            let reason = with.reason.as_deref().expect("each change has its reason");
            let name = &plan.dimension(with.dimension).name;
            assert_eq!(flaw(reason), None, "seed {seed}: {name}: {reason}");
            assert_eq!(*without, Change { reason: None, ..with.clone() }, "seed {seed}");
            n_reasons += 1;
        }
    }
    assert!(n_reasons > 3_000, "only {n_reasons} reasons");
}

/// One customer's changes with their reasons, a line each.
fn reasons(rules: &str, events: &[&str], until: &str) -> String {
    let text = format!("timezone = \"Europe/Berlin\"\ncurrency = \"EUR\"\n[changes]\nreason = true\n{rules}");
    let loaded = rules::load_text("segments.toml", &text).unwrap_or_else(|errors| panic!("{errors:#?}"));
    let plan = Arc::new(loaded.plan);
    let decoder = Decoder::new(&plan.schema);
    let mut shard = Shard::new(plan.clone());
    let mut changes = Vec::new();
    for line in events {
        let event = decoder.decode(Format::Json, line.as_bytes(), None).expect("an event");
        shard.apply(&event, event.time - Span(5_000), &mut changes);
    }
    shard.advance(Instant::parse(until).expect("a time"), usize::MAX, &mut changes);
    let line = |change: &Change| {
        let name = |segment| match plan.segment_name(change.dimension, segment) {
            "" => "none",
            name => name,
        };
        let dimension = &plan.dimension(change.dimension).name;
        let reason = change.reason.as_deref().expect("reasons are asked for");
        format!("{} {dimension}: {} → {}: {reason}\n", change.effective_at, name(change.from), name(change.to))
    };
    changes.iter().map(line).collect()
}

const BOUGHT: &[&str] = &[
    r#"{"kind":"purchase","customer_id":"c","time":"2026-01-03T09:12:44.120Z","amount":300}"#,
    r#"{"kind":"purchase","customer_id":"c","time":"2026-01-05T09:00:00Z","amount":800}"#,
    r#"{"kind":"refund","customer_id":"c","time":"2026-01-06T09:00:00Z","amount":800}"#,
];

#[test]
fn a_reason_is_what_turned() {
    let rules = r#"
[[dimension]]
name = "activity"
[[dimension.segment]]
name = "active"
when = 'purchase.count("30d") >= 1'
[[dimension.segment]]
name = "dormant"
when = 'purchase.count() >= 1 && purchase.since_last() >= duration("30d")'
"#;
    expect![[r#"
        2026-01-03T09:12:44.120Z activity: none → active: 1 purchase in the last 30 days
        2026-02-04T09:00:00.000Z activity: active → dormant: No purchase for 30 days (last: 5 January)
    "#]]
    .assert_eq(&reasons(rules, BOUGHT, "2026-03-01T00:00:00Z"));
    let rules = r#"
[[dimension]]
name = "spend"
[[dimension.segment]]
name = "high"
label = "High"
when = 'purchase.sum("90d") - refund.sum("90d") >= 1000'
stay = 'purchase.sum("90d") - refund.sum("90d") >= 750'
min_stay = "7d"
cooldown = "60d"
[[dimension.segment]]
name = "rest"
when = 'true'
[[dimension]]
name = "care"
[[dimension.segment]]
name = "call"
when = 'segment.spend == "rest" && refund.count() >= 1'
"#;
    expect![[r#"
        2026-01-03T09:12:44.120Z spend: none → rest: Applies to everyone
        2026-01-05T09:00:00.000Z spend: rest → high: Purchases less refunds worth 1,100 EUR in the last 90 days
        2026-01-12T09:00:00.000Z spend: high → rest: Purchases less refunds worth only 300 EUR in the last 90 days, after the least stay of 7 days in High
        2026-01-12T09:00:00.000Z care: none → call: In segment rest of spend
    "#]].assert_eq(&reasons(rules, BOUGHT, "2026-06-01T00:00:00Z"));
}

#[test]
fn reasons_do_not_make_other_rules() {
    let version = |text: &str| rules::load_text("segments.toml", text).expect("right rules").plan.version;
    let plain = rules_of(&["true"]);
    assert_eq!(version(&plain), version(&format!("{plain}\n[changes]\nreason = true\n")));
    let wrong = rules::load_text("segments.toml", &format!("{plain}\n[changes]\nreasons = 1\n"));
    let errors = wrong.expect_err("there is no such setting");
    assert!(errors.iter().any(|error| error.title.contains("has no setting `reasons`")), "{errors:?}");
}
