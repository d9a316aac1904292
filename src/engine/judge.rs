//! Judging one customer at one instant (SPEC 4): every dimension in order, moves until nothing moves, and the first
//! later instant at which any outcome can differ.

use super::change::{Cause, Change, Evidence};
use super::dependence::{Dependence, DimensionSet};
use super::evidence;
use super::facts::customer::{Cooldowns, Standpoint};
use super::facts::view::View;
use crate::event::Instant;
use crate::rules::plan::{self, Condition, DimensionId, Segment, SegmentId};
use crate::rules::verdict::{self, Verdict};

/// What the rules say about judging, beside the conditions themselves.
#[derive(Debug)]
pub struct Terms {
    pub cooldowns: Cooldowns,
    pub dependence: Dependence,
}

/// Where and when, for one judgement.
#[derive(Debug, Clone, Copy)]
pub struct Occasion {
    pub at: Instant,
    pub cause: Cause,
    /// Dimensions that read what an event changed.
    pub touched: DimensionSet,
    /// When the customer was due before this.
    pub due: Instant,
}

impl Occasion {
    /// Time has come to the customer's due.
    pub fn elapsed(due: Instant) -> Occasion {
        Occasion { at: due, cause: Cause::Elapsed, touched: DimensionSet::NONE, due }
    }
}

/// Judges an open customer; returns when they are due next.
///
/// A dimension is looked at when an event or an earlier move touched what it reads, or when its bound has come. The
/// old due is a bound of every dimension too, and exact where the stored one is cut to the hour.
pub fn judge(view: &mut View, terms: &Terms, occasion: Occasion, out: &mut Vec<Change>) -> Instant {
    let Terms { cooldowns, dependence } = terms;
    view.scratch.forget_verdicts();
    let mut touched = occasion.touched;
    let mut due = Instant::NEVER;
    for index in 0..view.plan.dimensions.len() {
        let bound = view.customer.bounds[index].max(occasion.due);
        if bound > occasion.at && !touched.contains(index) {
            due = due.min(bound);
            continue;
        }
        let dimension = DimensionId(index as u8);
        let mut is_first_look = true;
        loop {
            let (target, until) = target(view, cooldowns, dimension, occasion, is_first_look);
            let current = view.customer.standpoints[index].segment();
            if target == current {
                view.customer.bounds[index] = until;
                due = due.min(until);
                break;
            }
            move_to(view, cooldowns, (dimension, target), occasion, out);
            touched.add(dependence.on_dimension(index));
            is_first_look = false;
        }
    }
    due
}

/// When the customer's standing can change next, after `at`, moving nobody. Where it should already be another, at
/// once after `at`.
pub fn next_due(view: &mut View, cooldowns: &Cooldowns, at: Instant) -> Instant {
    view.scratch.forget_verdicts();
    let occasion = Occasion::elapsed(at);
    let mut due = Instant::NEVER;
    for index in 0..view.plan.dimensions.len() {
        let (target, until) = target(view, cooldowns, DimensionId(index as u8), occasion, true);
        let stays = target == view.customer.standpoints[index].segment();
        let bound = if stays { until } else { Instant(at.0 + 1) };
        view.customer.bounds[index] = bound;
        due = due.min(bound);
    }
    due
}

/// Where the customer belongs in a dimension, and until when that is certain.
fn target(
    view: &mut View,
    cooldowns: &Cooldowns,
    dimension: DimensionId,
    Occasion { at, cause, .. }: Occasion,
    is_first_look: bool,
) -> (Option<SegmentId>, Instant) {
    let plan = view.plan;
    let standpoint = view.customer.standpoints[usize::from(dimension.0)];
    let segments = &plan.dimension(dimension).segments;
    if let Some(end) = bound_end(view, dimension)
        && at < end
        && !(cause == Cause::LateEvent && at == standpoint.since && is_first_look)
    {
        return (standpoint.segment(), end);
    }
    let mut until = Instant::NEVER;
    for (index, segment) in segments.iter().enumerate() {
        let id = SegmentId(index as u8);
        let verdict = if standpoint.segment() == Some(id) {
            stays(view, segment, at)
        } else {
            enters(view, cooldowns, (dimension, id), segment, at)
        };
        until = until.min(verdict.until);
        if verdict.holds {
            return (Some(id), until);
        }
    }
    (None, until)
}

/// Until when `min_stay` keeps the customer where they are.
pub(super) fn bound_end(view: &View, dimension: DimensionId) -> Option<Instant> {
    let standpoint = view.customer.standpoints[usize::from(dimension.0)];
    let current = standpoint.segment()?;
    let min_stay = view.plan.dimension(dimension).segments[usize::from(current.0)].min_stay?;
    Some(standpoint.since + min_stay)
}

/// Whether who is in the segment stays in it.
pub(super) fn stays(view: &mut View, segment: &Segment, at: Instant) -> Verdict {
    let when = verdict::condition(view.plan, view, &segment.when, at);
    match &segment.stay {
        Some(stay) => when.or(verdict::condition(view.plan, view, stay, at)),
        None => when,
    }
}

/// Whether who is not in the segment may enter it.
pub(super) fn enters(
    view: &mut View,
    cooldowns: &Cooldowns,
    (dimension, id): (DimensionId, SegmentId),
    segment: &Segment,
    at: Instant,
) -> Verdict {
    if !is_listed(view, dimension, segment) {
        return Verdict::forever(false);
    }
    let when = verdict::condition(view.plan, view, &segment.when, at);
    match cooldown_end(view, cooldowns, (dimension, id), segment) {
        Some(end) if at < end => Verdict { holds: false, until: end }.and(when),
        _ => when,
    }
}

/// Whether the segment can be entered from where the customer is.
pub(super) fn is_listed(view: &View, dimension: DimensionId, segment: &Segment) -> bool {
    let current = view.customer.standpoints[usize::from(dimension.0)].segment();
    let is_in = |from: &plan::From| current.map_or(from.none, |current| from.segments.contains(&current));
    segment.from.as_ref().is_none_or(is_in)
}

/// Until when the segment's cooldown keeps the customer out, if they ever left it.
pub(super) fn cooldown_end(
    view: &View,
    cooldowns: &Cooldowns,
    (dimension, id): (DimensionId, SegmentId),
    segment: &Segment,
) -> Option<Instant> {
    let left = view.customer.left[cooldowns.of(dimension, id)?];
    (!left.is_never()).then(|| left + segment.cooldown.unwrap_or_default())
}

fn move_to(
    view: &mut View,
    cooldowns: &Cooldowns,
    (dimension, target): (DimensionId, Option<SegmentId>),
    Occasion { at, cause, .. }: Occasion,
    out: &mut Vec<Change>,
) {
    let index = usize::from(dimension.0);
    let from = view.customer.standpoints[index];
    let evidence = gather(view, dimension, (from.segment(), target), at);
    if let Some(number) = from.segment().and_then(|segment| cooldowns.of(dimension, segment)) {
        view.customer.left[number] = at;
    }
    view.customer.standpoints[index] = Standpoint::new(target, at);
    view.customer.sequence += 1;
    view.scratch.forget_verdicts();
    out.push(Change {
        customer: std::str::from_utf8(&view.customer.id).expect("ids come as text").into(),
        sequence: view.customer.sequence,
        dimension,
        from: from.segment(),
        to: target,
        from_since: (!from.since.is_never()).then_some(from.since),
        effective_at: at,
        cause,
        evidence,
        reason: None,
        standing: view.customer.standpoints.iter().map(|standpoint| standpoint.segment()).collect(),
    });
}

/// What decided: the condition of the segment entered, or of the one that could not be kept.
fn gather(
    view: &mut View,
    dimension: DimensionId,
    (from, to): (Option<SegmentId>, Option<SegmentId>),
    at: Instant,
) -> Vec<Evidence> {
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
    let mut out = Vec::new();
    for condition in conditions.into_iter().flatten() {
        evidence::gather(view, condition, at, &mut out);
    }
    out
}
