//! The settings as they stand in `dormouse.toml`: sections of keys and plain values, each with its place, before
//! anybody asks what they mean. Knows which sections there are, not which keys.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::finding::{Findings, Spot};
use crate::rules::diagnostic::nearest;

/// Sections that hold keys. `input` is a list of such and stands apart, as does `kafka.client`.
pub const SECTIONS: [&str; 7] = ["kafka", "output", "rules", "time", "state", "http", "shutdown"];

/// A value as written. Tables and lists stand where none is allowed; what is kept is their name.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Text(String),
    Integer(i64),
    Flag(bool),
    Other(&'static str),
}

impl Value {
    /// What it is, for "expected …, found …".
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Text(_) => "a string",
            Value::Integer(_) => "an integer",
            Value::Flag(_) => "a boolean",
            Value::Other(name) => name,
        }
    }
}

/// A value with its places.
#[derive(Debug, Clone)]
pub struct Setting {
    pub key: Spot,
    pub spot: Spot,
    pub value: Value,
}

/// A section's settings by key.
#[derive(Debug, Clone)]
pub struct Section {
    /// As people write it: `kafka`, `kafka.client`, `input`.
    pub name: &'static str,
    /// Its header, or where one would expect it.
    pub spot: Spot,
    pub settings: BTreeMap<String, Setting>,
}

impl Section {
    fn empty(name: &'static str) -> Section {
        Section { name, spot: Spot::file(0..0), settings: BTreeMap::new() }
    }
}

/// All sections; those that do not stand in the file are empty.
#[derive(Debug)]
pub struct Document {
    /// In the order of [`SECTIONS`].
    sections: Vec<Section>,
    /// `[kafka.client]`, nested keys joined by dots.
    pub client: Section,
    pub inputs: Vec<Section>,
}

impl Document {
    pub fn section_mut(&mut self, name: &str) -> Option<&mut Section> {
        self.sections.iter_mut().find(|section| section.name == name)
    }

    /// Hands out a section to be read; what is left behind is empty.
    pub fn take(&mut self, name: &'static str) -> Section {
        let section = self.section_mut(name).expect("callers name sections of SECTIONS");
        std::mem::replace(section, Section::empty(name))
    }
}

/// Reads the text. Whatever is wrong with its shape goes to `findings`, and reading goes on with the rest.
pub fn read(text: &str, findings: &mut Findings) -> Document {
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        findings.syntax(error.message(), error.span().unwrap_or(0..0));
    }
    let mut document = Document {
        sections: SECTIONS.iter().map(|name| Section::empty(name)).collect(),
        client: Section::empty("kafka.client"),
        inputs: Vec::new(),
    };
    for (key, value) in root.get_ref() {
        let name: &str = key.get_ref();
        match (name, value.get_ref()) {
            ("input", _) => read_inputs(value, &mut document, findings),
            (_, DeValue::Table(table)) if SECTIONS.contains(&name) => {
                read_section(name, key.span(), table, &mut document, findings);
            }
            _ if SECTIONS.contains(&name) => {
                let found = type_name(value.get_ref());
                findings.wrong_type(&Spot::file(value.span()), name, "a section, as in [section]", found);
            }
            _ => unknown_at_the_top(name, key.span(), findings),
        }
    }
    document
}

fn read_section(
    name: &str,
    header: Range<usize>,
    table: &DeTable<'_>,
    document: &mut Document,
    findings: &mut Findings,
) {
    let mut client = None;
    let section = document.section_mut(name).expect("the caller looked it up");
    section.spot = Spot::file(header);
    for (key, value) in table {
        match value.get_ref() {
            DeValue::Table(table) if name == "kafka" && *key.get_ref() == "client" => client = Some((key, table)),
            _ => {
                section.settings.insert(key.get_ref().to_string(), setting(key.span(), value));
            }
        }
    }
    if let Some((key, table)) = client {
        document.client.spot = Spot::file(key.span());
        flatten("", table, &mut document.client.settings, findings);
    }
}

/// `sasl.mechanism = "…"` without quotes is a table in TOML; librdkafka means the name with its dots.
fn flatten(prefix: &str, table: &DeTable<'_>, into: &mut BTreeMap<String, Setting>, findings: &mut Findings) {
    for (key, value) in table {
        let name = format!("{prefix}{}", key.get_ref());
        if let DeValue::Table(inner) = value.get_ref() {
            flatten(&format!("{name}."), inner, into, findings);
            continue;
        }
        let setting = setting(key.span(), value);
        if let Some(first) = into.get(&name) {
            findings.given_twice(&name, &setting.key, &first.key);
            continue;
        }
        into.insert(name, setting);
    }
}

fn read_inputs(value: &Spanned<DeValue<'_>>, document: &mut Document, findings: &mut Findings) {
    let expected = "a list of sections, as in [[input]]";
    let DeValue::Array(list) = value.get_ref() else {
        let found = type_name(value.get_ref());
        return findings.wrong_type(&Spot::file(value.span()), "input", expected, found);
    };
    for item in list {
        let DeValue::Table(table) = item.get_ref() else {
            findings.wrong_type(&Spot::file(item.span()), "input", expected, type_name(item.get_ref()));
            continue;
        };
        let settings = table.iter().map(|(key, value)| (key.get_ref().to_string(), setting(key.span(), value)));
        let spot = Spot::file(item.span());
        document.inputs.push(Section { name: "input", spot, settings: settings.collect() });
    }
}

fn unknown_at_the_top(name: &str, span: Range<usize>, findings: &mut Findings) {
    let sections = SECTIONS.into_iter().chain(["input"]);
    let help = nearest(name, sections).map(|known| format!("did you mean `{known}`?"));
    let known =
        "sections are [kafka], [kafka.client], [[input]], [output], [rules], [time], [state], [http] and [shutdown]";
    findings.unknown(&Spot::file(span), format!("unknown section `{name}`"), help.unwrap_or_else(|| known.to_owned()));
}

fn setting(key: Range<usize>, value: &Spanned<DeValue<'_>>) -> Setting {
    let plain = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map_or(Value::Other("an integer out of range"), Value::Integer),
        other => Value::Other(type_name(other)),
    };
    Setting { key: Spot::file(key), spot: Spot::file(value.span()), value: plain }
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
