//! Sentences: what a comparison found, in plain words for people who do not read rules. `purchase.since_last() >=
//! duration("30d")` that holds is "No purchase for 30 days (last: 3 January)".
//!
//! A phrase says a fact, so that it is true whether the comparison holds or not, and whatever `!` stands around it; how the
//! value stands to the bound shows in an "only". Every shape of the language has a phrase. Nothing here decides.

mod feature;
mod filter;
mod noun;
mod season;
mod share;
mod sum;
mod text;

use super::plan::{Comparison, DimensionId, Feature, Linear, Plan, Relation, Test, TextOperand};
use super::reading::{Quantity, Reading};
use crate::event::{AttributeId, Instant};
use feature::Measured;
pub use text::duration;

/// More phrases than these make no sentence that anybody reads.
const PHRASES_MAX: usize = 3;

/// Says things about one plan's comparisons as of an instant.
#[derive(Debug, Clone, Copy)]
pub struct Words<'p> {
    pub plan: &'p Plan,
    at: Instant,
}

impl<'p> Words<'p> {
    pub fn new(plan: &'p Plan, at: Instant) -> Words<'p> {
        Words { plan, at }
    }

    /// The readings as one sentence, without a full stop; empty for none.
    pub fn sentence<'r>(&self, readings: impl IntoIterator<Item = &'r Reading>) -> String {
        self.joined(readings, |_| None)
    }

    /// The same, with what each that does not hold would need: `only 2 purchases so far (needs at least 3)`.
    pub fn lack<'r>(&self, readings: impl IntoIterator<Item = &'r Reading>) -> String {
        self.joined(readings, |reading| self.needs(reading).filter(|_| !reading.verdict.holds))
    }

    /// Each phrase once, with all that it needs.
    fn joined<'r>(
        &self,
        readings: impl IntoIterator<Item = &'r Reading>,
        needs: impl Fn(&Reading) -> Option<String>,
    ) -> String {
        let mut said: Vec<(String, Vec<String>)> = Vec::new();
        for reading in readings {
            let phrase = self.phrase(reading);
            let known = said.iter().position(|(known, _)| *known == phrase).unwrap_or_else(|| {
                said.push((phrase, Vec::new()));
                said.len() - 1
            });
            said[known].1.extend(needs(reading));
        }
        let with_needs = |(phrase, needs): (String, Vec<String>)| match (needs.is_empty(), phrase.strip_suffix(')')) {
            (true, _) => phrase,
            (false, Some(open)) => format!("{open}; needs {})", text::list(&needs, "or")),
            (false, None) => format!("{phrase} (needs {})", text::list(&needs, "or")),
        };
        let mut phrases: Vec<String> = said.into_iter().map(with_needs).collect();
        let n_more = phrases.len().saturating_sub(PHRASES_MAX);
        phrases.truncate(PHRASES_MAX);
        if n_more > 0 {
            phrases.push(format!("{n_more} more {}", if n_more == 1 { "condition" } else { "conditions" }));
        }
        // Phrases that are lists themselves would run together.
        let is_list = |phrase: &String| phrase.contains(", ") || phrase.contains(" and ") || phrase.contains(" or ");
        text::capitalised(&match phrases.len() > 1 && phrases.iter().any(is_list) {
            true => phrases.join("; "),
            false => text::list(&phrases, "and"),
        })
    }

    /// What a comparison found: `only 2 purchases in the last 90 days`.
    pub fn phrase(&self, reading: &Reading) -> String {
        let Comparison { test, .. } = self.plan.comparison(reading.comparison);
        match test {
            Test::Linear { left, right, scale, relation, .. } => {
                let right_value = reading.right.as_ref().unwrap_or(&Quantity::Absent);
                if let Some(phrase) = self.unmeasured(reading) {
                    return phrase;
                }
                match (left.terms.is_empty(), right.terms.is_empty()) {
                    (false, true) => {
                        let bound = Bound { relation: *relation, value: right_value, holds: reading.verdict.holds };
                        self.against_constant(left, *scale, &reading.left, Some(bound))
                    }
                    (true, false) => {
                        let relation = relation.mirrored();
                        let bound = Bound { relation, value: &reading.left, holds: reading.verdict.holds };
                        self.against_constant(right, *scale, right_value, Some(bound))
                    }
                    _ => self
                        .share(left, right, reading)
                        .unwrap_or_else(|| self.against_sum((left, &reading.left), (right, right_value), *scale)),
                }
            }
            Test::LinearIn { left, scale, .. } => match self.unmeasured(reading) {
                Some(phrase) => phrase,
                None => self.against_constant(left, *scale, &reading.left, None),
            },
            Test::Text { left, right, .. } => {
                let right_value = reading.right.as_ref().unwrap_or(&Quantity::Absent);
                let facts: Vec<String> = [(left, &reading.left), (right, right_value)]
                    .into_iter()
                    .filter_map(|(operand, value)| self.fact(operand, value))
                    .collect();
                text::list(&facts, "and")
            }
            Test::TextIn { left, .. } => self.fact(left, &reading.left).unwrap_or_default(),
            Test::Flag { attribute, .. } | Test::Has(attribute) => self.setting(*attribute, &reading.left),
        }
    }

    /// What the value would have to be: `at least 3`, `at least 50 %`. `None` where it is not compared with a number, a
    /// duration or a whole, and where there is no value.
    pub fn needs(&self, reading: &Reading) -> Option<String> {
        let Test::Linear { left, right, relation, .. } = &self.plan.comparison(reading.comparison).test else {
            return None;
        };
        let Some((relation, bound)) = reading.bound(self.plan) else {
            return self.share_needed((left, *relation, right), reading);
        };
        if reading.features.iter().any(|(_, value)| *value == Quantity::Absent) {
            return None;
        }
        if let Some((feature, _)) = reading.features.iter().find(|(_, value)| *value == Quantity::Never) {
            let is_soon = matches!(relation, Relation::Less | Relation::LessOrEqual);
            let is_since = matches!(self.plan.feature(*feature), Feature::SinceLast(_) | Feature::SinceFirst(_));
            let is_alone = reading.features.len() == 1 && is_soon && is_since;
            return is_alone.then(|| format!("one {}", text::within(bound)));
        }
        let (side, value) =
            if left.terms.is_empty() { (right, reading.right.as_ref()?) } else { (left, &reading.left) };
        if side.terms.len() > 1 && self.nothing(side, value).is_some() {
            return None;
        }
        Some(format!("{}{}", text::relation(relation), self.quantity(bound, self.measured_of(side))))
    }

    /// One feature as it is says more than a sum with one term.
    fn against_constant(&self, side: &Linear, scale: i128, value: &Quantity, bound: Option<Bound>) -> String {
        match (&side.terms[..], side.constant) {
            ([(coefficient, feature)], 0) if *coefficient == scale => self.single(*feature, value, bound),
            _ => self.of_sum(side, scale, value, bound),
        }
    }

    /// The phrase where a feature is absent or never, so that the whole sum is.
    fn unmeasured(&self, reading: &Reading) -> Option<String> {
        let find = |wanted: Quantity| reading.features.iter().find(|(_, value)| *value == wanted);
        let (feature, value) = find(Quantity::Absent).or_else(|| find(Quantity::Never))?;
        Some(self.single(*feature, value, None))
    }

    /// How a side that is no literal stands.
    fn fact(&self, operand: &TextOperand, value: &Quantity) -> Option<String> {
        match operand {
            TextOperand::Literal(_) => None,
            TextOperand::Profile(attribute) => Some(self.setting(*attribute, value)),
            TextOperand::Segment(dimension) => Some(self.place(*dimension, value)),
        }
    }

    fn place(&self, dimension: DimensionId, value: &Quantity) -> String {
        let declared = self.plan.dimension(dimension);
        let Quantity::Text(segment) = value else { return format!("in no segment of {}", declared.name) };
        let Some(found) = declared.segments.iter().find(|known| known.name == *segment) else {
            return format!("in no segment of {}", declared.name);
        };
        let shown = found.label.as_ref().unwrap_or(&found.name);
        format!("in segment {} of {}", text::name(shown), text::name(&declared.name))
    }

    fn setting(&self, attribute: AttributeId, value: &Quantity) -> String {
        let name = self.attribute(attribute);
        match value {
            Quantity::Text(text) if text.is_empty() => format!("{name} is empty"),
            Quantity::Absent | Quantity::Never => format!("{name} is not known"),
            Quantity::Text(text) => format!("{name} is {}", text::name(text)),
            value => format!("{name} is {}", self.quantity(value, Measured::Number)),
        }
    }

    fn attribute(&self, attribute: AttributeId) -> String {
        text::spaced(&self.plan.schema.attributes[usize::from(attribute.0)])
    }
}

/// What a value is compared with.
#[derive(Debug, Clone, Copy)]
struct Bound<'r> {
    relation: Relation,
    value: &'r Quantity,
    holds: bool,
}

impl Bound<'_> {
    /// The value lies below what was asked for, or below what it should not reach.
    fn is_under(self) -> bool {
        match self.relation {
            Relation::GreaterOrEqual | Relation::Greater => !self.holds,
            Relation::Less | Relation::LessOrEqual => self.holds,
            Relation::Equal | Relation::NotEqual => false,
        }
    }
}
