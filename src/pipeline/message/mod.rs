//! What an instance publishes, as bytes: changes, customers' standing, and the headers of changes and rejects.
//!
//! It writes into the caller's buffer and sends nothing. What always holds: the same change, origin and time of
//! publication give the same bytes, whoever writes them.

mod change_id;
mod change_json;
mod change_protobuf;
mod header;
mod names;
mod standing;

use std::sync::Arc;

use crate::engine::{Change, Standing};
use crate::event::{Format, Instant};
use crate::rules::Plan;

use change_id::ChangeIds;
use names::Names;

pub use header::{CAUSE, DETAIL, DIMENSION, OFFSET, PARTITION, REASON, TO, TOPIC, reject_headers};
pub use standing::{Decoded, StandingError};

/// Which record made the engine look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin<'a> {
    /// None: time passed, or the rules changed.
    Nothing,
    Record {
        topic: &'a str,
        partition: i32,
        offset: i64,
        event_id: Option<&'a str>,
    },
    /// In a replay; lines count from 1.
    Line {
        file: &'a str,
        line: u64,
    },
}

/// Writes the messages of one plan. It holds no state that changes: any number of threads may share it.
#[derive(Debug, Clone)]
pub struct Messages {
    plan: Arc<Plan>,
    format: Format,
    names: Names,
    ids: ChangeIds,
}

impl Messages {
    /// `format` is that of changes. `namespace` tells the change ids of one history from another's, such as a
    /// shard's lineage: the same history written again under it has the same ids.
    pub fn new(plan: Arc<Plan>, format: Format, namespace: &str) -> Messages {
        let names = Names::new(&plan);
        Messages { plan, format, names, ids: ChangeIds::new(namespace) }
    }

    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The id under which a change is published: 32 hex digits.
    pub fn change_id(&self, customer: &str, sequence: u64) -> [u8; 32] {
        self.ids.of(customer, sequence)
    }

    /// Appends a change. A replay publishes nothing, and so has no `published_at`.
    pub fn append_change(&self, change: &Change, origin: Origin<'_>, published_at: Option<Instant>, out: &mut Vec<u8>) {
        match self.format {
            Format::Json => self.append_change_json(change, origin, published_at, out),
            Format::Protobuf => self.append_change_protobuf(change, origin, published_at, out),
        }
    }

    /// The headers of a change, by which it can be filtered without decoding.
    pub fn change_headers(&self, change: &Change) -> [(&'static str, &str); 3] {
        [
            (DIMENSION, &self.plan.dimension(change.dimension).name),
            (TO, self.plan.segment_name(change.dimension, change.to)),
            (CAUSE, change.cause.name()),
        ]
    }

    /// Appends a customer's record of the standing topic, always in JSON.
    pub fn append_standing(&self, customer: &str, standing: &Standing, out: &mut Vec<u8>) {
        standing::append(&self.names, customer, standing, out);
    }

    /// Reads a customer's record of the standing topic, written under this plan or another.
    pub fn read_standing<'a>(&self, bytes: &'a [u8]) -> Result<Decoded<'a>, StandingError> {
        standing::read(&self.plan, bytes)
    }
}

#[cfg(test)]
mod tests;
