//! A customer at an instant: what every rule is worth there.

use std::cell::RefCell;

use jiff::civil::{Date, date};

use super::decimal::Decimal;
use super::facts::{Facts, zoned};
use super::rules::{Rule, Rules, Score};
use super::value::{Scalar, Value, compare};
use crate::rules::plan::Relation;

/// A customer's place in one dimension. Segments by number, none as `None`.
#[derive(Debug, Clone)]
pub struct Standing {
    pub current: Option<usize>,
    /// Nothing as long as it never changed.
    pub since: Option<i64>,
    pub left: Vec<Option<i64>>,
}

pub struct Moment<'a> {
    pub rules: &'a Rules,
    pub facts: &'a Facts,
    pub standings: &'a [Standing],
    pub at: i64,
    /// When present, everything is evaluated, and the instants are noted at which a comparison may turn by time alone.
    pub turns: Option<RefCell<Vec<i64>>>,
}

impl<'a> Moment<'a> {
    pub fn holds(&self, rule: &'a Rule) -> bool {
        self.value(rule).holds()
    }

    fn value(&self, rule: &'a Rule) -> Value<'a> {
        match rule {
            Rule::Number(number) => Value::number(*number),
            Rule::Literal(Scalar::Text(text)) => Value::Text(text),
            Rule::Literal(Scalar::Truth(truth)) => Value::Truth(*truth),
            Rule::Literal(Scalar::Number(number)) => Value::number(Decimal::ten_thousandths(*number)),
            Rule::Feature { series, measure, window } => self.facts.feature(*series, *measure, *window, self.at),
            Rule::CustomerAge => Value::since(self.facts.first(), self.at),
            Rule::Profile(name) => self.facts.attribute(name).map_or(Value::Absent, Value::Attribute),
            Rule::HasProfile(name) => Value::Truth(self.facts.attribute(name).is_some()),
            Rule::DaysUntil(name) => self.days_until(name),
            Rule::Segment(dimension) => {
                let current = self.standings[*dimension].current;
                Value::Text(current.map_or("", |number| &self.rules.dimensions[*dimension].segments[number].name))
            }
            Rule::SegmentAge(dimension) => {
                let since = self.standings[*dimension].since.unwrap_or_else(|| self.facts.first());
                Value::since(since, self.at)
            }
            Rule::Score(number) => self.score(&self.rules.scores[*number]),
            Rule::Not(inner) => Value::Truth(!self.holds(inner)),
            Rule::Negated(inner) => self.value(inner).negated(),
            Rule::In(left, elements) => {
                let left = self.value(left);
                let equal = |element| self.compared(left, Relation::Equal, self.value(element));
                Value::Truth(self.joined(elements.iter().map(equal), true))
            }
            Rule::Compare(left, relation, right) => {
                Value::Truth(self.compared(self.value(left), *relation, self.value(right)))
            }
            Rule::All(parts) => Value::Truth(self.joined(parts.iter().map(|part| self.holds(part)), false)),
            Rule::Any(parts) => Value::Truth(self.joined(parts.iter().map(|part| self.holds(part)), true)),
            Rule::Sum(terms) => terms.iter().fold(Value::number(Decimal::ZERO), |sum, (minus, term)| {
                let term = self.value(term);
                sum.plus(if *minus { term.negated() } else { term })
            }),
            Rule::Product(parts) => {
                let one = Value::number(Decimal::integer(1));
                parts.iter().fold(one, |product, part| product.times(self.value(part)))
            }
        }
    }

    /// Whether one is `ends`, else the contrary. With turns to note, all are looked at.
    fn joined(&self, mut parts: impl Iterator<Item = bool>, ends: bool) -> bool {
        let found = if self.turns.is_some() {
            parts.filter(|truth| *truth == ends).count() > 0
        } else {
            parts.any(|truth| truth == ends)
        };
        found == ends
    }

    fn compared(&self, left: Value<'_>, relation: Relation, right: Value<'_>) -> bool {
        let (truth, meet) = compare(relation, left, right);
        if let (Some(turns), Some(Ok(meet))) = (&self.turns, meet.map(i64::try_from)) {
            turns.borrow_mut().extend([self.at.saturating_add(meet), self.at.saturating_add(meet).saturating_add(1)]);
        }
        truth
    }

    fn score(&self, score: &'a Score) -> Value<'a> {
        let value = self.value(&score.of);
        if matches!(value, Value::Absent)
            || matches!(&value, Value::Attribute(scalar) if !matches!(scalar, Scalar::Number(_)))
        {
            return Value::count(0);
        }
        let reached = |cut: &&Decimal| self.compared(value, Relation::GreaterOrEqual, Value::number(**cut));
        let reached = score.cuts.iter().filter(reached).count();
        Value::count(1 + if score.falling { score.cuts.len() - reached } else { reached })
    }

    fn days_until(&self, name: &str) -> Value<'a> {
        let Some(Scalar::Text(text)) = self.facts.attribute(name) else { return Value::Absent };
        let Some((month, day)) = month_and_day(text) else { return Value::Absent };
        let today = zoned(self.at, self.rules).date();
        let this_year = date(today.year(), month, day);
        let next: Date = if this_year >= today { this_year } else { date(today.year() + 1, month, day) };
        let days = today.until((jiff::Unit::Day, next)).expect("dates a year apart").get_days();
        Value::number(Decimal::integer(i64::from(days)))
    }
}

/// Of `YYYY-MM-DD` or `MM-DD`; 29 February as 28.
fn month_and_day(text: &str) -> Option<(i8, i8)> {
    let bytes = text.as_bytes();
    let shape = |pattern: &str| {
        let fits = |(byte, wanted): (&u8, u8)| if wanted == b'-' { *byte == b'-' } else { byte.is_ascii_digit() };
        bytes.len() == pattern.len() && bytes.iter().zip(pattern.bytes()).all(fits)
    };
    let rest = if shape("YYYY-MM-DD") {
        &text[5..]
    } else if shape("MM-DD") {
        text
    } else {
        return None;
    };
    let (month, day): (i8, i8) = (rest[..2].parse().ok()?, rest[3..].parse().ok()?);
    // Any leap year has every day that a year can have.
    Date::new(2024, month, day).ok()?;
    Some(if (month, day) == (2, 29) { (2, 28) } else { (month, day) })
}
