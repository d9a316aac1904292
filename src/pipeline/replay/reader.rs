//! Reads one file, chunk by chunk, on a thread of its own, so that reading and decompressing go on beside the work, and
//! standard input that waits for somebody holds up nothing else.
//!
//! What always holds: a chunk is read only for a token, and there are few tokens, so memory does not grow with the
//! file. The thread ends when nobody takes its chunks any more.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crossbeam_channel::{Receiver, Sender};

use super::chunk::{Chunk, Chunks};
use super::decode::Piece;
use super::merge::FromFile;
use super::sorted::SortedChunks;
use super::source::{Source, open};
use crate::event::{Decoder, MAX_MESSAGE_BYTES};

/// A chunk to be decoded by whoever is free.
pub struct Raw {
    pub file: u32,
    /// Its place among the file's chunks, from 0.
    pub number: u64,
    pub piece: Piece,
}

/// What a reader's thread is given.
pub struct Reader {
    pub path: PathBuf,
    /// Index into the files of the replay.
    pub file: u32,
    pub chunk_bytes: usize,
    pub n_bytes_read: Arc<AtomicU64>,
    /// With it the file is sorted first.
    pub sort: Option<Sort>,
    /// One for each chunk that may be read.
    pub tokens: Receiver<()>,
    pub to_decode: Sender<Raw>,
    pub to_merge: Sender<FromFile>,
}

/// What sorting takes.
pub struct Sort {
    pub decoder: Arc<Decoder>,
    pub memory_bytes_max: usize,
}

enum Stream {
    AsItIs(Chunks<Source>),
    Sorted(SortedChunks),
}

impl Reader {
    /// Reads to the end of the file, or until something fails, or until nobody listens; says which, if anybody does.
    pub fn run(self) {
        let end = match self.read() {
            Ok(n_chunks) => FromFile::End { file: self.file, n_chunks },
            Err(error) => FromFile::Failed { file: self.file, error },
        };
        // When the merge is gone, the replay has failed already and says why.
        self.to_merge.send(end).ok();
    }

    /// How many chunks there were.
    fn read(&self) -> io::Result<u64> {
        let mut stream = self.open()?;
        let mut n_chunks = 0;
        while self.tokens.recv().is_ok() {
            let Some(chunk) = stream.next_chunk()? else { break };
            if self.to_decode.send(Raw { file: self.file, number: n_chunks, piece: Piece::Lines(chunk) }).is_err() {
                break;
            }
            n_chunks += 1;
        }
        Ok(n_chunks)
    }

    fn open(&self) -> io::Result<Stream> {
        let source = open(&self.path, self.n_bytes_read.clone())?;
        let chunks = Chunks::new(source, self.chunk_bytes, MAX_MESSAGE_BYTES);
        Ok(match &self.sort {
            None => Stream::AsItIs(chunks),
            Some(Sort { decoder, memory_bytes_max }) => {
                Stream::Sorted(SortedChunks::new(chunks, decoder, self.chunk_bytes, *memory_bytes_max)?)
            }
        })
    }
}

impl Stream {
    fn next_chunk(&mut self) -> io::Result<Option<Chunk>> {
        match self {
            Stream::AsItIs(chunks) => chunks.next_chunk(),
            Stream::Sorted(chunks) => chunks.next_chunk(),
        }
    }
}
