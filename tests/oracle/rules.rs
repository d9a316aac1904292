//! `segments.toml` as rules that can be evaluated. Takes every configuration for a right one and panics on a wrong one.

use std::collections::BTreeMap;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use toml::{Table, Value as Toml};

use super::decimal::Decimal;
use super::event::day_number;
use super::interests::{self, Limits};
use super::language::{Operator, Tree, parse};
use super::value::Value;

pub struct Rules {
    pub zone: TimeZone,
    pub currency: String,
    pub kinds: BTreeMap<String, Kind>,
    /// By currency: from which day on (counted from 1970-01-01) one unit is worth how much; in order.
    pub rates: BTreeMap<String, Vec<(i64, Decimal)>>,
    pub series: Vec<Series>,
    pub scores: Vec<Score>,
    pub dimensions: Vec<Dimension>,
    pub interests: Option<Limits>,
}

/// Durations in ms.
pub struct Kind {
    pub resolution: i64,
    pub dedup_window: i64,
    pub amount: Option<String>,
}

pub struct Series {
    pub kind: String,
    pub filter: Option<Tree>,
    pub windows: Vec<i64>,
}

pub struct Score {
    pub of: Rule,
    pub cuts: Vec<Decimal>,
    pub falling: bool,
}

pub struct Dimension {
    pub name: String,
    pub segments: Vec<Segment>,
}

pub struct Segment {
    pub name: String,
    pub when: Rule,
    pub stay: Option<Rule>,
    pub min_stay: Option<i64>,
    pub cooldown: Option<i64>,
    /// Segments by number, none as `None`.
    pub from: Option<Vec<Option<usize>>>,
}

#[derive(Clone, Copy, Debug)]
pub enum Measure {
    Count,
    Sum,
    Avg,
    Max,
    Min,
    Days,
    SinceLast,
    SinceFirst,
    Gap,
    /// By number in `FIELDS`.
    Distinct(usize),
    Top(usize),
}

pub const FIELDS: [&str; 4] = ["category", "brand", "product", "query"];

pub enum Rule {
    Known(Value),
    Feature { series: usize, measure: Measure, window: Option<i64> },
    CustomerAge,
    Profile(String),
    HasProfile(String),
    DaysUntil(String),
    Segment(usize),
    SegmentAge(usize),
    Score(usize),
    Not(Box<Rule>),
    Negated(Box<Rule>),
    In(Box<Rule>, Vec<Rule>),
    Binary(Operator, Box<Rule>, Box<Rule>),
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

pub fn load(text: &str) -> Rules {
    let table: Table = text.parse().expect("TOML");
    let zone = table.get("timezone").and_then(Toml::as_str).unwrap_or("UTC");
    let mut loader = Loader {
        kinds: kinds(&table),
        score_names: keys(&table, "score"),
        dimension_names: tables(&table, "dimension").iter().map(|one| string(one, "name")).collect(),
        series: Vec::new(),
    };
    let scores =
        loader.score_names.clone().iter().map(|name| loader.score(section(&table, "score")[name].as_table())).collect();
    let dimensions = tables(&table, "dimension").into_iter().map(|one| loader.dimension(one)).collect();
    Rules {
        // The bundled zones, so that an answer does not depend on the machine.
        zone: TimeZoneDatabase::bundled().get(zone).expect("a time zone"),
        currency: table.get("currency").and_then(Toml::as_str).unwrap_or("EUR").to_owned(),
        kinds: loader.kinds,
        rates: rates(&table),
        series: loader.series,
        scores,
        dimensions,
        interests: interests::limits(&table),
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

fn kinds(table: &Table) -> BTreeMap<String, Kind> {
    let standard = ["purchase", "browse", "search", "refund", "feedback", "profile"].map(str::to_owned);
    let configured = keys(table, "kind");
    let names = standard.into_iter().chain(configured.iter().cloned());
    let kind = |name: String| {
        let empty = Table::new();
        let settings = if configured.contains(&name) { section(section(table, "kind"), &name) } else { &empty };
        let of = |key: &str| settings.get(key).map(|value| value.as_str().expect("a string"));
        let dedup = if name == "browse" || name == "search" { "10m" } else { "24h" };
        let kind = Kind {
            resolution: duration(of("resolution").unwrap_or("1s")),
            dedup_window: duration(of("dedup_window").unwrap_or(dedup)),
            amount: of("amount").map(str::to_owned),
        };
        (name, kind)
    };
    names.map(kind).collect()
}

fn rates(table: &Table) -> BTreeMap<String, Vec<(i64, Decimal)>> {
    let dated = |(from, rate): (&String, &Toml)| {
        let day = day_number(from.parse().expect("a date"));
        (day, Decimal::parse(rate.as_str().expect("a rate is a string")).expect("a rate"))
    };
    let of_currency = |name: String| {
        let mut dated: Vec<_> = section(section(table, "rates"), &name).iter().map(dated).collect();
        dated.sort_by_key(|(day, _)| *day);
        (name, dated)
    };
    keys(table, "rates").into_iter().map(of_currency).collect()
}

struct Loader {
    kinds: BTreeMap<String, Kind>,
    score_names: Vec<String>,
    dimension_names: Vec<String>,
    series: Vec<Series>,
}

fn position(names: &[String], name: &str) -> usize {
    names.iter().position(|one| one == name).unwrap_or_else(|| panic!("no {name}"))
}

impl Loader {
    fn score(&mut self, table: Option<&Table>) -> Score {
        let table = table.expect("a table");
        let cut = |value: &Toml| match value {
            Toml::String(text) => Decimal::integer(duration(text)),
            Toml::Integer(number) => Decimal::integer(*number),
            Toml::Float(number) => Decimal::parse(&number.to_string()).expect("a cut"),
            other => panic!("a cut is a number or a duration: {other}"),
        };
        Score {
            of: self.rule(&parse(&string(table, "of"))),
            cuts: table["cuts"].as_array().expect("a list of cuts").iter().map(cut).collect(),
            falling: table.get("falling").and_then(Toml::as_bool).unwrap_or(false),
        }
    }

    fn dimension(&mut self, table: &Table) -> Dimension {
        let segments = tables(table, "segment");
        let names: Vec<String> = segments.iter().map(|segment| string(segment, "name")).collect();
        Dimension {
            name: string(table, "name"),
            segments: segments.into_iter().map(|segment| self.segment(segment, &names)).collect(),
        }
    }

    fn segment(&mut self, table: &Table, names: &[String]) -> Segment {
        let of = |key: &str| table.get(key).map(|value| value.as_str().expect("a string"));
        let from = table.get("from").map(|list| {
            let list = list.as_array().expect("a list").iter().map(|one| one.as_str().expect("a string"));
            list.map(|name| (!name.is_empty()).then(|| position(names, name))).collect()
        });
        Segment {
            name: string(table, "name"),
            when: self.rule(&parse(of("when").expect("a condition"))),
            stay: of("stay").map(|text| self.rule(&parse(text))),
            min_stay: of("min_stay").map(duration),
            cooldown: of("cooldown").map(duration),
            from,
        }
    }

    fn boxed(&mut self, tree: &Tree) -> Box<Rule> {
        Box::new(self.rule(tree))
    }

    fn rule(&mut self, tree: &Tree) -> Rule {
        match tree {
            Tree::Number(number) => Rule::Known(Value::number(*number)),
            Tree::Text(text) => Rule::Known(Value::Text(text.clone())),
            Tree::Truth(truth) => Rule::Known(Value::Truth(*truth)),
            Tree::Not(inner) => Rule::Not(self.boxed(inner)),
            Tree::Negate(inner) => Rule::Negated(self.boxed(inner)),
            Tree::Binary(Operator::In, left, list) => {
                let Tree::List(elements) = list.as_ref() else { panic!("`in` needs a list: {tree:?}") };
                Rule::In(self.boxed(left), elements.iter().map(|element| self.rule(element)).collect())
            }
            Tree::Binary(operator, left, right) => Rule::Binary(*operator, self.boxed(left), self.boxed(right)),
            Tree::Member(of, name) => self.member(of, name),
            Tree::Call(None, function, arguments) => match (function.as_str(), arguments.as_slice()) {
                ("duration", [Tree::Text(text)]) => Rule::Known(Value::number(Decimal::integer(duration(text)))),
                ("has", [Tree::Member(_, name)]) => Rule::HasProfile(name.clone()),
                _ => panic!("no function {function}"),
            },
            Tree::Call(Some(of), method, arguments) => self.call(of, method, arguments),
            Tree::Name(_) | Tree::List(_) => panic!("no condition: {tree:?}"),
        }
    }

    fn member(&self, of: &Tree, name: &str) -> Rule {
        match of {
            Tree::Name(of) if of == "profile" => Rule::Profile(name.to_owned()),
            Tree::Name(of) if of == "segment" => Rule::Segment(position(&self.dimension_names, name)),
            Tree::Name(of) if of == "score" => Rule::Score(position(&self.score_names, name)),
            other => panic!("{other:?} has no {name}"),
        }
    }

    fn call(&mut self, of: &Tree, method: &str, arguments: &[Tree]) -> Rule {
        match (of, method) {
            (Tree::Name(of), "age") if of == "customer" => Rule::CustomerAge,
            (Tree::Member(_, dimension), "age") => Rule::SegmentAge(position(&self.dimension_names, dimension)),
            (Tree::Member(_, attribute), "days_until") => Rule::DaysUntil(attribute.clone()),
            _ => self.feature(of, method, arguments),
        }
    }

    fn feature(&mut self, of: &Tree, method: &str, arguments: &[Tree]) -> Rule {
        let (kind, filter) = filtered(of);
        let window = arguments.last().and_then(|last| match last {
            Tree::Text(text) => Some(duration(text)),
            _ => None,
        });
        let field = || match arguments.first() {
            Some(Tree::Name(name)) => FIELDS.iter().position(|field| field == name).expect("a field"),
            other => panic!("no field: {other:?}"),
        };
        let measure = match method {
            "count" => Measure::Count,
            "sum" => Measure::Sum,
            "avg" => Measure::Avg,
            "max" => Measure::Max,
            "min" => Measure::Min,
            "days" => Measure::Days,
            "since_last" => Measure::SinceLast,
            "since_first" => Measure::SinceFirst,
            "gap" => Measure::Gap,
            "distinct" => Measure::Distinct(field()),
            "top" => Measure::Top(field()),
            other => panic!("no feature {other}"),
        };
        Rule::Feature { series: self.series(kind, filter, window), measure, window }
    }

    fn series(&mut self, kind: String, filter: Option<Tree>, window: Option<i64>) -> usize {
        assert!(self.kinds.contains_key(&kind), "no kind {kind}");
        let known = self.series.iter().position(|series| series.kind == kind && series.filter == filter);
        let number = known.unwrap_or_else(|| {
            self.series.push(Series { kind, filter, windows: Vec::new() });
            self.series.len() - 1
        });
        let windows = &mut self.series[number].windows;
        windows.extend(window.filter(|window| !windows.contains(window)));
        number
    }
}

/// `K` or `K.where(F)`; several `where` count as one with all of them.
fn filtered(of: &Tree) -> (String, Option<Tree>) {
    match of {
        Tree::Name(kind) => (kind.clone(), None),
        Tree::Call(Some(of), method, arguments) if method == "where" => {
            let [added] = arguments.as_slice() else { panic!("where takes one condition") };
            let (kind, filter) = filtered(of);
            let both = |first| Tree::Binary(Operator::And, Box::new(first), Box::new(added.clone()));
            (kind, Some(filter.map_or(added.clone(), both)))
        }
        other => panic!("no events: {other:?}"),
    }
}
