//! What is wrong with the settings, collected as diagnostics. Places are in the file or in the environment's variables;
//! both are shown with their secrets starred.

use std::ops::Range;
use std::sync::Arc;

use super::mask::masked;
use crate::rules::diagnostic::{Code, Diagnostic};
use crate::rules::place::{Place, SourceFile};

/// Which text a spot is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    File,
    Environment,
}

/// Bytes of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    pub origin: Origin,
    pub span: Range<usize>,
}

impl Spot {
    pub fn file(span: Range<usize>) -> Spot {
        Spot { origin: Origin::File, span }
    }
}

/// All that was found so far.
#[derive(Debug)]
pub struct Findings {
    file: Arc<SourceFile>,
    environment: Arc<SourceFile>,
    found: Vec<Diagnostic>,
}

impl Findings {
    /// For the text of a file, shown as `path`, and the text of the variables.
    pub fn new(path: &str, text: &str, environment: &str) -> Findings {
        Findings {
            file: SourceFile::new(path, masked(text)),
            environment: SourceFile::new("environment", masked(environment)),
            found: Vec::new(),
        }
    }

    /// The spot as others know it.
    pub fn place(&self, spot: &Spot) -> Place {
        let text = match spot.origin {
            Origin::File => &self.file,
            Origin::Environment => &self.environment,
        };
        Place::new(text, spot.span.clone())
    }

    fn add(&mut self, code: Code, spot: &Spot, title: String, label: &str, help: &str) {
        let mut diagnostic = Diagnostic::new(code, self.place(spot), title).label(label);
        if !help.is_empty() {
            diagnostic = diagnostic.help(help);
        }
        self.found.push(diagnostic);
    }

    pub fn syntax(&mut self, message: &str, span: Range<usize>) {
        self.add(Code::NotToml, &Spot::file(span), format!("not TOML: {message}"), "", "");
    }

    pub fn unknown(&mut self, spot: &Spot, title: String, help: String) {
        self.add(Code::UnknownKey, spot, title, "not known", &help);
    }

    pub fn wrong_type(&mut self, spot: &Spot, name: &str, expected: &str, found: &str) {
        let label = format!("expected {expected}");
        self.add(Code::SettingType, spot, format!("`{name}` is {expected}, not {found}"), &label, "");
    }

    /// A value that cannot be; the code says of which kind.
    pub fn bad_value(&mut self, code: Code, spot: &Spot, title: String, help: &str) {
        self.add(code, spot, title, "", help);
    }

    pub fn missing(&mut self, spot: &Spot, title: String, help: String) {
        self.add(Code::SettingMissing, spot, title, "", &help);
    }

    pub fn given_twice(&mut self, name: &str, second: &Spot, first: &Spot) {
        let first = self.place(first);
        let diagnostic = Diagnostic::new(Code::DuplicateName, self.place(second), format!("`{name}` is given twice"))
            .label("again here")
            .related(first, "first here");
        self.found.push(diagnostic);
    }

    pub fn reserved(&mut self, spot: &Spot, title: String, help: &str) {
        self.add(Code::ReservedSetting, spot, title, "", help);
    }

    pub fn secret(&mut self, spot: &Spot, title: String) {
        self.add(Code::BadSecret, spot, title, "", "");
    }

    pub fn warn(&mut self, code: Code, spot: &Spot, title: &str, help: &str) {
        self.add(code, spot, title.to_owned(), "", help);
    }

    /// All, in the order of their places: the file first. Where the text is not TOML the rest would only follow from
    /// that.
    pub fn into_sorted(mut self) -> Vec<Diagnostic> {
        if self.found.iter().any(|diagnostic| diagnostic.code == Code::NotToml) {
            self.found.retain(|diagnostic| diagnostic.code == Code::NotToml);
        }
        let file = &self.file;
        self.found.sort_by_key(|diagnostic| {
            let span = &diagnostic.place.span;
            (!Arc::ptr_eq(&diagnostic.place.file, file), span.start, span.end)
        });
        self.found
    }
}
