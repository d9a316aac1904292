//! Looks for a course of things that gives what was published of a customer whose events may have come late: an event read
//! before or after a change that time alone made, or before an older one of another topic.
//!
//! A search in depth, the likeliest way first. A way is given up as soon as it cannot lead to what was published any more,
//! or comes to where another has been. What always holds: [`Found::Nothing`] is said only when every way was tried.

use std::collections::{BTreeSet, HashSet};
use std::ops::ControlFlow;

use super::audit::Published;
use super::customer::{Cause, Change, Customer, Memory};
use super::history::{Record, said};
use super::rules::Rules;

/// What a search may cost before it is given up, in a customer's own measure: so much, and so many times what it cost to
/// judge the customer once.
const WORK_MAX: u64 = 10_000_000;
const ROUNDS_MAX: u64 = 10;
/// Events in the courses that wait to be tried.
const OPEN_EVENTS_MAX: usize = 400_000;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A course gives what was published, and this many changes up to the end.
    Course {
        n_right: usize,
    },
    Nothing,
    /// It would take too long to find out.
    TooMuch,
}

/// Tries courses of the records, which are in the order of time, up to the instant `end`; `judged` is the customer who took
/// them in that order.
pub fn search(
    judged: &Customer<'_>,
    records: &[Record],
    end: i64,
    published: &[Published],
    origin: &dyn Fn(&Record) -> String,
) -> Found {
    let origins: Vec<String> = records.iter().map(origin).collect();
    let work_max = WORK_MAX + ROUNDS_MAX * judged.work();
    let run = |is_wide| {
        let origins = origins.clone();
        Search { records, origins, end, published, is_wide, work: 0, work_max, seen: HashSet::new() }
            .run(judged.rules())
    };
    match run(false) {
        Found::Nothing => run(true),
        found => found,
    }
}

struct Search<'s> {
    records: &'s [Record],
    /// What published changes call the records.
    origins: Vec<String>,
    end: i64,
    published: &'s [Published],
    /// Whether records of other topics may come first although nothing that was published speaks for it.
    is_wide: bool,
    work: u64,
    work_max: u64,
    seen: HashSet<Place>,
}

/// Where a course has come to: two with the same have the same future.
#[derive(PartialEq, Eq, Hash)]
struct Place {
    taken: Vec<bool>,
    clock: i64,
    n_agreed: usize,
    memory: Memory,
}

/// A course of things, up to somewhere.
#[derive(Clone)]
struct Course<'a> {
    customer: Customer<'a>,
    /// The records in the order in which they were taken.
    order: Vec<usize>,
    taken: Vec<bool>,
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
    fn run(&mut self, rules: &Rules) -> Found {
        let start = Course {
            customer: Customer::new(rules),
            order: Vec::new(),
            taken: vec![false; self.records.len()],
            clock: i64::MIN,
            n_agreed: 0,
        };
        // Courses with the step that was not tried yet, the best last.
        let mut open = vec![(start, None)];
        while let Some((mut course, mut next)) = open.pop() {
            loop {
                if let Some(step) = next.take() {
                    if self.work >= self.work_max {
                        return Found::TooMuch;
                    }
                    if self.take(&mut course, step).is_break() {
                        break;
                    }
                }
                if course.order.len() == self.records.len() {
                    if let Some(n_right) = self.finish(&mut course) {
                        return Found::Course { n_right };
                    }
                    break;
                }
                let mut steps = self.steps(&course);
                next = steps.pop();
                open.extend(steps.into_iter().map(|step| (course.clone(), Some(step))));
                if open.len() * self.records.len() > OPEN_EVENTS_MAX {
                    return Found::TooMuch;
                }
            }
        }
        Found::Nothing
    }

    /// Break: what was published goes another way, or another course has been here.
    fn take(&mut self, course: &mut Course<'_>, step: Step) -> ControlFlow<()> {
        let work = course.customer.work();
        course.order.push(step.record);
        course.taken[step.record] = true;
        course.clock = step.clock;
        course.customer.take(&self.records[step.record].event, step.clock);
        self.work += course.customer.work() - work;
        if !self.agrees(course) || self.is_past(course, step.record) {
            return ControlFlow::Break(());
        }
        let place = Place {
            taken: course.taken.clone(),
            clock: course.clock,
            n_agreed: course.n_agreed,
            memory: course.customer.memory(course.clock, &course.order),
        };
        if self.seen.insert(place) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    /// The number of changes up to the end, when that is what was published.
    fn finish(&self, course: &mut Course<'_>) -> Option<usize> {
        course.customer.pass_time(self.end);
        let is_right = self.agrees(course) && self.published[course.n_agreed..].iter().all(|one| one.is_new);
        is_right.then_some(course.n_agreed)
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

    /// Whether something that was published can come no more: it is of before, or of the event just taken.
    fn is_past(&self, course: &Course<'_>, taken: usize) -> bool {
        let to_come = &self.published[course.n_agreed..];
        let latest = course.customer.latest();
        let is_before = |one: &Published| match one.said.origin {
            Some(_) => one.said.effective_at < latest,
            None => one.said.effective_at <= latest,
        };
        let is_of_taken = |one: &Published| one.said.origin.as_ref() == Some(&self.origins[taken]);
        to_come.first().is_some_and(is_before) || to_come.iter().any(is_of_taken)
    }

    /// The ways on, the likeliest last.
    fn steps(&self, course: &Course<'_>) -> Vec<Step> {
        // Of each topic only its next record can come.
        let mut heads: Vec<usize> = Vec::new();
        for (number, record) in self.records.iter().enumerate().filter(|(number, _)| !course.taken[*number]) {
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
                steps.extend(self.clocks(course, head).into_iter().map(|clock| Step { record: head, clock }));
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

    /// Where the clock may have stood, the likeliest last. Of those that make no difference the least stands for all.
    fn clocks(&self, course: &Course<'_>, number: usize) -> Vec<i64> {
        let record = &self.records[number];
        let low = record.clock_min.max(course.clock);
        let high = record.clock_max.min(self.end).max(low);
        let mut clocks = BTreeSet::from([low]);
        // Past changes that time alone had made before the record came, one by one.
        let elapsed = self.published[course.n_agreed..].iter().take_while(|one| one.said.origin.is_none());
        clocks.extend(elapsed.map(|one| one.said.effective_at).filter(|at| *at >= record.event.time));
        // So late that nobody looks for duplicates any more, of this event or of one like it.
        let window = course.customer.rules().kinds[record.event.kind].dedup_window;
        clocks.extend(self.like(number).map(|like| like.event.time + window + 1));
        clocks.retain(|clock| (low..=high).contains(clock));
        let likeliest = record.clock.clamp(low, high);
        let (before, after): (Vec<i64>, Vec<i64>) = clocks.into_iter().partition(|clock| *clock <= likeliest);
        after.into_iter().rev().chain(before).collect()
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
