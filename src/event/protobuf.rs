//! Events in Protobuf (`event.proto`): a message taken apart into slots that borrow from it.
//!
//! It reads the wire with prost's primitives instead of its generated types, which would copy every string. What
//! always holds, and is tested with mutated messages: it takes what the generated types take, with the same values.

use std::collections::BTreeMap;

use prost::DecodeError;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use super::record::{Field, Keys, LineField, Parts, RawLine, Record};
use super::slot::Slot;
use super::{AttributeId, Reason, Reject, Scalar};

/// Takes a message apart.
pub(super) fn read<'a>(bytes: &'a [u8], keys: &Keys, record: &mut Record<'a>) -> Result<(), Reject> {
    let mut wire = Wire { bytes, at: 0, text: "", text_at: 0 };
    while let Some((tag, wire_type)) = wire.next_key()? {
        match event_field(tag) {
            Some(field @ Field::Items) => record.lines.read.push(read_line(wire.part(wire_type, field.name())?)?),
            Some(field @ Field::Attributes) => {
                let (name, value) = read_attribute(wire.part(wire_type, field.name())?)?;
                record.attributes.put(keys.attributes.find(name), name, value);
            }
            Some(field @ Field::Time) => {
                record.slots[field as usize] = Slot::Integer(wire.integer(wire_type, field.name())?);
            }
            Some(field) => record.slots[field as usize] = Slot::Text(wire.text(wire_type, field.name())?),
            None => wire.skip(wire_type, tag)?,
        }
    }
    if record.attributes.fault.is_some() {
        record.attributes = last_attributes(bytes, keys)?;
    }
    Ok(())
}

/// As in any Protobuf map, a value does not count, even one that is at fault, if another one follows under its name.
#[cold]
fn last_attributes<'a>(bytes: &'a [u8], keys: &Keys) -> Result<Parts<(AttributeId, Scalar<'a>)>, Reject> {
    let mut last = BTreeMap::new();
    let mut wire = Wire { bytes, at: 0, text: "", text_at: 0 };
    while let Some((tag, wire_type)) = wire.next_key()? {
        match event_field(tag) {
            Some(field @ Field::Attributes) => last.extend([read_attribute(wire.part(wire_type, field.name())?)?]),
            _ => wire.skip(wire_type, tag)?,
        }
    }
    let mut attributes = Parts::default();
    for (name, value) in last {
        if attributes.put(keys.attributes.find(name), name, value).is_none() {
            break; // the first fault counts
        }
    }
    Ok(attributes)
}

/// One line of an order.
#[inline(always)]
fn read_line(mut wire: Wire<'_>) -> Result<RawLine<'_>, Reject> {
    let mut line = RawLine::default();
    while let Some((tag, wire_type)) = wire.next_key()? {
        match line_field(tag) {
            Some(field) => line[field as usize] = Slot::Text(wire.text(wire_type, "items")?),
            None => wire.skip(wire_type, tag)?,
        }
    }
    Ok(line)
}

/// One entry of the attributes: its name and value.
#[inline(always)]
fn read_attribute(mut wire: Wire<'_>) -> Result<(&str, Slot<'_>), Reject> {
    let (mut name, mut value) = ("", Slot::Absent);
    while let Some((tag, wire_type)) = wire.next_key()? {
        match tag {
            1 => name = wire.text(wire_type, "attributes")?,
            2 => value = read_scalar(wire.part(wire_type, "attributes")?, value)?,
            _ => wire.skip(wire_type, tag)?,
        }
    }
    Ok((name, value))
}

/// A value; one that stands twice is merged, so what the second does not say stays.
#[inline(always)]
fn read_scalar<'a>(mut wire: Wire<'a>, mut value: Slot<'a>) -> Result<Slot<'a>, Reject> {
    while let Some((tag, wire_type)) = wire.next_key()? {
        match tag {
            1 => value = Slot::Text(wire.text(wire_type, "attributes")?),
            2 => value = Slot::Number(wire.text(wire_type, "attributes")?),
            3 => {
                let flag = wire.integer(wire_type, "attributes")?;
                value = if flag == 0 { Slot::False } else { Slot::True };
            }
            _ => wire.skip(wire_type, tag)?,
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

/// A message or a part of it, and how far it is read. What is not inlined is told places instead, so that all of it
/// can stay in registers.
#[derive(Clone, Copy)]
struct Wire<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The bytes from `text_at` on, as far as they are UTF-8. What stands between texts nearly always is too, so one
    /// look serves many texts.
    text: &'a str,
    text_at: usize,
}

impl<'a> Wire<'a> {
    #[inline(always)]
    fn next_key(&mut self) -> Result<Option<(u32, WireType)>, Reject> {
        let (key, len) = match self.bytes.get(self.at..).unwrap_or_default() {
            [] => return Ok(None),
            [key @ 8..0x80, ..] => (u32::from(*key), 1),
            [low, high @ 1..0x80, ..] if *low >= 0x80 => (u32::from(low & 0x7f) | u32::from(*high) << 7, 2),
            _ => (0, 0),
        };
        let wire_type = match key & 7 {
            2 if len > 0 => WireType::LengthDelimited,
            0 if len > 0 => WireType::Varint,
            // None that the contract has, or a key that is longer than it need be.
            _ => {
                let (tag, wire_type, end) = any_key(self.bytes, self.at)?;
                self.at = end;
                return Ok(Some((tag, wire_type)));
            }
        };
        self.at += len;
        Ok(Some((key >> 3, wire_type)))
    }

    #[inline(always)]
    fn varint(&mut self) -> Result<u64, Reject> {
        if let Some(byte @ 0..0x80) = self.byte() {
            self.at += 1;
            return Ok(u64::from(byte));
        }
        let (value, end) = any_varint(self.bytes, self.at)?;
        self.at = end;
        Ok(value)
    }

    /// Where something ends that has its length before it; moves to its start.
    #[inline(always)]
    fn part_end(&mut self, wire_type: WireType, name: &'static str) -> Result<usize, Reject> {
        if wire_type != WireType::LengthDelimited {
            return Err(unexpected(wire_type, WireType::LengthDelimited, name));
        }
        let len = self.varint()?;
        match usize::try_from(len).ok().filter(|len| *len <= self.bytes.len() - self.at) {
            Some(len) => Ok(self.at + len),
            None => Err(too_long(name)),
        }
    }

    /// Passes a part.
    #[inline(always)]
    fn part(&mut self, wire_type: WireType, name: &'static str) -> Result<Wire<'a>, Reject> {
        let end = self.part_end(wire_type, name)?;
        let part = Wire { bytes: &self.bytes[..end], ..*self };
        self.at = end;
        Ok(part)
    }

    #[inline(always)]
    fn text(&mut self, wire_type: WireType, name: &'static str) -> Result<&'a str, Reject> {
        let end = self.part_end(wire_type, name)?;
        let start = std::mem::replace(&mut self.at, end);
        if let Some(text) = self.text.get(start - self.text_at..end - self.text_at) {
            return Ok(text);
        }
        (self.text, self.text_at) = (valid_from(self.bytes, start), start);
        self.text.get(..end - start).ok_or_else(|| not_utf8(name))
    }

    #[inline(always)]
    fn integer(&mut self, wire_type: WireType, name: &'static str) -> Result<i64, Reject> {
        if wire_type != WireType::Varint {
            return Err(unexpected(wire_type, WireType::Varint, name));
        }
        self.varint().map(|bits| bits as i64)
    }

    fn skip(&mut self, wire_type: WireType, tag: u32) -> Result<(), Reject> {
        let mut rest = &self.bytes[self.at..];
        skip_field(wire_type, tag, &mut rest, DecodeContext::default()).map_err(|error| undecodable(&error))?;
        self.at = self.bytes.len() - rest.len();
        Ok(())
    }

    #[inline(always)]
    fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}

/// The key at `at`, and where it ends.
#[inline(never)]
fn any_key(bytes: &[u8], at: usize) -> Result<(u32, WireType, usize), Reject> {
    let mut rest = &bytes[at..];
    let (tag, wire_type) = decode_key(&mut rest).map_err(|error| undecodable(&error))?;
    Ok((tag, wire_type, bytes.len() - rest.len()))
}

/// The number at `at`, and where it ends.
#[inline(never)]
fn any_varint(bytes: &[u8], at: usize) -> Result<(u64, usize), Reject> {
    let mut rest = &bytes[at..];
    let value = decode_varint(&mut rest).map_err(|error| undecodable(&error))?;
    Ok((value, bytes.len() - rest.len()))
}

/// As much from `at` on as is UTF-8.
#[inline(never)]
fn valid_from(bytes: &[u8], at: usize) -> &str {
    let bytes = &bytes[at..];
    let valid = match std::str::from_utf8(bytes) {
        Ok(text) => return text,
        Err(error) => &bytes[..error.valid_up_to()],
    };
    std::str::from_utf8(valid).unwrap_or_default()
}

#[cold]
fn unexpected(found: WireType, wanted: WireType, name: &str) -> Reject {
    Reject::new(Reason::Undecodable, format!("Protobuf: `{name}` has the wire type {found:?}, not {wanted:?}"))
}

#[cold]
fn too_long(name: &str) -> Reject {
    Reject::new(Reason::Undecodable, format!("Protobuf: `{name}` is longer than the message"))
}

#[cold]
fn not_utf8(name: &str) -> Reject {
    Reject::new(Reason::Undecodable, format!("Protobuf: `{name}` is not UTF-8"))
}

#[cold]
fn undecodable(error: &DecodeError) -> Reject {
    Reject::new(Reason::Undecodable, format!("Protobuf: {error}"))
}
