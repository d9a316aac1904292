//! Times of a report as people read them, in the time zone of the rules.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::event::Span;
use crate::rules::words::duration;

/// Reads and shows times.
pub struct Moments {
    zone: TimeZone,
}

impl Moments {
    /// A zone that nobody knows is UTC.
    pub fn new(zone: &str) -> Moments {
        Moments { zone: TimeZone::get(zone).unwrap_or(TimeZone::UTC) }
    }

    /// `2026-01-03 10:12:44`, with milliseconds when there are any.
    pub fn shown(&self, text: &str) -> String {
        let Ok(timestamp) = text.parse::<Timestamp>() else { return text.to_owned() };
        let has_ms = timestamp.as_millisecond() % 1_000 != 0;
        let format = if has_ms { "%Y-%m-%d %H:%M:%S%.3f" } else { "%Y-%m-%d %H:%M:%S" };
        timestamp.to_zoned(self.zone.clone()).strftime(format).to_string()
    }

    /// `3 January 2026, 10:12`.
    pub fn long(&self, text: &str) -> String {
        let Ok(timestamp) = text.parse::<Timestamp>() else { return text.to_owned() };
        timestamp.to_zoned(self.zone.clone()).strftime("%-d %B %Y, %H:%M").to_string()
    }

    /// From one to the other, in one unit: `41 days`.
    pub fn between_in_words(&self, from: &str, to: &str) -> Option<String> {
        let (from, to): (Timestamp, Timestamp) = (from.parse().ok()?, to.parse().ok()?);
        Some(duration(Span(to.as_millisecond() - from.as_millisecond())))
    }

    /// From one to the other, its two largest units: `41d 5h`.
    pub fn between(&self, from: &str, to: &str) -> Option<String> {
        let (from, to): (Timestamp, Timestamp) = (from.parse().ok()?, to.parse().ok()?);
        let ms = to.as_millisecond().checked_sub(from.as_millisecond()).filter(|ms| *ms >= 0)?;
        let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
        let mut rest = ms;
        let mut parts = Vec::new();
        for (unit, length) in units {
            if rest >= length || !parts.is_empty() {
                parts.push(format!("{}{unit}", rest / length));
                rest %= length;
            }
            if parts.len() == 2 {
                break;
            }
        }
        parts.retain(|part| !part.starts_with("0"));
        Some(if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_local_and_lengths_short() {
        let moments = Moments::new("Europe/Berlin");
        assert_eq!(moments.shown("2026-07-03T10:12:44.120Z"), "2026-07-03 12:12:44.120");
        assert_eq!(moments.shown("2026-01-03T10:12:44.000Z"), "2026-01-03 11:12:44");
        let between = |to: &str| moments.between("2026-01-03T00:00:00.000Z", to);
        assert_eq!(between("2026-02-02T05:59:00.000Z").as_deref(), Some("30d 5h"));
        assert_eq!(between("2026-01-04T00:59:00.000Z").as_deref(), Some("1d"));
        assert_eq!(between("2026-01-03T00:00:01.007Z").as_deref(), Some("1s 7ms"));
        assert_eq!(between("2026-01-03T00:00:00.000Z").as_deref(), Some("0s"));
        assert_eq!(between("2025-01-03T00:00:00.000Z"), None);
    }
}
