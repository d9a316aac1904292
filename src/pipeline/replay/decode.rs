//! A chunk of lines, decoded: what the merge needs of each record, and the events and rejects, borrowing from the
//! chunk they came in.
//!
//! It applies nothing and counts nothing. Any thread may decode any chunk.

use self_cell::self_cell;

use super::chunk::{Chunk, lines};
use super::topics::TopicPiece;
use crate::engine::Mark;
use crate::event::{Decoder, Event, Format, Instant, MAX_MESSAGE_BYTES, Reason, Reject};

self_cell!(
    /// A chunk together with what was decoded from it.
    pub struct Decoded {
        owner: Piece,
        #[covariant]
        dependent: Records,
    }
);

/// A part of what is replayed, not yet decoded.
pub enum Piece {
    /// Of a file.
    Lines(Chunk),
    /// Of a topic.
    Records(TopicPiece),
}

impl Piece {
    /// The number in the file of the line at `index`, from 1; of a record its offset.
    pub fn line_number(&self, n_lines_before: u64, index: u32) -> u64 {
        match self {
            Piece::Lines(chunk) => chunk.line_number(n_lines_before, index),
            Piece::Records(records) => records.offset(index),
        }
    }
}

/// What stood in a chunk.
#[derive(Default)]
pub struct Records<'a> {
    /// In the order of the lines.
    pub heads: Vec<Head>,
    /// In the same order.
    pub events: Vec<Taken<'a>>,
    pub rejects: Vec<Rejected<'a>>,
    /// Empty lines count too.
    pub n_lines: u64,
}

/// An event that was taken.
pub struct Taken<'a> {
    /// The index of its line in the chunk.
    pub line: u32,
    pub mark: Mark,
    pub event: Event<'a>,
}

/// A record as the merge sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    Event { time: Instant, shard: u32 },
    Reject,
}

/// A record that was not taken, with the line it was.
pub struct Rejected<'a> {
    /// Its index in the chunk.
    pub line: u32,
    pub reject: Reject,
    pub bytes: &'a [u8],
    /// How many bytes there were, when `bytes` are only the first of them.
    pub n_bytes: Option<u64>,
}

/// Decodes a piece; customers are spread over `n_shards`.
pub fn decode(decoder: &Decoder, n_shards: u32, piece: Piece) -> Decoded {
    Decoded::new(piece, |piece| match piece {
        Piece::Records(records) => records.decode(decoder, n_shards),
        Piece::Lines(Chunk::Lines(bytes) | Chunk::Numbered(bytes, _)) => decode_lines(decoder, n_shards, bytes),
        Piece::Lines(Chunk::TooLong { start, n_bytes, .. }) => {
            let rejects = vec![too_long(0, start, *n_bytes)];
            Records { heads: vec![Head::Reject], rejects, n_lines: 1, ..Records::default() }
        }
    })
}

fn decode_lines<'a>(decoder: &Decoder, n_shards: u32, bytes: &'a [u8]) -> Records<'a> {
    let mut records = Records::default();
    // Few lines are shorter; the vectors grow if they are.
    records.heads.reserve(bytes.len() / 192);
    records.events.reserve(bytes.len() / 192);
    for (line, bytes) in lines(bytes).enumerate() {
        records.n_lines += 1;
        if bytes.is_empty() {
            continue;
        }
        // A chunk has far fewer than 2^32 bytes.
        let line = line as u32;
        if bytes.len() > MAX_MESSAGE_BYTES {
            records.heads.push(Head::Reject);
            records.rejects.push(too_long(line, bytes, bytes.len() as u64));
            continue;
        }
        // Where it stays, since moving an event that was just written has to wait.
        records.events.push(Taken { line, mark: Mark::default(), event: Event::default() });
        let taken = records.events.last_mut().expect("it was just pushed");
        match decode_line(decoder, bytes, &mut taken.event) {
            Ok(()) => {
                taken.mark = Mark::of(&taken.event);
                records.heads.push(Head::Event { time: taken.event.time, shard: taken.mark.shard_of(n_shards) });
            }
            Err(reject) => {
                records.events.pop();
                records.heads.push(Head::Reject);
                records.rejects.push(Rejected { line, reject, bytes, n_bytes: None });
            }
        }
    }
    records
}

/// A record of a file says its own kind, in JSON. The event is one as [`Decoder::decode_into`] takes it.
pub fn decode_line<'a>(decoder: &Decoder, bytes: &'a [u8], event: &mut Event<'a>) -> Result<(), Reject> {
    decoder.decode_into(event, Format::Json, bytes, None)
}

/// Only the first bytes are kept, whether the line came whole or not.
fn too_long(line: u32, bytes: &[u8], n_bytes: u64) -> Rejected<'_> {
    let detail = format!("{n_bytes} bytes, more than {MAX_MESSAGE_BYTES}");
    let reject = Reject::new(Reason::MessageTooLarge, detail);
    Rejected { line, reject, bytes: &bytes[..MAX_MESSAGE_BYTES], n_bytes: Some(n_bytes) }
}
