//! The tests of a rules file as people read them: how many passed, which line of which failed, what was there instead
//! and why. Whether a test passes, `trial` says.

mod drawing;

use super::diagnostics::printable;
use super::terminal;
use crate::rules::Plan;
use crate::rules::timeline::Test;
use crate::trial::{Bench, Coverage};
use drawing::Drawing;

/// Which tests run, and how much is said.
#[derive(Debug, Clone, Copy)]
pub struct Selection<'a> {
    /// Only those that have this in their name.
    pub only: Option<&'a str>,
    pub lists_passed: bool,
}

/// What the tests have to say.
#[derive(Debug, Default)]
pub struct Told {
    /// For standard output, with a line break at its end; empty without tests.
    pub summary: String,
    /// For standard error; empty when none failed.
    pub failures: String,
}

/// Runs tests. `None`: there is none of that name, which was said.
pub fn run(plan: Plan, tests: &[Test], selection: Selection<'_>) -> Option<Told> {
    let chosen = |test: &&Test| selection.only.is_none_or(|only| test.name.text().contains(only));
    let chosen: Vec<&Test> = tests.iter().filter(chosen).collect();
    if let (Some(only), true) = (selection.only, chosen.is_empty()) {
        let tests = counted(tests.len());
        eprintln!("error: `{}` is in the name of no test; the rules have {tests}", printable(only));
        return None;
    }
    if chosen.is_empty() {
        return Some(Told::default());
    }
    let bench = Bench::new(plan);
    let mut coverage = Coverage::default();
    let (mut told, mut list, mut n_failed) = (Told::default(), String::new(), 0);
    for test in &chosen {
        let run = bench.run(test);
        coverage.add(&run);
        let mut drawing = Drawing::new(bench.plan(), test, terminal::colours_stderr());
        for finding in &run.findings {
            let drawn = drawing.draw(finding);
            told.failures.push_str(&format!("{drawn}\n\n"));
        }
        n_failed += usize::from(!run.passed());
        if selection.lists_passed || !run.passed() {
            let how = if run.passed() { "ok    " } else { "failed" };
            let place = test.name.whole();
            let name = printable(test.name.text());
            list.push_str(&format!("  {how} {name} ({}:{})\n", place.file.path, place.line()));
        }
    }
    let all = selection.only.is_none();
    told.summary = summary(bench.plan(), (chosen.len(), n_failed), &list, all.then_some(&coverage));
    Some(told)
}

fn summary(plan: &Plan, (n, n_failed): (usize, usize), list: &str, coverage: Option<&Coverage>) -> String {
    let mut text = list.to_owned();
    match n_failed {
        0 => text.push_str(&format!("{} passed\n", counted(n))),
        _ => text.push_str(&format!("{} passed, {n_failed} failed\n", counted(n - n_failed))),
    }
    let missing = coverage.map(|coverage| coverage.missing(plan)).unwrap_or_default();
    let names = missing.into_iter().map(|(dimension, segment)| {
        let name = plan.segment_name(dimension, Some(segment));
        format!("{}.{name}", plan.dimension(dimension).name)
    });
    let names: Vec<String> = names.collect();
    if !names.is_empty() {
        text.push_str(&format!("no test enters: {}\n", names.join(", ")));
    }
    text
}

fn counted(n: usize) -> String {
    if n == 1 { "1 test".to_owned() } else { format!("{n} tests") }
}
