//! `where(F)`: which events pass, and which of their lines (SPEC 5, "Filters").

use jiff::Zoned;

use super::event::{Event, Line};
use super::value::{Scalar, tells};
use crate::event::Builtin;
use crate::rules::plan::Relation;

/// A condition on one event or one of its lines. Fields by their names in rules.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    Constant(bool),
    Not(Box<Filter>),
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Compare(String, Relation, Scalar),
    In(String, Vec<Scalar>),
    Contains(String, String),
    StartsWith(String, String),
    EndsWith(String, String),
    /// A boolean attribute by itself.
    Bare(String),
}

const FIELDS: [&str; 17] = [
    "product",
    "category",
    "brand",
    "channel",
    "country",
    "device",
    "coupon",
    "query",
    "rating",
    "quantity",
    "amount",
    "order_amount",
    "discount",
    "month",
    "weekday",
    "hour",
    "date",
];

pub fn is_field(name: &str) -> bool {
    FIELDS.contains(&name)
}

/// What is looked at: an event, or one of its lines, with its time in the configured zone.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    pub event: &'a Event,
    pub kind: Builtin,
    pub line: Option<&'a Line>,
    pub local: &'a Zoned,
}

impl Filter {
    /// What `query` is compared with is in lower case, as `query` itself.
    pub fn lowered(self) -> Filter {
        let lower = |scalar| match scalar {
            Scalar::Text(text) => Scalar::Text(text.to_lowercase()),
            other => other,
        };
        match self {
            Filter::Compare(field, relation, value) if field == "query" => {
                Filter::Compare(field, relation, lower(value))
            }
            Filter::In(field, values) if field == "query" => Filter::In(field, values.into_iter().map(lower).collect()),
            Filter::Contains(field, part) if field == "query" => Filter::Contains(field, part.to_lowercase()),
            Filter::StartsWith(field, part) if field == "query" => Filter::StartsWith(field, part.to_lowercase()),
            Filter::EndsWith(field, part) if field == "query" => Filter::EndsWith(field, part.to_lowercase()),
            other => other,
        }
    }

    fn passes(&self, view: View<'_>) -> bool {
        let text = |field: &str, is_it: fn(&str, &str) -> bool, part: &str| match view.field(field) {
            Some(Scalar::Text(text)) => is_it(&text, part),
            _ => false,
        };
        match self {
            Filter::Constant(truth) => *truth,
            Filter::Not(inner) => !inner.passes(view),
            Filter::All(parts) => parts.iter().all(|part| part.passes(view)),
            Filter::Any(parts) => parts.iter().any(|part| part.passes(view)),
            Filter::Compare(field, relation, value) => compare(view.field(field), *relation, value),
            Filter::In(field, values) => values.iter().any(|value| compare(view.field(field), Relation::Equal, value)),
            Filter::Contains(field, part) => text(field, |text, part| text.contains(part), part),
            Filter::StartsWith(field, part) => text(field, |text, part| text.starts_with(part), part),
            Filter::EndsWith(field, part) => text(field, |text, part| text.ends_with(part), part),
            Filter::Bare(field) => view.field(field) == Some(Scalar::Truth(true)),
        }
    }
}

fn compare(found: Option<Scalar>, relation: Relation, value: &Scalar) -> bool {
    let ordering = match (found, value) {
        (Some(Scalar::Text(a)), Scalar::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Some(Scalar::Number(a)), Scalar::Number(b)) => a.cmp(b),
        (Some(Scalar::Truth(a)), Scalar::Truth(b)) => a.cmp(b),
        _ => return false,
    };
    tells(relation, ordering)
}

impl<'a> View<'a> {
    fn field(self, name: &str) -> Option<Scalar> {
        if let Some(attribute) = name.strip_prefix("attributes.") {
            let seen = self.kind != Builtin::Profile;
            return self.event.attributes.get(attribute).filter(|_| seen).cloned().flatten();
        }
        let whole = |number: i8| Some(Scalar::Number(i128::from(number) * 10_000));
        match name {
            "quantity" => self.line.map(|line| Scalar::Number(line.quantity)),
            "amount" => match self.line {
                Some(line) => line.amount.map(Scalar::Number),
                None => self.event.amount.map(Scalar::Number),
            },
            "order_amount" => self.event.amount.map(Scalar::Number),
            "discount" => match self.line {
                Some(line) => line.discount.map(Scalar::Number),
                None => self.event.discount.map(Scalar::Number),
            },
            "rating" => self.event.rating.map(Scalar::Number),
            "month" => whole(self.local.month()),
            "weekday" => whole(self.local.weekday().to_monday_one_offset()),
            "hour" => whole(self.local.hour()),
            "date" => Some(Scalar::Text(format!("{:02}-{:02}", self.local.month(), self.local.day()))),
            text => self.text(text).map(|text| Scalar::Text(text.to_owned())),
        }
    }

    /// A text of the line, or where it has none, of the event.
    pub fn text(self, name: &str) -> Option<&'a str> {
        let of_line = self.line.and_then(|line| line.texts.get(name));
        of_line.or_else(|| self.event.texts.get(name)).map(String::as_str)
    }
}

/// What of an event passes: nothing, or its amount there and the views that passed.
pub fn part<'a>(
    filter: Option<&Filter>,
    event: &'a Event,
    kind: Builtin,
    local: &'a Zoned,
) -> Option<(i128, Vec<View<'a>>)> {
    let lines = event.lines.iter().map(|line| View { event, kind, line: Some(line), local });
    let views: Vec<View<'_>> =
        if event.lines.is_empty() { vec![View { event, kind, line: None, local }] } else { lines.collect() };
    let Some(filter) = filter else { return Some((event.amount.unwrap_or(0), views)) };
    let passed: Vec<View<'_>> = views.into_iter().filter(|view| filter.passes(*view)).collect();
    if passed.is_empty() {
        return None;
    }
    if event.lines.is_empty() {
        return Some((event.amount.unwrap_or(0), passed));
    }
    let amount: i128 = passed.iter().filter_map(|view| view.line.and_then(|line| line.amount)).sum();
    let amount = if kind == Builtin::Refund { amount.abs() } else { amount };
    Some((amount, passed))
}
