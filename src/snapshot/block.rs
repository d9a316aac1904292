//! Blocks: one packet of a shard, compressed, with a checksum over all of it. A part is a head and blocks in a row.
//!
//! | bytes | of a block's head |
//! |---|---|
//! | 1 | what the packet holds |
//! | 3 | zero |
//! | 4 | items in it |
//! | 4 | bytes of the packet |
//! | 4 | bytes behind the head (Zstandard) |
//! | 8 | checksum of the head so far and of the bytes behind it |
//!
//! A part's head is [`MAGIC`] and the format's number. Integers have their lowest byte first.

use super::error::Error;
use super::manifest::FORMAT;
use crate::engine::{Packet, Section};

/// A part begins with this.
pub const MAGIC: &[u8; 12] = b"dormouse\0snp";
pub const PART_HEAD_BYTES: usize = MAGIC.len() + 4;
const HEAD_BYTES: usize = 24;
/// No packet is larger: what claims to be is damaged.
const PACKET_BYTES_MAX: usize = 1 << 30;
/// Fast, and the bytes are dense already.
const LEVEL: i32 = 1;

/// Of a whole object or of a block.
pub fn checksum(bytes: &[u8]) -> u64 {
    rapidhash::v3::rapidhash_v3(bytes)
}

/// Writes parts.
pub struct Sealer(zstd::bulk::Compressor<'static>);

impl Sealer {
    pub fn new() -> Sealer {
        Sealer(zstd::bulk::Compressor::new(LEVEL).expect("the level is one of Zstandard's"))
    }

    /// The bytes that every part begins with.
    pub fn part_head() -> Vec<u8> {
        let mut head = MAGIC.to_vec();
        head.extend_from_slice(&FORMAT.to_le_bytes());
        head
    }

    /// Appends a packet as a block.
    pub fn seal(&mut self, packet: &Packet, out: &mut Vec<u8>) {
        assert!(packet.bytes.len() <= PACKET_BYTES_MAX, "packets are much smaller");
        let start = out.len();
        out.extend_from_slice(&[code(packet.section), 0, 0, 0]);
        out.extend_from_slice(&packet.n_items.to_le_bytes());
        out.extend_from_slice(&(packet.bytes.len() as u32).to_le_bytes());
        out.resize(start + HEAD_BYTES + zstd::zstd_safe::compress_bound(packet.bytes.len()), 0);
        let body = start + HEAD_BYTES;
        let n = self.0.compress_to_buffer(&packet.bytes, &mut out[body..]).expect("there is room for the worst case");
        out.truncate(body + n);
        out[start + 12..start + 16].copy_from_slice(&(n as u32).to_le_bytes());
        let checksum = block_checksum(&out[start..start + 16], &out[body..]);
        out[start + 16..body].copy_from_slice(&checksum.to_le_bytes());
    }
}

/// Reads a part's blocks.
pub struct Opener<'a> {
    object: &'a str,
    rest: &'a [u8],
    decompressor: zstd::bulk::Decompressor<'static>,
}

impl<'a> Opener<'a> {
    /// `object` is named in errors.
    pub fn new(object: &'a str, part: &'a [u8]) -> Result<Opener<'a>, Error> {
        let (head, rest) = part.split_at_checked(PART_HEAD_BYTES).ok_or_else(|| Error::damaged(object, "it is cut"))?;
        let (magic, format) = head.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(Error::damaged(object, "it does not begin as a part of a snapshot does"));
        }
        let format = u32::from_le_bytes([format[0], format[1], format[2], format[3]]);
        if format != FORMAT {
            return Err(Error::Format { object: object.to_owned(), found: format.into(), expected: FORMAT });
        }
        let decompressor = zstd::bulk::Decompressor::new().expect("memory for one is there");
        Ok(Opener { object, rest, decompressor })
    }

    /// The next packet, into a buffer that is used again; `None` at the end.
    pub fn next(&mut self, buffer: Vec<u8>) -> Result<Option<Packet>, Error> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let damaged = |damage: &str| Error::damaged(self.object, damage);
        let (head, rest) = self.rest.split_at_checked(HEAD_BYTES).ok_or_else(|| damaged("a block's head is cut"))?;
        let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (n_items, n_bytes, n_packed) = (word(4), word(8) as usize, word(12) as usize);
        let (packed, rest) = rest.split_at_checked(n_packed).ok_or_else(|| damaged("a block is cut"))?;
        if block_checksum(&head[..16], packed).to_le_bytes() != head[16..HEAD_BYTES] {
            return Err(damaged("the checksum of a block is not that of its bytes"));
        }
        let section = section(head[0]).filter(|_| n_bytes <= PACKET_BYTES_MAX);
        let section = section.ok_or_else(|| damaged("a block is of no kind that we know"))?;
        let mut bytes = buffer;
        bytes.clear();
        bytes.reserve(n_bytes);
        let n = self.decompressor.decompress_to_buffer(packed, &mut bytes);
        if n.ok() != Some(n_bytes) {
            return Err(damaged("a block is not as long as it says"));
        }
        self.rest = rest;
        Ok(Some(Packet { section, n_items, bytes }))
    }
}

fn block_checksum(head: &[u8], body: &[u8]) -> u64 {
    checksum(body) ^ checksum(head).rotate_left(17)
}

fn code(section: Section) -> u8 {
    match section {
        Section::Fingerprints => 1,
        Section::Names => 2,
        Section::Customers => 3,
    }
}

fn section(byte: u8) -> Option<Section> {
    Section::ALL.into_iter().find(|section| code(*section) == byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part() -> (Vec<Packet>, Vec<u8>) {
        let packet = |section, n_items, bytes: &[u8]| Packet { section, n_items, bytes: bytes.to_vec() };
        let packets = vec![
            packet(Section::Fingerprints, 2, &[7; 32]),
            packet(Section::Names, 0, b""),
            packet(Section::Customers, 9, b"some bytes of customers, some bytes of customers"),
        ];
        let mut bytes = Sealer::part_head();
        let mut sealer = Sealer::new();
        packets.iter().for_each(|packet| sealer.seal(packet, &mut bytes));
        (packets, bytes)
    }

    fn read(bytes: &[u8]) -> Result<Vec<Packet>, Error> {
        let mut opener = Opener::new("it", bytes)?;
        let mut packets = Vec::new();
        while let Some(packet) = opener.next(Vec::new())? {
            packets.push(packet);
        }
        Ok(packets)
    }

    #[test]
    fn packets_come_back() {
        let (packets, bytes) = part();
        assert_eq!(read(&bytes).expect("it is whole"), packets);
    }

    #[test]
    fn a_part_that_is_cut_has_fewer_packets_or_is_noticed() {
        let (packets, bytes) = part();
        let mut n_whole = 0;
        for n in 0..bytes.len() {
            // A cut between two blocks is the manifest's to notice.
            if let Ok(found) = read(&bytes[..n]) {
                assert_eq!(found, packets[..found.len()]);
                n_whole += 1;
            }
        }
        assert_eq!(n_whole, packets.len());
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let (_, bytes) = part();
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&bytes).is_err(), "bit {bit}");
        }
    }
}
