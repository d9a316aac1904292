//! The page of `dormouse report --html`: sound HTML that needs nothing outside of itself, with the numbers of the JSON;
//! and the comparison of two sets of rules, against a slow one over their changes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Command, Stdio};

use dormouse::cli::generate::{Kind, Model, write as generate};
use dormouse::event::Instant;
use serde_json::Value;

const RULES: &str = r#"
[report]
habits = ["category", "channel"]

[[dimension]]
name = "activity"
[[dimension.segment]]
name = "active"
label = "<Active> & \"kicking\""
when = 'purchase.count("30d") >= 2'
[[dimension.segment]]
name = "awake"
when = 'purchase.count("30d") >= 1'
[[dimension.segment]]
name = "asleep"
when = 'purchase.count() >= 1'

[[dimension]]
name = "spend"
[[dimension.segment]]
name = "high"
when = 'purchase.sum("60d") - refund.sum("60d") >= 200'
"#;

/// A folder with rules and events in it, in which the program runs.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().expect("a temporary folder"));
        let kinds = Kind::ALL.to_vec();
        let start = Instant(1_767_225_600_000);
        let model = Model { n_customers: 120, n_events: 4_000, seed: 3, kinds, start, days: 150 };
        let mut bytes = Vec::new();
        generate(&model, &mut bytes).expect("memory takes it");
        place.write("events.jsonl", &bytes);
        place.write("rules.toml", RULES.as_bytes());
        place.write("other.toml", RULES.replace(">= 2", ">= 3").replace("\"spend\"", "\"money\"").as_bytes());
        place
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.0.path().join(name), bytes).expect("the folder can be written");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).expect("it was written")
    }

    /// Standard output of a command that must succeed.
    fn output(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dormouse"));
        let output = command.current_dir(self.0.path()).args(arguments).stdin(Stdio::null()).output();
        let output = output.expect("the program starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("output is UTF-8")
    }

    fn report(&self, arguments: &[&str]) -> Value {
        let arguments = [&["report", "-c", "rules.toml", "--json", "events.jsonl"], arguments].concat();
        serde_json::from_str(&self.output(&arguments)).expect("the report is JSON")
    }
}

/// One tag or the text between two.
#[derive(Debug, Clone, Copy)]
enum Piece<'a> {
    Open { name: &'a str, attributes: &'a str },
    Close(&'a str),
    Text(&'a str),
}

/// Cuts a page into tags and texts. A `<` in a text, or a `>` in an attribute, would show as a tag that does not match.
fn pieces(html: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        pieces.push(Piece::Text(&rest[..start]));
        let end = start + rest[start..].find('>').expect("a tag has an end");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            pieces.push(Piece::Close(name));
        } else {
            let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
            pieces.push(Piece::Open { name, attributes });
        }
    }
    pieces.push(Piece::Text(rest));
    pieces
}

fn attribute<'a>(attributes: &'a str, name: &str) -> Option<&'a str> {
    let value = attributes.split_once(&format!("{name}=\""))?.1;
    Some(value.split_once('"').expect("a value has a closing quote").0)
}

fn assert_sound(html: &str) {
    let mut open = Vec::new();
    for piece in pieces(html) {
        match piece {
            Piece::Open { name: "!doctype" | "meta", .. } | Piece::Text(_) => {}
            Piece::Open { attributes, .. } if attributes.ends_with('/') => {}
            Piece::Open { name, attributes } => {
                assert_eq!(attributes.matches('"').count() % 2, 0, "<{name} {attributes}>");
                open.push(name);
            }
            Piece::Close(name) => assert_eq!(open.pop(), Some(name), "</{name}> closes something else"),
        }
    }
    assert!(open.is_empty(), "{open:?} is never closed");
}

#[test]
fn the_page_is_sound_and_needs_nothing_else() {
    let place = Place::new();
    place.report(&["--html", "page.html", "--compare", "other.toml"]);
    let html = place.read("page.html");
    assert!(html.starts_with("<!doctype html>\n<html lang=\"en\">"));
    assert_sound(&html);
    for outside in ["http", "src=", "url(", "@import", "<script", "<link", "<iframe", "<object", "<img", "//"] {
        assert!(!html.contains(outside), "the page holds `{outside}`");
    }
    let tags: Vec<&str> = pieces(&html)
        .into_iter()
        .filter_map(|piece| if let Piece::Open { attributes, .. } = piece { Some(attributes) } else { None })
        .collect();
    let ids: Vec<&str> = tags.iter().filter_map(|attributes| attribute(attributes, "id")).collect();
    let distinct: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(distinct.len(), ids.len(), "{ids:?}");
    for target in tags.iter().filter_map(|attributes| attribute(attributes, "href")) {
        let id = target.strip_prefix('#').expect("links stay on the page");
        assert!(distinct.contains(id), "nothing is called {id}");
    }
    let said: Vec<&str> = tags.iter().filter(|tag| tag.contains("role=\"img\"")).copied().collect();
    assert!(
        said.len() >= 8 && said.iter().all(|tag| attribute(tag, "aria-label").is_some_and(|said| !said.is_empty()))
    );
}

#[test]
fn names_of_the_shop_are_shown_and_never_markup() {
    let place = Place::new();
    place.report(&["--html", "page.html"]);
    let html = place.read("page.html");
    assert!(html.contains("&lt;Active&gt; &amp; &quot;kicking&quot;"));
    assert!(!html.contains("<Active>"));
}

#[test]
fn threads_do_not_show_on_the_page() {
    let place = Place::new();
    place.report(&["--html", "one.html", "--threads", "1"]);
    place.report(&["--html", "three.html", "--threads", "3"]);
    assert_eq!(place.read("one.html"), place.read("three.html"));
}

/// The rows of a table's body: the texts of its cells.
fn rows_after<'a>(html: &'a str, heading: &str) -> Vec<Vec<String>> {
    let from = html.find(&format!("<h3>{heading}</h3>")).expect("the heading is there");
    let body = html[from..].split_once("<tbody>").expect("a table follows").1;
    let body = body.split_once("</tbody>").expect("the table ends").0;
    let cells = |row: &'a str| {
        let mut cells: Vec<String> = Vec::new();
        for piece in pieces(row) {
            match piece {
                Piece::Open { name: "td" | "th", .. } => cells.push(String::new()),
                Piece::Text(text) => {
                    if let Some(cell) = cells.last_mut() {
                        cell.push_str(&text.replace("&nbsp;", " "));
                    }
                }
                _ => {}
            }
        }
        cells
    };
    body.split("<tr>").skip(1).map(cells).collect()
}

/// `1 234` is 1234.
fn number(text: &str) -> u64 {
    text.trim().replace(' ', "").parse().expect("a count")
}

#[test]
fn the_numbers_of_the_page_are_those_of_the_json() {
    let place = Place::new();
    let report = place.report(&["--html", "page.html"]);
    let html = place.read("page.html");
    let sections: Vec<&str> = html.split("<section ").skip(1).collect();
    let dimensions = report["dimensions"].as_array().expect("dimensions");
    for (dimension, section) in dimensions.iter().zip(sections) {
        let segments = dimension["segments"].as_array().expect("segments");
        let (sizes, stays) = (rows_after(section, "Size and value"), rows_after(section, "How long customers stay"));
        assert_eq!((sizes.len(), stays.len()), (segments.len(), segments.len()));
        for ((segment, size), stay) in segments.iter().zip(&sizes).zip(&stays) {
            let count = |name: &str| segment[name].as_u64().expect("a count");
            assert_eq!(number(&size[1]), count("size"));
            let share = segment["share"].as_f64().expect("a share") * 100.0;
            assert_eq!(size[2].trim(), format!("{share:.1} %"));
            let value = segment["value"].as_f64().expect("money");
            let shown: f64 = size[4].replace(' ', "").parse().expect("money");
            assert!((shown - value).abs() <= 0.5 + 1e-9, "{shown} {value}");
            assert_eq!(number(&size[7]), segment["buying"]["orders"].as_u64().expect("a count"));
            assert_eq!((number(&stay[1]), number(&stay[2])), (count("entered"), count("left")));
        }
        let moves: u64 = rows_after(section, "Who moved where")
            .iter()
            .flat_map(|row| &row[1..])
            .map(|cell| if cell.trim() == "·" { 0 } else { number(cell) })
            .sum();
        let flows = dimension["flows"].as_array().expect("flows");
        assert_eq!(moves, flows.iter().map(|flow| flow["moves"].as_u64().expect("a count")).sum::<u64>());
    }
}

/// By customer: where they are from which instant on in `activity`, by instant.
fn activity(place: &Place, rules: &str) -> BTreeMap<String, BTreeMap<i64, Option<String>>> {
    let mut found: BTreeMap<String, BTreeMap<i64, Option<String>>> = BTreeMap::new();
    for line in place.output(&["replay", "-q", "-c", rules, "events.jsonl"]).lines() {
        let change: Value = serde_json::from_str(line).expect("a change");
        if change["dimension"] == "activity" {
            let customer = change["customer_id"].as_str().expect("a customer").to_owned();
            let to = change["to"].as_str().map(str::to_owned);
            found.entry(customer).or_default().insert(ms(&change["effective_at"]), to);
        }
    }
    found
}

fn ms(time: &Value) -> i64 {
    let time: jiff::Timestamp = time.as_str().expect("a time").parse().expect("RFC 3339");
    time.as_millisecond()
}

#[test]
fn a_comparison_says_who_differs_and_since_when() {
    let place = Place::new();
    let comparison = &place.report(&["--compare", "other.toml", "--limit", "1000"])["comparison"];
    assert_eq!(comparison["only_in_one"], serde_json::json!(["spend"]));
    assert_eq!(comparison["only_in_other"], serde_json::json!(["money"]));
    let (ours, theirs) = (activity(&place, "rules.toml"), activity(&place, "other.toml"));
    let mut expected = BTreeMap::new();
    for customer in ours.keys().chain(theirs.keys()) {
        let (one, other) = (ours.get(customer), theirs.get(customer));
        let at = |moves: Option<&BTreeMap<i64, Option<String>>>, at: i64| {
            moves.and_then(|moves| moves.range(..=at).next_back().and_then(|(_, to)| to.clone()))
        };
        let instants: BTreeSet<i64> =
            [one, other].into_iter().flatten().flat_map(|moves| moves.keys().copied()).collect();
        let same = |instant: &i64| at(one, *instant) == at(other, *instant);
        if instants.last().is_some_and(|last| !same(last)) {
            let since =
                instants.iter().rev().take_while(|instant| !same(instant)).last().expect("the last one differs");
            let first = instants.iter().find(|instant| !same(instant)).expect("the last one differs");
            expected.insert(customer.clone(), (*since, *first));
        }
    }
    let difference = &comparison["dimensions"][0];
    assert_eq!(difference["dimension"], "activity");
    let listed = difference["customers"].as_array().expect("customers");
    let found = listed.iter().map(|one| {
        let customer = one["customer_id"].as_str().expect("an id").to_owned();
        assert_ne!(one["one"], one["other"]);
        (customer, (ms(&one["since"]), ms(&one["first_differed"])))
    });
    assert_eq!(found.collect::<BTreeMap<_, _>>(), expected);
    assert!(expected.len() > 3, "{expected:?}");
    assert_eq!(difference["differ"].as_u64(), Some(expected.len() as u64));
    assert!(listed.is_sorted_by_key(|one| ms(&one["since"])));

    let sizes = |name: &str| -> BTreeMap<String, u64> {
        let pairs = difference["sizes"].as_array().expect("sizes").iter();
        let size = |pair: &Value| Some((pair["segment"].as_str()?.to_owned(), pair[name].as_u64()?));
        pairs.filter_map(size).collect()
    };
    let other: Value =
        serde_json::from_str(&place.output(&["report", "-c", "other.toml", "--json", "events.jsonl"])).expect("JSON");
    assert_eq!(serde_json::to_value(sizes("one")).expect("counts"), place.report(&[])["dimensions"][0]["sizes"]);
    assert_eq!(serde_json::to_value(sizes("other")).expect("counts"), other["dimensions"][0]["sizes"]);

    let few = place.report(&["--compare", "other.toml", "--limit", "2"]);
    let few = few["comparison"]["dimensions"][0]["customers"].as_array().expect("customers").clone();
    assert_eq!(few, listed[..2]);
}
