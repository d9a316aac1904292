//! Events in JSON: a message taken apart into slots that borrow from it, numbers as their text.
//!
//! Unknown fields are skipped (they must be well-formed); of a field that stands twice, the last one counts. It does
//! not know which fields a kind has.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::record::{Field, LineField, Parts, RawLine, Record};
use super::slot::{Slot, shortened};
use super::{Reason, Reject};

/// Takes a message apart. `extras` are the names of fields beyond the contract that are wanted.
pub(super) fn read<'a>(bytes: &'a [u8], extras: &[Box<str>]) -> Result<Record<'a>, Reject> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Reject::new(Reason::Undecodable, format!("not UTF-8 from byte {} on", error.valid_up_to())))?;
    let mut record = Record {
        slots: Default::default(),
        extras: Vec::new(),
        items: Parts::Json(Slot::Absent),
        attributes: Parts::Json(Slot::Absent),
    };
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_map(Fill { record: &mut record, extras })
        .and_then(|()| json.end())
        .map_err(|e| undecodable(&e))?;
    Ok(record)
}

/// Hands over each line of a list of items.
pub(super) fn read_lines<'a>(
    items: Slot<'a>,
    mut each: impl FnMut(RawLine<'a>) -> Result<(), Reject>,
) -> Result<(), Reject> {
    let text = match items {
        Slot::Absent => return Ok(()),
        Slot::List(text) => text,
        other => return Err(other.is_not("a list", Field::Items.name())),
    };
    let mut outcome = Ok(());
    let visitor = Lines { each: &mut each, outcome: &mut outcome };
    let read = serde_json::Deserializer::from_str(text).deserialize_seq(visitor);
    outcome.and(read.map_err(|error| undecodable(&error)))
}

/// Hands over each attribute's name and value.
pub(super) fn read_attributes<'a>(
    attributes: Slot<'a>,
    mut each: impl FnMut(&str, Slot<'a>) -> Result<(), Reject>,
) -> Result<(), Reject> {
    let text = match attributes {
        Slot::Absent => return Ok(()),
        Slot::Object(text) => text,
        other => return Err(other.is_not("an object", Field::Attributes.name())),
    };
    let mut outcome = Ok(());
    let visitor = Attributes { each: &mut each, outcome: &mut outcome };
    let read = serde_json::Deserializer::from_str(text).deserialize_map(visitor);
    outcome.and(read.map_err(|error| undecodable(&error)))
}

fn undecodable(error: &serde_json::Error) -> Reject {
    Reject::new(Reason::Undecodable, format!("JSON: {}", shortened(&error.to_string())))
}

/// Fills the slots of a record from an object.
struct Fill<'r, 'a> {
    record: &'r mut Record<'a>,
    extras: &'r [Box<str>],
}

impl<'a> Visitor<'a> for Fill<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let extra = |name: &str| self.extras.iter().position(|known| **known == *name).map(|index| index as u8);
        let find = |name: &str| Field::named(name).map(Key::Field).or_else(|| extra(name).map(Key::Extra));
        while let Some(key) = map.next_key_seed(Named(find))? {
            match key {
                Some(Key::Field(Field::Items)) => self.record.items = Parts::Json(next_slot(&mut map)?),
                Some(Key::Field(Field::Attributes)) => self.record.attributes = Parts::Json(next_slot(&mut map)?),
                Some(Key::Field(field)) => self.record.slots[field as usize] = next_slot(&mut map)?,
                Some(Key::Extra(number)) => self.record.extras.push((number, next_slot(&mut map)?)),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

enum Key {
    Field(Field),
    Extra(u8),
}

fn next_slot<'a, A: MapAccess<'a>>(map: &mut A) -> Result<Slot<'a>, A::Error> {
    Ok(Slot::of_json(map.next_value::<&'a RawValue>()?.get()))
}

/// A key that is looked up where it stands, without being kept.
struct Named<F>(F);

impl<'a, T, F: Fn(&str) -> Option<T>> DeserializeSeed<'a> for Named<F> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a, T, F: Fn(&str) -> Option<T>> Visitor<'a> for Named<F> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<T>, E> {
        Ok((self.0)(name))
    }
}

/// The items of an order. A line that is not taken stops the reading, and is left in `outcome`.
struct Lines<'r, F> {
    each: &'r mut F,
    outcome: &'r mut Result<(), Reject>,
}

impl<'a, F: FnMut(RawLine<'a>) -> Result<(), Reject>> Visitor<'a> for Lines<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of items")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut lines: A) -> Result<(), A::Error> {
        while let Some(line) = lines.next_element_seed(FillLine)? {
            if let Err(reject) = (self.each)(line) {
                *self.outcome = Err(reject);
                return Err(A::Error::custom("a line was not taken"));
            }
        }
        Ok(())
    }
}

struct FillLine;

impl<'a> DeserializeSeed<'a> for FillLine {
    type Value = RawLine<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<RawLine<'a>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for FillLine {
    type Value = RawLine<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object in `items`")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<RawLine<'a>, A::Error> {
        let mut line = RawLine::default();
        while let Some(field) = map.next_key_seed(Named(LineField::named))? {
            match field {
                Some(field) => line[field as usize] = next_slot(&mut map)?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(line)
    }
}

/// The entries of `attributes`. One that is not taken stops the reading, and is left in `outcome`.
struct Attributes<'r, F> {
    each: &'r mut F,
    outcome: &'r mut Result<(), Reject>,
}

impl<'a, F: FnMut(&str, Slot<'a>) -> Result<(), Reject>> Visitor<'a> for Attributes<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of attributes")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(Name)? {
            let slot = next_slot(&mut map)?;
            if let Err(reject) = (self.each)(&name, slot) {
                *self.outcome = Err(reject);
                return Err(A::Error::custom("an attribute was not taken"));
            }
        }
        Ok(())
    }
}

/// A key that is kept, borrowed where it has no escapes.
struct Name;

impl<'a> DeserializeSeed<'a> for Name {
    type Value = Cow<'a, str>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Cow<'a, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for Name {
    type Value = Cow<'a, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an attribute's name")
    }

    fn visit_borrowed_str<E>(self, name: &'a str) -> Result<Cow<'a, str>, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Cow<'a, str>, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}
