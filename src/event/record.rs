//! A message taken apart: one slot for each field of the contract, whatever format it came in.
//!
//! Nothing is judged here: which fields count depends on the kind, which may stand last in a message.

use super::names::Names;
use super::slot::Slot;
use super::{AttributeId, Builtin, Reject, Scalar, TextField};

/// The contract's fields of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Field {
    EventId,
    Kind,
    CustomerId,
    Time,
    Amount,
    Currency,
    Items,
    ProductId,
    Category,
    Brand,
    Query,
    Rating,
    Channel,
    Country,
    Device,
    Coupon,
    Discount,
    Attributes,
}

pub(super) const N_FIELDS: usize = 18;
const N_LINE_FIELDS: usize = 7;

/// By their names; in the order of [`Field`].
const FIELDS: [(&str, Field); N_FIELDS] = [
    ("event_id", Field::EventId),
    ("kind", Field::Kind),
    ("customer_id", Field::CustomerId),
    ("time", Field::Time),
    ("amount", Field::Amount),
    ("currency", Field::Currency),
    ("items", Field::Items),
    ("product_id", Field::ProductId),
    ("category", Field::Category),
    ("brand", Field::Brand),
    ("query", Field::Query),
    ("rating", Field::Rating),
    ("channel", Field::Channel),
    ("country", Field::Country),
    ("device", Field::Device),
    ("coupon", Field::Coupon),
    ("discount", Field::Discount),
    ("attributes", Field::Attributes),
];

impl Field {
    pub fn named(name: &str) -> Option<Field> {
        FIELDS.into_iter().find(|(known, _)| *known == name).map(|(_, field)| field)
    }

    pub fn name(self) -> &'static str {
        FIELDS[self as usize].0
    }

    /// The contract's names, in its order.
    pub fn names<'a>() -> impl Iterator<Item = &'a str> {
        FIELDS.into_iter().map(|(name, _)| name)
    }

    pub fn of_text(text: TextField) -> Field {
        match text {
            TextField::Product => Field::ProductId,
            TextField::Category => Field::Category,
            TextField::Brand => Field::Brand,
            TextField::Channel => Field::Channel,
            TextField::Country => Field::Country,
            TextField::Device => Field::Device,
            TextField::Coupon => Field::Coupon,
            TextField::Query => Field::Query,
        }
    }

    /// Whether events of a kind have the field; one that they do not have is ignored, whatever stands there.
    pub fn is_of(self, kind: Builtin) -> bool {
        use Builtin::{Browse, Custom, Feedback, Purchase, Refund, Search};
        match self {
            Field::Amount | Field::Currency => matches!(kind, Purchase | Refund | Custom),
            Field::Items => matches!(kind, Purchase | Refund),
            Field::ProductId | Field::Category | Field::Brand => matches!(kind, Purchase | Refund | Browse | Custom),
            Field::Query => matches!(kind, Search | Custom),
            Field::Rating => matches!(kind, Feedback | Custom),
            _ => true,
        }
    }
}

/// The contract's fields of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum LineField {
    ProductId,
    Category,
    Brand,
    Quantity,
    UnitPrice,
    Amount,
    Discount,
}

/// By their names; in the order of [`LineField`].
const LINE_FIELDS: [(&str, LineField); N_LINE_FIELDS] = [
    ("product_id", LineField::ProductId),
    ("category", LineField::Category),
    ("brand", LineField::Brand),
    ("quantity", LineField::Quantity),
    ("unit_price", LineField::UnitPrice),
    ("amount", LineField::Amount),
    ("discount", LineField::Discount),
];

/// What is looked for in a message with names.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    pub event: Names<Key>,
    pub line: Names<LineField>,
    pub attributes: Names<AttributeId>,
    /// Indexed by [`AttributeId`].
    pub attribute_names: Vec<Box<str>>,
}

/// A field that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Field(Field),
    /// One beyond the contract, by its number in the decoder.
    Extra(u8),
}

impl Keys {
    /// The contract's fields, and the `extras` beside them.
    pub fn new(extras: &[Box<str>], names: &[Box<str>]) -> Keys {
        let extras = extras.iter().enumerate().map(|(number, name)| (&**name, Key::Extra(number as u8)));
        let mut keys = Keys {
            event: Names::new(FIELDS.into_iter().map(|(name, field)| (name, Key::Field(field))).chain(extras)),
            line: Names::new(LINE_FIELDS),
            attributes: Names::new([]),
            attribute_names: Vec::new(),
        };
        keys.keep(names);
        keys
    }

    /// Attributes to be kept beside those there are.
    pub fn keep(&mut self, names: &[Box<str>]) {
        self.attribute_names.extend_from_slice(names);
        let numbered = self.attribute_names.iter().zip(0..).map(|(name, number)| (&**name, AttributeId(number)));
        self.attributes = Names::new(numbered);
    }
}

/// A line's fields, indexed by [`LineField`].
pub(super) type RawLine<'a> = [Slot<'a>; N_LINE_FIELDS];

/// An event's lines, or its attributes. It is only in the judging of an event that a fault counts.
#[derive(Debug)]
pub(super) struct Parts<T> {
    /// Those before the first fault.
    pub read: Vec<T>,
    pub fault: Option<Reject>,
}

#[derive(Debug, Default)]
pub(super) struct Record<'a> {
    /// Indexed by [`Field`]; `Items` and `Attributes` stay absent here.
    pub slots: [Slot<'a>; N_FIELDS],
    /// Fields beyond the contract that are some kind's amount; the last one of a number counts.
    pub extras: Vec<(u8, Slot<'a>)>,
    pub lines: Parts<RawLine<'a>>,
    /// Those that rules read.
    pub attributes: Parts<(AttributeId, Scalar<'a>)>,
}

impl<T> Default for Parts<T> {
    fn default() -> Parts<T> {
        Parts { read: Vec::new(), fault: None }
    }
}

impl<'a> Parts<(AttributeId, Scalar<'a>)> {
    /// Takes an attribute if it has an id, in place of an earlier one. `None`: its value is not one, and that is the
    /// fault.
    pub fn put(&mut self, id: Option<AttributeId>, name: &str, slot: Slot<'a>) -> Option<()> {
        let value = slot.scalar(name).map_err(|reject| self.fault = Some(reject)).ok()?;
        if let Some(id) = id {
            match self.read.iter_mut().find(|(known, _)| *known == id) {
                Some((_, earlier)) => *earlier = value,
                None => self.read.push((id, value)),
            }
        }
        Some(())
    }
}

impl<'a> Record<'a> {
    #[inline(always)]
    pub fn put(&mut self, key: Key, slot: Slot<'a>) {
        match key {
            Key::Field(field) => self.slots[field as usize] = slot,
            Key::Extra(number) => self.extras.push((number, slot)),
        }
    }

    pub fn slot(&self, field: Field) -> Slot<'a> {
        self.slots[field as usize]
    }

    pub fn extra(&self, number: u8) -> Slot<'a> {
        self.extras.iter().rev().find(|(known, _)| *known == number).map_or(Slot::Absent, |(_, slot)| *slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_found_by_its_name() {
        let keys = Keys::new(&["value".into()], &["age".into(), "vip".into()]);
        for (index, (name, field)) in FIELDS.into_iter().enumerate() {
            assert_eq!((field as usize, field.name()), (index, name));
            assert_eq!(keys.event.find(name), Some(Key::Field(field)));
        }
        for (index, (name, field)) in LINE_FIELDS.into_iter().enumerate() {
            assert_eq!((field as usize, keys.line.find(name)), (index, Some(field)));
        }
        assert_eq!(keys.event.find("value"), Some(Key::Extra(0)));
        assert_eq!((keys.event.find("vip"), keys.attributes.find("vip")), (None, Some(AttributeId(1))));
    }
}
