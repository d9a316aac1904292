//! Events in JSON: a message taken apart into slots that borrow from it, numbers as their text.
//!
//! Unknown fields are skipped (they must be well-formed); of a field that stands twice, the last one counts. It does
//! not know which fields a kind has. A scanner of its own reads nearly every message (see
//! `benches/decode.rs` for what that saves); whatever it does not take goes to `serde_json`, which decides.

mod scan;

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use scan::Scanner;

use super::record::{Field, LineField, Parts, RawLine, Record};
use super::slot::{Slot, shortened};
use super::{Reason, Reject};

/// Takes a message apart. `extras` are the names of fields beyond the contract that are wanted.
pub(super) fn read<'a>(bytes: &'a [u8], extras: &[Box<str>]) -> Result<Record<'a>, Reject> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Reject::new(Reason::Undecodable, format!("not UTF-8 from byte {} on", error.valid_up_to())))?;
    match scan_record(text, extras) {
        Some(record) => Ok(record),
        None => parse_record(text, extras),
    }
}

/// By the scanner: `None` for what is no event, for keys with escapes and for very deep values.
fn scan_record<'a>(text: &'a str, extras: &[Box<str>]) -> Option<Record<'a>> {
    let mut record = empty_record();
    let mut scanner = Scanner::new(text);
    let read = scanner.members(|key, slot| {
        let Slot::Text(name) = key else { return Err(()) };
        if let Some(key) = Key::find(name, extras) {
            key.put(slot, &mut record);
        }
        Ok(())
    });
    (read? == Ok(()) && scanner.is_at_end()).then_some(record)
}

/// By `serde_json`, which has the last word on what is JSON, and says what is wrong.
fn parse_record<'a>(text: &'a str, extras: &[Box<str>]) -> Result<Record<'a>, Reject> {
    let mut record = empty_record();
    let mut json = serde_json::Deserializer::from_str(text);
    let read = json.deserialize_map(Fill { record: &mut record, extras });
    match read.and_then(|()| json.end()) {
        Ok(()) => Ok(record),
        Err(error) => {
            let detail = format!("JSON: {}", shortened(&error.to_string()));
            Err(Reject::new(Reason::Undecodable, detail))
        }
    }
}

fn empty_record<'a>() -> Record<'a> {
    Record {
        slots: Default::default(),
        extras: Vec::new(),
        items: Parts::Json(Slot::Absent),
        attributes: Parts::Json(Slot::Absent),
    }
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
    let read = Scanner::new(text).elements(|scanner| {
        let mut line = RawLine::default();
        let filled = scanner.members(|key, slot| {
            if let Some(field) = key.text(Field::Items.name())?.and_then(|name| LineField::named(&name)) {
                line[field as usize] = slot;
            }
            Ok(())
        })?;
        Some(filled.and_then(|()| each(line)))
    });
    read.unwrap_or_else(|| {
        Err(Reject::new(Reason::Undecodable, "a line in `items` is no object, or holds one that is too deep"))
    })
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
    let read = Scanner::new(text).members(|key, slot| match key.text(Field::Attributes.name())? {
        Some(name) => each(&name, slot),
        None => Ok(()),
    });
    read.unwrap_or_else(|| Err(Reject::new(Reason::Undecodable, "`attributes` holds an object that is too deep")))
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
        while let Some(key) = map.next_key_seed(Named(|name: &str| Key::find(name, self.extras)))? {
            match key {
                Some(key) => key.put(Slot::of_json(map.next_value::<&'a RawValue>()?.get()), self.record),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// A field that is wanted.
#[derive(Clone, Copy)]
enum Key {
    Field(Field),
    Extra(u8),
}

impl Key {
    fn find(name: &str, extras: &[Box<str>]) -> Option<Key> {
        let extra = || extras.iter().position(|known| **known == *name).map(|index| Key::Extra(index as u8));
        Field::named(name).map(Key::Field).or_else(extra)
    }

    fn put<'a>(self, slot: Slot<'a>, record: &mut Record<'a>) {
        match self {
            Key::Field(Field::Items) => record.items = Parts::Json(slot),
            Key::Field(Field::Attributes) => record.attributes = Parts::Json(slot),
            Key::Field(field) => record.slots[field as usize] = slot,
            Key::Extra(number) => record.extras.push((number, slot)),
        }
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EVENT: &str = r#"{"event_id":"e1","kind":"purchase","customer_id":1001,"time":"2026-01-03T09:12:44.12Z", "value" : 2.50,
        "items":[{"product_id":"p\"1","quantity":2,"more":[1,{"a":null}]},{}],"attributes":{"age":30,"vip":true},"value":"3",
        "unknown":{"x":[[],{}],"y":"\u00e4\ud800"},"query":"RED öSHOES","rating":null,"channel":false,"k\u0069nd":"refund"}"#;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

        #[test]
        fn the_scanner_and_serde_json_agree_on_mutated_events(
            edits in prop::collection::vec((0_u8..4, any::<prop::sample::Index>(), any::<char>(), 0_usize..24), 0..4),
        ) {
            // Without its last key, which the scanner leaves to serde_json.
            let mut text: Vec<char> = EVENT.replace(r#","k\u0069nd":"refund""#, "").chars().collect();
            let likely: Vec<char> = "{}[]\",:\\u0e9E+-.tn ".chars().collect();
            for (what, place, any, which) in edits {
                let at = place.index(text.len() + 1);
                let new = *likely.get(which).unwrap_or(&any);
                match what {
                    0 if at < text.len() => text[at] = new,
                    1 => text.insert(at, new),
                    2 if at < text.len() => drop(text.remove(at)),
                    _ => text.truncate(at.max(300)),
                }
            }
            let text: String = text.into_iter().collect();
            let extras = ["value".into()];
            let (scanned, parsed) = (scan_record(&text, &extras), parse_record(&text, &extras));
            match scanned {
                Some(record) => prop_assert_eq!(format!("{record:?}"), format!("{:?}", parsed.expect("serde_json takes it"))),
                None => prop_assert!(parsed.is_err() || text.contains('\\'), "{}", text),
            }
        }
    }

    #[test]
    fn a_key_with_escapes_is_found_all_the_same() {
        let record = read(EVENT.as_bytes(), &["value".into()]).expect("an event");
        assert_eq!(record.slot(Field::Kind), Slot::Text("refund"));
        assert_eq!(record.extra(0), Slot::Text("3"));
        let line = r#"[{"pr\u006fduct_id":"p1"}]"#;
        let mut lines = Vec::new();
        read_lines(Slot::List(line), |line| {
            lines.push(line);
            Ok(())
        })
        .expect("a line");
        assert_eq!(lines[0][LineField::ProductId as usize], Slot::Text("p1"));
    }
}
