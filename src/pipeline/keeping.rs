//! What shards, committer and keeper of snapshots tell each other.
//!
//! A shard that cuts a snapshot says so before its part is handed over, so the word that the part was committed cannot
//! come first. One shard at a time hands out its customers; what is on its way is bounded, and nobody waits for the store
//! but the keeper.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::epoch::Held;
use super::record::Token;
use crate::engine::Packet;
use crate::event::{Instant, Span};
use crate::snapshot::{Head, Manifest, Store};

/// Bytes of packets that may be on their way to the keeper.
const IN_FLIGHT_BYTES: usize = 8 << 20;
const NOBODY: i32 = -1;

/// Where snapshots go, and how often.
#[derive(Debug, Clone)]
pub struct Snapshots {
    pub store: Store,
    pub every: Duration,
}

/// What the keeper is told, in order.
pub enum Told {
    /// A shard was cut; packets follow.
    Cut(Box<Head>),
    Packet(i32, Packet, InFlight),
    /// All packets were sent.
    Whole(i32),
    /// The shard sends no more, and it is not whole.
    GivenUp(i32),
    /// A part under this token is committed.
    Committed(i32, Token),
    End,
}

/// The newest snapshot of a shard that is known to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newest {
    pub taken_at: Instant,
    /// The next offset of each input topic.
    pub next: BTreeMap<String, i64>,
}

/// Shared by all threads of an instance.
pub struct Keeping {
    pub snapshots: Snapshots,
    sender: Sender<Told>,
    receiver: Receiver<Told>,
    in_flight: Arc<AtomicUsize>,
    /// The shard that hands out its customers.
    turn: AtomicI32,
    slots: Vec<Slot>,
}

#[derive(Default)]
struct Slot {
    /// Where a committed record of the shard stands on the standing topic; nothing after it is older than the last part.
    record_at: AtomicI64,
    /// Of the cut that is not published yet.
    awaited: Mutex<Option<Token>>,
    newest: Mutex<Option<Newest>>,
}

/// Bytes on their way to the keeper.
pub struct InFlight {
    n_bytes: usize,
    all: Arc<AtomicUsize>,
    /// They are of the shared budget, too.
    _held: Held,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.all.fetch_sub(self.n_bytes, Ordering::AcqRel);
    }
}

impl Keeping {
    pub fn new(snapshots: Snapshots, n_partitions: usize) -> Keeping {
        let (sender, receiver) = unbounded();
        Keeping {
            snapshots,
            sender,
            receiver,
            in_flight: Arc::default(),
            turn: AtomicI32::new(NOBODY),
            slots: (0..n_partitions).map(|_| Slot::default()).collect(),
        }
    }

    pub fn receiver(&self) -> &Receiver<Told> {
        &self.receiver
    }

    pub fn tell(&self, told: Told) {
        self.sender.send(told).expect("the receiver is kept beside the sender");
    }

    /// Whether it is this shard's turn to hand out customers, from now on until it is passed on.
    pub fn has_turn(&self, shard: i32) -> bool {
        match self.turn.compare_exchange(NOBODY, shard, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => true,
            Err(present) => present == shard,
        }
    }

    /// Whether nobody hands out customers.
    pub fn is_free(&self) -> bool {
        self.turn.load(Ordering::Acquire) == NOBODY
    }

    pub fn pass_turn(&self, shard: i32) {
        // Nothing changes when it was another's.
        let _ = self.turn.compare_exchange(shard, NOBODY, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Whether there is room for another packet.
    pub fn has_room(&self) -> bool {
        self.in_flight.load(Ordering::Acquire) < IN_FLIGHT_BYTES
    }

    pub fn send(&self, shard: i32, packet: Packet, held: Held) {
        let n_bytes = packet.bytes.len();
        self.in_flight.fetch_add(n_bytes, Ordering::AcqRel);
        let in_flight = InFlight { n_bytes, all: Arc::clone(&self.in_flight), _held: held };
        self.tell(Told::Packet(shard, packet, in_flight));
    }

    /// A shard was cut at the end of the epoch of this token.
    pub fn await_commit(&self, shard: i32, token: Token) {
        *lock(&self.slot(shard).awaited) = Some(token);
    }

    /// Whether the snapshot of that cut is still to be published.
    pub fn is_awaited(&self, shard: i32, token: &Token) -> bool {
        lock(&self.slot(shard).awaited).as_ref() == Some(token)
    }

    /// The snapshot of that cut was published, or will not be. A later one's is left alone.
    pub fn no_longer_awaited(&self, shard: i32, token: &str) {
        let mut awaited = lock(&self.slot(shard).awaited);
        if awaited.as_ref().is_some_and(|present| present.as_str() == token) {
            *awaited = None;
        }
    }

    /// Whether any snapshot is on its way.
    pub fn is_busy(&self) -> bool {
        self.slots.iter().any(|slot| lock(&slot.awaited).is_some())
    }

    /// A part under this token is known to be committed.
    pub fn committed(&self, shard: i32, token: &Token) {
        if self.is_awaited(shard, token) {
            self.tell(Told::Committed(shard, token.clone()));
        }
    }

    pub fn set_record_at(&self, shard: i32, offset: i64) {
        self.slot(shard).record_at.store(offset, Ordering::Release);
    }

    pub fn record_at(&self, shard: i32) -> i64 {
        self.slot(shard).record_at.load(Ordering::Acquire)
    }

    pub fn set_newest(&self, shard: i32, manifest: Option<&Manifest>) {
        let newest = manifest.map(|one| Newest { taken_at: Instant(one.taken_at), next: one.next.clone() });
        *lock(&self.slot(shard).newest) = newest;
    }

    pub fn newest(&self, shard: i32) -> Option<Newest> {
        lock(&self.slot(shard).newest).clone()
    }

    fn slot(&self, shard: i32) -> &Slot {
        &self.slots[usize::try_from(shard).expect("partitions count from 0")]
    }
}

/// Whether a restart could soon find that records after the newest snapshot are gone: it is older than half of the time
/// for which the inputs are kept, and something has come since.
pub fn is_overdue(age: Span, retention_ms: Option<i64>, has_more: bool) -> bool {
    has_more && retention_ms.is_some_and(|retention| age.0 > retention / 2)
}

/// A panic elsewhere ends the process, so what a lock holds is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_overdue_when_it_is_older_than_half_of_the_retention_and_something_came() {
        let week = Some(7 * 86_400_000);
        assert!(!is_overdue(Span(302_400_000), week, true));
        assert!(is_overdue(Span(302_400_001), week, true));
        assert!(!is_overdue(Span(302_400_001), week, false));
        assert!(!is_overdue(Span(i64::MAX), None, true));
    }
}
