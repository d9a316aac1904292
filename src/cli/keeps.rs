//! What rules are made of, for people: for each segment which events it looks at and how far back, and what is kept of
//! each customer for all of them together.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::event::Span;
use crate::rules::Plan;
use crate::rules::plan::{Condition, Feature, FeatureId, Linear, ScoreId, Segment, SeriesId, Test};

/// How far back each series is looked at; zero: only over all time.
type Looks = BTreeMap<SeriesId, Span>;

/// The text, with a line break at its end.
pub fn text(plan: &Plan) -> String {
    let n_segments: usize = plan.dimensions.iter().map(|dimension| dimension.segments.len()).sum();
    let mut text = format!("rules {}\n", plan.version);
    let _ = writeln!(text, "{}, {}", counted(plan.dimensions.len(), "dimension"), counted(n_segments, "segment"));
    for dimension in &plan.dimensions {
        let _ = writeln!(text, "\n{}", dimension.name);
        for segment in &dimension.segments {
            let _ = writeln!(text, "  {:<20} {}", segment.name, looks_at(plan, segment));
        }
    }
    let _ = writeln!(text, "\nkept of each customer");
    for (series, kept) in plan.series.iter().enumerate() {
        let id = SeriesId(series as u16);
        let columns = columns(plan, id);
        let reach = if kept.longest_window == Span(0) {
            "totals".to_owned()
        } else {
            format!("{} at {}", kept.longest_window, plan.kinds[usize::from(kept.kind.0)].resolution)
        };
        let _ = writeln!(text, "  {:<20} {reach:<14} {columns}", name(plan, id));
    }
    let profile: Vec<&str> = plan.profile.iter().map(|id| &*plan.schema.attributes[usize::from(id.0)]).collect();
    if !profile.is_empty() {
        let _ = writeln!(text, "  {:<20} {:<14} {}", "profile", "the latest", profile.join(", "));
    }
    text
}

fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// The events that a segment's conditions look at.
fn looks_at(plan: &Plan, segment: &Segment) -> String {
    let mut looks = Looks::new();
    for condition in std::iter::once(&segment.when).chain(&segment.stay) {
        condition_looks(plan, condition, &mut looks);
    }
    if looks.is_empty() {
        return "no events".to_owned();
    }
    let parts: Vec<String> = looks
        .into_iter()
        .map(|(series, window)| match window {
            Span(0) => format!("{} ever", name(plan, series)),
            window => format!("{} {window}", name(plan, series)),
        })
        .collect();
    parts.join(", ")
}

fn condition_looks(plan: &Plan, condition: &Condition, looks: &mut Looks) {
    match condition {
        Condition::Constant(_) => {}
        Condition::Not(inner) => condition_looks(plan, inner, looks),
        Condition::All(parts) | Condition::Any(parts) => {
            parts.iter().for_each(|part| condition_looks(plan, part, looks));
        }
        Condition::Compare(id) => match &plan.comparison(*id).test {
            Test::Linear { left, right, .. } => {
                linear_looks(plan, left, looks);
                linear_looks(plan, right, looks);
            }
            Test::LinearIn { left, .. } => linear_looks(plan, left, looks),
            Test::Text { .. } | Test::TextIn { .. } | Test::Flag { .. } | Test::Has(_) => {}
        },
    }
}

fn linear_looks(plan: &Plan, linear: &Linear, looks: &mut Looks) {
    linear.terms.iter().for_each(|(_, feature)| feature_looks(plan, *feature, looks));
}

fn feature_looks(plan: &Plan, feature: FeatureId, looks: &mut Looks) {
    let (series, window) = match plan.feature(feature) {
        Feature::Window { series, window, .. } => (*series, *window),
        Feature::Ever { series, .. } => (*series, Span(0)),
        Feature::SinceLast(series) | Feature::SinceFirst(series) | Feature::Gap(series) => (*series, Span(0)),
        Feature::Score(ScoreId(score)) => return linear_looks(plan, &plan.scores[usize::from(*score)].of, looks),
        Feature::CustomerAge | Feature::Profile(_) | Feature::DaysUntil(_) | Feature::SegmentAge(_) => return,
    };
    let longest = looks.entry(series).or_default();
    *longest = (*longest).max(window);
}

/// Series of one kind with filters are told apart by number: their text is not part of the plan.
fn name(plan: &Plan, id: SeriesId) -> String {
    let series = &plan.series[usize::from(id.0)];
    let kind = &plan.schema.kinds[usize::from(series.kind.0)].name;
    if series.filter.is_none() {
        return kind.to_string();
    }
    let before = &plan.series[..usize::from(id.0)];
    let n = 1 + before.iter().filter(|other| other.kind == series.kind && other.filter.is_some()).count();
    format!("{kind}.where #{n}")
}

fn columns(plan: &Plan, id: SeriesId) -> String {
    let series = &plan.series[usize::from(id.0)];
    let (buckets, totals) = (&series.buckets, &series.totals);
    let is_windowed = series.longest_window > Span(0);
    let mut names: Vec<&str> = [
        ("count", is_windowed || totals.count),
        ("sum", buckets.sum || totals.sum),
        ("max", buckets.max || totals.max),
        ("min", buckets.min || totals.min),
        ("days", totals.days),
        ("first", totals.first),
        ("last", totals.last),
    ]
    .into_iter()
    .filter_map(|(name, is_kept)| is_kept.then_some(name))
    .collect();
    names.extend(series.values.iter().map(|field| field.name()));
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(rules: &str, expected: Expect) {
        let plan = crate::config::rules::load_text("segments.toml", rules).expect("right").plan;
        let text = text(&plan).replace(&*plan.version, "<version>");
        expected.assert_eq(&text);
    }

    #[test]
    fn the_first_rules_keep_half_a_year_of_orders() {
        check(
            include_str!("../../config/segments.toml"),
            expect![[r#"
                rules <version>
                2 dimensions, 6 segments

                activity
                  new                  purchase ever
                  active               purchase 90d
                  promising            purchase 90d
                  dormant              purchase ever

                spend
                  high                 purchase 180d, refund 180d
                  low                  purchase 180d

                kept of each customer
                  purchase             180d at 1s     count, sum, first, last
                  refund               180d at 1s     count, sum
            "#]],
        );
    }

    #[test]
    fn filters_scores_values_and_profiles_are_told() {
        let rules = r#"
            [kind.browse]
            resolution = "1h"
            [score.money]
            of = 'purchase.sum("365d")'
            cuts = [100, 1000]
            [[dimension]]
            name = "d"
            [[dimension.segment]]
            name = "fan"
            when = 'purchase.where(brand == "x").count("30d") >= 2 && browse.distinct(category, "7d") >= 3'
            [[dimension.segment]]
            name = "rich"
            when = 'score.money >= 3 || profile.vip == true'
            [[dimension.segment]]
            name = "rest"
            when = 'true'
        "#;
        check(
            rules,
            expect![[r#"
                rules <version>
                1 dimension, 3 segments

                d
                  fan                  purchase.where #1 30d, browse 7d
                  rich                 purchase 365d
                  rest                 no events

                kept of each customer
                  purchase             365d at 1s     count, sum
                  purchase.where #1    30d at 1s      count
                  browse               7d at 1h       count, category
                  profile              the latest     vip
            "#]],
        );
    }
}
