//! Figures as people would write them: 1 700 for 1 698.35, 90 days for 87.

use crate::event::Amount;

/// Days that people think in; above them whole quarters.
const DAYS: [i64; 24] =
    [1, 2, 3, 5, 7, 10, 14, 21, 30, 45, 60, 75, 90, 105, 120, 135, 150, 180, 210, 240, 270, 300, 330, 365];
const QUARTER_DAYS: i64 = 91;

/// The next such number of days that is not less.
pub fn days_up(exact: i64) -> i64 {
    let known = DAYS.into_iter().find(|days| *days >= exact);
    known.unwrap_or_else(|| (exact + QUARTER_DAYS - 1) / QUARTER_DAYS * QUARTER_DAYS)
}

/// The nearest such number of days.
pub fn days(exact: i64) -> i64 {
    let up = days_up(exact);
    let down = match DAYS.into_iter().rev().find(|days| *days <= exact) {
        Some(365) if exact > 365 => (exact / QUARTER_DAYS * QUARTER_DAYS).max(365),
        Some(days) => days,
        None => up,
    };
    if exact - down < up - exact { down } else { up }
}

/// Two digits: the second any below 20 (17), then 0 or 5 (35). For counts and, in 1/10 000, for money.
fn two_digits(exact: u64) -> u64 {
    let mut power = 1;
    while exact / power >= 10 {
        power *= 10;
    }
    let step = if exact < 2 * power { power / 10 } else { power / 2 }.max(1);
    (exact + step / 2) / step * step
}

/// The nearest count of two digits.
pub fn count(exact: u64) -> u64 {
    if exact < 20 { exact } else { two_digits(exact) }
}

/// The nearest amount of two digits.
pub fn money(exact: Amount) -> Amount {
    let rounded = i64::try_from(two_digits(exact.0.unsigned_abs())).unwrap_or(i64::MAX).min(Amount::SUM_LIMIT.0);
    Amount(if exact.0 < 0 { -rounded } else { rounded })
}

/// An amount that divides those up to `below` from those from `from` on, both positive: as round as it can be near their
/// geometric mean, and between them where one can see that they lie apart, by more than one part in fifty.
pub fn money_between(below: Amount, from: Amount) -> Amount {
    let middle = Amount(((below.0 as f64) * (from.0 as f64)).sqrt() as i64);
    let rounded = money(middle);
    let divides = |amount: &Amount| below < *amount && *amount <= from;
    if from.0 - below.0 <= from.0 / 50 {
        return rounded;
    }
    // The coarsest multiple that divides, of those the nearest to the middle.
    let coarse = [one_digit(middle), rounded];
    let mut power = 1;
    while power <= from.0 / 10 {
        power *= 10;
    }
    let powers = std::iter::successors(Some(power), |power| Some(power / 10)).take_while(|power| *power > 0);
    let steps = powers.flat_map(|power| [power, power / 2, power / 5]).filter(|step| *step > 0);
    let multiples = steps.flat_map(|step| [(middle.0 + step / 2) / step * step, from.0 / step * step]).map(Amount);
    coarse.into_iter().chain(multiples).find(divides).unwrap_or(from)
}

/// The nearest of 1, 2, 5, 10, 20, 50 …, by their quotient.
fn one_digit(exact: Amount) -> Amount {
    let powers = std::iter::successors(Some(1_i64), |power| power.checked_mul(10));
    let known = powers.flat_map(|power| [power, power.saturating_mul(2), power.saturating_mul(5)]);
    let quotient = |known: i64| (known as f64 / exact.0 as f64).ln().abs();
    Amount(known.min_by(|one, other| quotient(*one).total_cmp(&quotient(*other))).unwrap_or(1))
}

/// Ascending figures rounded, or as they are where rounding would bring two together, or one to nothing.
pub fn all<T: Copy + Default + PartialOrd>(exact: &[T], round: impl Fn(T) -> T) -> Vec<T> {
    let rounded: Vec<T> = exact.iter().copied().map(round).collect();
    let is_fine = rounded.first().is_none_or(|first| *first > T::default()) && rounded.is_sorted_by(|a, b| a < b);
    if is_fine { rounded } else { exact.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(units: f64) -> Amount {
        Amount((units * 10_000.0) as i64)
    }

    #[test]
    fn days_are_those_that_people_name() {
        assert_eq!([1, 4, 29, 31, 258, 365, 366, 400, 547].map(days_up), [1, 5, 30, 45, 270, 365, 455, 455, 637]);
        assert_eq!([1, 4, 8, 33, 41, 180, 400, 430].map(days), [1, 5, 7, 30, 45, 180, 365, 455]);
    }

    #[test]
    fn amounts_and_counts_have_two_digits() {
        let rounded = [1_698.35, 369.34, 15.3, 0.0432, 9_999.0, 22.4, -47.0].map(|exact| money(units(exact)));
        assert_eq!(rounded, [1_700.0, 350.0, 15.0, 0.045, 10_000.0, 20.0, -45.0].map(units));
        assert_eq!([1, 17, 23, 147, 260].map(count), [1, 17, 25, 150, 250]);
        assert!(money(Amount(i64::MAX)) <= Amount::SUM_LIMIT);
    }

    #[test]
    fn what_lies_apart_is_divided_in_between() {
        for (below, from) in [(10.0, 1_000.0), (100.0, 110.0), (1_040.0, 1_070.0), (95.0, 99.0), (0.01, 0.02)] {
            let found = money_between(units(below), units(from));
            assert!(units(below) < found && found <= units(from), "{below} to {from}: {found}");
        }
        assert_eq!(money_between(units(10.0), units(1_000.0)), units(100.0));
        assert_eq!(money_between(units(19.75), units(1_040.0)), units(200.0));
        assert_eq!(money_between(units(1_697.2), units(1_698.35)), units(1_700.0));
    }

    #[test]
    fn cuts_stay_apart() {
        assert_eq!(all(&[12, 33, 71, 180], days), [14, 30, 75, 180]);
        assert_eq!(all(&[28, 31, 33, 180], days), [28, 31, 33, 180]);
        assert_eq!(all(&[3], |_| 0), [3]);
    }
}
