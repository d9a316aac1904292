//! A field's value as it stands in a message, before anyone has judged it, and the reads that judge it.
//!
//! It borrows from the message and allocates only for text with escapes. What always holds: a wrong type is an
//! [`Reason::Undecodable`] that names the field.

use std::borrow::Cow;

use super::decimal::DecimalError;
use super::{Amount, Reason, Reject, Scalar, Text};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Slot<'a> {
    /// Not there, or `null`.
    #[default]
    Absent,
    Text(&'a str),
    /// A JSON string in its quotes, with escapes in it.
    Escaped(&'a str),
    /// A number's text.
    Number(&'a str),
    /// A number that came as binary.
    Integer(i64),
    /// Not one variant with a boolean: that would lie beside the tag, and a slot could not be copied word by word.
    True,
    False,
    /// A JSON list's text.
    List(&'a str),
    /// A JSON object's text.
    Object(&'a str),
}

impl<'a> Slot<'a> {
    /// A slot of one JSON value that is known to be well-formed and has no space around it.
    pub fn of_json(raw: &'a str) -> Slot<'a> {
        match raw.as_bytes() {
            [b'"', text @ .., b'"'] if memchr::memchr(b'\\', text).is_none() => Slot::Text(&raw[1..raw.len() - 1]),
            [b'"', ..] => Slot::Escaped(raw),
            [b't', ..] => Slot::True,
            [b'f', ..] => Slot::False,
            [b'[', ..] => Slot::List(raw),
            [b'{', ..] => Slot::Object(raw),
            [b'n', ..] | [] => Slot::Absent,
            _ => Slot::Number(raw),
        }
    }

    /// Text, unescaped.
    #[inline]
    pub fn text(self, name: &str) -> Result<Option<Text<'a>>, Reject> {
        match self {
            Slot::Absent => Ok(None),
            Slot::Text(text) => Ok(Some(Cow::Borrowed(text))),
            Slot::Escaped(quoted) => unescape(quoted, name).map(Some),
            other => Err(other.is_not("text", name)),
        }
    }

    /// The text of a decimal, written as a number or in a string; not yet held against the grammar.
    pub fn decimal_text(self, name: &str) -> Result<Option<Text<'a>>, Reject> {
        match self {
            Slot::Number(text) => Ok(Some(Cow::Borrowed(text))),
            Slot::Integer(integer) => Ok(Some(Cow::Owned(integer.to_string()))),
            Slot::True | Slot::False | Slot::List(_) | Slot::Object(_) => Err(self.is_not("a decimal", name)),
            Slot::Absent | Slot::Text(_) | Slot::Escaped(_) => self.text(name),
        }
    }

    /// A decimal within ±10^10, rounded.
    #[inline]
    pub fn amount(self, name: &str) -> Result<Option<Amount>, Reject> {
        match self {
            Slot::Absent => Ok(None),
            Slot::Number(text) | Slot::Text(text) => match Amount::parse_small(text) {
                Some(amount) if amount.is_within_limit() => Ok(Some(amount)),
                _ => self.unusual_amount(name),
            },
            _ => self.unusual_amount(name),
        }
    }

    #[cold]
    fn unusual_amount(self, name: &str) -> Result<Option<Amount>, Reject> {
        let Some(text) = self.decimal_text(name)? else { return Ok(None) };
        within_limit(Amount::parse(&text), name).map(Some)
    }

    /// A decimal, rounded, that stays within ±9·10^14.
    #[inline]
    pub fn number(self, name: &str) -> Result<Option<Amount>, Reject> {
        match self {
            Slot::Absent => Ok(None),
            Slot::Number(text) | Slot::Text(text) => match Amount::parse_small(text) {
                Some(amount) => Ok(Some(amount)),
                None => self.unusual_number(name),
            },
            _ => self.unusual_number(name),
        }
    }

    #[cold]
    fn unusual_number(self, name: &str) -> Result<Option<Amount>, Reject> {
        let Some(text) = self.decimal_text(name)? else { return Ok(None) };
        Amount::parse_saturating(&text).map(Some).map_err(|error| not_taken(error, name))
    }

    /// An attribute's value.
    pub fn scalar(self, name: &str) -> Result<Scalar<'a>, Reject> {
        match self {
            Slot::Absent => Ok(Scalar::Null),
            Slot::True => Ok(Scalar::Flag(true)),
            Slot::False => Ok(Scalar::Flag(false)),
            Slot::Text(text) => Ok(Scalar::Text(Cow::Borrowed(text))),
            Slot::Escaped(quoted) => unescape(quoted, name).map(Scalar::Text),
            Slot::Number(_) | Slot::Integer(_) => {
                self.number(name).map(|number| number.map_or(Scalar::Null, Scalar::Number))
            }
            Slot::List(_) | Slot::Object(_) => Err(self.is_not("a text, number, boolean or null", name)),
        }
    }

    /// The reject of a wrong type.
    pub fn is_not(self, wanted: &str, name: &str) -> Reject {
        let found = match self {
            Slot::Absent => "absent",
            Slot::Text(_) | Slot::Escaped(_) => "text",
            Slot::Number(_) | Slot::Integer(_) => "a number",
            Slot::True | Slot::False => "a boolean",
            Slot::List(_) => "a list",
            Slot::Object(_) => "an object",
        };
        Reject::new(Reason::Undecodable, format!("`{}` is {found}, not {wanted}", shortened(name)))
    }
}

fn unescape<'a>(quoted: &str, name: &str) -> Result<Text<'a>, Reject> {
    match serde_json::from_str(quoted) {
        Ok(text) => Ok(Cow::Owned(text)),
        Err(error) => Err(Reject::new(Reason::Undecodable, format!("`{}`: {error}", shortened(name)))),
    }
}

/// An amount within ±10^10 units, or the reject that says why it is none.
pub(super) fn within_limit(amount: Result<Amount, DecimalError>, name: &str) -> Result<Amount, Reject> {
    match amount {
        Ok(amount) if amount.is_within_limit() => Ok(amount),
        Ok(amount) => Err(not_taken(DecimalError::OutOfRange { negative: amount < Amount::ZERO }, name)),
        Err(error) => Err(not_taken(error, name)),
    }
}

pub(super) fn not_taken(error: DecimalError, name: &str) -> Reject {
    match error {
        DecimalError::Malformed => Reject::new(Reason::Undecodable, format!("`{}` is not a decimal", shortened(name))),
        DecimalError::OutOfRange { .. } => {
            Reject::new(Reason::AmountOutOfRange, format!("`{}` is beyond ±10^10", shortened(name)))
        }
    }
}

/// At most the first 64 characters of what a message says, for a detail.
pub(super) fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(64) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_value_is_told_by_its_first_byte() {
        for (raw, slot) in [
            ("null", Slot::Absent),
            (r#""""#, Slot::Text("")),
            (r#""web""#, Slot::Text("web")),
            (r#""a\"b""#, Slot::Escaped(r#""a\"b""#)),
            (r#""\\""#, Slot::Escaped(r#""\\""#)),
            ("-1.5e3", Slot::Number("-1.5e3")),
            ("true", Slot::True),
            ("false", Slot::False),
            ("[1]", Slot::List("[1]")),
            ("{}", Slot::Object("{}")),
        ] {
            assert_eq!(Slot::of_json(raw), slot, "{raw}");
        }
    }

    #[test]
    fn text_is_borrowed_unless_it_has_escapes() {
        assert!(matches!(Slot::of_json(r#""web""#).text("channel"), Ok(Some(Cow::Borrowed("web")))));
        let unescaped = Slot::of_json(r#""a\u00e4\n""#).text("channel").expect("a valid escape");
        assert_eq!(unescaped.as_deref(), Some("aä\n"));
        let lone_surrogate = Slot::of_json(r#""\ud800""#).text("channel").expect_err("no character");
        assert_eq!(lone_surrogate.reason, Reason::Undecodable);
    }

    #[test]
    fn a_wrong_type_names_the_field() {
        let reject = Slot::of_json("[1]").amount("amount").expect_err("a list");
        assert_eq!(reject, Reject::new(Reason::Undecodable, "`amount` is a list, not a decimal"));
        let reject = Slot::of_json("7").text(&"x".repeat(100)).expect_err("a number");
        assert_eq!(reject.detail, format!("`{}…` is a number, not text", "x".repeat(64)));
    }
}
