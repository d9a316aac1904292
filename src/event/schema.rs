//! What decoders need to know of the rules: the kinds there are, where a kind's amount stands, which fields and
//! attributes anybody looks at, and the currency rates.

use std::collections::BTreeMap;

use super::{Decimal, Instant};

/// A kind's number in the schema: the six built-in ones first, in the order of [`Builtin`], then the configuration's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct KindId(pub u8);

/// An attribute's number in [`Schema::attributes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttributeId(pub u16);

/// What a kind is by nature: which fields it has and what its amount means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Builtin {
    Purchase,
    Browse,
    Search,
    Refund,
    Feedback,
    Profile,
    /// Added by the configuration; has every field.
    Custom,
}

/// Where a kind's amount stands in its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AmountSource {
    /// The kind has no amounts (browse, search, profile).
    None,
    /// `amount`, and for a purchase or refund else the sum of its lines.
    Amount,
    /// `rating`; absent in feedback: a reject.
    Rating,
    /// Another top-level field of the event, as configured by `[kind.K] amount = "…"`; absent: 0.
    Field(Box<str>),
}

#[derive(Debug, Clone)]
pub struct KindSchema {
    pub name: Box<str>,
    pub builtin: Builtin,
    pub amount: AmountSource,
    /// Whether any rule reads each text field of this kind, indexed by [`super::TextField`].
    pub texts: [bool; super::TextField::ALL.len()],
    /// Whether any rule reads lines (a filter or `distinct` on a purchase or refund).
    pub lines: bool,
    /// Whether any rule reads attributes of this kind (for profile: settings).
    pub attributes: bool,
}

/// A foreign currency's worth in the base currency, from an instant on; sorted by instant.
pub type Rates = BTreeMap<Box<str>, Vec<(Instant, Decimal)>>;

#[derive(Debug, Clone)]
pub struct Schema {
    /// Indexed by [`KindId`].
    pub kinds: Vec<KindSchema>,
    /// The names that filters (`attributes.X`) or rules (`profile.X`) read, sorted; indexed by [`AttributeId`].
    pub attributes: Vec<Box<str>>,
    /// ISO 4217.
    pub currency: Box<str>,
    pub rates: Rates,
}

impl Schema {
    pub fn kind(&self, name: &str) -> Option<KindId> {
        self.kinds.iter().position(|kind| &*kind.name == name).map(|index| KindId(index as u8))
    }

    pub fn attribute(&self, name: &str) -> Option<AttributeId> {
        self.attributes.binary_search_by(|known| (**known).cmp(name)).ok().map(|index| AttributeId(index as u16))
    }
}
