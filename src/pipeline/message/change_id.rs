//! Ids of changes: the same customer and sequence in the same history always have the same id, so that a subscriber
//! may drop what it has seen, also when an epoch is sent again or the history is replayed.

use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};

/// The two hex digits of every byte.
const HEX: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    pairs
};

/// Hashes of 128 bits: two of 64, differently seeded from the namespace.
#[derive(Debug, Clone)]
pub(super) struct ChangeIds {
    halves: [RapidSecrets; 2],
}

impl ChangeIds {
    pub fn new(namespace: &str) -> ChangeIds {
        let half = |seed: u64| {
            let secrets = RapidSecrets::seed(seed);
            RapidSecrets::seed(rapidhash_v3_seeded(namespace.as_bytes(), &secrets))
        };
        ChangeIds { halves: [half(1), half(2)] }
    }

    /// 32 hex digits.
    pub fn of(&self, customer: &str, sequence: u64) -> [u8; 32] {
        let mut id = [0; 32];
        for (secrets, digits) in self.halves.iter().zip(id.chunks_exact_mut(16)) {
            let mut key = [0; 16];
            key[..8].copy_from_slice(&rapidhash_v3_seeded(customer.as_bytes(), secrets).to_le_bytes());
            key[8..].copy_from_slice(&sequence.to_le_bytes());
            let hash = rapidhash_v3_seeded(&key, secrets);
            for (byte, pair) in hash.to_be_bytes().into_iter().zip(digits.as_chunks_mut().0) {
                *pair = HEX[usize::from(byte)];
            }
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_differ_by_namespace_customer_and_sequence_only() {
        let mut seen = BTreeSet::new();
        for namespace in ["", "a", "b"] {
            let ids = ChangeIds::new(namespace);
            for customer in 0..100 {
                for sequence in 1..50 {
                    let id = ids.of(&format!("c-{customer}"), sequence);
                    assert_eq!(id, ChangeIds::new(namespace).of(&format!("c-{customer}"), sequence));
                    seen.insert(id);
                }
            }
        }
        assert_eq!(seen.len(), 3 * 100 * 49);
    }

    #[test]
    fn ids_stay_what_they_are_from_release_to_release() {
        let id = ChangeIds::new("lineage").of("c-7", 4);
        assert_eq!(std::str::from_utf8(&id), Ok("56c807bc6914e0695065f6291a03fb53"));
    }
}
