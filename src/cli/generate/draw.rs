//! Random numbers of the made-up shop: fast, and the same for the same seed on every machine.

/// A stream of random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Draw(pub u64);

impl Draw {
    pub fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// Evenly from 0 to `n - 1`.
    pub fn below(&mut self, n: u64) -> u64 {
        scale(self.any(), n)
    }
}

/// Maps 64 random bits to a number below `n`, evenly enough.
pub fn scale(bits: u64, n: u64) -> u64 {
    ((u128::from(bits) * u128::from(n)) >> 64) as u64
}

/// Stirs 64 bits; different in, different out. (The finisher of SplitMix64, by Steele, Lea and Flood, 2014.)
pub fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}
