//! The contract's own example, the same in Protobuf, and standing that survives being written and read.

use std::collections::HashMap;

use expect_test::expect;
use proptest::prelude::*;
use prost::Message;
use smallvec::smallvec;

use super::*;
use crate::engine::{Cause, Evidence, Interests, Place, Readings};
use crate::event::{Schema, Span, wire};
use crate::rules::plan::{
    Comparison, ComparisonId, Condition, Dimension, DimensionId, InterestLimits, Segment, SegmentId, Test,
};
use crate::rules::reading::Quantity;

fn segment(name: &str, action: Option<&str>, label: Option<&str>) -> Segment {
    Segment {
        name: name.into(),
        when: Condition::Constant(true),
        stay: None,
        min_stay: None,
        cooldown: None,
        from: None,
        label: label.map(Into::into),
        action: action.map(Into::into),
    }
}

/// Two dimensions and one comparison, whose text has quotes.
fn plan() -> Arc<Plan> {
    let text = r#"purchase.since_last() > duration("30d")"#;
    let dimension = |name: &str, segments: Vec<Segment>| Dimension { name: name.into(), segments };
    let activity = vec![segment("active", None, None), segment("dormant", Some("wake_with_coupon"), Some("Asleep"))];
    Arc::new(Plan {
        version: "00c0ffee00c0ffee".into(),
        zone: jiff::tz::TimeZone::UTC,
        schema: Schema { kinds: vec![], attributes: vec![], currency: "EUR".into(), rates: Default::default() },
        kinds: vec![],
        series: vec![],
        features: vec![],
        profile: vec![],
        scores: vec![],
        comparisons: vec![Comparison { text: text.into(), test: Test::TextIn { left: left(), values: vec![] } }],
        dimensions: vec![dimension("activity", activity), dimension("sp\"end", vec![segment("low", None, None)])],
        reasons: true,
        interests: InterestLimits::default(),
    })
}

fn left() -> crate::rules::plan::TextOperand {
    crate::rules::plan::TextOperand::Literal("".into())
}

fn change() -> Change {
    Change {
        customer: "c-7 \"ö\"\n".into(),
        sequence: 4,
        dimension: DimensionId(0),
        from: Some(SegmentId(0)),
        to: Some(SegmentId(1)),
        from_since: Some(Instant(1_767_431_564_120)),
        effective_at: Instant(1_770_023_564_001),
        cause: Cause::Elapsed,
        evidence: smallvec![Evidence {
            comparison: ComparisonId(0),
            value: Readings::One(Quantity::Duration(Span(2_592_000_001))),
            holds: true,
        }],
        reason: None,
        interests: None,
        standing: smallvec![Some(SegmentId(1)), None],
    }
}

const PUBLISHED_AT: Instant = Instant(1_770_023_569_250);

fn json(change: &Change, origin: Origin<'_>, published_at: Option<Instant>) -> String {
    let mut out = Vec::new();
    Messages::new(plan(), Format::Json, "lineage").append_change(change, origin, published_at, &mut out);
    String::from_utf8(out).expect("JSON is UTF-8")
}

#[test]
fn a_change_reads_as_in_the_contract() {
    expect![[r#"{"change_id":"9b9115c66f1ad947ce49fc7d74428212","customer_id":"c-7 \"ö\"\n","sequence":4,"dimension":"activity","from":"active","to":"dormant","from_since":"2026-01-03T09:12:44.120Z","effective_at":"2026-02-02T09:12:44.001Z","published_at":"2026-02-02T09:12:49.250Z","cause":{"type":"elapsed"},"evidence":[{"condition":"purchase.since_last() > duration(\"30d\")","value":"30d1ms","holds":true}],"rules_version":"00c0ffee00c0ffee","action":"wake_with_coupon","label":"Asleep","standing":{"activity":"dormant","sp\"end":null}}"#]].assert_eq(&json(
        &change(),
        Origin::Nothing,
        Some(PUBLISHED_AT),
    ));
}

#[test]
fn a_change_by_an_event_says_which_record_it_was() {
    let none =
        Change { cause: Cause::Event, from: None, to: None, from_since: None, evidence: smallvec![], ..change() };
    let record = Origin::Record { topic: "purchases", partition: 3, offset: 17, event_id: Some("e\"1") };
    expect![[r#"{"change_id":"9b9115c66f1ad947ce49fc7d74428212","customer_id":"c-7 \"ö\"\n","sequence":4,"dimension":"activity","from":null,"to":null,"from_since":null,"effective_at":"2026-02-02T09:12:44.001Z","published_at":"2026-02-02T09:12:49.250Z","cause":{"type":"event","topic":"purchases","partition":3,"offset":17,"event_id":"e\"1"},"evidence":[],"rules_version":"00c0ffee00c0ffee","standing":{"activity":"dormant","sp\"end":null}}"#]].assert_eq(&json(&none, record, Some(PUBLISHED_AT)));
    let late = Change { cause: Cause::LateEvent, ..none };
    expect![[r#"{"change_id":"9b9115c66f1ad947ce49fc7d74428212","customer_id":"c-7 \"ö\"\n","sequence":4,"dimension":"activity","from":null,"to":null,"from_since":null,"effective_at":"2026-02-02T09:12:44.001Z","published_at":null,"cause":{"type":"late_event","file":"a b.jsonl","line":12},"evidence":[],"rules_version":"00c0ffee00c0ffee","standing":{"activity":"dormant","sp\"end":null}}"#]].assert_eq(&json(&late, Origin::Line { file: "a b.jsonl", line: 12 }, None));
}

#[test]
fn the_generated_types_read_what_the_json_says() {
    let record = Origin::Record { topic: "purchases", partition: 3, offset: 17, event_id: None };
    let mut out = b"kept".to_vec();
    let messages = Messages::new(plan(), Format::Protobuf, "lineage");
    messages.append_change(&change(), record, Some(PUBLISHED_AT), &mut out);
    let text = |text: &str| Some(text.to_owned());
    let expected = wire::Change {
        change_id: String::from_utf8(messages.change_id(&change().customer, 4).to_vec()).expect("hex digits"),
        customer_id: change().customer.into(),
        sequence: 4,
        dimension: "activity".into(),
        from: text("active"),
        to: text("dormant"),
        from_since: Some(1_767_431_564_120),
        effective_at: 1_770_023_564_001,
        published_at: PUBLISHED_AT.0,
        cause: Some(wire::Cause {
            r#type: "elapsed".into(),
            topic: text("purchases"),
            partition: Some(3),
            offset: Some(17),
            ..wire::Cause::default()
        }),
        evidence: vec![wire::Evidence {
            condition: r#"purchase.since_last() > duration("30d")"#.into(),
            value: "30d1ms".into(),
            holds: true,
        }],
        rules_version: "00c0ffee00c0ffee".into(),
        action: text("wake_with_coupon"),
        standing: HashMap::from([("activity".into(), "dormant".into()), ("sp\"end".into(), String::new())]),
        label: text("Asleep"),
        reason: None,
        interests: None,
    };
    assert_eq!(wire::Change::decode(&out[4..]).expect("a change"), expected);
}

#[test]
fn a_reason_is_said_where_there_is_one() {
    let change = Change { reason: Some("No “x” for 30 days (last: 3 January)".into()), ..change() };
    let text = json(&change, Origin::Nothing, None);
    assert!(
        text.contains(r#""holds":true}],"reason":"No “x” for 30 days (last: 3 January)","rules_version""#),
        "{text}"
    );
    let mut out = Vec::new();
    Messages::new(plan(), Format::Protobuf, "lineage").append_change(&change, Origin::Nothing, None, &mut out);
    let read = wire::Change::decode(&out[..]).expect("a change");
    assert_eq!(read.reason.as_deref(), change.reason.as_deref());
}

#[test]
fn interests_are_said_where_they_are_asked_for() {
    let texts = |texts: &[&str]| texts.iter().map(|text| Box::from(*text)).collect::<Vec<Box<str>>>();
    let (categories, queries) = (texts(&["garden", "to\"ys"]), texts(&["hose"]));
    let interests = Interests { categories, brands: vec![], queries, products: texts(&["22423", "85123A"]) };
    let change = Change { interests: Some(Box::new(interests.clone())), ..change() };
    let text = json(&change, Origin::Nothing, None);
    let end = r#","interests":{"categories":["garden","to\"ys"],"brands":[],"queries":["hose"],"products":["22423","85123A"]}}"#;
    assert!(text.ends_with(end), "{text}");
    let mut out = Vec::new();
    Messages::new(plan(), Format::Protobuf, "lineage").append_change(&change, Origin::Nothing, None, &mut out);
    let read = wire::Change::decode(&out[..]).expect("a change").interests.expect("they were asked for");
    let lists = [read.categories, read.brands, read.queries, read.products];
    assert_eq!(lists, interests.lists().map(|(_, list)| list.iter().map(ToString::to_string).collect::<Vec<_>>()));
}

#[test]
fn headers_tell_a_change_without_decoding() {
    let messages = Messages::new(plan(), Format::Json, "");
    let headers = [("dormouse-dimension", "activity"), ("dormouse-to", "dormant"), ("dormouse-cause", "elapsed")];
    assert_eq!(messages.change_headers(&change()), headers);
    let none = Change { to: None, ..change() };
    assert_eq!(messages.change_headers(&none)[1], ("dormouse-to", ""));
}

#[test]
fn a_standing_record_reads_as_in_the_recovery_rules() {
    let left = vec![(SegmentId(0), Instant(1_770_023_564_001))];
    let standing = Standing {
        sequence: 4,
        places: vec![
            Place { segment: Some(SegmentId(1)), since: Some(Instant(1_770_023_564_001)), left },
            Place::default(),
        ],
    };
    let messages = Messages::new(plan(), Format::Json, "");
    let mut out = Vec::new();
    messages.append_standing("c-7", &standing, &mut out);
    expect![[r#"{"customer_id":"c-7","sequence":4,"standing":{"activity":{"segment":"dormant","since":"2026-02-02T09:12:44.001Z","left":{"active":"2026-02-02T09:12:44.001Z"}},"sp\"end":{"segment":null,"since":null}}}"#]].assert_eq(std::str::from_utf8(&out).expect("UTF-8"));
    let decoded = messages.read_standing(&out).expect("a record");
    assert_eq!(decoded, Decoded { customer: "c-7".into(), standing, unknown: vec![] });
}

#[test]
fn names_that_the_plan_does_not_have_are_kept_out_and_reported() {
    let record = br#"{"customer_id":"c\u002d7","sequence":9,"later":1,"standing":{
        "gone":{"segment":"x","since":null},
        "activity":{"segment":"asleep","since":"2026-01-03T09:12:44.120Z","left":{"awake":"2026-01-01T00:00:00Z","active":"2026-01-02T00:00:00Z"}}}}"#;
    let decoded = Messages::new(plan(), Format::Json, "").read_standing(record).expect("a record");
    assert_eq!((&*decoded.customer, decoded.standing.sequence), ("c-7", 9));
    assert_eq!(decoded.unknown, ["activity/awake", "activity/asleep", "gone"].map(Box::from));
    let left = vec![(SegmentId(0), Instant(1_767_312_000_000))];
    let activity = Place { segment: None, since: Some(Instant(1_767_431_564_120)), left };
    assert_eq!(decoded.standing.places, [activity, Place::default()]);
}

#[test]
fn what_is_no_standing_record_is_an_error() {
    let messages = Messages::new(plan(), Format::Json, "");
    for record in [
        "",
        "{}",
        r#"{"customer_id":"c","sequence":-1,"standing":{}}"#,
        r#"{"customer_id":"c","sequence":1,"standing":[]}"#,
        r#"{"customer_id":"c","sequence":1,"standing":{"activity":{"segment":null,"since":"yesterday"}}}"#,
        r#"{"customer_id":"c","sequence":1,"standing":{"activity":{"segment":null,"since":null,"left":{"active":null}}}}"#,
    ] {
        assert!(messages.read_standing(record.as_bytes()).is_err(), "{record}");
    }
}

/// A place in a dimension of `n` segments.
fn place(n: u8) -> impl Strategy<Value = Place> {
    let instant = || (0..Instant::END.0).prop_map(Instant);
    let left = prop::collection::btree_map(0..n, instant(), 0..=usize::from(n));
    (prop::option::of(0..n), prop::option::of(instant()), left).prop_map(|(segment, since, left)| Place {
        segment: segment.map(SegmentId),
        since,
        left: left.into_iter().map(|(id, at)| (SegmentId(id), at)).collect(),
    })
}

proptest! {
    #[test]
    fn standing_survives_being_written_and_read(
        customer in any::<String>(), sequence in any::<u64>(), activity in place(2), spend in place(1),
    ) {
        let messages = Messages::new(plan(), Format::Json, "");
        let standing = Standing { sequence, places: vec![activity, spend] };
        let mut out = Vec::new();
        messages.append_standing(&customer, &standing, &mut out);
        let decoded = messages.read_standing(&out).expect("a record");
        prop_assert_eq!(decoded, Decoded { customer: customer.as_str().into(), standing, unknown: vec![] });
    }

    #[test]
    fn both_formats_say_the_same(
        customer in any::<String>(), sequence in any::<u64>(), value in ".{0,200}", len in 0_usize..20_000,
        at in 0..Instant::END.0, offset in any::<i64>(), partition in any::<i32>(), event_id in any::<Option<String>>(),
    ) {
        let value = Readings::One(Quantity::Text(format!("{value}{}", "x".repeat(len)).into()));
        let evidence = smallvec![Evidence { comparison: ComparisonId(0), value, holds: false }];
        let change = Change { customer: customer.into(), sequence, effective_at: Instant(at), evidence, ..change() };
        let origin = Origin::Record { topic: "t", partition, offset, event_id: event_id.as_deref() };
        let mut out = Vec::new();
        Messages::new(plan(), Format::Protobuf, "lineage").append_change(&change, origin, None, &mut out);
        let message = wire::Change::decode(&*out).expect("a change");
        let value: serde_json::Value = serde_json::from_str(&json(&change, origin, None)).expect("JSON");
        let cause = message.cause.expect("a cause");
        prop_assert_eq!(&value["change_id"], &message.change_id);
        prop_assert_eq!(&value["customer_id"], &message.customer_id);
        prop_assert_eq!(&value["sequence"], message.sequence);
        prop_assert_eq!(&value["evidence"][0]["value"], &message.evidence[0].value);
        prop_assert_eq!(&value["evidence"][0]["holds"], message.evidence[0].holds);
        prop_assert_eq!(&value["effective_at"], &Instant(message.effective_at).to_string());
        prop_assert_eq!(&value["cause"]["partition"], cause.partition.expect("a record"));
        prop_assert_eq!(&value["cause"]["offset"], cause.offset.expect("a record"));
        prop_assert_eq!(value["cause"]["event_id"].as_str(), cause.event_id.as_deref());
        prop_assert!(value["published_at"].is_null() && message.published_at == 0);
    }
}
