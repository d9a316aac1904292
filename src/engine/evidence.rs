//! What decided a change, in words: each comparison that the deciding condition read, with its value.

use super::change::Evidence;
use super::facts::view::View;
use crate::event::{Amount, Instant, Span};
use crate::rules::plan::{Comparison, ComparisonId, Condition, Linear, Test, TextOperand, Unit};
use crate::rules::verdict::{self, Attribute, Facts, Form};

/// Adds the comparisons of a condition, each once.
pub fn gather(view: &mut View, condition: &Condition, at: Instant, out: &mut Vec<Evidence>) {
    match condition {
        Condition::Constant(_) => {}
        Condition::Compare(id) => {
            if out.iter().all(|known| known.comparison != *id) {
                out.push(evidence(view, *id, at));
            }
        }
        Condition::Not(inner) => gather(view, inner, at, out),
        Condition::All(parts) | Condition::Any(parts) => {
            parts.iter().for_each(|part| gather(view, part, at, out));
        }
    }
}

fn evidence(view: &mut View, id: ComparisonId, at: Instant) -> Evidence {
    let plan = view.plan;
    let comparison = plan.comparison(id);
    let holds = verdict::condition(plan, view, &Condition::Compare(id), at).holds;
    Evidence { comparison: id, value: value(view, comparison, at).into(), holds }
}

/// The value of the side that has features; of both when both have.
fn value(view: &mut View, comparison: &Comparison, at: Instant) -> String {
    match &comparison.test {
        Test::Linear { left, right, unit, scale, .. } => {
            let sides = [left, right].into_iter().filter(|side| !side.terms.is_empty());
            let shown: Vec<String> = sides.map(|side| sum(view, side, (*unit, *scale), at)).collect();
            shown.join(" against ")
        }
        Test::LinearIn { left, unit, scale, .. } => sum(view, left, (*unit, *scale), at),
        Test::Text { left, right, .. } => match left {
            TextOperand::Literal(_) => operand(view, right),
            _ => operand(view, left),
        },
        Test::TextIn { left, .. } => operand(view, left),
        Test::Flag { attribute, .. } | Test::Has(attribute) => shown_attribute(view.attribute(*attribute)),
    }
}

fn sum(view: &mut View, side: &Linear, (unit, scale): (Unit, i128), at: Instant) -> String {
    let form = verdict::sum(view.plan, view, side, at).form;
    let Some(value) = form.at(at) else {
        return if form == Form::Never { "never" } else { "absent" }.to_owned();
    };
    let value = value.div_euclid(scale).clamp(i64::MIN.into(), i64::MAX.into()) as i64;
    match unit {
        Unit::Number => Amount(value).to_string(),
        Unit::Duration => Span(value).to_string(),
    }
}

fn operand(view: &View, operand: &TextOperand) -> String {
    match operand {
        TextOperand::Literal(text) => text.to_string(),
        TextOperand::Segment(dimension) => view.segment(*dimension).to_owned(),
        TextOperand::Profile(attribute) => shown_attribute(view.attribute(*attribute)),
    }
}

fn shown_attribute(attribute: Attribute) -> String {
    match attribute {
        Attribute::Absent => "absent".to_owned(),
        Attribute::Text(text) => text.to_owned(),
        Attribute::Number(number) => Amount(number).to_string(),
        Attribute::Flag(flag) => flag.to_string(),
    }
}
