//! A message taken apart: one slot for each field of the contract, whatever format it came in.
//!
//! Nothing is judged here: which fields count depends on the kind, which may stand last in a message.

use super::slot::Slot;
use super::{Builtin, TextField};

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

const NAMES: [&str; N_FIELDS] = [
    "event_id",
    "kind",
    "customer_id",
    "time",
    "amount",
    "currency",
    "items",
    "product_id",
    "category",
    "brand",
    "query",
    "rating",
    "channel",
    "country",
    "device",
    "coupon",
    "discount",
    "attributes",
];

impl Field {
    pub fn named(name: &str) -> Option<Field> {
        Some(match name {
            "event_id" => Field::EventId,
            "kind" => Field::Kind,
            "customer_id" => Field::CustomerId,
            "time" => Field::Time,
            "amount" => Field::Amount,
            "currency" => Field::Currency,
            "items" => Field::Items,
            "product_id" => Field::ProductId,
            "category" => Field::Category,
            "brand" => Field::Brand,
            "query" => Field::Query,
            "rating" => Field::Rating,
            "channel" => Field::Channel,
            "country" => Field::Country,
            "device" => Field::Device,
            "coupon" => Field::Coupon,
            "discount" => Field::Discount,
            "attributes" => Field::Attributes,
            _ => return None,
        })
    }

    pub fn name(self) -> &'static str {
        NAMES[self as usize]
    }

    pub fn names() -> &'static [&'static str] {
        &NAMES
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

impl LineField {
    pub fn named(name: &str) -> Option<LineField> {
        Some(match name {
            "product_id" => LineField::ProductId,
            "category" => LineField::Category,
            "brand" => LineField::Brand,
            "quantity" => LineField::Quantity,
            "unit_price" => LineField::UnitPrice,
            "amount" => LineField::Amount,
            "discount" => LineField::Discount,
            _ => return None,
        })
    }
}

/// A line's fields, indexed by [`LineField`].
pub(super) type RawLine<'a> = [Slot<'a>; 7];

/// An event's lines, or its attributes.
#[derive(Debug)]
pub(super) enum Parts<'a, T> {
    /// One JSON value, not yet read.
    Json(Slot<'a>),
    /// Each one's slots.
    Read(Vec<T>),
}

#[derive(Debug)]
pub(super) struct Record<'a> {
    /// Indexed by [`Field`]; `Items` and `Attributes` stay absent here.
    pub slots: [Slot<'a>; N_FIELDS],
    /// Fields beyond the contract that are some kind's amount, by their number in the decoder; the last one wins.
    pub extras: Vec<(u8, Slot<'a>)>,
    pub items: Parts<'a, RawLine<'a>>,
    pub attributes: Parts<'a, (&'a str, Slot<'a>)>,
}

impl<'a> Record<'a> {
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
        for (index, name) in NAMES.into_iter().enumerate() {
            let field = Field::named(name).expect("a field");
            assert_eq!((field as usize, field.name()), (index, name));
        }
        assert_eq!(Field::named("value"), None);
    }
}
