//! What rules keep of each customer, and roughly how many bytes: plain data for `dormouse check`. An estimate from
//! how facts are written (`engine::facts`), not a measurement.

use std::collections::BTreeSet;

use super::plan::{
    ComparisonId, Condition, DimensionId, Feature, FeatureId, InterestLimits, Linear, Plan, SegmentId, Series,
    SeriesId, Test,
};
use crate::event::Span;

/// What a plan costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// Indexed by [`SeriesId`].
    pub series: Vec<SeriesCost>,
    /// In the order of the configuration.
    pub segments: Vec<SegmentCost>,
    /// Attributes of the profile that are kept.
    pub n_profile_attributes: usize,
    /// At most, for the last items of each customer; zero where the rules do not ask for interests.
    pub interest_bytes: usize,
}

/// What is kept of a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesCost {
    /// The longest window; none: only totals are kept.
    pub window: Option<Span>,
    /// Columns and value fields of each bucket; always begins with its count. Empty without a window.
    pub columns: Vec<&'static str>,
    /// Totals over all events ever.
    pub totals: Vec<&'static str>,
    /// For each event in the window, when they come about a day apart and have one line.
    pub event_bytes: usize,
    /// For each customer who has an event of it.
    pub customer_bytes: usize,
    /// How many segments read it.
    pub n_segments: usize,
}

/// What a segment reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentCost {
    pub dimension: DimensionId,
    pub segment: SegmentId,
    /// In `when` and `stay`, also those of scores.
    pub n_features: usize,
    pub n_comparisons: usize,
    pub series: BTreeSet<SeriesId>,
}

/// Estimates what a plan costs.
pub fn of(plan: &Plan) -> Cost {
    let mut segments = Vec::new();
    for (d, dimension) in plan.dimensions.iter().enumerate() {
        for (s, segment) in dimension.segments.iter().enumerate() {
            let mut comparisons = BTreeSet::new();
            [Some(&segment.when), segment.stay.as_ref()]
                .into_iter()
                .flatten()
                .for_each(|condition| read(condition, &mut comparisons));
            let mut features = BTreeSet::new();
            comparisons.iter().for_each(|id| features_of(plan, &plan.comparison(*id).test, &mut features));
            segments.push(SegmentCost {
                dimension: DimensionId(d as u8),
                segment: SegmentId(s as u8),
                n_features: features.len(),
                n_comparisons: comparisons.len(),
                series: features.iter().filter_map(|id| series_of(plan.feature(*id))).collect(),
            });
        }
    }
    let series = plan.series.iter().enumerate().map(|(index, series)| {
        let readers = segments.iter().filter(|segment| segment.series.contains(&SeriesId(index as u16)));
        series_cost(plan, series, readers.count())
    });
    Cost {
        series: series.collect(),
        segments,
        n_profile_attributes: plan.profile.len(),
        interest_bytes: interest_bytes(plan.interests),
    }
}

/// Each item has its time, a byte of flags, an event id of a dozen bytes and what is offered: names as numbers, queries
/// as they are.
fn interest_bytes(limits: InterestLimits) -> usize {
    if !limits.any() {
        return 0;
    }
    let names = [limits.products, limits.categories, limits.brands].map(|limit| if limit > 0 { 2 } else { 0 });
    let query = if limits.queries > 0 { 6 } else { 0 };
    InterestLimits::ITEMS_MAX * (4 + 1 + 12 + names.iter().sum::<usize>() + query)
}

fn read(condition: &Condition, comparisons: &mut BTreeSet<ComparisonId>) {
    match condition {
        Condition::Constant(_) => {}
        Condition::Compare(id) => {
            comparisons.insert(*id);
        }
        Condition::Not(inner) => read(inner, comparisons),
        Condition::All(parts) | Condition::Any(parts) => parts.iter().for_each(|part| read(part, comparisons)),
    }
}

fn features_of(plan: &Plan, test: &Test, features: &mut BTreeSet<FeatureId>) {
    match test {
        Test::Linear { left, right, .. } => [left, right].into_iter().for_each(|side| terms_of(plan, side, features)),
        Test::LinearIn { left, .. } => terms_of(plan, left, features),
        Test::Text { .. } | Test::TextIn { .. } | Test::Flag { .. } | Test::Has(_) => {}
    }
}

fn terms_of(plan: &Plan, linear: &Linear, features: &mut BTreeSet<FeatureId>) {
    for (_, id) in &linear.terms {
        if !features.insert(*id) {
            continue;
        }
        // A score's own scores have smaller numbers: this ends.
        if let Feature::Score(score) = plan.feature(*id) {
            terms_of(plan, &plan.score(*score).of, features);
        }
    }
}

fn series_of(feature: &Feature) -> Option<SeriesId> {
    match feature {
        Feature::Window { series, .. } | Feature::Ever { series, .. } => Some(*series),
        Feature::SinceLast(series) | Feature::SinceFirst(series) | Feature::Gap(series) => Some(*series),
        Feature::CustomerAge
        | Feature::Profile(_)
        | Feature::DaysUntil(_)
        | Feature::SegmentAge(_)
        | Feature::Score(_) => None,
    }
}

/// An amount of some tens of units, in cents.
const AMOUNT_BYTES: usize = 2;
/// A value's number among all, and how many of its field the bucket has.
const VALUE_BYTES: usize = 3;
/// A sum, an instant some years after the first.
const TOTAL_BYTES: usize = 4;

fn series_cost(plan: &Plan, series: &Series, n_segments: usize) -> SeriesCost {
    let is_windowed = series.longest_window.0 > 0;
    let kept = series.buckets;
    let amounts = [(kept.sum, "sum"), (kept.max, "max"), (kept.min, "min")];
    let amounts: Vec<&str> = amounts.into_iter().filter(|(kept, _)| *kept).map(|(_, name)| name).collect();
    let values: Vec<&str> = series.values.iter().map(|field| field.name()).collect();
    let totals = series.totals;
    let totals = [
        (totals.count, "count"),
        (totals.sum, "sum"),
        (totals.max, "max"),
        (totals.min, "min"),
        (totals.days, "days"),
        (totals.first, "first"),
        (totals.last, "last"),
    ];
    let totals: Vec<&str> = totals.into_iter().filter(|(kept, _)| *kept).map(|(_, name)| name).collect();
    let resolution = plan.kinds[series.kind.0 as usize].resolution;
    let step = step_bytes(resolution, !amounts.is_empty());
    // One event's largest and smallest amount are its sum: one number stands for all.
    let amount = if amounts.is_empty() { 0 } else { AMOUNT_BYTES };
    let columns = if is_windowed { [vec!["count"], amounts, values].concat() } else { Vec::new() };
    SeriesCost {
        window: is_windowed.then_some(series.longest_window),
        event_bytes: if is_windowed { step + amount + VALUE_BYTES * series.values.len() } else { 0 },
        columns,
        customer_bytes: usize::from(is_windowed) + TOTAL_BYTES * totals.len(),
        totals,
        n_segments,
    }
}

/// The time of an event, a day after the one before, counted in steps of the resolution; two bits are for flags when
/// there are amounts, one otherwise; seven fit in a byte.
fn step_bytes(resolution: Span, has_amounts: bool) -> usize {
    let flags = if has_amounts { 2 } else { 1 };
    let steps = (Span::DAY.0 / resolution.0).max(1) as u64;
    let bits = (u64::BITS - steps.leading_zeros() + flags) as usize;
    bits.div_ceil(7)
}
