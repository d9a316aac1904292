//! Rules for a command: the plan, or everything that is wrong with them on standard error.

use std::path::Path;

use super::{diagnostics, terminal};
use crate::config::rules::{self, Loaded};
use crate::rules::Plan;
use crate::rules::diagnostic::Diagnostic;

/// Loads the rules, drawing warnings, and when they are refused errors too; there is a plan unless they are.
pub fn load(path: &Path) -> Option<Plan> {
    load_all(path).map(|loaded| loaded.plan)
}

/// The plan, and what else stands in the file.
pub fn load_all(path: &Path) -> Option<Loaded> {
    match rules::load(path) {
        Ok(loaded) => {
            complain(&loaded.warnings);
            Some(loaded)
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
