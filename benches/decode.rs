//! What it costs to read an event and to write a change, beside the limits of the same machine in the same run:
//! merely splitting the lines, and what `serde_json` takes to build a tree of the same bytes.
//!
//! `cargo bench --bench decode`, or with `-- PART…` what has one of the parts in its name. Every number is the best
//! of some rounds, in nanoseconds an event, on one core.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant as Clock;

use dormouse::engine::{Cause, Change, Evidence, Place, Readings, Standing};
use dormouse::event::{AmountSource, Builtin, Decoder, Format, Instant, KindSchema, Schema, Span, TextField, wire};
use dormouse::pipeline::message::{Messages, Origin};
use dormouse::rules::Plan;
use dormouse::rules::plan::{
    Comparison, ComparisonId, Condition, Dimension, DimensionId, InterestLimits, Segment, SegmentId, Test, TextOperand,
};
use dormouse::rules::reading::Quantity;
use prost::Message;

const N_EVENTS: usize = 2_000;
const N_ROUNDS: usize = 300;

fn main() {
    let decoder = Decoder::new(&schema());
    let events: Vec<String> = (0..N_EVENTS).map(single_event).collect();
    let orders: Vec<String> = (0..N_EVENTS / 10).map(order).collect();
    println!("{N_EVENTS} events of {} bytes, best of {N_ROUNDS} rounds, one core", mean_len(&events));
    read_json("events", &decoder, &events);
    println!("\norders with 10 lines of {} bytes", mean_len(&orders));
    read_json("orders", &decoder, &orders);

    let messages: Vec<Vec<u8>> = (0..N_EVENTS).map(|index| single_message(index).encode_to_vec()).collect();
    println!("\nthe same events in Protobuf, of {} bytes", messages.iter().map(Vec::len).sum::<usize>() / N_EVENTS);
    report("prost's generated types", N_EVENTS, || {
        messages.iter().filter(|message| wire::Event::decode(message.as_slice()).is_ok()).count()
    });
    report("Decoder::decode, Protobuf", N_EVENTS, || {
        messages.iter().filter(|message| decoder.decode(Format::Protobuf, message, None).is_ok()).count()
    });
    println!("\nwriting");
    write_messages();
}

fn read_json(what: &str, decoder: &Decoder, lines: &[String]) {
    let file = lines.join("\n") + "\n";
    let split = || memchr::memchr_iter(b'\n', file.as_bytes());
    report("memchr line splitting", lines.len(), || split().count());
    report("str::from_utf8", lines.len(), || {
        lines.iter().filter(|l| std::str::from_utf8(l.as_bytes()).is_ok()).count()
    });
    report("serde_json, ignoring all", lines.len(), || {
        lines.iter().filter(|line| serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok()).count()
    });
    report("serde_json::Value", lines.len(), || {
        lines.iter().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()).count()
    });
    report(&format!("Decoder::decode, {what}"), lines.len(), || {
        lines.iter().filter(|line| decoder.decode(Format::Json, line.as_bytes(), None).is_ok()).count()
    });
}

fn write_messages() {
    let plan = Arc::new(plan());
    let value = Readings::One(Quantity::Duration(Span(2_592_000_001)));
    let evidence = Evidence { comparison: ComparisonId(0), value, holds: true };
    let change = Change {
        customer: "customer-0001234567".into(),
        sequence: 4,
        dimension: DimensionId(0),
        from: Some(SegmentId(0)),
        to: Some(SegmentId(1)),
        from_since: Some(Instant(1_767_431_564_120)),
        effective_at: Instant(1_770_023_564_001),
        cause: Cause::Event,
        evidence: vec![evidence; 2].into(),
        reason: None,
        interests: None,
        standing: vec![Some(SegmentId(1)), None].into(),
    };
    let origin = Origin::Record { topic: "purchases", partition: 3, offset: 1_234_567, event_id: Some("e-1234567") };
    let mut out = Vec::new();
    for format in [Format::Json, Format::Protobuf] {
        let messages = Messages::new(plan.clone(), format, "lineage");
        report(&format!("a change, {format:?}"), N_EVENTS, || {
            for _ in 0..N_EVENTS {
                out.clear();
                messages.append_change(black_box(&change), origin, Some(change.effective_at), &mut out);
            }
            N_EVENTS
        });
    }
    let messages = Messages::new(plan, Format::Json, "lineage");
    let place = Place {
        segment: Some(SegmentId(1)),
        since: Some(change.effective_at),
        left: vec![(SegmentId(0), change.effective_at)],
    };
    let standing = Standing { sequence: 4, places: vec![place, Place::default()] };
    report("a standing record", N_EVENTS, || {
        for _ in 0..N_EVENTS {
            out.clear();
            messages.append_standing(black_box(&change.customer), &standing, &mut out);
        }
        N_EVENTS
    });
    report("reading a standing record", N_EVENTS, || {
        (0..N_EVENTS).filter(|_| messages.read_standing(black_box(&out)).is_ok()).count()
    });
}

/// Runs `work` some times, checks that it did all of it, and prints its best time. Leaves out what the arguments of
/// the command do not name.
fn report(what: &str, n_expected: usize, mut work: impl FnMut() -> usize) {
    let mut names = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).peekable();
    if names.peek().is_some() && !names.any(|name| what.contains(&name)) {
        return;
    }
    let mut best_ns = f64::INFINITY;
    for _ in 0..N_ROUNDS {
        let start = Clock::now();
        let n_done = black_box(work());
        best_ns = best_ns.min(start.elapsed().as_nanos() as f64 / n_expected as f64);
        assert_eq!(n_done, n_expected, "{what}");
    }
    println!("  {what:<28} {best_ns:>8.1} ns");
}

fn mean_len(lines: &[String]) -> usize {
    lines.iter().map(String::len).sum::<usize>() / lines.len()
}

/// A numeral that looks random and is the same in every run.
fn scattered(index: usize) -> usize {
    index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40
}

/// Purchase, browse, search by turns, some fields beyond the contract among theirs.
fn single_event(index: usize) -> String {
    let n = scattered(index);
    let (kind, own) = match index % 3 {
        0 => (
            "purchase",
            format!(
                r#""amount":"{}.{:02}","currency":"EUR","product_id":"{n}","category":"garden","#,
                n % 500,
                n % 100
            ),
        ),
        1 => ("browse", format!(r#""product_id":"{n}","category":"garden","brand":"acme","page":"/p/{n}","#)),
        _ => ("search", format!(r#""query":"garden hose {}","n_results":{},"#, n % 100, n % 50)),
    };
    let time = Instant(1_767_431_564_120 + index as i64 * 977);
    format!(
        r#"{{"event_id":"8d3c{n:020x}","kind":"{kind}","customer_id":"customer-{:010}","time":"{time}",{own}"channel":"web","country":"DE","device":"iPhone","session":{{"id":"{n:032x}","n":{}}},"campaign":"spring-2026"}}"#,
        n % 500_000,
        n % 9,
    )
}

/// As [`single_event`], what the contract has of it.
fn single_message(index: usize) -> wire::Event {
    let n = scattered(index);
    let text = |text: &str| Some(text.to_owned());
    let event = wire::Event {
        event_id: Some(format!("8d3c{n:020x}")),
        customer_id: format!("customer-{:010}", n % 500_000),
        time: Some(1_767_431_564_120 + index as i64 * 977),
        channel: text("web"),
        country: text("DE"),
        device: text("iPhone"),
        ..wire::Event::default()
    };
    let (product_id, category) = (Some(n.to_string()), text("garden"));
    match index % 3 {
        0 => {
            let (amount, currency) = (Some(format!("{}.{:02}", n % 500, n % 100)), text("EUR"));
            wire::Event { kind: "purchase".into(), amount, currency, product_id, category, ..event }
        }
        1 => wire::Event { kind: "browse".into(), brand: text("acme"), product_id, category, ..event },
        _ => wire::Event { kind: "search".into(), query: Some(format!("garden hose {}", n % 100)), ..event },
    }
}

fn order(index: usize) -> String {
    let n = scattered(index);
    let line = |line: usize| {
        let n = scattered(index * 10 + line);
        format!(
            r#"{{"product_id":"{n}","category":"toys","quantity":{},"unit_price":"{}.{:02}"}}"#,
            n % 9 + 1,
            n % 50,
            n % 100
        )
    };
    let items = (0..10).map(line).collect::<Vec<_>>().join(",");
    format!(
        r#"{{"event_id":"{n:x}","kind":"purchase","customer_id":"c-{n}","time":{},"currency":"EUR","items":[{items}]}}"#,
        1_767_431_564_120 + index
    )
}

/// What twenty rules typically read: most text fields, lines, no attributes.
fn schema() -> Schema {
    let kind = |name: &str, builtin: Builtin, amount: AmountSource| KindSchema {
        name: name.into(),
        builtin,
        amount,
        texts: [true; TextField::ALL.len()],
        lines: true,
        attributes: false,
    };
    Schema {
        kinds: vec![
            kind("purchase", Builtin::Purchase, AmountSource::Amount),
            kind("browse", Builtin::Browse, AmountSource::None),
            kind("search", Builtin::Search, AmountSource::None),
            kind("refund", Builtin::Refund, AmountSource::Amount),
            kind("feedback", Builtin::Feedback, AmountSource::Rating),
            kind("profile", Builtin::Profile, AmountSource::None),
        ],
        attributes: vec![],
        currency: "EUR".into(),
        rates: Default::default(),
    }
}

fn plan() -> Plan {
    let segment = |name: &str| Segment {
        name: name.into(),
        when: Condition::Constant(true),
        stay: None,
        min_stay: None,
        cooldown: None,
        from: None,
        label: None,
        action: Some("wake_with_coupon".into()),
    };
    let dimension = |name: &str, segments: &[&str]| Dimension {
        name: name.into(),
        segments: segments.iter().map(|name| segment(name)).collect(),
    };
    let test = Test::TextIn { left: TextOperand::Literal("".into()), values: vec![] };
    Plan {
        version: "00c0ffee00c0ffee".into(),
        zone: jiff::tz::TimeZone::UTC,
        schema: schema(),
        kinds: vec![],
        series: vec![],
        features: vec![],
        profile: vec![],
        scores: vec![],
        comparisons: vec![Comparison { text: r#"purchase.since_last() > duration("30d")"#.into(), test }],
        dimensions: vec![dimension("activity", &["active", "dormant"]), dimension("spend", &["low", "high"])],
        reasons: false,
        interests: InterestLimits::default(),
    }
}
