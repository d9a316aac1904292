//! Events in Protobuf (`event.proto`): a message taken apart into slots that borrow from it.
//!
//! It reads the wire with prost's primitives instead of its generated types, which would copy every string. What
//! always holds, and is tested with mutated messages: it takes what the generated types take, with the same values.

use prost::DecodeError;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use super::record::{Field, Keys, LineField, RawLine, Record};
use super::slot::Slot;
use super::{Reason, Reject};

/// Takes a message apart.
pub(super) fn read<'a>(bytes: &'a [u8], keys: &Keys, record: &mut Record<'a>) -> Result<(), Reject> {
    let mut attributes = Vec::new();
    let mut rest = Wire(bytes);
    while let Some((tag, wire_type)) = rest.next_key()? {
        match event_field(tag) {
            Some(Field::Items) => record.lines.read.push(read_line(rest.bytes(wire_type, Field::Items.name())?)?),
            Some(Field::Attributes) => {
                attributes.push(read_attribute(rest.bytes(wire_type, Field::Attributes.name())?)?)
            }
            Some(Field::Time) => record.slots[Field::Time as usize] = rest.integer(wire_type, Field::Time.name())?,
            Some(field) => record.slots[field as usize] = Slot::Text(rest.text(wire_type, field.name())?),
            None => rest.skip(wire_type, tag)?,
        }
    }
    keep_last(&mut attributes);
    for (name, slot) in attributes {
        if record.attributes.put(keys.attributes.find(name), name, slot).is_none() {
            break; // the first fault counts
        }
    }
    Ok(())
}

/// Of attributes with the same name the last counts, as in any Protobuf map.
fn keep_last(attributes: &mut Vec<(&str, Slot<'_>)>) {
    attributes.reverse();
    attributes.sort_by_key(|(name, _)| *name);
    attributes.dedup_by_key(|(name, _)| *name);
}

/// One line of an order.
fn read_line(message: &[u8]) -> Result<RawLine<'_>, Reject> {
    let mut line = RawLine::default();
    let mut rest = Wire(message);
    while let Some((tag, wire_type)) = rest.next_key()? {
        match line_field(tag) {
            Some(field) => line[field as usize] = Slot::Text(rest.text(wire_type, "items")?),
            None => rest.skip(wire_type, tag)?,
        }
    }
    Ok(line)
}

/// One entry of the attributes: its name and value.
fn read_attribute(message: &[u8]) -> Result<(&str, Slot<'_>), Reject> {
    let (mut name, mut value) = ("", Slot::Absent);
    let mut rest = Wire(message);
    while let Some((tag, wire_type)) = rest.next_key()? {
        match tag {
            1 => name = rest.text(wire_type, "attributes")?,
            2 => value = read_scalar(rest.bytes(wire_type, "attributes")?, value)?,
            _ => rest.skip(wire_type, tag)?,
        }
    }
    Ok((name, value))
}

/// A value; one that stands twice is merged, so what the second does not say stays.
fn read_scalar<'a>(message: &'a [u8], mut value: Slot<'a>) -> Result<Slot<'a>, Reject> {
    let mut rest = Wire(message);
    while let Some((tag, wire_type)) = rest.next_key()? {
        match tag {
            1 => value = Slot::Text(rest.text(wire_type, "attributes")?),
            2 => value = Slot::Number(rest.text(wire_type, "attributes")?),
            3 => {
                let flag = rest.integer(wire_type, "attributes")?;
                value = if flag == Slot::Integer(0) { Slot::False } else { Slot::True };
            }
            _ => rest.skip(wire_type, tag)?,
        }
    }
    Ok(value)
}

fn event_field(tag: u32) -> Option<Field> {
    Some(match tag {
        1 => Field::EventId,
        2 => Field::Kind,
        3 => Field::CustomerId,
        4 => Field::Time,
        5 => Field::Amount,
        6 => Field::Currency,
        7 => Field::Items,
        8 => Field::ProductId,
        9 => Field::Category,
        10 => Field::Brand,
        11 => Field::Query,
        12 => Field::Rating,
        13 => Field::Channel,
        14 => Field::Country,
        15 => Field::Device,
        16 => Field::Coupon,
        17 => Field::Discount,
        18 => Field::Attributes,
        _ => return None,
    })
}

fn line_field(tag: u32) -> Option<LineField> {
    Some(match tag {
        1 => LineField::ProductId,
        2 => LineField::Category,
        3 => LineField::Brand,
        4 => LineField::Quantity,
        5 => LineField::UnitPrice,
        6 => LineField::Amount,
        7 => LineField::Discount,
        _ => return None,
    })
}

/// What is left of a message.
struct Wire<'a>(&'a [u8]);

impl<'a> Wire<'a> {
    fn next_key(&mut self) -> Result<Option<(u32, WireType)>, Reject> {
        if self.0.is_empty() {
            return Ok(None);
        }
        decode_key(&mut self.0).map(Some).map_err(|error| undecodable(&error))
    }

    fn bytes(&mut self, wire_type: WireType, name: &str) -> Result<&'a [u8], Reject> {
        expect(wire_type, WireType::LengthDelimited, name)?;
        let len = decode_varint(&mut self.0).map_err(|error| undecodable(&error))?;
        let split = usize::try_from(len).ok().and_then(|len| self.0.split_at_checked(len));
        let Some((bytes, rest)) = split else {
            return Err(Reject::new(Reason::Undecodable, format!("Protobuf: `{name}` is longer than the message")));
        };
        self.0 = rest;
        Ok(bytes)
    }

    fn text(&mut self, wire_type: WireType, name: &str) -> Result<&'a str, Reject> {
        std::str::from_utf8(self.bytes(wire_type, name)?)
            .map_err(|_| Reject::new(Reason::Undecodable, format!("Protobuf: `{name}` is not UTF-8")))
    }

    fn integer(&mut self, wire_type: WireType, name: &str) -> Result<Slot<'a>, Reject> {
        expect(wire_type, WireType::Varint, name)?;
        decode_varint(&mut self.0).map(|bits| Slot::Integer(bits as i64)).map_err(|error| undecodable(&error))
    }

    fn skip(&mut self, wire_type: WireType, tag: u32) -> Result<(), Reject> {
        skip_field(wire_type, tag, &mut self.0, DecodeContext::default()).map_err(|error| undecodable(&error))
    }
}

fn expect(found: WireType, wanted: WireType, name: &str) -> Result<(), Reject> {
    if found == wanted {
        return Ok(());
    }
    Err(Reject::new(Reason::Undecodable, format!("Protobuf: `{name}` has the wire type {found:?}, not {wanted:?}")))
}

fn undecodable(error: &DecodeError) -> Reject {
    Reject::new(Reason::Undecodable, format!("Protobuf: {error}"))
}
