//! `[kafka.client]`: librdkafka's own settings, passed on as they are, and the secrets among them, which come from
//! files or the environment and are never shown.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use super::document::{Section, Setting, Value};
use super::finding::{Findings, Origin};
use crate::rules::diagnostic::{Code, Diagnostic};
use crate::rules::place::Place;

/// Settings that Dormouse makes itself, since exactly once hangs on them, and what to do instead.
const RESERVED: [(&str, &str); 13] = [
    ("bootstrap.servers", "use `brokers` of [kafka]"),
    ("metadata.broker.list", "use `brokers` of [kafka]"),
    ("group.id", "use `group` of [kafka]"),
    ("group.instance.id", "use `instance` of [kafka]"),
    ("group.protocol", "leave it out: the classic protocol is used"),
    ("partition.assignment.strategy", "leave it out: shards need the range assignor"),
    ("transactional.id", "use `instance` of [kafka]"),
    ("isolation.level", "leave it out: only committed records are read"),
    ("enable.auto.commit", "leave it out: offsets are committed with the changes"),
    ("enable.auto.offset.store", "leave it out: offsets are committed with the changes"),
    ("auto.offset.reset", "leave it out: where to start is read from the last epoch"),
    ("enable.idempotence", "leave it out: it is always on"),
    ("acks", "leave it out: all in-sync replicas acknowledge"),
];

/// Names that hold one of these are not shown, wherever their value comes from.
const SENSITIVE: [&str; 7] = ["password", "secret", "token", "key.pem", "jaas", "oauthbearer", "private"];

/// Whether a value under this name must not be shown.
pub fn is_sensitive(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('_', ".");
    SENSITIVE.iter().any(|word| name.contains(word))
}

/// librdkafka's settings by name.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Client {
    settings: BTreeMap<String, Passed>,
}

#[derive(Clone, PartialEq, Eq)]
struct Passed {
    value: String,
    is_hidden: bool,
    /// Where its name stands.
    place: Place,
}

impl Client {
    /// Names and values in the order of names, for the client's configuration and for nothing that people see.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.settings.iter().map(|(name, passed)| (name.as_str(), passed.value.as_str()))
    }

    /// What somebody who knows librdkafka's settings has to say of each; `refuses` gets a name and a value and answers
    /// with what is wrong.
    pub fn check(&self, refuses: impl Fn(&str, &str) -> Option<Refusal>) -> Vec<Diagnostic> {
        let complaint = |(name, passed): (&String, &Passed)| {
            let refusal = refuses(name, &passed.value)?;
            let title = match &refusal {
                Refusal::Unknown => format!("librdkafka has no setting `{name}`"),
                Refusal::Value(why) if passed.is_hidden && why.contains(&passed.value) => {
                    format!("`{name}` cannot have this value")
                }
                Refusal::Value(why) => format!("`{name}` cannot have this value: {why}"),
                Refusal::NeedsTls => format!("`{name}` cannot have this value: this dormouse was built without TLS"),
            };
            let help = match refusal {
                Refusal::NeedsTls => "build it with `cargo build --release --features tls`",
                _ => "its settings are at https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md",
            };
            Some(Diagnostic::new(Code::BadSetting, passed.place.clone(), title).help(help))
        };
        let mut complaints: Vec<Diagnostic> = self.settings.iter().filter_map(complaint).collect();
        complaints.sort_by_key(|complaint| complaint.place.span.start);
        complaints
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(|passed| passed.value.as_str())
    }
}

/// Why librdkafka does not take a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    Unknown,
    /// In its own words, which may hold the value.
    Value(String),
    /// It would in a build with TLS.
    NeedsTls,
}

/// Secrets show as `(hidden)`.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |passed: &Passed| if passed.is_hidden { "(hidden)".to_owned() } else { passed.value.clone() };
        f.debug_map().entries(self.settings.iter().map(|(name, passed)| (name, shown(passed)))).finish()
    }
}

/// Reads the section; files of secrets are relative to `folder`.
pub fn read(section: Section, folder: &Path, findings: &mut Findings) -> Client {
    let mut client = Client::default();
    for (name, setting) in &section.settings {
        let (name, passed) = match name.strip_suffix("_file") {
            None => (name.as_str(), plain(name, setting, findings)),
            Some(bare) => {
                if let Some(other) = section.settings.get(bare) {
                    findings.given_twice(bare, &setting.key, &other.key);
                }
                (bare, from_file(name, setting, folder, findings))
            }
        };
        if let Some((_, instead)) = RESERVED.iter().find(|(reserved, _)| *reserved == name) {
            let message = format!("`{name}` is set by Dormouse");
            findings.reserved(&setting.key, message, instead);
        } else if let Some(passed) = passed {
            client.settings.insert(name.to_owned(), passed);
        }
    }
    client
}

fn plain(name: &str, setting: &Setting, findings: &mut Findings) -> Option<Passed> {
    let value = match &setting.value {
        Value::Text(text) => text.clone(),
        Value::Integer(integer) => integer.to_string(),
        Value::Flag(flag) => flag.to_string(),
        Value::Other(found) => {
            findings.wrong_type(&setting.spot, name, "a string, an integer or a boolean", found);
            return None;
        }
    };
    let is_hidden = is_sensitive(name) || setting.spot.origin == Origin::Environment;
    Some(Passed { value, is_hidden, place: findings.place(&setting.key) })
}

fn from_file(name: &str, setting: &Setting, folder: &Path, findings: &mut Findings) -> Option<Passed> {
    let Value::Text(path) = &setting.value else {
        findings.wrong_type(&setting.spot, name, "the name of a file", setting.value.type_name());
        return None;
    };
    let path = folder.join(path);
    let problem = match std::fs::read_to_string(&path) {
        Ok(text) if text.trim_end_matches(['\r', '\n']).is_empty() => "it is empty".to_owned(),
        Ok(text) => {
            let value = text.trim_end_matches(['\r', '\n']).to_owned();
            return Some(Passed { value, is_hidden: true, place: findings.place(&setting.key) });
        }
        Err(error) => error.to_string(),
    };
    findings.secret(&setting.spot, format!("the secret in {} cannot be read: {problem}", path.display()));
    None
}
