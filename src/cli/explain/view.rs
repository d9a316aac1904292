//! A report for a terminal: each dimension with what holds there, why nothing earlier does, and what comes next.

use std::fmt::Write;

use super::moment::Moments;
use crate::cli::paint::{Paint, Tone};
use crate::pipeline::explain::{
    Comparison, Condition, Dimension, Evidence, Interests, Needs, NextChange, PastChange, Report, Segment,
};

/// The whole text, with a line break at its end.
pub fn text(report: &Report, paint: Paint) -> String {
    let segments = report.dimensions.iter().flat_map(|dimension| &dimension.segments);
    let widest = segments.map(|segment| NOT.len() + segment.segment.chars().count()).max();
    let name_width = widest.unwrap_or(0).max(NAME_WIDTH_MIN);
    let moments = Moments::new(&report.timezone);
    let mut view = View { report, paint, moments, name_width, text: String::new() };
    view.head();
    report.dimensions.iter().for_each(|dimension| view.dimension(dimension));
    if let Some(interests) = &report.interests {
        view.interests(interests);
    }
    if let Some(history) = &report.history {
        view.history(history);
    }
    view.text
}

struct View<'r> {
    report: &'r Report,
    paint: Paint,
    moments: Moments,
    name_width: usize,
    text: String,
}

/// Names of rows are at least so wide.
const NAME_WIDTH_MIN: usize = 9;
/// Values stand below each other behind conditions that are not longer.
const ALIGNED_WIDTH_MAX: usize = 60;
const NOT: &str = "not ";

impl View<'_> {
    fn line(&mut self, line: impl std::fmt::Display) {
        writeln!(self.text, "{line}").expect("a string takes everything");
    }

    fn row(&mut self, name: &str, value: impl std::fmt::Display) {
        let (name, width) = (self.paint.tone(Tone::Faint, name), self.name_width);
        self.line(format_args!("  {name:<width$}  {value}"));
    }

    fn head(&mut self) {
        let report = self.report;
        self.line(self.paint.tone(Tone::Strong, &report.customer_id));
        let at = self.moments.shown(&report.at);
        self.row("as of", format!("{at} {}", report.timezone));
        if let Some(first) = &report.first_event {
            let age = self.moments.between(first, &report.at).unwrap_or_default();
            self.row("customer", format!("since {}, {age}", self.moments.shown(first)));
        }
        self.row("changes", report.sequence);
        self.row("rules", &report.rules_version);
    }

    fn dimension(&mut self, dimension: &Dimension) {
        let name = self.paint.tone(Tone::Name, &dimension.dimension);
        let segment = self.paint.tone(Tone::Strong, dimension.segment.as_deref().unwrap_or("none"));
        let label = dimension.label.as_ref().map_or_else(String::new, |label| format!(" ({label})"));
        let line = format!("\n{name}: {segment}{label}");
        self.line(line);
        if let Some(since) = &dimension.since {
            let stay = self.moments.between(since, &self.report.at).unwrap_or_default();
            self.row("since", format!("{}, {stay}", self.moments.shown(since)));
        } else {
            self.row("since", "the start");
        }
        if let Some(reason) = &dimension.reason {
            self.row("why", reason);
        }
        if let Some(action) = &dimension.action {
            self.row("action", action);
        }
        let current = dimension.segments.iter().position(|segment| segment.is_current);
        if let Some(current) = current {
            self.current(dimension, &dimension.segments[current]);
        }
        // Those after the one that holds are not looked at.
        let n_earlier = current.unwrap_or(dimension.segments.len());
        dimension.segments[..n_earlier].iter().for_each(|segment| self.other(segment));
        self.next(dimension);
    }

    fn current(&mut self, dimension: &Dimension, segment: &Segment) {
        self.condition("when", &segment.when, &segment.when.comparisons.iter().collect::<Vec<_>>());
        if let Some(stay) = &segment.stay {
            self.condition("stay", stay, &stay.comparisons.iter().collect::<Vec<_>>());
        }
        if let Some(until) = &dimension.min_stay_until {
            let until = self.moments.shown(until);
            self.row("min_stay", format!("keeps the customer here until {until}, whatever holds"));
        }
    }

    fn other(&mut self, segment: &Segment) {
        // What would have to be otherwise; the rest is in the document.
        let decisive: Vec<&Comparison> =
            segment.when.comparisons.iter().filter(|comparison| comparison.decides).collect();
        self.condition(&format!("{NOT}{}", segment.segment), &segment.when, &decisive);
        if let Some(only_from) = &segment.only_from {
            let names: Vec<&str> =
                only_from.iter().map(|name| if name.is_empty() { "none" } else { name.as_str() }).collect();
            let names = if names.is_empty() { "nowhere".to_owned() } else { names.join(", ") };
            self.row("", format!("from: is entered only from {names}"));
        }
        if let Some(until) = &segment.cooldown_until {
            let until = self.moments.shown(until);
            self.row("", format!("cooldown: not again before {until}"));
        }
    }

    /// A row for each of the comparisons; a condition without any is a constant.
    fn condition(&mut self, name: &str, condition: &Condition, comparisons: &[&Comparison]) {
        if comparisons.is_empty() {
            return self.row(name, &condition.condition);
        }
        let widths = comparisons.iter().map(|comparison| comparison.condition.chars().count());
        let width = widths.filter(|width| *width <= ALIGNED_WIDTH_MAX).max().unwrap_or(0);
        let rows = comparisons.iter().map(|comparison| self.comparison(comparison, width));
        let mut name = name;
        for row in rows.collect::<Vec<_>>() {
            self.row(name, row);
            name = "";
        }
        // With nothing but `&&` the marks say it all, and so does what is missing.
        if comparisons.len() < condition.comparisons.len() {
            return;
        }
        let plain: Vec<&str> = condition.comparisons.iter().map(|comparison| &*comparison.condition).collect();
        if condition.condition != plain.join(" && ") {
            let outcome = if condition.holds { "holds" } else { "does not hold" };
            let line = self.paint.tone(Tone::Faint, format!("{} {outcome}", condition.condition)).to_string();
            self.row("", line);
        }
    }

    fn comparison(&self, comparison: &Comparison, width: usize) -> String {
        let mut row = format!("{} {:<width$}  {}", mark(comparison.holds), comparison.condition, comparison.value);
        if let Some(needs) = comparison.needs.as_ref().filter(|_| !comparison.holds) {
            write!(row, ", needs {}", needs_in_words(needs)).expect("a string takes everything");
        }
        if let Some(until) = &comparison.until {
            let word = if comparison.holds { "holds" } else { "fails" };
            write!(row, "; {word} at least until {}", self.moments.shown(until)).expect("a string takes everything");
        }
        let features: Vec<String> =
            comparison.features.iter().map(|part| format!("{} is {}", part.feature, part.value)).collect();
        if !features.is_empty() {
            write!(row, " ({})", features.join(", ")).expect("a string takes everything");
        }
        row
    }

    fn next(&mut self, dimension: &Dimension) {
        match (&dimension.next, &dimension.no_change_until) {
            (Some(NextChange { to, at, reason, evidence, .. }), _) => {
                let to = self.paint.tone(Tone::Change, to.as_deref().unwrap_or("none"));
                let wait = self.moments.between(&self.report.at, at).unwrap_or_default();
                let line = format!("{to} at {}, in {wait}, if nothing happens", self.moments.shown(at));
                self.row("next", line);
                self.row("", reason);
                self.evidence(evidence);
            }
            (None, Some(until)) => {
                let until = self.moments.shown(until);
                self.row("next", format!("not before {until} by time alone"));
            }
            (None, None) => self.row("next", "never by time alone"),
        }
    }

    fn evidence(&mut self, evidence: &[Evidence]) {
        for Evidence { condition, value, holds } in evidence {
            self.row("", format!("{} {condition}  {value}", mark(*holds)));
        }
    }

    fn interests(&mut self, interests: &Interests) {
        self.line(format_args!("\n{}", self.paint.tone(Tone::Strong, "interests")));
        let Interests { categories, brands, queries, products } = interests;
        for (name, texts) in
            [("categories", categories), ("brands", brands), ("queries", queries), ("products", products)]
        {
            let shown = if texts.is_empty() { "-".to_owned() } else { texts.join(", ") };
            self.row(name, shown);
        }
    }

    fn history(&mut self, history: &[PastChange]) {
        self.line(format_args!("\n{}", self.paint.tone(Tone::Strong, "history")));
        for change in history {
            let moment = self.moments.shown(&change.effective_at);
            let name = self.paint.tone(Tone::Name, &change.dimension);
            let (from, to) = (change.from.as_deref().unwrap_or("none"), change.to.as_deref().unwrap_or("none"));
            let to = self.paint.tone(Tone::Change, to);
            let cause = match (&change.cause.file, change.cause.line) {
                (Some(file), Some(line)) => format!("{} {file}:{line}", change.cause.kind),
                _ => change.cause.kind.clone(),
            };
            let line = format!("  {moment}  {name}: {from} → {to}  ({cause})");
            self.line(line);
            if let Some(reason) = &change.reason {
                self.row("", reason);
            }
            self.evidence(&change.evidence);
        }
    }
}

fn needs_in_words(needs: &Needs) -> String {
    let word = match &*needs.relation {
        ">=" => "at least ",
        ">" => "more than ",
        "<=" => "at most ",
        "<" => "less than ",
        "!=" => "other than ",
        _ => "exactly ",
    };
    format!("{word}{}", needs.bound)
}

fn mark(holds: bool) -> char {
    if holds { '✓' } else { '✗' }
}
