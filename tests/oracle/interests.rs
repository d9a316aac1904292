//! What to offer a customer, counted anew from all events each time (SPEC 7; docs/interests.md says what an item is).

use std::cmp::Reverse;
use std::collections::BTreeMap;

use toml::Table;

use super::event::Event;

const ITEMS: usize = 32;
const QUERY_CHARS: usize = 64;

/// How many of each are wanted: categories, brands, queries, products.
pub type Limits = [usize; 4];

/// Categories, brands, queries, products, the best first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interests(pub [Vec<String>; 4]);

pub const NAMES: [&str; 4] = ["categories", "brands", "queries", "products"];

/// `[interests]`; nothing without it.
pub fn limits(rules: &Table) -> Option<Limits> {
    let table = rules.get("interests")?.as_table().expect("a table");
    Some(NAMES.map(|name| table.get(name).map_or(0, |n| n.as_integer().expect("a number") as usize)))
}

/// An item: product, category, brand, query, as far as they are wanted and are there.
type Item = [Option<String>; 4];

pub fn of(events: &[Event], limits: Limits) -> Interests {
    let [n_categories, n_brands, n_queries, n_products] = limits;
    let wanted = [n_products, n_categories, n_brands, n_queries];
    let mut items: Vec<((i64, String, usize), Reverse<Item>)> = Vec::new();
    for event in events {
        for (line, mut item) in items_of(event).into_iter().enumerate() {
            if item.iter().all(Option::is_none) {
                continue;
            }
            for (text, wanted) in item.iter_mut().zip(wanted) {
                text.take_if(|_| wanted == 0);
            }
            items.push(((event.time, event.id.clone().unwrap_or_default(), line), Reverse(item)));
        }
    }
    // Newest first.
    items.sort();
    items.reverse();
    items.truncate(ITEMS);
    let texts = |of: usize| items.iter().filter_map(move |(_, Reverse(item))| item[of].as_deref());
    Interests([
        commonest(texts(1), n_categories),
        commonest(texts(2), n_brands),
        commonest(texts(3), n_queries),
        latest(texts(0), n_products),
    ])
}

/// One for each line, in their order; whether it is an item at all is not asked here.
fn items_of(event: &Event) -> Vec<Item> {
    let known = |texts: &BTreeMap<&'static str, String>, name: &str| texts.get(name).cloned();
    let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
    match event.kind.as_str() {
        "refund" | "feedback" | "profile" => Vec::new(),
        "purchase" if !event.lines.is_empty() => {
            let of_line = |name: &str, line: &BTreeMap<&'static str, String>| {
                filled(known(line, name).or_else(|| known(&event.texts, name)))
            };
            let item = |line: &BTreeMap<&'static str, String>| {
                [of_line("product", line), of_line("category", line), of_line("brand", line), None]
            };
            event.lines.iter().map(|line| item(&line.texts)).collect()
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
