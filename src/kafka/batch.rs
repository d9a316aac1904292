//! Records of one partition, copied out of librdkafka into one block of memory: read by one thread, used by another,
//! freed at once.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Bytes of one partition's batches that are alive.
#[derive(Debug, Default)]
pub struct Quota(AtomicUsize);

impl Quota {
    pub fn held_bytes(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

/// A record's timestamp, in milliseconds since the epoch, and who set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamped {
    /// By the broker, when it was appended.
    Appended(i64),
    /// By whoever produced it.
    Created(i64),
    Absent,
}

/// Consecutive records of one partition, and how far the reader has come.
#[derive(Debug)]
pub struct Batch {
    /// The caller's number for this reading of the partition.
    pub reading: u64,
    /// Which of the topics that the reader was opened with.
    pub input: usize,
    pub partition: i32,
    /// The reader's position before it.
    pub start: i64,
    /// The next offset that the reader has not seen: past the last record, or past what follows it and is no record.
    pub position: i64,
    /// When its records were taken from librdkafka.
    pub received: Instant,
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// Of the few records that have some: the entry's number and its headers.
    headers: Vec<(usize, Vec<Header>)>,
    /// Where its bytes are counted while it is alive, and how many were.
    held: Option<(Arc<Quota>, usize)>,
}

type Header = (Vec<u8>, Option<Vec<u8>>);

#[derive(Debug)]
struct Entry {
    offset: i64,
    stamped: Stamped,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
}

/// One record, borrowed from its batch.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    pub offset: i64,
    pub stamped: Stamped,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    /// Names and values, in their order.
    pub headers: &'a [(Vec<u8>, Option<Vec<u8>>)],
}

impl Batch {
    /// An empty batch of a reading (its number, the input's, the partition's) that has come to `position`.
    pub fn new(reading: u64, input: usize, partition: i32, position: i64, received: Instant) -> Batch {
        Batch {
            reading,
            input,
            partition,
            start: position,
            position,
            received,
            bytes: Vec::new(),
            entries: Vec::new(),
            headers: Vec::new(),
            held: None,
        }
    }

    /// Counts the batch's bytes from now until it is dropped.
    pub fn hold(&mut self, quota: &Arc<Quota>) {
        assert!(self.held.is_none(), "a batch is counted once");
        let n_bytes = self.size_bytes();
        quota.0.fetch_add(n_bytes, Ordering::AcqRel);
        self.held = Some((Arc::clone(quota), n_bytes));
    }

    /// Copies a record in.
    pub fn push(&mut self, record: &Record<'_>) {
        if !record.headers.is_empty() {
            self.headers.push((self.entries.len(), record.headers.to_vec()));
        }
        let key = record.key.map(|key| self.copy(key));
        let value = record.value.map(|value| self.copy(value));
        self.entries.push(Entry { offset: record.offset, stamped: record.stamped, key, value });
    }

    fn copy(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    pub fn n_records(&self) -> usize {
        self.entries.len()
    }

    /// The record at a place in the batch, if there is one.
    pub fn record(&self, index: usize) -> Option<Record<'_>> {
        let entry = self.entries.get(index)?;
        let bytes = |range: &Option<Range<usize>>| range.clone().map(|range| &self.bytes[range]);
        let headers = match self.headers.binary_search_by_key(&index, |(entry, _)| *entry) {
            Ok(found) => self.headers[found].1.as_slice(),
            Err(_) => &[],
        };
        Some(Record {
            offset: entry.offset,
            stamped: entry.stamped,
            key: bytes(&entry.key),
            value: bytes(&entry.value),
            headers,
        })
    }

    /// The timestamp of its last record.
    pub fn latest(&self) -> Option<Stamped> {
        self.entries.last().map(|entry| entry.stamped)
    }

    /// Memory that it takes, about.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len() + self.entries.len() * size_of::<Entry>()
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        if let Some((quota, n_bytes)) = self.held.take() {
            quota.0.fetch_sub(n_bytes, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_out_as_they_went_in() {
        let mut batch = Batch::new(1, 0, 3, 5, Instant::now());
        let headers = [(b"n".to_vec(), Some(b"1".to_vec())), (b"n".to_vec(), None)];
        let plain = Record { offset: 5, stamped: Stamped::Absent, key: None, value: Some(b"abc"), headers: &[] };
        let full =
            Record { offset: 6, stamped: Stamped::Created(9), key: Some(b"k"), value: Some(b""), headers: &headers };
        batch.push(&plain);
        batch.push(&full);
        let first = batch.record(0).expect("it was pushed");
        assert_eq!((first.offset, first.key, first.value, first.headers.len()), (5, None, Some(&b"abc"[..]), 0));
        let second = batch.record(1).expect("it was pushed");
        assert_eq!((second.offset, second.key, second.value), (6, Some(&b"k"[..]), Some(&b""[..])));
        assert_eq!((second.stamped, second.headers), (Stamped::Created(9), &headers[..]));
        assert!(batch.record(2).is_none());
    }
}
