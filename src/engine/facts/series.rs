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
    /// For each of the series' value fields, the different values among the event's lines, sorted. More are of another series.
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

#[derive(Debug, Clone, Default)]
pub struct Series {
    pub totals: Totals,
    pub buckets: Vec<Bucket>,
    /// For each value field, what the buckets have of it.
    pub values: Vec<Values>,
    origin: Origin,
}

/// Which buckets still are what they were decoded from, so that their bytes need only be copied.
#[derive(Debug, Clone, Default)]
struct Origin {
    /// Where each bucket began, and the last one ended. Empty when nothing may be copied.
    starts: Vec<u32>,
    /// Buckets forgotten since.
    n_evicted: usize,
    /// Of those that are left, so many of the oldest are what they were.
    n_same: usize,
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

/// Where it comes from makes no difference.
impl PartialEq for Series {
    fn eq(&self, other: &Series) -> bool {
        (&self.totals, &self.buckets, &self.values) == (&other.totals, &other.buckets, &other.values)
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
        self.forget_origin();
    }

    /// Nothing may be copied: instants are written relative to another base, or buckets became cells.
    pub fn forget_origin(&mut self) {
        self.origin.starts.clear();
        (self.origin.n_evicted, self.origin.n_same) = (0, 0);
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
        let (Ok(index) | Err(index)) = found;
        self.origin.n_same = self.origin.n_same.min(start + index);
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
        self.forget_origin();
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
        if self.buckets.first().is_none_or(|oldest| oldest.time > horizon) {
            return false;
        }
        let n = self.buckets.partition_point(|bucket| bucket.time <= horizon);
        self.buckets.drain(..n);
        self.values.iter_mut().for_each(|field| field.remove_oldest(n));
        self.origin.n_evicted += n;
        self.origin.n_same = self.origin.n_same.saturating_sub(n);
        true
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
    /// `from`: what this was decoded from.
    pub fn encode(&self, layout: &Layout, from: &[u8], out: &mut Vec<u8>) {
        self.encode_totals(layout, out);
        if layout.plan.longest_window.0 == 0 {
            return;
        }
        varint::put(out, self.buckets.len() as u64);
        let n_cells = self.buckets.len().saturating_sub(EXACT_BUCKETS_MAX);
        let base = self.units(layout, layout.base);
        let Origin { starts, n_evicted, n_same } = &self.origin;
        let mut previous = if n_cells > 0 { 0 } else { base };
        let mut index = 0;
        if *n_same > 0 && n_cells == 0 {
            if *n_evicted > 0 {
                previous = self.encode_at(layout, 0, previous, out);
                index = 1;
            }
            let [start, end] = [n_evicted + index, n_evicted + n_same].map(|bucket| starts[bucket] as usize);
            out.extend_from_slice(&from[start..end]);
            if index < *n_same {
                index = *n_same;
                previous = self.units(layout, self.buckets[index - 1].time);
            }
        }
        while index < self.buckets.len() {
            if n_cells > 0 && index == n_cells {
                previous = base;
            }
            previous = self.encode_at(layout, index, previous, out);
            index += 1;
        }
    }

    /// Encodes one bucket; returns its time as it is written.
    fn encode_at(&self, layout: &Layout, index: usize, previous: i64, out: &mut Vec<u8>) -> i64 {
        let bucket = &self.buckets[index];
        let is_cell = index < self.buckets.len().saturating_sub(EXACT_BUCKETS_MAX);
        let time = if is_cell { bucket.time.0 } else { self.units(layout, bucket.time) };
        self.encode_bucket(layout, bucket, time - previous, out);
        for field in &self.values {
            encode_values(field.of(index), bucket.count, out);
        }
        time
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

    /// What stands behind its end is not looked at.
    pub fn decode(&mut self, layout: &Layout, bytes: &[u8]) {
        self.clear(layout);
        let mut reader = Reader::new(bytes);
        let base = layout.base.0.div_euclid(layout.resolution.0);
        self.decode_totals(layout, base, &mut reader);
        if layout.plan.longest_window.0 == 0 {
            return;
        }
        let n = reader.get_short() as usize;
        let n_cells = n.saturating_sub(EXACT_BUCKETS_MAX);
        if n_cells == 0 {
            return self.decode_exact(layout, n, base, reader, bytes.len());
        }
        let mut previous = 0;
        for index in 0..n {
            if index == n_cells {
                previous = base;
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

    /// Buckets without cells, as nearly all series have them; they may be copied as they are.
    fn decode_exact(&mut self, layout: &Layout, n: usize, base: i64, mut reader: Reader, n_bytes: usize) {
        let Series { buckets, values, origin, .. } = self;
        let mut previous = base;
        origin.starts.resize(n + 1, 0);
        if layout.has_amount() || !values.is_empty() {
            for start in &mut origin.starts[..n] {
                *start = (n_bytes - reader.rest.len()) as u32;
                let (step, mut bucket) = decode_bucket(layout, &mut reader);
                previous += step;
                bucket.time = Instant(previous * layout.resolution.0);
                buckets.push(bucket);
                for field in values.iter_mut() {
                    decode_values(field, bucket.count, &mut reader);
                }
            }
        } else {
            buckets.extend(origin.starts[..n].iter_mut().map(|start| {
                *start = (n_bytes - reader.rest.len()) as u32;
                let head = reader.get();
                previous += (head >> 1) as i64;
                let count = if head & MANY != 0 { reader.get_short() as i64 } else { 1 };
                Bucket { time: Instant(previous * layout.resolution.0), count, ..Bucket::default() }
            }));
        }
        origin.starts[n] = (n_bytes - reader.rest.len()) as u32;
        origin.n_same = n;
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

    fn decode_totals(&mut self, layout: &Layout, base: i64, reader: &mut Reader) {
        let (kept, totals) = (layout.plan.totals, &mut self.totals);
        // Without a count kept, that there is one at all is what matters.
        totals.count = if kept.count { reader.get_short() as i64 } else { 1 };
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
    bucket.count = if head & MANY != 0 { reader.get_short() as i64 } else { 1 };
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
    for _ in 0..reader.get_short() {
        let value = reader.get() as u32;
        let n = if count > 1 { reader.get_short() as u32 } else { 1 };
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
        let mut bytes = Vec::new();
        for (index, &(second, amount, value)) in events.iter().enumerate() {
            let time = Instant(second * 1_000);
            let entry = Entry { amount, values: vec![vec![value]] };
            series.fold(layout, time, second / 86_400, &entry);
            if index % round_trip_each == 0 {
                (series, bytes) = round_trip(layout, &series, &bytes);
            }
        }
        let (copied, _) = round_trip(layout, &series, &bytes);
        assert_eq!(copied, series);
        series
    }

    /// Encoded with the help of what it was decoded from, and decoded again.
    fn round_trip(layout: &Layout, series: &Series, from: &[u8]) -> (Series, Vec<u8>) {
        let (mut bytes, mut anew) = (Vec::new(), Vec::new());
        series.encode(layout, from, &mut bytes);
        let mut without_origin = series.clone();
        without_origin.forget_origin();
        without_origin.encode(layout, &[], &mut anew);
        assert_eq!(bytes, anew);
        let mut back = Series::default();
        back.decode(layout, &bytes);
        (back, bytes)
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

        #[test]
        fn what_is_forgotten_is_not_copied(
            (events, _) in shuffled(1..60), mut latest in prop::collection::vec(20_000_i64..70_000, 1..4)
        ) {
            let plan = plan_series();
            let layout = Layout { plan: &plan, resolution: Span::SECOND, base: Instant(0) };
            latest.sort_unstable();
            let mut series = fold_all(&layout, &events, 7);
            series.forget_origin();
            let mut bytes = Vec::new();
            for second in latest {
                series.evict(&layout, Instant(second * 1_000));
                let entry = Entry { amount: second, values: vec![vec![1]] };
                series.fold(&layout, Instant(second * 1_000), 0, &entry);
                let expected = series.clone();
                (series, bytes) = round_trip(&layout, &series, &bytes);
                prop_assert_eq!(&series, &expected);
            }
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
