//! Durations (`5s`, `1h30m`) and sizes (`8GiB`) as people write them in settings. Exact integers, no fractions.

use crate::event::Span;

/// Longest first where one begins with another.
const SPAN_UNITS: [(&str, i64); 6] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000)];

const SIZE_UNITS: [(&str, u64); 8] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

/// Reads `90s` or `1h30m`: at least one number, each with its unit, units from large to small. `None` otherwise, and
/// when it does not fit.
pub fn span(text: &str) -> Option<Span> {
    let (mut rest, mut total, mut below) = (text, 0i64, i64::MAX);
    while !rest.is_empty() {
        let (number, tail) = leading_number(rest)?;
        let unit_len = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_len);
        let ms = SPAN_UNITS.iter().find(|(name, _)| *name == unit)?.1;
        if ms >= below {
            return None;
        }
        total = total.checked_add(i64::try_from(number).ok()?.checked_mul(ms)?)?;
        (rest, below) = (tail, ms);
    }
    (below != i64::MAX).then_some(Span(total))
}

/// Reads `8GiB`, `500 MB` or `1024` (bytes). `None` otherwise, and when it does not fit.
pub fn size(text: &str) -> Option<u64> {
    let (number, unit) = leading_number(text)?;
    let unit = unit.trim_start();
    let bytes = if unit.is_empty() { 1 } else { SIZE_UNITS.iter().find(|(name, _)| *name == unit)?.1 };
    number.checked_mul(bytes)
}

fn leading_number(text: &str) -> Option<(u64, &str)> {
    let n_digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, tail) = text.split_at(n_digits);
    Some((digits.parse().ok()?, tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_numbers_with_units() {
        assert_eq!(span("5s"), Some(Span(5_000)));
        assert_eq!(span("1h30m"), Some(Span(5_400_000)));
        assert_eq!(span("0ms"), Some(Span(0)));
        assert_eq!(span("2w1d"), Some(Span(15 * 86_400_000)));
        for wrong in ["", "5", "s", "5 s", "-5s", "5x", "1m1h", "5s5s", "1.5h", "99999999999999w", "5s "] {
            assert_eq!(span(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn sizes_are_bytes_with_or_without_a_unit() {
        assert_eq!(size("8GiB"), Some(8 << 30));
        assert_eq!(size("500 MB"), Some(500_000_000));
        assert_eq!(size("1024"), Some(1024));
        for wrong in ["", "GiB", "8 gib", "-1B", "1.5GiB", "99999999999TiB"] {
            assert_eq!(size(wrong), None, "{wrong:?}");
        }
    }
}
