//! When a line of a timeline is: a date with or without a time of day in the rules' time zone, or a duration after
//! the line before. And the way back: an instant as people write it there.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::cursor::Cursor;
use crate::event::{Instant, Span};
use crate::rules::diagnostic::{Code, Fault};
use crate::rules::place::Extent;
use crate::rules::units::parse_span;

/// When a line says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// It does not say: as the line before.
    Same,
    After(Span),
    Absolute(Instant),
}

const SHAPE: &str =
    "write `2026-01-05`, `2026-01-05 10:00`, `2026-01-05 10:00:30.123`, or `+10d` after the line before";

/// The time at the start of a line, if one stands there, and its extent.
pub fn when(cursor: &mut Cursor<'_>, zone: &TimeZone) -> Result<(When, Extent), Fault> {
    cursor.skip_blank();
    let rest = cursor.rest();
    if rest.starts_with('+') {
        let (text, extent) = cursor.chunk();
        return match parse_span(&text[1..]) {
            Ok(span) => Ok((When::After(span), extent)),
            Err(why) => Err(Fault::new(Code::BadDuration, extent, format!("`{text}` is no time to come"))
                .label("expected a duration after `+`")
                .help(why.explain())),
        };
    }
    if rest.starts_with(|c: char| c.is_ascii_digit()) {
        return absolute(cursor, zone).map(|(at, extent)| (When::Absolute(at), extent));
    }
    if rest.starts_with('-') && !rest.starts_with("->") {
        let (text, extent) = cursor.chunk();
        return Err(Fault::new(Code::BadMoment, extent, format!("`{text}` is no time"))
            .help("an event that comes late has a date of its own, before that of an earlier line"));
    }
    Ok((When::Same, cursor.extent(0)))
}

/// A date, and the time of day if one follows.
pub fn absolute(cursor: &mut Cursor<'_>, zone: &TimeZone) -> Result<(Instant, Extent), Fault> {
    let (date, start) = cursor.chunk();
    let mut ahead = cursor.clone();
    let (time, end) = ahead.chunk();
    let (text, extent) = if is_time(time) {
        *cursor = ahead;
        (format!("{date}T{time}"), start.to(end))
    } else {
        (date.to_owned(), start)
    };
    let instant = match Instant::parse(&text) {
        Some(instant) => instant,
        None => local(&text, zone, extent)?,
    };
    if (Instant::ORIGIN..Instant::END).contains(&instant) { Ok((instant, extent)) } else { Err(out_of_range(extent)) }
}

fn is_time(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && text.contains(':')
}

pub fn out_of_range(extent: Extent) -> Fault {
    Fault::new(Code::BadMoment, extent, "a time that no event may have").help("times are from 1970 to 2099")
}

/// A date and time without an offset.
fn local(text: &str, zone: &TimeZone, extent: Extent) -> Result<Instant, Fault> {
    let (date, time) = text.split_once(['T', 't']).unwrap_or((text, "00:00"));
    let no_date = || Fault::new(Code::BadMoment, extent, format!("`{date}` is no date")).help(SHAPE);
    let no_time = || Fault::new(Code::BadMoment, extent, format!("`{time}` is no time of day")).help(SHAPE);
    let moment = DateTime::from_parts(parse_date(date).ok_or_else(no_date)?, parse_time(time).ok_or_else(no_time)?);
    let ambiguous = zone.to_ambiguous_zoned(moment);
    if let AmbiguousOffset::Gap { .. } = ambiguous.offset() {
        let name = zone.iana_name().unwrap_or("UTC");
        return Err(Fault::new(Code::BadMoment, extent, format!("{name} has no such moment"))
            .label("the clocks are put forward here")
            .help("choose a time before or after it"));
    }
    // Of two such moments, where clocks are put back, the first.
    let zoned = ambiguous.compatible().map_err(|_| out_of_range(extent))?;
    Ok(Instant(zoned.timestamp().as_millisecond()))
}

/// `2026-01-05`.
fn parse_date(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let year = digits(parts.next()?, 4..=4)?;
    let month = digits(parts.next()?, 2..=2)?;
    let day = digits(parts.next()?, 2..=2)?;
    let is_whole = parts.next().is_none();
    is_whole.then(|| Date::new(year, month as i8, day as i8).ok()).flatten()
}

/// `9:05`, `10:00`, `10:00:30`, `10:00:30.123`.
fn parse_time(text: &str) -> Option<Time> {
    let mut parts = text.split(':');
    let hour = digits(parts.next()?, 1..=2)?;
    let minute = digits(parts.next()?, 2..=2)?;
    let (second, fraction) = match parts.next() {
        Some(text) => text.split_once('.').unwrap_or((text, "0")),
        None => ("00", "0"),
    };
    let (second, ms) = (digits(second, 2..=2)?, digits(fraction, 1..=3)?);
    let ns = i32::from(ms) * 10_i32.pow(9 - fraction.len() as u32);
    let is_whole = parts.next().is_none();
    is_whole.then(|| Time::new(hour as i8, minute as i8, second as i8, ns).ok()).flatten()
}

fn digits(text: &str, lengths: std::ops::RangeInclusive<usize>) -> Option<i16> {
    (lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// An instant in a zone, as a line of a timeline has it: no more than is needed to say it exactly.
pub fn shown(at: Instant, zone: &TimeZone) -> String {
    let Ok(timestamp) = jiff::Timestamp::from_millisecond(at.0) else { return "never".to_owned() };
    let local = timestamp.to_zoned(zone.clone()).datetime();
    let format = match (local.second(), local.subsec_nanosecond()) {
        (_, 1..) => "%Y-%m-%d %H:%M:%S%.3f",
        (1.., _) => "%Y-%m-%d %H:%M:%S",
        _ => "%Y-%m-%d %H:%M",
    };
    local.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, zone: &str) -> Result<Instant, Box<str>> {
        let zone = TimeZone::get(zone).expect("bundled");
        let mut cursor = Cursor::new(text, Extent::new(0, text.len()));
        absolute(&mut cursor, &zone).map(|(at, _)| at).map_err(|fault| fault.title)
    }

    fn utc(text: &str) -> Instant {
        Instant::parse(text).expect("an instant")
    }

    #[test]
    fn moments_are_in_the_zone_of_the_rules() {
        assert_eq!(at("2026-01-05 10:00 purchase", "UTC"), Ok(utc("2026-01-05T10:00:00Z")));
        assert_eq!(at("2026-07-05", "Europe/Berlin"), Ok(utc("2026-07-04T22:00:00Z")));
        assert_eq!(at("2026-07-05 9:05:30.12", "Europe/Berlin"), Ok(utc("2026-07-05T07:05:30.120Z")));
        assert_eq!(at("2026-07-05T09:05", "Europe/Berlin"), Ok(utc("2026-07-05T07:05:00Z")));
        assert_eq!(at("2026-07-05T09:05:00Z", "Europe/Berlin"), Ok(utc("2026-07-05T09:05:00Z")));
        assert_eq!(at("2026-07-05 09:05:00.001+02:00", "UTC"), Ok(utc("2026-07-05T07:05:00.001Z")));
    }

    #[test]
    fn where_clocks_change_a_moment_is_missing_or_there_twice() {
        assert_eq!(at("2026-03-29 02:30", "Europe/Berlin"), Err("Europe/Berlin has no such moment".into()));
        assert_eq!(at("2026-10-25 02:30", "Europe/Berlin"), Ok(utc("2026-10-25T00:30:00Z")));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in ["2026-1-5", "2026-02-30", "2026-01-05 24:00", "2026-01-05 10:0", "2026-01-05 10:00:00.1234", "25"]
        {
            assert!(at(text, "UTC").is_err(), "{text}");
        }
        assert_eq!(at("1969-12-31", "UTC"), Err("a time that no event may have".into()));
        assert_eq!(at("2100-01-01", "UTC"), Err("a time that no event may have".into()));
        assert_eq!(at("2100-01-01", "Europe/Berlin"), Ok(Instant(Instant::END.0 - 3_600_000)));
    }

    #[test]
    fn an_instant_is_shown_as_it_is_written() {
        let berlin = TimeZone::get("Europe/Berlin").expect("bundled");
        for text in ["2026-01-05 10:00", "2026-07-05 23:59:01", "2026-01-05 10:00:00.001"] {
            assert_eq!(shown(at(text, "Europe/Berlin").expect("a moment"), &berlin), text);
        }
    }
}
