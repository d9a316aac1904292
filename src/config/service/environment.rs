//! Settings from environment variables: `DORMOUSE_<SECTION>__<KEY>` overrides what stands in the file.
//!
//! `DORMOUSE_KAFKA__BROKERS` is `brokers` of `[kafka]`; `DORMOUSE_INPUT__0__TOPIC` is `topic` of the first `[[input]]`;
//! `DORMOUSE_KAFKA__CLIENT__SASL_PASSWORD` is `"sasl.password"` of `[kafka.client]`, with `_FILE` at its end the file
//! that it is read from. Names without a double underscore are not ours: Kubernetes makes `DORMOUSE_PORT` and the like
//! for a service of that name.

use super::document::{Document, SECTIONS, Section, Setting, Value};
use super::finding::{Findings, Origin, Spot};
use crate::rules::diagnostic::nearest;

const PREFIX: &str = "DORMOUSE_";

/// The variables that are meant for us, as a text of lines `NAME=value`, in which places can be shown.
#[derive(Debug, Default)]
pub struct Environment {
    /// Names and values, sorted by name.
    variables: Vec<(String, String)>,
}

impl Environment {
    /// Those of `variables` that are ours.
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Environment {
        let is_ours = |name: &str| name.strip_prefix(PREFIX).is_some_and(|rest| rest.contains("__"));
        let mut variables: Vec<_> = variables.into_iter().filter(|(name, _)| is_ours(name)).collect();
        variables.sort();
        Environment { variables }
    }

    /// This process's. A value that is not Unicode is taken with replacement characters, and fails where it is read.
    pub fn of_process() -> Environment {
        let text = |os: std::ffi::OsString| os.to_string_lossy().into_owned();
        Environment::of(std::env::vars_os().map(|(name, value)| (text(name), text(value))))
    }

    /// The text that spots of [`Origin::Environment`] point into.
    pub fn text(&self) -> String {
        self.variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect()
    }

    /// Puts the variables over the file's settings.
    pub fn overlay(&self, document: &mut Document, findings: &mut Findings) {
        let mut start = 0;
        for (name, value) in &self.variables {
            let key = Spot { origin: Origin::Environment, span: start..start + name.len() };
            let end = start + name.len() + 1 + value.len();
            let spot = Spot { origin: Origin::Environment, span: start + name.len() + 1..end };
            start = end + 1;
            let setting = Setting { key, spot, value: Value::Text(value.clone()) };
            put(name, setting, document, findings);
        }
    }
}

fn put(name: &str, setting: Setting, document: &mut Document, findings: &mut Findings) {
    let path = name[PREFIX.len()..].to_ascii_lowercase();
    let parts: Vec<&str> = path.split("__").collect();
    match parts[..] {
        ["kafka", "client", key] => replace(&mut document.client, client_key(key), setting),
        ["input", index, key] => put_input(index, key, setting, document, findings),
        [section, key] => match document.section_mut(section) {
            Some(section) => replace(section, key.to_owned(), setting),
            None => unknown(name, section, setting, findings),
        },
        _ => findings.unknown(
            &setting.key,
            format!("unknown setting `{name}`"),
            "a name is DORMOUSE_<SECTION>__<KEY>, such as DORMOUSE_KAFKA__BROKERS".to_owned(),
        ),
    }
}

/// librdkafka's names have dots where a variable can only have underscores.
fn client_key(key: &str) -> String {
    match key.strip_suffix("_file") {
        Some(key) => format!("{}_file", key.replace('_', ".")),
        None => key.replace('_', "."),
    }
}

fn put_input(index: &str, key: &str, setting: Setting, document: &mut Document, findings: &mut Findings) {
    let n_inputs = document.inputs.len();
    match index.parse::<usize>().ok().and_then(|index| document.inputs.get_mut(index)) {
        Some(input) => replace(input, key.to_owned(), setting),
        None => findings.unknown(
            &setting.key,
            format!("there is no [[input]] number `{index}`"),
            match n_inputs {
                0 => "the file has none".to_owned(),
                n => format!("they are numbered from 0 to {}", n - 1),
            },
        ),
    }
}

fn replace(section: &mut Section, key: String, setting: Setting) {
    section.settings.insert(key, setting);
}

fn unknown(name: &str, section: &str, setting: Setting, findings: &mut Findings) {
    let help = match nearest(section, SECTIONS.into_iter().chain(["input"])) {
        Some(known) => format!("did you mean `{}`?", name.replacen(&section.to_uppercase(), &known.to_uppercase(), 1)),
        None => format!("sections are {}", SECTIONS.join(", ")),
    };
    findings.unknown(&setting.key, format!("unknown section in `{name}`"), help);
}
