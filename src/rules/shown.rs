//! A plan's series, features and conditions as people would write them: `purchase.where(channel == "app").count("30d")`.
//! For reports; decides nothing.

use super::ast::write_text;
use super::plan::{
    Condition, Feature, FeatureId, FieldTest, Filter, Measure, NumberSource, Plan, SeriesId, TextSource, TextTest,
};
use crate::event::AttributeId;

/// A condition in the language of rules, its comparisons as they stand in the configuration.
pub fn condition(plan: &Plan, shown: &Condition) -> String {
    let within = |part: &Condition| match part {
        Condition::All(_) | Condition::Any(_) => format!("({})", condition(plan, part)),
        _ => condition(plan, part),
    };
    let joined = |parts: &[Condition], between: &str| parts.iter().map(within).collect::<Vec<_>>().join(between);
    match shown {
        Condition::Constant(holds) => holds.to_string(),
        Condition::Compare(id) => plan.comparison(*id).text.to_string(),
        Condition::Not(inner) => match &**inner {
            Condition::Compare(id) if plan.comparison(*id).text.contains(' ') => {
                format!("!({})", plan.comparison(*id).text)
            }
            _ => format!("!{}", within(inner)),
        },
        Condition::All(parts) => joined(parts, " && "),
        Condition::Any(parts) => joined(parts, " || "),
    }
}

/// A feature in the language of rules.
pub fn feature(plan: &Plan, id: FeatureId) -> String {
    let measured = |of: SeriesId, measure: Measure, window: Option<String>| {
        let field = |index: u8| plan.series[usize::from(of.0)].values[usize::from(index)].name();
        let (name, field) = match measure {
            Measure::Count => ("count", None),
            Measure::Sum => ("sum", None),
            Measure::Avg => ("avg", None),
            Measure::Max => ("max", None),
            Measure::Min => ("min", None),
            Measure::Days => ("days", None),
            Measure::Distinct(index) => ("distinct", Some(field(index).to_owned())),
            Measure::Top(index) => ("top", Some(field(index).to_owned())),
        };
        let arguments: Vec<String> = field.into_iter().chain(window).collect();
        format!("{}.{name}({})", series(plan, of), arguments.join(", "))
    };
    match plan.feature(id) {
        Feature::Window { series, measure, window } => measured(*series, *measure, Some(format!("\"{window}\""))),
        Feature::Ever { series, measure } => measured(*series, *measure, None),
        Feature::SinceLast(of) => format!("{}.since_last()", series(plan, *of)),
        Feature::SinceFirst(of) => format!("{}.since_first()", series(plan, *of)),
        Feature::Gap(of) => format!("{}.gap()", series(plan, *of)),
        Feature::CustomerAge => "customer.age()".to_owned(),
        Feature::Profile(attribute) => format!("profile.{}", plan.schema.attributes[usize::from(attribute.0)]),
        Feature::DaysUntil(attribute) => {
            format!("profile.{}.days_until()", plan.schema.attributes[usize::from(attribute.0)])
        }
        Feature::SegmentAge(dimension) => format!("segment.{}.age()", plan.dimension(*dimension).name),
        Feature::Score(score) => format!("score.{}", plan.score(*score).name),
    }
}

/// The series in the language of rules.
pub fn series(plan: &Plan, id: SeriesId) -> String {
    let series = &plan.series[id.0 as usize];
    let kind = &plan.schema.kinds[series.kind.0 as usize].name;
    match &series.filter {
        None => kind.to_string(),
        Some(filter) => format!("{kind}.where({})", shown(plan, filter)),
    }
}

fn shown(plan: &Plan, filter: &Filter) -> String {
    let joined = |parts: &[Filter], between: &str| {
        let inner = |part: &Filter| match part {
            Filter::All(_) | Filter::Any(_) => format!("({})", shown(plan, part)),
            _ => shown(plan, part),
        };
        parts.iter().map(inner).collect::<Vec<_>>().join(between)
    };
    match filter {
        Filter::Constant(holds) => holds.to_string(),
        Filter::Not(inner) => format!("!({})", shown(plan, inner)),
        Filter::All(parts) => joined(parts, " && "),
        Filter::Any(parts) => joined(parts, " || "),
        Filter::Test(test) => tested(plan, test),
    }
}

fn tested(plan: &Plan, test: &FieldTest) -> String {
    match test {
        FieldTest::Number { field, relation, value } => format!("{} {relation} {value}", number(plan, *field)),
        FieldTest::NumberIn { field, values } => {
            let values: Vec<String> = values.iter().map(ToString::to_string).collect();
            format!("{} in [{}]", number(plan, *field), values.join(", "))
        }
        FieldTest::Flag { attribute, expected: true } => named(plan, *attribute),
        FieldTest::Flag { attribute, expected: false } => format!("{} == false", named(plan, *attribute)),
        FieldTest::Text { field, test } => {
            let field = match field {
                TextSource::Field(field) => field.name().to_string(),
                TextSource::Attribute(attribute) => named(plan, *attribute),
                TextSource::Date => "date".to_string(),
            };
            match test {
                TextTest::Is(relation, text) => format!("{field} {relation} {}", quoted(text)),
                TextTest::In(texts) => {
                    let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
                    format!("{field} in [{}]", texts.join(", "))
                }
                TextTest::Contains(text) => format!("{field}.contains({})", quoted(text)),
                TextTest::StartsWith(text) => format!("{field}.startsWith({})", quoted(text)),
                TextTest::EndsWith(text) => format!("{field}.endsWith({})", quoted(text)),
            }
        }
    }
}

fn number(plan: &Plan, field: NumberSource) -> String {
    let name = match field {
        NumberSource::Amount => "amount",
        NumberSource::OrderAmount => "order_amount",
        NumberSource::Rating => "rating",
        NumberSource::Quantity => "quantity",
        NumberSource::Discount => "discount",
        NumberSource::Month => "month",
        NumberSource::Weekday => "weekday",
        NumberSource::Hour => "hour",
        NumberSource::Attribute(attribute) => return named(plan, attribute),
    };
    name.to_string()
}

fn named(plan: &Plan, attribute: AttributeId) -> String {
    format!("attributes.{}", plan.schema.attributes[attribute.0 as usize])
}

fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    write_text(&mut quoted, text).expect("writing to a string does not fail");
    quoted
}
