//! What an expression is worth at an instant, and how two such values compare (SPEC 5, "Absent values").

use std::cmp::Ordering;

use super::decimal::Decimal;
use crate::rules::plan::Relation;

/// An attribute as an event gave it; numbers in 1/10 000.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    Text(String),
    Number(i128),
    Truth(bool),
}

#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    Absent,
    Never,
    /// A number, or a duration in ms. `slope` is how much it grows with each ms that passes without an event.
    Number {
        value: Decimal,
        slope: Decimal,
    },
    Text(&'a str),
    Truth(bool),
    /// A profile attribute, whose type the other side of the comparison chooses.
    Attribute(&'a Scalar),
}

impl<'a> Value<'a> {
    pub fn number(value: Decimal) -> Value<'a> {
        Value::Number { value, slope: Decimal::ZERO }
    }

    pub fn count(value: usize) -> Value<'a> {
        Value::number(Decimal::integer(value as i64))
    }

    /// The time since `moment`, which grows.
    pub fn since(moment: i64, at: i64) -> Value<'a> {
        Value::Number { value: Decimal::integer(at - moment), slope: Decimal::integer(1) }
    }

    /// Its worth as a condition.
    pub fn holds(self) -> bool {
        matches!(self, Value::Truth(true) | Value::Attribute(Scalar::Truth(true)))
    }

    /// An attribute in arithmetic can only be a number; so can anything else.
    fn numeric(self) -> Value<'a> {
        match self {
            Value::Attribute(Scalar::Number(value)) => Value::number(Decimal::ten_thousandths(*value)),
            Value::Attribute(_) | Value::Text(_) | Value::Truth(_) => Value::Absent,
            other => other,
        }
    }

    pub fn plus(self, other: Value<'a>) -> Value<'a> {
        match (self.numeric(), other.numeric()) {
            (Value::Number { value: a, slope: j }, Value::Number { value: b, slope: k }) => {
                Value::Number { value: a.plus(b), slope: j.plus(k) }
            }
            (a, b) => Value::either_missing(a, b),
        }
    }

    pub fn times(self, other: Value<'a>) -> Value<'a> {
        match (self.numeric(), other.numeric()) {
            // One of the two is a literal: its slope is zero.
            (Value::Number { value: a, slope: j }, Value::Number { value: b, slope: k }) => {
                Value::Number { value: a.times(b), slope: a.times(k).plus(b.times(j)) }
            }
            (a, b) => Value::either_missing(a, b),
        }
    }

    /// Of two that are not both numbers: absent counts before never.
    fn either_missing(a: Value<'a>, b: Value<'a>) -> Value<'a> {
        if matches!(a, Value::Absent) || matches!(b, Value::Absent) { Value::Absent } else { Value::Never }
    }

    pub fn negated(self) -> Value<'a> {
        match self.numeric() {
            Value::Number { value, slope } => Value::Number { value: value.negated(), slope: slope.negated() },
            other => other,
        }
    }
}

/// A comparison's truth, and the first ms after which, or just before which, it may tell another truth by time alone:
/// both sides meet between `meet` and `meet + 1`, counted from now.
pub fn compare(relation: Relation, left: Value<'_>, right: Value<'_>) -> (bool, Option<i128>) {
    use Value::{Absent, Attribute, Never, Number, Text, Truth};
    let truth = |ordering| (tells(relation, ordering), None);
    match (left, right) {
        (Absent, _) | (_, Absent) => (false, None),
        (Attribute(scalar), other) => attribute(scalar, other).map_or((false, None), truth),
        (other, Attribute(scalar)) => {
            attribute(scalar, other).map_or((false, None), |ordering| truth(ordering.reverse()))
        }
        (Never, Never) => truth(Ordering::Equal),
        (Never, _) => truth(Ordering::Greater),
        (_, Never) => truth(Ordering::Less),
        (Number { value: a, slope: j }, Number { value: b, slope: k }) => {
            let (difference, slope) = (a.minus(b), j.minus(k));
            let moves = slope.sign() != Ordering::Equal;
            let meet = moves.then(|| difference.negated().floor_div(slope));
            (tells(relation, difference.sign()), meet)
        }
        (Text(a), Text(b)) => truth(a.as_bytes().cmp(b.as_bytes())),
        (Truth(a), Truth(b)) => truth(a.cmp(&b)),
        // Values of different types: the rules are checked, so this is none of theirs.
        _ => (false, None),
    }
}

/// How an attribute stands to the other side; nothing when it has another type.
fn attribute(scalar: &Scalar, other: Value<'_>) -> Option<Ordering> {
    match (scalar, other) {
        (Scalar::Text(a), Value::Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        (Scalar::Truth(a), Value::Truth(b)) => Some(a.cmp(&b)),
        (Scalar::Number(a), Value::Number { value, .. }) => Some(Decimal::ten_thousandths(*a).minus(value).sign()),
        (Scalar::Number(_), Value::Never) => Some(Ordering::Less),
        _ => None,
    }
}

pub fn tells(relation: Relation, ordering: Ordering) -> bool {
    match relation {
        Relation::Equal => ordering.is_eq(),
        Relation::NotEqual => ordering.is_ne(),
        Relation::Less => ordering.is_lt(),
        Relation::LessOrEqual => ordering.is_le(),
        Relation::Greater => ordering.is_gt(),
        Relation::GreaterOrEqual => ordering.is_ge(),
    }
}
