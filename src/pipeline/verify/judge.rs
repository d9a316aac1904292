//! Judges the customers of one pass, on all cores, and adds up what comes out.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::gather::{Case, Gather};
use super::{Judging, Options, Report};
use crate::plain::{Finding, FindingKind, Outcome, Record, Verdict, verify};

/// What holds for all customers of a pass.
pub struct Cut<'a> {
    /// Time has passed up to here.
    pub end: i64,
    /// Not everyone who was due by then had been judged.
    pub has_dues: bool,
    /// Records of the input are gone.
    pub has_lost: bool,
    /// Changes are gone from the start of the log.
    pub is_cut_off: bool,
    /// What a published change calls a record.
    pub origin: &'a (dyn Fn(&Record) -> String + Sync),
}

/// Judges all that were gathered; findings come in the order of customers.
pub fn judge(judging: &Judging, gather: Gather<'_>, cut: &Cut<'_>, options: &Options, report: &mut Report) {
    let cases: Vec<(String, Case)> = gather.cases.into_iter().collect();
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..options.n_threads.get().min(cases.len()) {
            scope.spawn(|| {
                while let number = next.fetch_add(1, Ordering::Relaxed)
                    && let Some((_, case)) = cases.get(number)
                {
                    let verdict = compare(judging, case, cut);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((number, verdict));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(number, _)| *number);
    for (number, verdict) in done {
        let (customer, case) = &cases[number];
        count(customer, case, verdict, cut, options, report);
    }
}

/// `None`: other rules made some of the changes.
fn compare(judging: &Judging, case: &Case, cut: &Cut<'_>) -> Option<Verdict> {
    if case.published.iter().any(|one| one.rules != judging.version) {
        return None;
    }
    let first = match case.published.first() {
        _ if !cut.is_cut_off => 1,
        Some(one) => one.said.sequence.max(1),
        // Whatever there was is gone.
        None => u64::MAX,
    };
    Some(verify(&judging.rules, &case.records, cut.end, (&case.published, first), cut.origin))
}

fn count(customer: &str, case: &Case, verdict: Option<Verdict>, cut: &Cut<'_>, options: &Options, report: &mut Report) {
    report.n_customers += 1;
    report.n_events += case.records.len() as u64;
    report.n_changes += case.published.len() as u64;
    let Some(verdict) = verdict else {
        report.n_other_rules += 1;
        return;
    };
    if verdict.outcome != Outcome::Differs {
        report.n_newer += case.published.len().saturating_sub(verdict.n_right) as u64;
    }
    match verdict.outcome {
        Outcome::Agrees => report.n_agree += 1,
        Outcome::AgreesWithLate => report.n_agree_late += 1,
        Outcome::Differs if cut.has_dues && verdict.findings.iter().all(is_pending) => report.n_pending += 1,
        Outcome::Differs if cut.has_lost && verdict.findings.iter().all(is_of_events) => report.n_lost += 1,
        Outcome::Differs => {
            report.n_differ += 1;
            for finding in verdict.findings {
                report.find(customer, finding, options);
            }
        }
    }
}

/// Time alone makes it, and it was not told: the instance may not have come to it.
fn is_pending(finding: &Finding) -> bool {
    let is_elapsed = finding.right.as_ref().is_some_and(|right| right.cause == "elapsed");
    finding.kind == FindingKind::Missing && is_elapsed
}

/// What other events might explain. How changes are numbered does not depend on them.
fn is_of_events(finding: &Finding) -> bool {
    !matches!(finding.kind, FindingKind::Gap | FindingKind::Repetition | FindingKind::Order | FindingKind::Unreadable)
}
