//! Rules that can be evaluated: names are numbers, literals are values, and nothing else is worked out.

use jiff::tz::TimeZone;

use super::decimal::Decimal;
use super::filter::Filter;
use super::interests::Limits;
use super::value::Scalar;
use crate::event::Builtin;
use crate::rules::plan::Relation;

/// All that decides.
#[derive(Debug)]
pub struct Rules {
    pub(super) zone: TimeZone,
    /// Events say by number which kind they are.
    pub kinds: Vec<Kind>,
    pub(super) series: Vec<Series>,
    pub(super) scores: Vec<Score>,
    pub dimensions: Vec<Dimension>,
    /// What changes offer, if anything.
    pub(super) interests: Option<Limits>,
    /// The attributes, of profiles and of events, that any rule reads.
    pub attributes: Vec<String>,
}

/// Durations in ms.
#[derive(Debug, Clone)]
pub struct Kind {
    pub name: String,
    pub builtin: Builtin,
    pub resolution: i64,
    pub dedup_window: i64,
}

/// The events of one kind that pass one filter.
#[derive(Debug)]
pub struct Series {
    pub kind: usize,
    pub filter: Option<Filter>,
    pub windows: Vec<i64>,
}

#[derive(Debug)]
pub struct Score {
    pub of: Rule,
    pub cuts: Vec<Decimal>,
    pub falling: bool,
}

#[derive(Debug)]
pub struct Dimension {
    pub name: String,
    pub segments: Vec<Segment>,
}

#[derive(Debug)]
pub struct Segment {
    pub name: String,
    pub(super) when: Rule,
    pub(super) stay: Option<Rule>,
    pub(super) min_stay: Option<i64>,
    pub(super) cooldown: Option<i64>,
    /// Segments by number, none as `None`.
    pub(super) from: Option<Vec<Option<usize>>>,
}

#[derive(Debug, Clone, Copy)]
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

/// The fields whose values can be counted.
pub const FIELDS: [&str; 4] = ["category", "brand", "product", "query"];

#[derive(Debug)]
pub enum Rule {
    Number(Decimal),
    Literal(Scalar),
    Feature {
        series: usize,
        measure: Measure,
        window: Option<i64>,
    },
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
    Compare(Box<Rule>, Relation, Box<Rule>),
    /// `true` stands before terms that are taken away.
    Sum(Vec<(bool, Rule)>),
    Product(Vec<Rule>),
    All(Vec<Rule>),
    Any(Vec<Rule>),
}

impl Rule {
    /// Whether it reads `days_until`, itself.
    pub fn reads_days(&self) -> bool {
        match self {
            Rule::DaysUntil(_) => true,
            Rule::Not(inner) | Rule::Negated(inner) | Rule::In(inner, _) => inner.reads_days(),
            Rule::Compare(left, _, right) => left.reads_days() || right.reads_days(),
            Rule::Sum(terms) => terms.iter().any(|(_, term)| term.reads_days()),
            Rule::Product(parts) | Rule::All(parts) | Rule::Any(parts) => parts.iter().any(Rule::reads_days),
            _ => false,
        }
    }
}

impl Rules {
    /// Whether any rule reads `days_until`.
    pub fn read_days(&self) -> bool {
        let segments = self.dimensions.iter().flat_map(|dimension| &dimension.segments);
        let mut conditions = segments.flat_map(|segment| [Some(&segment.when), segment.stay.as_ref()]).flatten();
        conditions.any(Rule::reads_days) || self.scores.iter().any(|score| score.of.reads_days())
    }
}
