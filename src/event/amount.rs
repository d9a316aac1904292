//! Numbers as signed counts of 1/10 000. No floating point. Reading them from text is in `decimal`.

use std::fmt;

/// A number in 1/10 000: money in the base currency, a rating, a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(pub i64);

impl Amount {
    pub const ZERO: Amount = Amount(0);
    pub const ONE: Amount = Amount(10_000);
    /// An amount beyond ±10^10 units is rejected (SPEC 5).
    pub const LIMIT: Amount = Amount(100_000_000_000_000);
    /// A sum beyond ±9·10^14 units stays there (SPEC 5).
    pub const SUM_LIMIT: Amount = Amount(9_000_000_000_000_000_000);
}

/// As short as exact: `12`, `12.5`, `-0.0001`.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0.unsigned_abs() / 10_000, self.0.unsigned_abs() % 10_000);
        if self.0 < 0 {
            f.write_str("-")?;
        }
        write!(f, "{whole}")?;
        if fraction > 0 {
            write!(f, ".{}", format!("{fraction:04}").trim_end_matches('0'))?;
        }
        Ok(())
    }
}
