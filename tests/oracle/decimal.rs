//! Decimals from text.

use dormouse::plain::Decimal;

/// Reads `-12.5`, `3`, `5e-05`; nothing else.
pub fn decimal(text: &str) -> Option<Decimal> {
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
        Ok(places) => Some(Decimal::new(mantissa, places)),
        Err(_) => {
            let mantissa = 10i128.checked_pow(places.unsigned_abs())?.checked_mul(mantissa)?;
            Some(Decimal::new(mantissa, 0))
        }
    }
}
