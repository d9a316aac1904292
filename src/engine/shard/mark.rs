//! What an event is known by: hashes of its customer and of its id. They are made where the event is decoded, while its
//! text is at hand; a shard that is handed thousands of events would have to fetch it again.
//!
//! It knows no shard's state. What always holds: events of one customer have one customer's hash, and an event without
//! an id has no fingerprint.

use crate::engine::dedup;
use crate::event::Event;

/// The hashes of one event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    /// Of the customer's id.
    pub(super) customer: u64,
    /// Of customer, kind and id; `None`: it has no id.
    pub(super) fingerprint: Option<u64>,
}

impl Mark {
    pub fn of(event: &Event<'_>) -> Mark {
        let customer = hash_of(&event.customer);
        let fingerprint = event.id.as_ref().map(|id| dedup::fingerprint(customer, event.kind, id));
        Mark { customer, fingerprint }
    }

    /// Which of so many shards the customer belongs to, where customers are spread evenly. From the middle of the hash: a
    /// shard's own directory looks at both ends.
    pub fn shard_of(self, n_shards: u32) -> u32 {
        let middle = (self.customer >> 24) as u32;
        ((u64::from(middle) * u64::from(n_shards)) >> 32) as u32
    }
}

/// Of a customer's id.
pub(super) fn hash_of(customer: &str) -> u64 {
    rapidhash::v3::rapidhash_v3(customer.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::KindId;

    fn mark(customer: &str, kind: u8, id: Option<&str>) -> Mark {
        let event = Event { customer: customer.to_owned().into(), kind: KindId(kind), ..Event::default() };
        Mark::of(&Event { id: id.map(|id| id.to_owned().into()), ..event })
    }

    #[test]
    fn events_are_told_apart_and_a_customer_stays_in_one_shard() {
        let first = mark("c-1", 0, Some("e-1"));
        assert_eq!(first, mark("c-1", 0, Some("e-1")));
        for other in [mark("c-2", 0, Some("e-1")), mark("c-1", 1, Some("e-1")), mark("c-1", 0, Some("e-2"))] {
            assert_ne!(first.fingerprint, other.fingerprint);
        }
        assert_eq!(mark("c-1", 0, None).fingerprint, None);
        for n_shards in 1..20 {
            assert_eq!(first.shard_of(n_shards), mark("c-1", 3, None).shard_of(n_shards));
        }
    }

    #[test]
    fn customers_are_spread_over_all_shards() {
        let mut sizes = [0; 7];
        for number in 0..7_000 {
            sizes[mark(&format!("c-{number}"), 0, None).shard_of(7) as usize] += 1;
        }
        assert!(sizes.iter().all(|size| (800..1_200).contains(size)), "{sizes:?}");
    }
}
