//! What a comparison read at an instant, as data: its sides, each feature in it, and its verdict. Sentences and reports
//! are made of it; nothing is decided by it.
//!
//! What always holds: the verdict is the evaluator's own, and the values come from the facts that it read.

use super::decider::Decider;
use super::plan::{
    Comparison, ComparisonId, Condition, Feature, FeatureId, Linear, Plan, Relation, Test, TextOperand, Unit,
};
use super::verdict::{self, Attribute, Facts, Form, Verdict};
use crate::event::{Amount, AttributeId, Instant, Span};
use std::fmt;

/// A value as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Quantity {
    Absent,
    /// A duration longer than any other.
    Never,
    Number(Amount),
    Duration(Span),
    Text(Box<str>),
    Flag(bool),
}

/// A comparison at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    pub comparison: ComparisonId,
    pub verdict: Verdict,
    pub left: Quantity,
    /// `None` where the comparison has one side only (`in`, `has`, a bare attribute).
    pub right: Option<Quantity>,
    /// The value of each feature, in the order of the terms of both sides.
    pub features: Vec<(FeatureId, Quantity)>,
}

/// Reads a comparison at an instant.
pub fn read(plan: &Plan, decider: &Decider, facts: &mut impl Facts, id: ComparisonId, at: Instant) -> Reading {
    let verdict = decider.comparison(plan, facts, id, at, Instant::NEVER);
    let Comparison { test, .. } = plan.comparison(id);
    let (left, right) = sides(plan, facts, test, at);
    let features = features(test).map(|feature| (feature, feature_quantity(plan, facts, feature, at))).collect();
    Reading { comparison: id, verdict, left, right, features }
}

fn sides(plan: &Plan, facts: &mut impl Facts, test: &Test, at: Instant) -> (Quantity, Option<Quantity>) {
    match test {
        Test::Linear { left, right, unit, scale, .. } => {
            let right = sum(plan, facts, right, (*unit, *scale), at);
            (sum(plan, facts, left, (*unit, *scale), at), Some(right))
        }
        Test::LinearIn { left, unit, scale, .. } => (sum(plan, facts, left, (*unit, *scale), at), None),
        Test::Text { left, right, .. } => (operand(facts, left), Some(operand(facts, right))),
        Test::TextIn { left, .. } => (operand(facts, left), None),
        Test::Flag { attribute, .. } | Test::Has(attribute) => (setting(facts, *attribute), None),
    }
}

fn features(test: &Test) -> impl Iterator<Item = FeatureId> {
    let (left, right) = match test {
        Test::Linear { left, right, .. } => (Some(left), Some(right)),
        Test::LinearIn { left, .. } => (Some(left), None),
        _ => (None, None),
    };
    left.into_iter().chain(right).flat_map(|side| side.terms.iter().map(|(_, feature)| *feature))
}

/// The value of a sum, cut to whole units of `scale`.
pub fn sum(plan: &Plan, facts: &mut impl Facts, side: &Linear, (unit, scale): (Unit, i128), at: Instant) -> Quantity {
    let form = verdict::form(plan, facts, side, at);
    match form.at(at) {
        Some(value) => {
            let value = if scale == 1 { value } else { value.div_euclid(scale) };
            of_unit(unit, value.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
        }
        None if form == Form::Never => Quantity::Never,
        None => Quantity::Absent,
    }
}

/// A feature is a sum of itself.
fn feature_quantity(plan: &Plan, facts: &mut impl Facts, feature: FeatureId, at: Instant) -> Quantity {
    let alone = Linear { terms: vec![(1, feature)], constant: 0 };
    sum(plan, facts, &alone, (plan.feature(feature).unit(), 1), at)
}

fn of_unit(unit: Unit, value: i64) -> Quantity {
    match unit {
        Unit::Number => Quantity::Number(Amount(value)),
        Unit::Duration => Quantity::Duration(Span(value)),
    }
}

/// The text of an operand as it stands.
pub fn operand(facts: &impl Facts, operand: &TextOperand) -> Quantity {
    match operand {
        TextOperand::Literal(text) => Quantity::Text(text.clone()),
        TextOperand::Segment(dimension) => Quantity::Text(facts.segment(*dimension).into()),
        TextOperand::Profile(attribute) => setting(facts, *attribute),
    }
}

/// A profile attribute as it stands.
pub fn setting(facts: &impl Facts, attribute: AttributeId) -> Quantity {
    match facts.attribute(attribute) {
        Attribute::Absent => Quantity::Absent,
        Attribute::Text(text) => Quantity::Text(text.into()),
        Attribute::Number(number) => Quantity::Number(Amount(number)),
        Attribute::Flag(flag) => Quantity::Flag(flag),
    }
}

impl Reading {
    /// The value of the side that has features; of both when both have.
    pub fn value(&self, plan: &Plan) -> String {
        match (&plan.comparison(self.comparison).test, &self.right) {
            (Test::Linear { left, right, .. }, Some(right_value)) => {
                match (left.terms.is_empty(), right.terms.is_empty()) {
                    (false, false) => format!("{} against {right_value}", self.left),
                    (true, false) => right_value.to_string(),
                    _ => self.left.to_string(),
                }
            }
            (Test::Text { left: TextOperand::Literal(_), .. }, Some(right_value)) => right_value.to_string(),
            _ => self.left.to_string(),
        }
    }

    /// What the side that has features is compared with and how, when the other is a number or a duration.
    pub fn bound(&self, plan: &Plan) -> Option<(Relation, &Quantity)> {
        let Test::Linear { left, relation, right, .. } = &plan.comparison(self.comparison).test else { return None };
        match (left.terms.is_empty(), right.terms.is_empty()) {
            (false, true) => Some((*relation, self.right.as_ref()?)),
            (true, false) => Some((relation.mirrored(), &self.left)),
            _ => None,
        }
    }
}

impl Feature {
    /// Whether its values are numbers or durations.
    pub fn unit(&self) -> Unit {
        match self {
            Feature::SinceLast(_)
            | Feature::SinceFirst(_)
            | Feature::Gap(_)
            | Feature::CustomerAge
            | Feature::SegmentAge(_) => Unit::Duration,
            _ => Unit::Number,
        }
    }
}

/// As in evidence: `30d1ms`, `12.5`, `never`, `absent`, a name.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Quantity::Absent => f.write_str("absent"),
            Quantity::Never => f.write_str("never"),
            Quantity::Number(number) => number.fmt(f),
            Quantity::Duration(span) => span.fmt(f),
            Quantity::Text(text) => f.write_str(text),
            Quantity::Flag(flag) => flag.fmt(f),
        }
    }
}

/// The comparisons of a condition, each once, in their order.
pub fn comparisons(condition: &Condition, out: &mut Vec<ComparisonId>) {
    match condition {
        Condition::Constant(_) => {}
        Condition::Compare(id) => push_new(out, *id),
        Condition::Not(inner) => comparisons(inner, out),
        Condition::All(parts) | Condition::Any(parts) => parts.iter().for_each(|part| comparisons(part, out)),
    }
}

/// The comparisons that a condition's outcome rests on, given which hold: of `a && b` that fails only those that fail,
/// of `a || b` that holds only those that hold.
pub fn supports(condition: &Condition, holds: &impl Fn(ComparisonId) -> bool, out: &mut Vec<ComparisonId>) {
    let keep_those = |parts: &[Condition], truth: Option<bool>, out: &mut Vec<ComparisonId>| {
        let kept = parts.iter().filter(|part| truth.is_none_or(|truth| outcome(part, holds) == truth));
        kept.for_each(|part| supports(part, holds, out));
    };
    match condition {
        Condition::Constant(_) => {}
        Condition::Compare(id) => push_new(out, *id),
        Condition::Not(inner) => supports(inner, holds, out),
        Condition::All(parts) => keep_those(parts, (!outcome(condition, holds)).then_some(false), out),
        Condition::Any(parts) => keep_those(parts, outcome(condition, holds).then_some(true), out),
    }
}

fn outcome(condition: &Condition, holds: &impl Fn(ComparisonId) -> bool) -> bool {
    match condition {
        Condition::Constant(constant) => *constant,
        Condition::Compare(id) => holds(*id),
        Condition::Not(inner) => !outcome(inner, holds),
        Condition::All(parts) => parts.iter().all(|part| outcome(part, holds)),
        Condition::Any(parts) => parts.iter().any(|part| outcome(part, holds)),
    }
}

fn push_new(out: &mut Vec<ComparisonId>, id: ComparisonId) {
    if !out.contains(&id) {
        out.push(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u16) -> Condition {
        Condition::Compare(ComparisonId(number))
    }

    fn supported_by(condition: &Condition, holding: &[u16]) -> Vec<u16> {
        let mut out = Vec::new();
        supports(condition, &|id| holding.contains(&id.0), &mut out);
        out.into_iter().map(|id| id.0).collect()
    }

    #[test]
    fn an_outcome_rests_on_what_would_turn_it() {
        // 0 && (1 || !2)
        let condition = Condition::All(vec![id(0), Condition::Any(vec![id(1), Condition::Not(Box::new(id(2)))])]);
        assert_eq!(supported_by(&condition, &[0, 1, 2]), [0, 1]);
        assert_eq!(supported_by(&condition, &[0]), [0, 2]);
        assert_eq!(supported_by(&condition, &[0, 2]), [1, 2]);
        assert_eq!(supported_by(&condition, &[1]), [0]);
        assert_eq!(supported_by(&condition, &[2]), [0, 1, 2]);
    }
}
