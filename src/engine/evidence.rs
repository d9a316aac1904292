//! What decided a change: each comparison that the deciding condition read, with its value.

use super::change::{Evidence, EvidenceList};
use super::facts::view::View;
use super::reading::Readings;
use crate::event::Instant;
use crate::rules::decider::Decider;
use crate::rules::plan::{Comparison, ComparisonId, Condition, Test, TextOperand};
use crate::rules::reading;

/// Adds the comparisons of a condition, each once.
pub fn gather(view: &mut View, decider: &Decider, condition: &Condition, at: Instant, out: &mut EvidenceList) {
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
    let plan = view.plan;
    match &comparison.test {
        Test::Linear { left, right, unit, scale, .. } => {
            let mut quantity = |side| reading::sum(plan, view, side, (*unit, *scale), at);
            match (left.terms.is_empty(), right.terms.is_empty()) {
                (false, false) => Readings::Two(Box::new([quantity(left), quantity(right)])),
                (true, _) => Readings::One(quantity(right)),
                (false, true) => Readings::One(quantity(left)),
            }
        }
        Test::LinearIn { left, unit, scale, .. } => Readings::One(reading::sum(plan, view, left, (*unit, *scale), at)),
        Test::Text { left, right, .. } => Readings::One(match left {
            TextOperand::Literal(_) => reading::operand(view, right),
            _ => reading::operand(view, left),
        }),
        Test::TextIn { left, .. } => Readings::One(reading::operand(view, left)),
        Test::Flag { attribute, .. } | Test::Has(attribute) => Readings::One(reading::setting(view, *attribute)),
    }
}
