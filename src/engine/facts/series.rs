//! One series of one customer: totals over all time, and buckets of the events that a window can still see, oldest
//! first. In memory while a customer is looked at; as bytes in between.
//!
//! The newest [`EXACT_BUCKETS_MAX`] buckets stand at their own time; older ones lie in cells of 1/256 of the longest
//! window (SPEC 8), so that a customer's memory is bounded whatever they do. What is kept is a function of the set of
//! events alone, never of their order.

use super::values::{ValueCount, Values};
use crate::engine::varint::{self, Reader};
use crate::event::{Amount, Instant, Span};
use crate::rules::plan;

/// Newer buckets are exact, older ones are merged into cells.
pub const EXACT_BUCKETS_MAX: usize = 1_024;
/// Cells of the longest window.
const CELLS: i64 = 256;

/// What one event adds to a series.
#[derive(Debug, Default)]
pub struct Entry {
    pub amount: i64,
    /// For each of the series' value fields, the different values among the event's lines, sorted.
    pub values: Vec<Vec<u32>>,
}

/// Events of one `t'` (or of one cell).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bucket {
    pub time: Instant,
    pub count: i64,
    pub sum: i64,
    pub max: i64,
    pub min: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    pub count: i64,
    pub sum: i64,
    pub max: i64,
    pub min: i64,
    /// Local calendar days, ascending.
    pub days: Vec<i64>,
    /// `NEVER` without an event.
    pub first: Instant,
    pub last: Instant,
}

impl Default for Totals {
    fn default() -> Totals {
        Totals { count: 0, sum: 0, max: 0, min: 0, days: Vec::new(), first: Instant::NEVER, last: Instant::NEVER }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Series {
    pub totals: Totals,
    pub buckets: Vec<Bucket>,
    /// For each value field, what the buckets have of it.
    pub values: Vec<Values>,
}

/// What of a series is kept and how, as the plan says.
#[derive(Debug, Clone, Copy)]
pub struct Layout<'a> {
    pub plan: &'a plan::Series,
    pub resolution: Span,
    /// Instants are written from here on: the customer's first event.
    pub base: Instant,
}

impl Layout<'_> {
    fn has_amount(&self) -> bool {
        let plan::Columns { sum, max, min } = self.plan.buckets;
        sum || max || min
    }

    fn cell(&self) -> Span {
        Span((self.plan.longest_window.0 / CELLS).max(1))
    }
}

impl Series {
    pub fn clear(&mut self, layout: &Layout) {
        let Totals { days, .. } = &mut self.totals;
        days.clear();
        self.totals = Totals { days: std::mem::take(days), ..Totals::default() };
        self.buckets.clear();
        self.values.resize_with(layout.plan.values.len(), Values::default);
        self.values.iter_mut().for_each(Values::clear);
    }

    /// Adds one event at `time` (`t'`), on local day `day`.
    pub fn fold(&mut self, layout: &Layout, time: Instant, day: i64, entry: &Entry) {
        self.fold_totals(layout.plan.totals, time, day, entry.amount);
        if layout.plan.longest_window.0 == 0 {
            return;
        }
        let n_cells = self.buckets.len().saturating_sub(EXACT_BUCKETS_MAX);
        let is_full = self.buckets.len() - n_cells == EXACT_BUCKETS_MAX;
        let in_cell = is_full && time < self.buckets[n_cells].time;
        let (range, time) =
            if in_cell { (0..n_cells, time.floor(layout.cell())) } else { (n_cells..self.buckets.len(), time) };
        let start = range.start;
        let new = Bucket { time, count: 1, sum: entry.amount, max: entry.amount, min: entry.amount };
        // Most events are the newest of their series.
        let found = match self.buckets[range.clone()].last() {
            Some(newest) if newest.time < time => Err(range.len()),
            _ => self.buckets[range].binary_search_by_key(&time, |bucket| bucket.time),
        };
        match found {
            Ok(index) => {
                self.buckets[start + index].merge(&new);
                self.add_values(start + index, entry);
            }
            Err(index) => {
                self.buckets.insert(start + index, new);
                self.values.iter_mut().for_each(|field| field.insert_bucket(start + index));
                self.add_values(start + index, entry);
                if !in_cell {
                    self.displace(layout);
                }
            }
        }
    }

    fn add_values(&mut self, index: usize, entry: &Entry) {
        for (field, added) in self.values.iter_mut().zip(&entry.values) {
            for value in added {
                field.add(index, (*value, 1));
            }
        }
    }

    /// Moves the oldest exact bucket into its cell when there are too many.
    fn displace(&mut self, layout: &Layout) {
        let Some(n_cells) = self.buckets.len().checked_sub(EXACT_BUCKETS_MAX).filter(|n| *n > 0) else { return };
        // `n_cells` counts the one displaced too; it stands behind the cells there were.
        let index = n_cells - 1;
        let cell = self.buckets[index].time.floor(layout.cell());
        self.buckets[index].time = cell;
        if index > 0 && self.buckets[index - 1].time == cell {
            let displaced = self.buckets.remove(index);
            self.buckets[index - 1].merge(&displaced);
            self.values.iter_mut().for_each(|field| field.merge_into_previous(index));
        }
    }

    fn fold_totals(&mut self, kept: plan::Totals, time: Instant, day: i64, amount: i64) {
        let totals = &mut self.totals;
        let is_first = totals.count == 0;
        totals.count += 1;
        totals.sum = add_sums(totals.sum, amount);
        totals.max = if is_first { amount } else { totals.max.max(amount) };
        totals.min = if is_first { amount } else { totals.min.min(amount) };
        totals.first = totals.first.min(time);
        totals.last = if totals.last.is_never() { time } else { totals.last.max(time) };
        if kept.days
            && let Err(index) = totals.days.binary_search(&day)
        {
            totals.days.insert(index, day);
        }
    }

    /// Forgets buckets that no window can see from `latest` on. Says whether there were any.
    pub fn evict(&mut self, layout: &Layout, latest: Instant) -> bool {
        let horizon = latest - layout.plan.longest_window;
        let n = self.buckets.partition_point(|bucket| bucket.time <= horizon);
        if n > 0 {
            self.buckets.drain(..n);
            self.values.iter_mut().for_each(|field| field.remove_oldest(n));
        }
        n > 0
    }
}

impl Bucket {
    fn merge(&mut self, other: &Bucket) {
        self.count += other.count;
        self.sum = add_sums(self.sum, other.sum);
        self.max = self.max.max(other.max);
        self.min = self.min.min(other.min);
    }
}

/// Sums beyond the limit stay there (SPEC 5).
pub fn add_sums(a: i64, b: i64) -> i64 {
    a.saturating_add(b).clamp(-Amount::SUM_LIMIT.0, Amount::SUM_LIMIT.0)
}

/// Whole cents are written as such.
const CENT: i64 = 100;
/// A bucket's head: the step in time, and these flags under it.
const MANY: u64 = 1;
const CENTS: u64 = 2;

impl Series {
    pub fn encode(&self, layout: &Layout, out: &mut Vec<u8>) {
        self.encode_totals(layout, out);
        if layout.plan.longest_window.0 == 0 {
            return;
        }
        varint::put(out, self.buckets.len() as u64);
        let n_cells = self.buckets.len().saturating_sub(EXACT_BUCKETS_MAX);
        let mut previous = 0;
        for (index, bucket) in self.buckets.iter().enumerate() {
            let in_units = if index < n_cells { bucket.time.0 } else { self.units(layout, bucket.time) };
            if index == n_cells {
                previous = self.units(layout, layout.base);
            }
            self.encode_bucket(layout, bucket, in_units - previous, out);
            previous = in_units;
            for field in &self.values {
                encode_values(field.of(index), bucket.count, out);
            }
        }
    }

    fn units(&self, layout: &Layout, time: Instant) -> i64 {
        time.0.div_euclid(layout.resolution.0)
    }

    fn encode_bucket(&self, layout: &Layout, bucket: &Bucket, step: i64, out: &mut Vec<u8>) {
        let many = if bucket.count > 1 { MANY } else { 0 };
        let step = u64::try_from(step).expect("buckets ascend from the base on");
        if !layout.has_amount() {
            varint::put(out, step << 1 | many);
        } else {
            let cents = [bucket.sum, bucket.max, bucket.min].iter().all(|amount| amount % CENT == 0);
            varint::put(out, step << 2 | many | if cents { CENTS } else { 0 });
            let unit = if cents { CENT } else { 1 };
            let columns = layout.plan.buckets;
            let single = bucket.count == 1;
            for (kept, amount) in [
                (columns.sum || single, bucket.sum),
                (columns.max && !single, bucket.max),
                (columns.min && !single, bucket.min),
            ] {
                if kept {
                    varint::put_signed(out, amount / unit);
                }
            }
        }
        if many != 0 {
            varint::put(out, bucket.count as u64);
        }
    }

    pub fn decode(&mut self, layout: &Layout, bytes: &[u8]) {
        self.clear(layout);
        let mut reader = Reader::new(bytes);
        self.decode_totals(layout, &mut reader);
        if layout.plan.longest_window.0 == 0 {
            return;
        }
        let n = reader.get() as usize;
        let n_cells = n.saturating_sub(EXACT_BUCKETS_MAX);
        let mut previous = 0;
        for index in 0..n {
            if index == n_cells {
                previous = self.units(layout, layout.base);
            }
            let (step, mut bucket) = decode_bucket(layout, &mut reader);
            previous += step;
            bucket.time = Instant(if index < n_cells { previous } else { previous * layout.resolution.0 });
            self.buckets.push(bucket);
            for field in &mut self.values {
                decode_values(field, bucket.count, &mut reader);
            }
        }
    }

    fn encode_totals(&self, layout: &Layout, out: &mut Vec<u8>) {
        let (kept, totals) = (layout.plan.totals, &self.totals);
        let base = self.units(layout, layout.base);
        if kept.count {
            varint::put(out, totals.count as u64);
        }
        for (kept, amount) in [(kept.sum, totals.sum), (kept.max, totals.max), (kept.min, totals.min)] {
            if kept {
                varint::put_signed(out, amount);
            }
        }
        for (kept, time) in [(kept.first, totals.first), (kept.last, totals.last)] {
            if kept {
                varint::put(out, (self.units(layout, time) - base) as u64);
            }
        }
        if kept.days {
            varint::put(out, totals.days.len() as u64);
            let mut previous = 0;
            for day in &totals.days {
                varint::put_signed(out, day - previous);
                previous = *day;
            }
        }
    }

    fn decode_totals(&mut self, layout: &Layout, reader: &mut Reader) {
        let (kept, totals) = (layout.plan.totals, &mut self.totals);
        let base = layout.base.0.div_euclid(layout.resolution.0);
        // Without a count kept, that there is one at all is what matters.
        totals.count = if kept.count { reader.get() as i64 } else { 1 };
        for (kept, amount) in [(kept.sum, &mut totals.sum), (kept.max, &mut totals.max), (kept.min, &mut totals.min)] {
            if kept {
                *amount = reader.get_signed();
            }
        }
        for (kept, time) in [(kept.first, &mut totals.first), (kept.last, &mut totals.last)] {
            if kept {
                *time = Instant((base + reader.get() as i64) * layout.resolution.0);
            }
        }
        if kept.days {
            let mut previous = 0;
            for _ in 0..reader.get() {
                previous += reader.get_signed();
                totals.days.push(previous);
            }
        }
    }
}

fn decode_bucket(layout: &Layout, reader: &mut Reader) -> (i64, Bucket) {
    let head = reader.get();
    let mut bucket = Bucket::default();
    let mut step = head >> 1;
    if layout.has_amount() {
        step = head >> 2;
        let unit = if head & CENTS != 0 { CENT } else { 1 };
        let columns = layout.plan.buckets;
        if head & MANY == 0 {
            bucket.sum = reader.get_signed() * unit;
            (bucket.max, bucket.min) = (bucket.sum, bucket.sum);
        } else {
            for (kept, amount) in
                [(columns.sum, &mut bucket.sum), (columns.max, &mut bucket.max), (columns.min, &mut bucket.min)]
            {
                if kept {
                    *amount = reader.get_signed() * unit;
                }
            }
        }
    }
    bucket.count = if head & MANY != 0 { reader.get() as i64 } else { 1 };
    (step as i64, bucket)
}

fn encode_values(values: &[ValueCount], count: i64, out: &mut Vec<u8>) {
    varint::put(out, values.len() as u64);
    for (value, n) in values {
        varint::put(out, u64::from(*value));
        if count > 1 {
            varint::put(out, u64::from(*n));
        }
    }
}

fn decode_values(field: &mut Values, count: i64, reader: &mut Reader) {
    for _ in 0..reader.get() {
        let value = reader.get() as u32;
        let n = if count > 1 { reader.get() as u32 } else { 1 };
        field.push_item((value, n));
    }
    field.push_end();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{KindId, TextField};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const WINDOW: Span = Span(25_600_000);

    fn plan_series() -> plan::Series {
        plan::Series {
            kind: KindId(0),
            filter: None,
            longest_window: WINDOW,
            buckets: plan::Columns { sum: true, max: true, min: true },
            totals: plan::Totals { count: true, sum: true, max: true, min: true, days: true, first: true, last: true },
            values: vec![TextField::Category],
        }
    }

    /// Time in seconds, amount, value.
    type Event = (i64, i64, u32);

    fn fold_all(layout: &Layout, events: &[Event], round_trip_each: usize) -> Series {
        let mut series = Series::default();
        series.clear(layout);
        for (index, &(second, amount, value)) in events.iter().enumerate() {
            let time = Instant(second * 1_000);
            let entry = Entry { amount, values: vec![vec![value]] };
            series.fold(layout, time, second / 86_400, &entry);
            if index % round_trip_each == 0 {
                series = round_trip(layout, &series);
            }
        }
        series
    }

    fn round_trip(layout: &Layout, series: &Series) -> Series {
        let mut bytes = Vec::new();
        series.encode(layout, &mut bytes);
        let mut back = Series::default();
        back.decode(layout, &bytes);
        back
    }

    /// The definition of SPEC 8, from the whole set of events at once.
    fn naive(layout: &Layout, events: &[Event]) -> BTreeMap<(bool, i64), (i64, i64)> {
        let mut times: Vec<i64> = events.iter().map(|(second, _, _)| second * 1_000).collect();
        times.sort_unstable();
        times.dedup();
        let oldest_exact = times[times.len().saturating_sub(EXACT_BUCKETS_MAX)];
        let mut buckets = BTreeMap::new();
        for (second, amount, _) in events {
            let time = second * 1_000;
            let is_exact = time >= oldest_exact;
            let time = if is_exact { time } else { Instant(time).floor(layout.cell()).0 };
            let bucket: &mut (i64, i64) = buckets.entry((is_exact, time)).or_default();
            *bucket = (bucket.0 + 1, bucket.1 + amount);
        }
        buckets
    }

    fn check(events: &[Event], shuffled: &[Event]) -> Result<(), TestCaseError> {
        let plan = plan_series();
        let layout = Layout { plan: &plan, resolution: Span::SECOND, base: Instant(0) };
        let series = fold_all(&layout, events, 50);
        prop_assert_eq!(&series, &fold_all(&layout, shuffled, 70));
        prop_assert_eq!(&series, &round_trip(&layout, &series));
        let kept: Vec<(i64, i64, i64)> =
            series.buckets.iter().map(|bucket| (bucket.time.0, bucket.count, bucket.sum)).collect();
        let expected: Vec<(i64, i64, i64)> =
            naive(&layout, events).into_iter().map(|((_, time), (count, sum))| (time, count, sum)).collect();
        prop_assert_eq!(kept, expected);
        Ok(())
    }

    fn event() -> impl Strategy<Value = Event> {
        (0_i64..30_000, prop_oneof![-500_i64..500, (1_i64..900).prop_map(|cents| cents * 100)], 0_u32..6)
    }

    fn shuffled(n: std::ops::Range<usize>) -> impl Strategy<Value = (Vec<Event>, Vec<Event>)> {
        prop::collection::vec(event(), n).prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle()))
    }

    proptest! {
        #[test]
        fn any_order_of_events_gives_the_same_series((events, shuffled) in shuffled(1..60)) {
            check(&events, &shuffled)?;
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn so_it_does_past_the_exact_buckets((events, shuffled) in shuffled(1_200..2_500)) {
            check(&events, &shuffled)?;
        }
    }
}
