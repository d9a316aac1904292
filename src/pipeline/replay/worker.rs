//! One thread with one shard: decodes whatever chunk is next, applies the events of its own customers in the order of
//! the merge, and keeps their changes for the sort.
//!
//! What always holds: only this thread touches the shard. Applying goes before decoding, since it frees memory.

use std::io;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, never, select};

use super::decode::{Decoded, Taken, decode};
use super::merge::FromFile;
use super::packed::{Origin, pack, pack_key};
use super::reader::Raw;
use super::spill::{Sorted, Sorter};
use crate::engine::{Arrival, Cause, Change, Outcome, Shard};
use crate::event::{Decoder, Event, Instant, Span};

/// Changes that time brings are handed on when they are so many, so that an hour in which everybody is due fits into
/// memory.
const CHANGES_HELD: usize = 4_096;

/// Events that are applied together.
const BATCH_EVENTS: usize = 512;

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
    fn taken(&self, entry: &Entry) -> &Taken<'_> {
        &self.parts[entry.part as usize].decoded.borrow_dependent().events[entry.event as usize]
    }
}

/// Where what a shard says goes: there is one for each shard, on its thread.
pub trait Sink: Send + 'static {
    /// What is left of it at the end.
    type Left: Send + 'static;

    /// Changes of one look, in their order: those of an event with its `origin`, and those of time that passed. What is
    /// in `changes` afterwards is of no interest.
    fn take(&mut self, changes: &mut Vec<Change>, origin: Option<Origin>) -> io::Result<()>;

    /// An event that was folded; the changes up to it were taken before.
    fn folded(&mut self, event: &Event<'_>);

    /// Whether an event is to be applied at all; one that is not has moved the clock all the same.
    fn wants(&mut self, _: &Event<'_>) -> bool {
        true
    }

    /// The shard, when everybody has been judged up to the end. This is still on the shard's thread.
    fn end(self, shard: Shard) -> Self::Left;
}

pub struct Worker<S> {
    pub shard: Shard,
    pub decoder: Arc<Decoder>,
    pub n_shards: u32,
    pub grace: Span,
    pub sink: S,
    pub n_changes: u64,
    pub n_duplicates: u64,
    pub n_unchecked: u64,
}

/// A sink that sorts changes for the output.
pub struct Kept {
    sorter: Sorter,
    key: Vec<u8>,
    payload: Vec<u8>,
}

/// What a shard leaves behind.
pub struct Done<L> {
    pub left: L,
    pub n_changes: u64,
    pub n_duplicates: u64,
    pub n_unchecked: u64,
    pub n_customers: u64,
    pub sizes: Vec<Vec<u64>>,
    pub state_bytes: u64,
}

impl<S: Sink> Worker<S> {
    /// Works until the merge has no more jobs. An error is the temporary file's.
    pub fn run(
        mut self,
        jobs: Receiver<Job>,
        raws: Receiver<Raw>,
        decoded: Sender<FromFile>,
    ) -> io::Result<Done<S::Left>> {
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
        let decoded = decode(&self.decoder, self.n_shards, raw.piece);
        FromFile::Chunk { file: raw.file, number: raw.number, decoded }
    }

    fn apply(&mut self, job: &Job, changes: &mut Vec<Change>) -> io::Result<()> {
        let (mut wanted, mut arrivals) = (Vec::with_capacity(BATCH_EVENTS), Vec::with_capacity(BATCH_EVENTS));
        for entries in job.entries.chunks(BATCH_EVENTS) {
            wanted.clear();
            wanted.extend(entries.iter().copied().filter(|entry| self.sink.wants(&job.taken(entry).event)));
            arrivals.clear();
            arrivals.extend(wanted.iter().map(|entry| {
                let Taken { mark, event, .. } = job.taken(entry);
                // Records of other shards moved the clock too. Only this customer's overdue judgements matter now.
                let clock_before = entry.clock_before;
                Arrival { event, mark: *mark, clock_before, clock_after: clock_before.max(event.time - self.grace) }
            }));
            self.apply_together(job, &wanted, &arrivals, changes)?;
        }
        let Worker { shard, sink, n_changes, .. } = self;
        let mut overdue = shard.overdue(job.clock);
        while overdue.judge_next(changes) {
            if changes.len() >= CHANGES_HELD {
                give(sink, n_changes, changes, None)?;
            }
        }
        give(sink, n_changes, changes, None)
    }

    fn apply_together(
        &mut self,
        job: &Job,
        entries: &[Entry],
        arrivals: &[Arrival],
        changes: &mut Vec<Change>,
    ) -> io::Result<()> {
        let Worker { shard, sink, n_changes, n_duplicates, n_unchecked, .. } = self;
        let mut batch = shard.batch(arrivals);
        while let Some((index, outcome)) = batch.apply_next(changes) {
            if !changes.is_empty() {
                let part = &job.parts[entries[index].part as usize];
                let line = job.taken(&entries[index]).line;
                let line = part.decoded.borrow_owner().line_number(part.n_lines_before, line);
                give(sink, n_changes, changes, Some(Origin { file: part.file, line }))?;
            }
            match outcome {
                Outcome::Duplicate => {
                    *n_duplicates += 1;
                    continue;
                }
                Outcome::Unchecked => *n_unchecked += 1,
                Outcome::Folded => {}
            }
            sink.folded(arrivals[index].event);
        }
        Ok(())
    }

    fn finish(self) -> Done<S::Left> {
        let (n_customers, sizes) = (self.shard.n_customers() as u64, self.shard.sizes());
        let state_bytes = self.shard.state_bytes() as u64;
        Done {
            left: self.sink.end(self.shard),
            n_changes: self.n_changes,
            n_duplicates: self.n_duplicates,
            n_unchecked: self.n_unchecked,
            n_customers,
            sizes,
            state_bytes,
        }
    }
}

/// Empties `changes`.
fn give(
    sink: &mut impl Sink,
    n_changes: &mut u64,
    changes: &mut Vec<Change>,
    origin: Option<Origin>,
) -> io::Result<()> {
    if !changes.is_empty() {
        *n_changes += changes.len() as u64;
        sink.take(changes, origin)?;
        changes.clear();
    }
    Ok(())
}

impl Kept {
    /// `memory_bytes_max` bounds the changes that are held in memory.
    pub fn new(memory_bytes_max: usize) -> Kept {
        Kept { sorter: Sorter::new(memory_bytes_max), key: Vec::new(), payload: Vec::new() }
    }
}

impl Sink for Kept {
    type Left = Sorted;

    /// Those changes that an event caused get its `origin`.
    fn take(&mut self, changes: &mut Vec<Change>, origin: Option<Origin>) -> io::Result<()> {
        for change in changes.iter() {
            let is_of_event = matches!(change.cause, Cause::Event | Cause::LateEvent);
            self.key.clear();
            self.payload.clear();
            pack_key(change, &mut self.key);
            pack(change, origin.filter(|_| is_of_event), &mut self.payload);
            self.sorter.push(&self.key, &self.payload)?;
        }
        Ok(())
    }

    fn folded(&mut self, _: &Event<'_>) {}

    fn end(self, _: Shard) -> Sorted {
        self.sorter.finish()
    }
}
