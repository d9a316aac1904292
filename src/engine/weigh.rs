//! What a segment's conditions say of a customer at an instant, for people who wonder why they are not in it. Moves
//! nobody; the evaluator is the one that judges.

use super::change::Evidence;
use super::evidence;
use super::facts::view::View;
use super::judge::{self, Terms};
use crate::event::Instant;
use crate::rules::plan::{DimensionId, SegmentId};

/// A segment held against a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weighed {
    /// Its `when`, or where the customer is in it already, its `stay`.
    pub holds: bool,
    /// The comparisons of these conditions.
    pub evidence: Vec<Evidence>,
    /// What keeps the customer out, whatever the conditions say.
    pub bar: Option<Bar>,
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

/// Holds a segment against an open customer.
pub(super) fn weigh(view: &mut View, terms: &Terms, (dimension, id): (DimensionId, SegmentId), at: Instant) -> Weighed {
    let plan = view.plan;
    let segments = &plan.dimension(dimension).segments;
    let segment = &segments[usize::from(id.0)];
    let standing = view.customer.segments[usize::from(dimension.0)];
    let is_current = standing == Some(id);
    let mut weighed = Weighed { holds: false, evidence: Vec::new(), bar: None };
    let stay = segment.stay.as_ref().filter(|_| is_current);
    for condition in [Some(&segment.when), stay].into_iter().flatten() {
        weighed.holds |= terms.decider.condition(plan, view, condition, at, at).holds;
        evidence::gather(view, &terms.decider, condition, at, &mut weighed.evidence);
    }
    if is_current {
        return weighed;
    }
    let min_stay = standing.and_then(|current| segments[usize::from(current.0)].min_stay);
    let since = view.customer.history(plan, view.cooldowns).since[usize::from(dimension.0)];
    let bound = min_stay.map(|min_stay| since + min_stay);
    let is_listed = |from: &crate::rules::plan::From| match standing {
        Some(current) => from.segments.contains(&current),
        None => from.none,
    };
    weighed.bar = if let Some(until) = bound.filter(|until| at < *until) {
        Some(Bar::MinStay { until })
    } else if segment.from.as_ref().is_some_and(|from| !is_listed(from)) {
        Some(Bar::From)
    } else {
        let cooldown = judge::cooldown_end(view, terms, (dimension, id), segment);
        cooldown.filter(|until| at < *until).map(|until| Bar::Cooldown { until })
    };
    weighed
}
