//! What an expression is worth at an instant, and how two such values compare (SPEC 5, "Absent values").

use std::cmp::Ordering;

use super::decimal::Decimal;
use super::language::Operator;

/// An attribute as an event gave it; numbers in 1/10 000.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    Text(String),
    Number(i128),
    Truth(bool),
}

#[derive(Clone, Debug)]
pub enum Value {
    Absent,
    Never,
    /// A number, or a duration in ms. `slope` is how much it grows with each ms that passes without an event.
    Number {
        value: Decimal,
        slope: Decimal,
    },
    Text(String),
    Truth(bool),
    /// A profile attribute, whose type the other side of the comparison chooses.
    Attribute(Scalar),
}

impl Value {
    pub fn number(value: Decimal) -> Value {
        Value::Number { value, slope: Decimal::ZERO }
    }

    pub fn count(value: usize) -> Value {
        Value::number(Decimal::integer(i64::try_from(value).expect("a small count")))
    }

    /// The time since `moment`, which grows.
    pub fn since(moment: i64, at: i64) -> Value {
        Value::Number { value: Decimal::integer(at - moment), slope: Decimal::integer(1) }
    }

    /// Its worth as a condition.
    pub fn holds(&self) -> bool {
        matches!(self, Value::Truth(true) | Value::Attribute(Scalar::Truth(true)))
    }

    /// An attribute in arithmetic can only be a number.
    fn numeric(self) -> Value {
        match self {
            Value::Attribute(Scalar::Number(value)) => Value::number(Decimal::ten_thousandths(value)),
            Value::Attribute(_) => Value::Absent,
            other => other,
        }
    }

    pub fn arithmetic(operator: Operator, left: Value, right: Value) -> Value {
        match (left.numeric(), right.numeric()) {
            (Value::Absent, _) | (_, Value::Absent) => Value::Absent,
            (Value::Never, _) | (_, Value::Never) => Value::Never,
            (Value::Number { value: a, slope: j }, Value::Number { value: b, slope: k }) => match operator {
                Operator::Plus => Value::Number { value: a.plus(b), slope: j.plus(k) },
                Operator::Minus => Value::Number { value: a.minus(b), slope: j.minus(k) },
                // One of the two is a literal: its slope is zero.
                _ => Value::Number { value: a.times(b), slope: a.times(k).plus(b.times(j)) },
            },
            (left, right) => panic!("arithmetic with {left:?} and {right:?}"),
        }
    }

    pub fn negated(self) -> Value {
        match self.numeric() {
            Value::Number { value, slope } => Value::Number { value: value.negated(), slope: slope.negated() },
            other => other,
        }
    }
}

/// A comparison's truth, and the first ms after which, or just before which, it may tell another truth by time alone:
/// both sides meet between `meet` and `meet + 1`, counted from now.
pub fn compare(operator: Operator, left: &Value, right: &Value) -> (bool, Option<i128>) {
    use Value::{Absent, Attribute, Never, Number, Text, Truth};
    let truth = |ordering| (tells(operator, ordering), None);
    match (left, right) {
        (Absent, _) | (_, Absent) => (false, None),
        (Attribute(a), Attribute(b)) => panic!("profile compared with profile: {a:?}, {b:?}"),
        (Attribute(scalar), other) => attribute(scalar, other).map_or((false, None), truth),
        (other, Attribute(scalar)) => {
            attribute(scalar, other).map_or((false, None), |ordering| truth(ordering.reverse()))
        }
        (Never, Never) => truth(Ordering::Equal),
        (Never, _) => truth(Ordering::Greater),
        (_, Never) => truth(Ordering::Less),
        (Number { value: a, slope: j }, Number { value: b, slope: k }) => {
            let (difference, slope) = (a.minus(*b), j.minus(*k));
            let moves = slope.sign() != Ordering::Equal;
            let meet = moves.then(|| difference.negated().floor_div(slope));
            (tells(operator, difference.sign()), meet)
        }
        (Text(a), Text(b)) => truth(a.as_bytes().cmp(b.as_bytes())),
        (Truth(a), Truth(b)) => truth(a.cmp(b)),
        _ => panic!("{left:?} compared with {right:?}"),
    }
}

/// How an attribute stands to the other side; nothing when it has another type.
fn attribute(scalar: &Scalar, other: &Value) -> Option<Ordering> {
    match (scalar, other) {
        (Scalar::Text(a), Value::Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        (Scalar::Truth(a), Value::Truth(b)) => Some(a.cmp(b)),
        (Scalar::Number(a), Value::Number { value, .. }) => Some(Decimal::ten_thousandths(*a).minus(*value).sign()),
        _ => None,
    }
}

pub fn tells(operator: Operator, ordering: Ordering) -> bool {
    match operator {
        Operator::Equal => ordering.is_eq(),
        Operator::NotEqual => ordering.is_ne(),
        Operator::Less => ordering.is_lt(),
        Operator::LessOrEqual => ordering.is_le(),
        Operator::Greater => ordering.is_gt(),
        Operator::GreaterOrEqual => ordering.is_ge(),
        other => panic!("{other:?} compares nothing"),
    }
}
