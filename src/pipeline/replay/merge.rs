//! The one order of reading: the files' records by event time at the heads, ties in the order of the files, and
//! with it the clock that every shard sees.
//!
//! It touches only times and numbers of shards; the events themselves are applied elsewhere, a batch at a time. A
//! record without a time (a reject), and an event that is not to be read, leaves as soon as it is at its file's head.
//! What always holds: what is handed to the shards depends on the files and their order alone, not on how they were
//! cut, or on threads.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io::{self, Write};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, TryRecvError};

use super::Error;
use super::decode::{Decoded, Head};
use super::rejects;
use super::summary::FileSummary;
use super::worker::{Entry, Job, Part};
use crate::event::{Instant, Reason, Span};

/// A batch leaves when it has so many events. With more of them the first would have left the processor's caches before
/// they are applied.
const BATCH_EVENTS: usize = 2_048;
/// Earlier than any clock: before the first event.
const BEFORE_ALL: Instant = Instant(i64::MIN);

/// What the merge hears of a file.
pub enum FromFile {
    /// Chunks may come in any order.
    Chunk {
        file: u32,
        number: u64,
        decoded: Decoded,
    },
    /// Chunks 0 to `n_chunks - 1` are all there is.
    End {
        file: u32,
        n_chunks: u64,
    },
    Failed {
        file: u32,
        error: io::Error,
    },
}

/// A file that is being merged.
pub struct File {
    /// As it stands on the command line and in causes.
    pub name: String,
    /// Allows its reader one more chunk.
    pub tokens: Sender<()>,
    pub summary: FileSummary,
    waiting: BTreeMap<u64, Decoded>,
    n_chunks: Option<u64>,
    /// The number of the chunk at hand, or of the next one.
    number: u64,
    n_lines_before: u64,
    at_hand: Option<Arc<Decoded>>,
    /// Places in the chunk at hand.
    head: usize,
    event: usize,
    reject: usize,
    /// The index in the open batch of the chunk at hand.
    part: Option<u32>,
}

impl File {
    pub fn new(name: String, tokens: Sender<()>) -> File {
        File {
            name,
            tokens,
            summary: FileSummary::default(),
            waiting: BTreeMap::new(),
            n_chunks: None,
            number: 0,
            n_lines_before: 0,
            at_hand: None,
            head: 0,
            event: 0,
            reject: 0,
            part: None,
        }
    }
}

/// Merges the files and feeds the shards.
pub struct Merge<'a> {
    pub files: Vec<File>,
    pub from_files: Receiver<FromFile>,
    /// To the thread of each shard.
    pub jobs: Vec<Sender<Job>>,
    pub until: Option<Instant>,
    pub grace: Span,
    pub rejects: Option<&'a mut dyn Write>,
    pub n_not_read: u64,
    pub n_rejects: [u64; Reason::ALL.len()],
    /// Where the clock stands at the end; `None` when nothing moved it.
    pub end: Option<Instant>,
    latest: Instant,
    clock: Instant,
    batch: Batch,
}

/// What goes to the shards next.
struct Batch {
    parts: Vec<Part>,
    /// One list for each shard.
    entries: Vec<Vec<Entry>>,
    n_events: usize,
}

/// Why the merge ended before its time.
pub enum Stop {
    Failed(Error),
    /// A shard's thread is gone; it knows why.
    ShardGone,
}

impl<'a> Merge<'a> {
    pub fn new(
        files: Vec<File>,
        from_files: Receiver<FromFile>,
        jobs: Vec<Sender<Job>>,
        until: Option<Instant>,
        grace: Span,
        rejects: Option<&'a mut dyn Write>,
    ) -> Merge<'a> {
        let entries = jobs.iter().map(|_| Vec::new()).collect();
        Merge {
            files,
            from_files,
            jobs,
            until,
            grace,
            rejects,
            n_not_read: 0,
            n_rejects: [0; Reason::ALL.len()],
            end: None,
            latest: BEFORE_ALL,
            clock: BEFORE_ALL,
            batch: Batch { parts: Vec::new(), entries, n_events: 0 },
        }
    }

    /// Takes every record of every file, then moves all shards to the end moment.
    pub fn run(&mut self) -> Result<(), Stop> {
        let mut heads = BinaryHeap::new();
        for file in 0..self.files.len() {
            if let Some(time) = self.head(file)? {
                heads.push(Reverse((time, file)));
            }
        }
        while let Some(Reverse((_, file))) = heads.pop() {
            // The same file goes on for as long as no other one's head comes before its own.
            let bound = heads.peek().map_or((Instant::NEVER, usize::MAX), |Reverse(head)| *head);
            loop {
                self.take(file)?;
                let Some(time) = self.head(file)? else { break };
                if (time, file) > bound {
                    heads.push(Reverse((time, file)));
                    break;
                }
            }
        }
        if let Some(end) = self.until.or(Some(self.latest).filter(|latest| *latest > BEFORE_ALL)) {
            self.clock = self.clock.max(end);
            self.end = Some(self.clock);
        }
        self.flush()
    }

    /// The time of the file's next event to be read; `None` at its end.
    fn head(&mut self, file: usize) -> Result<Option<Instant>, Stop> {
        while self.chunk_at_hand(file)? {
            let state = &mut self.files[file];
            let records = state.at_hand.as_ref().expect("just looked").borrow_dependent();
            while let Some(head) = records.heads.get(state.head) {
                match *head {
                    Head::Event { time, .. } if self.until.is_none_or(|until| time <= until) => return Ok(Some(time)),
                    Head::Event { .. } => {
                        state.event += 1;
                        self.n_not_read += 1;
                    }
                    Head::Reject => {
                        let rejected = &records.rejects[state.reject];
                        state.reject += 1;
                        state.summary.n_rejects += 1;
                        self.n_rejects[rejected.reject.reason as usize] += 1;
                        if let Some(out) = &mut self.rejects {
                            let chunk = state.at_hand.as_ref().expect("just looked").borrow_owner();
                            let line = chunk.line_number(state.n_lines_before, rejected.line);
                            rejects::write(rejected, &state.name, line, *out)
                                .map_err(|error| Stop::Failed(Error::Rejects(error)))?;
                        }
                    }
                }
                state.head += 1;
            }
            self.leave_chunk(file);
        }
        Ok(None)
    }

    /// Puts the event at the file's head into the batch of its shard.
    fn take(&mut self, file: usize) -> Result<(), Stop> {
        let state = &mut self.files[file];
        let chunk = state.at_hand.as_ref().expect("a file with a head has a chunk at hand");
        let Head::Event { time, shard } = chunk.borrow_dependent().heads[state.head] else {
            unreachable!("rejects leave as soon as they are at the head")
        };
        let part = *state.part.get_or_insert_with(|| {
            let part = Part { file: file as u32, n_lines_before: state.n_lines_before, decoded: chunk.clone() };
            self.batch.parts.push(part);
            self.batch.parts.len() as u32 - 1
        });
        let entry = Entry { clock_before: self.clock, part, event: state.event as u32 };
        self.batch.entries[shard as usize].push(entry);
        self.batch.n_events += 1;
        state.head += 1;
        state.event += 1;
        state.summary.n_events += 1;
        state.summary.n_late += u64::from(time <= self.clock);
        if time > self.latest {
            self.latest = time;
            self.clock = self.clock.max(time - self.grace);
        }
        if self.batch.n_events >= BATCH_EVENTS { self.flush() } else { Ok(()) }
    }

    /// Hands the batch to the shards, with the clock as it stands after it.
    fn flush(&mut self) -> Result<(), Stop> {
        let parts: Arc<[Part]> = std::mem::take(&mut self.batch.parts).into();
        self.batch.n_events = 0;
        for file in &mut self.files {
            file.part = None;
        }
        for (jobs, entries) in self.jobs.iter().zip(&mut self.batch.entries) {
            let n_expected = entries.len();
            let entries = std::mem::replace(entries, Vec::with_capacity(n_expected));
            let job = Job { parts: parts.clone(), entries, clock: self.clock };
            jobs.send(job).map_err(|_| Stop::ShardGone)?;
        }
        Ok(())
    }

    /// Makes sure that the file has a chunk at hand; false at its end.
    fn chunk_at_hand(&mut self, file: usize) -> Result<bool, Stop> {
        loop {
            let state = &mut self.files[file];
            if state.at_hand.is_some() {
                return Ok(true);
            }
            if let Some(decoded) = state.waiting.remove(&state.number) {
                state.at_hand = Some(Arc::new(decoded));
                return Ok(true);
            }
            if state.n_chunks == Some(state.number) {
                return Ok(false);
            }
            self.hear()?;
        }
    }

    /// Waits for news of any file. The shards get what there is before.
    fn hear(&mut self) -> Result<(), Stop> {
        let news = match self.from_files.try_recv() {
            Err(TryRecvError::Empty) => {
                if self.batch.n_events > 0 {
                    self.flush()?;
                }
                self.from_files.recv().map_err(|_| Stop::ShardGone)?
            }
            news => news.map_err(|_| Stop::ShardGone)?,
        };
        match news {
            FromFile::Chunk { file, number, decoded } => {
                self.files[file as usize].waiting.insert(number, decoded);
            }
            FromFile::End { file, n_chunks } => self.files[file as usize].n_chunks = Some(n_chunks),
            FromFile::Failed { file, error } => {
                let file = self.files[file as usize].name.clone();
                return Err(Stop::Failed(Error::Input { file, error }));
            }
        }
        Ok(())
    }

    fn leave_chunk(&mut self, file: usize) {
        let state = &mut self.files[file];
        if let Some(decoded) = state.at_hand.take() {
            state.n_lines_before += decoded.borrow_dependent().n_lines;
        }
        state.number += 1;
        (state.head, state.event, state.reject, state.part) = (0, 0, 0, None);
        // A reader that has come to the end takes no more tokens.
        state.tokens.send(()).ok();
    }
}
