//! One customer, opened: decoded from their block, changed, encoded again. Series are decoded only when something
//! reads or changes them; the bytes of the others are copied as they are.

use std::ops::Range;

use super::series::{Layout, Series};
use crate::engine::change::{Place, Standing};
use crate::engine::varint::{self, Reader};
use crate::event::{Instant, Span};
use crate::rules::plan::{DimensionId, Plan, SegmentId};

/// A segment index that means "in no segment".
const NONE: u8 = u8::MAX;

/// Where the customer stands in one dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standpoint {
    segment: u8,
    /// `NEVER`: in no segment from the start.
    pub since: Instant,
}

impl Default for Standpoint {
    fn default() -> Standpoint {
        Standpoint { segment: NONE, since: Instant::NEVER }
    }
}

impl Standpoint {
    pub fn new(segment: Option<SegmentId>, since: Instant) -> Standpoint {
        Standpoint { segment: segment.map_or(NONE, |segment| segment.0), since }
    }

    pub fn segment(self) -> Option<SegmentId> {
        (self.segment != NONE).then_some(SegmentId(self.segment))
    }
}

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
    Text(Vec<u8>),
    Number(i64),
    Flag(bool),
}

/// A series while its customer is open.
#[derive(Debug, Default)]
pub struct Slot {
    pub series: Series,
    /// Where its bytes stand in the block it was read from; empty: no event yet.
    raw: Range<usize>,
    /// `series` holds what `raw` says, or something newer.
    is_open: bool,
    is_changed: bool,
}

/// An open customer. One is kept for each shard and filled again and again, so that nothing is allocated.
#[derive(Debug, Default)]
pub struct Customer {
    pub id: Vec<u8>,
    /// The first event of any kind, cut to the second; `NEVER` before it.
    pub first: Instant,
    pub sequence: u64,
    /// Indexed by dimension.
    pub standpoints: Vec<Standpoint>,
    /// Indexed by dimension: until when its standing is certain without an event, to the hour below once written.
    pub bounds: Vec<Instant>,
    /// When each segment with a cooldown was last left, in the order of [`Cooldowns`]; `NEVER`: not yet.
    pub left: Vec<Instant>,
    /// In the order of `Plan::profile`.
    pub settings: Vec<Setting>,
    slots: Vec<Slot>,
    /// The block this was read from.
    raw: Vec<u8>,
    /// `first` when this was read.
    raw_base: Instant,
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
        self.reset(plan, cooldowns);
        self.id.extend_from_slice(id.as_bytes());
        self.first = Instant::NEVER;
        self.raw_base = self.base();
    }

    /// In no segment from the start, with nothing published.
    pub fn forget_standing(&mut self) {
        self.sequence = 0;
        self.standpoints.fill(Standpoint::default());
        self.left.fill(Instant::NEVER);
    }

    fn reset(&mut self, plan: &Plan, cooldowns: &Cooldowns) {
        self.id.clear();
        self.sequence = 0;
        self.standpoints.clear();
        self.standpoints.resize(plan.dimensions.len(), Standpoint::default());
        self.bounds.clear();
        self.bounds.resize(plan.dimensions.len(), Instant::NEVER);
        self.left.clear();
        self.left.resize(cooldowns.n, Instant::NEVER);
        self.settings.clear();
        self.settings.resize_with(plan.profile.len(), Setting::default);
        self.slots.resize_with(plan.series.len(), Slot::default);
        for slot in &mut self.slots {
            (slot.raw, slot.is_open, slot.is_changed) = (0..0, false, false);
        }
        self.raw.clear();
    }

    /// Instants are written relative to this.
    fn base(&self) -> Instant {
        if self.first.is_never() { Instant::ORIGIN } else { self.first }
    }

    pub fn open(&mut self, plan: &Plan, cooldowns: &Cooldowns, block: &[u8]) {
        self.reset(plan, cooldowns);
        let mut reader = Reader::new(block);
        let n = reader.get() as usize;
        self.id.extend_from_slice(reader.bytes(n));
        self.first = match reader.get() {
            0 => Instant::NEVER,
            seconds => Instant((seconds - 1) as i64 * Span::SECOND.0),
        };
        let base = self.base();
        self.raw_base = base;
        self.sequence = reader.get();
        for standpoint in &mut self.standpoints {
            *standpoint = decode_standpoint(&mut reader, base);
        }
        for bound in &mut self.bounds {
            *bound = decode_bound(&mut reader, base);
        }
        for left in &mut self.left {
            *left = decode_instant(&mut reader, base);
        }
        for setting in &mut self.settings {
            *setting = decode_setting(&mut reader, base);
        }
        let present = reader.bytes(self.slots.len().div_ceil(8));
        let sections = block.len() - reader.rest.len();
        let mut start = 0;
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if present[index / 8] & (1 << (index % 8)) != 0 {
                let n = reader.get() as usize;
                start = block.len() - reader.rest.len() - sections;
                reader.bytes(n);
                slot.raw = start..start + n;
                start += n;
            }
        }
        self.raw.extend_from_slice(&block[sections..sections + start]);
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
        let slot = &mut self.slots[index];
        let layout = Customer::layout(plan, index, base);
        slot.series.fold(&layout, time, day, entry);
        slot.is_changed = true;
    }

    fn open_slot(&mut self, plan: &Plan, index: usize, latest: Instant) {
        let slot = &mut self.slots[index];
        if slot.is_open {
            return;
        }
        let layout = Customer::layout(plan, index, self.raw_base);
        slot.is_open = true;
        if slot.raw.is_empty() {
            slot.series.clear(&layout);
        } else {
            slot.series.decode(&layout, &self.raw[slot.raw.clone()]);
            slot.is_changed |= slot.series.evict(&layout, latest);
        }
    }

    /// Writes the block anew.
    pub fn encode(&mut self, plan: &Plan, latest: Instant, out: &mut Vec<u8>) {
        let base = self.base();
        if base != self.raw_base {
            for index in 0..self.slots.len() {
                if !self.slots[index].raw.is_empty() {
                    self.open_slot(plan, index, latest);
                    self.slots[index].is_changed = true;
                }
            }
        }
        varint::put(out, self.id.len() as u64);
        out.extend_from_slice(&self.id);
        varint::put(out, if self.first.is_never() { 0 } else { (base.0 / Span::SECOND.0) as u64 + 1 });
        varint::put(out, self.sequence);
        for standpoint in &self.standpoints {
            encode_standpoint(*standpoint, base, out);
        }
        for bound in &self.bounds {
            encode_bound(*bound, base, out);
        }
        for left in &self.left {
            encode_instant(*left, base, out);
        }
        for setting in &self.settings {
            encode_setting(setting, base, out);
        }
        self.encode_series(plan, (latest, base), out);
    }

    fn encode_series(&mut self, plan: &Plan, (latest, base): (Instant, Instant), out: &mut Vec<u8>) {
        let present = out.len();
        out.resize(present + self.slots.len().div_ceil(8), 0);
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if !slot.is_changed {
                if slot.raw.is_empty() {
                    continue;
                }
                varint::put(out, slot.raw.len() as u64);
                out.extend_from_slice(&self.raw[slot.raw.clone()]);
            } else {
                let layout = Customer::layout(plan, index, base);
                slot.series.evict(&layout, latest);
                if slot.series.totals.count == 0
                    || slot.series.buckets.is_empty() && plan.series[index].totals == Default::default()
                {
                    continue;
                }
                encode_section(&slot.series, &layout, out);
            }
            out[present + index / 8] |= 1 << (index % 8);
        }
    }

    pub fn standing(&self, plan: &Plan, cooldowns: &Cooldowns) -> Standing {
        let places = (0..).map(DimensionId).zip(&self.standpoints).map(|(dimension, standpoint)| {
            let segments = (0..plan.dimension(dimension).segments.len()).map(|index| SegmentId(index as u8));
            let left = segments.filter_map(|segment| {
                let left = self.left[cooldowns.of(dimension, segment)?];
                (!left.is_never()).then_some((segment, left))
            });
            let since = (!standpoint.since.is_never()).then_some(standpoint.since);
            Place { segment: standpoint.segment(), since, left: left.collect() }
        });
        Standing { sequence: self.sequence, places: places.collect() }
    }
}

/// A section's bytes behind their length.
fn encode_section(series: &Series, layout: &Layout, out: &mut Vec<u8>) {
    let start = out.len();
    // One byte for the length suffices for most; longer sections are moved up.
    out.push(0);
    series.encode(layout, out);
    let n = out.len() - start - 1;
    if n < 0x80 {
        out[start] = n as u8;
        return;
    }
    let mut length = Vec::with_capacity(4);
    varint::put(&mut length, n as u64);
    out.splice(start..=start, length);
}

/// Signed, since a standing may be known before the events that made it are folded again.
fn encode_instant(instant: Instant, base: Instant, out: &mut Vec<u8>) {
    if instant.is_never() {
        return out.push(0);
    }
    out.push(1);
    varint::put_signed(out, instant.0 - base.0);
}

fn decode_instant(reader: &mut Reader, base: Instant) -> Instant {
    match reader.get() {
        0 => Instant::NEVER,
        _ => base + Span(reader.get_signed()),
    }
}

fn encode_standpoint(standpoint: Standpoint, base: Instant, out: &mut Vec<u8>) {
    if standpoint.since.is_never() {
        return varint::put(out, 0);
    }
    varint::put(out, u64::from(standpoint.segment.wrapping_add(1)) + 1);
    varint::put_signed(out, standpoint.since.0 - base.0);
}

fn decode_standpoint(reader: &mut Reader, base: Instant) -> Standpoint {
    match reader.get() {
        0 => Standpoint::default(),
        code => {
            let segment = ((code - 1) as u8).wrapping_sub(1);
            Standpoint { segment, since: base + Span(reader.get_signed()) }
        }
    }
}

/// Two bytes for most: whole hours suffice, since a bound that is early costs a look and no more.
fn encode_bound(bound: Instant, base: Instant, out: &mut Vec<u8>) {
    let hours = (bound.0.saturating_sub(base.0)).max(0) / Span::HOUR.0;
    varint::put(out, if bound.is_never() { 0 } else { hours as u64 + 1 });
}

fn decode_bound(reader: &mut Reader, base: Instant) -> Instant {
    match reader.get() {
        0 => Instant::NEVER,
        hours => base + Span((hours - 1) as i64 * Span::HOUR.0),
    }
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
            out.extend_from_slice(text);
        }
        SettingValue::Number(number) => varint::put_signed(out, *number),
        _ => {}
    }
}

fn decode_setting(reader: &mut Reader, base: Instant) -> Setting {
    let tag = reader.get();
    if tag == 0 {
        return Setting::default();
    }
    let time = base + Span(reader.get() as i64);
    let value = match tag {
        1 => SettingValue::Removed,
        2 => {
            let n = reader.get() as usize;
            SettingValue::Text(reader.bytes(n).to_vec())
        }
        3 => SettingValue::Number(reader.get_signed()),
        4 => SettingValue::Flag(false),
        _ => SettingValue::Flag(true),
    };
    Setting { time, value }
}
