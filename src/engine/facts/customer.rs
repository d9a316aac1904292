//! One customer, opened: decoded from their block, changed, encoded again. Series are decoded only when something
//! reads or changes them; the bytes of the others are copied as they are.

use std::ops::Range;

use super::interests::{self, Items};
use super::series::{Layout, Series};
use crate::engine::bits;
use crate::engine::change::{Interests, Place, Standing};
use crate::engine::intern::Interner;
use crate::engine::varint::{self, Reader};
use crate::event::{Builtin, Event, Instant, Span};
use crate::rules::plan::{DimensionId, InterestLimits, Plan, SegmentId};

/// A profile attribute: the latest setting wins, also when it was a removal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Setting {
    /// When it was set; meaningless while `value` is `Unset`.
    pub time: Instant,
    pub value: SettingValue,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SettingValue {
    #[default]
    Unset,
    Removed,
    Text(Box<str>),
    Number(i64),
    Flag(bool),
}

/// What is seldom asked of a customer's standing: decoded when somebody does.
#[derive(Debug, Default)]
pub struct History {
    pub sequence: u64,
    /// Indexed by dimension: since when they stand where they do; `NEVER`: in no segment from the start.
    pub since: Vec<Instant>,
    /// When each segment with a cooldown was last left, in the order of [`Cooldowns`]; `NEVER`: not yet.
    pub left: Vec<Instant>,
}

/// A series while its customer is open.
#[derive(Debug, Default)]
struct Slot {
    series: Series,
    /// Where its bytes stand in the block it was read from. Of no meaning without an event then.
    raw: Range<usize>,
    /// Where its length stands, right before its bytes.
    start: usize,
}

/// A set of series.
#[derive(Debug, Default)]
struct SeriesSet(Vec<u64>);

impl SeriesSet {
    fn clear(&mut self, n_series: usize) {
        self.0.clear();
        self.0.resize(n_series.div_ceil(64), 0);
    }

    fn contains(&self, index: usize) -> bool {
        bits::contains(&self.0, index)
    }

    fn set(&mut self, index: usize, is_in: bool) {
        bits::set(&mut self.0, index, is_in);
    }

    /// The first one from an index on.
    fn next(&self, from: usize) -> Option<usize> {
        bits::next(&self.0, from)
    }

    /// As many bytes as hold them, the lowest first.
    fn bytes(&self, n_series: usize) -> impl Iterator<Item = u8> {
        self.0.iter().flat_map(|word| word.to_le_bytes()).take(n_series.div_ceil(8))
    }

    fn read(&mut self, bytes: &[u8]) {
        self.0.clear();
        self.0.extend(bytes.chunks(8).map(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_le_bytes(word)
        }));
    }
}

/// An open customer. One is kept for each shard and filled again and again, so that nothing is allocated.
#[derive(Debug, Default)]
pub struct Customer {
    pub id: Vec<u8>,
    /// The first event of any kind, cut to the second; `NEVER` before it.
    pub first: Instant,
    /// Indexed by dimension: where they stand.
    pub segments: Vec<Option<SegmentId>>,
    /// Indexed by dimension: until when its standing is certain without an event, to the hour below once written.
    pub bounds: Vec<Instant>,
    /// In the order of `Plan::profile`.
    pub settings: Vec<Setting>,
    history: History,
    history_state: State,
    /// Only where the rules ask for interests.
    items: Items,
    items_state: State,
    slots: Vec<Slot>,
    /// Series with events when this was read.
    present: SeriesSet,
    /// Those that hold what their bytes say, or something newer.
    decoded: SeriesSet,
    changed: SeriesSet,
    /// The block this was read from, and where in it the history and the items are.
    raw: Vec<u8>,
    raw_history: Range<usize>,
    raw_items: Range<usize>,
    /// `first` when this was read.
    raw_base: Instant,
}

/// Behind `raw`, so that integers up to its end are read eight bytes at a time.
const PADDING: usize = 8;

/// How far something is from its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Encoded,
    Decoded,
    Changed,
}

/// The segments that have a cooldown, numbered.
#[derive(Debug, Clone, Default)]
pub struct Cooldowns {
    /// For each dimension and segment, its number.
    index: Vec<Vec<Option<u16>>>,
    n: usize,
}

impl Cooldowns {
    pub fn new(plan: &Plan) -> Cooldowns {
        let mut n = 0;
        let mut number = |has: bool| {
            has.then(|| {
                n += 1;
                (n - 1) as u16
            })
        };
        let index = plan
            .dimensions
            .iter()
            .map(|dimension| dimension.segments.iter().map(|segment| number(segment.cooldown.is_some())).collect())
            .collect();
        Cooldowns { index, n }
    }

    pub fn of(&self, dimension: DimensionId, segment: SegmentId) -> Option<usize> {
        self.index[usize::from(dimension.0)][usize::from(segment.0)].map(usize::from)
    }
}

impl Customer {
    /// Someone nobody has heard of.
    pub fn open_new(&mut self, plan: &Plan, cooldowns: &Cooldowns, id: &str) {
        self.reset(plan);
        self.id.extend_from_slice(id.as_bytes());
        self.first = Instant::NEVER;
        self.raw_base = self.base();
        self.segments.resize(plan.dimensions.len(), None);
        self.bounds.resize(plan.dimensions.len(), Instant::NEVER);
        self.settings.resize(plan.profile.len(), Setting::default());
        self.present.clear(plan.series.len());
        self.history_state = State::Changed;
        let History { sequence, since, left } = &mut self.history;
        *sequence = 0;
        since.clear();
        since.resize(plan.dimensions.len(), Instant::NEVER);
        left.clear();
        left.resize(cooldowns.n, Instant::NEVER);
    }

    /// In no segment from the start, with nothing published.
    pub fn forget_standing(&mut self, plan: &Plan, cooldowns: &Cooldowns) {
        self.segments.fill(None);
        let History { sequence, since, left } = self.history_mut(plan, cooldowns);
        *sequence = 0;
        since.fill(Instant::NEVER);
        left.fill(Instant::NEVER);
    }

    fn reset(&mut self, plan: &Plan) {
        self.id.clear();
        self.segments.clear();
        self.bounds.clear();
        self.settings.clear();
        self.history_state = State::Encoded;
        (self.items_state, self.raw_items) = (State::Encoded, 0..0);
        self.slots.resize_with(plan.series.len(), Slot::default);
        self.decoded.clear(plan.series.len());
        self.changed.clear(plan.series.len());
        self.raw.clear();
    }

    /// Instants are written relative to this.
    fn base(&self) -> Instant {
        if self.first.is_never() { Instant::ORIGIN } else { self.first }
    }

    /// Reads a block; what stands behind its end is not looked at.
    pub fn open(&mut self, plan: &Plan, block: &[u8]) {
        self.reset(plan);
        let mut reader = Reader::new(block);
        let n = reader.get_short() as usize;
        self.id.extend_from_slice(reader.bytes(n));
        self.first = match reader.get() {
            0 => Instant::NEVER,
            seconds => Instant((seconds - 1) as i64 * Span::SECOND.0),
        };
        let base = self.base();
        self.raw_base = base;
        let n_dimensions = plan.dimensions.len();
        self.segments.extend(reader.bytes(n_dimensions).iter().map(|byte| decode_segment(*byte)));
        let bounds = reader.bytes(BOUND_BYTES * n_dimensions).as_chunks().0.iter();
        self.bounds.extend(bounds.map(|bytes| decode_bound(*bytes, base)));
        for _ in 0..plan.profile.len() {
            self.settings.push(decode_setting(&mut reader, base));
        }
        let n = reader.get_short() as usize;
        let start = block.len() - reader.rest.len();
        self.raw_history = start..start + n;
        reader.bytes(n);
        if plan.interests.any() {
            let n = reader.get_short() as usize;
            let start = block.len() - reader.rest.len();
            self.raw_items = start..start + n;
            reader.bytes(n);
        }
        self.present.read(reader.bytes(self.slots.len().div_ceil(8)));
        let mut next = self.present.next(0);
        while let Some(index) = next {
            let slot = &mut self.slots[index];
            slot.start = block.len() - reader.rest.len();
            let n = reader.get_short() as usize;
            let start = block.len() - reader.rest.len();
            reader.bytes(n);
            slot.raw = start..start + n;
            next = self.present.next(index + 1);
        }
        let n = block.len() - reader.rest.len();
        self.raw.extend_from_slice(&block[..n]);
        self.raw.extend_from_slice(&[0; PADDING]);
    }

    pub fn history(&mut self, plan: &Plan, cooldowns: &Cooldowns) -> &History {
        if self.history_state == State::Encoded {
            self.history_state = State::Decoded;
            let base = self.raw_base;
            let mut reader = Reader::new(&self.raw[self.raw_history.start..]);
            let History { sequence, since, left } = &mut self.history;
            *sequence = reader.get();
            since.clear();
            since.extend((0..plan.dimensions.len()).map(|_| decode_instant(&mut reader, base)));
            left.clear();
            left.extend((0..cooldowns.n).map(|_| decode_instant(&mut reader, base)));
        }
        &self.history
    }

    pub fn history_mut(&mut self, plan: &Plan, cooldowns: &Cooldowns) -> &mut History {
        self.history(plan, cooldowns);
        self.history_state = State::Changed;
        &mut self.history
    }

    fn items(&mut self) -> &mut Items {
        if self.items_state == State::Encoded {
            self.items_state = State::Decoded;
            match self.raw_items.is_empty() {
                true => self.items.clear(),
                false => self.items.decode(&self.raw[self.raw_items.start..]),
            }
        }
        &mut self.items
    }

    /// Remembers what an event shows of the customer's interests.
    pub fn add_items(&mut self, event: &Event, kind: Builtin, limits: InterestLimits, names: &mut Interner) {
        if interests::has_items(kind) && self.items().fold(event, limits, names) {
            self.items_state = State::Changed;
        }
    }

    /// What to offer.
    pub fn interests(&mut self, limits: InterestLimits, names: &Interner) -> Interests {
        self.items().offered(limits, names)
    }

    fn layout<'a>(plan: &'a Plan, index: usize, base: Instant) -> Layout<'a> {
        let series = &plan.series[index];
        Layout { plan: series, resolution: plan.kinds[usize::from(series.kind.0)].resolution, base }
    }

    /// A series to read; windows see it as it is at or after `latest`.
    pub fn series(&mut self, plan: &Plan, index: usize, latest: Instant) -> &Series {
        self.open_slot(plan, index, latest);
        &self.slots[index].series
    }

    /// Adds to a series.
    pub fn fold(
        &mut self,
        plan: &Plan,
        index: usize,
        latest: Instant,
        (time, day): (Instant, i64),
        entry: &super::series::Entry,
    ) {
        self.open_slot(plan, index, latest);
        let base = self.base();
        let layout = Customer::layout(plan, index, base);
        self.slots[index].series.fold(&layout, time, day, entry);
        self.changed.set(index, true);
    }

    #[inline]
    fn open_slot(&mut self, plan: &Plan, index: usize, latest: Instant) {
        if !self.decoded.contains(index) {
            self.read_slot(plan, index, latest);
        }
    }

    #[inline(never)]
    fn read_slot(&mut self, plan: &Plan, index: usize, latest: Instant) {
        self.decoded.set(index, true);
        let layout = Customer::layout(plan, index, self.raw_base);
        let slot = &mut self.slots[index];
        if !self.present.contains(index) {
            slot.series.clear(&layout);
        } else {
            slot.series.decode(&layout, &self.raw[slot.raw.start..]);
            if slot.series.evict(&layout, latest) {
                self.changed.set(index, true);
            }
        }
    }

    /// Writes the block anew.
    pub fn encode(&mut self, plan: &Plan, cooldowns: &Cooldowns, latest: Instant, out: &mut Vec<u8>) {
        let base = self.base();
        if base != self.raw_base {
            self.history_mut(plan, cooldowns);
            for index in 0..self.slots.len() {
                if self.present.contains(index) {
                    self.open_slot(plan, index, latest);
                    self.changed.set(index, true);
                    self.slots[index].series.forget_origin();
                }
            }
        }
        varint::put(out, self.id.len() as u64);
        out.extend_from_slice(&self.id);
        varint::put(out, if self.first.is_never() { 0 } else { (base.0 / Span::SECOND.0) as u64 + 1 });
        out.extend(self.segments.iter().map(|segment| encode_segment(*segment)));
        self.bounds.iter().for_each(|bound| out.extend_from_slice(&encode_bound(*bound, base)));
        self.settings.iter().for_each(|setting| encode_setting(setting, base, out));
        self.encode_history(base, out);
        if plan.interests.any() {
            self.encode_items(out);
        }
        self.encode_series(plan, (latest, base), out);
    }

    fn encode_history(&self, base: Instant, out: &mut Vec<u8>) {
        if self.history_state != State::Changed {
            varint::put(out, self.raw_history.len() as u64);
            return out.extend_from_slice(&self.raw[self.raw_history.clone()]);
        }
        let History { sequence, since, left } = &self.history;
        behind_length(out, |out| {
            varint::put(out, *sequence);
            since.iter().chain(left).for_each(|instant| encode_instant(*instant, base, out));
        });
    }

    fn encode_items(&self, out: &mut Vec<u8>) {
        if self.items_state != State::Changed {
            varint::put(out, self.raw_items.len() as u64);
            return out.extend_from_slice(&self.raw[self.raw_items.clone()]);
        }
        behind_length(out, |out| self.items.encode(out));
    }

    fn encode_series(&mut self, plan: &Plan, (latest, base): (Instant, Instant), out: &mut Vec<u8>) {
        let Customer { slots, present, changed, raw, .. } = self;
        let (bits, end) = (out.len(), raw.len().saturating_sub(PADDING));
        out.extend(present.bytes(slots.len()));
        let start_from = |slots: &[Slot], index| present.next(index).map_or(end, |index| slots[index].start);
        // What stays between those that changed is copied in one piece.
        let mut copied = start_from(slots, 0);
        let mut next = changed.next(0);
        while let Some(index) = next {
            next = changed.next(index + 1);
            let is_present = present.contains(index);
            let start = start_from(slots, index);
            out.extend_from_slice(&raw[copied..start]);
            copied = if is_present { slots[index].raw.end } else { start };
            let layout = Customer::layout(plan, index, base);
            let Slot { series, raw: own, .. } = &mut slots[index];
            series.evict(&layout, latest);
            let bit = 1 << (index % 8);
            if series.totals.count == 0 || series.buckets.is_empty() && plan.series[index].totals == Default::default()
            {
                out[bits + index / 8] &= !bit;
                continue;
            }
            out[bits + index / 8] |= bit;
            let from = if is_present { &raw[own.start..] } else { &[] };
            behind_length(out, |out| series.encode(&layout, from, out));
        }
        out.extend_from_slice(&raw[copied..end]);
    }

    pub fn standing(&mut self, plan: &Plan, cooldowns: &Cooldowns) -> Standing {
        self.history(plan, cooldowns);
        let History { sequence, since, left } = &self.history;
        let places =
            (0..).map(DimensionId).zip(self.segments.iter().zip(since)).map(|(dimension, (segment, since))| {
                let segments = (0..plan.dimension(dimension).segments.len()).map(|index| SegmentId(index as u8));
                let left = segments.filter_map(|segment| {
                    let left = left[cooldowns.of(dimension, segment)?];
                    (!left.is_never()).then_some((segment, left))
                });
                Place { segment: *segment, since: (!since.is_never()).then_some(*since), left: left.collect() }
            });
        Standing { sequence: *sequence, places: places.collect() }
    }
}

/// Appends bytes behind their length.
fn behind_length(out: &mut Vec<u8>, append: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    // One byte for the length suffices for most; longer ones are moved up.
    out.push(0);
    append(out);
    let n = out.len() - start - 1;
    if n < 0x80 {
        out[start] = n as u8;
        return;
    }
    let mut length = Vec::with_capacity(4);
    varint::put(&mut length, n as u64);
    out.splice(start..=start, length);
}

/// Signed, since a standing may be known before the events that made it are folded again. One more than what is told,
/// so that nothing is one byte.
fn encode_instant(instant: Instant, base: Instant, out: &mut Vec<u8>) {
    let distance = instant.0.saturating_sub(base.0);
    let told = (distance.unsigned_abs() << 1 | u64::from(distance < 0)) + 1;
    varint::put(out, if instant.is_never() { 0 } else { told });
}

fn decode_instant(reader: &mut Reader, base: Instant) -> Instant {
    let Some(told) = reader.get().checked_sub(1) else { return Instant::NEVER };
    let distance = (told >> 1) as i64;
    Instant(if told & 1 == 0 { base.0 + distance } else { base.0 - distance })
}

/// None is 0; a dimension has at most 250 segments.
fn encode_segment(segment: Option<SegmentId>) -> u8 {
    segment.map_or(0, |segment| segment.0 + 1)
}

fn decode_segment(byte: u8) -> Option<SegmentId> {
    byte.checked_sub(1).map(SegmentId)
}

/// Where the customer of a block stands in each dimension: 0 for none, else one more than the segment's number. `None`: these
/// bytes are no block.
pub fn places(block: &[u8], n_dimensions: usize) -> Option<&[u8]> {
    let mut reader = Reader::new(block);
    let n = usize::try_from(reader.try_get()?).ok()?;
    reader.rest = reader.rest.get(n..)?;
    reader.try_get()?;
    reader.rest.get(..n_dimensions)
}

const BOUND_BYTES: usize = 2;
/// Hours up to here, then so many of them at once: 29 years in all. What is later is cut to that.
const HOURS_MAX: u64 = 0x8000;
const HOURS_AT_ONCE: u64 = 7;

/// Cut to the hour below, or years ahead some more, since a bound that is early costs a look and no more.
fn encode_bound(bound: Instant, base: Instant) -> [u8; BOUND_BYTES] {
    if bound.is_never() {
        return [0xff; BOUND_BYTES];
    }
    let hours = bound.0.saturating_sub(base.0).max(0) as u64 / Span::HOUR.0 as u64;
    let code = if hours < HOURS_MAX { hours } else { HOURS_MAX + (hours - HOURS_MAX) / HOURS_AT_ONCE };
    (code.min(0xfffe) as u16).to_le_bytes()
}

fn decode_bound(bytes: [u8; BOUND_BYTES], base: Instant) -> Instant {
    let code = u64::from(u16::from_le_bytes(bytes));
    if code == 0xffff {
        return Instant::NEVER;
    }
    let hours = if code < HOURS_MAX { code } else { HOURS_MAX + (code - HOURS_MAX) * HOURS_AT_ONCE };
    base + Span(hours as i64 * Span::HOUR.0)
}

fn encode_setting(setting: &Setting, base: Instant, out: &mut Vec<u8>) {
    let tag = match &setting.value {
        SettingValue::Unset => return out.push(0),
        SettingValue::Removed => 1,
        SettingValue::Text(_) => 2,
        SettingValue::Number(_) => 3,
        SettingValue::Flag(false) => 4,
        SettingValue::Flag(true) => 5,
    };
    out.push(tag);
    varint::put(out, u64::try_from(setting.time.0 - base.0).expect("no event is earlier than the first"));
    match &setting.value {
        SettingValue::Text(text) => {
            varint::put(out, text.len() as u64);
            out.extend_from_slice(text.as_bytes());
        }
        SettingValue::Number(number) => varint::put_signed(out, *number),
        _ => {}
    }
}

fn decode_setting(reader: &mut Reader, base: Instant) -> Setting {
    let tag = reader.get_short();
    if tag == 0 {
        return Setting::default();
    }
    let time = base + Span(reader.get() as i64);
    let value = match tag {
        1 => SettingValue::Removed,
        2 => {
            let n = reader.get_short() as usize;
            SettingValue::Text(std::str::from_utf8(reader.bytes(n)).expect("written from text").into())
        }
        3 => SettingValue::Number(reader.get_signed()),
        4 => SettingValue::Flag(false),
        _ => SettingValue::Flag(true),
    };
    Setting { time, value }
}
