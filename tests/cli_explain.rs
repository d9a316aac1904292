//! `dormouse explain` on the shop's year, as snapshots of the real binary. `UPDATE_EXPECT=1 cargo test --test
//! cli_explain` writes them anew.

use std::path::Path;
use std::process::{Command, Output};

use expect_test::{ExpectFile, expect_file};
use serde_json::Value;

const RULES: &str = "tests/explain/segments.toml";
const YEAR: &str = "data/online-retail.jsonl.zst";

fn explain(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dormouse"))
        .arg("explain")
        .args(args)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .env_clear()
        .output()
        .expect("the binary runs")
}

/// Exit code and both streams; the rules' version, a hash, under a name.
fn shown(output: &Output) -> String {
    let mut text = format!("exit {}\n", output.status.code().expect("it ended by itself"));
    for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        if !bytes.is_empty() {
            text.push_str(&format!("--- {name}\n{}", String::from_utf8_lossy(bytes)));
        }
    }
    let line = |line: &str| match line.trim_start().strip_prefix("rules ") {
        Some(_) => "  rules <version>\n".to_owned(),
        None => format!("{}\n", line.trim_end()),
    };
    text.lines().map(line).collect()
}

/// What is shown is what stands in a file of `tests/explain/`.
fn check(args: &[&str], expected: ExpectFile) {
    expected.assert_eq(&shown(&explain(args)));
}

#[test]
fn the_terminal_view() {
    check(&["13047", "-c", RULES, YEAR], expect_file!["explain/promising.txt"]);
    let in_spring = ["17850", "-c", RULES, YEAR, "--at", "2011-04-01T00:00:00Z", "--history"];
    check(&in_spring, expect_file!["explain/dormant-with-history.txt"]);
}

#[test]
fn plain_words() {
    check(&["13047", "-c", RULES, YEAR, "--plain", "--history"], expect_file!["explain/plain.txt"]);
    check(&["18283", "-c", RULES, YEAR, "--plain", "--at", "1300000000000"], expect_file!["explain/plain-early.txt"]);
    let of_one = ["13047", "-c", RULES, YEAR, "--plain", "--history", "--dimension", "spend"];
    check(&of_one, expect_file!["explain/plain-spend.txt"]);
    let misspelt = ["13047", "-c", RULES, YEAR, "--dimension", "spend,activty"];
    check(&misspelt, expect_file!["explain/no-dimension.txt"]);
    check(&["13047", "-c", RULES, YEAR, "--plain", "--json"], expect_file!["explain/plain-and-json.txt"]);
}

#[test]
fn who_is_not_there() {
    check(&["17851", "-c", RULES, YEAR], expect_file!["explain/nobody.txt"]);
    let too_early = ["13047", "-c", RULES, YEAR, "--at", "2010-12-01T08:30:00Z"];
    check(&too_early, expect_file!["explain/nobody-yet.txt"]);
    check(&["13047", "-c", RULES, "no-such-file.jsonl"], expect_file!["explain/no-file.txt"]);
}

#[test]
fn the_document() {
    let output = explain(&["13047", "-c", RULES, YEAR, "--json", "--history"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    assert_eq!(report["customer_id"], "13047");
    assert_eq!(report["at"], "2011-12-09T12:50:00.000Z");
    assert_eq!(report["history"].as_array().map(Vec::len), report["sequence"].as_u64().map(|n| n as usize));
    expect_file!["explain/dimension.json"].assert_eq(&format!("{:#}\n", report["dimensions"][0]));
    expect_file!["explain/change.json"].assert_eq(&format!("{:#}\n", report["history"][3]));
}
