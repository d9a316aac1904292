//! Sizes (`8GiB`) as people write them in settings. Exact integers, no fractions. Durations are `rules::units`'.

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
    fn sizes_are_bytes_with_or_without_a_unit() {
        assert_eq!(size("8GiB"), Some(8 << 30));
        assert_eq!(size("500 MB"), Some(500_000_000));
        assert_eq!(size("1024"), Some(1024));
        for wrong in ["", "GiB", "8 gib", "-1B", "1.5GiB", "99999999999TiB"] {
            assert_eq!(size(wrong), None, "{wrong:?}");
        }
    }
}
