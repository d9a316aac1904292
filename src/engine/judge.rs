//! Judging one customer at one instant (SPEC 4): every dimension in order, moves until nothing moves, and the first
//! later instant at which any outcome can differ.

use smallvec::SmallVec;

use super::change::{Cause, Change, EvidenceList};
use super::dependence::{Dependence, SmallSet, Touched};
use super::evidence;
use super::facts::customer::Cooldowns;
use super::facts::view::View;
use crate::event::{Instant, Span};
use crate::rules::decider::Decider;
use crate::rules::plan::{self, Condition, DimensionId, Plan, Segment, SegmentId};
use crate::rules::verdict::Verdict;

/// What the rules say about judging, beside the conditions themselves.
#[derive(Debug)]
pub struct Terms {
    pub cooldowns: Cooldowns,
    pub dependence: Dependence,
    pub decider: Decider,
}

impl Terms {
    pub fn new(plan: &Plan) -> Terms {
        Terms { cooldowns: Cooldowns::new(plan), dependence: Dependence::new(plan), decider: Decider::new(plan) }
    }
}

/// Where and when, for one judgement.
#[derive(Debug, Clone, Copy)]
pub struct Occasion {
    pub at: Instant,
    pub cause: Cause,
    /// When the customer was due before this.
    pub due: Instant,
}

impl Occasion {
    /// Time has come to the customer's due.
    pub fn elapsed(due: Instant) -> Occasion {
        Occasion { at: due, cause: Cause::Elapsed, due }
    }
}

/// An until further away than this need not be exact: most customers have an event before, which makes another of it,
/// and for the others it costs a look now and then.
const FAR: Span = Span(30 * Span::DAY.0);

/// Judges an open customer; returns when they are due next.
///
/// A dimension is looked at when an event or an earlier move touched what it reads, or when its bound has come; in the
/// first case only at the segments that read it, as long as that suffices. The old due is a bound of every dimension
/// too, and exact where the stored one is cut to the hour.
pub fn judge(
    view: &mut View,
    terms: &Terms,
    occasion: Occasion,
    touched: &mut Touched,
    out: &mut Vec<Change>,
) -> Instant {
    let mut looked_at = SmallSet::EMPTY;
    let mut due = Instant::NEVER;
    for index in 0..view.plan.dimensions.len() {
        let dimension = DimensionId(index as u8);
        let bound = view.customer.bounds[index].max(occasion.due);
        if bound > occasion.at
            && let Some(until) = match touched.segments(index) {
                None => Some(bound),
                Some(touched) => stays_for(view, terms, (dimension, touched), (occasion.at, bound)),
            }
        {
            if until < bound {
                view.customer.bounds[index] = until;
                looked_at.insert(index);
            }
            due = due.min(until);
            continue;
        }
        looked_at.insert(index);
        let mut is_first_look = true;
        loop {
            let (target, until) = target(view, terms, dimension, occasion, is_first_look);
            let current = view.customer.segments[index];
            if target == current {
                view.customer.bounds[index] = until;
                due = due.min(until);
                break;
            }
            move_to(view, terms, (dimension, target), occasion, out);
            touched.add(terms.dependence.on_dimension(index));
            is_first_look = false;
        }
    }
    sharpen(view, terms, occasion, looked_at, due)
}

/// Until when the customer stays where they are, for whom that was certain until `bound` before some segments were
/// touched. `None`: everything has to be looked at.
fn stays_for(
    view: &mut View,
    terms: &Terms,
    (dimension, touched): (DimensionId, &SmallSet),
    (at, bound): (Instant, Instant),
) -> Option<Instant> {
    let current = view.customer.segments[usize::from(dimension.0)];
    let segments = &view.plan.dimension(dimension).segments;
    // Later segments than theirs move nobody. Their own may hold for longer than it did.
    let n_before = current.map_or(segments.len(), |current| usize::from(current.0));
    let is_own_touched = current.is_some_and(|current| touched.contains(usize::from(current.0)));
    // Who may not leave yet need not be in the first segment that holds.
    if is_own_touched || stay_end(view, dimension).is_some_and(|end| at < end) {
        return None;
    }
    let (mut until, far) = (bound, at + FAR);
    let mut next = touched.next(0);
    while let Some(index) = next.filter(|index| *index < n_before) {
        let id = SegmentId(index as u8);
        let verdict = enters(view, terms, (dimension, id), &segments[index], (at, until.min(far)));
        if verdict.holds {
            return None;
        }
        until = until.min(verdict.until);
        next = touched.next(index + 1);
    }
    Some(until)
}

/// Until when the customer may not leave their segment.
pub(super) fn stay_end(view: &mut View, dimension: DimensionId) -> Option<Instant> {
    let index = usize::from(dimension.0);
    let current = view.customer.segments[index]?;
    let min_stay = view.plan.dimension(dimension).segments[usize::from(current.0)].min_stay?;
    Some(view.customer.history(view.plan, view.cooldowns).since[index] + min_stay)
}

/// The due, where a bound that is cut to the hour would make it too early: the dimension is looked at again, which
/// costs less while the customer is open than a judgement in vain.
fn sharpen(view: &mut View, terms: &Terms, occasion: Occasion, mut looked_at: SmallSet, mut due: Instant) -> Instant {
    let n_dimensions = view.plan.dimensions.len();
    // The old due is exact.
    while due != occasion.due && !due.is_never() {
        let mut not_looked_at = (0..n_dimensions).filter(|index| !looked_at.contains(*index));
        let Some(index) = not_looked_at.find(|index| view.customer.bounds[*index] == due) else { break };
        looked_at.insert(index);
        let (_, until) = target(view, terms, DimensionId(index as u8), occasion, true);
        view.customer.bounds[index] = until;
        let bounds = view.customer.bounds.iter().enumerate();
        let exact_or_known = |(index, bound): (usize, &Instant)| match looked_at.contains(index) {
            true => *bound,
            false => *bound.max(&occasion.due),
        };
        due = bounds.map(exact_or_known).min().unwrap_or(Instant::NEVER);
    }
    due
}

/// When the customer's standing can change next, after `at`, moving nobody. Where it should already be another, at
/// once after `at`.
pub fn next_due(view: &mut View, terms: &Terms, at: Instant) -> Instant {
    let occasion = Occasion::elapsed(at);
    let mut due = Instant::NEVER;
    for index in 0..view.plan.dimensions.len() {
        let (target, until) = target(view, terms, DimensionId(index as u8), occasion, true);
        let stays = target == view.customer.segments[index];
        let bound = if stays { until } else { Instant(at.0 + 1) };
        view.customer.bounds[index] = bound;
        due = due.min(bound);
    }
    due
}

/// Where the customer belongs in a dimension, and until when that is certain.
fn target(
    view: &mut View,
    terms: &Terms,
    dimension: DimensionId,
    Occasion { at, cause, .. }: Occasion,
    is_first_look: bool,
) -> (Option<SegmentId>, Instant) {
    let index = usize::from(dimension.0);
    if let Some(end) = stay_end(view, dimension)
        && at < end
        && !(cause == Cause::LateEvent
            && is_first_look
            && at == view.customer.history(view.plan, view.cooldowns).since[index])
    {
        // Often they stay then too.
        let (then, until) = free_target(view, terms, dimension, end);
        let current = view.customer.segments[index];
        return (current, if then == current { until } else { end });
    }
    free_target(view, terms, dimension, at)
}

/// The same for one who may leave.
fn free_target(view: &mut View, terms: &Terms, dimension: DimensionId, at: Instant) -> (Option<SegmentId>, Instant) {
    let plan = view.plan;
    let current = view.customer.segments[usize::from(dimension.0)];
    let segments = &plan.dimension(dimension).segments;
    let (mut until, far) = (Instant::NEVER, at + FAR);
    for (index, segment) in segments.iter().enumerate() {
        let id = SegmentId(index as u8);
        let verdict = if current == Some(id) {
            stays(view, terms, segment, (at, until.min(far)))
        } else {
            enters(view, terms, (dimension, id), segment, (at, until.min(far)))
        };
        until = until.min(verdict.until);
        if verdict.holds {
            return (Some(id), until);
        }
    }
    (None, until)
}

/// Whether who is in the segment stays in it. What is not before `limit` need not be exact.
pub(super) fn stays(view: &mut View, terms: &Terms, segment: &Segment, (at, limit): (Instant, Instant)) -> Verdict {
    let when = terms.decider.condition(view.plan, view, &segment.when, at, limit);
    match &segment.stay {
        Some(stay) if !(when.holds && when.until >= limit) => {
            when.or(terms.decider.condition(view.plan, view, stay, at, limit))
        }
        _ => when,
    }
}

/// Whether who is not in the segment enters it. What is not before `limit` need not be exact.
pub(super) fn enters(
    view: &mut View,
    terms: &Terms,
    (dimension, id): (DimensionId, SegmentId),
    segment: &Segment,
    (at, limit): (Instant, Instant),
) -> Verdict {
    if !is_listed(view, dimension, segment) {
        return Verdict::forever(false);
    }
    let cooldown = match cooldown_end(view, terms, (dimension, id), segment) {
        Some(end) if at < end => Verdict { holds: false, until: end },
        _ => Verdict::forever(true),
    };
    if !cooldown.holds && cooldown.until >= limit {
        return cooldown;
    }
    cooldown.and(terms.decider.condition(view.plan, view, &segment.when, at, limit))
}

/// Whether the segment can be entered from where the customer is.
pub(super) fn is_listed(view: &View, dimension: DimensionId, segment: &Segment) -> bool {
    let current = view.customer.segments[usize::from(dimension.0)];
    let is_in = |from: &plan::From| current.map_or(from.none, |current| from.segments.contains(&current));
    segment.from.as_ref().is_none_or(is_in)
}

/// When the cooldown of a segment that was left ends; `None`: it never was, or has none.
pub fn cooldown_end(
    view: &mut View,
    terms: &Terms,
    (dimension, id): (DimensionId, SegmentId),
    segment: &Segment,
) -> Option<Instant> {
    let number = terms.cooldowns.of(dimension, id)?;
    let left = view.customer.history(view.plan, view.cooldowns).left[number];
    (!left.is_never()).then(|| left + segment.cooldown.unwrap_or_default())
}

fn move_to(
    view: &mut View,
    terms: &Terms,
    (dimension, target): (DimensionId, Option<SegmentId>),
    Occasion { at, cause, .. }: Occasion,
    out: &mut Vec<Change>,
) {
    let index = usize::from(dimension.0);
    let from = view.customer.segments[index];
    // Where it stays, since moving what was just written has to wait.
    out.push(Change {
        customer: std::str::from_utf8(&view.customer.id).expect("ids come as text").into(),
        sequence: 0,
        dimension,
        from,
        to: target,
        from_since: None,
        effective_at: at,
        cause,
        evidence: EvidenceList::new(),
        reason: None,
        interests: None,
        standing: SmallVec::new(),
    });
    let change = out.last_mut().expect("it was just pushed");
    gather(view, terms, (dimension, from, target), at, &mut change.evidence);
    let history = view.customer.history_mut(view.plan, view.cooldowns);
    if let Some(number) = from.and_then(|segment| terms.cooldowns.of(dimension, segment)) {
        history.left[number] = at;
    }
    let from_since = std::mem::replace(&mut history.since[index], at);
    history.sequence += 1;
    change.sequence = history.sequence;
    change.from_since = (!from_since.is_never()).then_some(from_since);
    view.customer.segments[index] = target;
    change.standing.extend_from_slice(&view.customer.segments);
}

/// What decided: the condition of the segment entered, or of the one that could not be kept.
fn gather(
    view: &mut View,
    terms: &Terms,
    (dimension, from, to): (DimensionId, Option<SegmentId>, Option<SegmentId>),
    at: Instant,
    out: &mut EvidenceList,
) {
    let plan = view.plan;
    let segments = &plan.dimension(dimension).segments;
    let conditions: [Option<&Condition>; 2] = match (to, from) {
        (Some(to), _) => [Some(&segments[usize::from(to.0)].when), None],
        (None, Some(from)) => {
            let left = &segments[usize::from(from.0)];
            [Some(&left.when), left.stay.as_ref()]
        }
        (None, None) => [None, None],
    };
    for condition in conditions.into_iter().flatten() {
        evidence::gather(view, &terms.decider, condition, at, out);
    }
}
