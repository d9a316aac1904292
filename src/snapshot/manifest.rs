//! The manifest: what a snapshot is, and what it is made of. A line of JSON and a line with its checksum, so that people
//! can read it and nothing in it can change unseen.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::block::checksum;
use super::error::Error;
use super::name::Name;
use crate::engine::Cut;
use crate::event::Instant;

/// The version of the format: manifest, parts and blocks.
pub const FORMAT: u32 = 1;

/// One snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub format: u32,
    pub shard: i32,
    /// The shard's history that it belongs to.
    pub lineage: String,
    /// The epoch at whose end it was cut, and that epoch's token.
    pub epoch: u64,
    pub token: String,
    /// The version of the rules.
    pub rules: String,
    /// How facts are laid out.
    pub layout: String,
    /// The next offset of each input topic: everything before it is in the snapshot.
    pub next: BTreeMap<String, i64>,
    /// From this offset of the standing topic's partition on stands everything that was published after the cut.
    pub standing_at: i64,
    /// The shard's, in ms; none before the first record.
    pub clock: Option<i64>,
    /// When it was cut, in ms, by the wall clock of who cut it.
    pub taken_at: i64,
    pub n_customers: u64,
    pub n_names: u64,
    pub n_fingerprints: u64,
    /// Customers by dimension, and there by segment with none in front.
    pub sizes: Vec<Vec<u64>>,
    pub parts: Vec<PartInfo>,
}

/// What a part must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartInfo {
    pub n_bytes: u64,
    pub n_blocks: u64,
    /// In hex.
    pub checksum: String,
}

/// The one field that every format has.
#[derive(Deserialize)]
struct Versioned {
    format: u64,
}

impl PartInfo {
    pub fn of(bytes: &[u8], n_blocks: u64) -> PartInfo {
        PartInfo { n_bytes: bytes.len() as u64, n_blocks, checksum: hex(checksum(bytes)) }
    }

    /// Whether these are its bytes.
    pub fn check(&self, object: &str, bytes: &[u8]) -> Result<(), Error> {
        if bytes.len() as u64 != self.n_bytes {
            let damage = format!("it has {} bytes of {}", bytes.len(), self.n_bytes);
            return Err(Error::damaged(object, damage));
        }
        if hex(checksum(bytes)) != self.checksum {
            return Err(Error::damaged(object, "its checksum is not the one that the manifest says"));
        }
        Ok(())
    }
}

impl Manifest {
    pub fn name(&self) -> Name {
        Name { shard: self.shard, epoch: self.epoch, token: self.token.clone() }
    }

    pub fn clock(&self) -> Instant {
        Instant(self.clock.unwrap_or(i64::MIN))
    }

    pub fn cut(&self) -> Cut {
        let (n_customers, n_names, sizes) = (self.n_customers, self.n_names, self.sizes.clone());
        Cut { clock: self.clock(), n_customers, n_names, sizes }
    }

    /// All parts together.
    pub fn n_bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.n_bytes).sum()
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("maps of text and numbers are JSON");
        let sum = hex(checksum(&bytes));
        bytes.extend_from_slice(format!("\n{sum}\n").as_bytes());
        bytes
    }

    /// Reads the manifest that stands under a name.
    pub fn decode(name: &Name, bytes: &[u8]) -> Result<Manifest, Error> {
        let object = name.manifest();
        let damaged = |damage: &str| Error::damaged(&object, damage);
        let text = bytes.strip_suffix(b"\n").ok_or_else(|| damaged("it is cut"))?;
        let end = text.iter().rposition(|byte| *byte == b'\n').ok_or_else(|| damaged("it is cut"))?;
        let (json, sum) = (&text[..end], &text[end + 1..]);
        if hex(checksum(json)).as_bytes() != sum {
            return Err(damaged("its checksum is not that of its text"));
        }
        let Versioned { format } = serde_json::from_slice(json).map_err(|error| damaged(&error.to_string()))?;
        if format != u64::from(FORMAT) {
            return Err(Error::Format { object, found: format, expected: FORMAT });
        }
        let manifest: Manifest = serde_json::from_slice(json).map_err(|error| damaged(&error.to_string()))?;
        if manifest.name() != *name {
            return Err(damaged(&format!("it is that of {}", manifest.name())));
        }
        Ok(manifest)
    }
}

fn hex(sum: u64) -> String {
    format!("{sum:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            format: FORMAT,
            shard: 2,
            lineage: "aa".to_owned(),
            epoch: 7,
            token: "bb".to_owned(),
            rules: "0123".to_owned(),
            layout: "4567".to_owned(),
            next: BTreeMap::from([("orders".to_owned(), 40)]),
            standing_at: 11,
            clock: Some(1_700_000_000_000),
            taken_at: 1_700_000_005_000,
            n_customers: 3,
            n_names: 1,
            n_fingerprints: 2,
            sizes: vec![vec![1, 2]],
            parts: vec![PartInfo::of(b"part", 1)],
        }
    }

    #[test]
    fn a_manifest_comes_back_and_no_other_name_will_do() {
        let manifest = manifest();
        let bytes = manifest.encode();
        assert_eq!(Manifest::decode(&manifest.name(), &bytes).expect("it was just written"), manifest);
        let other = Name { epoch: 8, ..manifest.name() };
        let error = Manifest::decode(&other, &bytes).expect_err("it is another's").to_string();
        assert!(error.contains("it is that of shard-00002/00000000000000000007-bb"), "{error}");
    }

    #[test]
    fn a_cut_and_a_flipped_bit_are_noticed_wherever_they_are() {
        let manifest = manifest();
        let bytes = manifest.encode();
        for n in 0..bytes.len() {
            assert!(Manifest::decode(&manifest.name(), &bytes[..n]).is_err(), "{n} bytes");
        }
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Manifest::decode(&manifest.name(), &bytes).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn another_format_is_named() {
        let name = manifest().name();
        let json = r#"{"format":2,"whatever":"it holds"}"#;
        let text = format!("{json}\n{}\n", hex(checksum(json.as_bytes())));
        let error = Manifest::decode(&name, text.as_bytes()).expect_err("it is of the future").to_string();
        assert!(error.ends_with("is of format 2, and this version reads 1"), "{error}");
    }
}
