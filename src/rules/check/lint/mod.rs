//! Warnings: what is allowed, but surely not meant. A condition that always or never holds, a day that no year has, a
//! segment that cannot be reached.

mod about;
mod possible;
mod ranges;
mod reach;

pub(super) use about::{Known, turned};
pub(super) use reach::segments;

use super::Checker;
use crate::rules::ast::Expr;
use crate::rules::diagnostic::{Code, Fault};
use crate::rules::place::Extent;
use crate::rules::plan::{Condition, Filter};

/// What outcomes something has.
#[derive(Debug, Clone, Copy)]
struct Outcomes {
    can_hold: bool,
    can_fail: bool,
}

impl Checker<'_> {
    fn known(&self) -> Known<'_> {
        Known { declared: self.declared, catalog: self.catalog, scores: self.scores }
    }

    fn outcomes(&self, condition: &Condition) -> Outcomes {
        let possible = self.known().condition(condition);
        Outcomes { can_hold: possible.can_hold(), can_fail: possible.can_fail() }
    }

    /// Warns of one comparison.
    pub(super) fn lint_comparison(&mut self, expr: &Expr, condition: &Condition) {
        if let Condition::Compare(_) = condition {
            let outcomes = self.outcomes(condition);
            self.warn_alone(expr.extent, "customer", outcomes);
        }
    }

    /// Warns of parts that do not go together, where each alone would be fine.
    pub(super) fn lint_joined(&mut self, expr: &Expr, condition: &Condition) {
        let (Condition::All(parts) | Condition::Any(parts)) = condition else { return };
        let alone: Vec<Outcomes> = parts.iter().map(|part| self.outcomes(part)).collect();
        let together = self.outcomes(condition);
        self.warn_joined(expr.extent, "customer", &alone, together);
    }

    pub(super) fn lint_filter(&mut self, expr: &Expr, filter: &Filter) {
        let outcomes = |filter: &Filter| {
            let possible = about::filter(filter);
            Outcomes { can_hold: possible.can_hold(), can_fail: possible.can_fail() }
        };
        match filter {
            Filter::Test(_) => self.warn_alone(expr.extent, "event", outcomes(filter)),
            Filter::All(parts) | Filter::Any(parts) => {
                let alone: Vec<Outcomes> = parts.iter().map(outcomes).collect();
                self.warn_joined(expr.extent, "event", &alone, outcomes(filter));
            }
            Filter::Constant(_) | Filter::Not(_) => {}
        }
    }

    fn warn_alone(&mut self, extent: Extent, whose: &str, outcomes: Outcomes) {
        if !outcomes.can_hold {
            self.warn_never(extent, "this comparison never holds", whose);
        } else if !outcomes.can_fail {
            self.warn_always(extent, "this comparison always holds", whose);
        }
    }

    fn warn_joined(&mut self, extent: Extent, whose: &str, alone: &[Outcomes], together: Outcomes) {
        if !together.can_hold && alone.iter().all(|part| part.can_hold) {
            self.warn_never(extent, "these conditions exclude each other", whose);
        } else if !together.can_fail && alone.iter().all(|part| part.can_fail) {
            self.warn_always(extent, "one of these conditions always holds", whose);
        }
    }

    fn warn_never(&mut self, extent: Extent, title: &str, whose: &str) {
        let fault = Fault::new(Code::NeverHolds, extent, title)
            .label(format!("no {whose} can ever be like this"))
            .help("mend it, or take it out");
        self.report(fault.within(self.excerpt));
    }

    fn warn_always(&mut self, extent: Extent, title: &str, whose: &str) {
        let fault = Fault::new(Code::AlwaysHolds, extent, title)
            .label(format!("every {whose} is like this"))
            .help("mend it, or take it out; `true` is the condition that always holds");
        self.report(fault.within(self.excerpt));
    }

    /// Warns of a day that no year has.
    pub(super) fn lint_date(&mut self, text: &str, extent: Extent) {
        if about::day(text).is_none() {
            let fault = Fault::new(Code::OddDate, extent, format!("\"{text}\" is no day of a year"))
                .label("dates are compared letter by letter")
                .help("write month and day with two digits each: `\"03-01\"`");
            self.report(fault.within(self.excerpt));
        }
    }
}
