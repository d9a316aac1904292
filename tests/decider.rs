//! The short ways of deciding a comparison say what the plain one says, and no until is too late.

use dormouse::config::rules;
use dormouse::event::{Amount, AttributeId, Instant, Span};
use dormouse::rules::Plan;
use dormouse::rules::decider::Decider;
use dormouse::rules::plan::{ComparisonId, DimensionId, Feature, FeatureId, Measure};
use dormouse::rules::verdict::{self, Attribute, Facts, Value, Verdict};
use proptest::prelude::*;

const CONDITIONS: &[&str] = &[
    r#"purchase.count("30d") >= 2"#,
    r#"3 > purchase.count("30d")"#,
    r#"purchase.count("10d") == 0"#,
    r#"purchase.count("10d") != 2"#,
    r#"2 * purchase.count("30d") <= 5"#,
    r#"2 * purchase.count("30d") == 3"#,
    r#"purchase.count("30d") > -1"#,
    r#"purchase.sum("30d") >= 40"#,
    r#"purchase.sum("30d") < -3"#,
    r#"purchase.sum("30d") != 10"#,
    r#"purchase.sum("30d") - browse.count("10d") >= 5"#,
    r#"purchase.count("30d") >= 0.6 * browse.count("10d")"#,
    r#"browse.count("30d") + purchase.count("10d") > purchase.count() + 1"#,
    r#"purchase.since_last() > duration("5d")"#,
    r#"duration("5d") <= purchase.since_last()"#,
    r#"purchase.since_last() == duration("5d")"#,
    r#"purchase.since_last() != duration("5d")"#,
    r#"purchase.since_last() > 2 * browse.since_last()"#,
    r#"purchase.since_last() >= browse.since_last() + duration("1d")"#,
    r#"purchase.since_last() <= browse.since_last() + duration("1d")"#,
    r#"purchase.since_last() < 3 * browse.since_last() - duration("9d")"#,
    "score.recency >= 2",
    "score.recency == 1",
    "score.recency != 2",
    "score.recency > 7",
    "score.spent >= 3",
    "score.spent < 2.5",
    "2 * score.spent == 4",
    "score.wealth >= 2",
    "score.wealth <= 1",
    "score.spent + score.recency >= 4",
    "profile.income > 3",
];

fn plan() -> Plan {
    let scores = [
        r#"{ name = "recency", of = 'purchase.since_last()', cuts = ["4d", "9d"], falling = true }"#,
        r#"{ name = "spent", of = 'purchase.sum("30d") - browse.count("30d")', cuts = [-2, 0, 20] }"#,
        r#"{ name = "wealth", of = 'profile.income + purchase.count("30d")', cuts = [2, 4] }"#,
    ];
    let mut file = String::new();
    for score in scores {
        let (name, rest) = score.trim_matches(['{', '}', ' ']).split_once(", of").expect("a name comes first");
        let name = name.split('"').nth(1).expect("in quotes");
        let lines = format!("of{rest}").replace(", cuts", "\ncuts").replace(", falling", "\nfalling");
        file.push_str(&format!("[score.{name}]\n{lines}\n"));
    }
    file.push_str("[[dimension]]\nname = \"d\"\n");
    for (index, condition) in CONDITIONS.iter().enumerate() {
        file.push_str(&format!("[[dimension.segment]]\nname = \"s{index}\"\nwhen = '''{condition}'''\n"));
    }
    rules::load_text("segments.toml", &file).unwrap_or_else(|errors| panic!("{errors:?}")).plan
}

/// Events of purchase and browse: day and amount.
struct World<'a> {
    plan: &'a Plan,
    purchases: &'a [(i64, i64)],
    browses: &'a [(i64, i64)],
    income: Option<i64>,
}

impl World<'_> {
    fn of(&self, series: dormouse::rules::plan::SeriesId) -> &[(i64, i64)] {
        let kind = self.plan.series[usize::from(series.0)].kind;
        match &*self.plan.schema.kinds[usize::from(kind.0)].name {
            "purchase" => self.purchases,
            _ => self.browses,
        }
    }

    fn at(&self, feature: FeatureId, at: Instant) -> i64 {
        let &Feature::Window { series, measure, window } = self.plan.feature(feature) else {
            panic!("only windows are asked for")
        };
        let inside = self.of(series).iter().filter(|(day, _)| {
            let time = Instant(day * Span::DAY.0);
            time <= at && time > at - window
        });
        match measure {
            Measure::Count => inside.count() as i64 * Amount::ONE.0,
            _ => inside.map(|(_, amount)| amount * Amount::ONE.0).sum(),
        }
    }

    fn next_exit(&self, feature: FeatureId, at: Instant) -> Instant {
        let &Feature::Window { series, window, .. } = self.plan.feature(feature) else {
            panic!("only windows are asked for")
        };
        let exits = self.of(series).iter().map(|(day, _)| Instant(day * Span::DAY.0) + window);
        exits.filter(|exit| *exit > at).min().unwrap_or(Instant::NEVER)
    }
}

impl Facts for World<'_> {
    fn value(&mut self, feature: FeatureId, at: Instant) -> (Value, Instant) {
        let value = match self.plan.feature(feature) {
            Feature::Window { .. } => return (Value::Fixed(self.at(feature, at)), self.next_exit(feature, at)),
            Feature::Ever { series, .. } => Value::Fixed(self.of(*series).len() as i64 * Amount::ONE.0),
            Feature::SinceLast(series) => match self.of(*series).iter().map(|(day, _)| *day).max() {
                Some(day) => Value::Since(Instant(day * Span::DAY.0)),
                None => Value::Never,
            },
            Feature::Profile(_) => self.income.map_or(Value::Absent, |income| Value::Fixed(income * Amount::ONE.0)),
            other => panic!("nobody asks for {other:?}"),
        };
        (value, Instant::NEVER)
    }

    fn reaches(&mut self, feature: FeatureId, at: Instant, least: i64) -> Verdict {
        let holds = self.at(feature, at) >= least;
        let mut until = self.next_exit(feature, at);
        while !until.is_never() && (self.at(feature, until) >= least) == holds {
            until = self.next_exit(feature, until);
        }
        Verdict { holds, until }
    }

    fn only_falls(&mut self, feature: FeatureId) -> bool {
        let &Feature::Window { series, measure, .. } = self.plan.feature(feature) else {
            panic!("only windows are asked for")
        };
        measure == Measure::Count || self.of(series).iter().all(|(_, amount)| *amount >= 0)
    }

    fn attribute(&self, _: AttributeId) -> Attribute<'_> {
        self.income.map_or(Attribute::Absent, |income| Attribute::Number(income * Amount::ONE.0))
    }

    fn segment(&self, _: DimensionId) -> &str {
        ""
    }

    fn remembered(&self, _: ComparisonId, _: Instant, _: Instant) -> Option<Verdict> {
        None
    }

    fn remember(&mut self, _: ComparisonId, _: (Instant, Instant), _: Verdict) {}
}

fn events() -> impl Strategy<Value = Vec<(i64, i64)>> {
    prop::collection::vec((100_i64..140, prop_oneof![0_i64..20, -10_i64..20]), 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn the_short_way_says_the_same(
        purchases in events(), browses in events(), income in prop::option::of(0_i64..6), after in 0_i64..40,
        limit in prop_oneof![Just(Instant::NEVER), (1_i64..60).prop_map(|days| Instant((140 + days) * Span::DAY.0))],
    ) {
        let plan = plan();
        let decider = Decider::new(&plan);
        let at = Instant((140 + after) * Span::DAY.0);
        let mut world = World { plan: &plan, purchases: &purchases, browses: &browses, income };
        for (index, comparison) in plan.comparisons.iter().enumerate() {
            let short = decider.comparison(&plan, &mut world, ComparisonId(index as u16), at, limit);
            let mut holds = |at| verdict::comparison(&plan, &mut world, comparison, at).holds;
            prop_assert_eq!(short.holds, holds(at), "{}", comparison.text);
            prop_assert!(short.until > at);
            // Everything here turns on the hour, or a millisecond behind it.
            let hours = (0..100 * 24).map(|hour| at + Span(hour * Span::HOUR.0));
            for instant in hours.flat_map(|at| [at, at + Span(1)]).take_while(|instant| *instant < short.until) {
                prop_assert_eq!(holds(instant), short.holds, "{} at {}", comparison.text, instant);
            }
        }
    }
}
