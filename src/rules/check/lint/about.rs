//! What each comparison and each test of a filter asks about, and for which values it holds.

use std::collections::BTreeSet;

use super::possible::{Possible, Texts, Values};
use super::ranges::Ranges;
use crate::event::{Amount, AmountSource, AttributeId, Builtin, Span};
use crate::rules::check::catalog::Catalog;
use crate::rules::check::scores::Scores;
use crate::rules::declared::Declared;
use crate::rules::plan::{
    Condition, DimensionId, Feature, FeatureId, FieldTest, Filter, Linear, Measure, NumberSource, Relation, SeriesId,
    Test, TextOperand, TextSource, TextTest,
};

/// What conditions ask about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::rules::check) enum Subject {
    /// A sum of features; coefficients have no common factor, and the first is positive.
    Sum(Vec<(FeatureId, i128)>),
    Text(TextOperand),
    Flag(AttributeId),
    Has(AttributeId),
    Field(NumberSource),
    FieldText(TextSource),
    FieldFlag(AttributeId),
}

/// What is known where conditions are looked at.
#[derive(Clone, Copy)]
pub(in crate::rules::check) struct Known<'a> {
    pub(in crate::rules::check) declared: &'a Declared,
    pub(in crate::rules::check) catalog: &'a Catalog,
    pub(in crate::rules::check) scores: &'a Scores,
}

/// Longer chains, lists and sums are not looked into: what is said of conditions must not take long to find.
const PARTS_MAX: usize = 200;

impl Known<'_> {
    pub(super) fn condition(self, condition: &Condition) -> Possible<Subject> {
        match condition {
            Condition::Constant(holds) => Possible::constant(*holds),
            Condition::Compare(id) => self.test(&self.catalog.comparisons[id.0 as usize].test),
            Condition::Not(inner) => self.condition(inner).not(),
            Condition::All(parts) | Condition::Any(parts) if parts.len() > PARTS_MAX => Possible::anything(),
            Condition::All(parts) => Possible::all(parts.iter().map(|part| self.condition(part))),
            Condition::Any(parts) => Possible::any(parts.iter().map(|part| self.condition(part))),
        }
    }

    pub(super) fn test(self, test: &Test) -> Possible<Subject> {
        match test {
            Test::Linear { left, relation, right, .. } => self.linear(left, *relation, right),
            Test::LinearIn { values, .. } if values.len() > PARTS_MAX => Possible::anything(),
            Test::LinearIn { left, values, .. } => Possible::any(values.iter().map(|value| {
                let right = Linear { terms: Vec::new(), constant: *value };
                self.linear(left, Relation::Equal, &right)
            })),
            Test::Text { left, negated, right } => match (left, right) {
                (TextOperand::Literal(a), TextOperand::Literal(b)) => Possible::constant((a == b) != *negated),
                (TextOperand::Literal(text), operand) | (operand, TextOperand::Literal(text)) => {
                    self.text(operand, BTreeSet::from([text.clone()]), *negated)
                }
                _ => Possible::anything(),
            },
            Test::TextIn { left, values } => self.text(left, values.iter().cloned().collect(), false),
            Test::Flag { attribute, expected } => flag(Subject::Flag(*attribute), *expected),
            Test::Has(attribute) => {
                let value = |value: i128| Values::numbers(Ranges::between(value, value));
                Possible::about(Subject::Has(*attribute), value(1), value(0))
            }
        }
    }

    fn text(self, operand: &TextOperand, names: BTreeSet<Box<str>>, negated: bool) -> Possible<Subject> {
        let domain = match operand {
            TextOperand::Literal(text) => return Possible::constant(names.contains(text) != negated),
            TextOperand::Profile(_) => Values { absent: true, ..Values::texts(Texts::Others(BTreeSet::new())) },
            TextOperand::Segment(dimension) => Values::texts(Texts::These(self.standings(*dimension))),
        };
        text(Subject::Text(operand.clone()), domain, names, negated)
    }

    fn standings(self, dimension: DimensionId) -> BTreeSet<Box<str>> {
        let segments = &self.declared.dimensions[dimension.0 as usize].segments;
        segments.iter().map(|segment| segment.name.text().into()).chain(["".into()]).collect()
    }

    fn linear(self, left: &Linear, relation: Relation, right: &Linear) -> Possible<Subject> {
        let Some((terms, factor)) = difference(left, right) else { return Possible::anything() };
        // factor · Σ terms  REL  bound
        let bound = right.constant - left.constant;
        let holds = solutions(relation, factor, bound);
        let mut low_high = (0, 0);
        for (feature, coefficient) in &terms {
            let (low, high) = self.bounds(*feature);
            let (low, high) = if *coefficient > 0 { (low, high) } else { (high, low) };
            low_high = (plus(low_high.0, times(*coefficient, low)), plus(low_high.1, times(*coefficient, high)));
        }
        let mut all = Ranges::between(low_high.0, low_high.1);
        let mut holds = holds.intersect(&all);
        if let [(feature, 1)] = &*terms
            && self.is_whole(*feature)
        {
            // Whole numbers: their ten-thousandths are multiples of 10 000.
            let whole = |value: i128| value.div_euclid(10_000);
            all = Ranges::between(whole(low_high.0), whole(low_high.1));
            holds = solutions(relation, factor.saturating_mul(10_000), bound).intersect(&all);
        }
        let never = |side: &Linear| side.terms.iter().any(|(_, feature)| self.can_be_never(*feature));
        let (never_left, never_right) = (never(left), never(right));
        let above = matches!(relation, Relation::Greater | Relation::GreaterOrEqual | Relation::NotEqual);
        let below = matches!(relation, Relation::Less | Relation::LessOrEqual | Relation::NotEqual);
        let both = never_left && never_right;
        let fails = Values {
            never: both || never_left && !above || never_right && !below,
            absent: terms.iter().any(|(feature, _)| self.can_be_absent(*feature)),
            ..Values::numbers(all.without(&holds))
        };
        let holds = Values { never: both || never_left && above || never_right && below, ..Values::numbers(holds) };
        Possible::about(Subject::Sum(terms), holds, fails)
    }

    fn feature(&self, id: FeatureId) -> &Feature {
        &self.catalog.features[id.0 as usize]
    }

    fn is_whole(self, id: FeatureId) -> bool {
        match self.feature(id) {
            Feature::Window { measure, .. } | Feature::Ever { measure, .. } => {
                matches!(measure, Measure::Count | Measure::Days | Measure::Distinct(_) | Measure::Top(_))
            }
            Feature::DaysUntil(_) | Feature::Score(_) => true,
            _ => false,
        }
    }

    fn can_be_never(self, id: FeatureId) -> bool {
        matches!(self.feature(id), Feature::SinceLast(_) | Feature::SinceFirst(_) | Feature::Gap(_))
    }

    fn can_be_absent(self, id: FeatureId) -> bool {
        matches!(self.feature(id), Feature::Profile(_) | Feature::DaysUntil(_))
    }

    /// The least and the largest value of a feature.
    fn bounds(self, id: FeatureId) -> (i128, i128) {
        const NUMBER: i128 = 10_000;
        match self.feature(id) {
            // A day has at least 23 hours, and the first and last are seen in part.
            Feature::Window { measure: Measure::Days, window, .. } => {
                (0, NUMBER * (i128::from(window.0 / (23 * Span::HOUR.0)) + 2))
            }
            Feature::Window { series, measure, .. } | Feature::Ever { series, measure } => match measure {
                Measure::Count | Measure::Days | Measure::Distinct(_) | Measure::Top(_) => (0, i128::MAX),
                Measure::Sum => self.amounts(*series, Amount::SUM_LIMIT),
                Measure::Avg | Measure::Max | Measure::Min => self.amounts(*series, Amount::SUM_LIMIT),
            },
            Feature::SinceLast(_)
            | Feature::SinceFirst(_)
            | Feature::Gap(_)
            | Feature::CustomerAge
            | Feature::SegmentAge(_) => (0, i128::MAX),
            Feature::Profile(_) => (-i128::from(Amount::SUM_LIMIT.0), Amount::SUM_LIMIT.0.into()),
            Feature::DaysUntil(_) => (0, NUMBER * 366),
            Feature::Score(score) => (0, NUMBER * self.scores.highest(*score) as i128),
        }
    }

    /// A refund's amount is a magnitude.
    fn amounts(self, series: SeriesId, limit: Amount) -> (i128, i128) {
        let kind = &self.declared.kinds[self.catalog.series[series.0 as usize].kind.0 as usize];
        let is_magnitude = kind.builtin == Builtin::Refund && kind.amount == AmountSource::Amount;
        (if is_magnitude { 0 } else { -i128::from(limit.0) }, limit.0.into())
    }
}

/// left - right without its constants: terms without a common factor, and the factor. `None` when a feature cancels
/// out, since it may still be absent or never, and when there are too many.
fn difference(left: &Linear, right: &Linear) -> Option<(Vec<(FeatureId, i128)>, i128)> {
    if left.terms.len() + right.terms.len() > PARTS_MAX {
        return None;
    }
    let mut terms: Vec<(FeatureId, i128)> = Vec::with_capacity(left.terms.len() + right.terms.len());
    let both = left.terms.iter().map(|(c, f)| (*c, f)).chain(right.terms.iter().map(|(c, f)| (-c, f)));
    for (coefficient, feature) in both {
        match terms.iter_mut().find(|(known, _)| known == feature) {
            Some((_, known)) => *known += coefficient,
            None => terms.push((*feature, coefficient)),
        }
    }
    terms.sort_unstable();
    if terms.iter().any(|(_, coefficient)| *coefficient == 0) {
        return None;
    }
    let divisor = terms.iter().fold(0, |divisor, (_, coefficient)| gcd(divisor, coefficient.abs())).max(1);
    let negative = terms.first().is_some_and(|(_, coefficient)| *coefficient < 0);
    let factor = if negative { -divisor } else { divisor };
    terms.iter_mut().for_each(|(_, coefficient)| *coefficient /= factor);
    Some((terms, factor))
}

fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The integers x for which `factor · x REL bound`; the factor is not zero.
fn solutions(relation: Relation, factor: i128, bound: i128) -> Ranges {
    let (relation, factor, bound) =
        if factor < 0 { (turned(relation), -factor, -bound) } else { (relation, factor, bound) };
    let floor = bound.div_euclid(factor);
    let exact = bound.rem_euclid(factor) == 0;
    let all = Ranges::between(i128::MIN, i128::MAX);
    let equal = if exact { Ranges::between(floor, floor) } else { Ranges::none() };
    match relation {
        Relation::Equal => equal,
        Relation::NotEqual => all.without(&equal),
        Relation::Less => Ranges::between(i128::MIN, if exact { floor - 1 } else { floor }),
        Relation::LessOrEqual => Ranges::between(i128::MIN, floor),
        Relation::Greater => Ranges::between(floor + 1, i128::MAX),
        Relation::GreaterOrEqual => Ranges::between(if exact { floor } else { floor + 1 }, i128::MAX),
    }
}

/// The relation with its sides exchanged.
pub(in crate::rules::check) fn turned(relation: Relation) -> Relation {
    match relation {
        Relation::Equal | Relation::NotEqual => relation,
        Relation::Less => Relation::Greater,
        Relation::LessOrEqual => Relation::GreaterOrEqual,
        Relation::Greater => Relation::Less,
        Relation::GreaterOrEqual => Relation::LessOrEqual,
    }
}

/// Ends of the axis stay where they are.
fn times(coefficient: i128, value: i128) -> i128 {
    match value {
        i128::MAX if coefficient < 0 => i128::MIN,
        i128::MAX => i128::MAX,
        _ => coefficient.saturating_mul(value),
    }
}

fn plus(a: i128, b: i128) -> i128 {
    a.saturating_add(b)
}

fn text(subject: Subject, domain: Values, names: BTreeSet<Box<str>>, negated: bool) -> Possible<Subject> {
    let texts = if negated { Texts::Others(names) } else { Texts::These(names) };
    let wanted = Values::texts(texts);
    let fails = domain.without(&wanted);
    let holds = Values { absent: false, ..domain.without(&fails) };
    Possible::about(subject, holds, fails)
}

/// True, false or absent.
fn flag(subject: Subject, expected: bool) -> Possible<Subject> {
    let value = |flag: bool| Values::numbers(Ranges::between(flag.into(), flag.into()));
    Possible::about(subject, value(expected), Values { absent: true, ..value(!expected) })
}

/// What a filter asks of an event.
pub(super) fn filter(of: &Filter) -> Possible<Subject> {
    match of {
        Filter::Constant(holds) => Possible::constant(*holds),
        Filter::Not(inner) => filter(inner).not(),
        Filter::All(parts) | Filter::Any(parts) if parts.len() > PARTS_MAX => Possible::anything(),
        Filter::All(parts) => Possible::all(parts.iter().map(filter)),
        Filter::Any(parts) => Possible::any(parts.iter().map(filter)),
        Filter::Test(test) => field(test),
    }
}

fn field(test: &FieldTest) -> Possible<Subject> {
    match test {
        FieldTest::Number { field, relation, value } => number(*field, solutions(*relation, 1, value.0.into())),
        FieldTest::NumberIn { values, .. } if values.len() > PARTS_MAX => Possible::anything(),
        FieldTest::NumberIn { field, values } => {
            let all = values.iter().map(|value| Ranges::between(value.0.into(), value.0.into()));
            number(*field, all.fold(Ranges::none(), |all, one| all.union(&one)))
        }
        FieldTest::Text { field: TextSource::Date, test } => date(test),
        FieldTest::Text { field, test } => {
            let domain = Values { absent: true, ..Values::texts(Texts::Others(BTreeSet::new())) };
            let subject = Subject::FieldText(*field);
            match test {
                TextTest::Is(relation, value) => {
                    text(subject, domain, BTreeSet::from([value.clone()]), *relation == Relation::NotEqual)
                }
                TextTest::In(values) => text(subject, domain, values.iter().cloned().collect(), false),
                TextTest::Contains(_) | TextTest::StartsWith(_) | TextTest::EndsWith(_) => Possible::anything(),
            }
        }
        FieldTest::Flag { attribute, expected } => flag(Subject::FieldFlag(*attribute), *expected),
    }
}

fn number(field: NumberSource, holds: Ranges) -> Possible<Subject> {
    let (low, high) = match field {
        NumberSource::Month => (1, 12),
        NumberSource::Weekday => (1, 7),
        NumberSource::Hour => (0, 23),
        _ => {
            let all = Values { absent: true, ..Values::numbers(Ranges::between(i128::MIN, i128::MAX)) };
            let holds = Values::numbers(holds);
            let fails = all.without(&holds);
            return Possible::about(Subject::Field(field), holds, fails);
        }
    };
    // Whole numbers, few enough to name each.
    let one = |n: i128| Ranges::between(n * 10_000, n * 10_000);
    let all = (low..=high).fold(Ranges::none(), |all, n| all.union(&one(n)));
    let holds = holds.intersect(&all);
    let fails = Values::numbers(all.without(&holds));
    Possible::about(Subject::Field(field), Values::numbers(holds), fails)
}

/// Dates have an order: `"11-24"` is 1124.
fn date(test: &TextTest) -> Possible<Subject> {
    let all = Ranges::between(101, 1231);
    let holds = match test {
        TextTest::Is(relation, text) => day(text).map(|day| solutions(*relation, 1, day)),
        TextTest::In(texts) => texts.iter().try_fold(Ranges::none(), |all, text| {
            let day = day(text)?;
            Some(all.union(&Ranges::between(day, day)))
        }),
        TextTest::Contains(_) | TextTest::StartsWith(_) | TextTest::EndsWith(_) => None,
    };
    let Some(holds) = holds else { return Possible::anything() };
    let holds = holds.intersect(&all);
    let fails = Values::numbers(all.without(&holds));
    Possible::about(Subject::FieldText(TextSource::Date), Values::numbers(holds), fails)
}

/// `MM-DD` as a number that has the same order; `None` when it is no day of any year.
pub(super) fn day(text: &str) -> Option<i128> {
    let (month, day) = text.split_once('-')?;
    let two = |part: &str| {
        let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| part.parse::<i128>().ok()).flatten()
    };
    let (month, day) = (two(month)?, two(day)?);
    let longest = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (1..=longest).contains(&day).then_some(month * 100 + day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solutions_are_those_integers_that_solve() {
        use Relation::*;
        for relation in [Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual] {
            for factor in [-3, -1, 1, 2, 7] {
                for bound in -15..=15 {
                    let found = solutions(relation, factor, bound);
                    for x in -20..=20 {
                        let is = !found.intersect(&Ranges::between(x, x)).is_empty();
                        assert_eq!(is, relation.holds((factor * x).cmp(&bound)), "{factor}·{x} {relation} {bound}");
                    }
                }
            }
        }
    }

    #[test]
    fn days_of_the_year() {
        assert_eq!(day("02-29"), Some(229));
        for wrong in ["2-29", "02-30", "13-01", "00-10", "0229", "+1-01", "02-2é"] {
            assert_eq!(day(wrong), None, "{wrong}");
        }
    }
}
