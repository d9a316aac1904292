//! Reads changes that were published, in JSON or Protobuf, as what they say.

use std::borrow::Cow;

use prost::Message as _;
use serde::Deserialize;

use crate::event::{Format, Instant, wire};
use crate::plain::Said;

/// A change as it was published, and whose.
#[derive(Debug, PartialEq)]
pub struct Read {
    pub customer: String,
    pub rules: String,
    pub said: Said,
}

#[derive(Deserialize)]
struct Change<'a> {
    #[serde(borrow)]
    customer_id: Cow<'a, str>,
    sequence: u64,
    dimension: String,
    from: Option<String>,
    to: Option<String>,
    from_since: Option<String>,
    effective_at: String,
    cause: Cause,
    #[serde(default)]
    rules_version: String,
}

#[derive(Deserialize)]
struct Cause {
    r#type: String,
    topic: Option<String>,
    partition: Option<i32>,
    offset: Option<i64>,
    file: Option<String>,
    line: Option<u64>,
}

/// What a record of a topic is called, as the cause of a change.
pub fn record(topic: &str, partition: i32, offset: i64) -> String {
    format!("{topic}/{partition} offset {offset}")
}

/// What a line of a file is called. The folder does not count: it may have been another then.
pub fn line(file: &str, line: u64) -> String {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    format!("{name} line {line}")
}

/// Reads one change; what is wrong with it when it is none.
pub fn read(format: Format, bytes: &[u8]) -> Result<Read, String> {
    match format {
        Format::Json => read_json(bytes),
        Format::Protobuf => read_protobuf(bytes),
    }
}

fn read_json(bytes: &[u8]) -> Result<Read, String> {
    let change: Change<'_> = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let time = |text: &str| Instant::parse(text).map(|at| at.0).ok_or_else(|| format!("`{text}` is no time"));
    let Cause { r#type, topic, partition, offset, file, line } = change.cause;
    let said = Said {
        sequence: change.sequence,
        dimension: change.dimension,
        from: change.from,
        to: change.to,
        from_since: change.from_since.as_deref().map(time).transpose()?,
        effective_at: time(&change.effective_at)?,
        cause: r#type,
        origin: origin(topic.as_deref(), partition, offset, file.as_deref(), line),
    };
    Ok(Read { customer: change.customer_id.into_owned(), rules: change.rules_version, said })
}

fn read_protobuf(bytes: &[u8]) -> Result<Read, String> {
    let change = wire::Change::decode(bytes).map_err(|error| error.to_string())?;
    let cause = change.cause.ok_or("it has no cause")?;
    let (topic, file) = (cause.topic.as_deref(), cause.file.as_deref());
    let said = Said {
        sequence: change.sequence,
        dimension: change.dimension,
        from: change.from,
        to: change.to,
        from_since: change.from_since,
        effective_at: change.effective_at,
        origin: origin(topic, cause.partition, cause.offset, file, cause.line),
        cause: cause.r#type,
    };
    Ok(Read { customer: change.customer_id, rules: change.rules_version, said })
}

fn origin(
    topic: Option<&str>,
    partition: Option<i32>,
    offset: Option<i64>,
    file: Option<&str>,
    line_number: Option<u64>,
) -> Option<String> {
    match (topic, file) {
        (Some(topic), _) => Some(record(topic, partition.unwrap_or(-1), offset.unwrap_or(-1))),
        (None, Some(file)) => Some(line(file, line_number.unwrap_or(0))),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_say_the_same() {
        let json = br#"{"change_id":"x","customer_id":"c\u002d7","sequence":4,"dimension":"activity","from":"active",
            "to":null,"from_since":"2026-01-03T09:12:44.120Z","effective_at":"2026-02-02T09:12:44.001Z",
            "cause":{"type":"event","topic":"orders","partition":2,"offset":17,"event_id":null},"rules_version":"ab"}"#;
        let message = wire::Change {
            customer_id: "c-7".to_owned(),
            sequence: 4,
            dimension: "activity".to_owned(),
            from: Some("active".to_owned()),
            from_since: Some(1_767_431_564_120),
            effective_at: 1_770_023_564_001,
            cause: Some(wire::Cause {
                r#type: "event".to_owned(),
                topic: Some("orders".to_owned()),
                partition: Some(2),
                offset: Some(17),
                ..wire::Cause::default()
            }),
            rules_version: "ab".to_owned(),
            ..wire::Change::default()
        };
        let read_both = (read(Format::Json, json), read(Format::Protobuf, &message.encode_to_vec()));
        assert_eq!(read_both.0, read_both.1);
        let read = read_both.0.expect("it is a change");
        assert_eq!(read.said.origin.as_deref(), Some("orders/2 offset 17"));
    }

    #[test]
    fn what_is_no_change_is_said() {
        assert!(read(Format::Json, b"{}").is_err());
        assert!(read(Format::Protobuf, b"\xff").is_err());
        let bad_time = br#"{"customer_id":"c","sequence":1,"dimension":"d","from":null,"to":"x","from_since":null,
            "effective_at":"yesterday","cause":{"type":"elapsed"}}"#;
        assert_eq!(read(Format::Json, bad_time), Err("`yesterday` is no time".to_owned()));
    }

    #[test]
    fn a_files_folder_does_not_count() {
        assert_eq!(line("/data/events.jsonl", 3), line("events.jsonl", 3));
    }
}
