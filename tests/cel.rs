//! On what both languages can say, a rule's answer is that of the `cel` crate: comparisons of whole numbers, texts and
//! booleans, joined by `&& || !`, with lists, sums and products.

use dormouse::config::rules;
use dormouse::event::{Amount, AttributeId, Instant};
use dormouse::rules::Plan;
use dormouse::rules::decider::Decider;
use dormouse::rules::plan::{ComparisonId, Condition, DimensionId, Feature, FeatureId};
use dormouse::rules::verdict::{Attribute, Facts, Value, Verdict};
use proptest::prelude::*;

/// What both see of a customer.
#[derive(Debug, Clone)]
struct World {
    purchases: i64,
    browses: i64,
    age: i64,
    is_vip: bool,
    country: String,
}

/// The same values for rules.
struct Seen<'a> {
    plan: &'a Plan,
    world: &'a World,
}

impl Facts for Seen<'_> {
    fn value(&mut self, feature: FeatureId, _at: Instant) -> (Value, Instant) {
        let number = match self.plan.feature(feature) {
            Feature::Ever { series, .. } => {
                match &*self.plan.schema.kinds[usize::from(self.plan.series[usize::from(series.0)].kind.0)].name {
                    "purchase" => self.world.purchases,
                    _ => self.world.browses,
                }
            }
            _ => self.world.age,
        };
        (Value::Fixed(number * Amount::ONE.0), Instant::NEVER)
    }

    fn reaches(&mut self, _: FeatureId, _: Instant, _: i64) -> Verdict {
        unreachable!("no window is asked for")
    }

    fn only_falls(&mut self, _: FeatureId) -> bool {
        unreachable!("no window is asked for")
    }

    fn attribute(&self, attribute: AttributeId) -> Attribute<'_> {
        match &*self.plan.schema.attributes[usize::from(attribute.0)] {
            "vip" => Attribute::Flag(self.world.is_vip),
            "country" => Attribute::Text(&self.world.country),
            _ => Attribute::Number(self.world.age * Amount::ONE.0),
        }
    }

    fn segment(&self, _: DimensionId) -> &str {
        ""
    }

    fn remembered(&self, _: ComparisonId, _: Instant, _: Instant) -> Option<Verdict> {
        None
    }

    fn remember(&mut self, _: ComparisonId, _: (Instant, Instant), _: Verdict) {}
}

fn by_rules(text: &str, world: &World) -> Verdict {
    let file = format!("[[dimension]]\nname = \"d\"\n[[dimension.segment]]\nname = \"s\"\nwhen = '''{text}'''\n");
    let plan = rules::load_text("segments.toml", &file).expect("the rule is right").plan;
    let when: &Condition = &plan.dimensions[0].segments[0].when;
    let mut seen = Seen { plan: &plan, world };
    Decider::new(&plan).condition(&plan, &mut seen, when, Instant(1_000), Instant::NEVER)
}

fn by_cel(text: &str, world: &World) -> bool {
    let text = [("purchase.count()", "p"), ("browse.count()", "b"), ("profile.age", "age"), ("profile.vip", "vip")]
        .iter()
        .fold(text.replace("profile.country", "country"), |text, (ours, theirs)| text.replace(ours, theirs));
    let program = cel::Program::compile(&text).expect("the rule is CEL");
    let mut context = cel::Context::default();
    for (name, number) in [("p", world.purchases), ("b", world.browses), ("age", world.age)] {
        context.add_variable(name, number).expect("a number is a value");
    }
    context.add_variable("vip", world.is_vip).expect("a boolean is a value");
    context.add_variable("country", world.country.clone()).expect("a text is a value");
    match program.execute(&context).expect("it can be evaluated") {
        cel::Value::Bool(holds) => holds,
        other => unreachable!("a condition is a boolean, not {other:?}"),
    }
}

fn world() -> impl Strategy<Value = World> {
    (0_i64..6, 0_i64..6, -3_i64..60, any::<bool>(), prop_oneof![Just("DE"), Just("FR"), Just("")]).prop_map(
        |(purchases, browses, age, is_vip, country)| World {
            purchases,
            browses,
            age,
            is_vip,
            country: country.to_owned(),
        },
    )
}

fn number() -> impl Strategy<Value = String> {
    let feature = prop_oneof![Just("purchase.count()"), Just("browse.count()")];
    prop_oneof![
        feature.clone().prop_map(str::to_owned),
        (1_i64..4, feature.clone()).prop_map(|(times, feature)| format!("{times} * {feature}")),
        (feature.clone(), feature, -4_i64..5).prop_map(|(a, b, n)| format!("{a} - {b} + {n}")),
        (-2_i64..3).prop_map(|n| format!("profile.age + {n}")),
    ]
}

fn comparison() -> impl Strategy<Value = String> {
    let relation = prop_oneof![Just("=="), Just("!="), Just("<"), Just("<="), Just(">"), Just(">=")];
    let equality = prop_oneof![Just("=="), Just("!=")];
    let country = prop_oneof![Just("\"DE\""), Just("\"FR\""), Just("\"\"")];
    prop_oneof![
        (number(), relation.clone(), -3_i64..8).prop_map(|(a, relation, n)| format!("{a} {relation} {n}")),
        (-3_i64..8, relation.clone(), number()).prop_map(|(n, relation, a)| format!("{n} {relation} {a}")),
        (number(), relation, number()).prop_map(|(a, relation, b)| format!("{a} {relation} {b}")),
        (number(), 0_i64..4, 0_i64..9).prop_map(|(a, n, m)| format!("{a} in [{n}, {m}]")),
        (equality, country.clone()).prop_map(|(equality, text)| format!("profile.country {equality} {text}")),
        (country.clone(), country).prop_map(|(a, b)| format!("profile.country in [{a}, {b}]")),
        Just("profile.vip".to_owned()),
        Just("profile.vip == true".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
    ]
}

fn rule() -> impl Strategy<Value = String> {
    comparison().prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|a| format!("!({a})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} && {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} || {b}")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("({a}) || ({b})")),
        ]
    })
}

proptest! {
    #[test]
    fn a_rule_says_what_cel_says(rule in rule(), world in world()) {
        let verdict = by_rules(&rule, &world);
        prop_assert_eq!(verdict.holds, by_cel(&rule, &world), "{}", rule);
        // Nothing here changes with time.
        prop_assert!(verdict.until.is_never());
    }
}
