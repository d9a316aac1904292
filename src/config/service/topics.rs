//! `[[input]]`, `[output]` and the addresses: what has a name that others must understand too, and what must hold
//! between them.

use super::client::Client;
use super::document::Section;
use super::finding::{Findings, Spot};
use super::reader::{Reader, Text};
use crate::event::{Format, Schema};
use crate::rules::diagnostic::{Code, Diagnostic, nearest};
use crate::rules::place::Place;

/// Kafka's own limit.
const TOPIC_NAME_MAX: usize = 249;
const FORMATS: [(&str, Format); 2] = [("json", Format::Json), ("protobuf", Format::Protobuf)];
const SNAPSHOT_SCHEMES: [&str; 4] = ["file", "s3", "gs", "az"];

/// A topic that events come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    pub topic: String,
    /// The kind of all its events; `None`: each says its own. Whether the rules know it is checked with the rules.
    pub kind: Option<String>,
    /// Where `kind` stands, for whoever checks it.
    pub kind_place: Option<Place>,
    pub format: Format,
}

/// The topics that changes, standings and rejects go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub changes: String,
    pub standing: String,
    pub rejects: String,
    pub format: Format,
}

impl Default for Output {
    fn default() -> Output {
        Output {
            changes: "segment-changes".to_owned(),
            standing: "segment-standing".to_owned(),
            rejects: "segment-rejects".to_owned(),
            format: Format::Json,
        }
    }
}

pub fn read_inputs(sections: Vec<Section>, findings: &mut Findings) -> Vec<Input> {
    if sections.is_empty() {
        let help = "add [[input]] with topic = \"purchases\"".to_owned();
        findings.missing(&Spot::file(0..0), "there is no [[input]]: nothing would be read".to_owned(), help);
    }
    let mut inputs = Vec::new();
    let mut seen: Vec<Text> = Vec::new();
    for section in sections {
        let mut reader = Reader::new(section, findings);
        let topic = reader.required("topic", "purchases");
        let kind = reader.text("kind");
        let format = reader.choice("format", &FORMATS).unwrap_or(Format::Json);
        if let Some(topic) = topic {
            check_topic(&topic, reader.findings);
            match seen.iter().find(|other| other.value == topic.value) {
                Some(first) => reader.findings.given_twice(&topic.value, &topic.spot, &first.spot),
                None => seen.push(topic.clone()),
            }
            let kind_place = kind.as_ref().map(|kind| reader.findings.place(&kind.spot));
            inputs.push(Input { topic: topic.value, kind: kind.map(|kind| kind.value), kind_place, format });
        }
        reader.finish();
    }
    inputs
}

pub fn read_output(section: Section, inputs: &[Input], findings: &mut Findings) -> Output {
    let default = Output::default();
    let mut reader = Reader::new(section, findings);
    let changes = reader.text_or("changes", &default.changes);
    let standing = reader.text_or("standing", &default.standing);
    let rejects = reader.text_or("rejects", &default.rejects);
    let format = reader.choice("format", &FORMATS).unwrap_or(default.format);
    let outputs = [&changes, &standing, &rejects];
    for (n, topic) in outputs.iter().enumerate() {
        check_topic(topic, reader.findings);
        if let Some(first) = outputs[..n].iter().find(|first| first.value == topic.value) {
            reader.findings.given_twice(&topic.value, &topic.spot, &first.spot);
        }
        if inputs.iter().any(|input| input.topic == topic.value) {
            let message = format!("`{}` is an input too: Dormouse would read what it writes", topic.value);
            reader.findings.bad_value(Code::BadSetting, &topic.spot, message, "give the output a topic of its own");
        }
    }
    reader.finish();
    Output { changes: changes.value, standing: standing.value, rejects: rejects.value, format }
}

fn check_topic(topic: &Text, findings: &mut Findings) {
    let name = &topic.value;
    let is_plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if !is_plain || name.len() > TOPIC_NAME_MAX || name == "." || name == ".." {
        let message = format!("`{name}` cannot be the name of a topic");
        let help = "a name has letters, digits, `.`, `_` and `-`, at most 249 of them";
        findings.bad_value(Code::BadName, &topic.spot, message, help);
    }
}

pub fn check_brokers(brokers: &Text, findings: &mut Findings) {
    for address in brokers.value.split(',') {
        let address = address.trim();
        let bare = address.split_once("://").map_or(address, |(_, rest)| rest);
        let is_fine = match bare.rsplit_once(':') {
            Some((host, port)) => !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0),
            None => !bare.is_empty(),
        };
        if !is_fine || bare.contains(char::is_whitespace) {
            let message = format!("`{address}` is not the address of a broker");
            findings.bad_value(
                Code::BadSetting,
                &brokers.spot,
                message,
                "addresses are host:port, separated by commas",
            );
        }
    }
}

/// librdkafka's default is to send everything in the clear, which nobody should learn too late.
pub fn warn_in_the_clear(brokers: &Text, client: &Client, findings: &mut Findings) {
    let protocol = client.get("security.protocol").unwrap_or("plaintext").to_ascii_lowercase();
    let is_local = |address: &str| ["127.", "localhost", "[::1]"].iter().any(|local| address.trim().starts_with(local));
    if !protocol.ends_with("plaintext") || brokers.value.split(',').all(is_local) {
        return;
    }
    let message = "records travel in the clear to brokers on other machines";
    let help = "set \"security.protocol\" = \"ssl\" or \"sasl_ssl\" in [kafka.client]";
    findings.warn(Code::InTheClear, &brokers.spot, message, help);
}

pub fn check_snapshots(url: &Text, findings: &mut Findings) {
    let scheme = url.value.split_once("://").map(|(scheme, _)| scheme);
    if scheme.is_none_or(|scheme| !SNAPSHOT_SCHEMES.contains(&scheme)) {
        let help = "for example \"file:///var/lib/dormouse\"; or s3://, gs://, az://";
        let title = "`state.snapshots` is not a place that we know".to_owned();
        findings.bad_value(Code::BadSetting, &url.spot, title, help);
    }
}

/// Inputs whose kind the rules do not know.
pub fn check_kinds(inputs: &[Input], schema: &Schema) -> Vec<Diagnostic> {
    let known: Vec<&str> = schema.kinds.iter().map(|kind| &*kind.name).collect();
    let unknown = inputs.iter().filter_map(|input| {
        let (kind, place) = (input.kind.as_deref()?, input.kind_place.clone()?);
        if known.contains(&kind) {
            return None;
        }
        let help = match nearest(kind, known.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("kinds are {}; the rules add one with [kind.{kind}]", known.join(", ")),
        };
        Some(Diagnostic::new(Code::UnknownName, place, format!("the rules have no kind `{kind}`")).help(help))
    });
    unknown.collect()
}
