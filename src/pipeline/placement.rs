//! Does a customer's record lie in the partition where it belongs? One that does not would split the customer over two
//! shards without a word.

/// How producers choose a record's partition from its customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Placement {
    /// As Java clients do.
    #[default]
    Murmur2,
    /// As librdkafka does unless told otherwise.
    Crc32,
    /// In a way of their own that is not checked.
    Any,
}

impl Placement {
    /// The word for it, as in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Placement::Murmur2 => "murmur2",
            Placement::Crc32 => "crc32",
            Placement::Any => "any",
        }
    }

    /// The partition where a customer belongs; `None` when nobody can say.
    pub fn partition(self, customer: &[u8], n_partitions: usize) -> Option<i32> {
        let hash = match self {
            Placement::Murmur2 => murmur2(customer) & 0x7fff_ffff,
            Placement::Crc32 => {
                let mut crc = flate2::Crc::new();
                crc.update(customer);
                crc.sum()
            }
            Placement::Any => return None,
        };
        i32::try_from(u64::from(hash) % n_partitions as u64).ok()
    }
}

/// Kafka's variant of Austin Appleby's MurmurHash2 (32 bits, its own seed).
fn murmur2(bytes: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ bytes.len() as u32;
    let mut words = bytes.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(M);
        k = (k ^ (k >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    let tail = words.remainder();
    if !tail.is_empty() {
        for (index, byte) in tail.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values that Kafka's own tests of its client state.
    #[test]
    fn murmur2_is_kafkas() {
        let known = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ];
        for (text, hash) in known {
            assert_eq!(murmur2(text.as_bytes()) as i32, hash, "{text}");
        }
    }

    #[test]
    fn partitions_are_within_their_number() {
        for n_partitions in 1..20 {
            for customer in 0..200 {
                let id = format!("c-{customer}");
                for placement in [Placement::Murmur2, Placement::Crc32] {
                    let partition = placement.partition(id.as_bytes(), n_partitions);
                    assert!(partition.is_some_and(|partition| (0..n_partitions as i32).contains(&partition)));
                }
            }
        }
        assert_eq!(Placement::Any.partition(b"c", 3), None);
    }
}
