//! A customer's facts are the list of its accepted events. Every feature is computed by scanning that list.
//!
//! Kept beside it is only what never changes once an event is there: which of its parts pass which filter.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, Zoned};

use super::decimal::Decimal;
use super::event::{Event, day_of};
use super::filter::part;
use super::interests::{self, Interests};
use super::rules::{FIELDS, Measure, Rules};
use super::value::{Scalar, Value};

#[derive(Default)]
pub struct Facts {
    events: Vec<Event>,
    series: Vec<Vec<Passed>>,
}

/// An event in a series.
struct Passed {
    /// `t'`.
    time: i64,
    /// `t'`, or the start of its cell when it is too old for a bucket of its own.
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
        Facts { events: Vec::new(), series: rules.series.iter().map(|_| Vec::new()).collect() }
    }

    pub fn fold(&mut self, event: Event, rules: &Rules) {
        let resolution = rules.kinds[&event.kind].resolution;
        let time = event.time.div_euclid(resolution) * resolution;
        let local = zoned(time, rules);
        for (series, list) in rules.series.iter().zip(&mut self.series) {
            if series.kind != event.kind {
                continue;
            }
            let Some((amount, views)) = part(series.filter.as_ref(), &event, &local) else { continue };
            let values =
                FIELDS.map(|field| views.iter().filter_map(|view| view.text(field)).map(str::to_owned).collect());
            list.push(Passed { time, counted_at: time, day: day_of(time, &rules.zone), amount, values });
            if let Some(longest) = series.windows.iter().max() {
                move_into_cells(list, *longest / CELLS, rules);
            }
        }
        self.events.push(event);
    }

    /// The time of the first event of any kind, cut to the second.
    pub fn first(&self) -> i64 {
        let first = self.events.iter().map(|event| event.time).min().expect("a customer has an event");
        first.div_euclid(1000) * 1000
    }

    /// What to offer, where the rules ask for it.
    pub fn interests(&self, rules: &Rules) -> Option<Interests> {
        rules.interests.map(|limits| interests::of(&self.events, limits))
    }

    /// The latest value of a profile attribute; nothing when it was removed.
    pub fn attribute(&self, name: &str) -> Option<&Scalar> {
        let of_profile = self.events.iter().filter(|event| event.kind == "profile");
        let given = of_profile.filter_map(|event| event.attributes.get(name).map(|value| (event.time, value)));
        // Of equal times `max_by_key` takes the last, which was read last.
        given.max_by_key(|(time, _)| *time).and_then(|(_, value)| value.as_ref())
    }

    /// Every instant in `from < instant <= to` at which an event leaves a window.
    pub fn exits(&self, rules: &Rules, from: i64, to: i64, found: &mut Vec<i64>) {
        for (series, list) in rules.series.iter().zip(&self.series) {
            for window in &series.windows {
                let leaves = list.iter().map(|passed| passed.counted_at + window);
                found.extend(leaves.filter(|instant| from < *instant && *instant <= to));
            }
        }
    }

    pub fn feature(&self, series: usize, measure: Measure, window: Option<i64>, at: i64) -> Value {
        let list = &self.series[series];
        let seen = || {
            let open = move |passed: &&Passed| window.is_none_or(|window| at - window < passed.counted_at);
            list.iter().filter(open)
        };
        let amounts = || seen().map(|passed| passed.amount);
        let sum = || amounts().sum::<i128>().clamp(-SUM_MAX, SUM_MAX);
        let amount = |amount: i128| Value::number(Decimal::ten_thousandths(amount));
        match measure {
            Measure::Count => Value::count(seen().count()),
            Measure::Sum => amount(sum()),
            Measure::Avg => match seen().count() {
                0 => amount(0),
                count => amount(sum().div_euclid(count as i128)),
            },
            Measure::Max => amount(amounts().max().unwrap_or(0)),
            Measure::Min => amount(amounts().min().unwrap_or(0)),
            Measure::Days => Value::count(seen().map(|passed| passed.day).collect::<BTreeSet<_>>().len()),
            Measure::SinceLast => since(list.iter().map(|passed| passed.time).max(), at),
            Measure::SinceFirst => since(list.iter().map(|passed| passed.time).min(), at),
            Measure::Gap => gap(list),
            Measure::Distinct(field) => {
                let values: BTreeSet<&String> = seen().flat_map(|passed| &passed.values[field]).collect();
                Value::count(values.len())
            }
            Measure::Top(field) => {
                let mut times: BTreeMap<&String, usize> = BTreeMap::new();
                for value in seen().flat_map(|passed| &passed.values[field]) {
                    *times.entry(value).or_default() += 1;
                }
                Value::count(times.into_values().max().unwrap_or(0))
            }
        }
    }
}

pub fn zoned(time: i64, rules: &Rules) -> Zoned {
    Timestamp::from_millisecond(time).expect("a time in range").to_zoned(rules.zone.clone())
}

fn since(moment: Option<i64>, at: i64) -> Value {
    moment.map_or(Value::Never, |moment| Value::since(moment, at))
}

fn gap(list: &[Passed]) -> Value {
    let times = || list.iter().map(|passed| passed.time);
    match (times().min(), times().max(), list.len()) {
        (Some(first), Some(last), 2..) => {
            let between = i64::try_from(list.len() - 1).expect("a small count");
            Value::number(Decimal::integer((last - first) / between))
        }
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
            passed.day = day_of(start, &rules.zone);
        }
    }
}
