//! One partition: records, markers, what is decided and what is visible.

use std::collections::BTreeMap;

use super::transactions::TransactionKey;

#[derive(Debug, Default)]
pub struct Log {
    entries: Vec<Entry>,
    next: i64,
    low: i64,
    /// First offsets of transactions that are open here.
    open: BTreeMap<TransactionKey, i64>,
    fates: BTreeMap<TransactionKey, bool>,
    /// The newest epoch of each producer that a marker told of.
    epochs: BTreeMap<u64, i16>,
}

#[derive(Debug, Clone)]
pub struct Entry {
    pub offset: i64,
    /// When it was appended, in microseconds since the start.
    pub at: u64,
    /// `None`: a marker.
    pub record: Option<Data>,
    pub transaction: Option<TransactionKey>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data {
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
}

impl Log {
    /// One past the last offset: the high watermark.
    pub fn end(&self) -> i64 {
        self.next
    }

    pub fn low(&self) -> i64 {
        self.low
    }

    /// Below it everything is decided.
    pub fn last_stable(&self) -> i64 {
        self.open.values().copied().min().unwrap_or(self.next)
    }

    pub fn append(&mut self, record: Data, transaction: Option<TransactionKey>, at: u64) -> i64 {
        let offset = self.next;
        self.next += 1;
        if let Some(key) = transaction {
            self.open.entry(key).or_insert(offset);
        }
        self.entries.push(Entry { offset, at, record: Some(record), transaction });
        offset
    }

    /// Whether a producer's epoch is still good here.
    pub fn accepts(&self, producer: u64, epoch: i16) -> bool {
        self.epochs.get(&producer).is_none_or(|newest| epoch >= *newest)
    }

    /// Writes a marker: what the transaction wrote here is decided, and older epochs of its producer are fenced.
    pub fn mark(&mut self, key: TransactionKey, epoch: i16, is_commit: bool, at: u64) {
        self.open.remove(&key);
        self.fates.insert(key, is_commit);
        let newest = self.epochs.entry(key.0).or_insert(epoch);
        *newest = (*newest).max(epoch);
        self.entries.push(Entry { offset: self.next, at, record: None, transaction: Some(key) });
        self.next += 1;
    }

    /// Entries from an offset on, up to an offset.
    pub fn range(&self, from: i64, to: i64) -> impl Iterator<Item = &Entry> {
        let start = self.entries.partition_point(|entry| entry.offset < from);
        self.entries[start..].iter().take_while(move |entry| entry.offset < to)
    }

    /// Whether a read-committed subscriber is given the entry, once it is below the last stable offset.
    pub fn is_visible(&self, entry: &Entry) -> bool {
        entry.record.is_some() && entry.transaction.is_none_or(|key| self.fates.get(&key) == Some(&true))
    }

    /// What read-committed subscribers have been given so far.
    pub fn visible(&self) -> impl Iterator<Item = (&Entry, &Data)> {
        let entries = self.range(0, self.last_stable()).filter(|entry| self.is_visible(entry));
        entries.filter_map(|entry| entry.record.as_ref().map(|data| (entry, data)))
    }

    /// Deletes what stands before an offset, as when its time is over.
    pub fn trim(&mut self, low: i64) {
        self.low = self.low.max(low.min(self.last_stable()));
        let low = self.low;
        self.entries.retain(|entry| entry.offset >= low);
    }

    /// Drops decided records below `dirty` whose key has a later decided record.
    pub fn compact(&mut self, dirty: i64) {
        let limit = dirty.min(self.last_stable());
        let mut latest: BTreeMap<Vec<u8>, i64> = BTreeMap::new();
        for (entry, data) in self.visible() {
            if let Some(key) = data.key.as_ref().filter(|_| entry.offset < limit) {
                latest.insert(key.clone(), entry.offset);
            }
        }
        let fates = &self.fates;
        self.entries.retain(|entry| {
            let Some(data) = &entry.record else { return true };
            if entry.offset >= limit {
                return true;
            }
            let is_committed = entry.transaction.is_none_or(|key| fates.get(&key) == Some(&true));
            is_committed && data.key.as_ref().is_none_or(|key| latest.get(key) == Some(&entry.offset))
        });
    }
}
