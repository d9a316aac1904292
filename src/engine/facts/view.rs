//! An open customer as conditions read them: features computed from facts at an instant.
//!
//! Every window ends at the instant of judging and no event is later than it, so a window holds the newest `m`
//! buckets of its series. A [`Column`] is a measure over the newest 0, 1, 2, … buckets: a window's value is one look-up,
//! and what it will be as buckets leave is the same list read downwards.

use std::collections::BTreeMap;

use super::customer::{Customer, SettingValue};
use super::series::{Series, add_sums};
use super::values::Values;
use crate::event::{Amount, AttributeId, Instant, Span};
use crate::rules::calendar::{self, Calendar};
use crate::rules::plan::{ComparisonId, DimensionId, Feature, FeatureId, Measure, Plan, ScoreId, SeriesId};
use crate::rules::verdict::{Attribute, Facts, Value, Verdict};

/// Looked at most when a comparison is not monotone; a due after that may be early (SPEC 6).
const SCAN_MAX: usize = 64;
/// Up to here values are counted in a list, above in a map.
const LISTED_MAX: usize = 24;

/// A measure over the newest 0, 1, 2, … buckets of a series, computed when first asked for.
#[derive(Debug, Default)]
struct Column {
    generation: u64,
    values: Vec<i64>,
}

/// A window of a series, and the column that says what it holds.
#[derive(Debug, Clone, Copy)]
struct Lookup {
    series: usize,
    column: usize,
    window: Span,
}

/// What has been computed for the customer that is open: columns while their facts stay, verdicts while the instant and
/// the standing stay.
#[derive(Debug)]
pub struct Scratch {
    /// For each feature over a window, where it looks.
    windows: Vec<Option<Lookup>>,
    measures: Vec<(SeriesId, Measure)>,
    columns: Vec<Column>,
    columns_generation: u64,
    verdicts: Vec<(u64, Verdict)>,
    scores: Vec<(u64, (Instant, Value, Instant))>,
    verdicts_generation: u64,
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
            Some(Lookup { series: usize::from(series.0), column, window })
        };
        let windows = plan.features.iter().map(lookup).collect();
        Scratch {
            windows,
            columns: measures.iter().map(|_| Column::default()).collect(),
            measures,
            columns_generation: 1,
            verdicts: vec![(0, Verdict::forever(false)); plan.comparisons.len()],
            scores: vec![(0, (Instant::NEVER, Value::Absent, Instant::NEVER)); plan.scores.len()],
            verdicts_generation: 1,
            counted: Counted::default(),
        }
    }

    /// Another customer, or other facts.
    pub fn forget_facts(&mut self) {
        self.columns_generation += 1;
        self.verdicts_generation += 1;
    }

    /// Another instant, or another standing.
    pub fn forget_verdicts(&mut self) {
        self.verdicts_generation += 1;
    }
}

pub struct View<'a> {
    pub plan: &'a Plan,
    pub calendar: &'a Calendar,
    pub customer: &'a mut Customer,
    pub scratch: &'a mut Scratch,
    /// Judging happens at or after it.
    pub latest: Instant,
}

/// A window at an instant: of the series' `n` buckets it holds the newest `m`.
struct Window<'a> {
    series: &'a Series,
    /// Indexed by how many of the newest buckets are in.
    column: &'a [i64],
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
}

impl View<'_> {
    fn window(&mut self, feature: FeatureId, at: Instant) -> Window<'_> {
        let lookup = self.scratch.windows[usize::from(feature.0)];
        let Lookup { series, column, window } = lookup.expect("only features over windows have columns");
        let series = self.customer.series(self.plan, series, self.latest);
        let Scratch { columns, measures, counted, columns_generation, .. } = &mut *self.scratch;
        let cached = &mut columns[column];
        if cached.generation != *columns_generation {
            cached.generation = *columns_generation;
            fill_column(&mut cached.values, series, measures[column].1, self.calendar, counted);
        }
        let edge = at - window;
        let buckets = &series.buckets;
        let n_out = match buckets.first() {
            // Mostly nothing is out, or little.
            Some(oldest) if oldest.time <= edge => buckets.partition_point(|bucket| bucket.time <= edge),
            _ => 0,
        };
        Window { series, column: &cached.values, m: buckets.len() - n_out, window }
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
        match self.plan.feature(feature) {
            Feature::Window { .. } => {
                let window = self.window(feature, at);
                (Value::Fixed(window.column[window.m]), window.exit(window.m))
            }
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
                let since = self.customer.standpoints[usize::from(dimension.0)].since;
                forever(since_or_never(if since.is_never() { self.customer.first } else { since }))
            }
            Feature::Score(_) => unreachable!("scores are computed from their features"),
        }
    }

    fn scan(&mut self, feature: FeatureId, at: Instant, monotone: bool, truth: &dyn Fn(i64) -> bool) -> Verdict {
        let Feature::Window { measure, .. } = self.plan.feature(feature) else {
            unreachable!("only windows are scanned")
        };
        let only_falls = matches!(measure, Measure::Count | Measure::Days | Measure::Distinct(_) | Measure::Top(_));
        let window = self.window(feature, at);
        let holds = truth(window.column[window.m]);
        let left = &window.column[..window.m];
        let n_other = if monotone && only_falls {
            // As values fall the truth turns once: the other truth is at the front.
            match left.first() {
                Some(empty) if truth(*empty) != holds => left.partition_point(|value| truth(*value) != holds),
                _ => 0,
            }
        } else {
            let looked_at = left.len().saturating_sub(SCAN_MAX);
            match left[looked_at..].iter().rposition(|value| truth(*value) != holds) {
                Some(index) => looked_at + index + 1,
                // The one before is not looked at, so it may be another.
                None => looked_at,
            }
        };
        Verdict { holds, until: window.exit(n_other) }
    }

    fn attribute(&self, attribute: AttributeId) -> Attribute<'_> {
        let Ok(index) = self.plan.profile.binary_search(&attribute) else { return Attribute::Absent };
        match &self.customer.settings[index].value {
            SettingValue::Unset | SettingValue::Removed => Attribute::Absent,
            SettingValue::Text(text) => Attribute::Text(std::str::from_utf8(text).expect("written from text")),
            SettingValue::Number(number) => Attribute::Number(*number),
            SettingValue::Flag(flag) => Attribute::Flag(*flag),
        }
    }

    fn segment(&self, dimension: DimensionId) -> &str {
        self.plan.segment_name(dimension, self.customer.standpoints[usize::from(dimension.0)].segment())
    }

    fn remembered(&self, comparison: ComparisonId) -> Option<Verdict> {
        let (generation, verdict) = self.scratch.verdicts[usize::from(comparison.0)];
        (generation == self.scratch.verdicts_generation).then_some(verdict)
    }

    fn remember(&mut self, comparison: ComparisonId, verdict: Verdict) {
        self.scratch.verdicts[usize::from(comparison.0)] = (self.scratch.verdicts_generation, verdict);
    }

    fn remembered_score(&self, score: ScoreId) -> Option<(Instant, Value, Instant)> {
        let (generation, found) = self.scratch.scores[usize::from(score.0)];
        (generation == self.scratch.verdicts_generation).then_some(found)
    }

    fn remember_score(&mut self, score: ScoreId, found: (Instant, Value, Instant)) {
        self.scratch.scores[usize::from(score.0)] = (self.scratch.verdicts_generation, found);
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
    list: Vec<(u32, u32)>,
    map: BTreeMap<u32, u32>,
    top: u32,
}

impl Counted {
    fn fill(&mut self, out: &mut Vec<i64>, values: &Values, measure: fn(&Counted) -> i64) {
        self.list.clear();
        self.map.clear();
        self.top = 0;
        for bucket in values.newest_first() {
            for (value, n) in bucket {
                self.add(*value, *n);
            }
            out.push(number(measure(self)));
        }
    }

    fn add(&mut self, value: u32, n: u32) {
        if self.map.is_empty() && self.list.len() == LISTED_MAX && self.list.iter().all(|(known, _)| *known != value) {
            self.map.extend(self.list.drain(..));
        }
        let count = if !self.map.is_empty() {
            self.map.entry(value).or_default()
        } else {
            let known = self.list.iter().position(|(known, _)| *known == value).unwrap_or_else(|| {
                self.list.push((value, 0));
                self.list.len() - 1
            });
            &mut self.list[known].1
        };
        *count += n;
        self.top = self.top.max(*count);
    }

    fn distinct(&self) -> i64 {
        (self.list.len() + self.map.len()) as i64
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
