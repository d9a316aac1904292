//! `segments.toml`: reads the file, has the rules checked, and gives the plan or everything that is wrong.
//!
//! What a setting may be is said here; what an expression may say, `rules::check` knows.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use toml::de::DeValue;

use super::document::{self, Reader, Table, Value};
use super::{interests, report, settings, timelines};
use crate::rules::compile;
use crate::rules::declared::{Cut, Declared, Dimension, From, Score, Segment};
use crate::rules::diagnostic::{Code, Diagnostic};
use crate::rules::place::{Excerpt, Place, SourceFile};
use crate::rules::plan::Plan;
use crate::rules::timeline::{Ground, Test};
use crate::rules::units::{parse_number, parse_span};

/// Rules that may run.
#[derive(Debug)]
pub struct Loaded {
    pub plan: Plan,
    /// What the plan was made of.
    pub declared: Declared,
    /// What the file says of itself; the plan's version does not depend on it.
    pub tests: Vec<Test>,
    /// `[report]`.
    pub report: report::Settings,
    pub warnings: Vec<Diagnostic>,
}

/// How many things of a sort there may be; ids have eight bits.
pub(super) const MANY: usize = 250;
/// More is not shown at once.
const DIAGNOSTICS_MAX: usize = 200;

/// Reads and checks a rules file. Errors come with the warnings, in the order of the file.
pub fn load(path: &Path) -> Result<Loaded, Vec<Diagnostic>> {
    let file = document::read(path).map_err(|diagnostic| vec![diagnostic])?;
    load_file(file)
}

/// Checks rules that are at hand as text; `name` is shown as the file's path.
pub fn load_text(name: &str, text: &str) -> Result<Loaded, Vec<Diagnostic>> {
    load_file(SourceFile::new(name, text))
}

fn load_file(file: Arc<SourceFile>) -> Result<Loaded, Vec<Diagnostic>> {
    let mut reader = Reader::new(file.clone());
    if file.text.len() as u64 > document::BYTES_MAX {
        let title = format!("{} has {} bytes", file.path, file.text.len());
        let diagnostic = Diagnostic::new(Code::TooLarge, reader.place(0..0), title);
        return Err(vec![diagnostic.help(format!("a configuration has at most {} bytes", document::BYTES_MAX))]);
    }
    let table = reader.parse(&file.text);
    let broken = !reader.diagnostics.is_empty();
    let root = reader.root(&table);
    let declared = declare(&mut reader, &root);
    let report = report::settings(&mut reader, &root);
    let compiled = compile(&declared);
    let tests = timelines::tests(&mut reader, &root, &Ground::new(&declared, &compiled.attributes));
    let mut diagnostics = reader.diagnostics;
    diagnostics.extend(compiled.diagnostics);
    if broken {
        diagnostics.retain(|diagnostic| holds_in_a_part(diagnostic.code));
    }
    diagnostics.sort_by_key(|diagnostic| (diagnostic.place.span.start, diagnostic.code));
    diagnostics.dedup();
    match compiled.plan {
        Some(plan) if !diagnostics.iter().any(Diagnostic::is_error) => {
            Ok(Loaded { plan, declared, tests, report, warnings: diagnostics })
        }
        _ => Err(at_most(DIAGNOSTICS_MAX, diagnostics)),
    }
}

/// Whether something can be said when parts of the file could not be read: nothing that is only missing.
fn holds_in_a_part(code: Code) -> bool {
    let about_names = matches!(
        code,
        Code::SettingMissing
            | Code::NothingDeclared
            | Code::UnknownKey
            | Code::UnknownName
            | Code::UnknownDimension
            | Code::UnknownSegment
            | Code::UnknownScore
            | Code::UnknownFrom
            | Code::UnusedScore
            | Code::Unreachable
            | Code::BadEvent
    );
    !about_names
}

/// The first errors, with the number of the others.
fn at_most(n_max: usize, mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    if diagnostics.len() <= n_max {
        return diagnostics;
    }
    // Errors first: a flood of warnings must not hide them.
    diagnostics.sort_by_key(|diagnostic| !diagnostic.is_error());
    let rest = diagnostics.split_off(n_max);
    diagnostics.sort_by_key(|diagnostic| (diagnostic.place.span.start, diagnostic.code));
    let title = format!("and {} more", rest.len());
    diagnostics.push(Diagnostic::new(Code::TooMany, rest[0].place.clone(), title).help("mend the others first"));
    diagnostics
}

/// Everything that the file says.
fn declare(reader: &mut Reader, root: &Table<'_>) -> Declared {
    reader.only(
        root,
        &["timezone", "currency", "kind", "rates", "score", "dimension", "changes", "interests", "report", "test"],
    );
    let zone = settings::zone(reader, root);
    let currency = settings::currency(reader, root);
    let rates = settings::rates(reader, root, &currency);
    let kinds = settings::kinds(reader, root);
    let scores = scores(reader, root);
    let dimensions = dimensions(reader, root);
    let reasons = settings::reasons(reader, root);
    let interests = interests::limits(reader, root);
    Declared { zone, currency, rates, kinds, scores, dimensions, reasons, interests }
}

fn scores(reader: &mut Reader, root: &Table<'_>) -> Vec<Score> {
    let Some(table) = root.get("score").and_then(|value| reader.table("[score]", "score", value)) else {
        return Vec::new();
    };
    let entries = table.entries();
    too_many(reader, "scores", entries.iter().map(|(key, _)| key.whole()));
    entries.into_iter().filter_map(|(name, value)| score(reader, name, value)).collect()
}

fn score(reader: &mut Reader, name: Excerpt, value: Value<'_>) -> Option<Score> {
    if !settings::is_identifier(name.text()) {
        let title = format!("`{}` cannot be read as `score.…`", name.text());
        reader.report(
            Diagnostic::new(Code::BadName, name.whole(), title)
                .help("a name has letters, digits and `_`, and begins with a letter"),
        );
    }
    let table = reader.table(format!("[score.{}]", name.text()), name.text(), value)?;
    reader.only(&table, &["of", "cuts", "falling"]);
    let of = required(reader, &table, "of", "of = 'purchase.sum(\"365d\")'");
    let cuts = match reader.list(&table, "cuts") {
        Some((place, values)) if values.is_empty() => {
            let title = format!("{} has no cut", table.name);
            reader
                .report(Diagnostic::new(Code::SettingMissing, place, title).help("name at least one: `cuts = [100]`"));
            Vec::new()
        }
        Some((_, values)) => values.into_iter().filter_map(|value| cut(reader, value)).collect(),
        None => {
            if table.get("cuts").is_none() {
                reader.missing(&table, "cuts", "cuts = [100, 500]");
            }
            Vec::new()
        }
    };
    let falling = reader.flag(&table, "falling").unwrap_or(false);
    Some(Score { name, of, cuts, falling })
}

fn cut(reader: &mut Reader, value: Value<'_>) -> Option<(Cut, Place)> {
    let place = reader.place(value.span());
    let cut = match value.get_ref() {
        DeValue::String(text) => parse_span(text).map(Cut::Duration).map_err(|why| (Code::BadDuration, why.explain())),
        DeValue::Integer(number) if number.radix() == 10 => signed(number.as_str()),
        DeValue::Float(number) => signed(number.as_str()),
        _ => {
            reader.wrong_type("cuts", value, "a list of numbers or durations");
            return None;
        }
    };
    match cut {
        Ok(cut) => Some((cut, place)),
        Err((code, help)) => {
            reader.report(Diagnostic::new(code, place, "a cut that is neither a number nor a duration").help(help));
            None
        }
    }
}

/// A number of TOML, which may have a sign.
fn signed(text: &str) -> Result<Cut, (Code, &'static str)> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let (negative, digits) = digits.strip_prefix('-').map_or((false, digits), |digits| (true, digits));
    let mut amount = parse_number(digits).map_err(|why| (Code::BadNumber, why.explain()))?;
    if negative {
        amount.0 = -amount.0;
    }
    Ok(Cut::Number(amount))
}

fn dimensions(reader: &mut Reader, root: &Table<'_>) -> Vec<Dimension> {
    let values = reader.list(root, "dimension");
    if root.get("dimension").is_none() || values.as_ref().is_some_and(|(_, values)| values.is_empty()) {
        let place = reader.place(0..0);
        reader.report(
            Diagnostic::new(Code::NothingDeclared, place, "no dimension is declared")
                .help("declare one: `[[dimension]]`, `name = \"activity\"`, and its `[[dimension.segment]]`s"),
        );
    }
    let values = values.map(|(_, values)| values).unwrap_or_default();
    too_many(reader, "dimensions", values.iter().map(|value| reader_place(value, root)));
    let dimensions: Vec<Dimension> = values.into_iter().filter_map(|value| dimension(reader, value)).collect();
    unique(reader, "dimension", dimensions.iter().map(|dimension| &dimension.name));
    dimensions
}

fn reader_place(value: Value<'_>, root: &Table<'_>) -> Place {
    Place::new(&root.place.file, value.span())
}

fn dimension(reader: &mut Reader, value: Value<'_>) -> Option<Dimension> {
    let table = reader.table("[[dimension]]", "dimension", value)?;
    reader.only(&table, &["name", "segment"]);
    let name = required(reader, &table, "name", "name = \"activity\"");
    if let Some(name) = name.as_ref().filter(|name| name.text().is_empty()) {
        let diagnostic = Diagnostic::new(Code::BadName, name.whole(), "a dimension without a name");
        reader.report(diagnostic.help("call it after what it says of a customer: `activity`"));
    }
    let shown = name.as_ref().map_or("[[dimension]]".to_string(), |name| format!("dimension `{}`", name.text()));
    let values = reader.list(&table, "segment");
    if table.get("segment").is_none() || values.as_ref().is_some_and(|(_, values)| values.is_empty()) {
        let diagnostic = Diagnostic::new(Code::NothingDeclared, table.place.clone(), format!("{shown} has no segment"));
        reader.report(diagnostic.help("declare one: `[[dimension.segment]]` with `name` and `when`"));
    }
    let values = values.map(|(_, values)| values).unwrap_or_default();
    too_many(reader, "segments", values.iter().map(|value| reader_place(value, &table)));
    let segments: Vec<Segment> = values.into_iter().filter_map(|value| segment(reader, value)).collect();
    unique(reader, "segment", segments.iter().map(|segment| &segment.name));
    let name = name.unwrap_or_else(|| Excerpt::missing(table.place));
    Some(Dimension { name, segments })
}

fn segment(reader: &mut Reader, value: Value<'_>) -> Option<Segment> {
    let table = reader.table("[[dimension.segment]]", "segment", value)?;
    reader.only(&table, &["name", "when", "stay", "min_stay", "cooldown", "from", "label", "action"]);
    let name = required(reader, &table, "name", "name = \"active\"");
    if let Some(name) = name.as_ref().filter(|name| matches!(name.text(), "" | "none")) {
        let title = format!("no segment may be named \"{}\"", name.text());
        reader.report(
            Diagnostic::new(Code::BadName, name.whole(), title)
                .label("this is how being in no segment is written")
                .help("choose another name"),
        );
    }
    let when = required(reader, &table, "when", "when = 'purchase.count(\"30d\") >= 1'");
    let stay = reader.text(&table, "stay");
    let min_stay = reader.span(&table, "min_stay").map(|(span, _)| span);
    let cooldown = reader.span(&table, "cooldown").map(|(span, _)| span);
    let from = reader.list(&table, "from").map(|(place, values)| {
        let names = values.into_iter().filter_map(|value| reader.excerpt("from", value)).collect();
        From { place, names }
    });
    let label = reader.text(&table, "label").map(|label| label.text().into());
    let action = reader.text(&table, "action").map(|action| action.text().into());
    let name = name.unwrap_or_else(|| Excerpt::missing(table.place));
    Some(Segment { name, when, stay, min_stay, cooldown, from, label, action })
}

pub(super) fn required(reader: &mut Reader, table: &Table<'_>, key: &str, example: &str) -> Option<Excerpt> {
    if table.get(key).is_none() {
        reader.missing(table, key, example);
    }
    reader.text(table, key)
}

pub(super) fn too_many(reader: &mut Reader, what: &str, places: impl ExactSizeIterator<Item = Place>) {
    let n = places.len();
    if let Some(place) = places.into_iter().nth(MANY) {
        let title = format!("{n} {what}");
        reader.report(Diagnostic::new(Code::TooMany, place, title).help(format!("there may be {MANY}")));
    }
}

pub(super) fn unique<'a>(reader: &mut Reader, what: &str, names: impl Iterator<Item = &'a Excerpt>) {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let names: Vec<&Excerpt> = names.collect();
    for name in &names {
        // A name that is missing is reported as such.
        if name.text().is_empty() || seen.insert(name.text()) {
            continue;
        }
        let first = names.iter().find(|first| first.text() == name.text()).expect("it was seen");
        reader.report(
            Diagnostic::new(Code::DuplicateName, name.whole(), format!("a second {what} `{}`", name.text()))
                .label("again")
                .related(first.whole(), "the first")
                .help("give one of them another name"),
        );
    }
}
