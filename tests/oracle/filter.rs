//! `where(F)`: which events pass, and which of their lines (SPEC 5, "Filters").

use jiff::Zoned;

use super::decimal::Decimal;
use super::event::{Event, Line};
use super::language::{Operator, Tree};
use super::value::{Scalar, tells};

/// What is looked at: an event, or one of its lines, with its time in the configured zone.
pub struct View<'a> {
    pub event: &'a Event,
    pub line: Option<&'a Line>,
    pub local: &'a Zoned,
}

pub fn passes(filter: &Tree, view: &View<'_>) -> bool {
    match filter {
        Tree::Not(inner) => !passes(inner, view),
        Tree::Binary(Operator::And, a, b) => passes(a, view) && passes(b, view),
        Tree::Binary(Operator::Or, a, b) => passes(a, view) || passes(b, view),
        Tree::Binary(Operator::In, field, list) => {
            let Tree::List(elements) = list.as_ref() else { panic!("`in` needs a list: {filter:?}") };
            elements.iter().any(|element| compare(Operator::Equal, field, element, view))
        }
        Tree::Binary(operator, a, b) if literal(a).is_some() => compare(operator.mirrored(), b, a, view),
        Tree::Binary(operator, a, b) => compare(*operator, a, b, view),
        Tree::Call(Some(field), method, arguments) => {
            let [Tree::Text(part)] = arguments.as_slice() else { panic!("{method} takes a text") };
            let Some(Scalar::Text(text)) = view.field(field) else { return false };
            let part = lowered(field, part);
            match method.as_str() {
                "contains" => text.contains(&part),
                "startsWith" => text.starts_with(&part),
                "endsWith" => text.ends_with(&part),
                other => panic!("no method {other}"),
            }
        }
        Tree::Truth(truth) => *truth,
        field => view.field(field) == Some(Scalar::Truth(true)),
    }
}

fn literal(tree: &Tree) -> Option<Scalar> {
    match tree {
        Tree::Number(number) => Some(Scalar::Number(number.rounded())),
        Tree::Negate(inner) => match literal(inner)? {
            Scalar::Number(number) => Some(Scalar::Number(-number)),
            other => Some(other),
        },
        Tree::Text(text) => Some(Scalar::Text(text.clone())),
        Tree::Truth(truth) => Some(Scalar::Truth(*truth)),
        _ => None,
    }
}

/// What `query` is compared with is in lower case, as `query` itself.
fn lowered(field: &Tree, text: &str) -> String {
    if *field == Tree::Name("query".to_owned()) { text.to_lowercase() } else { text.to_owned() }
}

fn compare(operator: Operator, field: &Tree, other: &Tree, view: &View<'_>) -> bool {
    let ordering = match (view.field(field), literal(other)) {
        (Some(Scalar::Text(a)), Some(Scalar::Text(b))) => a.as_bytes().cmp(lowered(field, &b).as_bytes()),
        (Some(Scalar::Number(a)), Some(Scalar::Number(b))) => a.cmp(&b),
        (Some(Scalar::Truth(a)), Some(Scalar::Truth(b))) => a.cmp(&b),
        (_, None) => panic!("not a literal: {other:?}"),
        _ => return false,
    };
    tells(operator, ordering)
}

impl View<'_> {
    fn field(&self, field: &Tree) -> Option<Scalar> {
        let name = match field {
            Tree::Name(name) => name.as_str(),
            Tree::Member(of, name) if **of == Tree::Name("attributes".to_owned()) => {
                let seen = self.event.kind != "profile";
                return self.event.attributes.get(name).filter(|_| seen).cloned().flatten();
            }
            other => panic!("no field: {other:?}"),
        };
        let whole = |number: i8| Some(Scalar::Number(Decimal::integer(i64::from(number)).rounded()));
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
    pub fn text(&self, name: &str) -> Option<&str> {
        let of_line = self.line.and_then(|line| line.texts.get(name));
        of_line.or_else(|| self.event.texts.get(name)).map(String::as_str)
    }
}

/// What of an event passes: nothing, or its amount there and the views that passed.
pub fn part<'a>(filter: Option<&Tree>, event: &'a Event, local: &'a Zoned) -> Option<(i128, Vec<View<'a>>)> {
    let lines = event.lines.iter().map(|line| View { event, line: Some(line), local });
    let views: Vec<View<'_>> =
        if event.lines.is_empty() { vec![View { event, line: None, local }] } else { lines.collect() };
    let Some(filter) = filter else { return Some((event.amount.unwrap_or(0), views)) };
    let passed: Vec<View<'_>> = views.into_iter().filter(|view| passes(filter, view)).collect();
    if passed.is_empty() {
        return None;
    }
    if event.lines.is_empty() {
        return Some((event.amount.unwrap_or(0), passed));
    }
    let amount: i128 = passed.iter().filter_map(|view| view.line.and_then(|line| line.amount)).sum();
    let amount = if event.kind == "refund" { amount.abs() } else { amount };
    Some((amount, passed))
}
