//! `[interests]` of the rules, by a reader of its own.

use dormouse::plain::InterestLimits;
pub use dormouse::plain::Interests;
use toml::Table;

pub const NAMES: [&str; 4] = ["categories", "brands", "queries", "products"];

/// Nothing without it.
pub fn limits(rules: &Table) -> Option<InterestLimits> {
    let table = rules.get("interests")?.as_table().expect("a table");
    Some(NAMES.map(|name| table.get(name).map_or(0, |n| n.as_integer().expect("a number") as usize)))
}
