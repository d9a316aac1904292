//! One thread with one shard: decodes whatever chunk is next, applies the events of its own customers in the order of
//! the merge, and keeps their changes for the sort.
//!
//! What always holds: only this thread touches the shard. Applying goes before decoding, since it frees memory.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, never, select};

use super::decode::{Decoded, decode};
use super::follow::Focus;
use super::merge::FromFile;
use super::packed::{Origin, pack, pack_key};
use super::reader::Raw;
use super::spill::{Sorted, Sorter};
use crate::engine::{Cause, Change, Located, Outcome, Progress, Shard};
use crate::event::{Decoder, Event, Instant, Span};

/// Judgements between two looks at what they brought, so that an hour in which everybody is due fits into memory.
const ADVANCE_BUDGET: usize = 4_096;

/// Events that are looked up before the first of them is applied.
const LOOKAHEAD: usize = 32;

/// A chunk that events of a job stand in.
pub struct Part {
    pub file: u32,
    pub n_lines_before: u64,
    pub decoded: Arc<Decoded>,
}

/// One event to be applied.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The clock of the whole replay before this record.
    pub clock_before: Instant,
    /// Index into the job's parts.
    pub part: u32,
    /// Index into the part's events.
    pub event: u32,
}

/// A shard's part of a batch.
pub struct Job {
    pub parts: Arc<[Part]>,
    pub entries: Vec<Entry>,
    /// The clock of the whole replay after the batch.
    pub clock: Instant,
}

impl Job {
    /// An event, and which of its chunk's lines it is.
    pub fn event(&self, entry: &Entry) -> &(u32, Event<'_>) {
        &self.parts[entry.part as usize].decoded.borrow_dependent().events[entry.event as usize]
    }
}

pub struct Worker {
    pub shard: Shard,
    pub decoder: Arc<Decoder>,
    pub n_shards: u32,
    pub grace: Span,
    pub kept: Kept,
    /// Whom alone it looks at, if not at everybody.
    pub focus: Option<Focus>,
}

/// The changes so far, and what else is told at the end.
pub struct Kept {
    sorter: Sorter,
    key: Vec<u8>,
    payload: Vec<u8>,
    n_changes: u64,
    n_duplicates: u64,
    n_unchecked: u64,
}

/// What a shard leaves behind.
pub struct Done {
    pub changes: Sorted,
    pub n_changes: u64,
    pub n_duplicates: u64,
    pub n_unchecked: u64,
    pub n_customers: u64,
    pub sizes: Vec<Vec<u64>>,
    pub state_bytes: u64,
    /// The shard itself, when it looked at one customer.
    pub focused: Option<(Focus, Shard)>,
}

impl Worker {
    /// Works until the merge has no more jobs. An error is the temporary file's.
    pub fn run(mut self, jobs: Receiver<Job>, raws: Receiver<Raw>, decoded: Sender<FromFile>) -> io::Result<Done> {
        let mut raws = raws;
        let mut changes = Vec::new();
        loop {
            if let Ok(job) = jobs.try_recv() {
                self.apply(&job, &mut changes)?;
                continue;
            }
            select! {
                recv(jobs) -> job => match job {
                    Ok(job) => self.apply(&job, &mut changes)?,
                    Err(_) => return Ok(self.finish()),
                },
                recv(raws) -> raw => match raw {
                    // When the merge is gone, the next look at the jobs says so.
                    Ok(raw) => decoded.send(self.decode(raw)).unwrap_or_default(),
                    Err(_) => raws = never(),
                },
            }
        }
    }

    fn decode(&self, raw: Raw) -> FromFile {
        let decoded = decode(&self.decoder, self.n_shards, raw.chunk);
        FromFile::Chunk { file: raw.file, number: raw.number, decoded }
    }

    fn apply(&mut self, job: &Job, changes: &mut Vec<Change>) -> io::Result<()> {
        let mut located = Vec::with_capacity(LOOKAHEAD);
        let all = match &mut self.focus {
            Some(focus) => focus.of_customer(job),
            None => Cow::Borrowed(&job.entries[..]),
        };
        for entries in all.chunks(LOOKAHEAD) {
            located.clear();
            located.extend(entries.iter().map(|entry| self.shard.locate(&job.event(entry).1)));
            for (entry, located) in entries.iter().zip(&located) {
                self.apply_one(job, entry, *located, changes)?;
            }
        }
        while self.shard.advance(job.clock, ADVANCE_BUDGET, changes) == Progress::More {
            self.kept.keep(changes, None)?;
        }
        self.kept.keep(changes, None)
    }

    fn apply_one(&mut self, job: &Job, entry: &Entry, located: Located, changes: &mut Vec<Change>) -> io::Result<()> {
        let (line, event) = job.event(entry);
        // Records of other shards moved the clock too. Only this customer's overdue judgements matter now.
        self.shard.observe(entry.clock_before);
        let clock_after = entry.clock_before.max(event.time - self.grace);
        match self.shard.apply_at(located, event, clock_after, changes) {
            Outcome::Folded => {}
            Outcome::Unchecked => self.kept.n_unchecked += 1,
            Outcome::Duplicate => self.kept.n_duplicates += 1,
        }
        if !changes.is_empty() {
            let part = &job.parts[entry.part as usize];
            let line = part.decoded.borrow_owner().line_number(part.n_lines_before, *line);
            self.kept.keep(changes, Some(Origin { file: part.file, line }))?;
        }
        Ok(())
    }

    fn finish(self) -> Done {
        Done {
            changes: self.kept.sorter.finish(),
            n_changes: self.kept.n_changes,
            n_duplicates: self.kept.n_duplicates,
            n_unchecked: self.kept.n_unchecked,
            n_customers: self.shard.n_customers() as u64,
            sizes: self.shard.sizes(),
            state_bytes: self.shard.state_bytes() as u64,
            focused: self.focus.map(|focus| (focus, self.shard)),
        }
    }
}

impl Kept {
    /// `memory_bytes_max` bounds the changes that are held in memory.
    pub fn new(memory_bytes_max: usize) -> Kept {
        Kept {
            sorter: Sorter::new(memory_bytes_max),
            key: Vec::new(),
            payload: Vec::new(),
            n_changes: 0,
            n_duplicates: 0,
            n_unchecked: 0,
        }
    }

    /// Empties `changes`. Those that an event caused get its `origin`.
    fn keep(&mut self, changes: &mut Vec<Change>, origin: Option<Origin>) -> io::Result<()> {
        for change in changes.drain(..) {
            let is_of_event = matches!(change.cause, Cause::Event | Cause::LateEvent);
            self.key.clear();
            self.payload.clear();
            pack_key(&change, &mut self.key);
            pack(&change, origin.filter(|_| is_of_event), &mut self.payload);
            self.sorter.push(&self.key, &self.payload)?;
            self.n_changes += 1;
        }
        Ok(())
    }
}
