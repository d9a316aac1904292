//! What comparisons read, as data: kept with a change as it is, put into words only by who writes the change.

use std::fmt;

use crate::event::{Amount, Span};
use crate::rules::reading::Quantity;

/// What one comparison read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readings {
    /// The side that has features.
    One(Quantity),
    /// Both sides, where both have features.
    Two(Box<[Quantity; 2]>),
}

impl Readings {
    /// Appends it as people read it: `30d1ms`, `12.5`, `never`, `absent`, a name; `2d against 1d12h`.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        match self {
            Readings::One(reading) => append_quantity(reading, out),
            Readings::Two(sides) => {
                append_quantity(&sides[0], out);
                out.extend_from_slice(b" against ");
                append_quantity(&sides[1], out);
            }
        }
    }

    /// The text that it is, when it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Readings::One(Quantity::Text(text)) => Some(text),
            _ => None,
        }
    }
}

/// As `Quantity` displays, many times faster.
fn append_quantity(quantity: &Quantity, out: &mut Vec<u8>) {
    match quantity {
        Quantity::Absent => out.extend_from_slice(b"absent"),
        Quantity::Never => out.extend_from_slice(b"never"),
        Quantity::Number(amount) => append_amount(*amount, out),
        Quantity::Duration(span) => append_span(*span, out),
        Quantity::Flag(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
        Quantity::Text(text) => out.extend_from_slice(text.as_bytes()),
    }
}

impl fmt::Display for Readings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::new();
        self.append_to(&mut out);
        f.write_str(std::str::from_utf8(&out).expect("made of texts"))
    }
}

/// As `Amount` displays, many times faster.
fn append_amount(amount: Amount, out: &mut Vec<u8>) {
    let magnitude = amount.0.unsigned_abs();
    let (whole, fraction) = (magnitude / 10_000, (magnitude % 10_000) as u32);
    if amount.0 < 0 {
        out.push(b'-');
    }
    append_digits(whole, out);
    if fraction > 0 {
        let digits = [fraction / 1_000, fraction / 100 % 10, fraction / 10 % 10, fraction % 10];
        let n = digits.iter().rposition(|digit| *digit > 0).map_or(0, |last| last + 1);
        out.push(b'.');
        out.extend(digits[..n].iter().map(|digit| b'0' + *digit as u8));
    }
}

/// As `Span` displays, many times faster.
fn append_span(span: Span, out: &mut Vec<u8>) {
    if span.0 == 0 {
        return out.extend_from_slice(b"0ms");
    }
    if span.0 < 0 {
        out.push(b'-');
    }
    let ms = span.0.unsigned_abs();
    let (seconds, minutes, hours) = (ms / 1_000, ms / 60_000, ms / 3_600_000);
    for (n, unit) in
        [(hours / 24, "d"), (hours % 24, "h"), (minutes % 60, "m"), (seconds % 60, "s"), (ms % 1_000, "ms")]
    {
        if n > 0 {
            append_digits(n, out);
            out.extend_from_slice(unit.as_bytes());
        }
    }
}

fn append_digits(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return out.extend_from_slice(&digits[start..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(reading: Quantity) -> String {
        Readings::One(reading).to_string()
    }

    #[test]
    fn two_sides_are_told_apart() {
        let two = Readings::Two(Box::new([Quantity::Duration(Span(2 * Span::DAY.0)), Quantity::Never]));
        assert_eq!(two.to_string(), "2d against never");
        assert_eq!(shown(Quantity::Absent), "absent");
        assert_eq!(shown(Quantity::Flag(true)), "true");
        assert_eq!(shown(Quantity::Text("ö".into())), "ö");
    }

    proptest! {
        #[test]
        fn numbers_and_durations_read_as_ever(
            any in any::<i64>(), small in -100_000_i64..100_000, units in -500_i64..500,
            unit in prop::sample::select(vec![1, 1_000, 10_000, 60_000, 3_600_000, 86_400_000])
        ) {
            for value in [any, small, units * unit, 0, i64::MIN] {
                prop_assert_eq!(shown(Quantity::Number(Amount(value))), Amount(value).to_string());
                prop_assert_eq!(shown(Quantity::Duration(Span(value))), Span(value).to_string());
            }
        }
    }
}
