//! A TOML file whose every key and value knows its place. Asks for settings by name and type, and collects what is
//! wrong: what is missing, of another type, or not known. Knows no particular file's settings.

use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::event::Span;
use crate::rules::diagnostic::{Code, Diagnostic, nearest};
use crate::rules::place::{Excerpt, Place, SourceFile};
use crate::rules::units::parse_span;

/// The largest file that is read.
pub const BYTES_MAX: u64 = 1 << 20;

/// Reads a file of configuration.
pub fn read(path: &Path) -> Result<Arc<SourceFile>, Diagnostic> {
    let shown = path.display().to_string();
    let nowhere =
        |code, title: String| Diagnostic::new(code, Place::new(&SourceFile::new(shown.clone(), ""), 0..0), title);
    let unreadable = |error: std::io::Error| {
        nowhere(Code::Unreadable, format!("cannot read {shown}: {error}"))
            .help("is the path right, and may it be read?")
    };
    // Of a file without an end, too, no more is read than is taken.
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > BYTES_MAX {
        let title = format!("{shown} has more than {BYTES_MAX} bytes");
        return Err(nowhere(Code::TooLarge, title).help("a configuration is smaller: was another file meant?"));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(SourceFile::new(shown, text)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let file = SourceFile::new(shown, String::from_utf8_lossy(error.as_bytes()));
            Err(Diagnostic::new(Code::NotToml, Place::new(&file, at..at + 1), "a byte that is no UTF-8")
                .help("save the file as UTF-8"))
        }
    }
}

/// A table of settings.
#[derive(Debug, Clone)]
pub struct Table<'d> {
    /// As people know it: `[kind.browse]`.
    pub name: String,
    pub place: Place,
    entries: &'d DeTable<'d>,
}

/// A value and where it stands.
pub type Value<'d> = &'d Spanned<DeValue<'d>>;

impl<'d> Table<'d> {
    pub fn get(&self, key: &str) -> Option<Value<'d>> {
        self.entries.iter().find(|(known, _)| known.get_ref() == key).map(|(_, value)| value)
    }

    /// Keys (as excerpts) and values, in the order of the file.
    pub fn entries(&self) -> Vec<(Excerpt, Value<'d>)> {
        let file = &self.place.file;
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        entries
            .into_iter()
            .map(|(key, value)| (Excerpt::of_toml_string(file, key.span(), key.get_ref()), value))
            .collect()
    }
}

/// Reads settings and collects what is wrong with them.
#[derive(Debug)]
pub struct Reader {
    pub file: Arc<SourceFile>,
    pub diagnostics: Vec<Diagnostic>,
}

impl Reader {
    pub fn new(file: Arc<SourceFile>) -> Reader {
        Reader { file, diagnostics: Vec::new() }
    }

    /// Parses the whole file; what is not TOML is reported, and the rest is there.
    pub fn parse<'d>(&mut self, text: &'d str) -> Spanned<DeTable<'d>> {
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let place = self.place(error.span().unwrap_or(0..0));
            self.report(Diagnostic::new(Code::NotToml, place, format!("not TOML: {}", error.message())));
        }
        table
    }

    pub fn root<'d>(&self, table: &'d Spanned<DeTable<'d>>) -> Table<'d> {
        Table { name: "the file".into(), place: self.place(0..0), entries: table.get_ref() }
    }

    pub fn place(&self, span: Range<usize>) -> Place {
        Place::new(&self.file, span)
    }

    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Reports every key that is none of `known`.
    pub fn only(&mut self, table: &Table<'_>, known: &[&str]) {
        for (key, _) in table.entries() {
            if known.contains(&key.text()) {
                continue;
            }
            let title = format!("{} has no setting `{}`", table.name, key.text());
            let diagnostic = Diagnostic::new(Code::UnknownKey, key.whole(), title).label("unknown setting");
            self.report(match nearest(key.text(), known.iter().copied()) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic.help(format!("settings here are {}", known.join(", "))),
            });
        }
    }

    pub fn missing(&mut self, table: &Table<'_>, key: &str, example: &str) {
        let title = format!("{} has no `{key}`", table.name);
        self.report(Diagnostic::new(Code::SettingMissing, table.place.clone(), title).help(format!("add `{example}`")));
    }

    pub fn wrong_type(&mut self, key: &str, value: Value<'_>, expected: &str) {
        let title = format!("`{key}` is {expected}, not {}", type_name(value));
        let place = self.place(value.span());
        self.report(Diagnostic::new(Code::SettingType, place, title).label(format!("expected {expected}")));
    }

    pub fn table<'d>(&mut self, name: impl Into<String>, key: &str, value: Value<'d>) -> Option<Table<'d>> {
        match value.get_ref() {
            DeValue::Table(entries) => Some(Table { name: name.into(), place: self.header(value.span()), entries }),
            _ => {
                self.wrong_type(key, value, "a table");
                None
            }
        }
    }

    /// Where a table is said to begin: its first line.
    fn header(&self, span: Range<usize>) -> Place {
        let line = self.file.text.get(span.clone()).and_then(|text| text.lines().next()).unwrap_or("");
        self.place(span.start..span.start + line.len())
    }

    pub fn excerpt(&mut self, key: &str, value: Value<'_>) -> Option<Excerpt> {
        match value.get_ref() {
            DeValue::String(text) => Some(Excerpt::of_toml_string(&self.file, value.span(), text)),
            _ => {
                self.wrong_type(key, value, "a string");
                None
            }
        }
    }

    pub fn text(&mut self, table: &Table<'_>, key: &str) -> Option<Excerpt> {
        self.excerpt(key, table.get(key)?)
    }

    pub fn flag(&mut self, table: &Table<'_>, key: &str) -> Option<bool> {
        let value = table.get(key)?;
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(*flag),
            _ => {
                self.wrong_type(key, value, "true or false");
                None
            }
        }
    }

    pub fn list<'d>(&mut self, table: &Table<'d>, key: &str) -> Option<(Place, Vec<Value<'d>>)> {
        let value = table.get(key)?;
        match value.get_ref() {
            DeValue::Array(values) => Some((self.place(value.span()), values.iter().collect())),
            _ => {
                self.wrong_type(key, value, "a list");
                None
            }
        }
    }

    /// A duration such as `"30d"`.
    pub fn span(&mut self, table: &Table<'_>, key: &str) -> Option<(Span, Place)> {
        let value = table.get(key)?;
        let DeValue::String(text) = value.get_ref() else {
            self.wrong_type(key, value, "a duration such as \"30d\"");
            return None;
        };
        let place = self.place(value.span());
        match parse_span(text) {
            Ok(span) => Some((span, place)),
            Err(why) => {
                let title = format!("`{key}` is no duration");
                self.report(Diagnostic::new(Code::BadDuration, place, title).help(why.help(text)));
                None
            }
        }
    }
}

fn type_name(value: Value<'_>) -> &'static str {
    match value.get_ref() {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
