//! `[[test]]` of `segments.toml`: a name and a timeline. What a timeline may say, `rules::timeline` knows.

use super::document::{Reader, Table, Value};
use super::rules::{required, unique};
use crate::rules::diagnostic::{Code, Diagnostic};
use crate::rules::timeline::{Ground, Test, read};

/// The tests of the file, without those that are wrong, which were reported.
pub(super) fn tests(reader: &mut Reader, root: &Table<'_>, ground: &Ground<'_>) -> Vec<Test> {
    let values = reader.list(root, "test").map(|(_, values)| values).unwrap_or_default();
    let mut names = Vec::with_capacity(values.len());
    let mut tests = Vec::with_capacity(values.len());
    for value in values {
        let Some(test) = test(reader, value, ground) else { continue };
        names.extend(test.0);
        tests.extend(test.1);
    }
    unique(reader, "test", names.iter());
    tests
}

type Named = (Option<crate::rules::place::Excerpt>, Option<Test>);

fn test(reader: &mut Reader, value: Value<'_>, ground: &Ground<'_>) -> Option<Named> {
    let table = reader.table("[[test]]", "test", value)?;
    reader.only(&table, &["name", "timeline"]);
    let name = required(reader, &table, "name", "name = \"ninety days without an order\"");
    if let Some(name) = name.as_ref().filter(|name| name.text().trim().is_empty()) {
        let diagnostic = Diagnostic::new(Code::BadName, name.whole(), "a test without a name");
        reader.report(diagnostic.help("say in a few words what it shows: `ninety days without an order`"));
    }
    let example = "timeline = '''…'''";
    let timeline = required(reader, &table, "timeline", example)?;
    match read(&timeline, ground) {
        Ok(steps) => {
            let test = name.clone().map(|name| Test { name, steps });
            Some((name, test))
        }
        Err(diagnostics) => {
            diagnostics.into_iter().for_each(|diagnostic| reader.report(diagnostic));
            Some((name, None))
        }
    }
}
