//! An event with all its fields, by name, as it is kept for as long as its customer is looked at.

use std::collections::BTreeMap;

use super::rules::Rules;
use super::value::Scalar;
use crate::event::{self, Schema, TextField};
use crate::rules::declared::Declared;

/// Amounts and other decimals in 1/10 000.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// By number in the rules' kinds.
    pub kind: usize,
    pub id: Option<String>,
    pub time: i64,
    /// The kind's amount, without a filter; a refund's as its magnitude.
    pub amount: Option<i128>,
    pub lines: Vec<Line>,
    /// `product category brand query channel country device coupon`, as far as the kind has them; `query` in lower case.
    pub texts: BTreeMap<&'static str, String>,
    pub rating: Option<i128>,
    pub discount: Option<i128>,
    /// An attribute that is removed stands as `None`.
    pub attributes: BTreeMap<String, Option<Scalar>>,
}

/// One line of a purchase or refund.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// `product category brand`
    pub texts: BTreeMap<&'static str, String>,
    pub quantity: i128,
    pub discount: Option<i128>,
    pub amount: Option<i128>,
}

/// What a decoder must keep so that nothing which rules may read is missing: every field, and the rules' attributes.
pub fn schema(declared: &Declared, rules: &Rules) -> Schema {
    let mut schema = declared.bare_schema();
    for kind in &mut schema.kinds {
        kind.texts = [true; TextField::ALL.len()];
        kind.lines = true;
        kind.attributes = true;
    }
    schema.attributes = rules.attributes.iter().map(|name| name.as_str().into()).collect();
    schema
}

impl Event {
    /// A decoded event; `schema` is the decoder's, as [`schema`] makes it.
    pub fn new(event: &event::Event<'_>, schema: &Schema) -> Event {
        let text = |field: TextField| Some((field.name(), event.text(field)?.to_owned()));
        let number = |amount: Option<event::Amount>| amount.map(|amount| i128::from(amount.0));
        let attribute = |(id, value): &(event::AttributeId, event::Scalar<'_>)| {
            (schema.attributes[usize::from(id.0)].to_string(), scalar(value))
        };
        Event {
            kind: usize::from(event.kind.0),
            id: event.id.as_deref().map(str::to_owned),
            time: event.time.0,
            amount: number(event.amount),
            lines: event.lines.iter().map(line).collect(),
            texts: TextField::ALL.into_iter().filter_map(text).collect(),
            rating: number(event.rating),
            discount: number(event.discount),
            attributes: event.attributes.iter().map(attribute).collect(),
        }
    }

    /// Memory that it takes, about.
    pub fn size_bytes(&self) -> usize {
        const ENTRY: usize = 64;
        let texts =
            |texts: &BTreeMap<&'static str, String>| -> usize { texts.values().map(|text| ENTRY + text.len()).sum() };
        let lines: usize = self.lines.iter().map(|line| size_of::<Line>() + texts(&line.texts)).sum();
        size_of::<Event>() + lines + texts(&self.texts) + 2 * ENTRY * self.attributes.len()
    }
}

fn line(line: &event::Line<'_>) -> Line {
    let texts = [("product", &line.product), ("category", &line.category), ("brand", &line.brand)];
    let texts = texts.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?.to_owned())));
    Line {
        texts: texts.collect(),
        quantity: line.quantity.0.into(),
        discount: line.discount.map(|discount| discount.0.into()),
        amount: line.amount.map(|amount| amount.0.into()),
    }
}

fn scalar(value: &event::Scalar<'_>) -> Option<Scalar> {
    match value {
        event::Scalar::Null => None,
        event::Scalar::Text(text) => Some(Scalar::Text(text.to_string())),
        event::Scalar::Number(amount) => Some(Scalar::Number(amount.0.into())),
        event::Scalar::Flag(flag) => Some(Scalar::Truth(*flag)),
    }
}
