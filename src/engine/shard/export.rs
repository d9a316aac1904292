//! Hands out a shard's facts and standing as they are at one moment, in packets, while the shard goes on.
//!
//! Copy-on-write by customer: a walk goes over the records between events; one who is about to change before the walk
//! has come to them is copied first. So nothing is held twice but what changed meanwhile, and no step takes long. What
//! is in a packet is opaque outside the engine; [`layout`] says whether two builds and two sets of rules mean the same.

use std::collections::VecDeque;

use super::{Record, Shard};
use crate::engine::arena::Arena;
use crate::event::Instant;
use crate::rules::Plan;

/// To be raised when a packet or a customer's block is written in another way.
const LAYOUT: u32 = 1;

/// Names, fingerprints or copies in one packet.
const PACKET_BYTES: usize = 256 << 10;

/// What a packet holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Fingerprints of events that were folded, with their times.
    Fingerprints,
    /// Texts that facts name by number, in the order of their numbers.
    Names,
    /// Customers: due, latest, block.
    Customers,
}

impl Section {
    pub const ALL: [Section; 3] = [Section::Fingerprints, Section::Names, Section::Customers];
}

/// Some of a shard's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    pub section: Section,
    pub n_items: u32,
    pub bytes: Vec<u8>,
}

impl Packet {
    pub(super) fn new(section: Section) -> Packet {
        Packet { section, n_items: 0, bytes: Vec::new() }
    }
}

/// A shard at the moment of the cut, but for what its packets hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    pub clock: Instant,
    pub n_customers: u64,
    pub n_names: u64,
    /// Customers by dimension, and there by segment with none in front.
    pub sizes: Vec<Vec<u64>>,
}

/// A walk over a shard.
#[derive(Debug)]
pub(super) struct Export {
    section: Section,
    n_names: u32,
    next_name: u32,
    n_records: u32,
    next_record: u32,
    /// A bit for each record that was copied before the walk came to it.
    is_copied: Vec<u64>,
    /// Copies that were not handed out, the oldest first, in packets of a bounded size.
    copies: VecDeque<Packet>,
    /// Memory that they take.
    copies_bytes: usize,
}

impl Export {
    fn new(n_names: usize, n_records: usize) -> Export {
        let n_records = u32::try_from(n_records).expect("a shard has fewer than 2^32 customers");
        Export {
            section: Section::Fingerprints,
            n_names: u32::try_from(n_names).expect("names are numbered in 32 bits"),
            next_name: 0,
            n_records,
            next_record: 0,
            is_copied: vec![0; n_records.div_ceil(64) as usize],
            copies: VecDeque::new(),
            copies_bytes: 0,
        }
    }

    /// The record is about to change.
    pub(super) fn keep(&mut self, index: u32, record: &Record, arena: &Arena) {
        if index < self.next_record || index >= self.n_records || self.is_copied(index) {
            return;
        }
        self.is_copied[index as usize / 64] |= 1 << (index % 64);
        if self.copies.back().is_none_or(|packet| packet.bytes.len() >= PACKET_BYTES) {
            self.copies.push_back(Packet::new(Section::Customers));
        }
        let packet = self.copies.back_mut().expect("there is one now");
        self.copies_bytes -= packet.bytes.capacity();
        put(packet, record, arena);
        self.copies_bytes += packet.bytes.capacity();
    }

    fn is_copied(&self, index: u32) -> bool {
        self.is_copied[index as usize / 64] & (1 << (index % 64)) != 0
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.copies_bytes + self.is_copied.len() * size_of::<u64>()
    }

    fn next_names(&mut self, shard: &Shard) -> Option<Packet> {
        let mut packet = Packet::new(Section::Names);
        while self.next_name < self.n_names && packet.bytes.len() < PACKET_BYTES {
            let text = shard.names.text(self.next_name);
            packet.bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
            packet.bytes.extend_from_slice(text.as_bytes());
            packet.n_items += 1;
            self.next_name += 1;
        }
        (packet.n_items > 0).then_some(packet)
    }

    fn next_customers(&mut self, shard: &Shard, budget_bytes: usize) -> Option<Packet> {
        // Copies first: they are what takes memory.
        let mut packet = self.copies.pop_front().unwrap_or_else(|| Packet::new(Section::Customers));
        self.copies_bytes -= packet.bytes.capacity();
        let from = packet.bytes.len();
        packet.bytes.reserve(budget_bytes);
        while self.next_record < self.n_records && packet.bytes.len() - from < budget_bytes {
            let index = self.next_record;
            self.next_record += 1;
            if !self.is_copied(index) {
                put(&mut packet, &shard.records.0[index as usize], &shard.arena);
            }
        }
        (packet.n_items > 0).then_some(packet)
    }
}

fn put(packet: &mut Packet, record: &Record, arena: &Arena) {
    let block = arena.whole(record.block);
    packet.bytes.extend_from_slice(&record.due.0.to_le_bytes());
    packet.bytes.extend_from_slice(&record.latest.0.to_le_bytes());
    packet.bytes.extend_from_slice(&(block.len() as u32).to_le_bytes());
    packet.bytes.extend_from_slice(block);
    packet.n_items += 1;
}

impl Shard {
    /// Cuts here: packets from now on hold what the shard holds at this moment. An export that was not finished is given
    /// up.
    pub fn begin_export(&mut self) -> Cut {
        self.end_export();
        self.dedup.begin_walk(self.clock);
        self.export = Some(Box::new(Export::new(self.names.n_texts(), self.records.0.len())));
        Cut {
            clock: self.clock,
            n_customers: self.records.0.len() as u64,
            n_names: self.names.n_texts() as u64,
            sizes: self.sizes.clone(),
        }
    }

    /// The next packet of the export, which walks over about so many bytes of customers; `None` when all is out.
    pub fn next_packet(&mut self, budget_bytes: usize) -> Option<Packet> {
        let mut export = self.export.take()?;
        let packet = self.walk(&mut export, budget_bytes);
        if packet.is_some() {
            self.export = Some(export);
        }
        packet
    }

    fn walk(&mut self, export: &mut Export, budget_bytes: usize) -> Option<Packet> {
        if export.section == Section::Fingerprints {
            let mut packet = Packet::new(Section::Fingerprints);
            while packet.bytes.len() < PACKET_BYTES {
                let more = self.dedup.walk(|fingerprint, time_and_kind| {
                    packet.bytes.extend_from_slice(&fingerprint.to_le_bytes());
                    packet.bytes.extend_from_slice(&time_and_kind.to_le_bytes());
                    packet.n_items += 1;
                });
                if !more {
                    export.section = Section::Names;
                    break;
                }
            }
            if packet.n_items > 0 {
                return Some(packet);
            }
        }
        if export.section == Section::Names {
            if let Some(packet) = export.next_names(self) {
                return Some(packet);
            }
            export.section = Section::Customers;
        }
        export.next_customers(self, budget_bytes)
    }

    /// Whether packets are still to come.
    pub fn is_exporting(&self) -> bool {
        self.export.is_some()
    }

    /// Memory that the export holds beside the shard, in bytes: copies of who changed since the cut.
    pub fn export_bytes(&self) -> usize {
        self.export.as_ref().map_or(0, |export| export.held_bytes())
    }

    /// Gives up an export; nothing is handed out any more.
    pub fn end_export(&mut self) {
        self.export = None;
        self.dedup.end_walk();
    }
}

/// Two plans with the same layout lay out a customer's block alike, as far as this build goes.
pub fn layout(plan: &Plan) -> u64 {
    let cooldowns: Vec<Vec<bool>> = plan
        .dimensions
        .iter()
        .map(|dimension| dimension.segments.iter().map(|segment| segment.cooldown.is_some()).collect())
        .collect();
    let Plan { kinds, series, profile, schema, interests, .. } = plan;
    let attributes = &schema.attributes;
    let text = format!("{LAYOUT} {cooldowns:?} {kinds:?} {series:?} {profile:?} {attributes:?} {interests:?}");
    rapidhash::v3::rapidhash_v3(text.as_bytes())
}
