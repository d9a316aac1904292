//! A customer's history judged again, and held against what was published.
//!
//! As long as a customer's events come in order and in time, their changes follow from them. An event that came late is
//! judged by where the shard's clock had come to, which nobody wrote down. So where the plain course of things gives
//! something else than was published, and events may have been late, `search` tries other courses. What was published is
//! right when it is one of them.

use super::audit::{Finding, Kind, Published, Said, audit};
use super::customer::{Change, Customer};
use super::event::Event;
use super::rules::Rules;
use super::search::{Found, search};

/// An event as it was read.
#[derive(Debug, Clone)]
pub struct Record {
    pub event: Event,
    /// Which topic, or file.
    pub input: usize,
    pub partition: i32,
    /// Its offset, or its line.
    pub position: u64,
    /// The clock before it, had all records been taken in the order of time.
    pub clock: i64,
    /// The clock was certainly not before this, as its own topic says.
    pub clock_min: i64,
    /// The clock was certainly not after this. The same as `clock` where that is known.
    pub clock_max: i64,
}

/// What came out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// What was published is what the events give in the order of time.
    Agrees,
    /// It is what they give when some of them came late.
    AgreesWithLate,
    Differs,
}

#[derive(Debug)]
pub struct Verdict {
    pub outcome: Outcome,
    pub findings: Vec<Finding>,
    /// How many changes the customer should have had.
    pub n_right: usize,
}

/// Judges the records, which are in the order of time, up to the instant `end`, and holds what was published against it.
/// `origin` names a record as a published change does; changes before the number `first` are no longer there.
pub fn verify(
    rules: &Rules,
    records: &[Record],
    end: i64,
    (published, first): (&[Published], u64),
    origin: &dyn Fn(&Record) -> String,
) -> Verdict {
    let mut customer = Customer::new(rules);
    for record in records {
        customer.take(&record.event, record.clock);
    }
    customer.pass_time(end);
    let right: Vec<Said> =
        customer.changes.iter().map(|change| said(change, |event| origin(&records[event]))).collect();
    let findings = audit(published, &right, first);
    if findings.is_empty() {
        return Verdict { outcome: Outcome::Agrees, findings, n_right: right.len() };
    }
    let may_be_late = records.iter().any(|record| record.clock_min < record.clock_max);
    if may_be_late && is_whole(published, first) {
        match search(&customer, records, end, published, origin) {
            Found::Course { n_right } => {
                return Verdict { outcome: Outcome::AgreesWithLate, findings: Vec::new(), n_right };
            }
            Found::Nothing => {}
            Found::TooMuch => {
                let undecided = Finding { kind: Kind::Undecided, ..findings[0].clone() };
                return Verdict { outcome: Outcome::Differs, findings: vec![undecided], n_right: right.len() };
            }
        }
    }
    Verdict { outcome: Outcome::Differs, findings, n_right: right.len() }
}

/// A customer's change as somebody tells it who calls events so.
pub fn said(change: &Change, origin: impl Fn(usize) -> String) -> Said {
    Said {
        sequence: change.sequence,
        dimension: change.dimension.clone(),
        from: change.from.clone(),
        to: change.to.clone(),
        from_since: change.from_since,
        effective_at: change.effective_at,
        cause: change.cause.name().to_owned(),
        origin: change.event.map(origin),
    }
}

/// Whether changes are numbered as they should be, so that no course of things is excluded from the start.
fn is_whole(published: &[Published], first: u64) -> bool {
    first == 1 && published.iter().zip(1..).all(|(one, number)| one.said.sequence == number)
}
