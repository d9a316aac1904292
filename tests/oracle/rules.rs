//! `segments.toml` as the plain evaluator takes rules, by a reader of its own. Takes every configuration for a right one and
//! panics on a wrong one.

use std::collections::BTreeMap;

use jiff::tz::TimeZoneDatabase;
use toml::{Table, Value as Toml};

use dormouse::event::Builtin;
use dormouse::plain::{Decimal, Kind, Rules, Written, WrittenDimension, WrittenScore, WrittenSegment};

use super::decimal::decimal;
use super::event::day_number;
use super::interests;
use super::language::parse;

/// Rules, and what an event is read by.
pub struct Reading {
    pub rules: Rules,
    pub currency: String,
    /// By currency: from which day on (counted from 1970-01-01) one unit is worth how much; in order.
    pub rates: BTreeMap<String, Vec<(i64, Decimal)>>,
    /// By kind, the field that is its amount when it is configured.
    pub amounts: BTreeMap<String, Option<String>>,
}

pub const DAY: i64 = 86_400_000;

/// `1h30m` in ms.
pub fn duration(text: &str) -> i64 {
    let mut total = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).expect("a unit");
        let end = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |end| digits + end);
        let unit = match &rest[digits..end] {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => DAY,
            "w" => 7 * DAY,
            other => panic!("no unit {other}"),
        };
        total += rest[..digits].parse::<i64>().expect("a number") * unit;
        rest = &rest[end..];
    }
    total
}

pub fn load(text: &str) -> Reading {
    let table: Table = text.parse().expect("TOML");
    let zone = table.get("timezone").and_then(Toml::as_str).unwrap_or("UTC");
    let written = Written {
        // The bundled zones, so that an answer does not depend on the machine.
        zone: TimeZoneDatabase::bundled().get(zone).expect("a time zone"),
        kinds: kinds(&table),
        scores: keys(&table, "score").iter().map(|name| score(name, section(section(&table, "score"), name))).collect(),
        dimensions: tables(&table, "dimension").into_iter().map(dimension).collect(),
        interests: interests::limits(&table),
    };
    let amount = |kind: &Kind| {
        let settings = table.get("kind").and_then(|kinds| kinds.get(&kind.name));
        let amount = settings.and_then(|settings| settings.get("amount"));
        (kind.name.clone(), amount.map(|amount| amount.as_str().expect("a string").to_owned()))
    };
    Reading {
        currency: table.get("currency").and_then(Toml::as_str).unwrap_or("EUR").to_owned(),
        rates: rates(&table),
        amounts: written.kinds.iter().map(amount).collect(),
        rules: Rules::new(&written).expect("the rules of a test are right"),
    }
}

fn section<'a>(table: &'a Table, name: &str) -> &'a Table {
    table[name].as_table().expect("a table")
}

fn keys(table: &Table, name: &str) -> Vec<String> {
    table.get(name).map(|_| section(table, name).keys().cloned().collect()).unwrap_or_default()
}

fn tables<'a>(table: &'a Table, name: &str) -> Vec<&'a Table> {
    let list = table.get(name).and_then(Toml::as_array);
    list.into_iter().flatten().map(|one| one.as_table().expect("a table")).collect()
}

fn string(table: &Table, name: &str) -> String {
    table[name].as_str().expect("a string").to_owned()
}

fn kinds(table: &Table) -> Vec<Kind> {
    use Builtin::{Browse, Custom, Feedback, Profile, Purchase, Refund, Search};
    let standard = [
        ("purchase", Purchase),
        ("browse", Browse),
        ("search", Search),
        ("refund", Refund),
        ("feedback", Feedback),
        ("profile", Profile),
    ];
    let configured = keys(table, "kind");
    let added = configured.iter().filter(|name| standard.iter().all(|(known, _)| known != name));
    let names = standard.into_iter().chain(added.map(|name| (name.as_str(), Custom)));
    let kind = |(name, builtin): (&str, Builtin)| {
        let empty = Table::new();
        let is_configured = configured.iter().any(|known| known == name);
        let settings = if is_configured { section(section(table, "kind"), name) } else { &empty };
        let of = |key: &str| settings.get(key).map(|value| value.as_str().expect("a string"));
        let dedup = if name == "browse" || name == "search" { "10m" } else { "24h" };
        Kind {
            name: name.to_owned(),
            builtin,
            resolution: duration(of("resolution").unwrap_or("1s")),
            dedup_window: duration(of("dedup_window").unwrap_or(dedup)),
        }
    };
    names.map(kind).collect()
}

fn rates(table: &Table) -> BTreeMap<String, Vec<(i64, Decimal)>> {
    let dated = |(from, rate): (&String, &Toml)| {
        let day = day_number(from.parse().expect("a date"));
        (day, decimal(rate.as_str().expect("a rate is a string")).expect("a rate"))
    };
    let of_currency = |name: String| {
        let mut dated: Vec<_> = section(section(table, "rates"), &name).iter().map(dated).collect();
        dated.sort_by_key(|(day, _)| *day);
        (name, dated)
    };
    keys(table, "rates").into_iter().map(of_currency).collect()
}

fn score(name: &str, table: &Table) -> WrittenScore {
    let cut = |value: &Toml| match value {
        Toml::String(text) => Decimal::integer(duration(text)),
        Toml::Integer(number) => Decimal::integer(*number),
        Toml::Float(number) => decimal(&number.to_string()).expect("a cut"),
        other => panic!("a cut is a number or a duration: {other}"),
    };
    WrittenScore {
        name: name.to_owned(),
        of: parse(&string(table, "of")),
        cuts: table["cuts"].as_array().expect("a list of cuts").iter().map(cut).collect(),
        falling: table.get("falling").and_then(Toml::as_bool).unwrap_or(false),
    }
}

fn dimension(table: &Table) -> WrittenDimension {
    let segments = tables(table, "segment").into_iter().map(segment).collect();
    WrittenDimension { name: string(table, "name"), segments }
}

fn segment(table: &Table) -> WrittenSegment {
    let of = |key: &str| table.get(key).map(|value| value.as_str().expect("a string"));
    let names = |list: &Toml| {
        let list = list.as_array().expect("a list").iter();
        list.map(|one| one.as_str().expect("a string").to_owned()).collect()
    };
    WrittenSegment {
        name: string(table, "name"),
        when: parse(of("when").expect("a condition")),
        stay: of("stay").map(parse),
        min_stay: of("min_stay").map(duration),
        cooldown: of("cooldown").map(duration),
        from: table.get("from").map(names),
    }
}
