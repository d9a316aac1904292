//! What a history suggests, from made-up shops whose answer is known; and that whatever it suggests is accepted.

use proptest::prelude::*;

use super::history::History;
use super::{Lack, Settings, Suggestion, rules_file, suggest};
use crate::config::rules::{Loaded, load_text};
use crate::event::{Decoder, Format, Schema};
use crate::rules::calendar::Calendar;
use crate::trial::Bench;

const RULES: &str =
    "[[dimension]]\nname = \"d\"\n[[dimension.segment]]\nname = \"s\"\nwhen = 'purchase.count() >= 1'\n";
const SETTINGS: Settings<'_> = Settings {
    currency: "EUR",
    currency_reason: "as asked for",
    timezone: "UTC",
    timezone_reason: "as asked for",
    kinds: &[],
};

fn schema() -> Schema {
    load_text("rules", RULES).expect("they are right").plan.schema
}

/// What a customer does on a day, at noon.
#[derive(Debug, Clone)]
struct Deed {
    customer: u32,
    kind: &'static str,
    day: i64,
    cents: i64,
}

fn bought(customer: u32, day: i64, cents: i64) -> Deed {
    Deed { customer, kind: "purchase", day, cents }
}

fn history(deeds: &[Deed]) -> History {
    let schema = schema();
    let decoder = Decoder::new(&schema);
    let mut history = History::new(Calendar::new(&jiff::tz::TimeZone::UTC));
    for Deed { customer, kind, day, cents } in deeds {
        let (units, cents) = (cents / 100, cents.abs() % 100);
        let time = day * 86_400_000 + 43_200_000;
        let line = format!(
            r#"{{"kind":"{kind}","customer_id":"c-{customer}","time":{time},"amount":"{units}.{cents:02}","rating":5}}"#
        );
        let event = decoder.decode(Format::Json, line.as_bytes(), None).expect("it is an event");
        history.take(&event, schema.kinds[usize::from(event.kind.0)].builtin);
    }
    history
}

fn suggested(deeds: &[Deed]) -> Suggestion {
    suggest(&history(deeds), None).expect("there are events")
}

/// The rules file; if there is anything in it, it is accepted, and its tests pass.
fn accepted(suggestion: &Suggestion) -> String {
    let text = rules_file(suggestion, &SETTINGS);
    if suggestion.is_empty() {
        return text;
    }
    let Loaded { plan, tests, warnings, .. } =
        load_text("suggested", &text).unwrap_or_else(|wrong| panic!("{wrong:#?}\n{text}"));
    assert!(warnings.is_empty(), "{warnings:#?}\n{text}");
    assert!(!tests.is_empty(), "{text}");
    let bench = Bench::new(plan);
    for test in &tests {
        let run = bench.run(test);
        assert!(run.passed(), "{}: {:?}\n{text}", test.name.text(), run.findings);
    }
    text
}

/// A hundred customers buy every ten days for a year; every twentieth time they are sixty days away instead.
fn regulars() -> Vec<Deed> {
    let mut deeds = Vec::new();
    for customer in 0..100 {
        let (mut day, mut n) = (i64::from(customer % 10), i64::from(customer));
        while day < 365 {
            deeds.push(bought(customer, day, 1_000 + i64::from(customer)));
            n += 1;
            day += if n % 20 == 0 { 60 } else { 10 };
        }
    }
    deeds
}

#[test]
fn dormant_is_after_what_nineteen_in_twenty_need() {
    let suggestion = suggested(&regulars());
    let found = suggestion.behaviour.as_ref().expect("a year is enough");
    // One in twenty is what the share is about; open gaps make the long ones a little more.
    assert!([10, 60].contains(&found.dormant.exact_days), "{found:?}");
    assert!([14, 75].contains(&found.dormant.days), "{found:?}");
    assert!(found.dormant.share_before >= 0.95 && found.uncorrected_days == 10, "{found:?}");
    accepted(&suggestion);
}

#[test]
fn two_purchases_of_a_day_are_one_visit() {
    let once = regulars();
    let twice: Vec<Deed> = once.iter().flat_map(|deed| [deed.clone(), deed.clone()]).collect();
    assert_eq!(history(&once).gaps(), history(&twice).gaps());
}

#[test]
fn tiers_lie_between_those_who_spend_little_and_those_who_spend_much() {
    let little = (0..40).map(|customer| bought(customer, 100 + i64::from(customer), 1_000 + i64::from(customer) * 25));
    let much = (40..50).map(|customer| bought(customer, 200, 100_000 + i64::from(customer) * 100));
    let suggestion = suggested(&little.chain(much).chain([bought(99, 0, 1)]).collect::<Vec<_>>());
    let spend = suggestion.spend.as_ref().expect("they differ");
    let high = &spend.tiers[0];
    assert_eq!((high.name, high.n_customers), ("high", 10));
    let from = high.from.expect("the highest has a threshold");
    assert_eq!(from.amount.to_string(), "200");
    assert!(high.share_of_money > 0.9, "{high:?}");
    accepted(&suggestion);
}

#[test]
fn what_was_sent_back_is_not_spent() {
    let mut deeds: Vec<Deed> = (0..30).map(|customer| bought(customer, 20 + i64::from(customer), 10_000)).collect();
    deeds.extend((0..15).map(|customer| Deed { customer, kind: "refund", day: 60, cents: 9_000 }));
    deeds.push(bought(0, 100, 1));
    let suggestion = suggested(&deeds);
    let spend = suggestion.spend.as_ref().expect("they differ");
    assert_eq!(spend.tiers.iter().map(|tier| tier.n_customers).collect::<Vec<_>>(), [15, 15]);
    assert!(accepted(&suggestion).contains("purchase.sum(\"90d\") - refund.sum(\"90d\") >= "));
}

#[test]
fn browsing_much_is_what_a_fifth_of_them_do() {
    let looks = |customer: u32, n: usize| vec![Deed { customer, kind: "browse", day: 50, cents: 0 }; n];
    let mut deeds: Vec<Deed> =
        (0..20).flat_map(|customer| looks(customer, if customer < 16 { 2 } else { 12 })).collect();
    deeds.push(bought(0, 20, 100));
    let suggestion = suggested(&deeds);
    let browsing = suggestion.browsing.as_ref().and_then(|found| found.as_ref().ok()).expect("there is enough");
    assert_eq!((browsing.n_browsers, browsing.often, browsing.stay), (20, 12, 6));
    let text = accepted(&suggestion);
    assert!(text.contains("# No suggestion for `behaviour`: 0 times somebody came back"), "{text}");
}

#[test]
fn a_history_that_carries_nothing_says_why() {
    let one = suggested(&[bought(1, 0, 500)]);
    assert!(one.is_empty());
    assert_eq!(one.behaviour.as_ref().err(), Some(&Lack::Returns { n: 0, least: 20 }));
    assert_eq!(one.spend.as_ref().err(), Some(&Lack::Month { n_days: 1 }));
    let names: Vec<&str> = one.lacks().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["behaviour", "spend", "rfm"]);

    let once_each: Vec<Deed> = (0..50).map(|customer| bought(customer, i64::from(customer), 700)).collect();
    let once_each = suggested(&once_each);
    assert_eq!(
        once_each.spend.as_ref().err().map(ToString::to_string).as_deref(),
        Some("all 30 customers spent 7: nothing tells them apart")
    );
    assert_eq!(once_each.rfm.as_ref().err(), Some(&Lack::Sameness { n: 30 }));
    assert!(once_each.is_empty());

    let nobody = suggested(&[
        Deed { customer: 1, kind: "feedback", day: 0, cents: 0 },
        Deed { customer: 1, kind: "feedback", day: 90, cents: 0 },
    ]);
    assert_eq!(nobody.behaviour.as_ref().err(), Some(&Lack::Purchases { window_days: 91 }));
    assert_eq!(nobody.spend.as_ref().err(), Some(&Lack::Purchases { window_days: 90 }));

    let sent_back: Vec<Deed> = (0..20).map(|customer| bought(customer, 2 * i64::from(customer), -500)).collect();
    assert_eq!(suggested(&sent_back).spend.as_ref().err(), Some(&Lack::Money));
    assert!(suggest(&history(&[]), None).is_none());

    // Back after thirty days, in a history of thirty-five.
    let short: Vec<Deed> = (0..40)
        .flat_map(|customer| {
            [bought(customer, i64::from(customer % 5), 100), bought(customer, 30 + i64::from(customer % 5), 100)]
        })
        .collect();
    assert_eq!(suggested(&short).behaviour.as_ref().err(), Some(&Lack::LongerHistory { days: 30, n_days: 35 }));
}

#[test]
fn an_end_that_was_asked_for_counts_as_today() {
    let deeds = regulars();
    let end = crate::event::Instant(500 * 86_400_000);
    let (now, later) = (suggested(&deeds), suggest(&history(&deeds), Some(end)).expect("there are events"));
    assert_eq!((now.period.n_days, later.period.n_days), (365, 501));
    let away = |suggestion: &Suggestion| suggestion.rfm.as_ref().expect("they differ").recency.cuts[0].exact;
    assert!(away(&later) > away(&now) + 130, "{} {}", away(&later), away(&now));
}

fn deed() -> impl Strategy<Value = Deed> {
    let kind = prop::sample::select(vec!["purchase", "purchase", "purchase", "refund", "browse", "feedback"]);
    let cents = prop_oneof![Just(0_i64), Just(1_000), -5_000_i64..5_000, 1_i64..1_000_000, 1_i64..10_i64.pow(11)];
    (0_u32..60, kind, 0_i64..400, cents).prop_map(|(customer, kind, day, cents)| Deed { customer, kind, day, cents })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_is_suggested_is_accepted_and_its_tests_pass(deeds in prop::collection::vec(deed(), 1..600)) {
        accepted(&suggested(&deeds));
    }

    #[test]
    fn the_order_of_events_does_not_show(
        (deeds, shuffled) in prop::collection::vec(deed(), 1..400)
            .prop_flat_map(|deeds| (Just(deeds.clone()), Just(deeds).prop_shuffle())),
    ) {
        // Within a year nothing that was there is forgotten.
        let within = |deeds: Vec<Deed>| deeds.into_iter().filter(|deed| deed.day < 360).collect::<Vec<_>>();
        let (deeds, shuffled) = (within(deeds), within(shuffled));
        prop_assume!(!deeds.is_empty());
        prop_assert_eq!(rules_file(&suggested(&deeds), &SETTINGS), rules_file(&suggested(&shuffled), &SETTINGS));
    }
}
