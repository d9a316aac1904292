//! What a customer did: one event, decoded, borrowing from the message it came in.
//!
//! This room knows formats and the limits of a record. It does not know rules: a [`Schema`] tells it which fields
//! anybody will look at, and it keeps only those. A bad record is an outcome ([`Reject`]), never an error or a panic.

mod amount;
mod decimal;
mod decoder;
mod instant;
mod json;
mod money;
mod names;
mod protobuf;
mod record;
mod reject;
mod schema;
mod slot;
mod time;
pub mod wire;

use std::borrow::Cow;

pub use amount::Amount;
pub use decimal::{Decimal, DecimalError};
pub use decoder::{Decoder, Format, MAX_CUSTOMER_BYTES, MAX_EVENT_ID_BYTES, MAX_MESSAGE_BYTES};
pub use instant::{Instant, Span};
pub use reject::{Reason, Reject};
pub use schema::{AmountSource, AttributeId, Builtin, KindId, KindSchema, Rates, Schema};

/// Text of an event: borrowed from the message unless it had escapes in it.
pub type Text<'a> = Cow<'a, str>;

/// The text fields that a filter or `distinct`/`top` may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TextField {
    Product,
    Category,
    Brand,
    Channel,
    Country,
    Device,
    Coupon,
    /// In lower case (Unicode default), as decoders hand it over.
    Query,
}

impl TextField {
    pub const ALL: [TextField; 8] = [
        TextField::Product,
        TextField::Category,
        TextField::Brand,
        TextField::Channel,
        TextField::Country,
        TextField::Device,
        TextField::Coupon,
        TextField::Query,
    ];

    /// The field's name in rules (`product` is `product_id` in events).
    pub fn name(self) -> &'static str {
        match self {
            TextField::Product => "product",
            TextField::Category => "category",
            TextField::Brand => "brand",
            TextField::Channel => "channel",
            TextField::Country => "country",
            TextField::Device => "device",
            TextField::Coupon => "coupon",
            TextField::Query => "query",
        }
    }

    /// Whether events of a kind have the field.
    pub fn is_of(self, kind: Builtin) -> bool {
        record::Field::of_text(self).is_of(kind)
    }
}

/// The names of all fields of the contract.
pub fn field_names<'a>() -> impl Iterator<Item = &'a str> {
    record::Field::names()
}

/// Whether events of a kind have a field of the contract; `None`: the contract has no such field.
pub fn has_field(kind: Builtin, name: &str) -> Option<bool> {
    record::Field::named(name).map(|field| field.is_of(kind))
}

/// One thing a customer did. Fields that the schema does not ask for, or that the kind does not have, are absent.
#[derive(Debug, Clone, Default)]
pub struct Event<'a> {
    pub kind: KindId,
    /// `t`: order and `effective_at` use it; features use it cut to the kind's resolution.
    pub time: Instant,
    /// 1 to 256 bytes.
    pub customer: Text<'a>,
    /// Absent (or empty in the message): never a duplicate.
    pub id: Option<Text<'a>>,
    /// The kind's amount in the base currency: the event's own, else the sum of its lines, a refund's as its
    /// magnitude; feedback's is its rating. Kinds that have none: `None`. Zero where a custom kind's is absent.
    pub amount: Option<Amount>,
    /// Indexed by [`TextField`].
    pub texts: [Option<Text<'a>>; TextField::ALL.len()],
    pub rating: Option<Amount>,
    pub discount: Option<Amount>,
    /// Lines of a purchase or refund; their text fields are already filled from the event where missing.
    pub lines: Vec<Line<'a>>,
    /// Those of the schema's attributes that the event carries. For a profile event these are the settings, where
    /// [`Scalar::Null`] removes one; for other kinds they are more fields for filters.
    pub attributes: Vec<(AttributeId, Scalar<'a>)>,
}

impl Event<'_> {
    pub fn text(&self, field: TextField) -> Option<&str> {
        self.texts[field as usize].as_deref()
    }
}

/// One line of a purchase or refund.
#[derive(Debug, Clone, Default)]
pub struct Line<'a> {
    pub product: Option<Text<'a>>,
    pub category: Option<Text<'a>>,
    pub brand: Option<Text<'a>>,
    /// One where the line says nothing.
    pub quantity: Amount,
    /// The line's own amount with its sign, else unit price times quantity, in the base currency; absent with
    /// neither (it then counts 0 in sums).
    pub amount: Option<Amount>,
    pub discount: Option<Amount>,
}

/// An attribute's value. Numbers are rounded like amounts and stay within ±9·10^14.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar<'a> {
    Null,
    Text(Text<'a>),
    Number(Amount),
    Flag(bool),
}
