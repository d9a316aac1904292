//! Why a customer is where they are: every segment of every dimension with what its conditions read, and what passing
//! time alone will change. Looks at a customer who is open; moves nobody, publishes nothing.
//!
//! What always holds: the answers are those of the functions that judge (`super::judge`), asked once more.

use super::change::{Change, Interests, Standing};
use super::facts::view::View;
use super::judge::{self, Terms};
use crate::event::Instant;
use crate::rules::plan::{Condition, DimensionId, Segment, SegmentId};
use crate::rules::reading::{self, Reading};
use crate::rules::verdict::Verdict;

/// So many judgements are made ahead at most, when a rule keeps asking to be looked at (a date in the profile: daily).
pub const AHEAD_MAX: usize = 4_096;

/// A customer as of an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    pub at: Instant,
    /// The first event of any kind, cut to the second; `None` while only the standing is known.
    pub first: Option<Instant>,
    /// The later of the latest event and the latest change.
    pub latest: Instant,
    pub standing: Standing,
    /// What to offer; only where the rules ask for it.
    pub interests: Option<Interests>,
    /// Indexed by dimension.
    pub dimensions: Vec<Outlook>,
}

/// One dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    /// `min_stay` keeps the customer where they are until then.
    pub bound: Option<Instant>,
    /// Indexed by segment.
    pub segments: Vec<Assessment>,
    pub next: Next,
}

/// One segment of a dimension, as the customer would be judged in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// Whether it takes or keeps the customer, and until when that is certain without an event.
    pub verdict: Verdict,
    /// Whether it can be entered from where the customer is; always so for where they are.
    pub is_listed: bool,
    /// Its cooldown keeps the customer out until then.
    pub cooldown_end: Option<Instant>,
    pub when: Finding,
    /// Only of the segment that the customer is in.
    pub stay: Option<Finding>,
}

/// Why a segment is not entered although its `when` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bar {
    /// It is not entered from where the customer is.
    From,
    /// The customer left it not long enough ago.
    Cooldown { until: Instant },
    /// The customer may not yet leave where they are.
    MinStay { until: Instant },
}

/// One segment held against a customer who was expected in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weighed {
    pub assessment: Assessment,
    /// What keeps the customer out, whatever the conditions say.
    pub bar: Option<Bar>,
}

impl Weighed {
    /// Its `when`, or where the customer is in it already, its `stay`.
    pub fn holds(&self) -> bool {
        let Assessment { when, stay, .. } = &self.assessment;
        when.verdict.holds || stay.as_ref().is_some_and(|stay| stay.verdict.holds)
    }

    /// The comparisons of these conditions, each once.
    pub fn readings(&self) -> Vec<&Reading> {
        let Assessment { when, stay, .. } = &self.assessment;
        let of_stay = stay.iter().flat_map(|stay| &stay.readings).filter(|reading| !when.readings.contains(reading));
        when.readings.iter().chain(of_stay).collect()
    }
}

/// A condition at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub verdict: Verdict,
    /// Each comparison once, in the order of the condition.
    pub readings: Vec<Reading>,
}

/// A dimension's next change if nothing happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    Never,
    Change(Box<Change>),
    /// None until then; further was not looked.
    NoneUntil(Instant),
}

/// Every segment of every dimension at `at`.
pub(super) fn assess(view: &mut View, terms: &Terms, at: Instant) -> Vec<(Option<Instant>, Vec<Assessment>)> {
    let dimensions = (0..).map(DimensionId).zip(&view.plan.dimensions);
    let assess_one = |(id, dimension): (DimensionId, &crate::rules::plan::Dimension)| {
        let bound = judge::stay_end(view, id).filter(|end| at < *end);
        let segments = (0..).map(SegmentId).zip(&dimension.segments);
        (bound, segments.map(|(segment_id, segment)| assessment(view, terms, (id, segment_id), segment, at)).collect())
    };
    dimensions.map(assess_one).collect()
}

/// One segment of one dimension at `at`.
pub(super) fn weigh(view: &mut View, terms: &Terms, (dimension, id): (DimensionId, SegmentId), at: Instant) -> Weighed {
    let segment = &view.plan.dimension(dimension).segments[usize::from(id.0)];
    let assessment = assessment(view, terms, (dimension, id), segment, at);
    let is_current = view.customer.segments[usize::from(dimension.0)] == Some(id);
    let bound = judge::stay_end(view, dimension).filter(|end| !is_current && at < *end);
    let bar = match (bound, assessment.cooldown_end) {
        (Some(until), _) => Some(Bar::MinStay { until }),
        (None, _) if !assessment.is_listed => Some(Bar::From),
        (None, end) => end.map(|until| Bar::Cooldown { until }),
    };
    Weighed { assessment, bar }
}

fn assessment(
    view: &mut View,
    terms: &Terms,
    (dimension, id): (DimensionId, SegmentId),
    segment: &Segment,
    at: Instant,
) -> Assessment {
    let is_current = view.customer.segments[usize::from(dimension.0)] == Some(id);
    let verdict = match is_current {
        true => judge::stays(view, terms, segment, (at, Instant::NEVER)),
        false => judge::enters(view, terms, (dimension, id), segment, (at, Instant::NEVER)),
    };
    let cooldown_end = judge::cooldown_end(view, terms, (dimension, id), segment);
    Assessment {
        verdict,
        is_listed: is_current || judge::is_listed(view, dimension, segment),
        cooldown_end: cooldown_end.filter(|end| !is_current && at < *end),
        when: finding(view, terms, &segment.when, at),
        stay: segment.stay.as_ref().filter(|_| is_current).map(|stay| finding(view, terms, stay, at)),
    }
}

fn finding(view: &mut View, terms: &Terms, condition: &Condition, at: Instant) -> Finding {
    let verdict = terms.decider.condition(view.plan, view, condition, at, Instant::NEVER);
    let mut ids = Vec::new();
    reading::comparisons(condition, &mut ids);
    let readings = ids.into_iter().map(|id| reading::read(view.plan, &terms.decider, view, id, at));
    Finding { verdict, readings: readings.collect() }
}

/// Each dimension's first change among those that passing time brings; `end` is how far was looked, if not for ever.
pub(super) fn next(n_dimensions: usize, ahead: Vec<Change>, end: Option<Instant>) -> Vec<Next> {
    let mut next = vec![end.map_or(Next::Never, Next::NoneUntil); n_dimensions];
    for change in ahead.into_iter().rev() {
        let dimension = usize::from(change.dimension.0);
        next[dimension] = Next::Change(Box::new(change));
    }
    next
}
