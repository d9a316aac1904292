//! The shard's own record on the standing topic: what recovery believes, together with the customers' records.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::Error;
use crate::event::Instant;

/// The key of the shard's record. A customer's id is UTF-8, and this is not.
pub const KEY: &[u8] = b"\xffdormouse-shard";

/// 16 random bytes in hex: a shard's lineage, an epoch's token.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(Box<str>);

impl Token {
    /// One that nobody else has.
    pub fn random() -> Result<Token, Error> {
        let mut bytes = [0u8; 16];
        getrandom::fill(&mut bytes).map_err(|error| Error::Random(error.to_string()))?;
        Ok(Token(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The state of a shard's history after one epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardRecord {
    /// Made at the shard's first start, the same ever after.
    pub lineage: Token,
    /// Counts from 1.
    pub epoch: u64,
    /// This epoch's.
    pub token: Token,
    /// That of the epoch before; none for the first.
    pub predecessor: Option<Token>,
    /// The next offset of each input topic: what the epoch's state has folded lies before it.
    pub next: BTreeMap<String, i64>,
    /// Where the shard's very first start began to read.
    pub begin: BTreeMap<String, i64>,
    /// The ids of the input topics, where the broker tells them.
    #[serde(default)]
    pub topic_ids: BTreeMap<String, String>,
    /// Milliseconds since the epoch; none before the first record.
    pub clock: Option<i64>,
    /// Not everyone who was due by the clock had been judged.
    #[serde(default)]
    pub has_dues: bool,
    /// The version of the rules.
    pub rules: String,
    /// Under which id it was published: who may have a transaction open.
    pub transactional_id: String,
}

/// What all records of an instance have in common.
#[derive(Debug, Clone)]
pub struct Author {
    /// The input topics in their order.
    pub topics: Vec<String>,
    pub topic_ids: BTreeMap<String, String>,
    pub rules: String,
    pub transactional_id: String,
}

impl ShardRecord {
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("maps of text and numbers are JSON")
    }

    /// Reads a record; fields that this version does not know are ignored.
    pub fn decode(bytes: &[u8]) -> Result<ShardRecord, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    pub fn clock(&self) -> Option<Instant> {
        self.clock.map(Instant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let offsets = |n| BTreeMap::from([("purchases".to_owned(), n), ("behaviour".to_owned(), n + 1)]);
        let record = ShardRecord {
            lineage: Token::random().expect("there is chance"),
            epoch: 7,
            token: Token::random().expect("there is chance"),
            predecessor: None,
            next: offsets(40),
            begin: offsets(0),
            topic_ids: BTreeMap::from([("purchases".to_owned(), "aZ-4".to_owned())]),
            clock: Some(1_700_000_000_000),
            has_dues: true,
            rules: "0123456789abcdef".to_owned(),
            transactional_id: "dormouse.a".to_owned(),
        };
        assert_eq!(ShardRecord::decode(&record.encode()).expect("it was just written"), record);
        assert_ne!(record.lineage, record.token);
    }

    #[test]
    fn no_customer_can_have_the_records_key() {
        assert!(String::from_utf8(KEY.to_vec()).is_err());
    }
}
