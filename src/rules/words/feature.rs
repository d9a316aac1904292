//! One feature with its value, as a phrase: `no purchase for 30 days (last: 3 January)`.

use super::noun::{self, Noun};
use super::{Bound, Words, text};
use crate::event::{Amount, AmountSource, Span};
use crate::rules::plan::{DimensionId, Feature, FeatureId, Measure, Relation, SeriesId};
use crate::rules::reading::Quantity;

/// How a number is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measured {
    Money,
    Number,
}

impl Words<'_> {
    /// What a feature alone is measured in.
    pub(super) fn measured(&self, feature: FeatureId) -> Measured {
        let (Feature::Window { series, measure, .. } | Feature::Ever { series, measure }) = self.plan.feature(feature)
        else {
            return Measured::Number;
        };
        let is_amount = matches!(measure, Measure::Sum | Measure::Avg | Measure::Max | Measure::Min);
        let is_money = *self.amount_source(self.series(*series).kind) == AmountSource::Amount;
        if is_amount && is_money { Measured::Money } else { Measured::Number }
    }

    /// A feature and its value; `bound` is what it is compared with.
    pub(super) fn single(&self, feature: FeatureId, value: &Quantity, bound: Option<Bound>) -> String {
        let only = if bound.is_some_and(Bound::is_under) { "only " } else { "" };
        let shown = self.quantity(value, self.measured(feature));
        match self.plan.feature(feature) {
            Feature::Window { series, measure, window } => {
                self.measure((*series, *measure), value, (&shown, only), &text::period(*window))
            }
            Feature::Ever { series, measure } => self.measure((*series, *measure), value, (&shown, only), "so far"),
            Feature::SinceLast(series) => self.since_last(&self.noun(*series), value, bound),
            Feature::SinceFirst(series) => {
                let noun = self.noun(*series);
                self.since(&format!("first {}", noun.one), value, &format!("no {} so far", noun.one))
            }
            Feature::Gap(series) => match value {
                Quantity::Duration(_) => format!("{only}{shown} between {} on average", self.noun(*series).many),
                _ => format!("fewer than two {} so far", self.noun(*series).many),
            },
            Feature::CustomerAge => match value {
                Quantity::Duration(span) if span.0 >= Span::DAY.0 => {
                    format!("a customer for {only}{shown} (since {})", self.day(self.at - *span))
                }
                Quantity::Duration(span) => format!("a customer since {}", self.before(*span)),
                _ => "no event so far".to_owned(),
            },
            Feature::Profile(attribute) => match value {
                Quantity::Number(_) => format!("{} is {only}{shown}", self.attribute(*attribute)),
                _ => format!("{} is not known", self.attribute(*attribute)),
            },
            Feature::DaysUntil(attribute) => days_until(&self.attribute(*attribute), value, &shown),
            Feature::SegmentAge(dimension) => self.segment_age(*dimension, value, only),
            Feature::Score(score) => {
                let name = text::spaced(&self.plan.score(*score).name);
                format!("{} {name} score of {only}{shown}", text::article(&name))
            }
        }
    }

    /// A measure over a window or ever; `period` says which.
    fn measure(
        &self,
        (series, measure): (SeriesId, Measure),
        value: &Quantity,
        (shown, only): (&str, &str),
        period: &str,
    ) -> String {
        let noun = self.noun(series);
        let Noun { one, many } = &noun;
        let field = |index: u8| noun::field(self.series(series).values[usize::from(index)]);
        // Without events these are 0 too.
        let is_zero = *value == Quantity::Number(Amount::ZERO);
        let (only, or_none) = if is_zero { ("", " (or none)") } else { (only, "") };
        match (measure, shown) {
            (Measure::Count | Measure::Days, "0") => format!("no {one} {period}"),
            (Measure::Count, _) => format!("{only}{} {period}", noun.counted(shown)),
            (Measure::Days, "1") => format!("{many} on {only}1 day {period}"),
            (Measure::Days, _) => format!("{many} on {only}{shown} days {period}"),
            (Measure::Sum, _) if is_zero => {
                format!("{many} {}nothing {period}", self.worth(series))
            }
            (Measure::Sum, _) => format!("{many} {}{only}{shown} {period}", self.worth(series)),
            (Measure::Avg, _) => format!("{many} of {only}{shown} on average{or_none} {period}"),
            (Measure::Max, _) => format!("a highest {one} of {only}{shown}{or_none} {period}"),
            (Measure::Min, _) => format!("a lowest {one} of {only}{shown}{or_none} {period}"),
            (Measure::Distinct(index), "0") => format!("no {} among {many} {period}", field(index).0),
            (Measure::Distinct(index), "1") => format!("{only}1 {} among {many} {period}", field(index).0),
            (Measure::Distinct(index), _) => {
                format!("{only}{shown} different {} among {many} {period}", field(index).1)
            }
            (Measure::Top(index), "0") => {
                let field = field(index).0;
                format!("no {one} with {} {field} {period}", text::article(field))
            }
            (Measure::Top(index), "1") => format!("no two {many} with the same {} {period}", field(index).0),
            (Measure::Top(index), _) => {
                format!("{only}{} with the same {} {period}", noun.counted(shown), field(index).0)
            }
        }
    }

    /// What a sum of a series' amounts is, with a space behind it.
    pub(super) fn worth(&self, series: SeriesId) -> &'static str {
        match self.amount_source(self.series(series).kind) {
            AmountSource::Amount => "worth ",
            _ => "adding up to ",
        }
    }

    fn since_last(&self, noun: &Noun, value: &Quantity, bound: Option<Bound>) -> String {
        let nothing = format!("no {} so far", noun.one);
        let Quantity::Duration(span) = value else { return nothing };
        // Long ago when it reaches what it is compared with.
        let is_long = bound.is_some_and(|bound| match bound.relation {
            Relation::Equal | Relation::NotEqual => bound.value == value,
            _ => !bound.is_under(),
        });
        if is_long && span.0 > 0 {
            return format!("no {} for {} (last: {})", noun.one, text::duration(*span), self.before(*span));
        }
        self.since(&format!("last {}", noun.one), value, &nothing)
    }

    /// `first purchase on 3 January, 41 days before`.
    fn since(&self, what: &str, value: &Quantity, nothing: &str) -> String {
        match value {
            Quantity::Duration(span) if span.0 >= Span::DAY.0 => {
                format!("{what} on {}, {} before", self.day(self.at - *span), text::duration(*span))
            }
            Quantity::Duration(span) => format!("{what} on {}", self.before(*span)),
            _ => nothing.to_owned(),
        }
    }

    fn segment_age(&self, dimension: DimensionId, value: &Quantity, only: &str) -> String {
        let name = text::name(&self.plan.dimension(dimension).name);
        match value {
            Quantity::Duration(span) if span.0 >= Span::DAY.0 => {
                format!("unchanged in {name} for {only}{}", text::duration(*span))
            }
            Quantity::Duration(span) => format!("unchanged in {name} since {}", self.before(*span)),
            _ => format!("never judged in {name}"),
        }
    }
}

fn days_until(name: &str, value: &Quantity, shown: &str) -> String {
    match (value, shown) {
        (Quantity::Number(_), "0") => format!("{name} is today"),
        (Quantity::Number(_), "1") => format!("{name} is tomorrow"),
        (Quantity::Number(_), _) => format!("{name} is in {shown} days"),
        _ => format!("{name} is not known"),
    }
}
