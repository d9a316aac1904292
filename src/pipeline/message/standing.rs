//! A customer's record of the standing topic: where the customer is in every dimension, since when, and what was
//! left when, so that recovery believes what was published. It does not know the shard's own record.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::names::{Names, append_number, append_text, append_time};
use crate::engine::{Place, Standing};
use crate::event::Instant;
use crate::rules::Plan;
use crate::rules::plan::{DimensionId, SegmentId};

/// A customer's record as it was read under a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded<'a> {
    pub customer: Cow<'a, str>,
    pub standing: Standing,
    /// Names that the plan does not have: `dimension` or `dimension/segment`. They are not in `standing`, where a
    /// customer in such a segment is in none, since the same instant.
    pub unknown: Vec<Box<str>>,
}

/// A record of the standing topic that Dormouse did not write.
#[derive(Debug, thiserror::Error)]
pub enum StandingError {
    #[error("the standing record is not of its form: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error("the standing record has `{0}` for a time")]
    BadTime(Box<str>),
}

pub(super) fn append(names: &Names, customer: &str, standing: &Standing, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"customer_id\":");
    append_text(customer, out);
    out.extend_from_slice(b",\"sequence\":");
    append_number(standing.sequence, out);
    out.extend_from_slice(b",\"standing\":{");
    for ((id, name), place) in names.dimensions().zip(&standing.places) {
        if id.0 > 0 {
            out.push(b',');
        }
        out.extend_from_slice(name);
        out.extend_from_slice(b":{\"segment\":");
        out.extend_from_slice(names.segment(id, place.segment));
        out.extend_from_slice(b",\"since\":");
        append_time(place.since, out);
        if !place.left.is_empty() {
            append_left(names, id, &place.left, out);
        }
        out.push(b'}');
    }
    out.extend_from_slice(b"}}");
}

fn append_left(names: &Names, dimension: DimensionId, left: &[(SegmentId, Instant)], out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"left\":{");
    for (index, (segment, at)) in left.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(names.segment(dimension, Some(*segment)));
        out.push(b':');
        append_time(Some(*at), out);
    }
    out.push(b'}');
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    customer_id: Text<'a>,
    sequence: u64,
    #[serde(borrow)]
    standing: BTreeMap<Text<'a>, RecordedPlace<'a>>,
}

#[derive(Deserialize)]
struct RecordedPlace<'a> {
    #[serde(borrow)]
    segment: Option<Text<'a>>,
    #[serde(borrow)]
    since: Option<Text<'a>>,
    #[serde(borrow, default)]
    left: BTreeMap<Text<'a>, Text<'a>>,
}

/// Text that borrows where it has no escapes, also as a key and inside an option.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

pub(super) fn read<'a>(plan: &Plan, bytes: &'a [u8]) -> Result<Decoded<'a>, StandingError> {
    let record: Record<'a> = serde_json::from_slice(bytes)?;
    let mut unknown = Vec::new();
    let mut places = vec![Place::default(); plan.dimensions.len()];
    for (Text(name), recorded) in record.standing {
        let Some(index) = plan.dimensions.iter().position(|dimension| *dimension.name == *name) else {
            unknown.push(name.into());
            continue;
        };
        let mut find = |segment: &str| {
            let index = plan.dimensions[index].segments.iter().position(|known| *known.name == *segment);
            if index.is_none() {
                unknown.push(format!("{name}/{segment}").into());
            }
            index.map(|index| SegmentId(index as u8))
        };
        let mut left = Vec::new();
        for (segment, at) in &recorded.left {
            let at = time(&at.0)?;
            left.extend(find(&segment.0).map(|id| (id, at)));
        }
        left.sort_unstable();
        let segment = recorded.segment.and_then(|segment| find(&segment.0));
        let since = recorded.since.map(|since| time(&since.0)).transpose()?;
        places[index] = Place { segment, since, left };
    }
    let standing = Standing { sequence: record.sequence, places };
    Ok(Decoded { customer: record.customer_id.0, standing, unknown })
}

fn time(text: &str) -> Result<Instant, StandingError> {
    Instant::parse(text).ok_or_else(|| StandingError::BadTime(text.into()))
}
