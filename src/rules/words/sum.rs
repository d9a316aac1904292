//! Sums of features, and sums against each other: `the time since the last purchase is 45 days, more than 2 times the
//! average time between purchases (60 days)`.

use std::cmp::Ordering;

use super::feature::Measured;
use super::noun;
use super::{Bound, Words, text};
use crate::event::{Amount, Span};
use crate::rules::plan::{Feature, FeatureId, Linear, Measure, SeriesId};
use crate::rules::reading::Quantity;

/// Sums of more are not spelled out.
const TERMS_MAX: usize = 3;

impl Words<'_> {
    /// What a sum is measured in: money when all of it is.
    pub(super) fn measured_of(&self, side: &Linear) -> Measured {
        let is_money = |(_, feature): &(i128, FeatureId)| self.measured(*feature) == Measured::Money;
        if !side.terms.is_empty() && side.terms.iter().all(is_money) { Measured::Money } else { Measured::Number }
    }

    /// A sum against a constant.
    pub(super) fn of_sum(&self, side: &Linear, scale: i128, value: &Quantity, bound: Option<Bound>) -> String {
        let is_positive = match value {
            Quantity::Number(amount) => amount.0 > 0,
            Quantity::Duration(span) => span.0 > 0,
            _ => false,
        };
        let only = if is_positive && bound.is_some_and(Bound::is_under) { "only " } else { "" };
        if let Some(nothing) = self.nothing(side, value) {
            return nothing;
        }
        let shown = self.quantity(value, self.measured_of(side));
        match self.as_one_amount(side, scale) {
            Some((what, period)) if *value == Quantity::Number(Amount::ZERO) => {
                format!("{what} worth nothing {period}")
            }
            Some((what, period)) => format!("{what} worth {only}{shown} {period}"),
            None => format!("{} is {only}{shown}", self.sum(side, scale)),
        }
    }

    /// A sum against another.
    pub(super) fn against_sum(
        &self,
        (left, left_value): (&Linear, &Quantity),
        (right, right_value): (&Linear, &Quantity),
        scale: i128,
    ) -> String {
        if let Some(nothing) = self.nothing(left, left_value) {
            return nothing;
        }
        let ordering = match (left_value, right_value) {
            (Quantity::Number(left), Quantity::Number(right)) => left.cmp(right),
            (Quantity::Duration(left), Quantity::Duration(right)) => left.cmp(right),
            _ => Ordering::Equal,
        };
        // What the one is measured in, the other is too.
        let measured = match self.measured_of(left) {
            Measured::Number if left.terms.is_empty() => self.measured_of(right),
            measured => measured,
        };
        let (left_value, right_value) = (self.quantity(left_value, measured), self.quantity(right_value, measured));
        // What is cut away may be all the difference.
        let relation = match (ordering, left_value == right_value) {
            (Ordering::Less, false) => "less than",
            (Ordering::Less, true) => "a little less than",
            (Ordering::Equal, _) => "the same as",
            (Ordering::Greater, false) => "more than",
            (Ordering::Greater, true) => "a little more than",
        };
        let (left, right) = (self.sum(left, scale), self.sum(right, scale));
        format!("{left} is {left_value}, {relation} {right} ({right_value})")
    }

    /// `no purchase in garden and no view in garden in the last 90 days`: a sum of counts over one window that is zero.
    pub(super) fn nothing(&self, side: &Linear, value: &Quantity) -> Option<String> {
        if *value != Quantity::Number(Amount::ZERO) || side.constant != 0 {
            return None;
        }
        let mut shared = None;
        let mut none = Vec::new();
        for (coefficient, feature) in &side.terms {
            let (series, period) = match self.plan.feature(*feature) {
                Feature::Window { series, measure: Measure::Count, window } => (series, text::period(*window)),
                Feature::Ever { series, measure: Measure::Count } => (series, "so far".to_owned()),
                _ => return None,
            };
            if *coefficient <= 0 || *shared.get_or_insert_with(|| period.clone()) != period {
                return None;
            }
            none.push(format!("no {}", self.noun(*series).one));
        }
        Some(format!("{} {}", text::list(&none, "and"), shared?))
    }

    /// `purchases less refunds`, `in the last 180 days`: money of several series over one window.
    fn as_one_amount(&self, side: &Linear, scale: i128) -> Option<(String, String)> {
        let mut what = String::new();
        let mut shared = None;
        for (index, (coefficient, feature)) in side.terms.iter().enumerate() {
            let Feature::Window { series, measure: Measure::Sum, window } = self.plan.feature(*feature) else {
                return None;
            };
            let is_same = *shared.get_or_insert(*window) == *window;
            let word = match (index, *coefficient == scale, *coefficient == -scale) {
                (0, true, _) => "",
                (1.., true, _) => " plus ",
                (1.., _, true) => " less ",
                _ => return None,
            };
            if !is_same || self.measured(*feature) != Measured::Money {
                return None;
            }
            what.push_str(word);
            what.push_str(&self.noun(*series).many);
        }
        (side.constant == 0).then_some((what, text::period(shared?)))
    }

    /// A sum as a noun: `2 times the number of refunds in the last 30 days minus 1`.
    fn sum(&self, side: &Linear, scale: i128) -> String {
        if side.terms.len() > TERMS_MAX {
            return format!("a sum of {} figures", side.terms.len());
        }
        let mut terms: Vec<(bool, String)> = Vec::new();
        for (coefficient, feature) in &side.terms {
            let what = self.named(*feature);
            let is_once = coefficient.unsigned_abs() == scale.unsigned_abs();
            let times = || match &*decimal(coefficient.unsigned_abs(), scale) {
                "0.5" if what.starts_with("the ") => format!("half {what}"),
                factor => format!("{factor} times {what}"),
            };
            terms.push((*coefficient < 0, if is_once { what.clone() } else { times() }));
        }
        if side.constant != 0 || side.terms.is_empty() {
            terms.push((side.constant < 0, self.constant(side, scale)));
        }
        // What is taken away comes last.
        terms.sort_by_key(|(is_negative, _)| *is_negative);
        let mut shown = String::new();
        for (is_negative, term) in terms {
            push_term(&mut shown, is_negative, &term);
        }
        shown
    }

    fn constant(&self, side: &Linear, scale: i128) -> String {
        let value = i64::try_from(side.constant.unsigned_abs() / scale.unsigned_abs()).unwrap_or(i64::MAX);
        let is_duration = side
            .terms
            .iter()
            .any(|(_, feature)| self.plan.feature(*feature).unit() == crate::rules::plan::Unit::Duration);
        match is_duration {
            true => text::duration(Span(value)),
            false => self.quantity(&Quantity::Number(Amount(value)), self.measured_of(side)),
        }
    }

    /// A feature as a noun.
    fn named(&self, feature: FeatureId) -> String {
        match self.plan.feature(feature) {
            Feature::Window { series, measure, window } => {
                format!("{} {}", self.named_measure(*series, *measure), text::period(*window))
            }
            Feature::Ever { series, measure } => format!("{} so far", self.named_measure(*series, *measure)),
            Feature::SinceLast(series) => format!("the time since the last {}", self.noun(*series).one),
            Feature::SinceFirst(series) => format!("the time since the first {}", self.noun(*series).one),
            Feature::Gap(series) => format!("the average time between {}", self.noun(*series).many),
            Feature::CustomerAge => "the time as a customer".to_owned(),
            Feature::Profile(attribute) => self.attribute(*attribute),
            Feature::DaysUntil(attribute) => format!("the number of days until {}", self.attribute(*attribute)),
            Feature::SegmentAge(dimension) => {
                format!("the time unchanged in {}", text::name(&self.plan.dimension(*dimension).name))
            }
            Feature::Score(score) => format!("the {} score", text::spaced(&self.plan.score(*score).name)),
        }
    }

    fn named_measure(&self, series: SeriesId, measure: Measure) -> String {
        let (one, many) = {
            let noun = self.noun(series);
            (noun.one, noun.many)
        };
        let field = |index: u8| noun::field(self.series(series).values[usize::from(index)]);
        match measure {
            Measure::Count => format!("the number of {many}"),
            Measure::Sum => format!("the total of {many}"),
            Measure::Avg => format!("the average {one}"),
            Measure::Max => format!("the highest {one}"),
            Measure::Min => format!("the lowest {one}"),
            Measure::Days => format!("the number of days with {many}"),
            Measure::Distinct(index) => format!("the number of different {} among {many}", field(index).1),
            Measure::Top(index) => format!("the number of {many} with the same {}", field(index).0),
        }
    }
}

fn push_term(shown: &mut String, is_negative: bool, term: &str) {
    shown.push_str(match (shown.is_empty(), is_negative) {
        (true, false) => "",
        (true, true) => "minus ",
        (false, false) => " plus ",
        (false, true) => " minus ",
    });
    shown.push_str(term);
}

/// A coefficient over its scale, which is a power of ten: `0.6`.
fn decimal(mantissa: u128, scale: i128) -> String {
    let places = scale.checked_ilog10().unwrap_or(0) as usize;
    let digits = format!("{mantissa:0>width$}", width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn coefficients_are_exact() {
        assert_eq!([decimal(6, 10), decimal(20, 10), decimal(5, 10_000), decimal(7, 1)], ["0.6", "2", "0.0005", "7"]);
    }
}
