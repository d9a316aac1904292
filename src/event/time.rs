//! Event time from a record: RFC 3339 with an offset, or whole milliseconds since the epoch.
//!
//! Exactly RFC 3339 (a space for the `T` and small letters are part of it), nothing looser: what has no offset or no
//! seconds is refused. Finer than a millisecond is cut towards the past. A leap second (`:60`) is the second before
//! it, as `jiff` has it. The years that events may have are checked apart from the form.

use super::{Amount, Decimal, Instant};

/// The last second that `jiff` has: 9999-12-30T22:00:00Z.
const LAST_MS: u64 = 253_402_207_200_000;

/// Reads RFC 3339. `None`: not of that form, or no such date.
pub(super) fn parse_rfc3339(text: &str) -> Option<Instant> {
    let (date, rest) = text.as_bytes().split_first_chunk::<8>()?;
    let (time, rest) = rest.split_first_chunk::<8>()?;
    let (&[colon, tens, ones], rest) = rest.split_first_chunk::<3>()?;
    let separators = [date[4], date[7], time[5], colon];
    if separators != *b"--::" || !matches!(time[2], b'T' | b't' | b' ') {
        return None;
    }
    // `YYYY-MM-` and `DDThh:mm`
    let date = pairs(date, 0x00ff_ff00_ffff_ffff)?;
    let time = pairs(time, 0xffff_00ff_ff00_ffff)?;
    let year = u32::from(date[0]) * 100 + u32::from(date[2]);
    let (month, day) = (u32::from(date[5]), u32::from(time[0]));
    let (hour, minute, second) = (i64::from(time[3]), i64::from(time[6]), two_digits(&[tens, ones], 0)?);
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (ms, rest) = parse_fraction(rest)?;
    let minutes = (days_from_epoch(year, month, day) * 24 + hour) * 60 + minute - parse_offset(rest)?;
    Some(Instant((minutes * 60 + second.min(59)) * 1_000 + ms))
}

/// Of eight characters, at the place of each the number that it and the next one are, all at once. `places` has ones
/// where digits have to stand; the numbers elsewhere mean nothing.
#[inline]
fn pairs(text: &[u8; 8], places: u64) -> Option<[u8; 8]> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let digits = (u64::from_le_bytes(*text) ^ (EACH * u64::from(b'0'))) & places;
    // The highest bit of a byte is set by what is over 9, or over 127.
    let is_over = (digits.wrapping_add(EACH * (0x7f - 9)) | digits) & (EACH * 0x80);
    (is_over == 0).then(|| (digits * 10 + (digits >> 8)).to_le_bytes())
}

/// RFC 3339 in UTC with milliseconds. `None` before 1970 and past [`LAST_MS`].
pub(super) fn rfc3339(instant: Instant) -> Option<[u8; 24]> {
    let ms = u64::try_from(instant.0).ok().filter(|ms| *ms <= LAST_MS)?;
    // All that follows fits into 32 bits.
    let (day, ms) = ((ms / 86_400_000) as u32, (ms % 86_400_000) as u32);
    let (seconds, ms) = (ms / 1_000, ms % 1_000);
    let (minutes, second) = (seconds / 60, seconds % 60);
    let (year, month, day) = date(day);
    let [[y0, y1], [y2, y3], [m0, m1], [d0, d1]] = [year / 100, year % 100, month, day].map(pair);
    let [[h0, h1], [n0, n1], [s0, s1], [f0, f1]] = [minutes / 60, minutes % 60, second, ms / 10].map(pair);
    let f2 = b'0' + (ms % 10) as u8;
    Some([y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1, b':', n0, n1, b':', s0, s1, b'.', f0, f1, f2, b'Z'])
}

/// The two digits of a number below a hundred.
fn pair(number: u32) -> [u8; 2] {
    PAIRS[number as usize]
}

/// The numbers below a hundred in two digits.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
};

/// Reads a number of milliseconds; written as `1.7e12` or with `.0` it is still whole. `None`: not whole, or
/// outside the years that events may have.
pub(super) fn parse_milliseconds(text: &str) -> Option<Instant> {
    if let Ok(ms) = text.parse() {
        return in_range(Instant(ms));
    }
    let exact = Decimal::parse(text).ok()?;
    let Amount(rounded) = exact.round().ok()?;
    let is_whole = exact.scale <= 0; // trailing zeros are not part of the mantissa
    is_whole.then_some(Instant(rounded / Amount::ONE.0)).and_then(in_range)
}

/// The instant, if events may have it.
pub(super) fn in_range(instant: Instant) -> Option<Instant> {
    (Instant::ORIGIN <= instant && instant < Instant::END).then_some(instant)
}

fn two_digits(bytes: &[u8], at: usize) -> Option<i64> {
    let (tens, ones) = (bytes[at].wrapping_sub(b'0'), bytes[at + 1].wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| i64::from(tens * 10 + ones))
}

/// `.123456` cut to milliseconds, or nothing.
#[inline]
fn parse_fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', digits)) = text.split_first() else {
        return Some((0, text));
    };
    // Three are what most systems write.
    let n_digits = match digits {
        [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'Z'] => 3,
        _ => digits.iter().take_while(|byte| byte.is_ascii_digit()).count(),
    };
    let (digits, rest) = digits.split_at(n_digits);
    if digits.is_empty() {
        return None;
    }
    let digit = |index: usize| digits.get(index).map_or(0, |byte| i64::from(byte - b'0'));
    Some((digit(0) * 100 + digit(1) * 10 + digit(2), rest))
}

/// `Z` or `+02:00`, in minutes.
fn parse_offset(text: &[u8]) -> Option<i64> {
    match text {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), rest @ ..] if rest.len() == 5 && rest[2] == b':' => {
            let (hours, minutes) = (two_digits(rest, 0)?, two_digits(rest, 3)?);
            let minutes = (hours <= 23 && minutes <= 59).then_some(hours * 60 + minutes)?;
            Some(if *sign == b'-' { -minutes } else { minutes })
        }
        _ => None,
    }
}

fn days_in_month(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date of the Gregorian calendar: years are counted from March, so that the leap day is
/// the last of its year, and from 400 years before the year 0, so that none is negative.
fn days_from_epoch(year: u32, month: u32, day: u32) -> i64 {
    let year = year + 400 - u32::from(month <= 2);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year;
    i64::from(days) - 719_468 - 146_097
}

/// The year, month and day of a day since 1970-01-01; the reverse of [`days_from_epoch`]. After Neri and Schneider,
/// "Euclidean affine functions and their application to calendar algorithms" (2022): divisions by multiplying.
fn date(days: u32) -> (u32, u32, u32) {
    let quarters = 4 * (days + 719_468) + 3;
    let (century, day_of_century) = (quarters / 146_097, quarters % 146_097 / 4);
    let scaled = 2_939_745 * u64::from(4 * day_of_century + 3);
    let (year_of_century, day_of_year) = ((scaled >> 32) as u32, scaled as u32 / 2_939_745 / 4);
    let scaled = 2_141 * day_of_year + 197_913;
    // Counted from March.
    let (month, day) = (scaled >> 16, (scaled & 0xffff) / 2_141 + 1);
    let is_next_year = day_of_year >= 306;
    let year = 100 * century + year_of_century + u32::from(is_next_year);
    (year, if is_next_year { month - 12 } else { month }, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn by_jiff(text: &str) -> Option<Instant> {
        let timestamp: jiff::Timestamp = text.parse().ok()?;
        Some(Instant(timestamp.as_nanosecond().div_euclid(1_000_000) as i64))
    }

    #[test]
    fn rfc_3339_is_read_to_the_millisecond() {
        for (text, ms) in [
            ("2026-01-03T09:12:44.120Z", 1_767_431_564_120),
            ("2026-01-03T09:12:44.1209999999999999Z", 1_767_431_564_120),
            ("2026-01-03t09:12:44.12z", 1_767_431_564_120),
            ("2026-01-03 11:12:44.12+02:00", 1_767_431_564_120),
            ("2026-01-02T23:12:44.12-10:00", 1_767_431_564_120),
            ("1970-01-01T00:00:00-00:00", 0),
            ("1970-01-01T23:59:00+23:59", 0),
            ("2016-12-31T23:59:60.5Z", 1_483_228_799_500),
            ("2000-02-29T00:00:00Z", 951_782_400_000),
            ("2099-12-31T23:59:59.9999Z", Instant::END.0 - 1),
        ] {
            assert_eq!(parse_rfc3339(text), Some(Instant(ms)), "{text}");
        }
    }

    #[test]
    fn what_is_not_rfc_3339_is_refused() {
        for text in [
            "",
            "2026-01-03",
            "2026-01-03T09:12:44",
            "2026-01-03T09:12Z",
            "2026-01-03T09:12:44.Z",
            "2026-01-03T09:12:44,5Z",
            "2026-01-03T09:12:44+2:00",
            "2026-01-03T09:12:44+0200",
            "2026-01-03T09:12:44+02",
            "2026-01-03T09:12:44+24:00",
            "2026-01-03T09:12:44+02:60",
            "2026-01-03T09:12:44Z[UTC]",
            "2026-01-03T09:12:44Z ",
            " 2026-01-03T09:12:44Z",
            "2026-1-03T09:12:44Z",
            "20260103T091244Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-03T24:00:00Z",
            "2026-01-03T09:60:44Z",
            "2026-01-03T09:12:61Z",
            "1767431564120",
            "２026-01-03T09:12:44Z",
        ] {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn events_have_their_years() {
        for text in [
            "1969-12-31T23:59:59.9999Z",
            "1970-01-01T00:00:00+00:01",
            "0000-01-01T00:00:00Z",
            "2100-01-01T00:00:00Z",
            "2099-12-31T23:59:59-00:01",
        ] {
            assert_eq!(parse_rfc3339(text).and_then(in_range), None, "{text}");
        }
        assert_eq!(parse_rfc3339("1969-12-31T23:59:59.9999Z"), Some(Instant(-1)));
    }

    #[test]
    fn every_day_is_written_as_it_is_displayed_and_read_back() {
        let last = Instant(LAST_MS as i64);
        for instant in (0..=last.0).step_by(86_399_999).map(Instant).chain([last]) {
            let text = rfc3339(instant).expect("in range");
            let text = std::str::from_utf8(&text).expect("digits");
            assert_eq!(text, instant.to_string());
            assert_eq!(parse_rfc3339(text), Some(instant));
        }
        assert_eq!(rfc3339(Instant(-1)), None);
        assert_eq!(rfc3339(Instant(last.0 + 1)), None);
    }

    #[test]
    fn what_is_no_digit_is_no_time() {
        for text in ["2026-01-03T10:59:xy.000Z", "ÿ026-01-03T10:59:00Z", "2026-01-03T10:59:00+zz:00"] {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn milliseconds_are_whole_and_in_range() {
        for (text, ms) in [("0", 0), ("1767431564120", 1_767_431_564_120), ("1.5e3", 1_500), ("1500.0", 1_500)] {
            assert_eq!(parse_milliseconds(text), Some(Instant(ms)), "{text}");
        }
        for text in ["-1", "1.5", "4102444800000", "99999999999999999999", "1e999999999", "1e-3", ""] {
            assert_eq!(parse_milliseconds(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_jiff(
            ns in 0_i128..4_102_444_800_000_000_000, places in 0_usize..=9, offset in -1_439_i32..=1_439, bare in any::<bool>(),
        ) {
            let offset = if bare { 0 } else { offset };
            let local = jiff::Timestamp::from_nanosecond(ns).expect("in range").to_zoned(
                jiff::tz::Offset::from_seconds(offset * 60).expect("in range").to_time_zone(),
            );
            let seconds = local.strftime("%Y-%m-%dT%H:%M:%S").to_string();
            let fraction = &local.strftime("%9f").to_string()[..places];
            let point = if places > 0 { "." } else { "" };
            let zone = if bare { "Z".to_owned() } else { local.strftime("%:z").to_string() };
            let text = format!("{seconds}{point}{fraction}{zone}");
            prop_assert_eq!(parse_rfc3339(&text), by_jiff(&text), "{}", text);
            if places >= 3 {
                prop_assert_eq!(parse_rfc3339(&text), Some(Instant((ns / 1_000_000) as i64)));
            }
        }

        #[test]
        fn whatever_is_taken_jiff_takes_alike(
            text in "(19|20)[0-9]{2}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,9})?([Zz]|[+-][0-2][0-9]:[0-6][0-9])",
        ) {
            match parse_rfc3339(&text) {
                Some(instant) => prop_assert_eq!(Some(instant), by_jiff(&text), "{}", text),
                // jiff allows offsets past a day's end.
                None => prop_assert!(by_jiff(&text).is_none() || parse_offset(&text.as_bytes()[text.len() - 6..]).is_none()),
            }
        }
    }
}
