//! A shard's side of a snapshot: cut at the end of an epoch, handed out slice by slice between records.
//!
//! What always holds: live events never wait for it longer than a slice takes; what it holds is counted in the shared
//! budget; a store that is too slow for what changes meanwhile costs the snapshot, not the events.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant as Moment;

use super::epoch::Held;
use super::keeping::{Keeping, Told};
use super::record::Token;
use super::sabotage::{self, Bug};
use super::task::Chain;
use super::tools::Tools;
use crate::engine::{Shard, layout};
use crate::event::Instant;
use crate::snapshot::Head;

/// More copies than this are never worth it.
const COPIES_BYTES_MAX: usize = 256 << 20;

/// A snapshot that is being handed out.
pub struct Taking {
    keeping: Arc<Keeping>,
    shard: i32,
    token: Token,
    /// Copies of customers who changed since the cut.
    held: Held,
    /// At the cut: customers, and the clock.
    cut: (u64, Instant),
    is_whole: bool,
}

/// How handing out goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Going {
    /// At once, when there is time.
    On,
    /// Others are in front, or the store is not as quick.
    Waiting,
    Over,
}

impl Taking {
    /// Cuts the shard here, at the end of the epoch of `chain`, behind which `next` are the next offsets.
    pub fn begin(
        tools: &Tools,
        keeping: &Arc<Keeping>,
        partition: i32,
        shard: &mut Shard,
        chain: &Chain,
        next: &[i64],
    ) -> Option<Taking> {
        let token = chain.token.clone()?;
        let next: BTreeMap<String, i64> = tools.topics.iter().cloned().zip(next.iter().copied()).collect();
        let head = Head {
            shard: partition,
            lineage: chain.lineage.as_str().to_owned(),
            epoch: chain.epoch,
            token: token.as_str().to_owned(),
            rules: tools.author.rules.clone(),
            layout: layout(&tools.plan),
            next,
            standing_at: keeping.record_at(partition),
            taken_at: tools.clock.now().0,
            cut: shard.begin_export(),
        };
        let cut = (head.cut.n_customers, head.cut.clock);
        keeping.await_commit(partition, token.clone());
        keeping.tell(Told::Cut(Box::new(head)));
        let held = Held::new(&tools.budget);
        Some(Taking { keeping: Arc::clone(keeping), shard: partition, token, held, cut, is_whole: false })
    }

    /// Hands out a slice, if there is room for it.
    pub fn step(&mut self, tools: &Tools, shard: &mut Shard) -> Going {
        if self.is_whole {
            return Going::Over;
        }
        if !self.keeping.is_awaited(self.shard, &self.token) {
            // The keeper has said why.
            return self.end(shard);
        }
        let copied = shard.export_bytes();
        if copied > (tools.settings.buffer_bytes / 4).min(COPIES_BYTES_MAX) {
            tracing::warn!(
                "shard {}: the snapshot is given up: more has changed than could be written meanwhile ({copied} bytes)",
                self.shard
            );
            return self.end(shard);
        }
        if !self.keeping.has_turn(self.shard) || !self.keeping.has_room() {
            self.held.set(copied);
            return Going::Waiting;
        }
        if sabotage::has(Bug::HandsOutThePresent) && self.cut == (shard.n_customers() as u64, shard.clock()) {
            return Going::Waiting;
        }
        if sabotage::has(Bug::HandsOutThePresent) && self.cut.0 == shard.n_customers() as u64 {
            shard.begin_export();
        }
        self.cut.0 = u64::MAX;
        match shard.next_packet(tools.settings.slice_bytes) {
            Some(packet) => {
                let mut held = Held::new(&tools.budget);
                held.set(packet.bytes.len());
                self.keeping.send(self.shard, packet, held);
                self.held.set(shard.export_bytes());
                Going::On
            }
            None => {
                self.is_whole = true;
                self.held.set(0);
                self.keeping.tell(Told::Whole(self.shard));
                self.keeping.pass_turn(self.shard);
                Going::Over
            }
        }
    }

    fn end(&mut self, shard: &mut Shard) -> Going {
        shard.end_export();
        Going::Over
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        if !self.is_whole {
            self.keeping.tell(Told::GivenUp(self.shard));
            self.keeping.pass_turn(self.shard);
        }
    }
}

/// When a shard is to be cut next.
#[derive(Debug)]
pub struct Schedule {
    due: Moment,
    epoch: u64,
}

impl Schedule {
    /// A shard that had to be folded without a snapshot is cut soon, so that the next start is quicker.
    pub fn new(tools: &Tools, snapshot: Option<u64>, is_first_start: bool) -> Schedule {
        let every = tools.keeping.as_ref().map(|keeping| keeping.snapshots.every).unwrap_or_default();
        let now = tools.pace.now();
        let due = if snapshot.is_some() || is_first_start { now + every } else { now };
        Schedule { due, epoch: snapshot.unwrap_or(0) }
    }

    /// The last epoch that was cut or restored.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    pub fn is_due(&self, tools: &Tools, epoch: u64, is_last: bool) -> bool {
        epoch > self.epoch && (is_last || tools.pace.now() >= self.due)
    }

    pub fn cut(&mut self, tools: &Tools, keeping: &Keeping, epoch: u64) {
        *self = Schedule { due: tools.pace.now() + keeping.snapshots.every, epoch };
    }
}
