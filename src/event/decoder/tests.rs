//! What the contract says of each field, as tables; both formats; and whatever a broken sender may write.

use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::event::wire;
use crate::event::{AttributeId, Decimal, KindSchema, Scalar};

/// Every built-in kind and `cart_add`, whose amount is `value`; every field is read.
fn schema() -> Schema {
    let kind = |name: &str, builtin: Builtin, amount: AmountSource| KindSchema {
        name: name.into(),
        builtin,
        amount,
        texts: [true; TextField::ALL.len()],
        lines: true,
        attributes: true,
    };
    let decimal = |text: &str| Decimal::parse(text).expect("a decimal");
    Schema {
        kinds: vec![
            kind("purchase", Builtin::Purchase, AmountSource::Amount),
            kind("browse", Builtin::Browse, AmountSource::None),
            kind("search", Builtin::Search, AmountSource::None),
            kind("refund", Builtin::Refund, AmountSource::Amount),
            kind("feedback", Builtin::Feedback, AmountSource::Rating),
            kind("profile", Builtin::Profile, AmountSource::None),
            kind("cart_add", Builtin::Custom, AmountSource::Field("value".into())),
            kind("stars", Builtin::Custom, AmountSource::Rating),
        ],
        attributes: vec!["age".into(), "size".into(), "vip".into()],
        currency: "EUR".into(),
        rates: [("USD".into(), vec![(Instant(1_000_000), decimal("0.9")), (Instant(2_000_000), decimal("0.85005"))])]
            .into(),
    }
}

fn decode(json: &str) -> Result<Event<'_>, Reject> {
    Decoder::new(&schema()).decode(Format::Json, json.as_bytes(), None)
}

/// An event of `kind` with the given fields beside those that every event has.
fn event(kind: &str, fields: &str) -> String {
    let comma = if fields.is_empty() { "" } else { "," };
    format!(r#"{{"event_id":"e1","kind":"{kind}","customer_id":"c-7","time":1500000{comma}{fields}}}"#)
}

fn reason(json: &str) -> Option<Reason> {
    decode(json).err().map(|reject| reject.reason)
}

fn amount(kind: &str, fields: &str) -> Result<Option<i64>, Reject> {
    decode(&event(kind, fields)).map(|event| event.amount.map(|amount| amount.0))
}

/// The amounts of the lines.
fn line_amounts(fields: &str) -> Vec<Option<i64>> {
    let json = event("purchase", fields);
    let lines = decode(&json).expect("an event").lines;
    lines.into_iter().map(|line| line.amount.map(|amount| amount.0)).collect()
}

#[test]
fn a_typical_event_is_borrowed_whole() {
    let json = event(
        "browse",
        r#""product_id":"22423","category":"garden","brand":"örn","channel":"app","country":"DE","device":"iPad","coupon":"TEN","discount":2.5"#,
    );
    let event = decode(&json).expect("an event");
    let texts = event.texts.iter().flatten().chain([&event.customer]).chain(&event.id);
    assert!(texts.into_iter().all(|text| matches!(text, Cow::Borrowed(_))));
    assert_eq!(event.kind, KindId(1));
    assert_eq!(event.time, Instant(1_500_000));
    assert_eq!((&*event.customer, event.id.as_deref()), ("c-7", Some("e1")));
    assert_eq!(event.text(TextField::Product), Some("22423"));
    assert_eq!(event.text(TextField::Brand), Some("örn"));
    assert_eq!((event.amount, event.rating, event.discount), (None, None, Some(Amount(25_000))));
}

#[test]
fn the_kind_is_the_events_own_before_the_topics() {
    let decoder = Decoder::new(&schema());
    let kind = |json: &str, topic: Option<KindId>| {
        decoder.decode(Format::Json, json.as_bytes(), topic).map(|event| event.kind).map_err(|reject| reject.reason)
    };
    let bare = r#"{"customer_id":"c","time":0}"#;
    assert_eq!(kind(&event("search", ""), Some(KindId(1))), Ok(KindId(2)));
    assert_eq!(kind(bare, Some(KindId(1))), Ok(KindId(1)));
    assert_eq!(kind(r#"{"kind":null,"customer_id":"c","time":0}"#, Some(KindId(1))), Ok(KindId(1)));
    assert_eq!(kind(r#"{"kind":"","customer_id":"c","time":0}"#, Some(KindId(1))), Ok(KindId(1)));
    assert_eq!(kind(bare, None), Err(Reason::UnknownKind));
    assert_eq!(kind(&event("Search", ""), Some(KindId(1))), Err(Reason::UnknownKind));
    assert_eq!(kind(r#"{"kind":3,"customer_id":"c","time":0}"#, Some(KindId(1))), Err(Reason::Undecodable));
}

#[test]
fn customers_are_text_or_an_integers_digits() {
    let customer = |value: &str| {
        let json = format!(r#"{{"kind":"browse","time":0,"customer_id":{value}}}"#);
        decode(&json).map(|event| event.customer.into_owned()).map_err(|reject| reject.reason)
    };
    let digits = "1234567890".repeat(20);
    for (value, taken) in [
        (r#""c-7""#, "c-7"),
        ("1001", "1001"),
        ("-5", "-5"),
        ("-0", "0"),
        (&digits, &digits),
        (r#""J\u00f6rg""#, "Jörg"),
        (&format!("\"{}\"", "x".repeat(256)), &"x".repeat(256)),
    ] {
        assert_eq!(customer(value).as_deref(), Ok(taken), "{value}");
    }
    for (value, reason) in [
        (r#""""#, Reason::NoCustomer),
        ("null", Reason::NoCustomer),
        ("1.0", Reason::Undecodable),
        ("1e3", Reason::Undecodable),
        ("true", Reason::Undecodable),
        ("[]", Reason::Undecodable),
        (&format!("\"{}\"", "x".repeat(257)), Reason::IdTooLong),
        (&format!("\"{}\"", "ö".repeat(129)), Reason::IdTooLong),
        (&"1".repeat(257), Reason::IdTooLong),
    ] {
        assert_eq!(customer(value), Err(reason), "{value}");
    }
    assert_eq!(reason(r#"{"kind":"browse","time":0}"#), Some(Reason::NoCustomer));
}

#[test]
fn event_ids_are_bounded_and_an_empty_one_is_none() {
    let id = |value: &str| {
        let json = format!(r#"{{"kind":"browse","time":0,"customer_id":"c","event_id":{value}}}"#);
        decode(&json).map(|event| event.id.map(Cow::into_owned)).map_err(|reject| reject.reason)
    };
    assert_eq!(id(r#""""#), Ok(None));
    assert_eq!(id("null"), Ok(None));
    assert_eq!(id(r#""e\n1""#), Ok(Some("e\n1".to_owned())));
    assert_eq!(id(&format!("\"{}\"", "x".repeat(128))), Ok(Some("x".repeat(128))));
    assert_eq!(id(&format!("\"{}\"", "x".repeat(129))), Err(Reason::IdTooLong));
    assert_eq!(id("17"), Err(Reason::Undecodable));
}

#[test]
fn times_are_rfc_3339_or_milliseconds() {
    let time = |value: &str| {
        let json = format!(r#"{{"kind":"browse","customer_id":"c","time":{value}}}"#);
        decode(&json).map(|event| event.time.0).map_err(|reject| reject.reason)
    };
    assert_eq!(time("1767431564120"), Ok(1_767_431_564_120));
    assert_eq!(time(r#""2026-01-03T09:12:44.120987Z""#), Ok(1_767_431_564_120));
    assert_eq!(time(r#""2026-01-03T10:12:44.12\u002b01:00""#), Ok(1_767_431_564_120));
    for value in ["null", "-1", "1.5", r#""""#, r#""1767431564120""#, r#""2026-01-03T09:12:44""#, "4102444800000"] {
        assert_eq!(time(value), Err(Reason::BadTime), "{value}");
    }
    for value in ["true", "[0]", "{}"] {
        assert_eq!(time(value), Err(Reason::Undecodable), "{value}");
    }
    assert_eq!(reason(r#"{"kind":"browse","customer_id":"c"}"#), Some(Reason::BadTime));
}

#[test]
fn an_events_own_amount_wins_over_its_lines() {
    let lines = r#""items":[{"amount":"1.5"},{"unit_price":"3.33335","quantity":3},{"unit_price":2},{}]"#;
    assert_eq!(amount("purchase", r#""amount":12.5"#), Ok(Some(125_000)));
    assert_eq!(amount("purchase", r#""amount":"-20.00""#), Ok(Some(-200_000)));
    assert_eq!(amount("purchase", r#""amount":"\u0037""#), Ok(Some(70_000)));
    assert_eq!(amount("purchase", &format!(r#""amount":7,{lines}"#)), Ok(Some(70_000)));
    assert_eq!(amount("purchase", &format!(r#""amount":null,{lines}"#)), Ok(Some(15_000 + 100_000 + 20_000)));
    assert_eq!(line_amounts(lines), [Some(15_000), Some(100_000), Some(20_000), None]);
    assert_eq!(line_amounts(r#""items":[{"amount":-1,"unit_price":5,"quantity":2}]"#), [Some(-10_000)]);
    assert_eq!(line_amounts(r#""amount":1,"items":[{"quantity":-2,"unit_price":"5"}]"#), [Some(-100_000)]);
    assert_eq!(line_amounts(r#""amount":1,"items":[]"#), []);
}

#[test]
fn a_refund_counts_by_its_magnitude_and_its_lines_keep_their_sign() {
    assert_eq!(amount("refund", r#""amount":"-20""#), Ok(Some(200_000)));
    assert_eq!(amount("refund", r#""amount":"20""#), Ok(Some(200_000)));
    assert_eq!(amount("refund", r#""items":[{"amount":-3},{"amount":1}]"#), Ok(Some(20_000)));
    let json = event("refund", r#""items":[{"amount":-3},{"amount":1}]"#);
    let lines = decode(&json).expect("an event").lines;
    assert_eq!(lines.iter().map(|line| line.amount).collect::<Vec<_>>(), [Some(Amount(-30_000)), Some(Amount(10_000))]);
}

#[test]
fn who_must_have_an_amount_is_rejected_without() {
    for (kind, fields) in [
        ("purchase", ""),
        ("purchase", r#""items":[]"#),
        ("purchase", r#""items":null"#),
        ("refund", r#""amount":null"#),
        ("feedback", ""),
        ("feedback", r#""amount":5"#),
    ] {
        assert_eq!(amount(kind, fields).map_err(|reject| reject.reason), Err(Reason::NoAmount), "{kind} {fields}");
    }
    assert_eq!(amount("feedback", r#""rating":"4""#), Ok(Some(40_000)));
    assert_eq!(amount("cart_add", r#""amount":5"#), Ok(Some(0)));
    assert_eq!(amount("cart_add", r#""value":"3.33335""#), Ok(Some(33_334)));
    assert_eq!(amount("stars", r#""rating":4.5"#), Ok(Some(45_000)));
    assert_eq!(amount("stars", ""), Ok(Some(0)));
    assert_eq!(amount("browse", r#""amount":5"#), Ok(None));
}

#[test]
fn amounts_have_a_limit() {
    for fields in [
        r#""amount":10000000000.0001"#,
        r#""amount":"-1e999999999""#,
        r#""items":[{"amount":6e9},{"amount":6e9}]"#,
        r#""items":[{"unit_price":1e6,"quantity":1e6}]"#,
        r#""amount":1,"items":[{"amount":1e11}]"#,
        r#""amount":1,"discount":1e11"#,
    ] {
        assert_eq!(reason(&event("purchase", fields)), Some(Reason::AmountOutOfRange), "{fields}");
    }
    assert_eq!(amount("purchase", r#""amount":10000000000"#), Ok(Some(Amount::LIMIT.0)));
    assert_eq!(amount("purchase", r#""items":[{"amount":1e10},{"amount":-1}]"#), Ok(Some(Amount::LIMIT.0 - 10_000)));
    assert_eq!(reason(&event("feedback", r#""rating":1e11"#)), Some(Reason::AmountOutOfRange));
}

#[test]
fn a_foreign_amount_is_converted_at_its_time() {
    let amount = |time: i64, fields: &str| {
        let json = format!(r#"{{"kind":"purchase","customer_id":"c","time":{time},{fields}}}"#);
        decode(&json).map(|event| event.amount.map(|amount| amount.0)).map_err(|reject| reject.reason)
    };
    assert_eq!(amount(0, r#""amount":10,"currency":"EUR""#), Ok(Some(100_000)));
    assert_eq!(amount(0, r#""amount":10,"currency":"USD""#), Ok(Some(90_000)));
    assert_eq!(amount(1_999_999, r#""amount":10,"currency":"USD""#), Ok(Some(90_000)));
    assert_eq!(amount(2_000_000, r#""amount":10,"currency":"USD""#), Ok(Some(85_005)));
    // Rounded, converted, rounded: 0.00005 is 0; a line each, then their sum.
    assert_eq!(amount(0, r#""amount":"0.00005","currency":"USD""#), Ok(Some(0)));
    let lines = r#""items":[{"amount":"0.0001"},{"amount":"0.0001"}],"currency":"USD""#;
    assert_eq!(amount(0, lines), Ok(Some(2)));
    assert_eq!(amount(0, r#""amount":10,"currency":"JPY""#), Err(Reason::UnknownCurrency));
    assert_eq!(amount(0, r#""amount":10,"currency":"usd""#), Err(Reason::UnknownCurrency));
    assert_eq!(amount(0, r#""amount":10,"currency":5"#), Err(Reason::Undecodable));
    assert_eq!(amount(0, r#""amount":10,"currency":null"#), Ok(Some(100_000)));
    // A rating is no money, and a kind without amounts has no currency.
    let rating = event("feedback", r#""rating":3,"currency":"JPY""#);
    assert_eq!(decode(&rating).expect("an event").amount, Some(Amount(30_000)));
}

#[test]
fn lines_take_texts_from_the_event_but_never_numbers() {
    let json = event(
        "purchase",
        r#""amount":9,"discount":2,"category":"toys","brand":"zen","items":[{"product_id":"p1","brand":""},{"category":"books","quantity":2.5,"discount":"1"}]"#,
    );
    let lines = decode(&json).expect("an event").lines;
    let texts: Vec<_> =
        lines.iter().map(|l| [l.product.as_deref(), l.category.as_deref(), l.brand.as_deref()]).collect();
    assert_eq!(texts, [[Some("p1"), Some("toys"), Some("")], [None, Some("books"), Some("zen")]]);
    let numbers: Vec<_> = lines.iter().map(|l| (l.quantity.0, l.amount, l.discount.map(|d| d.0))).collect();
    assert_eq!(numbers, [(10_000, None, None), (25_000, None, Some(10_000))]);
}

#[test]
fn queries_come_in_lower_case() {
    for (query, lower) in
        [("garden hose", "garden hose"), ("RED Shoes", "red shoes"), ("Örn OÖ", "örn oö"), ("ΟΔΟΣ İ", "οδος i̇")]
    {
        let json = event("search", &format!(r#""query":"{query}""#));
        assert_eq!(decode(&json).expect("an event").text(TextField::Query), Some(lower));
    }
    let json = event("search", r#""query":"örn hose""#);
    assert!(matches!(decode(&json).expect("an event").texts[TextField::Query as usize], Some(Cow::Borrowed(_))));
}

#[test]
fn attributes_are_scalars_and_only_the_wanted_ones_are_kept() {
    let json = event(
        "profile",
        r#""attributes":{"vip":true,"age":30.50005,"other":1,"size":null,"age":"31","v\u0069p":false}"#,
    );
    let attributes = decode(&json).expect("an event").attributes;
    let expected = [
        (AttributeId(2), Scalar::Flag(false)),
        (AttributeId(0), Scalar::Text("31".into())),
        (AttributeId(1), Scalar::Null),
    ];
    assert_eq!(attributes, expected);
    let age = |value: &str| {
        let json = event("browse", &format!(r#""attributes":{{"age":{value}}}"#));
        decode(&json).map(|event| format!("{:?}", event.attributes[0].1)).map_err(|reject| reject.reason)
    };
    assert_eq!(age("30.50005").as_deref(), Ok("Number(Amount(305000))"));
    assert_eq!(age("-1e400").as_deref(), Ok("Number(Amount(-9000000000000000000))"));
    assert_eq!(age("[1]"), Err(Reason::Undecodable));
    assert_eq!(age("{}"), Err(Reason::Undecodable));
    for fields in [r#""attributes":[1]"#, r#""attributes":"age""#, r#""attributes":{"other":{"x":1}}"#] {
        assert_eq!(reason(&event("browse", fields)), Some(Reason::Undecodable), "{fields}");
    }
    assert!(decode(&event("browse", r#""attributes":null"#)).is_ok());
}

#[test]
fn fields_that_a_kind_does_not_have_are_ignored_whatever_they_hold() {
    let ignored = [
        ("browse", r#""items":7,"query":[],"rating":"x","amount":{},"currency":9"#),
        ("search", r#""product_id":1,"category":2,"brand":3,"items":"x""#),
        ("feedback", r#""rating":1,"amount":[],"query":5,"items":{}"#),
        ("profile", r#""product_id":1,"query":2,"rating":[],"amount":"x""#),
        ("purchase", r#""amount":1,"rating":"bad","query":8"#),
        ("cart_add", r#""items":"x""#),
        ("browse", r#""value":[1],"unknown":{"deep":[[[{}]]]},"":1"#),
    ];
    for (kind, fields) in ignored {
        let json = event(kind, fields);
        let event = decode(&json).expect(fields);
        assert_eq!(event.texts, Texts::default());
        assert!(event.lines.is_empty());
    }
}

#[test]
fn a_wrong_type_in_a_field_that_the_kind_has_is_named() {
    for (kind, fields, name) in [
        ("browse", r#""category":7"#, "`category` is a number, not text"),
        ("browse", r#""discount":"ten""#, "`discount` is not a decimal"),
        ("browse", r#""device":["x"]"#, "`device` is a list, not text"),
        ("search", r#""query":true"#, "`query` is a boolean, not text"),
        ("purchase", r#""amount":false"#, "`amount` is a boolean, not a decimal"),
        ("purchase", r#""amount":"""#, "`amount` is not a decimal"),
        ("purchase", r#""amount":1,"items":{}"#, "`items` is an object, not a list"),
        ("purchase", r#""amount":1,"items":[{"quantity":true}]"#, "`items.quantity` is a boolean, not a decimal"),
        ("purchase", r#""amount":1,"items":[{"amount":1,"unit_price":"x"}]"#, "`items.unit_price` is not a decimal"),
        ("purchase", r#""amount":1,"items":[{"product_id":5}]"#, "`items.product_id` is a number, not text"),
        ("cart_add", r#""value":true"#, "`value` is a boolean, not a decimal"),
        ("cart_add", r#""amount":"x""#, "`amount` is not a decimal"),
        ("feedback", r#""rating":{}"#, "`rating` is an object, not a decimal"),
        ("browse", r#""coupon":"\ud800""#, "`coupon`: unexpected end of hex escape"),
    ] {
        let reject = decode(&event(kind, fields)).expect_err(fields);
        assert_eq!(reject.reason, Reason::Undecodable, "{fields}");
        assert!(reject.detail.starts_with(name), "{fields}: {}", reject.detail);
    }
    for fields in [r#""amount":1,"items":[null]"#, r#""amount":1,"items":[[]]"#, r#""amount":1,"items":["x"]"#] {
        assert_eq!(reason(&event("purchase", fields)), Some(Reason::Undecodable), "{fields}");
    }
}

#[test]
fn of_a_field_that_stands_twice_the_last_one_counts() {
    let json = r#"{"kind":"browse","customer_id":7.5,"time":1,"category":5,"kind":"purchase","customer_id":"c","category":null,"amount":"x","amount":2,"time":3}"#;
    let event = decode(json).expect("an event");
    assert_eq!((event.kind, &*event.customer, event.time), (KindId(0), "c", Instant(3)));
    assert_eq!((event.amount, event.text(TextField::Category)), (Some(Amount(20_000)), None));
    let json = r#"{"kind":"cart_add","customer_id":"c","time":1,"value":1,"value":2}"#;
    assert_eq!(decode(json).expect("an event").amount, Some(Amount(20_000)));
}

#[test]
fn what_is_not_one_json_object_is_undecodable() {
    let good = event("browse", "");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for json in [
        "",
        " ",
        "null",
        "[]",
        "7",
        r#""text""#,
        "{",
        "{}}",
        &format!("{good} x"),
        &format!("{good}{good}"),
        &good[..good.len() - 1],
        &format!("\u{feff}{good}"),
        &event("browse", r#""discount":NaN"#),
        &event("browse", r#""discount":Infinity"#),
        &event("browse", r#""discount":+1"#),
        &event("browse", r#""discount":01"#),
        &event("browse", r#""discount":1."#),
        &event("browse", r#""category":'x'"#),
        &event("browse", r#""category":"x"#),
        &event("browse", "\"category\":\"a\tb\""),
        &event("browse", r#""category":"\x41""#),
        &event("browse", r#""category":"x","#),
        &event("browse", r#"category:"x""#),
        &event("browse", r#""unknown":tru"#),
        &deep,
    ] {
        assert_eq!(reason(json), Some(Reason::Undecodable), "{:?}", &json[..json.len().min(200)]);
    }
    let decoder = Decoder::new(&schema());
    let invalid =
        decoder.decode(Format::Json, b"{\"kind\":\"browse\",\"customer_id\":\"c\",\"time\":0,\"x\":\"\xff\"}", None);
    assert_eq!(invalid.map_err(|reject| reject.reason).err(), Some(Reason::Undecodable));
    assert!(decode(&format!("\n\t {good} \r\n")).is_ok());
    assert!(decode(&event("browse", &format!(r#""unknown":{deep}"#))).is_ok());
}

#[test]
fn a_message_has_a_limit() {
    let padded = |len: usize| {
        let bare = event("browse", r#""unknown":"""#);
        event("browse", &format!(r#""unknown":"{}""#, "x".repeat(len - bare.len())))
    };
    assert!(decode(&padded(MAX_MESSAGE_BYTES)).is_ok());
    assert_eq!(reason(&padded(MAX_MESSAGE_BYTES + 1)), Some(Reason::MessageTooLarge));
    let digits = event("purchase", &format!(r#""amount":1.{}"#, "0".repeat(1_000_000)));
    assert_eq!(decode(&digits).expect("an event").amount, Some(Amount::ONE));
}

#[test]
fn only_what_rules_read_is_kept_but_all_is_checked() {
    let mut schema = schema();
    for kind in &mut schema.kinds {
        kind.texts = [false; TextField::ALL.len()];
        (kind.lines, kind.attributes) = (false, false);
    }
    let decoder = Decoder::new(&schema);
    let json = event("purchase", r#""category":"x","items":[{"amount":2,"brand":"y"}],"attributes":{"age":1}"#);
    let event_kept = decoder.decode(Format::Json, json.as_bytes(), None).expect("an event");
    assert_eq!(event_kept.texts, Texts::default());
    assert!(event_kept.lines.is_empty() && event_kept.attributes.is_empty());
    assert_eq!(event_kept.amount, Some(Amount(20_000)));
    for fields in
        [r#""amount":1,"category":5"#, r#""amount":1,"items":[{"brand":5}]"#, r#""amount":1,"attributes":{"age":[]}"#]
    {
        let json = event("purchase", fields);
        let reject = decoder.decode(Format::Json, json.as_bytes(), None).expect_err(fields);
        assert_eq!(reject.reason, Reason::Undecodable);
    }
}

/// The same event in both formats.
fn both_formats() -> Vec<(String, wire::Event)> {
    let text = |text: &str| Some(text.to_owned());
    let base = |kind: &str| wire::Event {
        event_id: text("e1"),
        kind: kind.into(),
        customer_id: "c-7".into(),
        time: Some(1_500_000),
        ..wire::Event::default()
    };
    let line =
        wire::Item { product_id: text("p1"), quantity: text("2"), unit_price: text("3.33335"), ..Default::default() };
    let scalar = |value: Option<wire::scalar::Value>| wire::Scalar { value };
    let attributes = [
        ("age".to_owned(), scalar(Some(wire::scalar::Value::Number("30.5".into())))),
        ("vip".to_owned(), scalar(Some(wire::scalar::Value::Flag(false)))),
        ("size".to_owned(), scalar(None)),
        ("other".to_owned(), scalar(Some(wire::scalar::Value::Text("x".into())))),
    ];
    vec![
        (
            event(
                "purchase",
                r#""currency":"USD","items":[{"product_id":"p1","quantity":2,"unit_price":"3.33335"},{}],"category":"toys","coupon":"TEN","discount":"1.5""#,
            ),
            wire::Event {
                currency: text("USD"),
                items: vec![line, wire::Item::default()],
                category: text("toys"),
                coupon: text("TEN"),
                discount: text("1.5"),
                ..base("purchase")
            },
        ),
        (event("refund", r#""amount":-5"#), wire::Event { amount: text("-5"), ..base("refund") }),
        (
            event("search", r#""query":"RED Shoes","channel":"""#),
            wire::Event { query: text("RED Shoes"), channel: text(""), ..base("search") },
        ),
        (event("feedback", r#""rating":4"#), wire::Event { rating: text("4"), ..base("feedback") }),
        (
            event("profile", r#""attributes":{"age":30.5,"vip":false,"size":null,"other":"x"},"country":"DE""#),
            wire::Event { attributes: attributes.into(), country: text("DE"), ..base("profile") },
        ),
        (
            event("browse", r#""product_id":"p","brand":"b","device":"iPad""#),
            wire::Event { product_id: text("p"), brand: text("b"), device: text("iPad"), ..base("browse") },
        ),
        (event("purchase", ""), base("purchase")),
        (event("purchase", r#""amount":"x""#), wire::Event { amount: text("x"), ..base("purchase") }),
        (event("nothing", ""), base("nothing")),
        (
            r#"{"kind":"browse","time":0}"#.to_owned(),
            wire::Event { kind: "browse".into(), time: Some(0), ..Default::default() },
        ),
        (
            r#"{"kind":"browse","customer_id":"c"}"#.to_owned(),
            wire::Event { kind: "browse".into(), customer_id: "c".into(), ..Default::default() },
        ),
    ]
}

/// What can be compared of an outcome: attributes come in any order in Protobuf.
fn outcome(decoded: Result<Event<'_>, Reject>) -> Result<String, Reason> {
    decoded.map_err(|reject| reject.reason).map(|mut event| {
        event.attributes.sort_by_key(|(id, _)| *id);
        format!("{event:?}")
    })
}

#[test]
fn both_formats_decode_alike() {
    let decoder = Decoder::new(&schema());
    for (json, message) in both_formats() {
        let bytes = message.encode_to_vec();
        let from_json = outcome(decoder.decode(Format::Json, json.as_bytes(), None));
        assert_eq!(from_json, outcome(decoder.decode(Format::Protobuf, &bytes, None)), "{json}");
    }
}

/// Deletes, inserts, overwrites and repeats pieces of a message.
fn mutated(mut bytes: Vec<u8>, edits: &[(u8, prop::sample::Index, u8)]) -> Vec<u8> {
    for (what, place, byte) in edits {
        let at = place.index(bytes.len() + 1);
        match what % 5 {
            0 if at < bytes.len() => bytes[at] = *byte,
            1 => bytes.insert(at, *byte),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 => bytes.truncate(at),
            _ => bytes.extend_from_within(at..),
        }
    }
    bytes
}

/// Bytes that matter in JSON more often than chance.
fn likely_byte() -> impl Strategy<Value = u8> {
    prop_oneof![any::<u8>(), prop::sample::select(b"{}[]\",:\\u0123456789eE+-.tfn \x00\xff".to_vec())]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn a_mutated_json_record_is_taken_or_rejected_with_a_reason(
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<u8>(), any::<prop::sample::Index>(), likely_byte()), 1..6),
    ) {
        let bytes = mutated(which.get(&both_formats()).0.clone().into_bytes(), &edits);
        let decoded = Decoder::new(&schema()).decode(Format::Json, &bytes, Some(KindId(1)));
        let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok() && std::str::from_utf8(&bytes).is_ok();
        match decoded {
            Ok(event) => {
                prop_assert!(is_json);
                prop_assert!((1..=MAX_CUSTOMER_BYTES).contains(&event.customer.len()));
                prop_assert!(Instant::ORIGIN <= event.time && event.time < Instant::END);
                prop_assert!(event.amount.is_none_or(Amount::is_within_limit));
            }
            Err(reject) => {
                prop_assert!(is_json || reject.reason == Reason::Undecodable);
                prop_assert!(!reject.detail.is_empty() && reject.detail.chars().count() < 200);
            }
        }
    }

    #[test]
    fn a_mutated_protobuf_record_is_what_the_generated_types_make_of_it(
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<u8>(), any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let decoder = Decoder::new(&schema());
        let bytes = mutated(which.get(&both_formats()).1.encode_to_vec(), &edits);
        let found = decoder.decode(Format::Protobuf, &bytes, Some(KindId(1)));
        match wire::Event::decode(&*bytes) {
            Err(_) => prop_assert_eq!(found.map_err(|reject| reject.reason).err(), Some(Reason::Undecodable)),
            Ok(message) => {
                let canonical = message.encode_to_vec();
                let expected = decoder.decode(Format::Protobuf, &canonical, Some(KindId(1)));
                // The generated types do not look at the wire type of a map.
                let is_map = found.as_ref().is_err_and(|reject| reject.detail.contains("`attributes` has the wire type"));
                prop_assert!(is_map || outcome(found) == outcome(expected));
            }
        }
    }
}
