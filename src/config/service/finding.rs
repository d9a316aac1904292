//! What is wrong with the settings, collected. A finding is plain data; others draw it.

use std::ops::Range;

/// Which text a place points into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    File,
    Environment,
}

/// Bytes of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub origin: Origin,
    pub span: Range<usize>,
}

impl Place {
    pub fn file(span: Range<usize>) -> Place {
        Place { origin: Origin::File, span }
    }
}

/// What kind of wrong: each has a stable code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Syntax,
    UnknownSetting,
    WrongType,
    BadValue,
    Missing,
    GivenTwice,
    Reserved,
    Secret,
    InTheClear,
    NotKept,
}

impl Kind {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Kind::Syntax => "S001",
            Kind::UnknownSetting => "S002",
            Kind::WrongType => "S003",
            Kind::BadValue => "S004",
            Kind::Missing => "S005",
            Kind::GivenTwice => "S006",
            Kind::Reserved => "S007",
            Kind::Secret => "S008",
            Kind::InTheClear => "S101",
            Kind::NotKept => "S102",
        }
    }

    /// Warnings do not keep the service from starting.
    pub fn is_warning(self) -> bool {
        matches!(self, Kind::InTheClear | Kind::NotKept)
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub kind: Kind,
    pub message: String,
    pub place: Place,
    /// Under the caret.
    pub label: String,
    pub related: Option<(Place, String)>,
    pub help: Option<String>,
}

/// All that was found so far.
#[derive(Debug, Default)]
pub struct Findings {
    found: Vec<Finding>,
}

impl Findings {
    pub fn push(&mut self, finding: Finding) {
        self.found.push(finding);
    }

    fn add(&mut self, kind: Kind, message: String, place: Place, label: &str, help: Option<String>) {
        self.push(Finding { kind, message, place, label: label.to_owned(), related: None, help });
    }

    pub fn syntax(&mut self, message: &str, span: Range<usize>) {
        self.add(Kind::Syntax, format!("this is not TOML: {message}"), Place::file(span), "", None);
    }

    pub fn unknown(&mut self, place: Place, message: String, help: String) {
        self.add(Kind::UnknownSetting, message, place, "not known", Some(help));
    }

    pub fn wrong_type(&mut self, place: Place, name: &str, expected: &str, found: &str) {
        self.add(Kind::WrongType, format!("`{name}` is {expected}"), place, &format!("this is {found}"), None);
    }

    pub fn bad_value(&mut self, place: Place, message: String, label: &str, help: &str) {
        self.add(Kind::BadValue, message, place, label, Some(help.to_owned()));
    }

    pub fn missing(&mut self, place: Place, message: String, help: String) {
        self.add(Kind::Missing, message, place, "", Some(help));
    }

    pub fn given_twice(&mut self, name: &str, second: Place, first: Place) {
        self.push(Finding {
            kind: Kind::GivenTwice,
            message: format!("`{name}` is given twice"),
            place: second,
            label: "again here".to_owned(),
            related: Some((first, "first here".to_owned())),
            help: None,
        });
    }

    pub fn reserved(&mut self, place: Place, message: String, help: String) {
        self.add(Kind::Reserved, message, place, "", Some(help));
    }

    pub fn secret(&mut self, place: Place, message: String) {
        self.add(Kind::Secret, message, place, "", None);
    }

    pub fn warn(&mut self, kind: Kind, place: Place, message: &str, help: &str) {
        self.add(kind, message.to_owned(), place, "", Some(help.to_owned()));
    }

    /// All, in the order of their places.
    pub fn into_sorted(mut self) -> Vec<Finding> {
        self.found.sort_by_key(|finding| (finding.place.origin, finding.place.span.start, finding.place.span.end));
        self.found
    }
}

/// The name among `known` that somebody may have meant.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .filter(|(distance, known)| *distance <= known.len().max(3) / 3)
        .min()
        .map(|(_, known)| known)
}
