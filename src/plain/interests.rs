//! What to offer a customer, counted anew from all items each time (SPEC 7; docs/interests.md says what an item is).

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::event::Event;
use crate::event::Builtin;

const ITEMS: usize = 32;
const QUERY_CHARS: usize = 64;

/// How many of each are wanted: categories, brands, queries, products.
pub type Limits = [usize; 4];

/// Categories, brands, queries, products, the best first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interests(pub [Vec<String>; 4]);

/// Product, category, brand, query, as far as they are there.
type Texts = [Option<String>; 4];

/// Something that was seen or bought.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    time: i64,
    event_id: String,
    line: usize,
    texts: Reverse<Texts>,
}

/// What an event adds: one for each of its lines that is an item at all. What is not wanted is left out of each.
pub fn items(event: &Event, kind: Builtin, limits: Limits) -> Vec<Item> {
    let [n_categories, n_brands, n_queries, n_products] = limits;
    let wanted = [n_products, n_categories, n_brands, n_queries];
    let mut items = Vec::new();
    for (line, mut texts) in texts_of(event, kind).into_iter().enumerate() {
        if texts.iter().all(Option::is_none) {
            continue;
        }
        for (text, wanted) in texts.iter_mut().zip(wanted) {
            text.take_if(|_| wanted == 0);
        }
        let event_id = event.id.clone().unwrap_or_default();
        items.push(Item { time: event.time, event_id, line, texts: Reverse(texts) });
    }
    items
}

/// What the newest of all items of a customer come to.
pub fn of(items: &[Item], limits: Limits) -> Interests {
    let [n_categories, n_brands, n_queries, n_products] = limits;
    let mut newest: Vec<&Item> = items.iter().collect();
    newest.sort();
    newest.reverse();
    newest.truncate(ITEMS);
    let texts = |of: usize| newest.iter().filter_map(move |item| item.texts.0[of].as_deref());
    Interests([
        commonest(texts(1), n_categories),
        commonest(texts(2), n_brands),
        commonest(texts(3), n_queries),
        latest(texts(0), n_products),
    ])
}

/// One for each line, in their order; whether it is an item at all is not asked here.
fn texts_of(event: &Event, kind: Builtin) -> Vec<Texts> {
    let known = |texts: &BTreeMap<&'static str, String>, name: &str| texts.get(name).cloned();
    let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
    match kind {
        Builtin::Refund | Builtin::Feedback | Builtin::Profile => Vec::new(),
        Builtin::Purchase if !event.lines.is_empty() => {
            let of_line = |name: &str, line: &BTreeMap<&'static str, String>| {
                filled(known(line, name).or_else(|| known(&event.texts, name)))
            };
            let texts = |line: &BTreeMap<&'static str, String>| {
                [of_line("product", line), of_line("category", line), of_line("brand", line), None]
            };
            event.lines.iter().map(|line| texts(&line.texts)).collect()
        }
        _ => {
            let cut = |query: String| query.chars().take(QUERY_CHARS).collect();
            let [product, category, brand, query] =
                ["product", "category", "brand", "query"].map(|name| filled(known(&event.texts, name)));
            vec![[product, category, brand, query.map(cut)]]
        }
    }
}

/// Those that most items have; of equally many the one that the newest item has.
fn commonest<'t>(texts: impl Iterator<Item = &'t str>, n: usize) -> Vec<String> {
    let texts: Vec<&str> = texts.collect();
    let mut different: Vec<&str> = texts.clone();
    different.sort_unstable();
    different.dedup();
    let newest = |text: &str| texts.iter().position(|other| *other == text);
    different.sort_by_key(|text| (Reverse(texts.iter().filter(|other| *other == text).count()), newest(text)));
    different.into_iter().take(n).map(str::to_owned).collect()
}

/// The different ones, the newest first.
fn latest<'t>(texts: impl Iterator<Item = &'t str>, n: usize) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for text in texts {
        if !found.iter().any(|known| known == text) {
            found.push(text.to_owned());
        }
    }
    found.truncate(n);
    found
}
