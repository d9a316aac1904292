//! Event time: instants and spans in whole milliseconds. Nothing here reads a clock.

use std::fmt;
use std::ops::{Add, Sub};

use super::time;

/// Milliseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(pub i64);

/// A length of time in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(pub i64);

impl Instant {
    /// Later than any instant that can be judged: "never".
    pub const NEVER: Instant = Instant(i64::MAX);
    /// Earlier than any event.
    pub const ORIGIN: Instant = Instant(0);
    /// 2100-01-01T00:00:00Z: events at or after it are rejected (SPEC 3).
    pub const END: Instant = Instant(4_102_444_800_000);

    /// This instant cut down to a multiple of `resolution` since the epoch.
    pub fn floor(self, resolution: Span) -> Instant {
        Instant(self.0 - self.0.rem_euclid(resolution.0))
    }

    pub fn is_never(self) -> bool {
        self == Instant::NEVER
    }

    /// Reads RFC 3339 with an offset, cut to the millisecond; years 0 to 9999.
    pub fn parse(text: &str) -> Option<Instant> {
        time::parse_rfc3339(text)
    }

    /// Appends what [`Instant`] displays, many times faster.
    pub fn append_to(self, out: &mut Vec<u8>) {
        match time::rfc3339(self) {
            Some(text) => out.extend_from_slice(&text),
            None => out.extend_from_slice(self.to_string().as_bytes()),
        }
    }
}

impl Span {
    pub const SECOND: Span = Span(1_000);
    pub const MINUTE: Span = Span(60_000);
    pub const HOUR: Span = Span(3_600_000);
    pub const DAY: Span = Span(86_400_000);
    pub const WEEK: Span = Span(604_800_000);
}

impl Add<Span> for Instant {
    type Output = Instant;
    /// Saturates at [`Instant::NEVER`].
    fn add(self, span: Span) -> Instant {
        Instant(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Instant {
    type Output = Instant;
    fn sub(self, span: Span) -> Instant {
        Instant(self.0.saturating_sub(span.0))
    }
}

impl Sub for Instant {
    type Output = Span;
    fn sub(self, other: Instant) -> Span {
        Span(self.0.saturating_sub(other.0))
    }
}

/// RFC 3339 in UTC with milliseconds, as in every message that Dormouse writes.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(timestamp) => write!(f, "{timestamp:.3}"),
            Err(_) => f.write_str("never"),
        }
    }
}

/// The largest units first, zero units left out: `30d1ms`, `1h30m`, `0ms`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0ms");
        }
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let mut rest = self.0.unsigned_abs();
        for (unit, ms) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
            let n = rest / ms;
            rest %= ms;
            if n > 0 {
                write!(f, "{n}{unit}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_write_them() {
        assert_eq!(Span(30 * Span::DAY.0 + 1).to_string(), "30d1ms");
        assert_eq!(Span(0).to_string(), "0ms");
        assert_eq!(Span(-90_000).to_string(), "-1m30s");
    }

    #[test]
    fn instants_are_rfc_3339_with_milliseconds() {
        assert_eq!(Instant(1_767_431_564_120).to_string(), "2026-01-03T09:12:44.120Z");
        assert_eq!(Instant::ORIGIN.to_string(), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn floor_is_to_the_resolution_below() {
        assert_eq!(Instant(1_999).floor(Span::SECOND), Instant(1_000));
        assert_eq!(Instant(2_000).floor(Span::SECOND), Instant(2_000));
    }
}
