//! Warnings: what is allowed, but surely not meant.

use super::Checker;
use super::catalog::Catalog;
use super::scores::Scores;
use crate::event::Amount;
use crate::rules::ast::Expr;
use crate::rules::declared::Declared;
use crate::rules::diagnostic::{Code, Diagnostic, Fault};
use crate::rules::place::Extent;
use crate::rules::plan::{Dimension, NumberSource, Relation, Test};

impl Checker<'_> {
    pub(super) fn lint_comparison(&mut self, _expr: &Expr, _test: &Test) {}

    pub(super) fn lint_field(
        &mut self,
        _field: NumberSource,
        _name: &str,
        _relation: Relation,
        _value: Amount,
        _extent: Extent,
    ) {
    }

    pub(super) fn lint_date(&mut self, _text: &str, _extent: Extent) {
        let _ = Fault::new(Code::OddDate, _extent, "");
    }
}

pub(super) fn segments(
    _declared: &Declared,
    _dimensions: &[Dimension],
    _catalog: &Catalog,
    _scores: &Scores,
) -> Vec<Diagnostic> {
    Vec::new()
}
