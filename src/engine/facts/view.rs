//! An open customer as conditions read them: features computed from facts at an instant.
//!
//! Every window ends at the instant of judging and no event is later than it, so a window holds the newest `m`
//! buckets of its series. A [`Column`] is a measure over the newest 0, 1, 2, … buckets: a window's value is one look-up,
//! and what it will be as buckets leave is the same list read downwards.

use std::collections::BTreeMap;

use super::customer::{Cooldowns, Customer, SettingValue};
use super::series::{Bucket, Series, add_sums};
use super::values::Values;
use crate::event::{Amount, AttributeId, Instant, Span};
use crate::rules::calendar::{self, Calendar};
use crate::rules::plan::{ComparisonId, DimensionId, Feature, FeatureId, Measure, Plan, SeriesId};
use crate::rules::verdict::{Attribute, Facts, Value, Verdict};

/// Looked at most when a comparison is not monotone; a due after that may be early (SPEC 6).
const SCAN_MAX: usize = 64;
/// So many of the lowest values are counted in a table, the others in a map.
const TABLED: usize = 4_096;

/// A measure over the newest 0, 1, 2, … buckets of a series, computed when first asked for.
#[derive(Debug, Default)]
struct Column {
    generation: u64,
    values: Vec<i64>,
    /// No value is below the one before it.
    only_rises: bool,
}

/// A window of a series, and the column that says what it holds.
#[derive(Debug, Clone, Copy)]
struct Lookup {
    series: usize,
    column: usize,
    window: Span,
    /// Counts of events need no column.
    is_count: bool,
}

/// A verdict that was costly.
#[derive(Debug, Clone, Copy)]
struct Found {
    generation: u64,
    at_and_limit: (Instant, Instant),
    verdict: Verdict,
}

/// What has been computed for the customer that is open, while their facts stay.
#[derive(Debug)]
pub struct Scratch {
    /// For each feature over a window, where it looks.
    windows: Vec<Option<Lookup>>,
    measures: Vec<(SeriesId, Measure)>,
    columns: Vec<Column>,
    verdicts: Vec<Found>,
    generation: u64,
    counted: Counted,
}

impl Scratch {
    pub fn new(plan: &Plan) -> Scratch {
        let mut measures: Vec<(SeriesId, Measure)> = Vec::new();
        let lookup = |feature: &Feature| {
            let &Feature::Window { series, measure, window } = feature else { return None };
            let known = measures.iter().position(|known| *known == (series, measure));
            let column = known.unwrap_or_else(|| {
                measures.push((series, measure));
                measures.len() - 1
            });
            Some(Lookup { series: usize::from(series.0), column, window, is_count: measure == Measure::Count })
        };
        let windows = plan.features.iter().map(lookup).collect();
        let nothing =
            Found { generation: 0, at_and_limit: (Instant::NEVER, Instant::NEVER), verdict: Verdict::forever(false) };
        Scratch {
            windows,
            columns: measures.iter().map(|_| Column::default()).collect(),
            measures,
            verdicts: vec![nothing; plan.comparisons.len()],
            generation: 1,
            counted: Counted::default(),
        }
    }

    /// Another customer, or other facts.
    pub fn forget(&mut self) {
        self.generation += 1;
    }
}

pub struct View<'a> {
    pub plan: &'a Plan,
    pub calendar: &'a Calendar,
    pub cooldowns: &'a Cooldowns,
    pub customer: &'a mut Customer,
    pub scratch: &'a mut Scratch,
    /// Judging happens at or after it.
    pub latest: Instant,
}

/// A window at an instant: of the series' `n` buckets it holds the newest `m`.
struct Window<'a> {
    series: &'a Series,
    /// Indexed by how many of the newest buckets are in.
    column: &'a Column,
    m: usize,
    window: Span,
}

impl Window<'_> {
    /// When the oldest of the newest `m` buckets leaves.
    fn exit(&self, m: usize) -> Instant {
        match m {
            0 => Instant::NEVER,
            _ => self.series.buckets[self.series.buckets.len() - m].time + self.window,
        }
    }

    /// How many of the newest buckets are in when the value is first another, as buckets leave.
    fn n_other(&self, is_other: impl Fn(&i64) -> bool) -> usize {
        let left = &self.column.values[..self.m];
        let looked_at = left.len().saturating_sub(SCAN_MAX);
        // The one before those looked at may be another.
        left[looked_at..].iter().rposition(is_other).map_or(looked_at, |index| looked_at + index + 1)
    }
}

impl View<'_> {
    fn lookup(&self, feature: FeatureId) -> Lookup {
        self.scratch.windows[usize::from(feature.0)].expect("only windows are looked up")
    }

    fn window(&mut self, feature: FeatureId, at: Instant) -> Window<'_> {
        let Lookup { series, column, window, .. } = self.lookup(feature);
        let series = self.customer.series(self.plan, series, self.latest);
        let Scratch { columns, measures, counted, generation, .. } = &mut *self.scratch;
        let cached = &mut columns[column];
        if cached.generation != *generation {
            cached.generation = *generation;
            fill_column(&mut cached.values, series, measures[column].1, self.calendar, counted);
            cached.only_rises = cached.values.is_sorted();
        }
        let edge = at - window;
        let buckets = &series.buckets;
        let n_out = match buckets.first() {
            // Mostly nothing is out, or little.
            Some(oldest) if oldest.time <= edge => buckets.partition_point(|bucket| bucket.time <= edge),
            _ => 0,
        };
        Window { series, column: cached, m: buckets.len() - n_out, window }
    }

    /// Whether a window holds `least` events: as long as the one is in that makes the newest so many.
    fn counts(&mut self, Lookup { series, window, .. }: Lookup, at: Instant, least: i64) -> Verdict {
        let series = self.customer.series(self.plan, series, self.latest);
        let mut missing = least.div_euclid(Amount::ONE.0) + i64::from(least.rem_euclid(Amount::ONE.0) > 0);
        let completes = |bucket: &&Bucket| {
            missing -= bucket.count;
            missing <= 0
        };
        match series.buckets.iter().rev().find(completes) {
            Some(bucket) if bucket.time + window > at => Verdict { holds: true, until: bucket.time + window },
            _ => Verdict::forever(false),
        }
    }

    /// Whether there are too few values for so many different ones, or so many alike.
    fn is_too_few(&mut self, Lookup { series, column, .. }: Lookup, least: i64) -> bool {
        let (Measure::Distinct(field) | Measure::Top(field)) = self.scratch.measures[column].1 else { return false };
        let series = self.customer.series(self.plan, series, self.latest);
        number(series.values[usize::from(field)].n_events()) < least
    }

    fn totals_value(&mut self, feature: FeatureId) -> Value {
        let plan = self.plan;
        let (Feature::Ever { series, .. }
        | Feature::SinceLast(series)
        | Feature::SinceFirst(series)
        | Feature::Gap(series)) = plan.feature(feature)
        else {
            unreachable!("asked for features over all time only")
        };
        let totals = &self.customer.series(plan, usize::from(series.0), self.latest).totals;
        match plan.feature(feature) {
            Feature::SinceLast(_) => since_or_never(totals.last),
            Feature::SinceFirst(_) => since_or_never(totals.first),
            Feature::Gap(_) if totals.count < 2 => Value::Never,
            Feature::Gap(_) => Value::Fixed((totals.last - totals.first).0 / (totals.count - 1)),
            Feature::Ever { measure, .. } => Value::Fixed(match measure {
                Measure::Count => number(totals.count),
                Measure::Sum => totals.sum,
                Measure::Avg => average(totals.sum, totals.count),
                Measure::Max => totals.max,
                Measure::Min => totals.min,
                Measure::Days => number(totals.days.len() as i64),
                Measure::Distinct(_) | Measure::Top(_) => unreachable!("these have a window"),
            }),
            _ => unreachable!("matched above"),
        }
    }

    fn days_until(&self, attribute: AttributeId, at: Instant) -> (Value, Instant) {
        let Attribute::Text(text) = self.attribute(attribute) else { return (Value::Absent, Instant::NEVER) };
        match calendar::month_and_day(text).and_then(|day| self.calendar.days_until(at, day)) {
            Some(days) => (Value::Fixed(number(days)), self.calendar.day_end(at)),
            None => (Value::Absent, Instant::NEVER),
        }
    }
}

impl Facts for View<'_> {
    fn value(&mut self, feature: FeatureId, at: Instant) -> (Value, Instant) {
        let forever = |value| (value, Instant::NEVER);
        if self.scratch.windows[usize::from(feature.0)].is_some() {
            let window = self.window(feature, at);
            return (Value::Fixed(window.column.values[window.m]), window.exit(window.m));
        }
        match self.plan.feature(feature) {
            Feature::Window { .. } => unreachable!("each has a place to look at"),
            Feature::Ever { .. } | Feature::SinceLast(_) | Feature::SinceFirst(_) | Feature::Gap(_) => {
                forever(self.totals_value(feature))
            }
            Feature::CustomerAge => forever(since_or_never(self.customer.first)),
            Feature::Profile(attribute) => forever(match self.attribute(*attribute) {
                Attribute::Number(number) => Value::Fixed(number),
                _ => Value::Absent,
            }),
            Feature::DaysUntil(attribute) => self.days_until(*attribute, at),
            Feature::SegmentAge(dimension) => {
                let since = self.customer.history(self.plan, self.cooldowns).since[usize::from(dimension.0)];
                forever(since_or_never(if since.is_never() { self.customer.first } else { since }))
            }
            Feature::Score(_) => unreachable!("scores are computed from their features"),
        }
    }

    fn reaches(&mut self, feature: FeatureId, at: Instant, least: i64) -> Verdict {
        let lookup = self.lookup(feature);
        if lookup.is_count && least > 0 {
            return self.counts(lookup, at, least);
        }
        if self.is_too_few(lookup, least) {
            return Verdict::forever(false);
        }
        let window = self.window(feature, at);
        let holds = window.column.values[window.m] >= least;
        let n_other = match window.column.only_rises {
            true if holds => window.column.values.partition_point(|value| *value < least),
            true => 0,
            false => window.n_other(|value| (*value >= least) != holds),
        };
        Verdict { holds, until: window.exit(n_other) }
    }

    fn only_falls(&mut self, feature: FeatureId) -> bool {
        match self.plan.feature(feature) {
            Feature::Window {
                measure: Measure::Count | Measure::Days | Measure::Distinct(_) | Measure::Top(_),
                ..
            } => true,
            _ => self.window(feature, Instant::NEVER).column.only_rises,
        }
    }

    fn attribute(&self, attribute: AttributeId) -> Attribute<'_> {
        let Ok(index) = self.plan.profile.binary_search(&attribute) else { return Attribute::Absent };
        match &self.customer.settings[index].value {
            SettingValue::Unset | SettingValue::Removed => Attribute::Absent,
            SettingValue::Text(text) => Attribute::Text(text),
            SettingValue::Number(number) => Attribute::Number(*number),
            SettingValue::Flag(flag) => Attribute::Flag(*flag),
        }
    }

    fn segment(&self, dimension: DimensionId) -> &str {
        self.plan.segment_name(dimension, self.customer.segments[usize::from(dimension.0)])
    }

    fn remembered(&self, comparison: ComparisonId, at: Instant, limit: Instant) -> Option<Verdict> {
        let Found { generation, at_and_limit, verdict } = self.scratch.verdicts[usize::from(comparison.0)];
        let is_good = verdict.until < at_and_limit.1 || limit <= at_and_limit.1;
        (generation == self.scratch.generation && at_and_limit.0 == at && is_good).then_some(verdict)
    }

    fn remember(&mut self, comparison: ComparisonId, at_and_limit: (Instant, Instant), verdict: Verdict) {
        let generation = self.scratch.generation;
        self.scratch.verdicts[usize::from(comparison.0)] = Found { generation, at_and_limit, verdict };
    }
}

fn since_or_never(instant: Instant) -> Value {
    if instant.is_never() { Value::Never } else { Value::Since(instant) }
}

/// A count as a number in 1/10 000.
fn number(count: i64) -> i64 {
    count.saturating_mul(Amount::ONE.0)
}

/// Rounded towards minus infinity; no events: 0.
fn average(sum: i64, count: i64) -> i64 {
    if count == 0 { 0 } else { sum.div_euclid(count) }
}

fn fill_column(out: &mut Vec<i64>, series: &Series, measure: Measure, calendar: &Calendar, counted: &mut Counted) {
    out.clear();
    out.push(0);
    let newest_first = series.buckets.iter().rev();
    match measure {
        Measure::Count => {
            let mut count = 0;
            out.extend(newest_first.map(|bucket| {
                count += bucket.count;
                number(count)
            }));
        }
        Measure::Sum => {
            let mut sum = 0;
            out.extend(newest_first.map(|bucket| {
                sum = add_sums(sum, bucket.sum);
                sum
            }));
        }
        Measure::Avg => {
            let (mut sum, mut count) = (0, 0);
            out.extend(newest_first.map(|bucket| {
                sum = add_sums(sum, bucket.sum);
                count += bucket.count;
                average(sum, count)
            }));
        }
        Measure::Max => {
            let mut max = i64::MIN;
            out.extend(newest_first.map(|bucket| {
                max = max.max(bucket.max);
                max
            }));
        }
        Measure::Min => {
            let mut min = i64::MAX;
            out.extend(newest_first.map(|bucket| {
                min = min.min(bucket.min);
                min
            }));
        }
        Measure::Days => fill_days(out, series, calendar),
        Measure::Distinct(field) => counted.fill(out, &series.values[usize::from(field)], Counted::distinct),
        Measure::Top(field) => counted.fill(out, &series.values[usize::from(field)], Counted::top),
    }
}

/// Local days fall as buckets get older, except for the hour after a clock is set back over midnight; so a day can
/// only be one of the last two.
fn fill_days(out: &mut Vec<i64>, series: &Series, calendar: &Calendar) {
    let mut last = [i64::MIN; 2];
    let mut count = 0;
    for bucket in series.buckets.iter().rev() {
        let day = calendar.day(bucket.time);
        if !last.contains(&day) {
            last = [last[1], day];
            count += 1;
        }
        out.push(number(count));
    }
}

/// Values and how many events have them, while going through buckets.
#[derive(Debug, Default)]
struct Counted {
    /// Of the lowest values, with the generation that counted them.
    table: Vec<(u32, u32)>,
    generation: u32,
    /// Of the others.
    map: BTreeMap<u32, u32>,
    n_distinct: i64,
    top: u32,
}

impl Counted {
    fn fill(&mut self, out: &mut Vec<i64>, values: &Values, measure: fn(&Counted) -> i64) {
        self.forget();
        for bucket in values.newest_first() {
            for (value, n) in bucket {
                self.add(*value, *n);
            }
            out.push(number(measure(self)));
        }
    }

    fn forget(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        if self.table.is_empty() || self.generation == 0 {
            self.table.clear();
            self.table.resize(TABLED, (0, 0));
            self.generation = 1;
        }
        self.map.clear();
        (self.n_distinct, self.top) = (0, 0);
    }

    fn add(&mut self, value: u32, n: u32) {
        let count = match self.table.get_mut(value as usize) {
            Some((generation, count)) => {
                if *generation != self.generation {
                    (*generation, *count) = (self.generation, 0);
                }
                count
            }
            None => self.map.entry(value).or_default(),
        };
        self.n_distinct += i64::from(*count == 0);
        *count += n;
        self.top = self.top.max(*count);
    }

    fn distinct(&self) -> i64 {
        self.n_distinct
    }

    fn top(&self) -> i64 {
        i64::from(self.top)
    }
}

#[cfg(test)]
mod tests {
    use super::average;

    #[test]
    fn averages_round_towards_minus_infinity() {
        assert_eq!(average(7, 2), 3);
        assert_eq!(average(-7, 2), -4);
        assert_eq!(average(0, 0), 0);
    }
}
