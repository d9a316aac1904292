//! Months, weekdays and hours that a filter lets through: `from October to December`, `at the weekend`, `before 06:00`.
//!
//! They are always there and few, so a test is said by the set that passes it.

use super::text;
use crate::event::Amount;
use crate::rules::plan::NumberSource;

const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Whether a field is one of the calendar's.
pub(super) fn is_of_calendar(field: NumberSource) -> bool {
    matches!(field, NumberSource::Month | NumberSource::Weekday | NumberSource::Hour)
}

/// The phrase for those values of a calendar field that pass; `None` for other fields.
pub(super) fn phrase(field: NumberSource, passes: impl Fn(Amount) -> bool) -> Option<String> {
    let (first, last) = match field {
        NumberSource::Month => (1, 12),
        NumberSource::Weekday => (1, 7),
        NumberSource::Hour => (0, 23),
        _ => return None,
    };
    let passing: Vec<i8> = (first..=last).filter(|n| passes(Amount(i64::from(*n) * Amount::ONE.0))).collect();
    let all = passing.len() == (last - first + 1) as usize;
    Some(match (field, &passing[..]) {
        (_, []) => "at no time".to_owned(),
        (_, _) if all => "at any time".to_owned(),
        (NumberSource::Weekday, [6, 7]) => "at the weekend".to_owned(),
        (NumberSource::Weekday, [1, 2, 3, 4, 5]) => "on a working day".to_owned(),
        (NumberSource::Weekday, days) => {
            let days: Vec<String> = days.iter().map(|day| WEEKDAYS[(day - 1) as usize].to_owned()).collect();
            format!("on a {}", text::list(&days, "or"))
        }
        (NumberSource::Month, months) => months_phrase(months),
        (_, hours) => hours_phrase(hours),
    })
}

/// Runs of numbers that follow each other.
fn runs(numbers: &[i8]) -> Vec<(i8, i8)> {
    let mut runs: Vec<(i8, i8)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => runs.push((*number, *number)),
        }
    }
    runs
}

fn months_phrase(months: &[i8]) -> String {
    match &runs(months)[..] {
        [(first, last)] if last - first >= 2 => format!("from {} to {}", text::month(*first), text::month(*last)),
        _ => {
            let names: Vec<String> = months.iter().map(|month| text::month(*month).to_owned()).collect();
            format!("in {}", text::list(&names, "or"))
        }
    }
}

fn hours_phrase(hours: &[i8]) -> String {
    let run = |(first, last): &(i8, i8)| match (first, last) {
        (0, last) => format!("before {:02}:00", last + 1),
        (first, 23) => format!("from {first:02}:00 on"),
        (first, last) => format!("between {first:02}:00 and {:02}:00", last + 1),
    };
    text::list(&runs(hours).iter().map(run).collect::<Vec<_>>(), "or")
}
