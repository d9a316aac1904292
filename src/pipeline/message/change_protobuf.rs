//! A change in Protobuf (`change.proto`), written straight from borrowed fields.
//!
//! What always holds, and is tested: the generated types read from it what the JSON says.

use prost::encoding::{WireType, encode_key, encode_varint};

use super::{Messages, Origin};
use crate::engine::Change;
use crate::event::Instant;
use crate::rules::plan::DimensionId;

impl Messages {
    pub(super) fn append_change_protobuf(
        &self,
        change: &Change,
        origin: Origin<'_>,
        published_at: Option<Instant>,
        out: &mut Vec<u8>,
    ) {
        let plan = &self.plan;
        let segment = change.to.map(|id| &plan.dimension(change.dimension).segments[id.0 as usize]);
        bytes(1, &self.change_id(&change.customer, change.sequence), out);
        text(2, &change.customer, out);
        varint(3, change.sequence, out);
        text(4, &plan.dimension(change.dimension).name, out);
        for (tag, place) in [(5, change.from), (6, change.to)] {
            if place.is_some() {
                text(tag, plan.segment_name(change.dimension, place), out);
            }
        }
        for (tag, time) in [(7, change.from_since), (8, Some(change.effective_at)), (9, published_at)] {
            if let Some(time) = time {
                varint(tag, time.0 as u64, out);
            }
        }
        nested(10, out, |out| append_cause(change, origin, out));
        for evidence in &change.evidence {
            nested(11, out, |out| {
                text(1, &plan.comparison(evidence.comparison).text, out);
                nested(2, out, |out| evidence.value.append_to(out));
                varint(3, u64::from(evidence.holds), out);
            });
        }
        text(12, &plan.version, out);
        if let Some(reason) = &change.reason {
            text(16, reason, out);
        }
        for (index, segment) in change.standing.iter().enumerate() {
            let dimension = DimensionId(index as u8);
            nested(14, out, |out| {
                text(1, &plan.dimension(dimension).name, out);
                text(2, plan.segment_name(dimension, *segment), out);
            });
        }
        if let Some(interests) = &change.interests {
            nested(17, out, |out| {
                for ((_, texts), tag) in interests.lists().into_iter().zip(1..) {
                    texts.iter().for_each(|value| text(tag, value, out));
                }
            });
        }
        if let Some(segment) = segment {
            for (tag, value) in [(13, &segment.action), (15, &segment.label)] {
                if let Some(value) = value {
                    text(tag, value, out);
                }
            }
        }
    }
}

fn append_cause(change: &Change, origin: Origin<'_>, out: &mut Vec<u8>) {
    text(1, change.cause.name(), out);
    match origin {
        Origin::Nothing => {}
        Origin::Record { topic, partition, offset, event_id } => {
            text(2, topic, out);
            varint(3, i64::from(partition) as u64, out);
            varint(4, offset as u64, out);
            if let Some(event_id) = event_id {
                text(5, event_id, out);
            }
        }
        Origin::Line { file, line } => {
            text(6, file, out);
            varint(7, line, out);
        }
    }
}

fn varint(tag: u32, value: u64, out: &mut Vec<u8>) {
    encode_key(tag, WireType::Varint, out);
    encode_varint(value, out);
}

fn text(tag: u32, value: &str, out: &mut Vec<u8>) {
    bytes(tag, value.as_bytes(), out);
}

fn bytes(tag: u32, value: &[u8], out: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

/// A message within the message. Its length stands before it and is known after it: one byte is kept free, which is
/// nearly always enough.
fn nested(tag: u32, out: &mut Vec<u8>, append: impl FnOnce(&mut Vec<u8>)) {
    encode_key(tag, WireType::LengthDelimited, out);
    let start = out.len() + 1;
    out.push(0);
    append(out);
    let mut len = (out.len() - start) as u64;
    let n_more = prost::encoding::encoded_len_varint(len) - 1;
    if n_more > 0 {
        let end = out.len();
        out.resize(end + n_more, 0);
        out.copy_within(start..end, start + n_more);
    }
    for byte in &mut out[start - 1..start + n_more] {
        *byte = (len & 0x7f) as u8 | 0x80;
        len >>= 7;
    }
    out[start - 1 + n_more] &= 0x7f;
}
