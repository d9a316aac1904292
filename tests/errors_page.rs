//! `docs/errors.md` lists every code, and every example on it does what the page says: the wrong one is found under
//! its code and drawn as shown, the right one is free of it. After a change of wording, `UPDATE_EXPECT=1` rewrites
//! what is drawn.

use std::fmt::Write;

use dormouse::cli::diagnostics::draw;
use dormouse::config::rules::load_text;
use dormouse::config::service::{Environment, Surroundings, load_file};
use dormouse::rules::diagnostic::{Code, Diagnostic};
use dormouse::rules::place::SourceFile;
use expect_test::expect_file;

const PAGE: &str = include_str!("../docs/errors.md");

/// Codes whose example would be a missing or an enormous file; `tests/broken_rules.rs` has them.
const WITHOUT_EXAMPLE: [&str; 4] = ["E0101", "E0102", "E0110", "E0304"];

struct Block<'a> {
    language: &'a str,
    text: &'a str,
}

/// The fenced blocks of a part of the page.
fn blocks(section: &str) -> Vec<Block<'_>> {
    let fenced = section.split("```").skip(1).step_by(2);
    fenced
        .map(|fenced| {
            let (language, text) = fenced.split_once('\n').expect("a block has a first line");
            Block { language, text: text.trim_end_matches('\n') }
        })
        .collect()
}

/// The parts of the page that are about one code each.
fn sections() -> Vec<(&'static str, &'static str)> {
    PAGE.split("\n### ").skip(1).map(|section| (section.split(':').next().unwrap_or_default(), section)).collect()
}

const SPEND: &str = r#"[[dimension]]
name = "spend"
[[dimension.segment]]
name = "high"
when = 'purchase.sum("30d") >= 500'
[[dimension.segment]]
name = "low"
when = 'purchase.sum("30d") >= 100'
"#;

/// The whole file that an example stands in.
fn file(block: &Block<'_>) -> String {
    let text = block.text;
    let judged = |when: &str| {
        format!("[[dimension]]\nname = \"example\"\n[[dimension.segment]]\nname = \"yes\"\nwhen = '''{when}'''\n")
    };
    match block.language {
        "cel" => format!("{SPEND}{}", judged(text)),
        "cel hourly" => format!("[kind.browse]\nresolution = \"1h\"\n{SPEND}{}", judged(text)),
        "cel first" => format!("{}{SPEND}", judged(text)),
        "toml score" => format!("{text}\n{}", judged("score.spend >= 2")),
        "toml" if text.contains("[[dimension]]") => format!("{text}\n"),
        "toml" => format!("{text}\n{}", judged("purchase.count() >= 1")),
        "toml service" => format!("[kafka]\nbrokers = \"127.0.0.1:9092\"\n[[input]]\ntopic = \"purchases\"\n{text}\n"),
        "toml brokers" => format!("{text}\n"),
        other => unreachable!("no example is in `{other}`"),
    }
}

fn found(block: &Block<'_>) -> Vec<Diagnostic> {
    let text = file(block);
    if matches!(block.language, "toml service" | "toml brokers") {
        let environment = Environment::of([]);
        let surroundings = Surroundings { folder: "etc".into(), environment, host: Some("shop-1".to_owned()) };
        return match load_file(&SourceFile::new("dormouse.toml", text), &surroundings) {
            Ok(loaded) => loaded.warnings,
            Err(diagnostics) => diagnostics,
        };
    }
    match load_text("segments.toml", &text) {
        Ok(loaded) => loaded.warnings,
        Err(diagnostics) => diagnostics,
    }
}

#[test]
fn every_code_has_its_place_on_the_page() {
    let listed: Vec<&str> = sections().into_iter().map(|(code, _)| code).collect();
    let known: Vec<&str> = Code::ALL.iter().map(|(_, number)| *number).collect();
    assert_eq!(listed, known);
}

#[test]
fn every_wrong_example_is_found_and_every_right_one_is_free() {
    for (code, section) in sections() {
        let blocks = blocks(section);
        if WITHOUT_EXAMPLE.contains(&code) {
            assert!(blocks.is_empty(), "{code} is said to have no example");
            continue;
        }
        let [wrong, _, right] = &blocks[..] else {
            unreachable!("{code} has a wrong example, its drawing, a right one")
        };
        assert!(found(wrong).iter().any(|one| one.code.number() == code), "{code} is not found in its example");
        let left: Vec<_> = found(right).into_iter().map(|one| (one.code.number(), one.title)).collect();
        assert!(left.is_empty(), "{code}: the right example is not: {left:?}");
    }
}

#[test]
fn the_drawings_on_the_page_are_what_is_drawn() {
    let mut page = PAGE.split("\n### ").next().unwrap_or_default().to_string();
    for (code, section) in sections() {
        page.push_str("\n### ");
        let Some(wrong) = blocks(section).into_iter().next() else {
            page.push_str(section);
            continue;
        };
        let (before, drawing) = section.split_once("```text\n").expect("the drawing stands after the example");
        let (_, after) = drawing.split_once("```").expect("the drawing ends");
        let diagnostic = found(&wrong).into_iter().find(|one| one.code.number() == code);
        let drawn = draw(&diagnostic.expect("it is found in its example"), false);
        let drawn: Vec<&str> = drawn.lines().map(str::trim_end).collect();
        write!(page, "{before}```text\n{}\n```{after}", drawn.join("\n")).expect("writing to a string does not fail");
    }
    expect_file!["../docs/errors.md"].assert_eq(&page);
}
