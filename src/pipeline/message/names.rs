//! A plan's names as JSON text, quoted and escaped once, and the appending of single JSON values.

use crate::event::Instant;
use crate::rules::Plan;
use crate::rules::plan::{ComparisonId, DimensionId, SegmentId};

/// JSON text, ready to be appended.
type Quoted = Box<[u8]>;

#[derive(Debug, Clone)]
pub(super) struct Names {
    pub version: Quoted,
    dimensions: Vec<Dimension>,
    conditions: Vec<Quoted>,
}

#[derive(Debug, Clone)]
struct Dimension {
    name: Quoted,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone)]
struct Segment {
    name: Quoted,
    /// `,"action":"…","label":"…"`, as far as they are set.
    extras: Quoted,
}

impl Names {
    pub fn new(plan: &Plan) -> Names {
        let segment = |segment: &crate::rules::plan::Segment| {
            let mut extras = Vec::new();
            for (key, value) in [("action", &segment.action), ("label", &segment.label)] {
                if let Some(value) = value {
                    extras.extend_from_slice(format!(",\"{key}\":").as_bytes());
                    append_text(value, &mut extras);
                }
            }
            Segment { name: quoted(&segment.name), extras: extras.into() }
        };
        let dimensions = plan.dimensions.iter().map(|dimension| Dimension {
            name: quoted(&dimension.name),
            segments: dimension.segments.iter().map(segment).collect(),
        });
        Names {
            version: quoted(&plan.version),
            dimensions: dimensions.collect(),
            conditions: plan.comparisons.iter().map(|comparison| quoted(&comparison.text)).collect(),
        }
    }

    pub fn dimensions(&self) -> impl Iterator<Item = (DimensionId, &[u8])> {
        self.dimensions.iter().enumerate().map(|(index, dimension)| (DimensionId(index as u8), &*dimension.name))
    }

    pub fn dimension(&self, id: DimensionId) -> &[u8] {
        &self.dimensions[id.0 as usize].name
    }

    /// The segment's name, or `null`.
    pub fn segment(&self, dimension: DimensionId, segment: Option<SegmentId>) -> &[u8] {
        segment.map_or(b"null", |id| &self.dimensions[dimension.0 as usize].segments[id.0 as usize].name)
    }

    /// Further members of a change to the segment.
    pub fn extras(&self, dimension: DimensionId, segment: Option<SegmentId>) -> &[u8] {
        segment.map_or(b"", |id| &self.dimensions[dimension.0 as usize].segments[id.0 as usize].extras)
    }

    pub fn condition(&self, id: ComparisonId) -> &[u8] {
        &self.conditions[id.0 as usize]
    }
}

fn quoted(text: &str) -> Quoted {
    let mut out = Vec::with_capacity(text.len() + 2);
    append_text(text, &mut out);
    out.into()
}

/// Appends a JSON string.
pub(super) fn append_text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a string is written to memory");
}

/// Appends a JSON string, or `null`.
pub(super) fn append_optional_text(text: Option<&str>, out: &mut Vec<u8>) {
    match text {
        Some(text) => append_text(text, out),
        None => out.extend_from_slice(b"null"),
    }
}

/// Appends a time as a JSON string, or `null`.
pub(super) fn append_time(instant: Option<Instant>, out: &mut Vec<u8>) {
    match instant {
        Some(instant) => {
            out.push(b'"');
            instant.append_to(out);
            out.push(b'"');
        }
        None => out.extend_from_slice(b"null"),
    }
}

/// Appends a whole number.
pub(super) fn append_number(number: impl Into<i128>, out: &mut Vec<u8>) {
    let number: i128 = number.into();
    if number < 0 {
        out.push(b'-');
    }
    let mut rest = u64::try_from(number.unsigned_abs()).expect("it comes from 64 bits");
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            return out.extend_from_slice(&digits[start..]);
        }
    }
}
