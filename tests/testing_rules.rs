//! Tests that stand in a rules file: `docs/testing-rules.md` is true, the command line says what failed and why, and
//! whatever is done to a timeline, it is taken or refused with a place. `UPDATE_EXPECT=1` writes the drawings anew.

use std::path::Path;
use std::process::{Command, Output};

use dormouse::config::rules::load_text;
use dormouse::rules::diagnostic::Diagnostic;
use dormouse::rules::timeline::What;
use dormouse::trial::Bench;
use expect_test::{Expect, expect, expect_file};

const PAGE: &str = include_str!("../docs/testing-rules.md");

/// `dormouse check` on rules, with a coverage note as long as it may be.
fn check(rules: &str, args: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("segments.toml"), rules).expect("written");
    run_in(folder.path(), &[&["check", "-c", "segments.toml"], args].concat())
}

fn run_in(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dormouse"));
    command.args(args).current_dir(folder).env_clear().output().expect("the binary runs")
}

/// Exit code, what failed, and what stands under the tables.
fn shown(output: &Output) -> String {
    let code = output.status.code().expect("it ended by itself");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let counts = stdout.rsplit_once("\n\n").map_or("", |(_, counts)| counts);
    let text = format!("exit {code}\n{}--- counts\n{counts}", String::from_utf8_lossy(&output.stderr));
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// The blocks of the page in a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fenced = PAGE.split("```").skip(1).step_by(2).filter_map(|fenced| fenced.split_once('\n'));
    fenced.filter(|(of, _)| *of == language).map(|(_, text)| text).collect()
}

#[test]
fn every_example_of_the_page_passes() {
    let blocks = blocks("toml");
    let output = check(&blocks.join("\n"), &["-v"]);
    let text = shown(&output);
    assert!(text.starts_with("exit 0\n"), "{text}");
    assert_eq!(text.matches("\n  ok     ").count(), blocks.len() - 1, "{text}");
    let first = check(&blocks[..2].join("\n"), &[]);
    let counts = String::from_utf8_lossy(&first.stdout).into_owned();
    assert!(PAGE.contains(counts.rsplit_once("\n\n").expect("counts under the tables").1), "{counts}");
}

#[test]
fn the_example_of_the_readme_passes() {
    let fenced = include_str!("../README.md").split("```toml\n").skip(1);
    let blocks: Vec<&str> = fenced.filter_map(|fenced| fenced.split("```").next()).collect();
    let text = shown(&check(&blocks.join("\n"), &[]));
    assert!(text.contains("\n1 test passed\n"), "{text}");
}

#[test]
fn the_failure_on_the_page_is_what_is_drawn() {
    let (rules, failing) = (blocks("toml")[0], blocks("toml failing")[0]);
    let output = check(&format!("{rules}\n{failing}"), &[]);
    assert_eq!(output.status.code(), Some(1));
    let drawn = String::from_utf8_lossy(&output.stderr).into_owned();
    let drawn: Vec<&str> = drawn.trim_end().lines().map(str::trim_end).collect();
    let (before, rest) = PAGE.split_once("```text drawn\n").expect("the drawing has its place");
    let (_, after) = rest.split_once("```").expect("the drawing ends");
    let page = format!("{before}```text drawn\n{}\n```{after}", drawn.join("\n"));
    expect_file!["../docs/testing-rules.md"].assert_eq(&page);
}

const RULES: &str = r#"timezone = "Europe/Berlin"
[[dimension]]
name = "activity"
[[dimension.segment]]
name = "new"
when = 'purchase.count() == 1'
min_stay = "2d"
[[dimension.segment]]
name = "active"
when = 'purchase.count("30d") >= 2'
cooldown = "60d"
[[dimension.segment]]
name = "dormant"
when = 'purchase.count() >= 1'
from = ["active"]
[[dimension]]
name = "spend"
[[dimension.segment]]
name = "high"
when = 'purchase.sum("180d") >= 100 && profile.vip'
[[dimension.segment]]
name = "at risk"
when = 'purchase.count() >= 1'
"#;

fn test(name: &str, timeline: &str) -> String {
    format!("[[test]]\nname = \"{name}\"\ntimeline = '''\n{timeline}'''\n")
}

#[track_caller]
fn expect_check(tests: &str, args: &[&str], expected: Expect) {
    expected.assert_eq(&shown(&check(&format!("{RULES}{tests}"), args)));
}

#[test]
fn a_failure_names_its_line_and_says_why() {
    let timeline = "\
2026-03-01 10:00   purchase 40 id=a
+0s                purchase 40 id=a
+1d                => activity = active, spend = high
                   purchase 60
                   profile vip=false
+1d                => spend = none from high
";
    expect_check(
        &test("one that fails", timeline),
        &[],
        expect![[r#"
            exit 1
            failed: one that fails
              --> segments.toml:29:23
               |
            29 | +1d                => activity = active, spend = high
               |                       ^^^^^^^^^^^^^^^^^  ^^^^^^^^^^^^ at 2026-03-02 10:00 it is "at risk", since 2026-03-01 10:00
               |                       |
               |                       at 2026-03-02 10:00 it is new, since 2026-03-01 10:00
               |
               = note: new has a `min_stay` and is not left before 2026-03-03 10:00
               = note: active asks for
                         purchase.count("30d") >= 2  does not hold: 1
               = note: moves in activity until then
                         none -> new at 2026-03-01 10:00, by an event: purchase.count() == 1 (1)
               = note: high asks for
                         purchase.sum("180d") >= 100  does not hold: 40
                         profile.vip                  does not hold: absent
               = note: moves in spend until then
                         none -> "at risk" at 2026-03-01 10:00, by an event: purchase.count() >= 1 (1)
               = note: dropped as duplicates: events of line 28

            failed: one that fails
              --> segments.toml:32:23
               |
            32 | +1d                => spend = none from high
               |                       ^^^^^^^^^^^^ ^^^^^^^^^ until 2026-03-03 10:00 there was no change in spend
               |                       |
               |                       at 2026-03-03 10:00 it is "at risk", since 2026-03-01 10:00

            --- counts
              failed one that fails (segments.toml:25)
            0 tests passed, 1 failed
            no test enters: activity.dormant, spend.high
        "#]],
    );
}

#[test]
fn a_failure_says_what_keeps_a_segment_from_being_entered() {
    let timeline = "\
2026-03-01 10:00   purchase 40 x2
+30d               => activity = dormant from active
                   purchase 1 x2
                   => activity = active
";
    expect_check(
        &test("too soon again", timeline),
        &[],
        expect![[r#"
        exit 1
        failed: too soon again
          --> segments.toml:30:23
           |
        30 |                    => activity = active
           |                       ^^^^^^^^^^^^^^^^^ at 2026-03-31 11:00 it is dormant, since 2026-03-31 11:00
           |
           = note: active has a `cooldown` and is not entered before 2026-05-30 11:00
           = note: moves in activity until then
                     none -> new at 2026-03-01 10:00, by an event: purchase.count() == 1 (1)
                     new -> active at 2026-03-03 10:00, by time: purchase.count("30d") >= 2 (2)
                     active -> dormant at 2026-03-31 11:00, by time: purchase.count() >= 1 (2)

        --- counts
          failed too soon again (segments.toml:25)
        0 tests passed, 1 failed
        no test enters: spend.high
    "#]],
    );
}

#[test]
fn a_failure_says_what_stands_before_a_segment() {
    let rules = r#"[[dimension]]
name = "d"
[[dimension.segment]]
name = "first"
when = 'purchase.count() >= 1'
[[dimension.segment]]
name = "second"
when = 'purchase.count() >= 1 && purchase.since_last() >= duration("1d")'
[[dimension.segment]]
name = "only from second"
when = 'customer.age() >= duration("0s")'
from = ["second"]
"#;
    let timeline = "2026-03-01 purchase 5\n+1d => d = second\n => d = \"only from second\"\n";
    let output = check(&format!("{rules}{}", test("order", timeline)), &[]);
    let text = shown(&output);
    assert!(text.contains("= note: what second asks for holds, but first stands before it and holds too\n"), "{text}");
    let of_from = "= note: \"only from second\" is not entered from first: its `from` does not list it\n";
    assert!(text.contains(of_from), "{text}");
}

#[test]
fn moves_are_held_against_those_that_there_were() {
    let timeline = "\
2026-03-01 10:00   purchase 40 x2
+1d                => no change in spend, activity
+30d               => activity = dormant from new
                   => activity = dormant at 2026-03-31
                   => changes: activity active -> none
                   => activity: active -> dormant at 2026-03-31 11:00, spend none -> high
                   => spend != \"at risk\"
";
    expect_check(
        &test("other moves", timeline),
        &[],
        expect![[r#"
            exit 1
            failed: other moves
              --> segments.toml:28:23
               |
            28 | +1d                => no change in spend, activity
               |                       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ until 2026-03-02 10:00 there was none -> "at risk" at 2026-03-01 10:00
               |
               = note: moves in spend until then
                         none -> "at risk" at 2026-03-01 10:00, by an event: purchase.count() >= 1 (1)

            failed: other moves
              --> segments.toml:29:42
               |
            29 | +30d               => activity = dormant from new
               |                                          ^^^^^^^^ until 2026-04-01 11:00 there was new -> active at 2026-03-03 10:00, active -> dormant at 2026-03-31 11:00
               |
               = note: moves in activity until then
                         none -> new at 2026-03-01 10:00, by an event: purchase.count() == 1 (1)
                         new -> active at 2026-03-03 10:00, by time: purchase.count("30d") >= 2 (2)
                         active -> dormant at 2026-03-31 11:00, by time: purchase.count() >= 1 (2)

            failed: other moves
              --> segments.toml:30:42
               |
            30 |                    => activity = dormant at 2026-03-31
               |                                          ^^^^^^^^^^^^^ until 2026-04-01 11:00 there was new -> active at 2026-03-03 10:00, active -> dormant at 2026-03-31 11:00

            failed: other moves
              --> segments.toml:31:32
               |
            31 |                    => changes: activity active -> none
               |                                ^^^^^^^^^^^^^^^^^^^^^^^ until 2026-04-01 11:00 there was new -> active at 2026-03-03 10:00, active -> dormant at 2026-03-31 11:00

            failed: other moves
              --> segments.toml:32:23
               |
            32 |                    => activity: active -> dormant at 2026-03-31 11:00, spend none -> high
               |                       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^  ^^^^^^^^^^^^^^^^^^ until 2026-04-01 11:00 there was no change in spend
               |                       |
               |                       until 2026-04-01 11:00 there was new -> active at 2026-03-03 10:00, active -> dormant at 2026-03-31 11:00

            failed: other moves
              --> segments.toml:33:23
               |
            33 |                    => spend != "at risk"
               |                       ^^^^^^^^^^^^^^^^^^ at 2026-04-01 11:00 it is "at risk", since 2026-03-01 10:00

            --- counts
              failed other moves (segments.toml:25)
            0 tests passed, 1 failed
            no test enters: spend.high
        "#]],
    );
}

#[test]
fn tests_are_chosen_by_name_and_listed() {
    let good = "2026-03-01  => activity = none\n+1d  purchase 5\n => activity = new, spend = \"at risk\"\n";
    let bad = "2026-03-01  => activity = new\n";
    let tests = format!("{}{}", test("somebody new", good), test("nobody", bad));
    expect_check(
        &tests,
        &[],
        expect![[r#"
        exit 1
        failed: nobody
          --> segments.toml:34:16
           |
        34 | 2026-03-01  => activity = new
           |                ^^^^^^^^^^^^^^ at 2026-03-01 00:00 there was no event yet

        --- counts
          failed nobody (segments.toml:32)
        1 test passed, 1 failed
        no test enters: activity.active, activity.dormant, spend.high
    "#]],
    );
    expect_check(
        &tests,
        &["--only", "new", "--verbose"],
        expect![[r#"
        exit 0
        --- counts
          ok     somebody new (segments.toml:25)
        1 test passed
    "#]],
    );
    expect_check(
        &tests,
        &["--only", "old"],
        expect![[r#"
        exit 2
        error: `old` is in the name of no test; the rules have 2 tests
        --- counts
    "#]],
    );
}

#[test]
fn a_test_that_cannot_be_read_keeps_everything_from_starting() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    write("segments.toml", &format!("{RULES}{}", test("odd", "2026-03-01 purchse\n")));
    write("dormouse.toml", "[kafka]\nbrokers = \"127.0.0.1:1\"\n[[input]]\ntopic = \"a\"\nkind = \"purchase\"\n");
    write("events.jsonl", "");
    for args in [
        &["check", "-c", "segments.toml"][..],
        &["check", "-c", "dormouse.toml"],
        &["replay", "-c", "segments.toml", "events.jsonl"],
        &["run", "-c", "dormouse.toml"],
    ] {
        let output = run_in(folder.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("error[E0401]: the rules have no kind `purchse`"), "{args:?}: {said}");
        assert!(said.contains("did you mean `purchase`?"), "{args:?}: {said}");
    }
}

#[test]
fn a_service_runs_the_tests_of_its_rules() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    write("segments.toml", &format!("{RULES}{}", test("nobody", "2026-03-01  => activity = new\n")));
    write("dormouse.toml", "[kafka]\nbrokers = \"127.0.0.1:1\"\n[[input]]\ntopic = \"a\"\nkind = \"purchase\"\n");
    let output = run_in(folder.path(), &["check", "-c", "dormouse.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("0 tests passed, 1 failed"));
}

#[test]
fn tests_do_not_belong_to_the_version_of_the_rules() {
    let version = |text: &str| load_text("segments.toml", text).expect("right rules").plan.version;
    let with = |timeline: &str| version(&format!("{RULES}{}", test("a", timeline)));
    assert_eq!(version(RULES), with("2026-03-01 purchase 5\n => activity = new\n"));
    assert_eq!(version(RULES), with("2026-03-01 => activity = none\n"));
    assert_ne!(version(RULES), version(&RULES.replace("60d", "61d")));
}

/// Codes, lines and titles that a timeline is refused with.
fn refused(timeline: &str) -> String {
    let text = format!("{RULES}{}", test("a", timeline));
    let n_before = RULES.lines().count() + 3;
    let diagnostics = load_text("segments.toml", &text).expect_err("it is broken");
    let told = diagnostics.iter().map(|one| {
        let there = &one.place.file.text[one.place.span.clone()];
        format!("{} {} `{there}` {}\n", one.code.number(), one.place.line() - n_before, one.title)
    });
    told.collect()
}

#[test]
fn everything_that_is_wrong_with_events_is_found_at_once() {
    let timeline = "\
+1d                purchase 5
2026-01-05 25:00   purchase 5
2026-01-05         purchase category=a=b amount=x
                   purchase 5 id=1 event_id=2
                   purchase 5 kind=refund
                   purchase 5 attributes=x
                   purchase 5 quantity=2
                   purchase 5 catgory=x
                   purchase 5 size=2 category= brand=x
                   purchase item prodct=1
                   browse item product=1
                   purchase 5 coupon=\"a
                   search 5
                   search amount=5
                   feedback amount=5
                   purchase 5 currency=USD
                   purchase 99999999999
                   purchase 5 x20000
                   purchase 5 x5 every day
                   purchase 5 x5 5
+1x                purchase 5
2026-03-29 02:30   purchase 5
";
    expect![[r#"
        E0701 1 `+1d` the first line of a test has no date
        E0701 2 `2026-01-05 25:00` `25:00` is no time of day
        E0703 3 `purchase category=a=b amount=x` `amount` is not a decimal
        E0702 4 `event_id=2` a second `event_id`
        E0406 5 `kind` `kind` is not written like this in a test
        E0406 6 `attributes` `attributes` is not written like this in a test
        E0406 7 `quantity` events have no field `quantity`
        E0406 8 `catgory` events have no field `catgory`
        E0702 9 `category=` `category` has no value
        E0406 10 `prodct` lines of an order have no field `prodct`
        E0406 11 `item` `browse` events have no `items`
        E0302 12 `"a` a string that does not end
        E0406 13 `5` `search` events have no amount
        E0406 14 `amount` `search` events have no `amount`
        E0406 15 `amount` `feedback` events have no `amount`
        E0703 16 `purchase 5 currency=USD` no rate for the currency `USD` is configured
        E0703 17 `purchase 99999999999` `amount` is beyond ±10^10
        E0702 18 `x20000` an event 20000 times
        E0201 19 `day` `every` without a duration
        E0702 20 `5` `5` does not belong here
        E0201 21 `+1x` `+1x` is no time to come
        E0701 22 `2026-03-29 02:30` Europe/Berlin has no such moment
    "#]]
    .assert_eq(&refused(timeline));
}

#[test]
fn everything_that_is_wrong_with_expectations_is_found_at_once() {
    let timeline = "\
2026-03-28         => no change in activity
2026-03-29         => activity = actve
                   => active
                   => at risk = none
                   => spend = at risk
                   => spend high -> none at noon
                   => activity = new from
                   => no change in spnd
                   => changes
2026-03-28         => no change
+40000d            => no change
                   from new
";
    expect![[r#"
        E0404 2 `actve` dimension `activity` has no segment `actve`
        E0403 3 `active` there is no dimension `active`
        E0403 4 `at` there is no dimension `at`
        E0404 5 `at` dimension `spend` has no segment `at`
        E0702 6 `noon` `noon` does not belong here
        E0702 7 `` the line ends too early
        E0403 8 `spnd` there is no dimension `spnd`
        E0702 9 `` the line ends too early
        E0701 10 `2026-03-28` an expectation that looks back
        E0701 11 `+40000d` a time that no event may have
        E0401 12 `from` the rules have no kind `from`
    "#]]
    .assert_eq(&refused(timeline));
}

#[test]
fn what_hangs_on_a_wrong_line_is_not_guessed() {
    expect![[r#"
        E0701 1 `2026-13-01` `2026-13-01` is no date
        E0702 3 `from` `from` of no dimension
    "#]]
    .assert_eq(&refused("2026-13-01 purchase 5\n+1d purchase 5\n => from new\n+1d => activity = new\n"));
    expect![[r#"
        E0403 1 `activty` there is no dimension `activty`
    "#]]
    .assert_eq(&refused("2026-01-01 => activty = new\n => from new\n"));
}

#[test]
fn places_are_right_in_every_kind_of_string() {
    for (open, close) in [("'''\n", "'''"), ("\"\"\"\n", "\"\"\""), ("\"\"\"\\\n", "\"\"\""), ("'''\r\n", "'''")] {
        let line = |text: &str| format!("{text}{}", if open.contains('\r') { "\r\n" } else { "\n" });
        let escaped = if open.starts_with('"') { "\\u00e9" } else { "é" };
        let timeline = line(&format!("2026-01-01 purchase 5 coupon={escaped} # ä")) + &line(" => activity = odd");
        let text = format!("{RULES}[[test]]\nname = \"a\"\ntimeline = {open}{timeline}{close}\n");
        let diagnostics = load_text("segments.toml", &text).expect_err("it is broken");
        let place = &diagnostics[0].place;
        assert_eq!(&text[place.span.clone()], "odd", "{open:?}");
        assert_eq!(place.line(), RULES.lines().count() + 5, "{open:?}");
    }
}

#[test]
fn a_test_moves_its_customer_as_a_replay_would() {
    let rules = blocks("toml")[0];
    let late = test("late", "2026-03-01 purchase 5\n+5d purchase 5\n2026-03-03 purchase 5\n => activity = active\n");
    let text = format!("{}\n{late}", blocks("toml").join("\n"));
    let loaded = load_text("segments.toml", &text).expect("right rules");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("segments.toml"), rules).expect("written");
    let bench = Bench::new(loaded.plan);
    for test in &loaded.tests {
        let run = bench.run(test);
        assert!(run.passed());
        let mut events: Vec<u8> = Vec::new();
        for step in &test.steps {
            let What::Event(event) = &step.what else { continue };
            event.times(step.at).for_each(|at| events.extend([event.message(at), b"\n".to_vec()].concat()));
        }
        std::fs::write(folder.path().join("events.jsonl"), &events).expect("written");
        let until = test.steps.last().expect("steps").at.to_string();
        let args = ["replay", "-c", "segments.toml", "--grace", "0s", "--until", &until, "events.jsonl"];
        let output = run_in(folder.path(), &args);
        let replayed = String::from_utf8_lossy(&output.stdout).into_owned();
        let moved = run.changes.iter().map(|change| {
            let name = |segment| bench.plan().segment_name(change.dimension, segment).to_owned();
            let at = change.effective_at.to_string();
            (name(change.from), name(change.to), at, change.cause.name().to_owned(), change.sequence)
        });
        let moved: Vec<_> = moved.collect();
        assert!(!moved.is_empty());
        assert_eq!(moved, replayed.lines().map(replayed_move).collect::<Vec<_>>());
    }
}

/// From, to, instant, cause and sequence of a change.
fn replayed_move(line: &str) -> (String, String, String, String, u64) {
    let change: serde_json::Value = serde_json::from_str(line).expect("a change is JSON");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let sequence = change["sequence"].as_u64().expect("a number");
    let (from, to) = (text(&change["from"]), text(&change["to"]));
    (from, to, text(&change["effective_at"]), text(&change["cause"]["type"]), sequence)
}

/// A generator of the xorshift family.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }
}

const STRANGE: [&str; 28] = [
    "=>",
    "=",
    "!=",
    "->",
    ",",
    ";",
    ":",
    "#",
    "\"",
    "'",
    "\\",
    "\\u12",
    "\0",
    "é",
    "×3",
    "x3",
    "every",
    "item",
    "from",
    "at",
    "none",
    "no change",
    "+",
    "+1ms",
    "2026-03-29 02:30",
    "99999999999999999999",
    "\t",
    "\n",
];

#[test]
fn a_broken_timeline_is_taken_or_refused_with_its_place() {
    let good: String = blocks("toml").into_iter().skip(1).collect();
    let rules = blocks("toml")[0];
    let (mut n_taken, mut n_refused) = (0, 0);
    for seed in 1..=1_500_u64 {
        let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut letters: Vec<char> = good.chars().collect();
        for _ in 0..=chance.below(3) {
            let (at, other) = (chance.below(letters.len()), chance.below(letters.len()));
            match chance.below(4) {
                0 => drop(letters.remove(at)),
                1 => letters.swap(at, other),
                2 => drop(letters.splice(at..at, STRANGE[chance.below(STRANGE.len())].chars())),
                _ => drop(letters.drain(at..(at + 12).min(letters.len()))),
            }
        }
        let text = format!("{rules}\n{}", letters.into_iter().collect::<String>());
        let outcome = std::panic::catch_unwind(|| played(&text));
        match outcome {
            Ok(true) => n_taken += 1,
            Ok(false) => n_refused += 1,
            Err(_) => unreachable!("seed {seed}:\n{text}"),
        }
    }
    assert!(n_refused > 500 && n_taken > 200, "{n_refused} were refused, {n_taken} taken");
}

/// Whether a file is taken; its tests are played then.
fn played(text: &str) -> bool {
    match load_text("segments.toml", text) {
        Ok(loaded) => {
            let bench = Bench::new(loaded.plan);
            loaded.tests.iter().for_each(|test| assert!(bench.run(test).findings.len() <= test.steps.len()));
            true
        }
        Err(diagnostics) => {
            assert!(diagnostics.iter().any(Diagnostic::is_error));
            for one in &diagnostics {
                assert!(one.place.file.text.get(one.place.span.clone()).is_some(), "{one:?}");
            }
            dormouse::cli::diagnostics::draw_all(&diagnostics, false);
            false
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_timeline_is_too_strange(text in "[^']{0,40}", line in "[+0-9a-z=>!,;:#\"x. -]{0,60}") {
        for timeline in [&text, &line, &format!("2026-01-01 {line}"), &format!("2026-01-01 => activity{line}")] {
            played(&format!("{RULES}{}", test("a", timeline)));
        }
    }
}
