//! A change in JSON, in the order of the contract.

use super::names::{append_number, append_optional_text, append_text, append_time};
use super::{Messages, Origin};
use crate::engine::{Cause, Change, Interests};
use crate::event::Instant;

impl Messages {
    pub(super) fn append_change_json(
        &self,
        change: &Change,
        origin: Origin<'_>,
        published_at: Option<Instant>,
        out: &mut Vec<u8>,
    ) {
        let names = &self.names;
        out.extend_from_slice(b"{\"change_id\":\"");
        out.extend_from_slice(&self.change_id(&change.customer, change.sequence));
        out.extend_from_slice(b"\",\"customer_id\":");
        append_text(&change.customer, out);
        out.extend_from_slice(b",\"sequence\":");
        append_number(change.sequence, out);
        out.extend_from_slice(b",\"dimension\":");
        out.extend_from_slice(names.dimension(change.dimension));
        out.extend_from_slice(b",\"from\":");
        out.extend_from_slice(names.segment(change.dimension, change.from));
        out.extend_from_slice(b",\"to\":");
        out.extend_from_slice(names.segment(change.dimension, change.to));
        out.extend_from_slice(b",\"from_since\":");
        append_time(change.from_since, out);
        out.extend_from_slice(b",\"effective_at\":");
        let start = out.len();
        append_time(Some(change.effective_at), out);
        let end = out.len();
        out.extend_from_slice(b",\"published_at\":");
        match published_at {
            // As a replay has it.
            Some(time) if time == change.effective_at => out.extend_from_within(start..end),
            time => append_time(time, out),
        }
        append_cause(change.cause, origin, out);
        self.append_evidence(change, out);
        if let Some(reason) = &change.reason {
            out.extend_from_slice(b",\"reason\":");
            append_text(reason, out);
        }
        out.extend_from_slice(b",\"rules_version\":");
        out.extend_from_slice(&names.version);
        out.extend_from_slice(names.extras(change.dimension, change.to));
        self.append_places(change, out);
        if let Some(interests) = &change.interests {
            append_interests(interests, out);
        }
        out.push(b'}');
    }

    fn append_evidence(&self, change: &Change, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"evidence\":[");
        for (index, evidence) in change.evidence.iter().enumerate() {
            out.extend_from_slice(if index == 0 { b"{\"condition\":" } else { b",{\"condition\":" });
            out.extend_from_slice(self.names.condition(evidence.comparison));
            out.extend_from_slice(b",\"value\":");
            match evidence.value.text() {
                Some(text) => append_text(text, out),
                None => {
                    out.push(b'"');
                    evidence.value.append_to(out);
                    out.push(b'"');
                }
            }
            out.extend_from_slice(if evidence.holds { b",\"holds\":true}" } else { b",\"holds\":false}" });
        }
        out.push(b']');
    }

    /// The standing in every dimension.
    fn append_places(&self, change: &Change, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"standing\":{");
        for ((id, name), segment) in self.names.dimensions().zip(&change.standing) {
            if id.0 > 0 {
                out.push(b',');
            }
            out.extend_from_slice(name);
            out.push(b':');
            out.extend_from_slice(self.names.segment(id, *segment));
        }
        out.push(b'}');
    }
}

fn append_interests(interests: &Interests, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"interests\":{");
    for (list, (name, texts)) in interests.lists().into_iter().enumerate() {
        out.extend_from_slice(if list == 0 { b"\"" } else { b",\"" });
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":[");
        for (index, text) in texts.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            append_text(text, out);
        }
        out.push(b']');
    }
    out.push(b'}');
}

fn append_cause(cause: Cause, origin: Origin<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"cause\":{\"type\":\"");
    out.extend_from_slice(cause.name().as_bytes());
    out.push(b'"');
    match origin {
        Origin::Nothing => {}
        Origin::Record { topic, partition, offset, event_id } => {
            out.extend_from_slice(b",\"topic\":");
            append_text(topic, out);
            out.extend_from_slice(b",\"partition\":");
            append_number(partition, out);
            out.extend_from_slice(b",\"offset\":");
            append_number(offset, out);
            out.extend_from_slice(b",\"event_id\":");
            append_optional_text(event_id, out);
        }
        Origin::Line { file, line } => {
            out.extend_from_slice(b",\"file\":");
            append_text(file, out);
            out.extend_from_slice(b",\"line\":");
            append_number(line, out);
        }
    }
    out.push(b'}');
}
