//! Reads one section key by key, each as the type that it should have, and says at the end which keys nobody asked for.

use std::net::SocketAddr;

use crate::config::quantity;
use crate::event::Span;

use super::document::{Section, Setting, Value};
use super::finding::{Findings, Origin, Spot};
use crate::rules::diagnostic::{Code, nearest};
use crate::rules::units::parse_span;

/// A text and where it stands.
#[derive(Debug, Clone)]
pub struct Text {
    pub value: String,
    pub spot: Spot,
}

/// A section that is being read.
pub struct Reader<'f> {
    section: Section,
    asked: Vec<&'static str>,
    pub findings: &'f mut Findings,
}

impl<'f> Reader<'f> {
    pub fn new(section: Section, findings: &'f mut Findings) -> Reader<'f> {
        Reader { section, asked: Vec::new(), findings }
    }

    /// A string that may be absent.
    pub fn text(&mut self, key: &'static str) -> Option<Text> {
        let setting = self.setting(key)?;
        match setting.value {
            Value::Text(value) => Some(Text { value, spot: setting.spot }),
            other => {
                self.findings.wrong_type(&setting.spot, &self.name(key), "a string", other.type_name());
                None
            }
        }
    }

    /// A string that is not empty, absent only with a finding.
    pub fn required(&mut self, key: &'static str, example: &str) -> Option<Text> {
        let is_there = self.section.settings.contains_key(key);
        let text = self.text(key);
        if !is_there {
            let message = format!("`{}` is missing", self.name(key));
            self.findings.missing(&self.section.spot, message, format!("for example {key} = \"{example}\""));
        }
        self.not_empty(text, key, example)
    }

    /// A string that is not empty, with its place where it stands in the settings.
    pub fn text_or(&mut self, key: &'static str, default: &str) -> Text {
        let text = self.text(key);
        let missing = Text { value: default.to_owned(), spot: self.section.spot.clone() };
        self.not_empty(text, key, default).unwrap_or(missing)
    }

    fn not_empty(&mut self, text: Option<Text>, key: &'static str, example: &str) -> Option<Text> {
        let text = text?;
        if text.value.trim().is_empty() {
            let message = format!("`{}` is empty", self.name(key));
            self.findings.bad_value(Code::BadSetting, &text.spot, message, &format!("for example \"{example}\""));
            return None;
        }
        Some(text)
    }

    /// A duration such as `"5s"`.
    pub fn span_or(&mut self, key: &'static str, default: Span) -> Span {
        let Some((text, spot)) = self.quoted(key, "a duration in quotes") else { return default };
        parse_span(&text).unwrap_or_else(|why| {
            let title = format!("`{}` is no duration", self.name(key));
            self.findings.bad_value(Code::BadDuration, &spot, title, &why.help(&text));
            default
        })
    }

    /// A size such as `"8GiB"`, in bytes.
    pub fn size(&mut self, key: &'static str) -> Option<u64> {
        let help = "for example \"8GiB\"; units are B, kB, MB, GB, KiB, MiB, GiB, TiB";
        self.parsed(key, "a size", help, quantity::size)
    }

    /// An address such as `"127.0.0.1:8080"`.
    pub fn address_or(&mut self, key: &'static str, default: SocketAddr) -> SocketAddr {
        let help = format!("for example \"{default}\"; an address is numbers, not a name");
        self.parsed(key, "an address and a port", &help, |text| text.parse().ok()).unwrap_or(default)
    }

    fn parsed<T>(
        &mut self,
        key: &'static str,
        what: &str,
        help: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let (text, spot) = self.quoted(key, &format!("{what} in quotes"))?;
        let parsed = parse(&text);
        if parsed.is_none() {
            let title = format!("`{}` is not {what}", self.name(key));
            self.findings.bad_value(Code::BadSetting, &spot, title, help);
        }
        parsed
    }

    fn quoted(&mut self, key: &'static str, expected: &str) -> Option<(String, Spot)> {
        let Setting { spot, value, .. } = self.setting(key)?;
        match value {
            Value::Text(text) => Some((text, spot)),
            other => {
                self.findings.wrong_type(&spot, &self.name(key), expected, other.type_name());
                None
            }
        }
    }

    /// `true` or `false`; from a variable as text.
    pub fn flag_or(&mut self, key: &'static str, default: bool) -> bool {
        let Some(Setting { spot, value, .. }) = self.setting(key) else { return default };
        match value {
            Value::Flag(flag) => flag,
            Value::Text(text) if spot.origin == Origin::Environment && text == "true" => true,
            Value::Text(text) if spot.origin == Origin::Environment && text == "false" => false,
            other => {
                self.findings.wrong_type(&spot, &self.name(key), "true or false", other.type_name());
                default
            }
        }
    }

    /// One of a few words, each with its meaning.
    pub fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(key)?;
        if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == text.value) {
            return Some(*choice);
        }
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let help = match nearest(&text.value, names.iter().copied()) {
            Some(known) => format!("did you mean \"{known}\"?"),
            None => format!("it is one of {}", names.join(", ")),
        };
        let message = format!("`{}` cannot be \"{}\"", self.name(key), text.value);
        self.findings.bad_value(Code::BadSetting, &text.spot, message, &help);
        None
    }

    /// Says that a setting cannot be what it is.
    pub fn refuse(&mut self, key: &'static str, help: &str) {
        let title = format!("`{}` cannot be that", self.name(key));
        if let Some(setting) = self.section.settings.get(key) {
            self.findings.bad_value(Code::BadSetting, &setting.spot, title, help);
        }
    }

    /// Says which keys nobody asked for.
    pub fn finish(self) {
        for (key, setting) in &self.section.settings {
            if self.asked.contains(&key.as_str()) {
                continue;
            }
            let help = match nearest(key, self.asked.iter().copied()) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("[{}] has {}", self.section.name, self.asked.join(", ")),
            };
            let message = format!("unknown setting `{}.{key}`", self.section.name);
            self.findings.unknown(&setting.key, message, help);
        }
    }

    fn setting(&mut self, key: &'static str) -> Option<Setting> {
        self.asked.push(key);
        self.section.settings.get(key).cloned()
    }

    fn name(&self, key: &str) -> String {
        format!("{}.{key}", self.section.name)
    }
}
