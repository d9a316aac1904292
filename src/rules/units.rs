//! Durations and decimals as people write them: `30d`, `1h30m`, `12.5`. One grammar for rules and settings.

use crate::event::{Amount, Span};

/// Why a text is not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotADuration {
    Shape,
    Fraction,
    TooLong,
}

impl NotADuration {
    pub fn explain(self) -> &'static str {
        match self {
            NotADuration::Shape => "write whole numbers with units ms, s, m, h, d or w, such as `30d` or `1h30m`",
            NotADuration::Fraction => "write whole numbers in a smaller unit: `36h` for 1.5 days",
            NotADuration::TooLong => "a duration is at most 100000d",
        }
    }

    /// What to write in place of `text`.
    pub fn help(self, text: &str) -> String {
        match in_words(text) {
            Some((n, "month" | "months")) => format!("write `{}d`: months differ in length", n.saturating_mul(30)),
            Some((n, "year" | "years")) => format!("write `{}d`: years differ in length", n.saturating_mul(365)),
            Some((n, word)) => match unit_of(word) {
                Some(unit) => format!("write `{n}{unit}`"),
                None => self.explain().to_owned(),
            },
            None => self.explain().to_owned(),
        }
    }
}

/// A number and one word after it: `3 months`.
fn in_words(text: &str) -> Option<(u32, &str)> {
    let text = text.trim();
    let (digits, word) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    Some((digits.parse().ok()?, word.trim()))
}

/// The unit that a word means.
fn unit_of(word: &str) -> Option<&str> {
    Some(match word {
        "second" | "seconds" | "sec" => "s",
        "minute" | "minutes" | "min" => "m",
        "hour" | "hours" => "h",
        "day" | "days" => "d",
        "week" | "weeks" => "w",
        _ => return unit_ms(word).map(|_| word),
    })
}

/// The longest duration that can be written.
const LONGEST: i64 = 100_000 * Span::DAY.0;

/// Reads `1h30m`: whole numbers, each with its unit.
pub fn parse_span(text: &str) -> Result<Span, NotADuration> {
    let mut rest = text;
    let mut total: i64 = 0;
    if rest.is_empty() {
        return Err(NotADuration::Shape);
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        if number.is_empty() {
            return Err(NotADuration::Shape);
        }
        if after.starts_with('.') {
            return Err(NotADuration::Fraction);
        }
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, next) = after.split_at(letters);
        let unit = unit_ms(unit).ok_or(NotADuration::Shape)?;
        let part = number.parse::<i64>().ok().and_then(|n| n.checked_mul(unit)).ok_or(NotADuration::TooLong)?;
        total = total.checked_add(part).filter(|ms| *ms <= LONGEST).ok_or(NotADuration::TooLong)?;
        rest = next;
    }
    Ok(Span(total))
}

fn unit_ms(unit: &str) -> Option<i64> {
    Some(match unit {
        "ms" => 1,
        "s" => Span::SECOND.0,
        "m" => Span::MINUTE.0,
        "h" => Span::HOUR.0,
        "d" => Span::DAY.0,
        "w" => Span::WEEK.0,
        _ => return None,
    })
}

/// Why a text is not a number of the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotANumber {
    Shape,
    Decimals,
    TooLarge,
}

impl NotANumber {
    pub fn explain(self) -> &'static str {
        match self {
            NotANumber::Shape => "write digits, with at most four decimals: `12.5`",
            NotANumber::Decimals => "numbers have at most four decimals",
            NotANumber::TooLarge => "a number is at most 900000000000000",
        }
    }
}

/// Reads digits with at most four decimals, exactly; no sign, no exponent.
pub fn parse_number(text: &str) -> Result<Amount, NotANumber> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.is_empty() {
        return Err(NotANumber::Shape);
    }
    if fraction.len() > 4 {
        return Err(NotANumber::Decimals);
    }
    let scaled = format!("{whole}{fraction:0<4}");
    let scaled = scaled.trim_start_matches('0');
    let amount = if scaled.is_empty() { 0 } else { scaled.parse().map_err(|_| NotANumber::TooLarge)? };
    if amount > Amount::SUM_LIMIT.0 { Err(NotANumber::TooLarge) } else { Ok(Amount(amount)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(parse_span("30d"), Ok(Span(30 * Span::DAY.0)));
        assert_eq!(parse_span("1h30m"), Ok(Span(90 * Span::MINUTE.0)));
        assert_eq!(parse_span("2w1ms"), Ok(Span(14 * Span::DAY.0 + 1)));
        assert_eq!(parse_span("0s"), Ok(Span(0)));
        for wrong in ["", "d", "30", "30 d", "-1d", "1y", "d30", "1dd", "1µs", "１d"] {
            assert_eq!(parse_span(wrong), Err(NotADuration::Shape), "{wrong}");
        }
        for (wrong, help) in [
            ("7 days", "write `7d`"),
            ("3 months", "write `90d`: months differ in length"),
            ("1year", "write `365d`: years differ in length"),
            ("30 d", "write `30d`"),
            ("2 hours", "write `2h`"),
            ("90", NotADuration::Shape.explain()),
            ("soon", NotADuration::Shape.explain()),
            ("3 moons", NotADuration::Shape.explain()),
        ] {
            let why = parse_span(wrong).expect_err("it is no duration");
            assert_eq!(why.help(wrong), help, "{wrong}");
        }
        assert_eq!(parse_span("1.5d"), Err(NotADuration::Fraction));
        assert_eq!(parse_span("100001d"), Err(NotADuration::TooLong));
        assert_eq!(parse_span("99999999999999999999d"), Err(NotADuration::TooLong));
    }

    #[test]
    fn numbers() {
        assert_eq!(parse_number("12.5"), Ok(Amount(125_000)));
        assert_eq!(parse_number(".5"), Ok(Amount(5_000)));
        assert_eq!(parse_number("0"), Ok(Amount(0)));
        assert_eq!(parse_number("000.0001"), Ok(Amount(1)));
        assert_eq!(parse_number("1.00000"), Err(NotANumber::Decimals));
        assert_eq!(parse_number("900000000000001"), Err(NotANumber::TooLarge));
        for wrong in ["1e3", "1.", "-1", "1.2.3", "1_000"] {
            assert_eq!(parse_number(wrong), Err(NotANumber::Shape), "{wrong}");
        }
    }
}
