//! What a line says that the customer does: a kind, its fields, the lines of an order, how often. It becomes the JSON
//! message of the contract, and the decoder says whether a shop's event could be like this.

use super::cursor::{Cursor, Word};
use super::read::Ground;
use super::{CUSTOMER, Repeated};
use crate::event::{AmountSource, Builtin, Format, Instant, Span, field_names, has_field};
use crate::rules::declared::Kind;
use crate::rules::diagnostic::{Code, Fault, nearest};
use crate::rules::place::Extent;
use crate::rules::units::parse_span;

/// How often one line may repeat its event.
const REPEATED_MAX: u32 = 10_000;

/// Fields of the contract that hold a decimal; the others of an event hold text.
const DECIMALS: [&str; 5] = ["amount", "rating", "discount", "quantity", "unit_price"];
const LINE_FIELDS: [&str; 7] = ["product_id", "category", "brand", "quantity", "unit_price", "amount", "discount"];
/// What a test says otherwise.
const IMPLIED: [(&str, &str); 5] = [
    ("kind", "the kind stands in front of the fields: `purchase amount=40`"),
    ("customer_id", "everything in a test is done by one customer"),
    ("time", "the time stands at the start of the line"),
    ("attributes", "attributes stand by themselves: `gift=true`"),
    ("items", "lines of an order are written `item product=p1 amount=5; item product=p2 amount=3`"),
];

/// Names and values of JSON, in the order of the line.
type Members = Vec<(Box<str>, String)>;

/// An event while its line, and those that add to its order, are read.
#[derive(Debug)]
pub struct Draft {
    /// Index into the declared kinds.
    kind: usize,
    pub extent: Extent,
    fields: Members,
    attributes: Members,
    items: Vec<Members>,
    pub n: u32,
    every: Span,
}

/// Reads an event: `purchase amount=40 category="garden" x5 every 1d`.
pub fn event(cursor: &mut Cursor<'_>, ground: &Ground<'_>) -> Result<Draft, Fault> {
    let start = cursor.position();
    let Some(word) = cursor.name()? else { return Err(cursor.unexpected("a kind of event, or `=>`")) };
    let kind = ground.declared.kind(&word.text).ok_or_else(|| unknown_kind(&word, ground))?;
    let empty = Extent::new(start, start);
    let (fields, attributes, items) = Default::default();
    let mut draft = Draft { kind, extent: empty, fields, attributes, items, n: 1, every: Span(0) };
    if let Some((number, extent)) = bare_number(cursor) {
        draft.put_amount(number, extent, ground)?;
    }
    draft.read_fields(cursor, ground)?;
    draft.extent = Extent::new(start, cursor.end_of_read());
    Ok(draft)
}

impl Draft {
    /// A line that begins with `item` adds to the order before it.
    pub fn read_more_items(&mut self, cursor: &mut Cursor<'_>, ground: &Ground<'_>) -> Result<(), Fault> {
        self.read_fields(cursor, ground)?;
        self.extent.end = cursor.end_of_read();
        Ok(())
    }

    fn read_fields(&mut self, cursor: &mut Cursor<'_>, ground: &Ground<'_>) -> Result<(), Fault> {
        let mut in_item = false;
        while !cursor.is_at_end() {
            if in_item && cursor.takes(";") {
                in_item = false;
                continue;
            }
            let here = cursor.clone();
            let Some(word) = cursor.name()? else { return Err(no_field(cursor)) };
            if cursor.takes("=") {
                let value = cursor.value()?;
                self.put(word, value, in_item, ground)?;
            } else if word.is("item") {
                self.begin_item(word.extent, ground)?;
                in_item = true;
            } else if let Some(n) = repeats(&word) {
                self.n = n?;
                self.every = every(cursor)?;
                return if cursor.is_at_end() { Ok(()) } else { Err(cursor.unexpected("nothing after it")) };
            } else {
                *cursor = here;
                return Err(no_field(cursor));
            }
        }
        Ok(())
    }

    fn begin_item(&mut self, extent: Extent, ground: &Ground<'_>) -> Result<(), Fault> {
        let kind = self.declared(ground);
        if has_field(kind.builtin, "items") != Some(true) {
            return Err(not_of_kind(kind, "items", extent).help("purchases and refunds have lines"));
        }
        self.items.push(Members::new());
        Ok(())
    }

    fn declared<'g>(&self, ground: &Ground<'g>) -> &'g Kind {
        &ground.declared.kinds[self.kind]
    }

    fn put_amount(&mut self, number: &str, extent: Extent, ground: &Ground<'_>) -> Result<(), Fault> {
        let kind = self.declared(ground);
        let Some(name) = amount_name(kind) else {
            return Err(Fault::new(Code::UnknownField, extent, format!("`{}` events have no amount", kind.name))
                .help("leave it out, or name the field that it is"));
        };
        self.fields.push((name.into(), decimal(number)));
        Ok(())
    }

    /// Puts a value where its name belongs.
    fn put(&mut self, name: Word, value: Word, in_item: bool, ground: &Ground<'_>) -> Result<(), Fault> {
        let extent = name.extent.to(value.extent);
        if value.text.is_empty() && !value.quoted {
            return Err(Fault::new(Code::BadLine, extent, format!("`{}` has no value", name.text))
                .help("no blanks around `=`; a text that is empty or has blanks stands in quotes: `\"\"`"));
        }
        let (members, known, json) = if in_item {
            let known = line_field(&name)?;
            let json = of_contract(known, &value);
            (self.items.last_mut().expect("an item was begun"), known.into(), json)
        } else {
            let kind = self.declared(ground);
            match place(&name, kind, ground)? {
                Place::Field(field) if amount_name(kind) == Some(&field) => {
                    (&mut self.fields, field, if is_null(&value) { "null".into() } else { decimal(&value.text) })
                }
                Place::Field(field) => {
                    let json = of_contract(&field, &value);
                    (&mut self.fields, field, json)
                }
                Place::Attribute(attribute) => (&mut self.attributes, attribute, scalar(&value)),
            }
        };
        if members.iter().any(|(before, _)| *before == known) {
            return Err(Fault::new(Code::BadLine, extent, format!("a second `{known}`")).help("take one of them out"));
        }
        members.push((known, json));
        Ok(())
    }

    /// From the first to the last of them.
    pub fn lasts(&self) -> Span {
        Span(self.every.0 * i64::from(self.n - 1))
    }

    /// The event, when the decoder takes it: at its last instant, whose message is the longest.
    pub fn finish(self, first: Instant, ground: &Ground<'_>) -> Result<Repeated, Fault> {
        let last = first + self.lasts();
        let mut fields = self.fields;
        fields.push(("kind".into(), string(&ground.declared.kinds[self.kind].name)));
        fields.push(("customer_id".into(), string(CUSTOMER)));
        if !self.items.is_empty() {
            let items: Vec<String> = self.items.iter().map(|item| format!("{{{}}}", joined(item))).collect();
            fields.push(("items".into(), format!("[{}]", items.join(","))));
        }
        if !self.attributes.is_empty() {
            fields.push(("attributes".into(), format!("{{{}}}", joined(&self.attributes))));
        }
        let repeated = Repeated { n: self.n, every: self.every, members: joined(&fields) };
        match ground.decoder.decode(Format::Json, &repeated.message(last), None) {
            Ok(_) => Ok(repeated),
            Err(reject) => Err(Fault::new(Code::BadEvent, self.extent, reject.detail)
                .label(format!("such an event is rejected: {}", reject.reason))),
        }
    }
}

/// Where a value belongs.
enum Place {
    /// Of the contract, or the one that is the kind's amount.
    Field(Box<str>),
    Attribute(Box<str>),
}

fn place(name: &Word, kind: &Kind, ground: &Ground<'_>) -> Result<Place, Fault> {
    let field = match &*name.text {
        "id" => "event_id",
        "product" => "product_id",
        other => other,
    };
    if let Some(attribute) = field.strip_prefix("attributes.").filter(|name| !name.is_empty()) {
        return Ok(Place::Attribute(attribute.into()));
    }
    if let Some((_, help)) = IMPLIED.iter().find(|(implied, _)| *implied == field) {
        return Err(Fault::new(
            Code::UnknownField,
            name.extent,
            format!("`{field}` is not written like this in a test"),
        )
        .help(*help));
    }
    if amount_name(kind) == Some(field) || field == "event_id" {
        return Ok(Place::Field(field.into()));
    }
    if kind.builtin == Builtin::Profile {
        return Ok(Place::Attribute(name.text.clone()));
    }
    match has_field(kind.builtin, field) {
        Some(true) => Ok(Place::Field(field.into())),
        Some(false) => Err(not_of_kind(kind, field, name.extent)
            .help(format!("leave it out; an attribute of that name is written `attributes.{field}`"))),
        _ => attribute(name, ground),
    }
}

/// A name that the contract does not have is an attribute's, unless it is surely a slip.
fn attribute(name: &Word, ground: &Ground<'_>) -> Result<Place, Fault> {
    if ground.attributes.contains(&name.text) {
        return Ok(Place::Attribute(name.text.clone()));
    }
    if let Some(field) = ["quantity", "unit_price", "price"].into_iter().find(|field| *name.text == **field) {
        return Err(Fault::new(Code::UnknownField, name.extent, format!("events have no field `{field}`"))
            .label("lines of an order have it")
            .help(format!("write a line: `item {field}=2`; an attribute of that name is `attributes.{field}`")));
    }
    let is_implied = |field: &str| IMPLIED.iter().any(|(implied, _)| *implied == field);
    let mut known: Vec<&str> = field_names().filter(|field| !is_implied(field)).collect();
    known.extend(ground.attributes.iter().map(|attribute| &**attribute));
    match nearest(&name.text, known) {
        None => Ok(Place::Attribute(name.text.clone())),
        Some(near) => Err(Fault::new(Code::UnknownField, name.extent, format!("events have no field `{}`", name.text))
            .label("unknown field")
            .help(format!("did you mean `{near}`? An attribute of that name is `attributes.{}`", name.text))),
    }
}

fn line_field(name: &Word) -> Result<&'static str, Fault> {
    let field = match &*name.text {
        "product" => "product_id",
        "price" => "unit_price",
        other => other,
    };
    if let Some(known) = LINE_FIELDS.iter().find(|known| **known == field) {
        return Ok(known);
    }
    let fault = Fault::new(Code::UnknownField, name.extent, format!("lines of an order have no field `{}`", name.text))
        .label("unknown field");
    Err(match nearest(field, ["product", "price"].into_iter().chain(LINE_FIELDS)) {
        Some(near) => fault.help(format!("did you mean `{near}`?")),
        None => fault.help(format!(
            "their fields are {}; those of the whole order stand before the first `item`",
            LINE_FIELDS.join(", ")
        )),
    })
}

fn unknown_kind(word: &Word, ground: &Ground<'_>) -> Fault {
    let fault = Fault::new(Code::UnknownName, word.extent, format!("the rules have no kind `{}`", word.text));
    let kinds = || ground.declared.kinds.iter().map(|kind| &*kind.name);
    match nearest(&word.text, kinds()) {
        Some(near) => fault.help(format!("did you mean `{near}`?")),
        None => {
            let kinds = kinds().collect::<Vec<_>>().join(", ");
            fault.help(format!("kinds are {kinds}; one of your own is declared as `[kind.NAME]`"))
        }
    }
}

fn not_of_kind(kind: &Kind, field: &str, extent: Extent) -> Fault {
    Fault::new(Code::UnknownField, extent, format!("`{}` events have no `{field}`", kind.name))
        .label("ignored in such an event")
}

fn no_field(cursor: &mut Cursor<'_>) -> Fault {
    let fault = cursor.unexpected("a field such as `category=garden`, or nothing");
    fault.help(
        "fields are written `name=value`, with blanks between them; a value with a blank or comma stands in quotes",
    )
}

/// The field that holds a kind's amount.
fn amount_name(kind: &Kind) -> Option<&str> {
    match &kind.amount {
        AmountSource::None => None,
        AmountSource::Amount => Some("amount"),
        AmountSource::Rating => Some("rating"),
        AmountSource::Field(name) => Some(name),
    }
}

/// A number right after the kind.
fn bare_number<'a>(cursor: &mut Cursor<'a>) -> Option<(&'a str, Extent)> {
    let mut ahead = cursor.clone();
    let (text, extent) = ahead.chunk();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_number = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    is_number.then(|| {
        *cursor = ahead;
        (text, extent)
    })
}

/// `x5`.
fn repeats(word: &Word) -> Option<Result<u32, Fault>> {
    let digits = word.text.strip_prefix(['x', '×']).filter(|_| !word.quoted)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let n = digits.parse().ok().filter(|n| (1..=REPEATED_MAX).contains(n));
    Some(n.ok_or_else(|| {
        Fault::new(Code::BadLine, word.extent, format!("an event {digits} times"))
            .help(format!("a line repeats its event 1 to {REPEATED_MAX} times"))
    }))
}

/// `every 1d`; without it all are at the same instant.
fn every(cursor: &mut Cursor<'_>) -> Result<Span, Fault> {
    if !cursor.takes_word("every") {
        return Ok(Span(0));
    }
    let (text, extent) = cursor.chunk();
    parse_span(text).map_err(|why| {
        let extent = if text.is_empty() { Extent::new(cursor.end_of_read(), cursor.end_of_read()) } else { extent };
        Fault::new(Code::BadDuration, extent, "`every` without a duration").help(why.explain())
    })
}

/// The value of a field of the contract. What is no decimal is left to the decoder to refuse.
fn of_contract(field: &str, value: &Word) -> String {
    if is_null(value) {
        "null".to_owned()
    } else if DECIMALS.contains(&field) {
        decimal(&value.text)
    } else {
        string(&value.text)
    }
}

/// The value of an attribute: its form says what it is.
fn scalar(value: &Word) -> String {
    match &*value.text {
        text if value.quoted => string(text),
        "true" | "false" | "null" => value.text.to_string(),
        text if is_json_number(text) => text.to_owned(),
        text => string(text),
    }
}

fn is_null(value: &Word) -> bool {
    value.is("null")
}

/// Decimals may stand in a string: then nothing that is written is lost.
fn decimal(text: &str) -> String {
    if is_json_number(text) { text.to_owned() } else { string(text) }
}

fn is_json_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit() || c == '-')
        && serde_json::from_str::<serde_json::Number>(text).is_ok()
}

fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn joined(members: &Members) -> String {
    let members: Vec<String> = members.iter().map(|(name, value)| format!("{}:{value}", string(name))).collect();
    members.join(",")
}
