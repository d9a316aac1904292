//! Local time in the configured zone: days, months, hours. All offsets of the zone are looked up once, so that an
//! event costs a binary search and no more.

use jiff::tz::TimeZone;

use crate::event::{Instant, Span};

/// The offsets of a zone from 1970 on.
#[derive(Debug, Clone)]
pub struct Calendar {
    /// (from this instant on, milliseconds to add to UTC), ascending; the first from the beginning of time.
    offsets: Vec<(Instant, i64)>,
}

/// Fields of a local moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local {
    pub year: i16,
    /// 1 to 12.
    pub month: i8,
    /// 1 to 31.
    pub day: i8,
    /// 1 is Monday.
    pub weekday: i8,
    /// 0 to 23.
    pub hour: i8,
}

/// Offsets are listed up to here: no event, window or rule reaches past it.
const LAST_YEAR_MS: i64 = 7_258_118_400_000;

impl Calendar {
    pub fn new(zone: &TimeZone) -> Calendar {
        let start = jiff::Timestamp::UNIX_EPOCH;
        let mut offsets = vec![(Instant(i64::MIN), i64::from(zone.to_offset(start).seconds()) * 1_000)];
        for transition in zone.following(start) {
            let at = transition.timestamp().as_millisecond();
            if at > LAST_YEAR_MS {
                break;
            }
            let offset = i64::from(transition.offset().seconds()) * 1_000;
            if offsets.last().is_some_and(|(_, last)| *last != offset) {
                offsets.push((Instant(at), offset));
            }
        }
        Calendar { offsets }
    }

    fn span(&self, at: Instant) -> usize {
        match self.offsets.len() {
            1 => 0,
            _ => self.offsets.partition_point(|(from, _)| *from <= at) - 1,
        }
    }

    fn local_ms(&self, at: Instant) -> i64 {
        at.0 + self.offsets[self.span(at)].1
    }

    /// The local calendar day, counted from 1970-01-01.
    pub fn day(&self, at: Instant) -> i64 {
        self.local_ms(at).div_euclid(Span::DAY.0)
    }

    /// An instant after `at` before which the local day stays the same: the next local midnight, or where the offset
    /// changes if that is earlier.
    pub fn day_end(&self, at: Instant) -> Instant {
        let span = self.span(at);
        let offset = self.offsets[span].1;
        let midnight = Instant(((at.0 + offset).div_euclid(Span::DAY.0) + 1) * Span::DAY.0 - offset);
        match self.offsets.get(span + 1) {
            Some((change, _)) => midnight.min(*change),
            None => midnight,
        }
    }

    pub fn local(&self, at: Instant) -> Local {
        let ms = self.local_ms(at);
        let days = ms.div_euclid(Span::DAY.0);
        let date = date_of(days);
        Local {
            year: date.year(),
            month: date.month(),
            day: date.day(),
            weekday: date.weekday().to_monday_one_offset(),
            hour: ms.rem_euclid(Span::DAY.0).div_euclid(Span::HOUR.0) as i8,
        }
    }

    /// Whole local days from `at` to the next such month and day: 0 on the day itself. 29 February counts as the 28th.
    pub fn days_until(&self, at: Instant, (month, day): (i8, i8)) -> Option<i64> {
        let day = if (month, day) == (2, 29) { 28 } else { day };
        let today = self.day(at);
        let year = date_of(today).year();
        [year, year + 1].into_iter().find_map(|year| {
            let date = jiff::civil::Date::new(year, month, day).ok()?;
            let days = days_of(date) - today;
            (days >= 0).then_some(days)
        })
    }
}

fn date_of(days: i64) -> jiff::civil::Date {
    let timestamp = jiff::Timestamp::from_second(days.saturating_mul(86_400)).unwrap_or(jiff::Timestamp::MAX);
    jiff::tz::Offset::UTC.to_datetime(timestamp).date()
}

fn days_of(date: jiff::civil::Date) -> i64 {
    jiff::tz::Offset::UTC
        .to_timestamp(date.to_datetime(jiff::civil::Time::midnight()))
        .map_or(i64::MAX / 2, |timestamp| timestamp.as_second().div_euclid(86_400))
}

/// Month and day of `YYYY-MM-DD` or `MM-DD`; the year is ignored. A day that no year has: `None`.
pub fn month_and_day(text: &str) -> Option<(i8, i8)> {
    let digits =
        |text: &str| (text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse::<i8>().ok()).flatten();
    let rest = match text.len() {
        5 => text,
        10 => {
            let (year, rest) = text.split_at_checked(5)?;
            let year = year.strip_suffix('-')?;
            year.bytes().all(|byte| byte.is_ascii_digit()).then_some(rest)?
        }
        _ => return None,
    };
    let (month, day) = rest.split_once('-')?;
    if month.len() != 2 || day.len() != 2 {
        return None;
    }
    let (month, day) = (digits(month)?, digits(day)?);
    // 2000 has every day that any year has.
    jiff::civil::Date::new(2000, month, day).ok()?;
    Some((month, day))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> Calendar {
        Calendar::new(&TimeZone::get("Europe/Berlin").expect("bundled"))
    }

    fn at(text: &str) -> Instant {
        Instant(text.parse::<jiff::Timestamp>().expect("a timestamp").as_millisecond())
    }

    #[test]
    fn days_follow_local_midnight() {
        let calendar = berlin();
        let before = calendar.day(at("2026-07-01T21:59:59.999Z"));
        assert_eq!(calendar.day(at("2026-07-01T22:00:00Z")), before + 1);
        assert_eq!(calendar.day_end(at("2026-07-01T21:00:00Z")), at("2026-07-01T22:00:00Z"));
    }

    #[test]
    fn a_short_day_ends_where_its_midnight_is() {
        let calendar = berlin();
        // Summer time begins 2026-03-29 01:00Z: the day is split there, then ends at 22:00Z.
        assert_eq!(calendar.day_end(at("2026-03-28T23:00:00Z")), at("2026-03-29T01:00:00Z"));
        assert_eq!(calendar.day_end(at("2026-03-29T01:00:00Z")), at("2026-03-29T22:00:00Z"));
    }

    #[test]
    fn days_until_counts_whole_local_days() {
        let calendar = berlin();
        let noon = at("2026-12-30T12:00:00Z");
        assert_eq!(calendar.days_until(noon, (12, 30)), Some(0));
        assert_eq!(calendar.days_until(noon, (1, 1)), Some(2));
        assert_eq!(calendar.days_until(noon, (12, 29)), Some(364));
        assert_eq!(calendar.days_until(at("2027-02-27T12:00:00Z"), (2, 29)), Some(1));
    }

    #[test]
    fn dates_are_read_strictly() {
        assert_eq!(month_and_day("1990-02-29"), Some((2, 29)));
        assert_eq!(month_and_day("02-30"), None);
        assert_eq!(month_and_day("12-24"), Some((12, 24)));
        for bad in ["1-1", "never", "2020-1-01", "+1-01", "20200101", "12-24 ", "é-24x"] {
            assert_eq!(month_and_day(bad), None, "{bad}");
        }
    }

    #[test]
    fn local_fields() {
        let local = berlin().local(at("2026-11-22T23:30:00Z"));
        assert_eq!(local, Local { year: 2026, month: 11, day: 23, weekday: 1, hour: 0 });
    }
}
