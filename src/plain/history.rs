//! A customer's history judged again, and held against what was published.
//!
//! As long as a customer's events come in order and in time, their changes follow from them. An event that came late is
//! judged by where the shard's clock had come to, which nobody wrote down. So where the plain course of things gives
//! something else than was published, and events may have been late, other courses are tried: the event read before or
//! after a change that time alone made, or before an older one of another topic. What was published is right when it is
//! one of them.

use std::ops::ControlFlow;

use super::audit::{Finding, Kind, Published, Said, audit};
use super::customer::{Cause, Change, Customer};
use super::event::Event;
use super::rules::Rules;

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

/// Events given to customers before a search is given up.
const TAKES_MAX: usize = 4_000;
/// Courses that may wait to be tried.
const OPEN_MAX: usize = 400;

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
    let mut findings = audit(published, &right, first);
    let mut outcome = if findings.is_empty() { Outcome::Agrees } else { Outcome::Differs };
    let may_be_late = records.iter().any(|record| record.clock_min < record.clock_max);
    if outcome == Outcome::Differs && may_be_late && is_whole(published, first) {
        let origins = records.iter().map(origin).collect();
        let mut search = Search { records, origins, end, published, is_wide: false, n_takes: 0 };
        match search.run(rules).filter(|is_found| *is_found).or_else(|| search.widened().run(rules)) {
            Some(true) => (outcome, findings) = (Outcome::AgreesWithLate, Vec::new()),
            Some(false) => {}
            None => {
                let first = &findings[0];
                findings = vec![Finding { kind: Kind::Undecided, ..first.clone() }];
            }
        }
    }
    Verdict { outcome, findings, n_right: right.len() }
}

fn said(change: &Change, origin: impl Fn(usize) -> String) -> Said {
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

struct Search<'s> {
    records: &'s [Record],
    end: i64,
    published: &'s [Published],
    /// What published changes call the records.
    origins: Vec<String>,
    /// Whether records of other topics may come first although nothing that was published speaks for it.
    is_wide: bool,
    n_takes: usize,
}

/// A course of things, up to somewhere.
#[derive(Clone)]
struct Course<'a> {
    customer: Customer<'a>,
    /// The records in the order in which they were taken.
    order: Vec<usize>,
    clock: i64,
    /// Changes that were found to be what was published.
    n_agreed: usize,
}

/// How a course may go on: with this record, the clock being there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    record: usize,
    clock: i64,
}

impl Search<'_> {
    fn widened(&mut self) -> &mut Self {
        (self.is_wide, self.n_takes) = (true, 0);
        self
    }

    /// Whether any course gives what was published; `None` when that would take too long to find out.
    fn run(&mut self, rules: &Rules) -> Option<bool> {
        let start = Course { customer: Customer::new(rules), order: Vec::new(), clock: i64::MIN, n_agreed: 0 };
        // Courses with the steps that were not tried yet, the best last.
        let mut open = vec![(start, None)];
        while let Some((mut course, step)) = open.pop() {
            let mut next = step;
            loop {
                if let Some(step) = next.take()
                    && self.take(&mut course, step)?.is_break()
                {
                    break;
                }
                if course.order.len() == self.records.len() {
                    if self.finish(&mut course) {
                        return Some(true);
                    }
                    break;
                }
                let mut steps = self.steps(&course);
                next = steps.pop();
                open.extend(steps.into_iter().map(|step| (course.clone(), Some(step))));
                if open.len() > OPEN_MAX {
                    return None;
                }
            }
        }
        Some(false)
    }

    /// Break: what was published goes another way. `None`: it is too much.
    fn take(&mut self, course: &mut Course<'_>, step: Step) -> Option<ControlFlow<()>> {
        self.n_takes += 1;
        if self.n_takes > TAKES_MAX {
            return None;
        }
        course.order.push(step.record);
        course.clock = step.clock;
        course.customer.take(&self.records[step.record].event, step.clock);
        Some(if self.agrees(course) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    }

    fn finish(&self, course: &mut Course<'_>) -> bool {
        course.customer.pass_time(self.end);
        self.agrees(course) && self.published[course.n_agreed..].iter().all(|one| one.is_new)
    }

    fn agrees(&self, course: &mut Course<'_>) -> bool {
        let Course { customer, order, n_agreed, .. } = course;
        let new = &customer.changes[*n_agreed..];
        let agree = |(change, one): (&Change, &Published)| {
            said(change, |event| self.origins[order[event]].clone()).agrees(&one.said)
        };
        let is_prefix =
            customer.changes.len() <= self.published.len() && new.iter().zip(&self.published[*n_agreed..]).all(agree);
        *n_agreed = customer.changes.len();
        is_prefix
    }

    /// The ways on, the likeliest last.
    fn steps(&self, course: &Course<'_>) -> Vec<Step> {
        let mut taken = vec![false; self.records.len()];
        course.order.iter().for_each(|&number| taken[number] = true);
        // Of each topic only its next record can come.
        let mut heads: Vec<usize> = Vec::new();
        for (number, record) in self.records.iter().enumerate().filter(|(number, _)| !taken[*number]) {
            if heads.iter().all(|head| self.records[*head].input != record.input) {
                heads.push(number);
            }
        }
        let mut steps = Vec::new();
        // Records are in the order of time, and so are the heads: any but the first leaves late ones behind.
        for (index, &head) in heads.iter().enumerate().rev() {
            let leaves_late = heads[..index].iter().all(|&older| {
                let older = &self.records[older];
                older.clock_max >= older.event.time
            });
            if index == 0 || leaves_late && (self.is_wide || self.is_next(course, head)) {
                steps.extend(self.clocks(course, head).into_iter().rev().map(|clock| Step { record: head, clock }));
            }
        }
        steps
    }

    /// Whether what was published next speaks for this record, which is not the earliest: the next change that an event
    /// caused was caused by this one or one behind it in its topic, or by one that was late and came after it.
    fn is_next(&self, course: &Course<'_>, head: usize) -> bool {
        let by_event = |one: &&Published| one.said.origin.is_some();
        let Some(next) = self.published[course.n_agreed..].iter().find(by_event) else { return false };
        let head_record = &self.records[head];
        if next.said.cause == Cause::LateEvent.name() && head_record.event.time <= next.said.effective_at {
            return true;
        }
        let mut behind = (head..self.records.len()).filter(|&number| self.records[number].input == head_record.input);
        behind.any(|number| next.said.origin.as_ref() == Some(&self.origins[number]))
    }

    /// Where the clock may have stood, the likeliest first.
    fn clocks(&self, course: &Course<'_>, number: usize) -> Vec<i64> {
        let record = &self.records[number];
        let low = record.clock_min.max(course.clock);
        let high = record.clock_max.min(self.end).max(low);
        let mut clocks = vec![record.clock.clamp(low, high)];
        // Past changes that time alone had made before the record came, one by one.
        let published = &self.published[course.n_agreed..];
        let elapsed = published.iter().take_while(|one| one.said.origin.is_none());
        clocks.extend(elapsed.map(|one| one.said.effective_at).filter(|at| (record.event.time..=high).contains(at)));
        clocks.push(low);
        // So late that nobody looks for duplicates any more, of this event or of one like it.
        let window = course.customer.rules().kinds[record.event.kind].dedup_window;
        let forgotten = self.like(number).map(|like| like.event.time + window + 1);
        clocks.extend(forgotten.filter(|clock| *clock <= high));
        clocks.retain(|clock| *clock >= low);
        let mut different: Vec<i64> = Vec::new();
        for clock in clocks {
            if !different.contains(&clock) {
                different.push(clock);
            }
        }
        different
    }

    /// The records that may be duplicates of this one, and itself with them.
    fn like(&self, number: usize) -> impl Iterator<Item = &Record> {
        let event = &self.records[number].event;
        let is_like = move |record: &&Record| record.event.kind == event.kind && record.event.id == event.id;
        let alike = self.records.iter().filter(is_like);
        let is_alone = event.id.is_none() || alike.clone().nth(1).is_none();
        alike.take(if is_alone { 0 } else { usize::MAX })
    }
}
