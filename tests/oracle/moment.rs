//! A customer at an instant: what every rule is worth there.

use std::cell::RefCell;

use jiff::civil::{Date, date};

use super::decimal::Decimal;
use super::facts::{Facts, zoned};
use super::language::Operator;
use super::rules::{Rule, Rules, Score};
use super::value::{Scalar, Value, compare};

/// A customer's place in one dimension. Segments by number, none as `None`.
#[derive(Clone)]
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

impl Moment<'_> {
    pub fn holds(&self, rule: &Rule) -> bool {
        self.value(rule).holds()
    }

    pub fn value(&self, rule: &Rule) -> Value {
        match rule {
            Rule::Known(value) => value.clone(),
            Rule::Feature { series, measure, window } => self.facts.feature(*series, *measure, *window, self.at),
            Rule::CustomerAge => Value::since(self.facts.first(), self.at),
            Rule::Profile(name) => self.facts.attribute(name).cloned().map_or(Value::Absent, Value::Attribute),
            Rule::HasProfile(name) => Value::Truth(self.facts.attribute(name).is_some()),
            Rule::DaysUntil(name) => self.days_until(name),
            Rule::Segment(dimension) => {
                let current = self.standings[*dimension].current;
                let name = current.map(|number| self.rules.dimensions[*dimension].segments[number].name.clone());
                Value::Text(name.unwrap_or_default())
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
                let equal = |element| self.compared(Operator::Equal, &left, &self.value(element));
                Value::Truth(elements.iter().filter(|element| equal(element)).count() > 0)
            }
            Rule::Binary(operator, left, right) => self.binary(*operator, left, right),
        }
    }

    fn binary(&self, operator: Operator, left: &Rule, right: &Rule) -> Value {
        match operator {
            Operator::And | Operator::Or => {
                let first = self.holds(left);
                if self.turns.is_none() && first == (operator == Operator::Or) {
                    return Value::Truth(first);
                }
                let second = self.holds(right);
                Value::Truth(if operator == Operator::Or { first || second } else { first && second })
            }
            Operator::Plus | Operator::Minus | Operator::Times => {
                Value::arithmetic(operator, self.value(left), self.value(right))
            }
            _ => Value::Truth(self.compared(operator, &self.value(left), &self.value(right))),
        }
    }

    fn compared(&self, operator: Operator, left: &Value, right: &Value) -> bool {
        let (truth, meet) = compare(operator, left, right);
        if let (Some(turns), Some(Ok(meet))) = (&self.turns, meet.map(i64::try_from)) {
            turns.borrow_mut().extend([self.at.saturating_add(meet), self.at.saturating_add(meet).saturating_add(1)]);
        }
        truth
    }

    fn score(&self, score: &Score) -> Value {
        let value = self.value(&score.of);
        if matches!(value, Value::Absent)
            || matches!(&value, Value::Attribute(scalar) if !matches!(scalar, Scalar::Number(_)))
        {
            return Value::count(0);
        }
        let reached = |cut: &&Decimal| self.compared(Operator::GreaterOrEqual, &value, &Value::number(**cut));
        let reached = score.cuts.iter().filter(reached).count();
        Value::count(1 + if score.falling { score.cuts.len() - reached } else { reached })
    }

    fn days_until(&self, name: &str) -> Value {
        let Some(Scalar::Text(text)) = self.facts.attribute(name) else { return Value::Absent };
        let Some((month, day)) = month_and_day(text) else { return Value::Absent };
        let today = zoned(self.at, self.rules).date();
        let this_year = date(today.year(), month, day);
        let next: Date = if this_year >= today { this_year } else { date(today.year() + 1, month, day) };
        let days = today.until((jiff::Unit::Day, next)).expect("dates in range").get_days();
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
