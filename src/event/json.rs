//! Events in JSON: a message taken apart into slots that borrow from it, numbers as their text.
//!
//! Unknown fields are skipped (they must be well-formed); of a field that stands twice, the last one counts. It does
//! not know which fields a kind has. A scanner of its own reads nearly every message (see
//! `benches/decode.rs` for what that saves); whatever it does not take goes to `serde_json`, which decides.

mod scan;

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use scan::{Name, Scanner};

use super::record::{Field, Key, Keys, Parts, RawLine, Record};
use super::slot::{Slot, shortened};
use super::{AttributeId, Reason, Reject, Scalar};

/// Takes a message apart.
pub(super) fn read<'a>(bytes: &'a [u8], keys: &Keys, record: &mut Record<'a>) -> Result<(), Reject> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Reject::new(Reason::Undecodable, format!("not UTF-8 from byte {} on", error.valid_up_to())))?;
    if scan_record(text, keys, record).is_none() {
        *record = Record::default();
        parse_record(text, keys, record)?;
    }
    Ok(())
}

/// By the scanner: `None` for what is no event, for keys with escapes and for very deep values.
fn scan_record<'a>(text: &'a str, keys: &Keys, record: &mut Record<'a>) -> Option<()> {
    let mut scanner = Scanner::new(text, 0);
    scanner.members(&keys.event, |scanner, name| {
        match name {
            Name::Known(Key::Field(Field::Items)) => {
                scanner.move_to(read_lines(*scanner, keys, &mut record.lines)?);
            }
            Name::Known(Key::Field(Field::Attributes)) => {
                scanner.move_to(read_attributes(*scanner, keys, &mut record.attributes)?);
            }
            Name::Known(key) => record.put(key, scanner.value()?),
            Name::Unknown(_) => drop(scanner.value()?),
            Name::Escaped(_) => return None,
        }
        Some(())
    })?;
    scanner.is_at_end().then_some(())
}

/// By `serde_json`, which has the last word on what is JSON, and says what is wrong.
fn parse_record<'a>(text: &'a str, keys: &Keys, record: &mut Record<'a>) -> Result<(), Reject> {
    let mut json = serde_json::Deserializer::from_str(text);
    let read = json.deserialize_map(Fill { record, keys });
    read.and_then(|()| json.end())
        .map_err(|error| Reject::new(Reason::Undecodable, format!("JSON: {}", shortened(&error.to_string()))))
}

/// Reads the lines of an order, as far as the first fault; where they end. `None`: not JSON, or too deep.
#[inline(never)]
fn read_lines<'a>(start: Scanner<'a>, keys: &Keys, lines: &mut Parts<RawLine<'a>>) -> Option<usize> {
    let mut scanner = start;
    *lines = Parts::default();
    if !scanner.is_at_list() {
        let slot = scanner.value()?;
        lines.fault = (slot != Slot::Absent).then(|| slot.is_not("a list", Field::Items.name()));
        return Some(scanner.at());
    }
    let read = scanner.elements(|scanner| {
        if !scanner.is_at_object() {
            lines.fault = Some(no_line());
            return None;
        }
        lines.read.push(RawLine::default());
        let line = lines.read.last_mut()?;
        let read = scanner.members(&keys.line, |scanner, name| {
            let slot = scanner.value()?;
            let field = match name {
                Name::Known(field) => Some(field),
                Name::Unknown(_) => None,
                Name::Escaped(name) => keys.line.find(&unescaped(name, Field::Items, &mut lines.fault)?),
            };
            if let Some(field) = field {
                line[field as usize] = slot;
            }
            Some(())
        });
        if read.is_none() {
            lines.read.pop();
        }
        read
    });
    read.map(|()| scanner.at()).or_else(|| skip_faulty(start, &lines.fault))
}

/// Reads those attributes that are wanted, as far as the first fault; where they end. `None`: not JSON, or too deep.
#[inline(never)]
fn read_attributes<'a>(
    start: Scanner<'a>,
    keys: &Keys,
    attributes: &mut Parts<(AttributeId, Scalar<'a>)>,
) -> Option<usize> {
    let mut scanner = start;
    *attributes = Parts::default();
    if !scanner.is_at_object() {
        let slot = scanner.value()?;
        attributes.fault = (slot != Slot::Absent).then(|| slot.is_not("an object", Field::Attributes.name()));
        return Some(scanner.at());
    }
    let read = scanner.members(&keys.attributes, |scanner, name| {
        let slot = scanner.value()?;
        match (name, slot) {
            (Name::Known(id), _) => attributes.put(Some(id), &keys.attribute_names[id.0 as usize], slot),
            (Name::Unknown(name), Slot::List(_) | Slot::Object(_) | Slot::Escaped(_)) => {
                attributes.put(None, name, slot)
            }
            (Name::Unknown(_), _) => Some(()),
            (Name::Escaped(name), _) => {
                let name = unescaped(name, Field::Attributes, &mut attributes.fault)?;
                attributes.put(keys.attributes.find(&name), &name, slot)
            }
        }
    });
    read.map(|()| scanner.at()).or_else(|| skip_faulty(start, &attributes.fault))
}

/// Where something ends that begins at `start` and was given up for a fault: all must be JSON nevertheless.
#[cold]
fn skip_faulty(start: Scanner<'_>, fault: &Option<Reject>) -> Option<usize> {
    fault.as_ref()?;
    let mut scanner = start;
    scanner.value().map(|_| scanner.at())
}

#[cold]
fn unescaped(name: &str, of: Field, fault: &mut Option<Reject>) -> Option<String> {
    match Slot::Escaped(name).text(of.name()) {
        Ok(name) => name.map(Cow::into_owned),
        Err(reject) => {
            *fault = Some(reject);
            None
        }
    }
}

fn no_line() -> Reject {
    Reject::new(Reason::Undecodable, "a line in `items` is no object, or holds one that is too deep")
}

/// Fills the slots of a record from an object.
struct Fill<'r, 'a> {
    record: &'r mut Record<'a>,
    keys: &'r Keys,
}

impl<'a> Visitor<'a> for Fill<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Fill { record, keys } = self;
        while let Some(key) = map.next_key_seed(Named(|name: &str| keys.event.find(name)))? {
            let Some(key) = key else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let json = map.next_value::<&'a RawValue>()?.get();
            match key {
                Key::Field(Field::Items) => {
                    if read_lines(Scanner::new(json, 0), keys, &mut record.lines).is_none() {
                        record.lines.fault.get_or_insert_with(no_line);
                    }
                }
                Key::Field(Field::Attributes) => {
                    if read_attributes(Scanner::new(json, 0), keys, &mut record.attributes).is_none() {
                        let too_deep =
                            || Reject::new(Reason::Undecodable, "`attributes` holds an object that is too deep");
                        record.attributes.fault.get_or_insert_with(too_deep);
                    }
                }
                key => record.put(key, Slot::of_json(json)),
            }
        }
        Ok(())
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

    use super::super::record::LineField;
    use super::*;

    const EVENT: &str = r#"{"event_id":"e1","kind":"purchase","customer_id":1001,"time":"2026-01-03T09:12:44.12Z", "value" : 2.50,
        "items":[{"product_id":"p\"1","quantity":2,"more":[1,{"a":null}]},{}],"attributes":{"age":30,"vip":true},"value":"3",
        "unknown":{"x":[[],{}],"y":"\u00e4\ud800"},"query":"RED öSHOES","rating":null,"channel":false,"k\u0069nd":"refund"}"#;

    fn keys() -> Keys {
        Keys::new(&["value".into()], &["age".into(), "vip".into()])
    }

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
            let keys = keys();
            let (mut scanned, mut parsed) = (Record::default(), Record::default());
            let is_scanned = scan_record(&text, &keys, &mut scanned).is_some();
            let is_parsed = parse_record(&text, &keys, &mut parsed).is_ok();
            if is_scanned {
                prop_assert!(is_parsed, "{}", text);
                prop_assert_eq!(format!("{scanned:?}"), format!("{parsed:?}"), "{}", text);
            } else {
                prop_assert!(!is_parsed || text.contains('\\'), "{}", text);
            }
        }
    }

    #[test]
    fn a_key_with_escapes_is_found_all_the_same() {
        let mut record = Record::default();
        read(EVENT.as_bytes(), &keys(), &mut record).expect("an event");
        assert_eq!(record.slot(Field::Kind), Slot::Text("refund"));
        assert_eq!(record.extra(0), Slot::Text("3"));
        let mut lines = Parts::default();
        let line = r#"[{"pr\u006fduct_id":"p1"}] "#;
        assert_eq!(read_lines(Scanner::new(line, 0), &keys(), &mut lines), Some(line.len() - 1));
        assert_eq!(lines.read[0][LineField::ProductId as usize], Slot::Text("p1"));
    }
}
