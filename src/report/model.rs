//! A report as data: what `--json` writes, and what the tables and the page are drawn from. docs/report.md says what
//! each field means; a field that changes its meaning or goes away raises [`SHAPE`].
//!
//! Shares and rates are fractions rounded to six decimals, money is in units of the base currency, lengths are in
//! milliseconds, and what cannot be said is `null`.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::event::{Instant, Span};

/// The version of the shape.
pub const SHAPE: u32 = 1;

/// Everything that is said of a history under one set of rules.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// [`SHAPE`].
    pub report: u32,
    pub rules_version: String,
    pub currency: String,
    pub timezone: String,
    pub period: Period,
    pub history: HistoryFacts,
    /// Money of the value window, of all customers.
    pub value: Money,
    pub dimensions: Vec<Dimension>,
    pub overlaps: Vec<Overlap>,
    pub findings: Vec<Finding>,
    /// With other rules, when there are any to compare with.
    pub comparison: Option<Comparison>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Period {
    /// The end of the time before; `null`: from the first event on.
    pub from: Option<Time>,
    pub first_event: Option<Time>,
    pub until: Time,
    #[serde(rename = "every_ms")]
    pub every: Length,
    #[serde(rename = "value_window_ms")]
    pub value_window: Length,
    #[serde(rename = "growth_window_ms")]
    pub growth_window: Length,
    #[serde(rename = "flap_window_ms")]
    pub flap_window: Length,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HistoryFacts {
    pub events: u64,
    pub duplicates: u64,
    pub rejects: u64,
    pub not_read: u64,
    pub customers: u64,
    pub changes: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Dimension {
    pub name: String,
    /// At the end; `none` too.
    pub sizes: BTreeMap<String, u64>,
    /// In the order of the rules, then `none`.
    pub segments: Vec<Segment>,
    pub series: Vec<Sample>,
    /// Moves in the period, in the order of the segments.
    pub flows: Vec<Flow>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Segment {
    pub name: String,
    pub label: Option<String>,
    pub action: Option<String>,
    pub size: u64,
    pub share: Share,
    pub value: Money,
    pub value_share: Option<Share>,
    pub value_per_customer: Option<Money>,
    pub size_before: u64,
    pub growth: Option<Share>,
    pub entered: u64,
    pub left: u64,
    pub size_mean: Option<Share>,
    /// Leavings in 30 days, as a share of who is there.
    pub flow: Option<Share>,
    pub dwell: Dwell,
    pub flaps: Flaps,
    pub buying: Buying,
    pub regions: Vec<Region>,
    pub habits: Vec<Habits>,
    /// Not of `none`.
    pub attractiveness: Option<Attractiveness>,
    pub tests: Option<Tests>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Dwell {
    pub stays: u64,
    pub ended: u64,
    #[serde(rename = "median_ms")]
    pub median: Option<Length>,
    #[serde(rename = "p90_ms")]
    pub p90: Option<Length>,
    #[serde(rename = "median_of_ended_ms")]
    pub median_of_ended: Option<Length>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Flaps {
    pub flaps: u64,
    pub left_observed: u64,
    pub flaps_observed: u64,
    pub rate: Option<Share>,
}

/// What those who are there bought in the period.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Buying {
    pub buyers: u64,
    pub orders: u64,
    pub refunds: u64,
    /// For the orders.
    pub paid: Money,
    pub refunded: Money,
    pub orders_per_buyer: Option<Share>,
    pub order_value: Option<Money>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Region {
    /// `null`: not known.
    pub name: Option<String>,
    pub customers: u64,
    pub share: Share,
    pub value: Money,
    pub value_share: Option<Share>,
}

/// What was bought, by one field.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Habits {
    pub field: String,
    pub values: Vec<Habit>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Habit {
    pub name: String,
    pub buyers: u64,
    pub orders: u64,
    pub paid: Money,
    /// Less what was sent back.
    pub money: Money,
    /// Of the segment's customers.
    pub buyers_share: Option<Share>,
}

/// From 0 to 100, the parts too.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Attractiveness {
    pub rank: u32,
    pub score: Share,
    pub size: Share,
    pub value: Share,
    pub growth: Share,
    pub stability: Share,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tests {
    pub measurable: Verdict,
    pub reachable: Verdict,
    pub stable: Verdict,
    pub large_enough: Verdict,
}

impl Tests {
    /// In the order in which they are shown.
    pub fn named(&self) -> [(&'static str, &Verdict); 4] {
        [
            ("measurable", &self.measurable),
            ("reachable", &self.reachable),
            ("stable", &self.stable),
            ("large enough", &self.large_enough),
        ]
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// `null`: cannot be said, or is not asked for.
    pub passes: Option<bool>,
    pub measures: Vec<Measure>,
}

/// One number against its bound.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measure {
    pub name: String,
    pub unit: Unit,
    pub value: Option<Share>,
    pub min: Option<Share>,
    pub max: Option<Share>,
    pub passes: Option<bool>,
}

/// What a measure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    Share,
    Customers,
    Events,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sample {
    pub at: Time,
    pub customers: u64,
    pub sizes: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Flow {
    pub from: String,
    pub to: String,
    pub moves: u64,
    pub customers: u64,
}

/// Who is where in two dimensions at the end.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Overlap {
    pub dimensions: [String; 2],
    /// Cells with nobody are left out.
    pub cells: Vec<Cell>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cell {
    pub segments: [String; 2],
    pub customers: u64,
}

/// A test that a segment fails.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    pub dimension: String,
    pub segment: String,
    pub test: String,
    pub text: String,
}

/// The same history under two sets of rules: these (`one`) and others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The rules of the report.
    pub one: Side,
    pub other: Side,
    /// Of the dimensions that both have.
    pub dimensions: Vec<Difference>,
    pub only_in_one: Vec<String>,
    pub only_in_other: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// As it was named.
    pub rules: String,
    pub rules_version: String,
}

/// How one dimension differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    pub dimension: String,
    /// Customers whose standing differs at the end.
    pub differ: u64,
    /// Customers whose standing ever differed in the period.
    pub ever_differed: u64,
    /// When the first of them did.
    pub first: Option<Time>,
    pub sizes: Vec<SizePair>,
    /// Who is where at the end; pairs with nobody are left out.
    pub cells: Vec<Pair>,
    /// Those who differ at the end, by since when, at most as many as asked for.
    pub customers: Vec<Differs>,
}

/// A segment's size under both; `null` where the rules have no such segment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SizePair {
    pub segment: String,
    pub one: Option<u64>,
    pub other: Option<u64>,
}

/// `null`: the customer is not there, since the rules take none of their events.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    pub one: Option<String>,
    pub other: Option<String>,
    pub customers: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Differs {
    pub customer_id: String,
    pub one: Option<String>,
    pub other: Option<String>,
    /// From then on their standings were never the same again.
    pub since: Time,
    pub first_differed: Time,
}

/// In 1/10 000 of the base currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Money(pub i128);

impl Money {
    pub fn units(self) -> f64 {
        self.0 as f64 / 10_000.0
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.units())
    }
}

/// A fraction, or another ratio.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Share(pub f64);

impl Share {
    /// `None` of nothing.
    pub fn of(part: i128, whole: i128) -> Option<Share> {
        (whole > 0).then(|| Share(part as f64 / whole as f64))
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64((self.0 * 1e6).round() / 1e6)
    }
}

/// RFC 3339 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Instant);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// In milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Length(pub Span);

impl Serialize for Length {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0.0)
    }
}

impl Report {
    pub fn dimension(&self, name: &str) -> Option<&Dimension> {
        self.dimensions.iter().find(|dimension| dimension.name == name)
    }
}

impl Dimension {
    pub fn segment(&self, name: &str) -> Option<&Segment> {
        self.segments.iter().find(|segment| segment.name == name)
    }
}
