//! The checked plan: what to keep of each customer and how to decide. Built once when a configuration loads; the
//! engine, the decoders and explanations read it. All names are resolved to numbers, all literals to integers.

use crate::event::{Amount, AttributeId, Instant, KindId, Schema, Span, TextField};

/// Index into [`Plan::series`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesId(pub u16);

/// Index into [`Plan::features`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeatureId(pub u16);

/// Index into [`Plan::comparisons`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ComparisonId(pub u16);

/// Index into [`Plan::scores`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScoreId(pub u16);

/// Index into [`Plan::dimensions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DimensionId(pub u8);

/// Index into [`Dimension::segments`]. "In no segment" is `Option::None` around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId(pub u8);

/// Everything that decides. Two plans with the same `version` decide alike.
#[derive(Debug, Clone)]
pub struct Plan {
    /// A hash of the rules' meaning, 16 hex digits: `rules_version` of changes.
    pub version: Box<str>,
    /// Of calendar days, `month`, `weekday`, `hour` and `date`.
    pub zone: jiff::tz::TimeZone,
    /// What decoders keep of an event.
    pub schema: Schema,
    /// Indexed by `KindId`, as `schema.kinds`.
    pub kinds: Vec<Kind>,
    pub series: Vec<Series>,
    pub features: Vec<Feature>,
    /// Profile attributes that rules read (a subset of `schema.attributes`, in their order).
    pub profile: Vec<AttributeId>,
    pub scores: Vec<Score>,
    pub comparisons: Vec<Comparison>,
    pub dimensions: Vec<Dimension>,
    /// Whether changes say why in a sentence. Takes no part in deciding, nor in `version`.
    pub reasons: bool,
    /// What changes offer. Takes no part in deciding; a part of `version` where anything is offered, since more is kept
    /// of customers.
    pub interests: InterestLimits,
}

/// How many of each a change offers at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InterestLimits {
    pub categories: u8,
    pub brands: u8,
    pub queries: u8,
    pub products: u8,
}

impl InterestLimits {
    /// Interests are counted over a customer's last so many items.
    pub const ITEMS_MAX: usize = 32;

    /// Whether anything is offered.
    pub fn any(self) -> bool {
        self != InterestLimits::default()
    }
}

/// How events of a kind are kept.
#[derive(Debug, Clone)]
pub struct Kind {
    /// Times are cut to a multiple of it; it divides a day.
    pub resolution: Span,
    pub dedup_window: Span,
    /// The series that events of this kind can enter.
    pub series: Vec<SeriesId>,
}

/// The events of one kind that pass one filter: what windows are computed over, and which columns are kept.
#[derive(Debug, Clone)]
pub struct Series {
    pub kind: KindId,
    pub filter: Option<Filter>,
    /// The longest window any rule looks at it through; zero: only totals are kept.
    pub longest_window: Span,
    /// Columns that windowed features need of each bucket. The count is always kept.
    pub buckets: Columns,
    /// What features without a window need, kept apart from buckets.
    pub totals: Totals,
    /// Fields whose values are kept in each bucket, for `distinct` and `top`; `Measure::Distinct(i)` indexes it.
    pub values: Vec<TextField>,
}

/// Columns of a bucket beside its time and count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Columns {
    pub sum: bool,
    pub max: bool,
    pub min: bool,
}

/// Totals over all events ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    pub count: bool,
    pub sum: bool,
    pub max: bool,
    pub min: bool,
    pub days: bool,
    pub first: bool,
    pub last: bool,
}

/// A value computed from facts at an instant. Numbers come in 1/10 000, durations in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    /// `K.count(W)` and the like.
    Window {
        series: SeriesId,
        measure: Measure,
        window: Span,
    },
    /// `K.count()` and the like; never `Distinct` or `Top`.
    Ever {
        series: SeriesId,
        measure: Measure,
    },
    SinceLast(SeriesId),
    SinceFirst(SeriesId),
    Gap(SeriesId),
    CustomerAge,
    /// A profile attribute as a number; absent when it is of another type.
    Profile(AttributeId),
    DaysUntil(AttributeId),
    SegmentAge(DimensionId),
    Score(ScoreId),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    Count,
    Sum,
    Avg,
    Max,
    Min,
    Days,
    /// Index into [`Series::values`].
    Distinct(u8),
    /// Index into [`Series::values`].
    Top(u8),
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// Signed counts of 1/10 000.
    Number,
    /// Milliseconds.
    Duration,
}

/// A sum of features with exact coefficients, plus a constant. Value = (Σ coefficient·feature + constant) / `scale`
/// of the comparison or score it stands in, in the unit's own integer (1/10 000 or ms).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Linear {
    /// A term with coefficient zero stays: absent and never pass through it.
    pub terms: Vec<(i128, FeatureId)>,
    pub constant: i128,
}

/// `1 + the number of cuts reached` (or, falling, not reached) by `of`; absent: 0.
#[derive(Debug, Clone)]
pub struct Score {
    pub name: Box<str>,
    pub of: Linear,
    pub unit: Unit,
    /// Strictly ascending, on the scale of `of`.
    pub cuts: Vec<i128>,
    /// All integers of `of` and `cuts` are multiplied by this.
    pub scale: i128,
    pub falling: bool,
}

/// One comparison of a condition, with its text as it stands in the configuration (for evidence).
#[derive(Debug, Clone)]
pub struct Comparison {
    pub text: Box<str>,
    pub test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Test {
    /// Both sides are multiplied by the same `scale` (for showing values; it decides nothing). The sizes are checked
    /// at compile time, so that 128 bits suffice: Σ|coefficient| < 2^62 on each side.
    Linear {
        left: Linear,
        relation: Relation,
        right: Linear,
        unit: Unit,
        scale: i128,
    },
    /// `x in [3, 7]`; the values are on the same scale.
    LinearIn {
        left: Linear,
        values: Vec<i128>,
        unit: Unit,
        scale: i128,
    },
    /// `==` or, negated, `!=`. False when either side is absent.
    Text {
        left: TextOperand,
        negated: bool,
        right: TextOperand,
    },
    TextIn {
        left: TextOperand,
        values: Vec<Box<str>>,
    },
    /// A bare boolean attribute, or one compared with a boolean: holds when it is there and equals `expected`.
    Flag {
        attribute: AttributeId,
        expected: bool,
    },
    /// `has(profile.X)`: any value.
    Has(AttributeId),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TextOperand {
    Literal(Box<str>),
    Profile(AttributeId),
    /// The standing in a dimension; none is `""`.
    Segment(DimensionId),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Relation {
    /// The same with the sides changed.
    pub fn mirrored(self) -> Relation {
        match self {
            Relation::Less => Relation::Greater,
            Relation::LessOrEqual => Relation::GreaterOrEqual,
            Relation::Greater => Relation::Less,
            Relation::GreaterOrEqual => Relation::LessOrEqual,
            Relation::Equal | Relation::NotEqual => self,
        }
    }

    pub fn holds(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Relation::Equal => ordering.is_eq(),
            Relation::NotEqual => ordering.is_ne(),
            Relation::Less => ordering.is_lt(),
            Relation::LessOrEqual => ordering.is_le(),
            Relation::Greater => ordering.is_gt(),
            Relation::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

/// A condition: comparisons joined by `&& || !`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    Constant(bool),
    Compare(ComparisonId),
    Not(Box<Condition>),
    /// Two or more.
    All(Vec<Condition>),
    /// Two or more.
    Any(Vec<Condition>),
}

#[derive(Debug, Clone)]
pub struct Dimension {
    pub name: Box<str>,
    pub segments: Vec<Segment>,
}

#[derive(Debug, Clone)]
pub struct Segment {
    pub name: Box<str>,
    pub when: Condition,
    pub stay: Option<Condition>,
    pub min_stay: Option<Span>,
    pub cooldown: Option<Span>,
    /// Absent: from anywhere. `Some(None)`-like "none" is `from_none`.
    pub from: Option<From>,
    pub label: Option<Box<str>>,
    pub action: Option<Box<str>>,
}

/// The standings a segment can be entered from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct From {
    /// `""` is in the list.
    pub none: bool,
    pub segments: Vec<SegmentId>,
}

/// A filter on one event (or on one of its lines). A comparison with an absent field is false.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Filter {
    Constant(bool),
    Not(Box<Filter>),
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Test(FieldTest),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FieldTest {
    Text {
        field: TextSource,
        test: TextTest,
    },
    Number {
        field: NumberSource,
        relation: Relation,
        value: Amount,
    },
    NumberIn {
        field: NumberSource,
        values: Vec<Amount>,
    },
    /// `attributes.X`, bare or compared with a boolean.
    Flag {
        attribute: AttributeId,
        expected: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TextSource {
    Field(TextField),
    Attribute(AttributeId),
    /// `"MM-DD"` of `t'` in the configured zone.
    Date,
}

/// Literals compared with `query` are already in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TextTest {
    /// `<` and the like only for [`TextSource::Date`].
    Is(Relation, Box<str>),
    In(Vec<Box<str>>),
    Contains(Box<str>),
    StartsWith(Box<str>),
    EndsWith(Box<str>),
}

/// Numeric fields; calendar fields in 1/10 000 too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NumberSource {
    /// The line's, or without lines the kind's.
    Amount,
    /// The event's.
    OrderAmount,
    Rating,
    Quantity,
    Discount,
    Attribute(AttributeId),
    Month,
    Weekday,
    Hour,
}

impl Plan {
    pub fn feature(&self, id: FeatureId) -> &Feature {
        &self.features[id.0 as usize]
    }

    pub fn comparison(&self, id: ComparisonId) -> &Comparison {
        &self.comparisons[id.0 as usize]
    }

    pub fn dimension(&self, id: DimensionId) -> &Dimension {
        &self.dimensions[id.0 as usize]
    }

    pub fn score(&self, id: ScoreId) -> &Score {
        &self.scores[id.0 as usize]
    }

    /// The segment's name; none is `""`, as in rules.
    pub fn segment_name(&self, dimension: DimensionId, segment: Option<SegmentId>) -> &str {
        segment.map_or("", |id| &self.dimension(dimension).segments[id.0 as usize].name)
    }

    /// `t'`: the instant cut to the kind's resolution.
    pub fn cut(&self, kind: KindId, t: Instant) -> Instant {
        t.floor(self.kinds[kind.0 as usize].resolution)
    }
}
