//! What changes offer is what the oracle counts from scratch, over histories made of ties, late events and orders with
//! many lines; and it does not depend on the order in which events came.

mod oracle;
mod said;

use std::fs;
use std::num::NonZero;
use std::sync::Arc;

use dormouse::config::rules::load_text;
use dormouse::engine::{Interests, Shard};
use dormouse::event::{Decoder, Format, Instant, Span};
use dormouse::pipeline::replay::{self, Options};
use dormouse::rules::Plan;
use oracle::interests::{Interests as Right, NAMES};
use oracle::{Change, difference};
use proptest::prelude::*;
use said::{change, interests};
use serde_json::{Value, json};

const START: i64 = 1_767_225_600_000;

/// Everybody changes with every purchase, view, search and cart, so that every moment is looked at.
fn rules(limits: [u8; 4]) -> String {
    let mut rules = "[kind.cart_add]\n\n[interests]\n".to_owned();
    NAMES.iter().zip(limits).for_each(|(name, limit)| rules.push_str(&format!("{name} = {limit}\n")));
    rules.push_str("\n[[dimension]]\nname = \"d\"\n");
    for count in (1..=100).rev() {
        rules.push_str(&format!(
            "[[dimension.segment]]\nname = \"n{count}\"\nwhen = 'purchase.count() + browse.count() + search.count() + \
             cart_add.count() + refund.count() >= {count}'\n"
        ));
    }
    rules
}

fn text(texts: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop::option::weighted(0.7, prop::sample::select(texts)).prop_map(|text| json!(text))
}

/// A product with its category and brand, each there or not.
fn product() -> impl Strategy<Value = Value> {
    let products = text(&["p1", "p2", "p3", "p4", "p5", ""]);
    let categories = text(&["garden", "toys", "books", "shoes", ""]);
    (products, categories, text(&["acme", "zen", "örn", ""]))
        .prop_map(|(product, category, brand)| json!({"product_id": product, "category": category, "brand": brand}))
}

fn query() -> impl Strategy<Value = Value> {
    let long = "Ö".repeat(63);
    let of_a_kind = [format!("{long}ab"), format!("{long}AC"), format!("{long}b")];
    prop_oneof![
        4 => text(&["hose", "Garden Hose", "HOSE", "book", ""]),
        1 => prop::sample::select(of_a_kind.to_vec()).prop_map(|query| json!(query)),
    ]
}

/// Few instants and few ids, so that many are equal; now and then late.
fn event() -> impl Strategy<Value = Value> {
    let kinds = ["purchase", "browse", "browse", "search", "cart_add", "refund", "profile"];
    let items = prop::collection::vec(product(), 0..5);
    let many = prop::collection::vec(product(), 30..40);
    let ids = prop::option::weighted(0.8, prop::sample::select(vec!["", "a", "b", "ab", "é", "order-1", "order-10"]));
    (
        prop::sample::select(kinds.to_vec()),
        (0..12_i64, 0..3_i64),
        ids,
        product(),
        query(),
        prop_oneof![30 => items, 1 => many],
    )
        .prop_map(|(kind, (seconds, ms), id, product, query, items)| {
            let mut event = json!({
                "kind": kind, "customer_id": "c", "time": START + 1_000 * seconds + ms, "event_id": id, "query": query,
                "amount": 1, "items": items,
            });
            let fields = product.as_object().expect("an object").clone();
            event.as_object_mut().expect("an object").extend(fields);
            event
        })
}

fn limits() -> impl Strategy<Value = [u8; 4]> {
    let limit = || prop::sample::select(vec![0, 1, 2, 3, 32]);
    [limit(), limit(), limit(), limit()]
}

fn plan(rules: &str) -> Arc<Plan> {
    Arc::new(load_text("segments.toml", rules).expect("the rules are right").plan)
}

/// The changes of a replay, by sequence, and what each offers.
fn replayed(rules: &str, events: &str) -> (Vec<Change>, Vec<Right>) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("events.jsonl");
    fs::write(&file, events).expect("the events are written");
    let options = Options {
        files: vec![file],
        until: None,
        grace: Span(5_000),
        n_threads: NonZero::<usize>::MIN,
        is_sorted_first: false,
        sort_bytes_max: 1 << 20,
        n_bytes_read: Arc::default(),
    };
    let mut bytes = Vec::new();
    replay::run(&plan(rules), &options, None, &mut bytes).expect("the file can be read");
    let lines = String::from_utf8(bytes).expect("JSON");
    let mut said: Vec<(Change, Option<Right>)> =
        lines.lines().map(|line| (change(line).expect("as the contract says"), interests(line))).collect();
    said.sort_by_key(|(change, _)| change.sequence);
    let (changes, offered): (Vec<Change>, Vec<Option<Right>>) = said.into_iter().unzip();
    (changes, offered.into_iter().flatten().collect())
}

/// What is offered after all events, in the order given.
fn folded<'e>(plan: &Arc<Plan>, events: impl Iterator<Item = &'e String>) -> Option<Interests> {
    let mut shard = Shard::new(plan.clone());
    let decoder = Decoder::new(&plan.schema);
    for event in events {
        let event = decoder.decode(Format::Json, event.as_bytes(), None).expect("an event");
        shard.fold(&event, Instant(START));
    }
    shard.interests("c")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn changes_offer_what_the_oracle_counts(events in prop::collection::vec(event(), 1..90), limits in limits()) {
        let rules = rules(limits);
        let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
        let right = oracle::replay(&rules, &[&lines], None, 5_000);
        let (changes, offered) = replayed(&rules, &lines);
        prop_assert_eq!(difference(&right.changes, &changes), None);
        let is_asked_for = limits != [0; 4];
        prop_assert_eq!(offered, if is_asked_for { right.interests } else { Vec::new() });
    }

    #[test]
    fn no_order_of_arrival_shows(
        (events, shuffled) in prop::collection::vec(event(), 1..90)
            .prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle())),
        limits in limits(),
    ) {
        let plan = plan(&rules(limits));
        // Each with an id of its own, since of two duplicates the first would count.
        let numbered = |events: &[Value], order: &[Value]| -> Vec<String> {
            let number = |event: &Value| events.iter().position(|other| other == event).unwrap_or_default();
            let text = |event: &Value| {
                let mut event = event.clone();
                let id = event["event_id"].as_str().map(|id| format!("{id}{}", number(&event)));
                event["event_id"] = json!(id);
                event.to_string()
            };
            order.iter().map(text).collect()
        };
        let (one, other) = (numbered(&events, &events), numbered(&events, &shuffled));
        prop_assert_eq!(folded(&plan, one.iter()), folded(&plan, other.iter()));
    }
}

/// A life worked out by hand.
#[test]
fn what_was_seen_and_bought_last_is_offered() {
    let rules = rules([2, 1, 2, 3]);
    let at = |seconds: i64| START + 1_000 * seconds;
    let mut events = vec![
        json!({"kind": "search", "customer_id": "c", "time": at(1), "query": "Hose"}),
        json!({"kind": "browse", "customer_id": "c", "time": at(2), "product_id": "lawn", "category": "garden"}),
        json!({"kind": "search", "customer_id": "c", "time": at(3), "query": "hose"}),
        json!({"kind": "purchase", "customer_id": "c", "time": at(4), "brand": "acme", "items": [
            {"product_id": "hose-10", "category": "garden", "amount": 9},
            {"product_id": "doll", "category": "toys", "brand": "zen", "amount": 5},
        ]}),
        // A page without anything on it is no item, and neither is what was sent back.
        json!({"kind": "browse", "customer_id": "c", "time": at(5), "category": ""}),
        json!({"kind": "refund", "customer_id": "c", "time": at(6), "amount": 5, "product_id": "doll"}),
    ];
    let last = |events: &[Value]| {
        let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
        replayed(&rules, &lines).1.pop().expect("there are changes")
    };
    let texts = |lists: [&[&str]; 4]| Right(lists.map(|list| list.iter().map(|text| (*text).to_owned()).collect()));
    // Of equally common brands the newer one: a later line is newer.
    let right = texts([&["garden", "toys"], &["zen"], &["hose"], &["doll", "hose-10", "lawn"]]);
    assert_eq!(last(&events), right);
    // 31 more, and all but the doll are forgotten.
    events.extend(
        (0..31)
            .map(|n| json!({"kind": "browse", "customer_id": "c", "time": at(10 + n), "product_id": format!("p{n}")})),
    );
    assert_eq!(last(&events), texts([&["toys"], &["zen"], &[], &["p30", "p29", "p28"]]));
    // A late one that is older than all of them counts no more, and a newer one does.
    events.push(json!({"kind": "browse", "customer_id": "c", "time": at(3), "category": "books"}));
    assert_eq!(last(&events), texts([&["toys"], &["zen"], &[], &["p30", "p29", "p28"]]));
    events.push(json!({"kind": "cart_add", "customer_id": "c", "time": at(39), "product_id": "late", "brand": "örn"}));
    assert_eq!(last(&events), texts([&[], &["örn"], &[], &["p30", "late", "p29"]]));
}
