//! Rules for a command: the plan, or everything that is wrong with them on standard error.

use std::path::Path;

use super::{diagnostics, terminal};
use crate::config::rules;
use crate::rules::Plan;
use crate::rules::diagnostic::Diagnostic;

/// Loads the rules, drawing warnings, and when they are refused errors too; there is a plan unless they are.
pub fn load(path: &Path) -> Option<Plan> {
    match rules::load(path) {
        Ok(loaded) => {
            complain(&loaded.warnings);
            Some(loaded.plan)
        }
        Err(diagnostics) => {
            complain(&diagnostics);
            None
        }
    }
}

/// Draws diagnostics on standard error, and says how many there are.
pub fn complain(diagnostics: &[Diagnostic]) {
    eprint!("{}", diagnostics::draw_all(diagnostics, terminal::colours_stderr()));
}
