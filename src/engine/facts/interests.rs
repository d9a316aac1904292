//! What to offer: the customer's last items, which they looked at, searched for or bought.
//!
//! An item is a browse or search event, a line of a purchase (a purchase without lines is one item), or an event of the
//! shop's own kinds; it carries a product, a category, a brand or a query, or is none. Items are ordered by (time, event
//! id, line); the newest 32 stay, whatever order they came in. Kept is only what is offered: names as numbers, and
//! nothing at all where the rules ask for nothing. No rule reads them.

use std::cmp::{Ordering, Reverse};
use std::ops::Range;

use crate::engine::change::Interests;
use crate::engine::intern::Interner;
use crate::engine::varint::{self, Reader};
use crate::event::{Builtin, Event, Instant, Line, TextField};
use crate::rules::plan::InterestLimits;

const ITEMS_MAX: usize = InterestLimits::ITEMS_MAX;
/// Longer queries are cut, so that a customer's bytes stay few.
const QUERY_CHARS_MAX: usize = 64;

/// One item. Texts are parts of [`Items::texts`].
#[derive(Debug, Clone, Default)]
struct Item {
    time: Instant,
    id: Range<usize>,
    line: u32,
    product: Option<u32>,
    category: Option<u32>,
    brand: Option<u32>,
    query: Option<Range<usize>>,
}

/// A customer's items, newest first.
#[derive(Debug, Default)]
pub struct Items {
    list: Vec<Item>,
    texts: Vec<u8>,
}

/// What an item carries, as texts.
#[derive(Debug, Clone, Copy, Default)]
struct Carried<'e> {
    product: Option<&'e str>,
    category: Option<&'e str>,
    brand: Option<&'e str>,
    query: Option<&'e str>,
}

impl<'e> Carried<'e> {
    fn of(event: &'e Event<'_>) -> Carried<'e> {
        Carried {
            product: event.text(TextField::Product),
            category: event.text(TextField::Category),
            brand: event.text(TextField::Brand),
            query: event.text(TextField::Query),
        }
    }

    fn of_line(line: &'e Line<'_>) -> Carried<'e> {
        Carried {
            product: line.product.as_deref(),
            category: line.category.as_deref(),
            brand: line.brand.as_deref(),
            query: None,
        }
    }

    /// Without empty texts, which name nothing; `None` when nothing is left.
    fn item(self) -> Option<Carried<'e>> {
        let filled = |text: Option<&'e str>| text.filter(|text| !text.is_empty());
        let Carried { product, category, brand, query } = self;
        let item = Carried {
            product: filled(product),
            category: filled(category),
            brand: filled(brand),
            query: filled(query).map(cut),
        };
        [item.product, item.category, item.brand, item.query].iter().any(Option::is_some).then_some(item)
    }
}

/// Whether events of a kind can be items.
pub fn has_items(kind: Builtin) -> bool {
    match kind {
        Builtin::Purchase | Builtin::Browse | Builtin::Search | Builtin::Custom => true,
        Builtin::Refund | Builtin::Feedback | Builtin::Profile => false,
    }
}

impl Items {
    pub fn clear(&mut self) {
        self.list.clear();
        self.texts.clear();
    }

    /// Adds the items of an event whose kind has them; false when it is none. Commutative.
    pub fn fold(&mut self, event: &Event, limits: InterestLimits, names: &mut Interner) -> bool {
        let id = self.append(event.id.as_deref().unwrap_or_default());
        if event.lines.is_empty() {
            return self.add(event.time, (id, 0), Carried::of(event), limits, names);
        }
        let mut is_any = false;
        for (line, number) in event.lines.iter().zip(0..) {
            is_any |= self.add(event.time, (id.clone(), number), Carried::of_line(line), limits, names);
        }
        is_any
    }

    fn add(
        &mut self,
        time: Instant,
        (id, line): (Range<usize>, u32),
        carried: Carried,
        limits: InterestLimits,
        names: &mut Interner,
    ) -> bool {
        let Some(carried) = carried.item() else { return false };
        let mut name = |limit: u8, text: Option<&str>| text.filter(|_| limit > 0).map(|text| names.intern(text));
        let mut item = Item {
            time,
            id,
            line,
            product: name(limits.products, carried.product),
            category: name(limits.categories, carried.category),
            brand: name(limits.brands, carried.brand),
            query: None,
        };
        item.query = carried.query.filter(|_| limits.queries > 0).map(|query| self.append(query));
        let place = self.list.partition_point(|known| self.order(known, &item, names).is_gt());
        if place < ITEMS_MAX {
            self.list.truncate(ITEMS_MAX - 1);
            self.list.insert(place, item);
        }
        place < ITEMS_MAX
    }

    fn append(&mut self, text: &str) -> Range<usize> {
        let start = self.texts.len();
        self.texts.extend_from_slice(text.as_bytes());
        start..self.texts.len()
    }

    fn text(&self, range: &Range<usize>) -> &[u8] {
        &self.texts[range.clone()]
    }

    /// By time, event id and line. Where these are equal, the first by name counts as the newest, so that no order of
    /// arrival shows.
    fn order(&self, a: &Item, b: &Item, names: &Interner) -> Ordering {
        let place = |item: &Item| (item.time, self.text(&item.id), item.line);
        let name = |name: Option<u32>| name.map(|name| names.text(name));
        let carried = |item: &Item| {
            let query = item.query.as_ref().map(|query| self.text(query));
            (name(item.product), name(item.category), name(item.brand), query)
        };
        place(a).cmp(&place(b)).then_with(|| carried(b).cmp(&carried(a)))
    }

    /// What to offer, as much as the rules ask for.
    pub fn offered(&self, limits: InterestLimits, names: &Interner) -> Interests {
        let text = |name: u32| names.text(name);
        let queries = self.list.iter().filter_map(|item| item.query.as_ref());
        let queries = queries.map(|query| std::str::from_utf8(self.text(query)).expect("written from text"));
        let products = self.list.iter().filter_map(|item| item.product).map(text);
        Interests {
            categories: commonest(self.list.iter().filter_map(|item| item.category).map(text), limits.categories),
            brands: commonest(self.list.iter().filter_map(|item| item.brand).map(text), limits.brands),
            queries: commonest(queries, limits.queries),
            products: latest(products, limits.products),
        }
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.list.len() as u8);
        let mut newer: Option<&Item> = None;
        for item in &self.list {
            match newer {
                None => varint::put(out, item.time.0 as u64),
                Some(newer) => varint::put(out, (newer.time.0 - item.time.0) as u64),
            }
            let before = newer.map_or(&[][..], |newer| self.text(&newer.id));
            let id = self.text(&item.id);
            let n_same = before.iter().zip(id).take_while(|(one, other)| one == other).count();
            let is_same = newer.is_some() && n_same == id.len() && n_same == before.len();
            let has = [
                is_same,
                item.line > 0,
                item.product.is_some(),
                item.category.is_some(),
                item.brand.is_some(),
                item.query.is_some(),
            ];
            out.push(has.iter().rev().fold(0, |bits, has| bits << 1 | u8::from(*has)));
            if !is_same {
                varint::put(out, n_same as u64);
                put_text(&id[n_same..], out);
            }
            if item.line > 0 {
                varint::put(out, item.line.into());
            }
            [item.product, item.category, item.brand]
                .iter()
                .flatten()
                .for_each(|name| varint::put(out, (*name).into()));
            if let Some(query) = &item.query {
                put_text(self.text(query), out);
            }
            newer = Some(item);
        }
    }

    /// Reads what `encode` wrote; what stands behind it is not looked at.
    pub fn decode(&mut self, bytes: &[u8]) {
        self.clear();
        let mut reader = Reader::new(bytes);
        for index in 0..reader.get() {
            let told = reader.get() as i64;
            let newer = self.list.last().cloned().unwrap_or_default();
            let time = Instant(if index == 0 { told } else { newer.time.0 - told });
            let bits = reader.get();
            let has = |bit: u32| bits & 1 << bit != 0;
            let id = if has(0) { newer.id } else { self.decode_id(&mut reader, newer.id) };
            let line = if has(1) { reader.get() as u32 } else { 0 };
            let mut name = |bit: u32| has(bit).then(|| reader.get() as u32);
            let (product, category, brand) = (name(2), name(3), name(4));
            let query = has(5).then(|| {
                let n = reader.get() as usize;
                let start = self.texts.len();
                self.texts.extend_from_slice(reader.bytes(n));
                start..self.texts.len()
            });
            self.list.push(Item { time, id, line, product, category, brand, query });
        }
    }

    /// What it has in common with the one before, and the rest.
    fn decode_id(&mut self, reader: &mut Reader, newer: Range<usize>) -> Range<usize> {
        let n_same = reader.get() as usize;
        let n_more = reader.get() as usize;
        let start = self.texts.len();
        self.texts.extend_from_within(newer.start..newer.start + n_same);
        self.texts.extend_from_slice(reader.bytes(n_more));
        start..self.texts.len()
    }
}

fn put_text(text: &[u8], out: &mut Vec<u8>) {
    varint::put(out, text.len() as u64);
    out.extend_from_slice(text);
}

/// The first characters of a query.
fn cut(query: &str) -> &str {
    query.char_indices().nth(QUERY_CHARS_MAX).map_or(query, |(end, _)| &query[..end])
}

/// Those that most items have; of equally many the one seen last. `values` come newest first.
fn commonest<'v>(values: impl Iterator<Item = &'v str>, limit: u8) -> Vec<Box<str>> {
    let mut counted: Vec<(usize, &str)> = Vec::new();
    for value in values {
        match counted.iter_mut().find(|(_, known)| *known == value) {
            Some((n, _)) => *n += 1,
            None => counted.push((1, value)),
        }
    }
    // Stable: who was met first was seen last.
    counted.sort_by_key(|(n, _)| Reverse(*n));
    counted.into_iter().take(limit.into()).map(|(_, value)| value.into()).collect()
}

/// The last ones, each once.
fn latest<'v>(values: impl Iterator<Item = &'v str>, limit: u8) -> Vec<Box<str>> {
    let mut found: Vec<Box<str>> = Vec::new();
    for value in values {
        if found.len() == usize::from(limit) {
            break;
        }
        if found.iter().all(|known| **known != *value) {
            found.push(value.into());
        }
    }
    found
}
