//! Turns what the engine says into the messages of a shard's draft.

use std::borrow::Cow;

use super::epoch::{Draft, Message, Sink, Told};
use super::error::Error;
use super::message::{Messages, Origin, reject_headers};
use super::settings::Settings;
use crate::engine::{Cause, Change, Shard};
use crate::event::{Instant, Reject};
use crate::kafka::{Record, Stamped};

/// Of a reject that is too large, what is kept of its value.
const KEPT_BYTES: usize = 16 << 10;
/// Room for headers and the protocol's own fields.
const MARGIN_BYTES: usize = 4 << 10;

/// Writes for one shard. Its change ids are those of the shard's lineage.
#[derive(Debug)]
pub struct Writer {
    pub messages: Messages,
    pub partition: i32,
    pub bytes_max: usize,
}

/// The record that made the engine look.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    pub topic: &'a str,
    pub record: &'a Record<'a>,
    pub event_id: Option<&'a str>,
}

impl Writer {
    /// Adds changes that a record caused, or time alone.
    pub fn changes(
        &self,
        settings: &Settings,
        changes: &mut Vec<Change>,
        source: Option<Source<'_>>,
        now: Instant,
        draft: &mut Draft,
    ) -> Result<(), Error> {
        for change in changes.drain(..) {
            let by_event = matches!(change.cause, Cause::Event | Cause::LateEvent);
            let source = source.filter(|_| by_event);
            let origin = source.map_or(Origin::Nothing, |source| Origin::Record {
                topic: source.topic,
                partition: self.partition,
                offset: source.record.offset,
                event_id: source.event_id,
            });
            let mut value = Vec::with_capacity(768);
            self.messages.append_change(&change, origin, Some(now), &mut value);
            let headers = self.messages.change_headers(&change);
            let message = Message {
                sink: Sink::Changes,
                key: Some(change.customer.as_bytes().into()),
                value: Some(value.into()),
                headers: headers.map(|(name, value)| (Cow::Borrowed(name), value.as_bytes().to_vec())).into(),
            };
            self.check(&settings.output.changes, &message)?;
            let since = match source {
                Some(source) => appended(source.record.stamped),
                None => Some(change.effective_at),
            };
            let Change { dimension, from, to, cause, .. } = change;
            draft.push_change(message, &change.customer, Told { dimension, from, to, cause, since });
        }
        Ok(())
    }

    /// Adds a record that was not taken: as it came, or, when it is too large, its first bytes and its hash.
    pub fn reject(&self, topic: &str, record: &Record<'_>, reject: &Reject, draft: &mut Draft) {
        let mut headers: Vec<(Cow<'static, str>, Vec<u8>)> = record
            .headers
            .iter()
            .map(|(name, value)| {
                let name = String::from_utf8_lossy(name).into_owned();
                (Cow::Owned(name), value.clone().unwrap_or_default())
            })
            .collect();
        let ours = reject_headers(reject, topic, self.partition, record.offset);
        headers.extend(ours.map(|(name, value)| (Cow::Borrowed(name), value.into_owned().into_bytes())));
        let mut message = Message {
            sink: Sink::Rejects,
            key: record.key.map(Into::into),
            value: record.value.map(Into::into),
            headers,
        };
        if message.size_bytes() + MARGIN_BYTES > self.bytes_max {
            shorten(record, &mut message);
        }
        draft.push(message);
    }

    /// A customer's standing as it is now.
    pub fn standing(&self, settings: &Settings, shard: &Shard, customer: &str) -> Result<Message, Error> {
        let standing = shard.standing(customer).expect("a customer who changed is in the shard");
        let mut value = Vec::with_capacity(256);
        self.messages.append_standing(customer, &standing, &mut value);
        let message = Message {
            sink: Sink::Standing,
            key: Some(customer.as_bytes().into()),
            value: Some(value.into()),
            headers: Vec::new(),
        };
        self.check(&settings.output.standing, &message)?;
        Ok(message)
    }

    fn check(&self, topic: &str, message: &Message) -> Result<(), Error> {
        let size_bytes = message.size_bytes();
        if size_bytes <= self.bytes_max {
            return Ok(());
        }
        Err(Error::TooLarge { topic: topic.to_owned(), size_bytes, limit_bytes: self.bytes_max })
    }
}

/// Keeps the beginning of a value, and its length and hash; of the rest what is small.
fn shorten(record: &Record<'_>, message: &mut Message) {
    let value = record.value.unwrap_or_default();
    let hash = rapidhash::v3::rapidhash_v3(value);
    message.value = Some(value[..value.len().min(KEPT_BYTES)].into());
    message.key = record.key.map(|key| key[..key.len().min(KEPT_BYTES)].into());
    message.headers.retain(|(name, value)| name.starts_with("dormouse-") && value.len() <= KEPT_BYTES);
    message.headers.push((Cow::Borrowed("dormouse-length"), value.len().to_string().into_bytes()));
    message.headers.push((Cow::Borrowed("dormouse-hash"), format!("{hash:016x}").into_bytes()));
}

/// When a record came to the log, as far as its timestamp tells.
pub fn appended(stamped: Stamped) -> Option<Instant> {
    match stamped {
        Stamped::Appended(at) | Stamped::Created(at) => Some(Instant(at)),
        Stamped::Absent => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reject_that_is_too_large_keeps_its_beginning_its_length_and_its_hash() {
        let value = vec![b'x'; 100_000];
        let headers = [(b"huge".to_vec(), Some(vec![b'y'; 90_000]))];
        let record =
            Record { offset: 4, stamped: Stamped::Absent, key: Some(b"k"), value: Some(&value), headers: &headers };
        let mut message = Message {
            sink: Sink::Rejects,
            key: None,
            value: None,
            headers: vec![("huge".into(), vec![b'y'; 90_000]), ("dormouse-reason".into(), b"bad_time".to_vec())],
        };
        shorten(&record, &mut message);
        let names: Vec<&str> = message.headers.iter().map(|(name, _)| name.as_ref()).collect();
        assert_eq!(names, ["dormouse-reason", "dormouse-length", "dormouse-hash"]);
        assert_eq!(message.headers[1].1, b"100000");
        assert_eq!(message.value.as_deref().map(<[u8]>::len), Some(KEPT_BYTES));
        assert_eq!(message.key.as_deref(), Some(&b"k"[..]));
        assert!(message.size_bytes() < 20_000);
    }
}
