//! Scores: in which order they can be calculated, and what each reads. A score that nobody reads is checked all the
//! same, but nothing is kept for it.

use std::collections::BTreeSet;

use super::form::{Form, on_one_scale};
use super::value::unit_name;
use super::{Catalog, Checker, Parsed, Scope};
use crate::rules::ast::Expr;
use crate::rules::declared::{self, Cut, Declared};
use crate::rules::diagnostic::{Code, Diagnostic};
use crate::rules::place::Extent;
use crate::rules::plan::{Score, ScoreId, Unit};

/// Scores that were right, those first that others read.
#[derive(Debug, Default)]
pub(super) struct Scores {
    /// Indexed as the declarations.
    known: Vec<Option<Known>>,
    checked: Vec<Score>,
}

#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) id: ScoreId,
    pub(super) dimensions_read: BTreeSet<usize>,
}

impl Scores {
    pub(super) fn known(&self, index: usize) -> Option<&Known> {
        self.known[index].as_ref()
    }

    /// The highest value that a score can have.
    pub(super) fn highest(&self, id: ScoreId) -> usize {
        self.checked[id.0 as usize].cuts.len() + 1
    }

    pub(super) fn into_plan(self) -> Vec<Score> {
        self.checked
    }
}

/// Checks all scores, those that conditions read against `catalog`.
pub(super) fn check(
    declared: &Declared,
    parsed: &Parsed,
    attributes: &BTreeSet<&str>,
    catalog: &mut Catalog,
    diagnostics: &mut Vec<Diagnostic>,
) -> Scores {
    declared.scores.iter().for_each(|score| check_order(score, diagnostics));
    let reads: Vec<BTreeSet<usize>> = parsed.scores.iter().map(|of| scores_read(declared, of.as_ref())).collect();
    let order = in_order(declared, &reads, diagnostics);
    let mut used = BTreeSet::new();
    parsed.conditions().for_each(|expr| used.extend(scores_read(declared, Some(expr))));
    for index in order.iter().rev() {
        if used.contains(index) {
            used.extend(&reads[*index]);
        }
    }
    let mut scores = Scores { known: vec![None; declared.scores.len()], checked: Vec::new() };
    let (unused, in_use): (Vec<usize>, Vec<usize>) = order.into_iter().partition(|index| !used.contains(index));
    for index in in_use {
        check_one(declared, parsed, index, &mut scores, catalog, diagnostics);
    }
    // In scratch space: nothing of it is kept, but other unused scores may read it.
    let mut scratch = Scores { known: scores.known.clone(), checked: scores.checked.clone() };
    let mut scratch_catalog = Catalog::new(declared.kinds.len(), attributes);
    for index in unused {
        check_one(declared, parsed, index, &mut scratch, &mut scratch_catalog, diagnostics);
        let name = &declared.scores[index].name;
        let title = format!("no rule reads the score `{}`", name.text());
        diagnostics.push(
            Diagnostic::new(Code::UnusedScore, name.whole(), title)
                .help(format!("read it as `score.{}`, or take it out", name.text())),
        );
    }
    scores
}

fn check_one(
    declared: &Declared,
    parsed: &Parsed,
    index: usize,
    scores: &mut Scores,
    catalog: &mut Catalog,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let score = &declared.scores[index];
    let (Some(excerpt), Some(expr)) = (&score.of, &parsed.scores[index]) else { return };
    let mut checker = Checker::new(declared, excerpt, Scope::Score, scores, catalog, diagnostics);
    let Some(of) = checker.linear(expr) else { return };
    let dimensions_read = std::mem::take(&mut checker.dimensions_read);
    let Some(cuts) = check_types(score, &of, checker.diagnostics) else { return };
    let forms: Vec<&Form> = [&of].into_iter().chain(&cuts).collect();
    let whole = Extent::new(0, excerpt.text().len());
    let Some((mut linears, scale)) = checker.fits(whole, on_one_scale(&forms)) else { return };
    let linear = linears.remove(0);
    let id = ScoreId(scores.checked.len() as u16);
    scores.checked.push(Score {
        name: score.name.text().into(),
        unit: of.unit,
        of: linear,
        cuts: linears.into_iter().map(|cut| cut.constant).collect(),
        scale,
        falling: score.falling,
    });
    scores.known[index] = Some(Known { id, dimensions_read });
}

/// Whether the cuts ascend, each once. Needs to know nothing of what the score is.
fn check_order(score: &declared::Score, diagnostics: &mut Vec<Diagnostic>) {
    for pair in score.cuts.windows(2) {
        let ascends = match (&pair[0].0, &pair[1].0) {
            (Cut::Number(one), Cut::Number(next)) => one < next,
            (Cut::Duration(one), Cut::Duration(next)) => one < next,
            _ => true,
        };
        if !ascends {
            let title = format!("the cuts of `{}` do not ascend", score.name.text());
            diagnostics.push(
                Diagnostic::new(Code::CutsOrder, pair[1].1.clone(), title)
                    .label("not above the one before")
                    .help("list cuts from the lowest to the highest, each once"),
            );
        }
    }
}

/// The cuts, when each is of the score's type.
fn check_types(score: &declared::Score, of: &Form, diagnostics: &mut Vec<Diagnostic>) -> Option<Vec<Form>> {
    let mut forms = Vec::with_capacity(score.cuts.len());
    for (cut, place) in &score.cuts {
        let form = match cut {
            Cut::Number(amount) => Form::number(*amount),
            Cut::Duration(span) => Form::duration(span.0),
        };
        if form.unit == of.unit {
            forms.push(form);
            continue;
        }
        let title = format!("{} as a cut of `{}`", unit_name(form.unit), score.name.text());
        let mut diagnostic =
            Diagnostic::new(Code::CutType, place.clone(), title).label(format!("expected {}", unit_name(of.unit)));
        if let Some(excerpt) = &score.of {
            diagnostic = diagnostic.related(excerpt.whole(), format!("this is {}", unit_name(of.unit)));
        }
        let example = if of.unit == Unit::Duration { "`\"30d\"`" } else { "`30`" };
        diagnostics.push(diagnostic.help(format!("write it like {example}")));
    }
    (forms.len() == score.cuts.len()).then_some(forms)
}

/// The declared scores that an expression reads.
fn scores_read(declared: &Declared, expr: Option<&Expr>) -> BTreeSet<usize> {
    let mut read = BTreeSet::new();
    if let Some(expr) = expr {
        expr.walk(&mut |part| {
            read.extend(part.member_of("score").and_then(|name| declared.score(&name.text)));
        });
    }
    read
}

/// Scores so that each comes after those it reads; those in or behind a cycle are left out, and the cycle reported.
fn in_order(declared: &Declared, reads: &[BTreeSet<usize>], diagnostics: &mut Vec<Diagnostic>) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::with_capacity(reads.len());
    let mut waiting: BTreeSet<usize> = (0..reads.len()).collect();
    loop {
        let ready: Vec<usize> = waiting.iter().copied().filter(|index| reads[*index].is_disjoint(&waiting)).collect();
        if ready.is_empty() {
            break;
        }
        ready.iter().for_each(|index| {
            waiting.remove(index);
        });
        order.extend(ready);
    }
    // What remains reads a cycle; following the first reads leads into it.
    if let Some(start) = waiting.first() {
        let mut path = vec![*start];
        let cycle = loop {
            let last = path[path.len() - 1];
            let next = reads[last].iter().find(|read| waiting.contains(read));
            let next = *next.expect("a waiting score reads a waiting one");
            if let Some(at) = path.iter().position(|seen| *seen == next) {
                break path.split_off(at);
            }
            path.push(next);
        };
        diagnostics.push(cycle_diagnostic(declared, &cycle));
    }
    order
}

fn cycle_diagnostic(declared: &Declared, cycle: &[usize]) -> Diagnostic {
    let name = |index: usize| declared.scores[index].name.text();
    let title = match cycle {
        [alone] => format!("the score `{}` reads itself", name(*alone)),
        _ => format!(
            "scores read each other in a circle: {}",
            cycle.iter().map(|index| name(*index)).collect::<Vec<_>>().join(" → ")
        ),
    };
    let mut diagnostic = Diagnostic::new(Code::ScoreCycle, declared.scores[cycle[0]].name.whole(), title)
        .help("a score may read only scores that do not read it");
    for index in &cycle[1..] {
        diagnostic = diagnostic.related(declared.scores[*index].name.whole(), "and this");
    }
    diagnostic
}
