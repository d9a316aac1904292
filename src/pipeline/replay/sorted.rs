//! `--sort`: a file's records in the order of their times, for files that are not in order.
//!
//! What always holds: events of one time stay in the order of the file; records that will be rejected have no time and come
//! first; each line keeps its number. A file that is larger than the memory given goes through a temporary file.

use std::io::{self, Read};

use super::chunk::{Chunk, Chunks, lines};
use super::decode::decode_line;
use super::packed::ordered;
use super::spill::{Merged, Sorter};
use crate::event::{Decoder, Event};

/// The sorted lines of one file, in chunks.
pub struct SortedChunks {
    merged: Merged,
    chunk_bytes: usize,
    /// A line too long that waits until the chunk before it has left.
    waiting: Option<Chunk>,
}

impl SortedChunks {
    /// Reads all of `chunks`.
    pub fn new<R: Read>(
        mut chunks: Chunks<R>,
        decoder: &Decoder,
        chunk_bytes: usize,
        memory_bytes_max: usize,
    ) -> io::Result<SortedChunks> {
        let mut sorter = Sorter::new(memory_bytes_max);
        let mut n_lines = 0;
        let mut payload = Vec::new();
        while let Some(chunk) = chunks.next_chunk()? {
            match &chunk {
                Chunk::Lines(bytes) | Chunk::Numbered(bytes, _) => {
                    for line in lines(bytes) {
                        n_lines += 1;
                        if !line.is_empty() {
                            let mut event = Event::default();
                            let decoded = decode_line(decoder, line, &mut event);
                            let time = decoded.map_or([0; 8], |()| ordered(event.time));
                            pack(n_lines, 0, line, &mut payload);
                            sorter.push(&time, &payload)?;
                        }
                    }
                }
                Chunk::TooLong { start, n_bytes, .. } => {
                    n_lines += 1;
                    pack(n_lines, *n_bytes, start, &mut payload);
                    sorter.push(&[0; 8], &payload)?;
                }
            }
        }
        Ok(SortedChunks { merged: Merged::new([sorter.finish()])?, chunk_bytes, waiting: None })
    }

    /// `None` at the end.
    pub fn next_chunk(&mut self) -> io::Result<Option<Chunk>> {
        if self.waiting.is_some() {
            return Ok(self.waiting.take());
        }
        let mut bytes = Vec::with_capacity(self.chunk_bytes);
        let mut numbers = Vec::new();
        while bytes.len() < self.chunk_bytes {
            let Some((_, payload)) = self.merged.next()? else { break };
            let (number, n_bytes, line) = unpack(payload);
            if n_bytes > 0 {
                self.waiting = Some(Chunk::TooLong { start: line.to_vec(), n_bytes, number: Some(number) });
                break;
            }
            bytes.extend_from_slice(line);
            bytes.push(b'\n');
            numbers.push(number);
        }
        if numbers.is_empty() { Ok(self.waiting.take()) } else { Ok(Some(Chunk::Numbered(bytes, numbers))) }
    }
}

/// A line's number, how long it was if it was too long (else 0), and its bytes.
fn pack(number: u64, n_bytes: u64, line: &[u8], payload: &mut Vec<u8>) {
    payload.clear();
    payload.extend_from_slice(&number.to_le_bytes());
    payload.extend_from_slice(&n_bytes.to_le_bytes());
    payload.extend_from_slice(line);
}

fn unpack(payload: &[u8]) -> (u64, u64, &[u8]) {
    let (numbers, line) = payload.split_at(16);
    let number = |at: usize| u64::from_le_bytes(numbers[at..at + 8].try_into().expect("eight of sixteen bytes"));
    (number(0), number(8), line)
}
