//! Why a record was not taken. A bounded set of reasons, so that they can be metric labels and headers.

use std::borrow::Cow;
use std::fmt;

/// The bounded reason of a reject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Not JSON or Protobuf of the contract's shape.
    Undecodable,
    NoCustomer,
    BadTime,
    /// More than `max_skew` ahead of its record's timestamp.
    Future,
    /// An event or customer id longer than the contract allows.
    IdTooLong,
    MessageTooLarge,
    NoAmount,
    AmountOutOfRange,
    UnknownCurrency,
    UnknownKind,
}

impl Reason {
    pub const ALL: [Reason; 10] = [
        Reason::Undecodable,
        Reason::NoCustomer,
        Reason::BadTime,
        Reason::Future,
        Reason::IdTooLong,
        Reason::MessageTooLarge,
        Reason::NoAmount,
        Reason::AmountOutOfRange,
        Reason::UnknownCurrency,
        Reason::UnknownKind,
    ];

    /// The name in headers, metrics and summaries.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Undecodable => "undecodable",
            Reason::NoCustomer => "no_customer",
            Reason::BadTime => "bad_time",
            Reason::Future => "future",
            Reason::IdTooLong => "id_too_long",
            Reason::MessageTooLarge => "message_too_large",
            Reason::NoAmount => "no_amount",
            Reason::AmountOutOfRange => "amount_out_of_range",
            Reason::UnknownCurrency => "unknown_currency",
            Reason::UnknownKind => "unknown_kind",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A record that was not taken: counted, and kept with its original bytes by whoever read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    pub reason: Reason,
    /// One line for people: which field, what stood there.
    pub detail: Cow<'static, str>,
}

impl Reject {
    pub fn new(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Reject {
        Reject { reason, detail: detail.into() }
    }
}
