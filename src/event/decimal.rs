//! Exact decimals from text: the number grammar of JSON, in numbers and in strings alike.
//!
//! Every rounding is half to even, once, to 1/10 000, and of the exact value: a number of 500 digits and
//! `1e999999999` cost no more than their text. No floating point, no overflow; what is too large is an error.
//! It does not know currencies or which limit a field has.

use super::Amount;

/// A decimal exactly as written, before it is rounded: `mantissa` · 10^-`scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    pub mantissa: i128,
    pub scale: i32,
}

/// Why a text is not taken as a decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not of the grammar of a JSON number.
    #[error("not a decimal")]
    Malformed,
    /// The value, with its sign, is beyond what the result can hold.
    #[error("out of range")]
    OutOfRange { negative: bool },
}

/// Factors of a product with more significant digits than this are out of range, so that time stays bounded.
const MAX_FACTOR_DIGITS: usize = 4_096;
/// Exponents are taken as at most this, either way: past any digit that a message can hold.
const MAX_EXPONENT: i64 = 1_000_000_000_000_000_000;
/// Decimal places of an [`Amount`].
const PLACES: i64 = 4;

impl Decimal {
    /// Reads a decimal without rounding, such as a currency rate.
    ///
    /// Errors: malformed; out of range with more than 38 significant digits or an exponent beyond 32 bits.
    pub fn parse(text: &str) -> Result<Decimal, DecimalError> {
        let numeral = Numeral::parse(text)?;
        let out_of_range = DecimalError::OutOfRange { negative: numeral.negative };
        let Some((first, last)) = numeral.significant() else {
            return Ok(Decimal { mantissa: 0, scale: 0 });
        };
        if last - first >= 38 {
            return Err(out_of_range);
        }
        let mantissa = (first..=last).fold(0_i128, |sum, index| sum * 10 + i128::from(numeral.digit(index)));
        let scale = i32::try_from(-numeral.exponent_after(last)).map_err(|_| out_of_range)?;
        Ok(Decimal { mantissa: if numeral.negative { -mantissa } else { mantissa }, scale })
    }

    /// The value rounded half to even to 1/10 000; an error beyond ±9·10^14 units.
    pub fn round(self) -> Result<Amount, DecimalError> {
        let magnitude = round_scaled(self.mantissa.unsigned_abs(), PLACES - i64::from(self.scale));
        signed(self.mantissa < 0, magnitude)
    }
}

impl Amount {
    /// Reads a decimal and rounds it; an error beyond ±9·10^14 units.
    pub fn parse(text: &str) -> Result<Amount, DecimalError> {
        match Amount::parse_small(text) {
            Some(amount) => Ok(amount),
            None => Numeral::parse(text)?.round(),
        }
    }

    /// Reads a decimal as nearly all are written: few digits, at most four of them behind the point, no exponent.
    /// `None` says nothing of the text.
    #[inline]
    pub(super) fn parse_small(text: &str) -> Option<Amount> {
        Small::parse(text)?.amount()
    }

    /// Reads a decimal and rounds it; a value beyond ±9·10^14 units stays there.
    pub fn parse_saturating(text: &str) -> Result<Amount, DecimalError> {
        match Amount::parse(text) {
            Err(DecimalError::OutOfRange { negative: true }) => Ok(Amount(-Amount::SUM_LIMIT.0)),
            Err(DecimalError::OutOfRange { negative: false }) => Ok(Amount::SUM_LIMIT),
            other => other,
        }
    }

    /// The exact product of two decimals as written, rounded once: unit price times quantity.
    pub fn parse_product(left: &str, right: &str) -> Result<Amount, DecimalError> {
        let small = || Small::parse(left)?.times(Small::parse(right)?)?.amount();
        match small() {
            Some(amount) => Ok(amount),
            None => Numeral::parse(left)?.times(Numeral::parse(right)?),
        }
    }

    /// This amount at a currency's rate, rounded again.
    pub fn at_rate(self, rate: Decimal) -> Result<Amount, DecimalError> {
        let negative = (self.0 < 0) != (rate.mantissa < 0);
        let (amount, rate_magnitude) = (u128::from(self.0.unsigned_abs()), rate.mantissa.unsigned_abs());
        let exponent = -i64::from(rate.scale);
        let magnitude = match amount.checked_mul(rate_magnitude) {
            Some(product) => round_scaled(product, exponent),
            None => {
                let digits = multiply(amount.to_string().as_bytes(), rate_magnitude.to_string().as_bytes());
                round_digits(digits.len(), |index| digits[index], digits.len() as i64 + exponent)
            }
        };
        signed(negative, magnitude)
    }

    /// Whether it is within ±10^10 units, which is what an event may say (SPEC 5).
    pub fn is_within_limit(self) -> bool {
        self.0.unsigned_abs() <= Amount::LIMIT.0.unsigned_abs()
    }
}

/// A decimal of at most 18 digits without an exponent: `mantissa` / 10^`n_places`.
#[derive(Clone, Copy)]
struct Small {
    mantissa: i64,
    n_places: usize,
}

impl Small {
    /// `None`: no such decimal, or none at all.
    #[inline]
    fn parse(text: &str) -> Option<Small> {
        let (negative, digits) = match text.as_bytes() {
            [b'-', digits @ ..] => (true, digits),
            digits => (false, digits),
        };
        // Digits on both sides of the point, and no zero before others.
        let is_whole_right = matches!(digits, [b'0'] | [b'0', b'.', ..] | [b'1'..=b'9', ..]);
        if !is_whole_right || digits.len() > 18 {
            return None;
        }
        let (mut mantissa, mut point) = (0, digits.len());
        for (index, byte) in digits.iter().enumerate() {
            let digit = byte.wrapping_sub(b'0');
            if digit <= 9 {
                mantissa = mantissa * 10 + i64::from(digit);
            } else if *byte == b'.' && point == digits.len() && index + 1 < digits.len() {
                point = index;
            } else {
                return None;
            }
        }
        let n_places = digits.len().saturating_sub(point + 1);
        Some(Small { mantissa: if negative { -mantissa } else { mantissa }, n_places })
    }

    fn times(self, other: Small) -> Option<Small> {
        let mantissa = self.mantissa.checked_mul(other.mantissa)?;
        Some(Small { mantissa, n_places: self.n_places + other.n_places })
    }

    /// Exactly, if four places do.
    fn amount(self) -> Option<Amount> {
        const FACTORS: [i64; PLACES as usize + 1] = [10_000, 1_000, 100, 10, 1];
        let amount = self.mantissa.checked_mul(*FACTORS.get(self.n_places)?)?;
        (amount.unsigned_abs() <= Amount::SUM_LIMIT.0.unsigned_abs()).then_some(Amount(amount))
    }
}

/// A number's text taken apart: whole, fraction and exponent.
#[derive(Clone, Copy)]
struct Numeral<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

impl<'a> Numeral<'a> {
    /// By the grammar of JSON: no leading zeros or plus, digits on both sides of the point.
    fn parse(text: &'a str) -> Result<Numeral<'a>, DecimalError> {
        let (negative, rest) = match text.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        let (whole, rest) = split_digits(rest);
        if whole.is_empty() || (whole.len() > 1 && whole[0] == b'0') {
            return Err(DecimalError::Malformed);
        }
        let (fraction, rest) = match rest {
            [b'.', rest @ ..] => match split_digits(rest) {
                ([], _) => return Err(DecimalError::Malformed),
                split => split,
            },
            rest => (&rest[..0], rest),
        };
        Ok(Numeral { negative, whole, fraction, exponent: parse_exponent(rest)? })
    }

    fn n_digits(&self) -> usize {
        self.whole.len() + self.fraction.len()
    }

    /// The digit's value; whole and fraction count on.
    fn digit(&self, index: usize) -> u8 {
        let digit = match index.checked_sub(self.whole.len()) {
            None => self.whole[index],
            Some(index) => self.fraction[index],
        };
        digit - b'0'
    }

    /// The first and the last digit that is not zero.
    fn significant(&self) -> Option<(usize, usize)> {
        let first = (0..self.n_digits()).find(|&index| self.digit(index) != 0)?;
        let last = (first..self.n_digits()).rev().find(|&index| self.digit(index) != 0)?;
        Some((first, last))
    }

    /// The power of ten that the digit at `index` counts.
    fn exponent_after(&self, index: usize) -> i64 {
        self.whole.len() as i64 - 1 - index as i64 + self.exponent
    }

    fn round(&self) -> Result<Amount, DecimalError> {
        let n_digits = self.n_digits();
        let magnitude = if n_digits <= 19 && self.exponent.abs() <= 19 {
            let mantissa = (0..n_digits).fold(0, |sum, index| sum * 10 + u64::from(self.digit(index)));
            round_scaled(u128::from(mantissa), self.exponent - self.fraction.len() as i64 + PLACES)
        } else {
            match (0..n_digits).find(|&index| self.digit(index) != 0) {
                None => Some(0),
                Some(first) => round_digits(
                    n_digits - first,
                    |index| self.digit(first + index),
                    self.exponent_after(first) + 1 + PLACES,
                ),
            }
        };
        signed(self.negative, magnitude)
    }

    fn times(self, other: Numeral<'_>) -> Result<Amount, DecimalError> {
        let negative = self.negative != other.negative;
        let (Some((first, last)), Some((other_first, other_last))) = (self.significant(), other.significant()) else {
            return Ok(Amount::ZERO);
        };
        let exponent = self.exponent_after(last).saturating_add(other.exponent_after(other_last)) + PLACES;
        let longest = (last - first).max(other_last - other_first) + 1;
        let magnitude = if longest <= 18 {
            let value = |numeral: Numeral<'_>, first: usize, last: usize| {
                (first..=last).fold(0, |sum, index| sum * 10 + u64::from(numeral.digit(index)))
            };
            let product = u128::from(value(self, first, last)) * u128::from(value(other, other_first, other_last));
            round_scaled(product, exponent)
        } else if longest <= MAX_FACTOR_DIGITS {
            let text = |numeral: Numeral<'_>, first: usize, last: usize| -> Vec<u8> {
                (first..=last).map(|index| b'0' + numeral.digit(index)).collect()
            };
            let digits = multiply(&text(self, first, last), &text(other, other_first, other_last));
            round_digits(digits.len(), |index| digits[index], digits.len() as i64 + exponent)
        } else {
            None
        };
        signed(negative, magnitude)
    }
}

fn split_digits(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len()))
}

/// `e5`, `E+5`, `e-05`, or nothing.
fn parse_exponent(text: &[u8]) -> Result<i64, DecimalError> {
    let text = match text {
        [] => return Ok(0),
        [b'e' | b'E', rest @ ..] => rest,
        _ => return Err(DecimalError::Malformed),
    };
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(DecimalError::Malformed);
    }
    let magnitude =
        digits.iter().fold(0_i64, |sum, &digit| (sum * 10 + i64::from(digit - b'0')).min(MAX_EXPONENT / 10));
    Ok(if negative { -magnitude } else { magnitude })
}

/// `mantissa` · 10^`exponent`, rounded half to even; `None` when it does not fit.
fn round_scaled(mantissa: u128, exponent: i64) -> Option<u128> {
    if mantissa == 0 {
        return Some(0);
    }
    if exponent >= 0 {
        let factor = 10_u128.checked_pow(u32::try_from(exponent).ok()?)?;
        return mantissa.checked_mul(factor);
    }
    let Some(divisor) = u32::try_from(-exponent).ok().and_then(|places| 10_u128.checked_pow(places)) else {
        return Some(0); // 10^39 and more: less than half of one
    };
    let (quotient, rest) = match (u64::try_from(mantissa), u64::try_from(divisor)) {
        (Ok(mantissa), Ok(divisor)) => (u128::from(mantissa / divisor), u128::from(mantissa % divisor)),
        _ => (mantissa / divisor, mantissa % divisor),
    };
    let up = rest > divisor - rest || (rest == divisor - rest && quotient % 2 == 1);
    Some(quotient + u128::from(up))
}

/// 0.d1d2… · 10^`keep`, rounded half to even, of digits of which the first is not zero; `None` when it does not fit.
fn round_digits(n_digits: usize, digit: impl Fn(usize) -> u8, keep: i64) -> Option<u128> {
    if keep < 0 {
        return Some(0);
    }
    let keep = usize::try_from(keep).ok().filter(|&keep| keep <= 38)?;
    let at = |index: usize| if index < n_digits { digit(index) } else { 0 };
    let kept = (0..keep).fold(0_u128, |sum, index| sum * 10 + u128::from(at(index)));
    let up = match at(keep) {
        0..=4 => false,
        5 => kept % 2 == 1 || (keep + 1..n_digits).any(|index| digit(index) != 0),
        _ => true,
    };
    Some(kept + u128::from(up))
}

/// The digits (as values) of the product of two numbers given as text, without leading zeros.
fn multiply(left: &[u8], right: &[u8]) -> Vec<u8> {
    const BASE: u64 = 1_000_000_000;
    let limbs = |text: &[u8]| -> Vec<u64> {
        let chunk = |digits: &[u8]| digits.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        text.rchunks(9).map(chunk).collect()
    };
    let (left, right) = (limbs(left), limbs(right));
    let mut product = vec![0_u64; left.len() + right.len()];
    for (i, &a) in left.iter().enumerate() {
        let mut carry = 0;
        for (j, &b) in right.iter().enumerate() {
            let sum = product[i + j] + a * b + carry;
            product[i + j] = sum % BASE;
            carry = sum / BASE;
        }
        product[i + right.len()] = carry;
    }
    let mut digits = Vec::with_capacity(product.len() * 9);
    for limb in product.iter().rev() {
        let mut power = BASE / 10;
        while power > 0 {
            digits.push((limb / power % 10) as u8);
            power /= 10;
        }
    }
    let zeros = digits.iter().take_while(|&&digit| digit == 0).count();
    digits.drain(..zeros);
    digits
}

fn signed(negative: bool, magnitude: Option<u128>) -> Result<Amount, DecimalError> {
    match magnitude.and_then(|magnitude| i64::try_from(magnitude).ok()) {
        Some(magnitude) if magnitude <= Amount::SUM_LIMIT.0 => {
            Ok(Amount(if negative { -magnitude } else { magnitude }))
        }
        _ => Err(DecimalError::OutOfRange { negative }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BEYOND: Result<Amount, DecimalError> = Err(DecimalError::OutOfRange { negative: false });

    #[test]
    fn rounds_half_to_even_at_the_fourth_place() {
        for (text, amount) in [
            ("0", 0),
            ("-0", 0),
            ("7", 70_000),
            ("12.50", 125_000),
            ("-20", -200_000),
            ("0.00005", 0),
            ("0.00015", 2),
            ("0.00025", 2),
            ("0.000250000000000000000000000000000000000000000000000001", 3),
            ("-0.00035", -4),
            ("3.33335", 33_334),
            ("3.33345", 33_334),
            ("19.999", 199_990),
            ("1e2", 1_000_000),
            ("1.5E+1", 150_000),
            ("25e-5", 2),
            ("35e-5", 4),
            ("5e-5", 0),
            ("6e-5", 1),
            ("1e-999999999", 0),
            ("0e999999999", 0),
            ("0.0000e99999999999999999999999", 0),
            ("10000000000", Amount::LIMIT.0),
            ("10000000000.00005", Amount::LIMIT.0),
            ("900000000000000", Amount::SUM_LIMIT.0),
            ("0.00000000000000000000000000000000000000001e41", 10_000),
        ] {
            assert_eq!(Amount::parse(text), Ok(Amount(amount)), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_of_json_is_malformed() {
        for text in [
            "", "-", "+1", "01", "00", ".5", "1.", "1.e5", "1e", "1e+", "1e1.5", " 1", "1 ", "1,5", "0x10", "NaN",
            "Infinity", "1_000", "--1", "١",
        ] {
            assert_eq!(Amount::parse(text), Err(DecimalError::Malformed), "{text:?}");
            assert_eq!(Amount::parse_product("1", text), Err(DecimalError::Malformed), "{text:?}");
            assert_eq!(Decimal::parse(text), Err(DecimalError::Malformed), "{text:?}");
        }
    }

    #[test]
    fn what_is_too_large_is_out_of_range_at_once() {
        for text in ["900000000000000.0001", "1e999999999", "1e99999999999999999999999999", &"9".repeat(500)] {
            assert_eq!(Amount::parse(text), BEYOND, "{text}");
            assert_eq!(Amount::parse_saturating(text), Ok(Amount::SUM_LIMIT));
            assert_eq!(Amount::parse_saturating(&format!("-{text}")), Ok(Amount(-Amount::SUM_LIMIT.0)));
        }
        assert_eq!(Amount::parse_product("1e999999999", "1e999999999"), BEYOND);
        assert_eq!(Amount::parse_product("1e999999999", "0"), Ok(Amount::ZERO));
        assert!(!Amount(Amount::LIMIT.0 + 1).is_within_limit());
        assert!(Amount(-Amount::LIMIT.0).is_within_limit());
    }

    #[test]
    fn a_product_is_exact_before_it_is_rounded() {
        for (left, right, amount) in [
            ("3.33335", "3", 100_000), // 10.00005: to the even neighbour, not 3 · 3.3334
            ("0.00005", "3", 2),       // 0.00015, where 3 · 0 would be none
            ("2.5", "-4", -100_000),
            ("1e300", "1e-300", 10_000),
            ("0.125", "0.0004", 0),
            ("0.375", "0.0004", 2),
        ] {
            assert_eq!(Amount::parse_product(left, right), Ok(Amount(amount)), "{left} * {right}");
        }
        let third = format!("0.{}", "3".repeat(500));
        assert_eq!(Amount::parse_product(&third, "3"), Ok(Amount::ONE));
        let just_over_half = format!("0.00005{}1", "0".repeat(400));
        assert_eq!(Amount::parse_product(&just_over_half, "1"), Ok(Amount(1)));
        assert_eq!(Amount::parse_product(&"7".repeat(MAX_FACTOR_DIGITS + 1), "1e-9000"), BEYOND);
    }

    #[test]
    fn a_rate_is_exact_and_rounds_once_more() {
        let rate = Decimal::parse("1.08125").expect("a decimal");
        assert_eq!(rate, Decimal { mantissa: 108_125, scale: 5 });
        assert_eq!(Amount(10_000).at_rate(rate), Ok(Amount(10_812)));
        assert_eq!(Amount(-30_000).at_rate(rate), Ok(Amount(-32_438)));
        let long = Decimal::parse("0.33333333333333333333333333333333333333").expect("38 digits");
        assert_eq!(Amount::LIMIT.at_rate(long), Ok(Amount(33_333_333_333_333)));
        assert_eq!(Amount::LIMIT.at_rate(Decimal { mantissa: 1, scale: -30 }), BEYOND);
        assert!(Decimal::parse(&"1".repeat(39)).is_err());
        assert_eq!(Decimal::parse("1e50"), Ok(Decimal { mantissa: 1, scale: -50 }));
        assert_eq!(Decimal { mantissa: 15, scale: 5 }.round(), Ok(Amount(2)));
    }

    /// Rounds with integers of the language where they suffice.
    fn slow(mantissa: i128, places: u32) -> i128 {
        let divisor = 10_i128.pow(places);
        let (floor, rest) = ((mantissa * 10_000).div_euclid(divisor), (mantissa * 10_000).rem_euclid(divisor));
        floor + i128::from(rest * 2 > divisor || (rest * 2 == divisor && floor % 2 != 0))
    }

    /// `mantissa` · 10^-`places` as text.
    fn written(mantissa: i64, places: u32) -> String {
        let digits = format!("{:0>width$}", mantissa.unsigned_abs(), width = places as usize + 1);
        let (whole, fraction) = digits.split_at(digits.len() - places as usize);
        let point = if places > 0 { "." } else { "" };
        format!("{}{whole}{point}{fraction}", if mantissa < 0 { "-" } else { "" })
    }

    proptest! {
        #[test]
        fn agrees_with_integers(mantissa in -1_000_000_000_000_i64..1_000_000_000_000, places in 0_u32..12) {
            let expected = Ok(Amount(slow(i128::from(mantissa), places) as i64));
            prop_assert_eq!(Amount::parse(&written(mantissa, places)), expected);
            prop_assert_eq!(Amount::parse(&format!("{mantissa}e-{places}")), expected);
            let padded = format!("{}{}", written(mantissa, places.max(1)), "0".repeat(40));
            prop_assert_eq!(Amount::parse(&padded), Ok(Amount(slow(i128::from(mantissa), places.max(1)) as i64)));
            prop_assert_eq!(Decimal::parse(&written(mantissa, places)).and_then(Decimal::round), expected);
        }

        #[test]
        fn small_ones_are_what_they_are_digit_by_digit(
            left in "-?[0-9]{0,19}(\\.[0-9]{0,5})?(e1)?", right in "-?[0-9]{0,2}(\\.[0-9]{0,5})?",
        ) {
            prop_assert_eq!(Amount::parse(&left), Numeral::parse(&left).and_then(|numeral| numeral.round()));
            let product = Numeral::parse(&left).and_then(|left| Ok((left, Numeral::parse(&right)?)));
            prop_assert_eq!(Amount::parse_product(&left, &right), product.and_then(|(left, right)| left.times(right)));
        }

        #[test]
        fn products_agree_with_integers(
            (left, left_places) in (-1_000_000_000_i64..1_000_000_000, 0_u32..7),
            (right, right_places) in (-1_000_000_i64..1_000_000, 0_u32..7),
        ) {
            let product = i128::from(left) * i128::from(right);
            let expected = slow(product, left_places + right_places);
            let expected = if expected.unsigned_abs() > Amount::SUM_LIMIT.0 as u128 {
                Err(DecimalError::OutOfRange { negative: expected < 0 })
            } else {
                Ok(Amount(expected as i64))
            };
            let (left, right) = (written(left, left_places), written(right, right_places));
            prop_assert_eq!(Amount::parse_product(&left, &right), expected);
        }

        #[test]
        fn long_products_agree_with_short_ones(left in 1_u64.., right in 1_u64..) {
            let digits = multiply(left.to_string().as_bytes(), right.to_string().as_bytes());
            let text: String = digits.iter().map(|digit| char::from(b'0' + digit)).collect();
            prop_assert_eq!(text, (u128::from(left) * u128::from(right)).to_string());
        }
    }
}
