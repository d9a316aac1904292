//! Which conditions of the rules look at facts of a kind: what may be wrong when events of it are missing.

use std::collections::BTreeSet;

use crate::event::KindId;
use crate::rules::Plan;
use crate::rules::plan::{Feature, Linear, Test};

/// More would not help anybody.
const NAMED_MAX: usize = 5;

/// The texts of conditions that events of `kind` matter to (without one: of any kind), for people.
pub fn conditions(plan: &Plan, kind: Option<KindId>) -> String {
    let texts: BTreeSet<&str> = plan
        .comparisons
        .iter()
        .filter(|comparison| test_reads(plan, &comparison.test, kind))
        .map(|comparison| &*comparison.text)
        .collect();
    let more = texts.len().saturating_sub(NAMED_MAX);
    let mut named = texts.into_iter().take(NAMED_MAX).collect::<Vec<_>>().join("; ");
    if more > 0 {
        named.push_str(&format!("; and {more} more"));
    }
    named
}

fn test_reads(plan: &Plan, test: &Test, kind: Option<KindId>) -> bool {
    match test {
        Test::Linear { left, right, .. } => linear_reads(plan, left, kind) || linear_reads(plan, right, kind),
        Test::LinearIn { left, .. } => linear_reads(plan, left, kind),
        // Profile attributes and standings; the former come with profile events.
        Test::Text { .. } | Test::TextIn { .. } | Test::Flag { .. } | Test::Has(_) => kind.is_none(),
    }
}

fn linear_reads(plan: &Plan, linear: &Linear, kind: Option<KindId>) -> bool {
    linear.terms.iter().any(|(_, feature)| feature_reads(plan, plan.feature(*feature), kind))
}

fn feature_reads(plan: &Plan, feature: &Feature, kind: Option<KindId>) -> bool {
    match feature {
        Feature::Window { series, .. }
        | Feature::Ever { series, .. }
        | Feature::SinceLast(series)
        | Feature::SinceFirst(series)
        | Feature::Gap(series) => kind.is_none_or(|kind| plan.series[usize::from(series.0)].kind == kind),
        Feature::CustomerAge => true,
        Feature::Profile(_) | Feature::DaysUntil(_) => kind.is_none(),
        Feature::SegmentAge(_) => false,
        Feature::Score(score) => linear_reads(plan, &plan.score(*score).of, kind),
    }
}
