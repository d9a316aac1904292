//! A verification as JSON: the summary and the findings.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::event::Instant;
use crate::pipeline::verify::Report;
use crate::plain::{Finding, FindingKind, Said};

#[derive(Serialize)]
struct Document<'a> {
    /// The version of this form.
    verify: u32,
    customers: u64,
    right: u64,
    right_with_late_events: u64,
    pending: u64,
    other_rules: u64,
    not_known: u64,
    wrong: u64,
    events: u64,
    changes: u64,
    newer_changes: u64,
    passes: u64,
    findings_by_kind: BTreeMap<&'static str, u64>,
    gone: Vec<Gone<'a>>,
    findings: Vec<Found<'a>>,
}

#[derive(Serialize)]
struct Gone<'a> {
    topic: &'a str,
    partition: i32,
    from: i64,
    to: i64,
}

#[derive(Serialize)]
struct Found<'a> {
    kind: FindingKind,
    customer_id: &'a str,
    sequence: Option<u64>,
    at: Option<String>,
    right: Option<Side<'a>>,
    published: Option<Side<'a>>,
    place: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
}

#[derive(Serialize)]
struct Side<'a> {
    sequence: u64,
    dimension: &'a str,
    from: Option<&'a str>,
    to: Option<&'a str>,
    from_since: Option<String>,
    effective_at: String,
    cause: &'a str,
    origin: Option<&'a str>,
}

/// The document, with a newline at its end.
pub fn text(report: &Report) -> String {
    let kinds = FindingKind::ALL.iter().zip(report.n_findings);
    let gone = report.lost.iter().map(|lost| Gone {
        topic: &lost.topic,
        partition: lost.partition,
        from: lost.from,
        to: lost.to,
    });
    let document = Document {
        verify: 1,
        customers: report.n_customers,
        right: report.n_agree,
        right_with_late_events: report.n_agree_late,
        pending: report.n_pending,
        other_rules: report.n_other_rules,
        not_known: report.n_lost,
        wrong: report.n_differ,
        events: report.n_events,
        changes: report.n_changes,
        newer_changes: report.n_newer,
        passes: report.n_passes,
        findings_by_kind: kinds.map(|(kind, n)| (kind.name(), n)).collect(),
        gone: gone.collect(),
        findings: report.findings.iter().map(|(customer, finding)| found(customer, finding)).collect(),
    };
    let json = serde_json::to_string_pretty(&document).expect("it has only texts as keys");
    format!("{json}\n")
}

fn found<'a>(customer: &'a str, finding: &'a Finding) -> Found<'a> {
    Found {
        kind: finding.kind,
        customer_id: customer,
        sequence: finding.sequence,
        at: finding.at.map(|at| Instant(at).to_string()),
        right: finding.right.as_ref().map(side),
        published: finding.published.as_ref().map(side),
        place: finding.place.as_deref(),
        problem: finding.problem.as_deref(),
    }
}

fn side(said: &Said) -> Side<'_> {
    Side {
        sequence: said.sequence,
        dimension: &said.dimension,
        from: said.from.as_deref(),
        to: said.to.as_deref(),
        from_since: said.from_since.map(|at| Instant(at).to_string()),
        effective_at: Instant(said.effective_at).to_string(),
        cause: &said.cause,
        origin: said.origin.as_deref(),
    }
}
