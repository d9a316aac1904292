//! Rules in, plan out: what the engine gets for what people write. Snapshots of the parts of plans that decide.

use std::fmt::Write;

use dormouse::config::rules::load_text;
use dormouse::event::{AmountSource, AttributeId, Builtin, Instant, KindId, Span, TextField};
use dormouse::rules::plan::{Condition, Feature, Linear, Plan, SegmentId, SeriesId, Test, Totals};
use dormouse::rules::{cost, shown};
use expect_test::{Expect, expect};

/// A plan of one dimension `d` with one segment `s`; settings stand in front.
fn plan(settings: &str, when: &str) -> Plan {
    load(&format!(
        "{settings}\n[[dimension]]\nname = \"d\"\n[[dimension.segment]]\nname = \"s\"\nwhen = '''{when}'''\n"
    ))
}

fn load(text: &str) -> Plan {
    match load_text("segments.toml", text) {
        Ok(loaded) => loaded.plan,
        Err(diagnostics) => unreachable!("{}", dormouse::cli::diagnostics::draw_all(&diagnostics, false)),
    }
}

/// Every comparison on a line: its text, and what it means with features by their number.
fn comparisons(plan: &Plan) -> String {
    let side = |linear: &Linear| {
        let terms: Vec<String> = linear.terms.iter().map(|(c, feature)| format!("{c}·f{}", feature.0)).collect();
        [terms, vec![linear.constant.to_string()]].concat().join(" + ")
    };
    let mut shown = String::new();
    for comparison in &plan.comparisons {
        let test = match &comparison.test {
            Test::Linear { left, relation, right, unit, scale } => {
                format!("{} {relation} {} ({unit:?}/{scale})", side(left), side(right))
            }
            Test::LinearIn { left, values, unit, scale } => format!("{} in {values:?} ({unit:?}/{scale})", side(left)),
            other => format!("{other:?}"),
        };
        writeln!(shown, "{}  →  {test}", comparison.text).expect("writing to a string does not fail");
    }
    shown
}

fn check(when: &str, expected: Expect) {
    expected.assert_eq(&comparisons(&plan("", when)));
}

#[test]
fn literals_become_integers_on_one_scale() {
    check(
        "purchase.count(\"30d\") >= 4",
        expect![[r#"
        purchase.count("30d") >= 4  →  1·f0 + 0 >= 40000 (Number/1)
    "#]],
    );
    check(
        "0.3 * purchase.sum() - 2.5 > 1.25 * refund.sum() + 10",
        expect![[r#"
        0.3 * purchase.sum() - 2.5 > 1.25 * refund.sum() + 10  →  30·f0 + -2500000 > 125·f1 + 10000000 (Number/100)
    "#]],
    );
    check(
        "purchase.since_last() > 2 * purchase.gap() - duration(\"1h30m\")",
        expect![[r#"
        purchase.since_last() > 2 * purchase.gap() - duration("1h30m")  →  1·f0 + 0 > 2·f1 + -5400000 (Duration/1)
    "#]],
    );
    check(
        "0.5 * 0.25 * -customer.age() < 1.5 * duration(\"1d\")",
        expect![[r#"
        0.5 * 0.25 * -customer.age() < 1.5 * duration("1d")  →  -125·f0 + 0 < 129600000000 (Duration/1000)
    "#]],
    );
    check(
        "3 * (purchase.avg() - profile.age) in [-0.5, 3, 7.25]",
        expect![[r#"
        3 * (purchase.avg() - profile.age) in [-0.5, 3, 7.25]  →  3·f0 + -3·f1 + 0 in [-5000, 30000, 72500] (Number/1)
    "#]],
    );
    check(
        "purchase.count() - purchase.count() + 1 == 1",
        expect![[r#"
        purchase.count() - purchase.count() + 1 == 1  →  0·f0 + 10000 == 10000 (Number/1)
    "#]],
    );
    check(
        "-3 <= -purchase.distinct(brand, \"90d\")",
        expect![[r#"
        -3 <= -purchase.distinct(brand, "90d")  →  -30000 <= -1·f0 + 0 (Number/1)
    "#]],
    );
}

#[test]
fn an_attribute_is_what_the_other_side_says() {
    check(
        "profile.x == 'a' || 3 < profile.x || profile.x || profile.x != true || has(profile.x)",
        expect![[r#"
        profile.x == 'a'  →  Text { left: Profile(AttributeId(0)), negated: false, right: Literal("a") }
        3 < profile.x  →  30000 < 1·f0 + 0 (Number/1)
        profile.x  →  Flag { attribute: AttributeId(0), expected: true }
        profile.x != true  →  Flag { attribute: AttributeId(0), expected: false }
        has(profile.x)  →  Has(AttributeId(0))
    "#]],
    );
    check(
        "profile.x in ['a', 'b'] || profile.x in [1, 2] || profile.x in [true, false]",
        expect![[r#"
        profile.x in ['a', 'b']  →  TextIn { left: Profile(AttributeId(0)), values: ["a", "b"] }
        profile.x in [1, 2]  →  1·f0 + 0 in [10000, 20000] (Number/1)
        profile.x in [true, false]  →  Flag { attribute: AttributeId(0), expected: true }
        profile.x in [true, false]  →  Flag { attribute: AttributeId(0), expected: false }
    "#]],
    );
    check(
        "((profile.x)) || !( has( profile.x ) ) || ((1 + 1) < (profile.x))",
        expect![[r#"
        profile.x  →  Flag { attribute: AttributeId(0), expected: true }
        has( profile.x )  →  Has(AttributeId(0))
        (1 + 1) < (profile.x)  →  20000 < 1·f0 + 0 (Number/1)
    "#]],
    );
    check(
        "profile.x.days_until() <= 3 && profile.count('30d') > 1",
        expect![[r#"
        profile.x.days_until() <= 3  →  1·f0 + 0 <= 30000 (Number/1)
        profile.count('30d') > 1  →  1·f1 + 0 > 10000 (Number/1)
    "#]],
    );
}

#[test]
fn equal_things_are_kept_once() {
    let plan = plan(
        "",
        r#"purchase.where(brand == "a").count("30d") > 1 && purchase.where( brand=="a" ).sum("60d") > 2
           || !(purchase.where(brand == "a").count("30d")   >   1) && purchase.where(brand == "b").gap() > duration("1d")"#,
    );
    assert_eq!((plan.series.len(), plan.features.len(), plan.comparisons.len()), (2, 3, 3));
    assert_eq!(plan.series[0].longest_window, Span(60 * Span::DAY.0));
    assert!(plan.series[0].buckets.sum && !plan.series[0].buckets.max);
    assert_eq!(plan.series[0].totals, Totals::default());
    assert_eq!(plan.series[1].longest_window, Span(0));
    assert_eq!(plan.series[1].totals, Totals { count: true, first: true, last: true, ..Totals::default() });
    assert_eq!(plan.kinds[0].series, [SeriesId(0), SeriesId(1)]);
    assert_eq!(shown::series(&plan, SeriesId(1)), r#"purchase.where(brand == "b")"#);
}

#[test]
fn decoders_keep_only_what_is_read() {
    let plan = plan(
        "[kind.cart_add]\namount = \"value\"\n[kind.a_kind]",
        r#"search.where(query == "HOSE" && attributes.page > 1).count() > 1 || cart_add.sum() > 1 || profile.vip
           || browse.top(category, "7d") > 2 || refund.where(amount > 5).count() > 0 || feedback.count() > 1"#,
    );
    let names: Vec<&str> = plan.schema.kinds.iter().map(|kind| &*kind.name).collect();
    assert_eq!(names, ["purchase", "browse", "search", "refund", "feedback", "profile", "a_kind", "cart_add"]);
    let kind = |name: &str| {
        let id = plan.schema.kind(name).expect("it is declared");
        let kind = &plan.schema.kinds[id.0 as usize];
        let texts: Vec<&str> =
            TextField::ALL.iter().filter(|field| kind.texts[**field as usize]).map(|field| field.name()).collect();
        (texts, kind.lines, kind.attributes)
    };
    assert_eq!(kind("purchase"), (vec![], false, false));
    assert_eq!(kind("search"), (vec!["query"], false, true));
    assert_eq!(kind("browse"), (vec!["category"], false, false));
    assert_eq!(kind("refund"), (vec![], true, false));
    assert_eq!(kind("profile"), (vec![], false, true));
    assert_eq!(plan.schema.attributes, ["page".into(), "vip".into()]);
    assert_eq!(plan.profile, [AttributeId(1)]);
    let cart_add = &plan.schema.kinds[7];
    assert_eq!((cart_add.builtin, &cart_add.amount), (Builtin::Custom, &AmountSource::Field("value".into())));
    assert_eq!(shown::series(&plan, SeriesId(0)), r#"search.where(query == "hose" && attributes.page > 1)"#);
}

#[test]
fn a_field_that_a_kind_lacks_is_absent() {
    let plan = plan("", r#"browse.where(rating > 3 || !(quantity >= 1)).count() > 1 || search.top(brand, "1d") > 1"#);
    assert_eq!(shown::series(&plan, SeriesId(0)), "browse.where(false || !(false))");
    assert_eq!(plan.schema.kinds[2].texts, [false; 8]);
}

#[test]
fn settings_have_the_defaults_of_the_contract() {
    let plan = plan("", "true");
    assert_eq!(plan.zone, jiff::tz::TimeZone::UTC);
    assert_eq!(&*plan.schema.currency, "EUR");
    assert!(plan.kinds.iter().all(|kind| kind.resolution == Span::SECOND));
    let hours: Vec<i64> = plan.kinds.iter().map(|kind| kind.dedup_window.0 / Span::MINUTE.0).collect();
    assert_eq!(hours, [1_440, 10, 10, 1_440, 1_440, 1_440]);
    assert_eq!(plan.dimensions[0].segments[0].when, Condition::Constant(true));
}

#[test]
fn rates_are_sorted_by_day() {
    let settings =
        "[rates.USD]\n\"2026-01-01\" = 0.85\n\"2025-01-01\" = \"0.92\"\n[rates.JPY]\n2025-01-01 = \"0.0061\"";
    let rates = plan(settings, "true").schema.rates;
    let shown: Vec<String> = rates
        .iter()
        .flat_map(|(currency, rates)| {
            rates.iter().map(move |(from, rate)| format!("{currency} {from} {}e-{}", rate.mantissa, rate.scale))
        })
        .collect();
    expect![[r#"
        [
            "JPY 2025-01-01T00:00:00.000Z 61e-4",
            "USD 2025-01-01T00:00:00.000Z 92e-2",
            "USD 2026-01-01T00:00:00.000Z 85e-2",
        ]
    "#]]
    .assert_debug_eq(&shown);
    assert_eq!(rates["USD"][0].0, Instant(1_735_689_600_000));
}

#[test]
fn scores_come_before_those_that_read_them() {
    let text = r#"
[score.rfm]
of = 'score.r + 10 * score.m'
cuts = [11, 22.5]
[score.m]
of = 'purchase.sum("365d") - refund.sum("365d")'
cuts = [100, 500.25]
[score.r]
of = 'purchase.since_last()'
cuts = ["30d", "60d"]
falling = true
[score.unread]
of = 'search.count()'
cuts = [1]
[[dimension]]
name = "d"
[[dimension.segment]]
name = "s"
when = 'score.rfm >= 2'
"#;
    let plan = load(text);
    let names: Vec<&str> = plan.scores.iter().map(|score| &*score.name).collect();
    assert_eq!(names, ["m", "r", "rfm"]);
    assert_eq!(plan.scores[0].cuts, [1_000_000, 5_002_500]);
    assert_eq!((plan.scores[1].falling, plan.scores[1].scale), (true, 1));
    assert_eq!(plan.scores[1].cuts, [30 * i128::from(Span::DAY.0), 60 * i128::from(Span::DAY.0)]);
    assert_eq!(plan.features.iter().filter(|feature| matches!(feature, Feature::Score(_))).count(), 3);
    assert!(plan.series.iter().all(|series| series.kind != KindId(2)), "nothing is kept for a score that nobody reads");
}

#[test]
fn segments_keep_what_is_said_of_them() {
    let text = r#"
[[dimension]]
name = "d"
[[dimension.segment]]
name = "a"
when = 'purchase.count("30d") >= 1'
stay = 'segment.d.age() < duration("1d")'
min_stay = "2d"
cooldown = "1w"
from = ["", "b", "b"]
label = "A"
action = "care"
[[dimension.segment]]
name = "b"
when = 'true'
[[dimension]]
name = "e"
[[dimension.segment]]
name = "c"
when = 'segment.d in ["a", ""] && segment.d != "b"'
"#;
    let plan = load(text);
    let a = &plan.dimensions[0].segments[0];
    let from = a.from.as_ref().expect("it has one");
    assert_eq!((from.none, &*from.segments), (true, &[SegmentId(1)][..]));
    assert_eq!((a.min_stay, a.cooldown), (Some(Span(2 * Span::DAY.0)), Some(Span::WEEK)));
    assert_eq!((a.label.as_deref(), a.action.as_deref()), (Some("A"), Some("care")));
    expect![[r#"
        purchase.count("30d") >= 1  →  1·f0 + 0 >= 10000 (Number/1)
        segment.d.age() < duration("1d")  →  1·f1 + 0 < 86400000 (Duration/1)
        segment.d in ["a", ""]  →  TextIn { left: Segment(DimensionId(0)), values: ["a", ""] }
        segment.d != "b"  →  Text { left: Segment(DimensionId(0)), negated: true, right: Literal("b") }
    "#]]
    .assert_eq(&comparisons(&plan));
}

#[test]
fn the_version_is_of_the_meaning() {
    let version = |settings: &str, when: &str| plan(settings, when).version;
    let plain = version("", "purchase.count(\"30d\") >= 4");
    assert_eq!(plain.len(), 16);
    assert_eq!(plain, version("# why\ntimezone = \"UTC\"", "( purchase.count('30d')>=4.0 ) // four"));
    assert_ne!(plain, version("", "purchase.count(\"30d\") >= 5"));
    assert_ne!(plain, version("timezone = \"Europe/Berlin\"", "purchase.count(\"30d\") >= 4"));
    assert_ne!(plain, version("[kind.browse]\nresolution = \"1h\"", "purchase.count(\"30d\") >= 4"));
    assert_ne!(plain, version("[rates.USD]\n2025-01-01 = 0.9", "purchase.count(\"30d\") >= 4"));
    let text = |more: &str| {
        load(&format!("[[dimension]]\nname = \"d\"\n[[dimension.segment]]\nname = \"s\"\nwhen = 'true'\n{more}"))
            .version
    };
    assert_eq!(text(""), text("label = \"S\""));
    assert_ne!(text(""), text("action = \"s\""));
    assert_ne!(text(""), text("min_stay = \"1d\""));
    // It is stable: changing how it is made changes what subscribers see of unchanged rules.
    expect!["fe1d90981439150d"].assert_eq(&plain);
}

#[test]
fn a_rule_costs_what_it_keeps() {
    let when = r#"purchase.sum("30d") > 1 && purchase.since_last() < duration("7d") && purchase.top(category, "7d") > 1
                  || search.gap() > duration("1d")"#;
    let cost = cost::of(&plan("", when));
    let [purchases, searches] = &cost.series[..] else { unreachable!("there are two series") };
    assert_eq!(purchases.columns, ["count", "sum", "category"]);
    assert_eq!((purchases.window, &*purchases.totals), (Some(Span(30 * Span::DAY.0)), &["last"][..]));
    assert_eq!((purchases.event_bytes, purchases.customer_bytes, purchases.n_segments), (3 + 2 + 3, 1 + 4, 1));
    assert_eq!((searches.window, searches.columns.len(), searches.event_bytes), (None, 0, 0));
    assert_eq!((&*searches.totals, searches.customer_bytes), (&["count", "first", "last"][..], 12));
    assert_eq!((cost.segments[0].n_comparisons, cost.segments[0].n_features, cost.segments[0].series.len()), (4, 4, 2));
}
