//! From what the engine found to the document.

use super::report::{
    self, Cause, Comparison, Condition, Dimension, Evidence, FeatureValue, Interests, Needs, NextChange, PastChange,
    Report, Segment,
};
use crate::engine::{self, Change, Explanation, Finding, Next, Outlook, Place, Standing};
use crate::event::Instant;
use crate::rules::plan::{self, ComparisonId, DimensionId, Linear, Plan, SegmentId, Test};
use crate::rules::reading::{self, Reading};
use crate::rules::shown;
use crate::rules::words::Words;

/// The document about one customer, without their history.
pub fn compose(plan: &Plan, customer: &str, explanation: &Explanation) -> Report {
    let dimensions = (0..).map(DimensionId).zip(&explanation.dimensions).zip(&explanation.standing.places);
    let words = Words::new(plan, explanation.at);
    Report {
        customer_id: customer.to_owned(),
        at: explanation.at.to_string(),
        rules_version: plan.version.to_string(),
        timezone: plan.zone.iana_name().unwrap_or("UTC").to_owned(),
        first_event: explanation.first.map(|first| first.to_string()),
        latest: explanation.latest.to_string(),
        sequence: explanation.standing.sequence,
        dimensions: dimensions.map(|((id, outlook), place)| dimension(&words, id, outlook, place)).collect(),
        interests: explanation.interests.as_ref().map(interests),
        history: None,
    }
}

/// What a shard knows of a customer, as of its clock.
#[derive(Debug, Default)]
pub struct Known {
    pub standing: Standing,
    pub interests: Option<engine::Interests>,
    pub at: Instant,
}

/// Where a customer is, as of a shard's clock.
pub fn customer(plan: &Plan, customer: &str, known: &Known, partition: Option<i32>) -> report::Customer {
    let places = (0..).map(DimensionId).zip(&known.standing.places).map(|(id, place)| {
        let declared = plan.dimension(id);
        let segment = place.segment.map(|segment| &declared.segments[usize::from(segment.0)]);
        let shown = report::Place {
            segment: name(plan, id, place.segment),
            since: place.since.map(|since| since.to_string()),
            label: segment.and_then(|segment| text(&segment.label)),
            action: segment.and_then(|segment| text(&segment.action)),
        };
        (declared.name.to_string(), shown)
    });
    report::Customer {
        customer_id: customer.to_owned(),
        at: known.at.to_string(),
        rules_version: plan.version.to_string(),
        partition,
        sequence: known.standing.sequence,
        standing: places.collect(),
        interests: known.interests.as_ref().map(interests),
    }
}

fn interests(found: &engine::Interests) -> Interests {
    let texts = |list: &[Box<str>]| list.iter().map(|text| text.to_string()).collect();
    Interests {
        categories: texts(&found.categories),
        brands: texts(&found.brands),
        queries: texts(&found.queries),
        products: texts(&found.products),
    }
}

/// A change that there was; `origin` is the file and line of the record that caused it.
pub fn history(plan: &Plan, change: &Change, origin: Option<(&str, u64)>) -> PastChange {
    PastChange {
        sequence: change.sequence,
        dimension: plan.dimension(change.dimension).name.to_string(),
        from: name(plan, change.dimension, change.from),
        to: name(plan, change.dimension, change.to),
        from_since: change.from_since.map(|since| since.to_string()),
        effective_at: change.effective_at.to_string(),
        cause: Cause {
            kind: change.cause.name().to_owned(),
            file: origin.map(|(file, _)| file.to_owned()),
            line: origin.map(|(_, line)| line),
        },
        reason: text(&change.reason),
        evidence: evidence(plan, change),
    }
}

fn evidence(plan: &Plan, change: &Change) -> Vec<Evidence> {
    let shown = |evidence: &engine::Evidence| Evidence {
        condition: plan.comparison(evidence.comparison).text.to_string(),
        value: evidence.value.to_string(),
        holds: evidence.holds,
    };
    change.evidence.iter().map(shown).collect()
}

fn name(plan: &Plan, dimension: DimensionId, segment: Option<SegmentId>) -> Option<String> {
    segment.map(|segment| plan.segment_name(dimension, Some(segment)).to_owned())
}

/// A moment, or `None` for never.
fn moment(instant: Instant) -> Option<String> {
    (!instant.is_never()).then(|| instant.to_string())
}

fn text(text: &Option<Box<str>>) -> Option<String> {
    text.as_ref().map(|text| text.to_string())
}

fn dimension(words: &Words, id: DimensionId, outlook: &Outlook, place: &Place) -> Dimension {
    let plan = words.plan;
    let declared = plan.dimension(id);
    let current = place.segment.map(|segment| &declared.segments[usize::from(segment.0)]);
    let segments = (0..).map(SegmentId).zip(&outlook.segments);
    let segments: Vec<Segment> =
        segments.map(|(of, assessed)| segment(words, (id, of), place.segment == Some(of), assessed)).collect();
    Dimension {
        dimension: declared.name.to_string(),
        segment: name(plan, id, place.segment),
        label: current.and_then(|segment| text(&segment.label)),
        action: current.and_then(|segment| text(&segment.action)),
        since: place.since.map(|since| since.to_string()),
        reason: segments.iter().find(|segment| segment.is_current).map(|current| current.reason.clone()),
        min_stay_until: outlook.bound.and_then(moment),
        segments,
        next: match &outlook.next {
            Next::Change(change) => Some(NextChange {
                to: name(plan, id, change.to),
                label: change.to.and_then(|to| text(&declared.segments[usize::from(to.0)].label)),
                reason: text(&change.reason).unwrap_or_default(),
                at: change.effective_at.to_string(),
                evidence: evidence(plan, change),
            }),
            Next::Never | Next::NoneUntil(_) => None,
        },
        no_change_until: match outlook.next {
            Next::NoneUntil(instant) => moment(instant),
            _ => None,
        },
    }
}

fn segment(
    words: &Words,
    (dimension, id): (DimensionId, SegmentId),
    is_current: bool,
    assessed: &engine::Assessment,
) -> Segment {
    let plan = words.plan;
    let declared = &plan.dimension(dimension).segments[usize::from(id.0)];
    let only_from = |from: &plan::From| {
        let named = from.segments.iter().map(|segment| plan.segment_name(dimension, Some(*segment)));
        from.none.then_some("").into_iter().chain(named).map(str::to_owned).collect()
    };
    Segment {
        segment: declared.name.to_string(),
        label: text(&declared.label),
        is_current,
        holds: assessed.verdict.holds,
        until: moment(assessed.verdict.until),
        reason: reason(words, declared, assessed),
        only_from: declared.from.as_ref().filter(|_| !assessed.is_listed).map(only_from),
        cooldown_until: assessed.cooldown_end.and_then(moment),
        when: condition(words, &declared.when, &assessed.when),
        stay: declared.stay.as_ref().zip(assessed.stay.as_ref()).map(|(stay, found)| condition(words, stay, found)),
    }
}

/// What the outcome rests on: of the one of two conditions that decides.
fn reason(words: &Words, declared: &plan::Segment, assessed: &engine::Assessment) -> String {
    let (condition, found) = match (&declared.stay, &assessed.stay) {
        (Some(stay), Some(found)) if !assessed.when.verdict.holds => (stay, found),
        _ => (&declared.when, &assessed.when),
    };
    let ids = supports(condition, found);
    let readings = found.readings.iter().filter(|reading| ids.contains(&reading.comparison));
    match (ids.is_empty(), found.verdict.holds) {
        (true, true) => "Applies to everyone".to_owned(),
        (true, false) => "Applies to nobody".to_owned(),
        (false, true) => words.sentence(readings),
        (false, false) => words.lack(readings),
    }
}

/// One feature as it is, or no feature.
fn is_plain(side: &Linear, scale: i128) -> bool {
    match &side.terms[..] {
        [] => true,
        [(coefficient, _)] => *coefficient == scale && side.constant == 0,
        _ => false,
    }
}

/// The comparisons that an outcome rests on.
fn supports(condition: &plan::Condition, found: &Finding) -> Vec<ComparisonId> {
    let holds = |id| found.readings.iter().any(|reading| reading.comparison == id && reading.verdict.holds);
    let mut ids = Vec::new();
    reading::supports(condition, &holds, &mut ids);
    ids
}

fn condition(words: &Words, condition: &plan::Condition, found: &Finding) -> Condition {
    let ids = supports(condition, found);
    Condition {
        condition: shown::condition(words.plan, condition),
        holds: found.verdict.holds,
        comparisons: found.readings.iter().map(|reading| comparison(words, reading, &ids)).collect(),
    }
}

fn comparison(words: &Words, reading: &Reading, supports: &[ComparisonId]) -> Comparison {
    let plan = words.plan;
    // Where a side is a feature and nothing else, the value says it all.
    let features = match &plan.comparison(reading.comparison).test {
        Test::Linear { left, right, scale, .. } => {
            let (of_left, of_right) = reading.features.split_at(left.terms.len());
            let sides = [(left, of_left), (right, of_right)].into_iter();
            sides.filter(|(side, _)| !is_plain(side, *scale)).flat_map(|(_, features)| features).collect()
        }
        Test::LinearIn { left, scale, .. } if !is_plain(left, *scale) => reading.features.iter().collect(),
        _ => Vec::new(),
    };
    let feature = |(id, value): &(plan::FeatureId, _)| FeatureValue {
        feature: shown::feature(plan, *id),
        value: ToString::to_string(value),
    };
    Comparison {
        condition: plan.comparison(reading.comparison).text.to_string(),
        value: reading.value(plan),
        holds: reading.verdict.holds,
        decides: supports.contains(&reading.comparison),
        text: words.sentence([reading]),
        until: moment(reading.verdict.until),
        needs: reading
            .bound(plan)
            .map(|(relation, bound)| Needs { relation: relation.to_string(), bound: bound.to_string() }),
        features: features.into_iter().map(feature).collect(),
    }
}
