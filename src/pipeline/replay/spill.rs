//! Sorts more records than fit into memory: sorted runs in memory up to a bound, spilled to a temporary file, merged
//! at the end. A record is a key and a payload, both plain bytes; keys compare byte for byte.
//!
//! It knows nothing of what it sorts. What always holds: the order is stable (equal keys leave in the order in which
//! they came, and in the order of the sorters given to [`Merged::new`]), and whether anything was spilled never shows.

use std::cmp::Ordering;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// So many runs of one generation are merged into one of the next, so that open runs stay few.
const FAN_IN: usize = 64;
/// Of the compressed runs, as a power of two: it bounds what each open run costs when they are merged.
const WINDOW_LOG: u32 = 18;
const BUFFER_BYTES: usize = 64 << 10;
/// Offsets into the arena are 32 bits wide.
const MEMORY_BYTES_MAX: usize = 1 << 31;

/// Takes records in any order; [`Sorter::finish`] gives them back in the order of their keys.
pub struct Sorter {
    memory_bytes_max: usize,
    arena: Vec<u8>,
    slots: Vec<Slot>,
    runs: Vec<Run>,
    file: Option<Arc<File>>,
}

/// Where a record lies in the arena: key, then payload.
#[derive(Clone, Copy)]
struct Slot {
    /// The first eight bytes of the key, big-endian: most comparisons end here.
    prefix: u64,
    start: u32,
    payload_len: u32,
    key_len: u16,
}

/// A sorted run in the temporary file.
#[derive(Clone)]
struct Run {
    file: Arc<File>,
    start: u64,
    end: u64,
    generation: u32,
}

impl Sorter {
    /// `memory_bytes_max` bounds the records held in memory (at least one is); sorting them takes up to a fifth more.
    pub fn new(memory_bytes_max: usize) -> Sorter {
        let memory_bytes_max = memory_bytes_max.min(MEMORY_BYTES_MAX);
        Sorter { memory_bytes_max, arena: Vec::new(), slots: Vec::new(), runs: Vec::new(), file: None }
    }

    /// Keys are at most 65 535 bytes long, a payload at most 2 GiB.
    pub fn push(&mut self, key: &[u8], payload: &[u8]) -> io::Result<()> {
        let new_bytes = key.len() + payload.len() + size_of::<Slot>();
        assert!(key.len() <= usize::from(u16::MAX) && payload.len() <= MEMORY_BYTES_MAX, "a record that no slot holds");
        if !self.slots.is_empty() && self.memory_bytes() + new_bytes > self.memory_bytes_max {
            self.spill()?;
        }
        self.slots.push(Slot {
            prefix: prefix(key),
            start: self.arena.len() as u32,
            payload_len: payload.len() as u32,
            key_len: key.len() as u16,
        });
        self.arena.extend_from_slice(key);
        self.arena.extend_from_slice(payload);
        Ok(())
    }

    /// What the records in memory take.
    pub fn memory_bytes(&self) -> usize {
        self.arena.len() + self.slots.len() * size_of::<Slot>()
    }

    /// How many runs lie in the temporary file.
    pub fn n_spilled(&self) -> usize {
        self.runs.len()
    }

    /// Sorts what is in memory; from here on records can only be read.
    pub fn finish(mut self) -> Sorted {
        self.sort();
        Sorted { arena: self.arena, slots: self.slots, runs: self.runs }
    }

    fn sort(&mut self) {
        let arena = &self.arena;
        let order = |a: &Slot, b: &Slot| a.prefix.cmp(&b.prefix).then_with(|| a.record(arena).0.cmp(b.record(arena).0));
        self.slots.sort_by(order);
    }

    fn spill(&mut self) -> io::Result<()> {
        self.sort();
        let file = self.file()?;
        let mut writer = RunWriter::start(file, 0)?;
        for slot in &self.slots {
            let (key, payload) = slot.record(&self.arena);
            writer.put(key, payload)?;
        }
        self.runs.push(writer.finish()?);
        self.arena.clear();
        self.slots.clear();
        self.merge_generations()
    }

    /// Merges the last runs while [`FAN_IN`] of them are of one generation. They are neighbours, so the order stays
    /// stable.
    fn merge_generations(&mut self) -> io::Result<()> {
        while let Some(first) = self.runs.len().checked_sub(FAN_IN) {
            let generation = self.runs[first].generation;
            if self.runs[first..].iter().any(|run| run.generation != generation) {
                break;
            }
            let runs = self.runs.split_off(first);
            let mut merged = Merged::new([Sorted { arena: Vec::new(), slots: Vec::new(), runs }])?;
            let mut writer = RunWriter::start(self.file()?, generation + 1)?;
            while let Some((key, payload)) = merged.next()? {
                writer.put(key, payload)?;
            }
            self.runs.push(writer.finish()?);
        }
        Ok(())
    }

    /// The temporary file: it has no name, so it is gone with the process however that ends.
    fn file(&mut self) -> io::Result<Arc<File>> {
        match &self.file {
            Some(file) => Ok(file.clone()),
            None => Ok(self.file.insert(Arc::new(tempfile::tempfile()?)).clone()),
        }
    }
}

impl Slot {
    /// Key and payload.
    fn record(self, arena: &[u8]) -> (&[u8], &[u8]) {
        arena[self.start as usize..][..self.n_bytes()].split_at(usize::from(self.key_len))
    }

    fn n_bytes(self) -> usize {
        usize::from(self.key_len) + self.payload_len as usize
    }
}

fn prefix(key: &[u8]) -> u64 {
    let mut first = [0; 8];
    let n = key.len().min(8);
    first[..n].copy_from_slice(&key[..n]);
    u64::from_be_bytes(first)
}

/// Writes one run to the end of the temporary file: for each record the two lengths, the key and the payload.
struct RunWriter {
    file: Arc<File>,
    start: u64,
    generation: u32,
    encoder: zstd::Encoder<'static, BufWriter<File>>,
}

impl RunWriter {
    fn start(file: Arc<File>, generation: u32) -> io::Result<RunWriter> {
        let mut end = file.try_clone()?;
        let start = end.seek(SeekFrom::End(0))?;
        let mut encoder = zstd::Encoder::new(BufWriter::with_capacity(BUFFER_BYTES, end), 1)?;
        encoder.window_log(WINDOW_LOG)?;
        Ok(RunWriter { file, start, generation, encoder })
    }

    fn put(&mut self, key: &[u8], payload: &[u8]) -> io::Result<()> {
        let mut lengths = [0; 6];
        lengths[..2].copy_from_slice(&(key.len() as u16).to_le_bytes());
        lengths[2..].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        self.encoder.write_all(&lengths)?;
        self.encoder.write_all(key)?;
        self.encoder.write_all(payload)
    }

    fn finish(self) -> io::Result<Run> {
        let mut end = self.encoder.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
        let end = end.stream_position()?;
        Ok(Run { file: self.file, start: self.start, end, generation: self.generation })
    }
}

/// A sorter's records in order: the spilled runs and the one that stayed in memory.
pub struct Sorted {
    arena: Vec<u8>,
    slots: Vec<Slot>,
    runs: Vec<Run>,
}

/// The records of any number of sorters as one sequence in the order of their keys.
pub struct Merged {
    arenas: Arc<[Vec<u8>]>,
    cursors: Vec<Cursor>,
    /// Indices of the cursors that have a record, as a heap with the least on top.
    heap: Vec<usize>,
    /// Whether the top was handed out and has to move on first.
    is_taken: bool,
}

impl Merged {
    pub fn new(sorted: impl IntoIterator<Item = Sorted>) -> io::Result<Merged> {
        let (mut arenas, mut cursors) = (Vec::new(), Vec::new());
        for Sorted { arena, slots, runs } in sorted {
            for run in runs {
                cursors.push(Cursor::file(run)?);
            }
            cursors.push(Cursor::new(OpenRun::Memory { arena: arenas.len(), slots: slots.into_iter() }));
            arenas.push(arena);
        }
        let mut heap = Vec::with_capacity(cursors.len());
        for (index, cursor) in cursors.iter_mut().enumerate() {
            if cursor.advance()? {
                heap.push(index);
            }
        }
        let mut merged = Merged { arenas: arenas.into(), cursors, heap, is_taken: false };
        for at in (0..merged.heap.len() / 2).rev() {
            merged.sink(at);
        }
        Ok(merged)
    }

    /// The next key and payload, valid until the next call.
    #[expect(clippy::should_implement_trait, reason = "it lends from itself, which `Iterator` cannot")]
    pub fn next(&mut self) -> io::Result<Option<(&[u8], &[u8])>> {
        Ok(self.next_cursor()?.map(|cursor| self.record(cursor)))
    }

    /// The next records, of so many bytes or a little more, to be looked at on another thread; empty at the end.
    pub fn next_portion(&mut self, n_bytes: usize) -> io::Result<Portion> {
        let mut portion = Portion { arenas: self.arenas.clone(), read: Vec::new(), records: Vec::new() };
        let mut n_bytes_left = n_bytes;
        while n_bytes_left > 0 {
            let Some(cursor) = self.next_cursor()? else { break };
            let Cursor { now, run } = &self.cursors[cursor];
            let (arena, start) = match run {
                OpenRun::Memory { arena, .. } => (*arena, now.start),
                OpenRun::File { record, .. } => {
                    portion.read.extend_from_slice(record);
                    (self.arenas.len(), (portion.read.len() - record.len()) as u32)
                }
            };
            n_bytes_left = n_bytes_left.saturating_sub(now.n_bytes());
            portion.records.push((arena, Slot { start, ..*now }));
        }
        Ok(portion)
    }

    /// The cursor with the next record.
    fn next_cursor(&mut self) -> io::Result<Option<usize>> {
        if std::mem::replace(&mut self.is_taken, false) {
            let top = self.heap[0];
            if !self.cursors[top].advance()? {
                self.heap.swap_remove(0);
            }
            self.sink(0);
        }
        self.is_taken = !self.heap.is_empty();
        Ok(self.heap.first().copied())
    }

    fn record(&self, cursor: usize) -> (&[u8], &[u8]) {
        let Cursor { now, run } = &self.cursors[cursor];
        match run {
            OpenRun::Memory { arena, .. } => now.record(&self.arenas[*arena]),
            OpenRun::File { record, .. } => now.record(record),
        }
    }

    fn sink(&mut self, mut at: usize) {
        loop {
            let mut least = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if child < self.heap.len() && self.order(child, least).is_lt() {
                    least = child;
                }
            }
            if least == at {
                return;
            }
            self.heap.swap(at, least);
            at = least;
        }
    }

    /// By key, then by cursor: earlier runs hold what came earlier.
    fn order(&self, a: usize, b: usize) -> Ordering {
        let (a, b) = (self.heap[a], self.heap[b]);
        let prefix = |cursor: usize| self.cursors[cursor].now.prefix;
        prefix(a).cmp(&prefix(b)).then_with(|| self.record(a).0.cmp(self.record(b).0)).then(a.cmp(&b))
    }
}

/// Some records of a sequence, in their order. Those that a sorter had in memory stay where they are.
pub struct Portion {
    arenas: Arc<[Vec<u8>]>,
    /// One arena more, of what was read from the temporary file.
    read: Vec<u8>,
    /// Each with the index of its arena.
    records: Vec<(usize, Slot)>,
}

impl Portion {
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Keys and payloads.
    pub fn records(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.records.iter().map(|(arena, slot)| slot.record(self.arenas.get(*arena).unwrap_or(&self.read)))
    }
}

/// A place in one run.
struct Cursor {
    /// The record at the place; in a file's case it lies at the start of what was read.
    now: Slot,
    run: OpenRun,
}

enum OpenRun {
    Memory { arena: usize, slots: std::vec::IntoIter<Slot> },
    File { reader: Box<RunReader>, record: Vec<u8> },
}

type RunReader = zstd::Decoder<'static, BufReader<Extent>>;

impl Cursor {
    /// Before the first record.
    fn new(run: OpenRun) -> Cursor {
        Cursor { now: Slot { prefix: 0, start: 0, payload_len: 0, key_len: 0 }, run }
    }

    fn file(run: Run) -> io::Result<Cursor> {
        let extent = Extent { file: run.file, at: run.start, end: run.end };
        let reader = Box::new(zstd::Decoder::with_buffer(BufReader::with_capacity(BUFFER_BYTES, extent))?);
        Ok(Cursor::new(OpenRun::File { reader, record: Vec::new() }))
    }

    /// Goes to the next record; false at the end.
    fn advance(&mut self) -> io::Result<bool> {
        let next = match &mut self.run {
            OpenRun::Memory { slots, .. } => slots.next(),
            OpenRun::File { reader, record } => read_record(reader, record)?,
        };
        self.now = next.unwrap_or(self.now);
        Ok(next.is_some())
    }
}

fn read_record(reader: &mut RunReader, record: &mut Vec<u8>) -> io::Result<Option<Slot>> {
    let mut lengths = [0; 6];
    if reader.read(&mut lengths[..1])? == 0 {
        return Ok(None);
    }
    reader.read_exact(&mut lengths[1..])?;
    let key_len = u16::from_le_bytes([lengths[0], lengths[1]]);
    let payload_len = u32::from_le_bytes([lengths[2], lengths[3], lengths[4], lengths[5]]);
    record.resize(usize::from(key_len) + payload_len as usize, 0);
    reader.read_exact(record)?;
    Ok(Some(Slot { prefix: prefix(&record[..usize::from(key_len)]), start: 0, payload_len, key_len }))
}

/// A part of the temporary file. Reads at its own place, so that many can read at once.
struct Extent {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for Extent {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(buffer.len());
        let n = self.file.read_at(&mut buffer[..n_left], self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By turns one at a time and in portions.
    fn all(mut merged: Merged) -> Vec<(Vec<u8>, Vec<u8>)> {
        let owned = |(key, payload): (&[u8], &[u8])| (key.to_vec(), payload.to_vec());
        let mut records = Vec::new();
        while let Some(record) = merged.next().expect("the temporary file can be read") {
            records.push(owned(record));
            let portion = merged.next_portion(30).expect("the temporary file can be read");
            records.extend(portion.records().map(owned));
        }
        records
    }

    fn sorted_by(n_sorters: usize, memory_bytes_max: usize, records: &[(Vec<u8>, Vec<u8>)]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut sorters: Vec<Sorter> = (0..n_sorters).map(|_| Sorter::new(memory_bytes_max)).collect();
        let share = records.len().div_ceil(n_sorters).max(1);
        for (sorter, part) in sorters.iter_mut().zip(records.chunks(share)) {
            for (key, payload) in part {
                sorter.push(key, payload).expect("the temporary file can be written");
            }
        }
        all(Merged::new(sorters.into_iter().map(Sorter::finish)).expect("the runs can be opened"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Few different keys, so that ties and common prefixes are frequent; bounds from "spill every record" up.
        #[test]
        fn equals_a_plain_stable_sort(
            records in prop::collection::vec((prop::collection::vec(0_u8..3, 0..12), prop::collection::vec(any::<u8>(), 0..20)), 0..300),
            memory_bytes_max in prop::sample::select(vec![0_usize, 100, 1_000, 1 << 20]),
            n_sorters in 1_usize..4,
        ) {
            let mut expected = records.clone();
            expected.sort_by(|a, b| a.0.cmp(&b.0));
            prop_assert_eq!(sorted_by(n_sorters, memory_bytes_max, &records), expected);
        }
    }

    #[test]
    fn memory_stays_within_its_bound_and_runs_stay_few() {
        let bound = 10_000;
        let mut sorter = Sorter::new(bound);
        for number in 0..200_000_u64 {
            let key = number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
            sorter.push(&key, &number.to_be_bytes()).expect("the temporary file can be written");
            assert!(sorter.memory_bytes() <= bound);
            assert!(sorter.n_spilled() < 3 * FAN_IN);
        }
        assert!(sorter.n_spilled() > 1);
        let records = all(Merged::new([sorter.finish()]).expect("the runs can be opened"));
        assert_eq!(records.len(), 200_000);
        assert!(records.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
