//! What decided a change: each comparison that the deciding condition read, with its value.

use super::change::Evidence;
use super::facts::view::View;
use super::reading::{Reading, Readings};
use crate::event::{Amount, Instant, Span};
use crate::rules::decider::Decider;
use crate::rules::plan::{Comparison, ComparisonId, Condition, Linear, Test, TextOperand, Unit};
use crate::rules::verdict::{self, Attribute, Facts, Form};

/// Adds the comparisons of a condition, each once.
pub fn gather(view: &mut View, decider: &Decider, condition: &Condition, at: Instant, out: &mut Vec<Evidence>) {
    match condition {
        Condition::Constant(_) => {}
        Condition::Compare(id) => {
            if out.iter().all(|known| known.comparison != *id) {
                out.push(evidence(view, decider, *id, at));
            }
        }
        Condition::Not(inner) => gather(view, decider, inner, at, out),
        Condition::All(parts) | Condition::Any(parts) => {
            parts.iter().for_each(|part| gather(view, decider, part, at, out));
        }
    }
}

fn evidence(view: &mut View, decider: &Decider, id: ComparisonId, at: Instant) -> Evidence {
    let plan = view.plan;
    let holds = decider.comparison(plan, view, id, at, Instant::NEVER).holds;
    Evidence { comparison: id, value: readings(view, plan.comparison(id), at), holds }
}

fn readings(view: &mut View, comparison: &Comparison, at: Instant) -> Readings {
    match &comparison.test {
        Test::Linear { left, right, unit, scale, .. } => {
            let mut reading = |side| sum(view, side, (*unit, *scale), at);
            match (left.terms.is_empty(), right.terms.is_empty()) {
                (false, false) => Readings::Two(Box::new([reading(left), reading(right)])),
                (true, _) => Readings::One(reading(right)),
                (false, true) => Readings::One(reading(left)),
            }
        }
        Test::LinearIn { left, unit, scale, .. } => Readings::One(sum(view, left, (*unit, *scale), at)),
        Test::Text { left, right, .. } => Readings::One(match left {
            TextOperand::Literal(_) => operand(view, right),
            _ => operand(view, left),
        }),
        Test::TextIn { left, .. } => Readings::One(operand(view, left)),
        Test::Flag { attribute, .. } | Test::Has(attribute) => Readings::One(of_attribute(view.attribute(*attribute))),
    }
}

fn sum(view: &mut View, side: &Linear, (unit, scale): (Unit, i128), at: Instant) -> Reading {
    let form = verdict::form(view.plan, view, side, at);
    let Some(value) = form.at(at) else {
        return if form == Form::Never { Reading::Never } else { Reading::Absent };
    };
    let value = if scale == 1 { value } else { value.div_euclid(scale) };
    let value = value.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
    match unit {
        Unit::Number => Reading::Number(Amount(value)),
        Unit::Duration => Reading::Duration(Span(value)),
    }
}

fn operand(view: &View, operand: &TextOperand) -> Reading {
    match operand {
        TextOperand::Literal(text) => Reading::Text(text.clone()),
        TextOperand::Segment(dimension) => Reading::Text(view.segment(*dimension).into()),
        TextOperand::Profile(attribute) => of_attribute(view.attribute(*attribute)),
    }
}

fn of_attribute(attribute: Attribute) -> Reading {
    match attribute {
        Attribute::Absent => Reading::Absent,
        Attribute::Text(text) => Reading::Text(text.into()),
        Attribute::Number(number) => Reading::Number(Amount(number)),
        Attribute::Flag(flag) => Reading::Flag(flag),
    }
}
