//! Numbers, money, durations, days and names as people read them.

use super::Words;
use super::feature::Measured;
use crate::event::{Amount, Instant, Span};
use crate::rules::plan::Relation;
use crate::rules::reading::Quantity;

/// Longer names of the outside are cut.
const NAME_CHARS_MAX: usize = 60;

impl Words<'_> {
    /// A value of a feature or a sum of them.
    pub(super) fn quantity(&self, value: &Quantity, measured: Measured) -> String {
        match (value, measured) {
            (Quantity::Number(amount), Measured::Money) => self.money(*amount),
            (Quantity::Number(amount), _) => number(*amount),
            (Quantity::Duration(span), _) => duration(*span),
            (Quantity::Text(text), _) => name(text),
            (Quantity::Flag(flag), _) => flag.to_string(),
            (Quantity::Absent, _) => "unknown".to_owned(),
            (Quantity::Never, _) => "never".to_owned(),
        }
    }

    /// `1,249.73 GBP`: whole units without decimals, else at least two.
    pub(super) fn money(&self, amount: Amount) -> String {
        let text = number(amount);
        let text = match text.split_once('.') {
            Some((_, fraction)) if fraction.len() == 1 => text + "0",
            _ => text,
        };
        format!("{text} {}", self.plan.schema.currency)
    }

    /// The local day so long before, with the hour when it is not long: `3 January`, `15 June, 13:30`.
    pub(super) fn before(&self, span: Span) -> String {
        let instant = self.at - span;
        if span.0 >= 2 * Span::DAY.0 {
            return self.day(instant);
        }
        let time = self.local(instant).time();
        format!("{}, {:02}:{:02}", self.day(instant), time.hour(), time.minute())
    }

    fn local(&self, instant: Instant) -> jiff::civil::DateTime {
        let timestamp = jiff::Timestamp::from_millisecond(instant.0).unwrap_or(jiff::Timestamp::MAX);
        self.plan.zone.to_datetime(timestamp)
    }

    /// The local day, with its year when that is another than the one of the moment spoken of: `3 January`.
    pub(super) fn day(&self, instant: Instant) -> String {
        let (date, now) = (self.local(instant).date(), self.local(self.at).date());
        let day = day_and_month(date.month(), date.day());
        if date.year() == now.year() { day } else { format!("{day} {}", date.year()) }
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Months count from 1.
pub(super) fn month(number: i8) -> &'static str {
    MONTHS[(number - 1) as usize]
}

pub(super) fn day_and_month(month_number: i8, day: i8) -> String {
    format!("{day} {}", month(month_number))
}

/// With commas between thousands: `1,234.5`.
pub(super) fn number(amount: Amount) -> String {
    let text = amount.to_string();
    let (sign, digits) = text.strip_prefix('-').map_or(("", &*text), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{grouped}{point}{fraction}")
}

const UNITS: [(&str, i64); 5] =
    [("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1_000), ("millisecond", 1)];

/// A duration in the largest unit of which there are two, or exactly one; what is left over is cut: `41 days`, `36 hours`.
pub fn duration(span: Span) -> String {
    let ms = span.0.unsigned_abs();
    let fits = |(_, length): &&(&str, i64)| ms >= 2 * length.unsigned_abs() || ms == length.unsigned_abs();
    let (unit, length) = UNITS.iter().find(fits).unwrap_or(&("second", 1_000));
    let sign = if span.0 < 0 { "-" } else { "" };
    format!("{sign}{}", counted(ms / length.unsigned_abs(), unit))
}

/// A window: `in the last 30 days`, `in the last hour`.
pub(super) fn period(window: Span) -> String {
    let divides = |(_, length): &&(&str, i64)| window.0 % length == 0;
    let (unit, length) = UNITS.iter().find(divides).unwrap_or(&UNITS[4]);
    match window.0 / length {
        1 => format!("in the last {unit}"),
        n => format!("in the last {} {unit}s", number(Amount(n.saturating_mul(Amount::ONE.0)))),
    }
}

/// When something must have been, to be no longer ago than a bound: `in the last 30 days`.
pub(super) fn within(bound: &Quantity) -> String {
    match bound {
        Quantity::Duration(span) if span.0 > 0 => period(*span),
        _ => "at this moment".to_owned(),
    }
}

fn counted(n: u64, unit: &str) -> String {
    let shown = number(Amount((n as i64).saturating_mul(Amount::ONE.0)));
    if n == 1 { format!("{shown} {unit}") } else { format!("{shown} {unit}s") }
}

/// What stands before a bound, with a space behind it.
pub(super) fn relation(relation: Relation) -> &'static str {
    match relation {
        Relation::Equal => "exactly ",
        Relation::NotEqual => "other than ",
        Relation::Less => "less than ",
        Relation::LessOrEqual => "at most ",
        Relation::Greater => "more than ",
        Relation::GreaterOrEqual => "at least ",
    }
}

/// `a, b and c`.
pub(super) fn list(parts: &[String], last: &str) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., end] => format!("{} {last} {end}", first.join(", ")),
    }
}

pub(super) fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

/// A name of the rules: `gift_card` is `gift card`.
pub(super) fn spaced(name: &str) -> String {
    name.replace('_', " ")
}

/// `a` or `an`, by the first letter.
pub(super) fn article(noun: &str) -> &'static str {
    let is_vowel = |letter: char| "aeiouAEIOU".contains(letter);
    if noun.starts_with(is_vowel) { "an" } else { "a" }
}

/// A text of the outside: bare when it is a plain name, else in quotation marks.
pub(super) fn name(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || " -_.&+@/'".contains(c);
    let is_bare = !text.is_empty() && text.trim() == text && text.chars().all(is_plain);
    let cut: String = text.chars().take(NAME_CHARS_MAX).filter(|c| !c.is_control()).collect();
    let more = if text.chars().count() > NAME_CHARS_MAX { "…" } else { "" };
    if is_bare { cut + more } else { format!("“{cut}{more}”") }
}

/// Always in quotation marks.
pub(super) fn quoted(text: &str) -> String {
    match name(text) {
        quoted if quoted.starts_with('“') => quoted,
        bare => format!("“{bare}”"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas() {
        let shown = [0, 9_990_000, 10_000_000, -12_345_678_900].map(|n| number(Amount(n)));
        assert_eq!(shown, ["0", "999", "1,000", "-1,234,567.89"]);
    }

    #[test]
    fn durations_are_cut_to_one_unit() {
        const HOUR: i64 = 3_600_000;
        let shown = [0, 1, 1_000, 1_999, 90_000, HOUR, 25 * HOUR, 24 * HOUR, 47 * HOUR, 48 * HOUR, 720 * HOUR + 1]
            .map(|ms| duration(Span(ms)));
        let expected = [
            "0 seconds",
            "1 millisecond",
            "1 second",
            "1,999 milliseconds",
            "90 seconds",
            "1 hour",
            "25 hours",
            "1 day",
            "47 hours",
            "2 days",
            "30 days",
        ];
        assert_eq!(shown, expected);
        assert_eq!(duration(Span(-60_000)), "-1 minute");
        assert_eq!(
            [1_500, 24 * HOUR, 36 * HOUR].map(|ms| period(Span(ms))),
            ["in the last 1,500 milliseconds", "in the last day", "in the last 36 hours"]
        );
    }

    #[test]
    fn names_of_the_outside_are_bare_or_quoted() {
        assert_eq!(["garden", "", "a \u{7}b", "x, y", " z"].map(name), ["garden", "“”", "“a b”", "“x, y”", "“ z”"]);
        assert_eq!(name(&"a".repeat(61)), "a".repeat(60) + "…");
        assert_eq!(quoted("garden"), "“garden”");
    }
}
