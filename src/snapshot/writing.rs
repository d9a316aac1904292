//! Writes one snapshot: packets into parts, parts into the store, and at last the manifest, which makes it one.
//!
//! Holds one part at a time, and one more on its way. Until the manifest stands there is no snapshot; what was written
//! for one that is given up is deleted.

use std::collections::BTreeMap;

use super::block::Sealer;
use super::error::Error;
use super::manifest::{FORMAT, Manifest, PartInfo};
use super::store::{Store, Transfer};
use crate::engine::{Cut, Packet, Section};

/// A part that has grown to this is sent.
pub const PART_BYTES: usize = 8 << 20;

/// What is known of a snapshot when it is cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub shard: i32,
    pub lineage: String,
    pub epoch: u64,
    pub token: String,
    pub rules: String,
    pub layout: u64,
    pub next: BTreeMap<String, i64>,
    pub standing_at: i64,
    pub taken_at: i64,
    pub cut: Cut,
}

impl Head {
    fn manifest(self) -> Manifest {
        let Cut { clock, n_customers, n_names, sizes } = self.cut;
        Manifest {
            format: FORMAT,
            shard: self.shard,
            lineage: self.lineage,
            epoch: self.epoch,
            token: self.token,
            rules: self.rules,
            layout: format!("{:016x}", self.layout),
            next: self.next,
            standing_at: self.standing_at,
            clock: (clock.0 != i64::MIN).then_some(clock.0),
            taken_at: self.taken_at,
            n_customers,
            n_names,
            n_fingerprints: 0,
            sizes,
            parts: Vec::new(),
        }
    }
}

/// A snapshot in the making.
pub struct Writing {
    store: Store,
    sealer: Sealer,
    manifest: Manifest,
    part: Vec<u8>,
    n_blocks: u64,
    n_customers: u64,
    sending: Option<Transfer<()>>,
    n_bytes_sending: usize,
}

impl Writing {
    pub fn begin(store: &Store, head: Head) -> Writing {
        Writing {
            store: store.clone(),
            sealer: Sealer::new(),
            manifest: head.manifest(),
            part: Sealer::part_head(),
            n_blocks: 0,
            n_customers: 0,
            sending: None,
            n_bytes_sending: 0,
        }
    }

    /// What it will be a snapshot of.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Memory that it holds: the part that is filled, and the one on its way.
    pub fn held_bytes(&self) -> usize {
        self.part.capacity() + self.n_bytes_sending
    }

    /// Adds a packet; waits when the part before the last is still on its way.
    pub fn add(&mut self, packet: &Packet) -> Result<(), Error> {
        match packet.section {
            Section::Fingerprints => self.manifest.n_fingerprints += u64::from(packet.n_items),
            Section::Customers => self.n_customers += u64::from(packet.n_items),
            Section::Names => {}
        }
        self.sealer.seal(packet, &mut self.part);
        self.n_blocks += 1;
        if self.part.len() >= PART_BYTES { self.send() } else { Ok(()) }
    }

    /// All packets are there: sends the last part and waits for all of them.
    pub fn finish(&mut self) -> Result<(), Error> {
        assert_eq!(self.n_customers, self.manifest.n_customers, "an export hands out every customer once");
        if self.n_blocks > 0 {
            self.send()?;
        }
        self.settle()
    }

    /// Writes the manifest. To be called when the epoch at which it was cut is known to be committed.
    pub fn publish(self) -> Result<Manifest, Error> {
        assert!(self.sending.is_none() && self.n_blocks == 0, "it is finished before it is published");
        let manifest = self.manifest;
        self.store.create(&manifest.name().manifest(), manifest.encode())?;
        Ok(manifest)
    }

    /// Deletes what was written of it.
    pub fn discard(mut self) -> Result<(), Error> {
        // What was on its way may have come.
        drop(self.settle());
        let name = self.manifest.name();
        (0..self.manifest.parts.len()).try_for_each(|number| self.store.delete(&name.part(number)))
    }

    fn send(&mut self) -> Result<(), Error> {
        self.settle()?;
        let bytes = std::mem::replace(&mut self.part, Sealer::part_head());
        self.n_bytes_sending = bytes.len();
        let number = self.manifest.parts.len();
        self.manifest.parts.push(PartInfo::of(&bytes, std::mem::take(&mut self.n_blocks)));
        let object = self.manifest.name().part(number);
        self.sending = Some(self.store.start_create(&object, bytes));
        Ok(())
    }

    fn settle(&mut self) -> Result<(), Error> {
        let outcome = self.sending.take().map_or(Ok(()), |sending| self.store.wait(sending));
        self.n_bytes_sending = 0;
        outcome
    }
}
