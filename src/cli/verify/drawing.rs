//! What people read of a verification: findings on standard output, the summary on standard error.

use std::fmt::Write;

use crate::cli::number::number;
use crate::cli::paint::{Paint, Tone};
use crate::event::Instant;
use crate::pipeline::verify::Report;
use crate::plain::{Finding, FindingKind};

/// The findings, each with its customer, its instant and both sides.
pub fn findings(report: &Report, paint: Paint) -> String {
    let mut text = String::new();
    for (customer, finding) in &report.findings {
        draw(customer, finding, paint, &mut text).expect("a string takes everything");
    }
    let n_more = report.n_findings_total() - report.findings.len() as u64;
    if n_more > 0 {
        writeln!(text, "and {} more; --limit shows them", number(n_more)).expect("a string takes everything");
    }
    text
}

fn draw(customer: &str, finding: &Finding, paint: Paint, out: &mut String) -> std::fmt::Result {
    write!(out, "{}", paint.tone(Tone::Change, words(finding.kind)))?;
    if !customer.is_empty() {
        write!(out, ", customer {customer}")?;
    }
    finding.sequence.iter().try_for_each(|sequence| write!(out, ", change {sequence}"))?;
    finding.at.iter().try_for_each(|at| write!(out, ", {}", Instant(*at)))?;
    writeln!(out)?;
    if let Some(right) = &finding.right {
        writeln!(out, "  right      {right}")?;
    } else if matches!(finding.kind, FindingKind::Extra | FindingKind::Undecided) {
        writeln!(out, "  right      no change")?;
    }
    if let Some(published) = &finding.published {
        writeln!(out, "  published  {published}")?;
    } else if matches!(finding.kind, FindingKind::Missing | FindingKind::Undecided) {
        writeln!(out, "  published  nothing")?;
    }
    finding.problem.iter().try_for_each(|problem| writeln!(out, "  problem    {problem}"))?;
    finding.place.iter().try_for_each(|place| writeln!(out, "  at         {place}"))
}

fn words(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::Missing => "missing change",
        FindingKind::Extra => "extra change",
        FindingKind::Different => "different change",
        FindingKind::Gap => "gap in the sequence",
        FindingKind::Repetition => "repeated sequence number",
        FindingKind::Order => "change out of order",
        FindingKind::Unreadable => "unreadable change",
        FindingKind::Undecided => "late events, and no order of them was found that gives this",
    }
}

/// The summary, with a newline after each line.
pub fn summary(report: &Report, is_sample: bool) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: String| {
        writeln!(text, "{name:<12} {value}").expect("a string takes everything");
    };
    for lost in &report.lost {
        let range = format!("{}/{} offsets {} to {}", lost.topic, lost.partition, lost.from, lost.to);
        row("gone", format!("{range}: what was made of them cannot be worked out any more"));
    }
    let of_sample = if is_sample { " (a sample)" } else { "" };
    row("customers", format!("{}{of_sample}, {} events", number(report.n_customers), number(report.n_events)));
    row("right", number(report.n_agree));
    let others = [
        ("late", report.n_agree_late, "right too, with events that came late"),
        ("pending", report.n_pending, "with changes due that the instance was about to tell"),
        ("other rules", report.n_other_rules, "with changes of other rules: not compared"),
        ("not known", report.n_lost, "differ, and events of theirs are gone: not compared"),
        ("wrong", report.n_differ, "differ"),
    ];
    for (name, n, words) in others.into_iter().filter(|(_, n, _)| *n > 0) {
        row(name, format!("{} {words}", number(n)));
    }
    let newer =
        if report.n_newer > 0 { format!(", {} newer ones left alone", number(report.n_newer)) } else { String::new() };
    row("changes", format!("{}{newer}", number(report.n_changes)));
    let kinds = FindingKind::ALL.iter().zip(report.n_findings).filter(|(_, n)| *n > 0);
    let kinds: Vec<String> = kinds.map(|(kind, n)| format!("{} {}", number(n), kind.name())).collect();
    row("findings", if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") });
    text
}
