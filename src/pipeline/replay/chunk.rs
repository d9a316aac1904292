//! Cuts a stream of bytes into chunks of whole lines, to be decoded elsewhere.
//!
//! It looks at newlines only. What always holds: the chunks, one after the other, are the stream, except that a line
//! over the limit keeps only its first bytes; no chunk is much larger than asked for, or than one line.

use std::io::{self, Read};

use memchr::{memchr, memchr_iter, memrchr};

/// A piece of a file.
#[derive(Debug, PartialEq, Eq)]
pub enum Chunk {
    /// Whole lines; the last one of a file may be without its newline.
    Lines(Vec<u8>),
    /// Whole lines that do not follow each other in the file, with their numbers there, from 1.
    Numbered(Vec<u8>, Vec<u64>),
    /// One line over the limit: its first bytes and how many there were; its number where the chunk before does not
    /// tell it.
    TooLong { start: Vec<u8>, n_bytes: u64, number: Option<u64> },
}

impl Chunk {
    /// The number in the file, from 1, of the line at `index` in this chunk, after `n_lines_before` in those before.
    pub fn line_number(&self, n_lines_before: u64, index: u32) -> u64 {
        match self {
            Chunk::Numbered(_, numbers) => numbers[index as usize],
            Chunk::TooLong { number: Some(number), .. } => *number,
            _ => n_lines_before + u64::from(index) + 1,
        }
    }
}

/// The chunks of one stream, in order.
pub struct Chunks<R> {
    source: R,
    chunk_bytes: usize,
    line_bytes_max: usize,
    /// The start of a line whose end has not been read yet.
    rest: Vec<u8>,
    is_at_end: bool,
}

impl<R: Read> Chunks<R> {
    /// A chunk is about `chunk_bytes` long; a line of more than `line_bytes_max` (without its end) may be cut.
    pub fn new(source: R, chunk_bytes: usize, line_bytes_max: usize) -> Chunks<R> {
        Chunks { source, chunk_bytes, line_bytes_max, rest: Vec::new(), is_at_end: false }
    }

    /// `None` at the end.
    pub fn next_chunk(&mut self) -> io::Result<Option<Chunk>> {
        let mut bytes = Vec::with_capacity(self.chunk_bytes);
        bytes.append(&mut self.rest);
        loop {
            self.fill(&mut bytes)?;
            let searched = if self.is_at_end { bytes.len().checked_sub(1) } else { memrchr(b'\n', &bytes) };
            if let Some(last) = searched {
                self.rest.extend_from_slice(&bytes[last + 1..]);
                bytes.truncate(last + 1);
                return Ok(Some(Chunk::Lines(bytes)));
            }
            if self.is_at_end {
                return Ok(None);
            }
            // One more for a carriage return.
            if bytes.len() > self.line_bytes_max + 1 {
                return self.skip_line(bytes).map(Some);
            }
        }
    }

    /// Reads one chunk more, or up to the end.
    fn fill(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        let wanted = self.chunk_bytes.saturating_sub(bytes.len()).max(self.chunk_bytes / 4).max(1);
        bytes.reserve(wanted);
        let n = self.source.by_ref().take(wanted as u64).read_to_end(bytes)?;
        self.is_at_end = n < wanted;
        Ok(())
    }

    /// Reads to the end of a line that is too long, keeping what it began with.
    fn skip_line(&mut self, mut start: Vec<u8>) -> io::Result<Chunk> {
        let (mut n_bytes, mut last) = (start.len() as u64, start.last().copied());
        start.truncate(self.line_bytes_max);
        start.shrink_to_fit();
        let mut bytes = Vec::new();
        while !self.is_at_end {
            bytes.clear();
            self.fill(&mut bytes)?;
            let end = memchr(b'\n', &bytes);
            let part = &bytes[..end.unwrap_or(bytes.len())];
            n_bytes += part.len() as u64;
            last = part.last().copied().or(last);
            if let Some(end) = end {
                self.rest.extend_from_slice(&bytes[end + 1..]);
                break;
            }
        }
        n_bytes -= u64::from(last == Some(b'\r'));
        Ok(Chunk::TooLong { start, n_bytes, number: None })
    }
}

/// The lines of a chunk without their ends (`\n` or `\r\n`); the empty ones too, so that they can be numbered.
pub fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    let has_open_end = !bytes.is_empty() && bytes.last() != Some(&b'\n');
    memchr_iter(b'\n', bytes).chain(has_open_end.then_some(bytes.len())).map(move |end| {
        let line = &bytes[start..end];
        start = end + 1;
        line.strip_suffix(b"\r").unwrap_or(line)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chunks(text: &[u8], chunk_bytes: usize, line_bytes_max: usize) -> Vec<Chunk> {
        let mut chunks = Chunks::new(text, chunk_bytes, line_bytes_max);
        std::iter::from_fn(|| chunks.next_chunk().expect("memory can be read")).collect()
    }

    proptest! {
        #[test]
        fn lines_are_whole_and_in_order(
            lines_in in prop::collection::vec("[a-c]{0,9}\r?", 0..40),
            ends_open in any::<bool>(),
            chunk_bytes in 1_usize..30,
        ) {
            let mut text: String = lines_in.iter().map(|line| format!("{line}\n")).collect();
            if ends_open {
                text.pop();
            }
            let mut found = Vec::new();
            for chunk in chunks(text.as_bytes(), chunk_bytes, 20) {
                let Chunk::Lines(bytes) = chunk else { return Err(TestCaseError::fail("no line is too long")) };
                prop_assert!(bytes.len() <= 2 * chunk_bytes + 20);
                found.extend(lines(&bytes).map(<[u8]>::to_vec));
            }
            let mut expected: Vec<Vec<u8>> =
                lines_in.iter().map(|line| line.trim_end_matches('\r').as_bytes().to_vec()).collect();
            if ends_open && lines_in.last().is_some_and(String::is_empty) {
                expected.pop();
            }
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_line_over_the_limit_keeps_its_start_and_the_next_ones_are_whole() {
        let text = [b"{}\n".to_vec(), vec![b'x'; 1000], b"\r\n{1}\n{2}".to_vec()].concat();
        for chunk_bytes in [1, 7, 64, 700] {
            let found = chunks(&text, chunk_bytes, 10);
            let too_long: Vec<_> = found.iter().filter(|chunk| matches!(chunk, Chunk::TooLong { .. })).collect();
            assert_eq!(
                too_long,
                [&Chunk::TooLong { start: vec![b'x'; 10], n_bytes: 1000, number: None }],
                "{chunk_bytes}"
            );
            let rest: Vec<u8> = found
                .iter()
                .filter_map(|chunk| if let Chunk::Lines(bytes) = chunk { Some(&bytes[..]) } else { None })
                .collect::<Vec<_>>()
                .concat();
            assert_eq!(rest, b"{}\n{1}\n{2}", "{chunk_bytes}");
        }
    }

    #[test]
    fn an_endless_line_at_the_end_of_the_file_ends_with_it() {
        let found = chunks(&[b'x'; 99], 8, 10);
        assert_eq!(found, [Chunk::TooLong { start: vec![b'x'; 10], n_bytes: 99, number: None }]);
    }
}
