//! Whether an event, or one of its lines, passes a filter (SPEC 5, "Filters"), and what it then adds to a series.

use std::cell::OnceCell;

use crate::event::{Amount, Event, Instant, Line, Scalar, TextField};
use crate::rules::calendar::{Calendar, Local};
use crate::rules::plan::{FieldTest, Filter, NumberSource, Relation, TextSource, TextTest};

/// An event while series look at it.
pub struct Candidate<'a> {
    pub event: &'a Event<'a>,
    /// `t'`.
    pub time: Instant,
    pub calendar: &'a Calendar,
    local: OnceCell<Local>,
}

/// An event without lines, or one line of it.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    pub event: &'a Event<'a>,
    pub line: Option<&'a Line<'a>>,
}

impl<'a> Part<'a> {
    pub fn text(self, field: TextField) -> Option<&'a str> {
        match (self.line, field) {
            (Some(line), TextField::Product) => line.product.as_deref(),
            (Some(line), TextField::Category) => line.category.as_deref(),
            (Some(line), TextField::Brand) => line.brand.as_deref(),
            _ => self.event.text(field),
        }
    }

    /// The line's amount, or without lines the kind's.
    pub fn amount(self) -> Option<Amount> {
        match self.line {
            Some(line) => line.amount,
            None => self.event.amount,
        }
    }

    fn quantity(self) -> Option<Amount> {
        self.line.map(|line| line.quantity)
    }

    fn discount(self) -> Option<Amount> {
        match self.line {
            Some(line) => line.discount,
            None => self.event.discount,
        }
    }
}

impl<'a> Candidate<'a> {
    pub fn new(event: &'a Event<'a>, time: Instant, calendar: &'a Calendar) -> Candidate<'a> {
        Candidate { event, time, calendar, local: OnceCell::new() }
    }

    /// The event's lines, or the event itself when it has none.
    pub fn parts(&self) -> impl Iterator<Item = Part<'a>> + Clone + use<'a> {
        let event = self.event;
        let whole = event.lines.is_empty().then_some(Part { event, line: None });
        event.lines.iter().map(move |line| Part { event, line: Some(line) }).chain(whole)
    }

    pub fn passes(&self, filter: &Filter, part: Part) -> bool {
        match filter {
            Filter::Constant(holds) => *holds,
            Filter::Not(inner) => !self.passes(inner, part),
            Filter::All(filters) => filters.iter().all(|filter| self.passes(filter, part)),
            Filter::Any(filters) => filters.iter().any(|filter| self.passes(filter, part)),
            Filter::Test(test) => self.test(test, part),
        }
    }

    fn test(&self, test: &FieldTest, part: Part) -> bool {
        match test {
            FieldTest::Text { field, test } => self.test_text(*field, test, part),
            FieldTest::Number { field, relation, value } => {
                self.number(*field, part).is_some_and(|number| relation.holds(number.cmp(value)))
            }
            FieldTest::NumberIn { field, values } => {
                self.number(*field, part).is_some_and(|number| values.contains(&number))
            }
            FieldTest::Flag { attribute, expected } => {
                matches!(attribute_of(part.event, *attribute), Some(Scalar::Flag(flag)) if flag == expected)
            }
        }
    }

    fn test_text(&self, field: TextSource, test: &TextTest, part: Part) -> bool {
        match field {
            TextSource::Field(field) => part.text(field).is_some_and(|text| text_passes(text, test)),
            TextSource::Attribute(attribute) => match attribute_of(part.event, attribute) {
                Some(Scalar::Text(text)) => text_passes(text, test),
                _ => false,
            },
            TextSource::Date => {
                let Local { month, day, .. } = self.local();
                let [tens, ones] = [month, day].map(|n| n as u8).map(|n| [b'0' + n / 10, b'0' + n % 10]);
                let date = [tens[0], tens[1], b'-', ones[0], ones[1]];
                text_passes(std::str::from_utf8(&date).expect("digits"), test)
            }
        }
    }

    fn number(&self, source: NumberSource, part: Part) -> Option<Amount> {
        let calendar = |n: i8| Some(Amount(i64::from(n) * Amount::ONE.0));
        match source {
            NumberSource::Amount => part.amount(),
            NumberSource::OrderAmount => part.event.amount,
            NumberSource::Rating => part.event.rating,
            NumberSource::Quantity => part.quantity(),
            NumberSource::Discount => part.discount(),
            NumberSource::Attribute(attribute) => match attribute_of(part.event, attribute) {
                Some(Scalar::Number(number)) => Some(*number),
                _ => None,
            },
            NumberSource::Month => calendar(self.local().month),
            NumberSource::Weekday => calendar(self.local().weekday),
            NumberSource::Hour => calendar(self.local().hour),
        }
    }

    fn local(&self) -> Local {
        *self.local.get_or_init(|| self.calendar.local(self.time))
    }
}

fn attribute_of<'a>(event: &'a Event, attribute: crate::event::AttributeId) -> Option<&'a Scalar<'a>> {
    event.attributes.iter().find(|(known, _)| *known == attribute).map(|(_, value)| value)
}

fn text_passes(text: &str, test: &TextTest) -> bool {
    match test {
        TextTest::Is(Relation::Equal, literal) => text == &**literal,
        TextTest::Is(relation, literal) => relation.holds(text.as_bytes().cmp(literal.as_bytes())),
        TextTest::In(literals) => literals.iter().any(|literal| text == &**literal),
        TextTest::Contains(literal) => text.contains(&**literal),
        TextTest::StartsWith(literal) => text.starts_with(&**literal),
        TextTest::EndsWith(literal) => text.ends_with(&**literal),
    }
}
