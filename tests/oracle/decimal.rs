//! Exact decimals: a signed integer and how many of its digits stand after the point. Never a floating point number.
//!
//! Always normalised: no trailing zero after the point, so that equal numbers are equal values.

use std::cmp::Ordering;

const TOO_LARGE: &str = "the numbers of a test fit into 128 bits";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    mantissa: i128,
    places: u32,
}

impl Decimal {
    pub const ZERO: Decimal = Decimal { mantissa: 0, places: 0 };

    pub fn integer(value: i64) -> Decimal {
        Decimal { mantissa: i128::from(value), places: 0 }
    }

    /// A count of 1/10 000, as amounts are kept.
    pub fn ten_thousandths(value: i128) -> Decimal {
        Decimal { mantissa: value, places: 4 }.normalised()
    }

    /// Reads `-12.5`, `3`, `5e-05`; nothing else.
    pub fn parse(text: &str) -> Option<Decimal> {
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (sign, digits) = match number.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, number),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let mantissa = sign * format!("{whole}{fraction}").parse::<i128>().ok()?;
        let places = i32::try_from(fraction.len()).ok()? - exponent;
        if mantissa == 0 {
            return Some(Decimal::ZERO);
        }
        match u32::try_from(places) {
            Ok(places) => Some(Decimal { mantissa, places }.normalised()),
            Err(_) => {
                let mantissa = 10i128.checked_pow(places.unsigned_abs())?.checked_mul(mantissa)?;
                Some(Decimal { mantissa, places: 0 })
            }
        }
    }

    /// In 1/10 000, half to even.
    pub fn rounded(self) -> i128 {
        if self.places <= 4 {
            return self.mantissa * 10i128.pow(4 - self.places);
        }
        let Some(unit) = 10i128.checked_pow(self.places - 4) else { return 0 };
        let (floor, rest) = (self.mantissa.div_euclid(unit), self.mantissa.rem_euclid(unit));
        match (rest * 2).cmp(&unit) {
            Ordering::Less => floor,
            Ordering::Greater => floor + 1,
            Ordering::Equal => floor + floor.rem_euclid(2),
        }
    }

    pub fn plus(self, other: Decimal) -> Decimal {
        let (a, b, places) = Decimal::aligned(self, other);
        Decimal { mantissa: a.checked_add(b).expect(TOO_LARGE), places }.normalised()
    }

    pub fn negated(self) -> Decimal {
        Decimal { mantissa: -self.mantissa, ..self }
    }

    pub fn minus(self, other: Decimal) -> Decimal {
        self.plus(other.negated())
    }

    pub fn times(self, other: Decimal) -> Decimal {
        let mantissa = self.mantissa.checked_mul(other.mantissa).expect(TOO_LARGE);
        Decimal { mantissa, places: self.places + other.places }.normalised()
    }

    pub fn sign(self) -> Ordering {
        self.mantissa.cmp(&0)
    }

    /// The whole part of `self / divisor`, towards minus infinity; the divisor is not zero.
    pub fn floor_div(self, divisor: Decimal) -> i128 {
        let (a, b, _) = Decimal::aligned(self, divisor);
        let quotient = a.div_euclid(b);
        if b < 0 && a.rem_euclid(b) != 0 { quotient - 1 } else { quotient }
    }

    fn aligned(a: Decimal, b: Decimal) -> (i128, i128, u32) {
        let places = a.places.max(b.places);
        let scaled = |x: Decimal| x.mantissa.checked_mul(10i128.pow(places - x.places)).expect(TOO_LARGE);
        (scaled(a), scaled(b), places)
    }

    fn normalised(mut self) -> Decimal {
        while self.places > 0 && self.mantissa % 10 == 0 {
            self.mantissa /= 10;
            self.places -= 1;
        }
        self
    }
}
