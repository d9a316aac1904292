//! A plan's series as people would write them: `purchase.where(channel == "app")`. For reports; decides nothing.

use super::ast::write_text;
use super::plan::{FieldTest, Filter, NumberSource, Plan, SeriesId, TextSource, TextTest};
use crate::event::AttributeId;

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
