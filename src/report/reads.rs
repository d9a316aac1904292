//! What the rules of a segment read: the kinds of events, the fields that filters look at, and profile attributes. A
//! segment is measurable as far as these are known.
//!
//! It looks at the plan alone; whether something is known, a [`Journal`](super::journal::Journal) counts.

use std::collections::BTreeSet;

use crate::event::{AttributeId, Event, KindId, TextField};
use crate::rules::plan::{
    Condition, DimensionId, Feature, FeatureId, FieldTest, Filter, Linear, Measure, NumberSource, Plan, Segment,
    SeriesId, Test, TextOperand, TextSource,
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
    /// Whether an event without it says something too: no coupon was used, nothing was marked.
    pub fn is_mark(self) -> bool {
        matches!(self, Field::Text(TextField::Coupon) | Field::Discount | Field::Attribute(_))
    }

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

/// What a segment's rules need to be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needs {
    Read(Read),
    /// Everything of these; none of them needs nothing.
    All(Vec<Needs>),
    /// Alternatives (`||`): one of them is enough.
    Any(Vec<Needs>),
}

impl Needs {
    /// Everything that is read, each thing once.
    pub fn reads(&self) -> BTreeSet<Read> {
        let mut found = BTreeSet::new();
        self.gather(&mut found);
        found
    }

    fn gather(&self, found: &mut BTreeSet<Read>) {
        match self {
            Needs::Read(read) => {
                found.insert(*read);
            }
            Needs::All(parts) | Needs::Any(parts) => parts.iter().for_each(|part| part.gather(found)),
        }
    }
}

/// What the segments of a dimension need, in their order.
pub fn of_dimension(plan: &Plan, dimension: DimensionId) -> Vec<Needs> {
    let finder = Finder { plan, own: dimension };
    plan.dimension(dimension).segments.iter().map(|segment| finder.segment(segment)).collect()
}

struct Finder<'p> {
    plan: &'p Plan,
    /// The dimension that is looked at: its own standing needs nothing.
    own: DimensionId,
}

impl Finder<'_> {
    fn segment(&self, segment: &Segment) -> Needs {
        let conditions = std::iter::once(&segment.when).chain(&segment.stay);
        Needs::All(conditions.map(|condition| self.condition(condition)).collect())
    }

    fn condition(&self, condition: &Condition) -> Needs {
        match condition {
            Condition::Constant(_) => Needs::All(Vec::new()),
            Condition::Compare(id) => self.test(&self.plan.comparison(*id).test),
            Condition::Not(part) if self.asks_for_an_attribute(part) => Needs::All(Vec::new()),
            Condition::Not(part) => self.condition(part),
            Condition::All(parts) => Needs::All(parts.iter().map(|part| self.condition(part)).collect()),
            Condition::Any(parts) => Needs::Any(parts.iter().map(|part| self.condition(part)).collect()),
        }
    }

    /// `has(…)`, whose opposite is true of everyone of whom nothing is known.
    fn asks_for_an_attribute(&self, condition: &Condition) -> bool {
        matches!(condition, Condition::Compare(id) if matches!(self.plan.comparison(*id).test, Test::Has(_)))
    }

    fn test(&self, test: &Test) -> Needs {
        match test {
            Test::Linear { left, right, .. } => Needs::All(vec![self.linear(left), self.linear(right)]),
            Test::LinearIn { left, .. } => self.linear(left),
            Test::Text { left, right, .. } => {
                let names: Vec<&str> = [left, right].into_iter().filter_map(literal).collect();
                Needs::All(vec![self.operand(left, &names), self.operand(right, &names)])
            }
            Test::TextIn { left, values } => {
                self.operand(left, &values.iter().map(|value| &**value).collect::<Vec<_>>())
            }
            Test::Flag { attribute, .. } | Test::Has(attribute) => Needs::Read(Read::Profile(*attribute)),
        }
    }

    /// What one side needs that is compared with these names.
    fn operand(&self, operand: &TextOperand, names: &[&str]) -> Needs {
        match operand {
            TextOperand::Literal(_) => Needs::All(Vec::new()),
            TextOperand::Profile(attribute) => Needs::Read(Read::Profile(*attribute)),
            TextOperand::Segment(dimension) if *dimension == self.own => Needs::All(Vec::new()),
            TextOperand::Segment(dimension) => {
                let segments = self.plan.dimension(*dimension).segments.iter();
                let named = segments.filter(|segment| names.contains(&&*segment.name));
                let earlier = Finder { plan: self.plan, own: *dimension };
                Needs::All(named.map(|segment| earlier.segment(segment)).collect())
            }
        }
    }

    fn linear(&self, linear: &Linear) -> Needs {
        Needs::All(linear.terms.iter().map(|(_, feature)| self.feature(*feature)).collect())
    }

    fn feature(&self, id: FeatureId) -> Needs {
        match *self.plan.feature(id) {
            Feature::Window { series, measure, .. } => self.measure(series, measure),
            Feature::Ever { series, .. }
            | Feature::SinceLast(series)
            | Feature::SinceFirst(series)
            | Feature::Gap(series) => self.series(series),
            Feature::Profile(attribute) | Feature::DaysUntil(attribute) => Needs::Read(Read::Profile(attribute)),
            Feature::Score(score) => self.linear(&self.plan.score(score).of),
            // Always known.
            Feature::CustomerAge | Feature::SegmentAge(_) => Needs::All(Vec::new()),
        }
    }

    fn measure(&self, id: SeriesId, measure: Measure) -> Needs {
        let series = &self.plan.series[usize::from(id.0)];
        match measure {
            Measure::Distinct(value) | Measure::Top(value) => {
                let field = Field::Text(series.values[usize::from(value)]);
                Needs::All(vec![self.series(id), Needs::Read(Read::Field(series.kind, field))])
            }
            _ => self.series(id),
        }
    }

    fn series(&self, id: SeriesId) -> Needs {
        let series = &self.plan.series[usize::from(id.0)];
        let kind = Needs::Read(Read::Kind(series.kind));
        let filter = series.filter.iter().map(|filter| of_filter(series.kind, filter));
        Needs::All(std::iter::once(kind).chain(filter).collect())
    }
}

fn literal(operand: &TextOperand) -> Option<&str> {
    if let TextOperand::Literal(name) = operand { Some(name) } else { None }
}

fn of_filter(kind: KindId, filter: &Filter) -> Needs {
    match filter {
        Filter::Constant(_) => Needs::All(Vec::new()),
        Filter::Not(part) => of_filter(kind, part),
        Filter::All(parts) => Needs::All(parts.iter().map(|part| of_filter(kind, part)).collect()),
        Filter::Any(parts) => Needs::Any(parts.iter().map(|part| of_filter(kind, part)).collect()),
        Filter::Test(test) => {
            Needs::All(field_of(test).map(|field| Needs::Read(Read::Field(kind, field))).into_iter().collect())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::rules::load_text;

    /// What the rules of `b` need: `+` for all, `|` for alternatives.
    fn shown(plan: &Plan, needs: &Needs) -> String {
        let joined = |parts: &[Needs], sign: &str| {
            let parts: Vec<String> =
                parts.iter().map(|part| shown(plan, part)).filter(|part| !part.is_empty()).collect();
            if parts.len() > 1 { format!("({})", parts.join(sign)) } else { parts.concat() }
        };
        match needs {
            Needs::Read(read) => read.name(plan),
            Needs::All(parts) => joined(parts, " + "),
            Needs::Any(parts) => joined(parts, " | "),
        }
    }

    const EARLIER: &str = r#"
[score.r]
of = 'purchase.since_last()'
cuts = ["9d"]
[[dimension]]
name = "a"
[[dimension.segment]]
name = "young"
when = 'profile.age < 30'
[[dimension.segment]]
name = "old"
when = 'score.r == 1'
[[dimension]]
name = "b"
[[dimension.segment]]
name = "yes"
"#;

    fn needs_of(when: &str) -> String {
        let plan =
            load_text("segments.toml", &format!("{EARLIER}when = '{when}'\n")).expect("the rules are right").plan;
        shown(&plan, &of_dimension(&plan, DimensionId(1))[0])
    }

    #[test]
    fn rules_need_what_they_read_and_of_alternatives_one() {
        for (when, expected) in [
            (r#"customer.age() > duration("1d")"#, ""),
            ("purchase.count() > 1", "purchase events"),
            ("has(profile.city) || profile.age > 60", "(profile.city | profile.age)"),
            ("!(profile.age > 60) && purchase.sum() > 9", "(profile.age + purchase events)"),
            ("!has(profile.city) && purchase.sum() > 9", "purchase events"),
            (
                r#"purchase.where(category == "a" || brand == "b").count() > 1"#,
                "(purchase events + (category of purchase events | brand of purchase events))",
            ),
            (r#"purchase.distinct(category, "9d") > 1"#, "(purchase events + category of purchase events)"),
            ("purchase.where(hour < 9 && amount > 5).count() > 1", "purchase events"),
            (r#"segment.a == "young""#, "profile.age"),
            (r#"segment.a in ["old"]"#, "purchase events"),
            ("segment.a == \"\"", ""),
            (r#"score.r == 1 && segment.a.age() > duration("1d")"#, "purchase events"),
        ] {
            assert_eq!(needs_of(when), expected, "{when}");
        }
    }
}
