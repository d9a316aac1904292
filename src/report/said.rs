//! Numbers of a report as people read them: money, shares, lengths of time, dates.

use super::model::{Length, Money, Share, Time};
use crate::event::Span;

/// For what cannot be said.
pub const NOTHING: &str = "–";

/// Whole units with thousands apart; two decimals below a hundred: `1 234`, `12.50`, `-3.00`.
pub fn money(money: Money) -> String {
    let magnitude = money.0.unsigned_abs();
    let sign = if money.0 < 0 { "-" } else { "" };
    let cents = (magnitude + 50) / 100;
    if cents < 10_000 {
        return format!("{sign}{}.{:02}", cents / 100, cents % 100);
    }
    format!("{sign}{}", count((magnitude + 5_000) / 10_000))
}

/// With thousands apart: `1 234 567`.
pub fn count(number: impl Into<u128>) -> String {
    let digits = number.into().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// With one decimal: `62.5 %`, `0.0 %`.
pub fn percent(share: Share) -> String {
    let tenths = (share.0 * 1_000.0).round();
    // Not "-0".
    let tenths = if tenths == 0.0 { 0.0 } else { tenths };
    format!("{:.1} %", tenths / 10.0)
}

/// With three decimals: `0.968 %`.
pub fn percent_finely(share: Share) -> String {
    format!("{:.3} %", share.0 * 100.0)
}

/// With its sign: `+12.0 %`.
pub fn growth(share: Share) -> String {
    let text = percent(share);
    if share.0 > 0.0 && !text.starts_with("0.0") { format!("+{text}") } else { text }
}

/// In the unit that fits: `12 d`, `5.5 h`, `40 s`.
pub fn length(length: Length) -> String {
    let ms = length.0.0;
    for (unit, of) in [("d", Span::DAY.0), ("h", Span::HOUR.0), ("min", Span::MINUTE.0)] {
        if ms >= of {
            let tenths = ms / (of / 10);
            let whole = tenths % 10 == 0 || tenths >= 1_000;
            return if whole {
                format!("{} {unit}", tenths / 10)
            } else {
                format!("{}.{} {unit}", tenths / 10, tenths % 10)
            };
        }
    }
    format!("{} s", ms / Span::SECOND.0)
}

/// The day in UTC, with hours and minutes unless it is midnight: `2011-12-09 12:50`.
pub fn moment(time: Time) -> String {
    let text = time.0.to_string();
    let day = text.get(..10).unwrap_or(&text);
    match text.get(11..16) {
        Some("00:00") | None => day.to_owned(),
        Some(minutes) => format!("{day} {minutes}"),
    }
}

/// What it says, or that it says nothing.
pub fn or_nothing<T>(value: Option<T>, said: impl FnOnce(T) -> String) -> String {
    value.map_or(NOTHING.to_owned(), said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_plain() {
        assert_eq!(
            [0, 125_000, -30_000, 12_345_678_900].map(|n| money(Money(n))),
            ["0.00", "12.50", "-3.00", "1 234 568"]
        );
        assert_eq!([0.0, 0.6251, -0.0001, 1.0].map(|n| percent(Share(n))), ["0.0 %", "62.5 %", "0.0 %", "100.0 %"]);
        assert_eq!([0.12, -0.12, 0.0].map(|n| growth(Share(n))), ["+12.0 %", "-12.0 %", "0.0 %"]);
        let lengths = [0, 40_500, 5_400_000, 12 * Span::DAY.0, 365 * Span::DAY.0 + 12 * Span::HOUR.0];
        assert_eq!(lengths.map(|ms| length(Length(Span(ms)))), ["0 s", "40 s", "1.5 h", "12 d", "365 d"]);
    }

    #[test]
    fn midnight_is_a_day() {
        let at = |ms| moment(Time(crate::event::Instant(ms)));
        assert_eq!([at(0), at(60_000)], ["1970-01-01", "1970-01-01 00:01"]);
    }
}
