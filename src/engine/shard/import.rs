//! Builds a shard from the packets of an export.
//!
//! Blocks are copied as they are, and everyone is armed where they were armed: who is touched by nothing afterwards need
//! not be looked at. The packets are those of a layout that was compared before; their bytes were checked against damage
//! by whoever kept them. What does not fit together is refused all the same, as far as it can be seen.

use std::sync::Arc;

use super::export::{Cut, Packet, Section};
use super::{Record, Shard, id_of};
use crate::engine::facts::customer::places;
use crate::engine::wheel::{Links, Wheel};
use crate::event::Instant;
use crate::rules::Plan;

/// Packets that cannot come from one export.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Misfit(String);

/// A shard that is being filled.
#[derive(Debug)]
pub struct Import {
    shard: Shard,
    cut: Cut,
}

impl Import {
    /// `cut` is what [`Shard::begin_export`] said.
    pub fn new(plan: Arc<Plan>, cut: Cut) -> Result<Import, Misfit> {
        let mut shard = Shard::new(plan);
        let is_like = |sizes: &[Vec<u64>]| sizes.iter().map(Vec::len).eq(shard.sizes.iter().map(Vec::len));
        if !is_like(&cut.sizes) || cut.sizes.iter().any(|sizes| sizes.iter().sum::<u64>() != cut.n_customers) {
            return Err(Misfit("the sizes of segments are not those of these rules".to_owned()));
        }
        let n_customers = u32::try_from(cut.n_customers).map_err(|_| Misfit("too many customers".to_owned()))?;
        shard.clock = cut.clock;
        shard.wheel = Wheel::standing_at(cut.clock);
        shard.records.0.reserve_exact(n_customers as usize);
        shard.index.reserve(n_customers as usize, |_| unreachable!("the table is empty"));
        Ok(Import { shard, cut })
    }

    /// Takes in a packet. Their order counts only among those with names.
    pub fn add(&mut self, packet: &Packet) -> Result<(), Misfit> {
        let mut reader = Bytes { rest: &packet.bytes };
        for _ in 0..packet.n_items {
            match packet.section {
                Section::Fingerprints => self.fingerprint(&mut reader)?,
                Section::Names => self.name(&mut reader)?,
                Section::Customers => self.customer(&mut reader)?,
            }
        }
        if reader.rest.is_empty() { Ok(()) } else { Err(Misfit("a packet is longer than its items".to_owned())) }
    }

    /// The shard as it was at the cut. Its clock stands there, and who was due is due.
    pub fn finish(self) -> Result<Shard, Misfit> {
        let Import { shard, cut } = self;
        let compare = |what: &str, found: usize, expected: u64| {
            let is_right = found as u64 == expected;
            is_right.then_some(()).ok_or_else(|| Misfit(format!("it has {found} {what} of {expected}")))
        };
        compare("customers", shard.records.0.len(), cut.n_customers)?;
        compare("names", shard.names.n_texts(), cut.n_names)?;
        if shard.sizes != cut.sizes {
            return Err(Misfit("its customers do not stand where the sizes of segments say".to_owned()));
        }
        Ok(shard)
    }

    fn fingerprint(&mut self, reader: &mut Bytes) -> Result<(), Misfit> {
        let (fingerprint, time_and_kind) = (reader.u64()?, reader.i64()?);
        let known = self.shard.dedup.restore(fingerprint, time_and_kind);
        known.ok_or_else(|| Misfit("a fingerprint is of a kind that the rules do not have".to_owned()))
    }

    fn name(&mut self, reader: &mut Bytes) -> Result<(), Misfit> {
        let n_bytes = reader.u32()?;
        let text = std::str::from_utf8(reader.take(n_bytes as usize)?);
        self.shard.names.intern(text.map_err(|_| Misfit("a name is not text".to_owned()))?);
        Ok(())
    }

    fn customer(&mut self, reader: &mut Bytes) -> Result<(), Misfit> {
        let (due, latest) = (Instant(reader.i64()?), Instant(reader.i64()?));
        let n_bytes = reader.u32()?;
        let bytes = reader.take(n_bytes as usize)?;
        self.count(bytes)?;
        let Shard { records, arena, index: directory, wheel, .. } = &mut self.shard;
        let index = u32::try_from(records.0.len()).map_err(|_| Misfit("too many customers".to_owned()))?;
        let record = Record { due, latest, links: Links::default(), block: arena.insert(bytes) };
        let hash = rapidhash::v3::rapidhash_v3(id_of(arena, &record));
        records.0.push(record);
        directory
            .insert_unique(hash, index, |index| rapidhash::v3::rapidhash_v3(id_of(arena, &records.0[*index as usize])));
        wheel.arm(records, index);
        Ok(())
    }

    /// One more where the customer of a block stands.
    fn count(&mut self, block: &[u8]) -> Result<(), Misfit> {
        let sizes = &mut self.shard.sizes;
        let places = places(block, sizes.len()).ok_or_else(|| Misfit("a customer's block is cut".to_owned()))?;
        for (sizes, &place) in sizes.iter_mut().zip(places) {
            let size = sizes.get_mut(usize::from(place));
            *size.ok_or_else(|| Misfit("a customer stands in a segment that the rules do not have".to_owned()))? += 1;
        }
        Ok(())
    }
}

/// Reads numbers and slices, and notices an end that comes too early.
struct Bytes<'a> {
    rest: &'a [u8],
}

impl<'a> Bytes<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], Misfit> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or_else(too_short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Misfit> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(too_short)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn u32(&mut self) -> Result<u32, Misfit> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, Misfit> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn i64(&mut self) -> Result<i64, Misfit> {
        Ok(i64::from_le_bytes(self.array()?))
    }
}

fn too_short() -> Misfit {
    Misfit("a packet is shorter than its items".to_owned())
}
