//! What the rules of a segment read: the kinds of events, the fields that filters look at, and profile attributes. A
//! segment is measurable as far as these are known.
//!
//! It looks at the plan alone; whether something is known, a [`Journal`](super::journal::Journal) counts.

use std::collections::BTreeSet;

use crate::event::{AttributeId, Event, KindId, TextField};
use crate::rules::plan::{
    Condition, DimensionId, Feature, FeatureId, FieldTest, Filter, Linear, Measure, NumberSource, Plan, SeriesId, Test,
    TextOperand, TextSource,
};

/// One thing that a rule reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Read {
    /// Events of a kind, whatever is in them.
    Kind(KindId),
    /// A field of a kind's events.
    Field(KindId, Field),
    /// A profile attribute.
    Profile(AttributeId),
}

/// A field that an event may be without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    Text(TextField),
    Rating,
    Discount,
    Attribute(AttributeId),
}

impl Field {
    /// Whether the event has it, or one of its lines.
    pub fn is_known_in(self, event: &Event<'_>) -> bool {
        match self {
            Field::Text(field) => {
                let of_line = |line: &crate::event::Line<'_>| match field {
                    TextField::Product => line.product.is_some(),
                    TextField::Category => line.category.is_some(),
                    TextField::Brand => line.brand.is_some(),
                    _ => false,
                };
                event.text(field).is_some() || event.lines.iter().any(of_line)
            }
            Field::Rating => event.rating.is_some(),
            Field::Discount => event.discount.is_some() || event.lines.iter().any(|line| line.discount.is_some()),
            Field::Attribute(id) => event.attributes.iter().any(|(known, _)| *known == id),
        }
    }
}

impl Read {
    /// As people write it in rules.
    pub fn name(self, plan: &Plan) -> String {
        let kind = |id: KindId| &*plan.schema.kinds[usize::from(id.0)].name;
        let attribute = |id: AttributeId| &*plan.schema.attributes[usize::from(id.0)];
        match self {
            Read::Kind(id) => format!("{} events", kind(id)),
            Read::Field(id, Field::Text(field)) => format!("{} of {} events", field.name(), kind(id)),
            Read::Field(id, Field::Rating) => format!("rating of {} events", kind(id)),
            Read::Field(id, Field::Discount) => format!("discount of {} events", kind(id)),
            Read::Field(id, Field::Attribute(name)) => format!("attributes.{} of {} events", attribute(name), kind(id)),
            Read::Profile(id) => format!("profile.{}", attribute(id)),
        }
    }
}

/// What the segments of a dimension read, each one's set; in the order of the segments.
pub fn of_dimension(plan: &Plan, dimension: DimensionId) -> Vec<BTreeSet<Read>> {
    let segments = &plan.dimension(dimension).segments;
    let read = |segment: &crate::rules::plan::Segment| {
        let mut found = Found { plan, own: dimension, reads: BTreeSet::new() };
        found.condition(&segment.when);
        segment.stay.iter().for_each(|stay| found.condition(stay));
        found.reads
    };
    segments.iter().map(read).collect()
}

struct Found<'p> {
    plan: &'p Plan,
    /// The dimension that is looked at: its own standing is no reading.
    own: DimensionId,
    reads: BTreeSet<Read>,
}

impl Found<'_> {
    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::Constant(_) => {}
            Condition::Compare(id) => self.test(&self.plan.comparison(*id).test),
            Condition::Not(part) => self.condition(part),
            Condition::All(parts) | Condition::Any(parts) => parts.iter().for_each(|part| self.condition(part)),
        }
    }

    fn test(&mut self, test: &Test) {
        match test {
            Test::Linear { left, right, .. } => {
                self.linear(left);
                self.linear(right);
            }
            Test::LinearIn { left, .. } => self.linear(left),
            Test::Text { left, right, .. } => {
                self.operand(left);
                self.operand(right);
            }
            Test::TextIn { left, .. } => self.operand(left),
            Test::Flag { attribute, .. } | Test::Has(attribute) => {
                self.reads.insert(Read::Profile(*attribute));
            }
        }
    }

    fn operand(&mut self, operand: &TextOperand) {
        match operand {
            TextOperand::Literal(_) => {}
            TextOperand::Profile(attribute) => {
                self.reads.insert(Read::Profile(*attribute));
            }
            TextOperand::Segment(dimension) => self.dimension(*dimension),
        }
    }

    /// Whoever reads an earlier dimension reads what that one reads.
    fn dimension(&mut self, dimension: DimensionId) {
        if dimension != self.own {
            self.reads.extend(of_dimension(self.plan, dimension).into_iter().flatten());
        }
    }

    fn linear(&mut self, linear: &Linear) {
        linear.terms.iter().for_each(|(_, feature)| self.feature(*feature));
    }

    fn feature(&mut self, id: FeatureId) {
        match *self.plan.feature(id) {
            Feature::Window { series, measure, .. } => self.measure(series, measure),
            Feature::Ever { series, .. }
            | Feature::SinceLast(series)
            | Feature::SinceFirst(series)
            | Feature::Gap(series) => self.series(series),
            Feature::CustomerAge => {}
            Feature::Profile(attribute) | Feature::DaysUntil(attribute) => {
                self.reads.insert(Read::Profile(attribute));
            }
            Feature::SegmentAge(dimension) => self.dimension(dimension),
            Feature::Score(score) => self.linear(&self.plan.score(score).of),
        }
    }

    fn measure(&mut self, id: SeriesId, measure: Measure) {
        self.series(id);
        let series = &self.plan.series[usize::from(id.0)];
        if let Measure::Distinct(value) | Measure::Top(value) = measure {
            let field = Field::Text(series.values[usize::from(value)]);
            self.reads.insert(Read::Field(series.kind, field));
        }
    }

    fn series(&mut self, id: SeriesId) {
        let series = &self.plan.series[usize::from(id.0)];
        self.reads.insert(Read::Kind(series.kind));
        series.filter.iter().for_each(|filter| self.filter(series.kind, filter));
    }

    fn filter(&mut self, kind: KindId, filter: &Filter) {
        match filter {
            Filter::Constant(_) => {}
            Filter::Not(part) => self.filter(kind, part),
            Filter::All(parts) | Filter::Any(parts) => parts.iter().for_each(|part| self.filter(kind, part)),
            Filter::Test(test) => {
                self.reads.extend(field_of(test).map(|field| Read::Field(kind, field)));
            }
        }
    }
}

/// The field that a filter looks at, when an event may be without it.
fn field_of(test: &FieldTest) -> Option<Field> {
    match test {
        FieldTest::Text { field: TextSource::Field(field), .. } => Some(Field::Text(*field)),
        FieldTest::Text { field: TextSource::Attribute(id), .. } | FieldTest::Flag { attribute: id, .. } => {
            Some(Field::Attribute(*id))
        }
        FieldTest::Text { field: TextSource::Date, .. } => None,
        FieldTest::Number { field, .. } | FieldTest::NumberIn { field, .. } => match field {
            NumberSource::Rating => Some(Field::Rating),
            NumberSource::Discount => Some(Field::Discount),
            NumberSource::Attribute(id) => Some(Field::Attribute(*id)),
            NumberSource::Amount | NumberSource::OrderAmount | NumberSource::Quantity => None,
            NumberSource::Month | NumberSource::Weekday | NumberSource::Hour => None,
        },
    }
}
