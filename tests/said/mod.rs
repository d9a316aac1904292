//! What the crate says, a line of JSON as in the contract, in the oracle's terms.

use jiff::Timestamp;
use serde_json::Value;

use crate::oracle::interests::{Interests, NAMES};
use crate::oracle::{Cause, Change};

/// `None`: the line is not as the contract says.
pub fn change(line: &str) -> Option<Change> {
    let change: Value = serde_json::from_str(line).ok()?;
    let segment = |field: &str| match &change[field] {
        Value::Null => Some(None),
        Value::String(name) if !name.is_empty() => Some(Some(name.clone())),
        _ => None,
    };
    let instant: Timestamp = change["effective_at"].as_str()?.parse().ok()?;
    Some(Change {
        customer_id: change["customer_id"].as_str()?.to_owned(),
        sequence: change["sequence"].as_u64()?,
        dimension: change["dimension"].as_str()?.to_owned(),
        from: segment("from")?,
        to: segment("to")?,
        effective_at: instant.as_millisecond(),
        cause: Cause::named(change["cause"]["type"].as_str()?)?,
    })
}

/// What the change offers, if anything.
pub fn interests(line: &str) -> Option<Interests> {
    let change: Value = serde_json::from_str(line).ok()?;
    let lists = change["interests"].as_object()?;
    let texts = |name: &str| lists[name].as_array().expect("a list").iter().map(|text| text.as_str().expect("a text"));
    Some(Interests(NAMES.map(|name| texts(name).map(str::to_owned).collect())))
}
