//! From a message's bytes to an event, or to the reason why it is none.
//!
//! Whether a message is taken depends on the contract, the kinds and the currencies alone, never on what rules read:
//! every field that the kind has is checked, and only those that rules ask for are kept. The first fault counts, in
//! this order: size, form, kind, customer, id, time, then the other fields, currency and amount.

use std::borrow::Cow;
use std::mem::take;

use super::money::{LineSum, Rate, event_amount, line_amount};
use super::names::Names;
use super::record::{Field, Keys, LineField, RawLine, Record};
use super::slot::{Slot, shortened};
use super::time::{in_range, parse_milliseconds, parse_rfc3339};
use super::{
    Amount, AmountSource, Builtin, Event, Instant, KindId, Line, Reason, Reject, Schema, Text, TextField, json,
    protobuf,
};

/// A longer message is rejected unread.
pub const MAX_MESSAGE_BYTES: usize = 1 << 20;
pub const MAX_EVENT_ID_BYTES: usize = 128;
pub const MAX_CUSTOMER_BYTES: usize = 256;

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    Json,
    Protobuf,
}

/// Decodes the events of one schema. It holds no state: any number of threads may share it.
#[derive(Debug, Clone)]
pub struct Decoder {
    schema: Schema,
    kinds: Vec<KindDecoder>,
    kind_names: Names<KindId>,
    keys: Keys,
}

/// What is looked for in a kind's events.
#[derive(Debug, Clone)]
pub(super) struct KindDecoder {
    pub builtin: Builtin,
    pub amount: AmountPlace,
    pub amount_name: Box<str>,
    /// The text fields that the kind has.
    texts: Vec<TextField>,
    /// Whether it has them and rules read them, indexed by [`TextField`].
    keeps_texts: [bool; TextField::ALL.len()],
    keeps_lines: bool,
    keeps_attributes: bool,
}

/// Where a kind's amount stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AmountPlace {
    None,
    Field(Field),
    /// A field beyond the contract.
    Extra(u8),
}

impl Decoder {
    pub fn new(schema: &Schema) -> Decoder {
        let mut extras: Vec<Box<str>> = Vec::new();
        let kinds = schema.kinds.iter().map(|kind| {
            let amount_name = match &kind.amount {
                AmountSource::None => "",
                AmountSource::Amount => Field::Amount.name(),
                AmountSource::Rating => Field::Rating.name(),
                AmountSource::Field(name) => name,
            };
            let amount = match (&kind.amount, Field::named(amount_name)) {
                (AmountSource::None, _) => AmountPlace::None,
                (_, Some(field)) => AmountPlace::Field(field),
                (_, None) => AmountPlace::Extra(number_of(amount_name, &mut extras)),
            };
            let has = |field: TextField| Field::of_text(field).is_of(kind.builtin);
            KindDecoder {
                builtin: kind.builtin,
                amount,
                amount_name: amount_name.into(),
                texts: TextField::ALL.into_iter().filter(|field| has(*field)).collect(),
                keeps_texts: TextField::ALL.map(|field| has(field) && kind.texts[field as usize]),
                keeps_lines: kind.lines,
                keeps_attributes: kind.attributes,
            }
        });
        let kinds = kinds.collect();
        let keys = Keys::new(&extras, &schema.attributes);
        let kind_names =
            Names::new(schema.kinds.iter().enumerate().map(|(number, kind)| (&*kind.name, KindId(number as u8))));
        Decoder { schema: schema.clone(), kinds, kind_names, keys }
    }

    /// Keeps these attributes too, for somebody who looks on; no rule reads them. Their ids follow the schema's.
    pub fn keeping(mut self, names: &[Box<str>]) -> Decoder {
        self.keys.keep(names);
        self
    }

    /// Decodes one message. `kind_of_topic` is the kind of events that do not say their own.
    pub fn decode<'a>(
        &self,
        format: Format,
        bytes: &'a [u8],
        kind_of_topic: Option<KindId>,
    ) -> Result<Event<'a>, Reject> {
        let mut event = Event::default();
        self.decode_into(&mut event, format, bytes, kind_of_topic)?;
        Ok(event)
    }

    /// As [`Decoder::decode`], into an event that is as its default. After a reject it is of no use.
    ///
    /// It saves moving the event, which is large and just written: that has to be waited for.
    pub fn decode_into<'a>(
        &self,
        event: &mut Event<'a>,
        format: Format,
        bytes: &'a [u8],
        kind_of_topic: Option<KindId>,
    ) -> Result<(), Reject> {
        if bytes.len() > MAX_MESSAGE_BYTES {
            let detail = format!("{} bytes, more than {MAX_MESSAGE_BYTES}", bytes.len());
            return Err(Reject::new(Reason::MessageTooLarge, detail));
        }
        let mut record = Record::default();
        match format {
            Format::Json => json::read(bytes, &self.keys, &mut record)?,
            Format::Protobuf => protobuf::read(bytes, &self.keys, &mut record)?,
        }
        self.judge(&mut record, kind_of_topic, event)
    }

    fn judge<'a>(
        &self,
        record: &mut Record<'a>,
        kind_of_topic: Option<KindId>,
        event: &mut Event<'a>,
    ) -> Result<(), Reject> {
        event.kind = self.kind(record, kind_of_topic)?;
        let kind = &self.kinds[event.kind.0 as usize];
        event.customer = customer(record)?;
        event.id = event_id(record)?;
        event.time = time(record)?;
        kind.texts(record, &mut event.texts)?;
        let rate = if kind.has_currency() { Rate::find(&self.schema, record, event.time)? } else { Rate::Base };
        let number = |field: Field| {
            let slot = if field.is_of(kind.builtin) { record.slot(field) } else { Slot::Absent };
            slot.amount(field.name())
        };
        if kind.amount != AmountPlace::Field(Field::Amount) {
            number(Field::Amount)?; // not the kind's amount, but a decimal all the same
        }
        event.rating = number(Field::Rating)?;
        event.discount = number(Field::Discount)?;
        let sum = kind.lines(record, rate, event)?;
        event.amount = event_amount(kind, record, rate, sum)?;
        if let Some(fault) = record.attributes.fault.take() {
            return Err(fault);
        }
        if kind.keeps_attributes {
            event.attributes = take(&mut record.attributes.read);
        }
        Ok(())
    }

    fn kind(&self, record: &Record<'_>, kind_of_topic: Option<KindId>) -> Result<KindId, Reject> {
        match record.slot(Field::Kind).text(Field::Kind.name())? {
            Some(name) if !name.is_empty() => self.kind_names.find(&name).ok_or_else(|| {
                Reject::new(Reason::UnknownKind, format!("the kind `{}` is not configured", shortened(&name)))
            }),
            _ => kind_of_topic
                .ok_or_else(|| Reject::new(Reason::UnknownKind, "no `kind`, and the topic is not configured for one")),
        }
    }
}

/// The text fields of an event or of its lines, as far as rules read them.
type Texts<'a> = [Option<Text<'a>>; TextField::ALL.len()];

impl KindDecoder {
    /// Whether its amounts are money. A rating is none.
    fn has_currency(&self) -> bool {
        let is_money = !matches!(self.amount, AmountPlace::None | AmountPlace::Field(Field::Rating));
        is_money || Field::Currency.is_of(self.builtin)
    }

    fn texts<'a>(&self, record: &Record<'a>, texts: &mut Texts<'a>) -> Result<(), Reject> {
        for &text in &self.texts {
            let (field, is_kept) = (Field::of_text(text), self.keeps_texts[text as usize]);
            let value = match record.slot(field) {
                Slot::Absent => continue,
                Slot::Text(_) if !is_kept => continue,
                slot => slot.text(field.name())?,
            };
            if is_kept {
                texts[text as usize] = if text == TextField::Query { value.map(lowered) } else { value };
            }
        }
        Ok(())
    }

    fn lines<'a>(&self, record: &Record<'a>, rate: Rate, event: &mut Event<'a>) -> Result<LineSum, Reject> {
        let mut sum = LineSum::default();
        if !Field::Items.is_of(self.builtin) {
            return Ok(sum);
        }
        if self.keeps_lines {
            event.lines.reserve_exact(record.lines.read.len());
        }
        for raw in &record.lines.read {
            let amount = if self.keeps_lines {
                event.lines.push(Line::default());
                let line = event.lines.last_mut().expect("it was just pushed");
                self.read_line(raw, rate, &event.texts, line)?;
                line.amount
            } else {
                let mut line = Line::default();
                self.read_line(raw, rate, &event.texts, &mut line)?;
                line.amount
            };
            sum.n_lines += 1;
            sum.total += amount.map_or(0, |amount| i128::from(amount.0));
        }
        match &record.lines.fault {
            Some(fault) => Err(fault.clone()),
            None => Ok(sum),
        }
    }

    #[inline(always)]
    fn read_line<'a>(
        &self,
        raw: &RawLine<'a>,
        rate: Rate,
        texts: &Texts<'a>,
        line: &mut Line<'a>,
    ) -> Result<(), Reject> {
        let text = |field: LineField, name: &str, inherited: TextField| {
            let is_kept = self.keeps_texts[inherited as usize];
            match raw[field as usize] {
                Slot::Text(own) => Ok(is_kept.then_some(Cow::Borrowed(own))),
                Slot::Absent if is_kept => Ok(texts[inherited as usize].clone()),
                own => Ok(own.text(name)?.filter(|_| is_kept)),
            }
        };
        line.product = text(LineField::ProductId, "items.product_id", TextField::Product)?;
        line.category = text(LineField::Category, "items.category", TextField::Category)?;
        line.brand = text(LineField::Brand, "items.brand", TextField::Brand)?;
        line.quantity = raw[LineField::Quantity as usize].number("items.quantity")?.unwrap_or(Amount::ONE);
        line.amount = line_amount(raw, rate)?;
        line.discount = raw[LineField::Discount as usize].amount("items.discount")?;
        Ok(())
    }
}

/// The number of an extra field, which is added if it is new.
fn number_of(name: &str, extras: &mut Vec<Box<str>>) -> u8 {
    let known = extras.iter().position(|known| **known == *name);
    let index = known.unwrap_or_else(|| {
        extras.push(name.into());
        extras.len() - 1
    });
    u8::try_from(index).expect("kinds are numbered in a byte, and each has one amount")
}

fn customer<'a>(record: &Record<'a>) -> Result<Text<'a>, Reject> {
    let name = Field::CustomerId.name();
    let customer = match record.slot(Field::CustomerId) {
        Slot::Number(text) if is_integer(text) => Some(Cow::Borrowed(if text == "-0" { "0" } else { text })),
        Slot::Number(_) => {
            return Err(Reject::new(Reason::Undecodable, format!("`{name}` is a number, but no integer")));
        }
        slot => slot.text(name)?,
    };
    match customer {
        Some(customer) if customer.len() > MAX_CUSTOMER_BYTES => Err(too_long(name, &customer, MAX_CUSTOMER_BYTES)),
        Some(customer) if !customer.is_empty() => Ok(customer),
        _ => Err(Reject::new(Reason::NoCustomer, "no `customer_id`")),
    }
}

fn is_integer(text: &str) -> bool {
    text.strip_prefix('-').unwrap_or(text).bytes().all(|byte| byte.is_ascii_digit())
}

fn event_id<'a>(record: &Record<'a>) -> Result<Option<Text<'a>>, Reject> {
    let name = Field::EventId.name();
    match record.slot(Field::EventId).text(name)? {
        Some(id) if id.len() > MAX_EVENT_ID_BYTES => Err(too_long(name, &id, MAX_EVENT_ID_BYTES)),
        id => Ok(id.filter(|id| !id.is_empty())),
    }
}

fn too_long(name: &str, text: &str, limit: usize) -> Reject {
    Reject::new(Reason::IdTooLong, format!("`{name}` has {} bytes, more than {limit}", text.len()))
}

fn time(record: &Record<'_>) -> Result<Instant, Reject> {
    let slot = record.slot(Field::Time);
    let instant = match slot {
        Slot::Absent => return Err(Reject::new(Reason::BadTime, "no `time`")),
        Slot::Number(text) => parse_milliseconds(text),
        Slot::Integer(ms) => in_range(Instant(ms)),
        Slot::True | Slot::False | Slot::List(_) | Slot::Object(_) => {
            return Err(slot.is_not("a time", Field::Time.name()));
        }
        Slot::Text(text) => parse_rfc3339(text).and_then(in_range),
        Slot::Escaped(_) => slot.text(Field::Time.name())?.as_deref().and_then(parse_rfc3339).and_then(in_range),
    };
    instant.ok_or_else(|| {
        let detail = match slot {
            Slot::Integer(ms) => format!("`time` {ms} is not in 1970 to 2099"),
            Slot::Number(text) => format!("`time` {} is not whole milliseconds in 1970 to 2099", shortened(text)),
            Slot::Text(text) | Slot::Escaped(text) => {
                format!("`time` {} is not RFC 3339 with an offset in 1970 to 2099", shortened(text))
            }
            _ => "no `time`".to_owned(),
        };
        Reject::new(Reason::BadTime, detail)
    })
}

/// In lower case (Unicode default); borrowed when it is already.
fn lowered(text: Text<'_>) -> Text<'_> {
    if text.is_ascii() && !text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return text;
    }
    let lower = text.to_lowercase();
    if lower == *text { text } else { Cow::Owned(lower) }
}

#[cfg(test)]
mod tests;
