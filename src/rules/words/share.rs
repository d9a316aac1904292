//! Parts of a whole: `3 of 7 purchases in the last 365 days are with a coupon`.

use super::{Words, text};
use crate::event::Amount;
use crate::rules::plan::{Feature, FeatureId, Linear, Measure, Relation, SeriesId};
use crate::rules::reading::{Quantity, Reading};

/// A count over a window (or ever) of some events.
struct Counted<'r> {
    series: SeriesId,
    measure: Measure,
    period: String,
    value: &'r Quantity,
}

impl Words<'_> {
    /// A comparison of some of a kind's events with all of them; `None` where it is another one.
    pub(super) fn share(&self, left: &Linear, right: &Linear, reading: &Reading) -> Option<String> {
        let ([left_term], [right_term]) = (&left.terms[..], &right.terms[..]) else { return None };
        let [(_, left_value), (_, right_value)] = &reading.features[..] else { return None };
        if left.constant != 0 || right.constant != 0 || left_term.0 < 0 || right_term.0 < 0 {
            return None;
        }
        let left = self.counted(left_term.1, left_value)?;
        let right = self.counted(right_term.1, right_value)?;
        self.part_of(&left, &right).or_else(|| self.part_of(&right, &left))
    }

    /// `at least 50 %`, where some of a kind's events are compared with all of them and there are any.
    pub(super) fn share_needed(
        &self,
        (left, relation, right): (&Linear, Relation, &Linear),
        reading: &Reading,
    ) -> Option<String> {
        self.share(left, right, reading)?;
        let ([(left_times, left_id)], [(right_times, right_id)]) = (&left.terms[..], &right.terms[..]) else {
            return None;
        };
        let [(_, left_value), (_, right_value)] = &reading.features[..] else { return None };
        let counted = [self.counted(*left_id, left_value)?, self.counted(*right_id, right_value)?];
        let is_first = self.part_of(&counted[0], &counted[1]).is_some();
        let (part, whole) = if is_first { (&counted[0], &counted[1]) } else { (&counted[1], &counted[0]) };
        let is_counted = matches!(part.measure, Measure::Count | Measure::Top(_));
        if !is_counted || *whole.value == Quantity::Number(Amount::ZERO) {
            return None;
        }
        // part · times against whole · of: the part is to be of / times of the whole.
        let (times, of, relation) = match is_first {
            true => (left_times, right_times, relation),
            false => (right_times, left_times, relation.mirrored()),
        };
        let percent = of.checked_mul(100 * i128::from(Amount::ONE.0))?.checked_div(*times)?;
        let percent = text::number(Amount(i64::try_from(percent).ok()?));
        Some(format!("{}{percent} %", text::relation(relation)))
    }

    fn counted<'r>(&self, feature: FeatureId, value: &'r Quantity) -> Option<Counted<'r>> {
        match self.plan.feature(feature) {
            Feature::Window { series, measure, window } => {
                Some(Counted { series: *series, measure: *measure, period: text::period(*window), value })
            }
            Feature::Ever { series, measure } => {
                Some(Counted { series: *series, measure: *measure, period: "so far".to_owned(), value })
            }
            _ => None,
        }
    }

    fn part_of(&self, part: &Counted, whole: &Counted) -> Option<String> {
        let (of_part, of_whole) = (self.series(part.series), self.series(whole.series));
        let is_of_it = part.series == whole.series || of_part.kind == of_whole.kind && of_whole.filter.is_none();
        if whole.measure != Measure::Count || !is_of_it || part.period != whole.period {
            return None;
        }
        let shown = |quantity: &Quantity| match quantity {
            Quantity::Number(amount) => Some(text::number(*amount)),
            _ => None,
        };
        let (n, all, period) = (shown(part.value)?, shown(whole.value)?, &whole.period);
        let many = self.noun(whole.series).counted(&all);
        Some(match part.measure {
            _ if all == "0" => format!("no {} {period}", self.noun(whole.series).one),
            Measure::Count => {
                let filter = of_part.filter.as_ref().filter(|_| part.series != whole.series)?;
                let modifier = self.modifier(of_part.kind, filter);
                let none_or_n = if n == "0" { "none" } else { &n };
                let is = if n == "1" || n == "0" { "is" } else { "are" };
                (!modifier.is_empty()).then(|| format!("{none_or_n} of {many} {period} {is} {modifier}"))?
            }
            Measure::Top(index) if part.series == whole.series => {
                let (field, _) = super::noun::field(of_part.values[usize::from(index)]);
                match &*n {
                    "0" => format!("none of {many} {period} has {} {field}", text::article(field)),
                    "1" => format!("no two of {many} {period} have the same {field}"),
                    _ => format!("{n} of {many} {period} have the same {field}"),
                }
            }
            Measure::Distinct(index) if part.series == whole.series => {
                let (one, several) = super::noun::field(of_part.values[usize::from(index)]);
                match &*n {
                    "0" => format!("no {one} among {many} {period}"),
                    "1" => format!("1 {one} among {many} {period}"),
                    _ => format!("{n} different {several} among {many} {period}"),
                }
            }
            Measure::Days if part.series == whole.series => {
                let days = if n == "1" { "day" } else { "days" };
                format!("{many} on {n} {days} {period}")
            }
            _ => return None,
        })
    }
}
