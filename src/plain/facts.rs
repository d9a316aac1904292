//! A customer's facts are the list of its accepted events. Every feature is computed by scanning that list.
//!
//! Kept beside it is only what never changes once an event is there: which of its parts pass which filter.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, Zoned};

use super::decimal::Decimal;
use super::event::Event;
use super::filter::part;
use super::interests::{self, Interests, Item};
use super::rules::{FIELDS, Measure, Rules};
use super::value::{Scalar, Value};
use crate::event::Builtin;

#[derive(Debug, Clone)]
pub struct Facts {
    /// `t` of the first event.
    first: i64,
    /// Name, time and value of every attribute that a profile event set, in the order of reading.
    attributes: Vec<(String, i64, Option<Scalar>)>,
    series: Vec<Vec<Passed>>,
    /// What interests are counted over, where the rules ask for them.
    items: Vec<Item>,
}

/// An event in a series.
#[derive(Debug, Clone)]
struct Passed {
    /// `t'`.
    time: i64,
    /// `t'`, or the start of its cell when it is too old for a bucket of its own. The list is in this order.
    counted_at: i64,
    /// The local day of `counted_at`.
    day: i64,
    amount: i128,
    /// The different values of each of `FIELDS`.
    values: [BTreeSet<String>; 4],
}

const BUCKETS_MAX: usize = 1024;
const CELLS: i64 = 256;
/// Nine hundred million million currency units.
const SUM_MAX: i128 = 900_000_000_000_000 * 10_000;

impl Facts {
    pub fn new(rules: &Rules) -> Facts {
        let series = rules.series.iter().map(|_| Vec::new()).collect();
        Facts { first: i64::MAX, attributes: Vec::new(), series, items: Vec::new() }
    }

    pub fn fold(&mut self, event: &Event, rules: &Rules) {
        let kind = &rules.kinds[event.kind];
        let time = event.time.div_euclid(kind.resolution) * kind.resolution;
        let local = zoned(time, rules);
        self.first = self.first.min(event.time);
        for (series, list) in rules.series.iter().zip(&mut self.series) {
            if series.kind != event.kind {
                continue;
            }
            let Some((amount, views)) = part(series.filter.as_ref(), event, kind.builtin, &local) else { continue };
            let values =
                FIELDS.map(|field| views.iter().filter_map(|view| view.text(field)).map(str::to_owned).collect());
            let at = list.partition_point(|passed| passed.counted_at <= time);
            list.insert(at, Passed { time, counted_at: time, day: day_of(&local), amount, values });
            if let Some(longest) = series.windows.iter().max() {
                move_into_cells(list, *longest / CELLS, rules);
            }
        }
        if kind.builtin == Builtin::Profile {
            let set = event.attributes.iter().map(|(name, value)| (name.clone(), event.time, value.clone()));
            self.attributes.extend(set);
        }
        if let Some(limits) = rules.interests {
            self.items.extend(interests::items(event, kind.builtin, limits));
        }
    }

    /// The time of the first event of any kind, cut to the second.
    pub fn first(&self) -> i64 {
        self.first.div_euclid(1000) * 1000
    }

    /// What to offer, where the rules ask for it.
    pub fn interests(&self, rules: &Rules) -> Option<Interests> {
        rules.interests.map(|limits| interests::of(&self.items, limits))
    }

    /// The latest value of a profile attribute; nothing when it was removed.
    pub fn attribute(&self, name: &str) -> Option<&Scalar> {
        let given = self.attributes.iter().filter(|(set, ..)| set == name);
        // Of equal times `max_by_key` takes the last, which was read last.
        given.max_by_key(|(_, time, _)| *time).and_then(|(.., value)| value.as_ref())
    }

    /// Whether anything was ever set that could be a day of the year.
    pub fn has_texts(&self) -> bool {
        self.attributes.iter().any(|(.., value)| matches!(value, Some(Scalar::Text(_))))
    }

    /// Every instant in `from < instant <= to` at which an event leaves a window.
    pub fn exits(&self, rules: &Rules, from: i64, to: i64, found: &mut Vec<i64>) {
        for (series, list) in rules.series.iter().zip(&self.series) {
            for window in &series.windows {
                let start = list.partition_point(|passed| passed.counted_at + window <= from);
                let leaves = list[start..].iter().map(|passed| passed.counted_at + window);
                found.extend(leaves.take_while(|instant| *instant <= to));
            }
        }
    }

    pub fn feature(&self, series: usize, measure: Measure, window: Option<i64>, at: i64) -> Value<'_> {
        let list = &self.series[series];
        let start = window.map_or(0, |window| list.partition_point(|passed| passed.counted_at <= at - window));
        let seen = &list[start..];
        let amounts = || seen.iter().map(|passed| passed.amount);
        let sum = || amounts().sum::<i128>().clamp(-SUM_MAX, SUM_MAX);
        let amount = |amount: i128| Value::number(Decimal::ten_thousandths(amount));
        match measure {
            Measure::Count => Value::count(seen.len()),
            Measure::Sum => amount(sum()),
            Measure::Avg if seen.is_empty() => amount(0),
            Measure::Avg => amount(sum().div_euclid(seen.len() as i128)),
            Measure::Max => amount(amounts().max().unwrap_or(0)),
            Measure::Min => amount(amounts().min().unwrap_or(0)),
            Measure::Days => Value::count(seen.iter().map(|passed| passed.day).collect::<BTreeSet<_>>().len()),
            Measure::SinceLast => since(last(list), at),
            Measure::SinceFirst => since(first(list), at),
            Measure::Gap => gap(list),
            Measure::Distinct(field) => {
                let values: BTreeSet<&String> = seen.iter().flat_map(|passed| &passed.values[field]).collect();
                Value::count(values.len())
            }
            Measure::Top(field) => {
                let mut times: BTreeMap<&String, usize> = BTreeMap::new();
                for value in seen.iter().flat_map(|passed| &passed.values[field]) {
                    *times.entry(value).or_default() += 1;
                }
                Value::count(times.into_values().max().unwrap_or(0))
            }
        }
    }
}

pub fn zoned(time: i64, rules: &Rules) -> Zoned {
    let moment = Timestamp::from_millisecond(time).expect("events are before 2100, and rules look no 300 years ahead");
    moment.to_zoned(rules.zone.clone())
}

/// The local day, counted from some day.
fn day_of(local: &Zoned) -> i64 {
    let date = local.date();
    i64::from(date.year()) * 1_000 + i64::from(date.day_of_year())
}

fn since<'a>(moment: Option<i64>, at: i64) -> Value<'a> {
    moment.map_or(Value::Never, |moment| Value::since(moment, at))
}

/// The latest `t'`. Cells hold only what is older than the rest, so the list's end has it.
fn last(list: &[Passed]) -> Option<i64> {
    list.last().map(|passed| passed.time)
}

/// The earliest `t'`: it is in the first cell, when there are cells.
fn first(list: &[Passed]) -> Option<i64> {
    let start = list.first()?.counted_at;
    list.iter().take_while(|passed| passed.counted_at == start).map(|passed| passed.time).min()
}

fn gap<'a>(list: &[Passed]) -> Value<'a> {
    match (first(list), last(list), list.len()) {
        (Some(first), Some(last), n @ 2..) => Value::number(Decimal::integer((last - first) / (n as i64 - 1))),
        _ => Value::Never,
    }
}

/// SPEC 8: all but the newest distinct buckets count at the start of their cell.
fn move_into_cells(list: &mut [Passed], cell: i64, rules: &Rules) {
    if list.len() <= BUCKETS_MAX {
        return;
    }
    let times: BTreeSet<i64> = list.iter().map(|passed| passed.time).collect();
    let Some(oldest_kept) = times.into_iter().nth_back(BUCKETS_MAX - 1) else { return };
    for passed in list.iter_mut().filter(|passed| passed.time < oldest_kept) {
        let start = passed.time.div_euclid(cell) * cell;
        if passed.counted_at != start {
            passed.counted_at = start;
            passed.day = day_of(&zoned(start, rules));
        }
    }
    list.sort_by_key(|passed| passed.counted_at);
}
