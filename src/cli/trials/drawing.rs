//! A failed test drawn: the line, what is there instead, what the expected segment asks for, and the moves that there
//! were. A move is told once, at the first failure after it.

use std::collections::BTreeMap;
use std::fmt::Write;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer};

use crate::cli::diagnostics::{printable, snippet};
use crate::engine::{Bar, Cause, Change, Evidence, Weighed};
use crate::event::Instant;
use crate::rules::Plan;
use crate::rules::plan::{DimensionId, SegmentId};
use crate::rules::reading::Reading;
use crate::rules::timeline::{Claim, Test, shown, written};
use crate::trial::{Finding, Found, Mismatch};

/// At most so many moves are shown, the latest.
const MOVES_MAX: usize = 8;

/// Draws the failures of one test, in their order.
pub struct Drawing<'a> {
    plan: &'a Plan,
    test: &'a Test,
    in_colour: bool,
    /// How many moves of a dimension have been told.
    n_told: BTreeMap<DimensionId, usize>,
    n_duplicates: usize,
}

impl<'a> Drawing<'a> {
    pub fn new(plan: &'a Plan, test: &'a Test, in_colour: bool) -> Drawing<'a> {
        Drawing { plan, test, in_colour, n_told: BTreeMap::new(), n_duplicates: 0 }
    }

    /// One line that found something else, without a line break at its end.
    pub fn draw(&mut self, finding: &Finding) -> String {
        let labels: Vec<String> = finding.mismatches.iter().map(|one| label(self.plan, finding, one)).collect();
        let marks = finding.mismatches.iter().zip(&labels);
        let marks: Vec<_> =
            marks.map(|(one, label)| (AnnotationKind::Primary, &one.expected.place, &**label)).collect();
        let title = Level::ERROR.with_name("failed").primary_title(printable(self.test.name.text()));
        let mut group = Group::with_title(title).element(snippet(&marks));
        for note in self.notes(finding) {
            group = group.element(Level::NOTE.message(printable(&note)));
        }
        let renderer = if self.in_colour { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }

    /// Why: what the expected segments ask for, and the moves that there were.
    fn notes(&mut self, finding: &Finding) -> Vec<String> {
        let mut notes = Vec::new();
        for mismatch in &finding.mismatches {
            notes.extend(standing_notes(self.plan, finding.at, mismatch));
            notes.extend(self.moves(mismatch.found.dimension(), &finding.changes));
        }
        let duplicates = &finding.duplicates[self.n_duplicates..];
        self.n_duplicates = finding.duplicates.len();
        let mut lines: Vec<String> = duplicates.iter().map(|place| place.line().to_string()).collect();
        lines.dedup();
        if !lines.is_empty() {
            notes.push(format!("dropped as duplicates: events of line {}", lines.join(", ")));
        }
        notes
    }

    /// The moves of a dimension that were not told yet.
    fn moves(&mut self, dimension: DimensionId, changes: &[Change]) -> Option<String> {
        let changes: Vec<&Change> = changes.iter().filter(|change| change.dimension == dimension).collect();
        let n_told = self.n_told.insert(dimension, changes.len()).unwrap_or(0);
        let untold = &changes[n_told..];
        let (earlier, latest) = untold.split_at(untold.len().saturating_sub(MOVES_MAX));
        if latest.is_empty() {
            return None;
        }
        let further = if n_told == 0 { "moves" } else { "further moves" };
        let mut text = format!("{further} in {} until then", self.plan.dimension(dimension).name);
        if !earlier.is_empty() {
            write!(text, ", the last {MOVES_MAX} of {}", untold.len()).expect("writing to a string does not fail");
        }
        for change in latest {
            let (arrow, cause) = (arrow(self.plan, change), cause(change.cause));
            let reasons = reasons(self.plan, &change.evidence);
            write!(text, "\n  {arrow}, {cause}: {reasons}").expect("writing to a string does not fail");
        }
        Some(text)
    }
}

fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Event => "by an event",
        Cause::LateEvent => "by a late event",
        Cause::Elapsed => "by time",
        Cause::Rules => "by new rules",
    }
}

fn segment(plan: &Plan, dimension: DimensionId, segment: Option<SegmentId>) -> String {
    segment.map_or("none".to_owned(), |_| written(plan.segment_name(dimension, segment)))
}

fn time(plan: &Plan, at: Instant) -> String {
    shown(at, &plan.zone)
}

/// What is there instead.
fn label(plan: &Plan, finding: &Finding, mismatch: &Mismatch) -> String {
    let now = time(plan, finding.at);
    let dimension = mismatch.found.dimension();
    let name = &plan.dimension(dimension).name;
    match &mismatch.found {
        Found::Standing { .. } if !finding.exists => format!("at {now} there was no event yet"),
        Found::Standing { standpoint, .. } => {
            let since = standpoint.since.map_or("from the start".to_owned(), |at| format!("since {}", time(plan, at)));
            format!("at {now} it is {}, {since}", segment(plan, dimension, standpoint.segment))
        }
        Found::Moves { changes, .. } if changes.is_empty() => format!("until {now} there was no change in {name}"),
        Found::Moves { changes, .. } => {
            let moves: Vec<String> = changes.iter().map(|change| arrow(plan, change)).collect();
            format!("until {now} there was {}", moves.join(", "))
        }
    }
}

/// `active -> dormant at 2026-04-15 10:00`.
fn arrow(plan: &Plan, change: &Change) -> String {
    let name = |id| segment(plan, change.dimension, id);
    format!("{} -> {} at {}", name(change.from), name(change.to), time(plan, change.effective_at))
}

/// What a standing lacks, and when it would come.
fn standing_notes(plan: &Plan, now: Instant, mismatch: &Mismatch) -> Vec<String> {
    let mut notes = Vec::new();
    let Claim::Stands { dimension, segment: wanted, negated } = mismatch.expected.claim else { return notes };
    let Found::Standing { standpoint, expected, later, .. } = &mismatch.found else { return notes };
    if let (Some(wanted), Some(weighed), false) = (wanted, expected, negated) {
        notes.extend(why_not(plan, (dimension, wanted), standpoint.segment, weighed));
    }
    if let Some(later) = *later {
        let (name, at) = (segment(plan, dimension, wanted), time(plan, later));
        let comes = if negated { format!("{name} is left") } else { format!("{name} comes") };
        notes.push(format!("if nothing else happens, {comes} at {at}, {} later", later - now));
    }
    notes
}

/// Why a customer is not in a segment.
fn why_not(
    plan: &Plan,
    (dimension, wanted): (DimensionId, SegmentId),
    current: Option<SegmentId>,
    weighed: &Weighed,
) -> Vec<String> {
    let name = segment(plan, dimension, Some(wanted));
    let current = segment(plan, dimension, current);
    let bar = weighed.bar.map(|bar| match bar {
        Bar::MinStay { until } => format!("{current} has a `min_stay` and is not left before {}", time(plan, until)),
        Bar::From => format!("{name} is not entered from {current}: its `from` does not list it"),
        Bar::Cooldown { until } => format!("{name} has a `cooldown` and is not entered before {}", time(plan, until)),
    });
    let unmet = match (weighed.holds(), &bar) {
        (false, _) => Some(format!("{name} asks for{}", table(plan, &weighed.readings()))),
        (true, None) => Some(format!("what {name} asks for holds, but {current} stands before it and holds too")),
        (true, Some(_)) => None,
    };
    bar.into_iter().chain(unmet).collect()
}

/// Comparisons one under the other, each with its value.
fn table(plan: &Plan, readings: &[&Reading]) -> String {
    let condition = |one: &Reading| plan.comparison(one.comparison).text.clone();
    let width = readings.iter().map(|one| condition(one).chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for one in readings {
        let holds = if one.verdict.holds { "holds" } else { "does not hold" };
        write!(text, "\n  {:<width$}  {holds}: {}", condition(one), one.value(plan))
            .expect("writing to a string does not fail");
    }
    if readings.is_empty() { " nothing that could hold".to_owned() } else { text }
}

/// What decided: the comparisons that held, or, when the customer fell out of everything, those that did not.
fn reasons(plan: &Plan, evidence: &[Evidence]) -> String {
    let any_holds = evidence.iter().any(|one| one.holds);
    let told = evidence.iter().filter(|one| one.holds == any_holds);
    let told = told.map(|one| {
        let not = if any_holds { "" } else { "not " };
        format!("{not}{} ({})", plan.comparison(one.comparison).text, one.value)
    });
    let told: Vec<String> = told.collect();
    if told.is_empty() { "always".to_owned() } else { told.join(", ") }
}
