//! `dormouse replay` from outside: the same history gives the same changes however it is cut into files, compressed or
//! spread over threads; bad records are kept and counted; what goes wrong is said with the right exit code.

use std::collections::VecDeque;
use std::fs;
use std::io::{Read, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use dormouse::cli::generate::{Kind, Model, write as generate};
use dormouse::event::{Instant, Span};
use dormouse::pipeline::replay::{self, Options};
use proptest::prelude::*;
use serde_json::Value;

/// A little more than the limit: it may or may not fit into one chunk.
const TOO_LONG: usize = (1 << 20) + 1_000;
const START: i64 = 1_767_225_600_000;

fn rules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/rules20.toml")
}

fn events(n_customers: u64, n_events: u64) -> Vec<String> {
    let model = Model { n_customers, n_events, seed: 11, kinds: Kind::ALL.to_vec(), start: Instant(START), days: 300 };
    let mut bytes = Vec::new();
    generate(&model, &mut bytes).expect("memory takes it");
    String::from_utf8(bytes).expect("events are UTF-8").lines().map(str::to_owned).collect()
}

fn time_of(line: &str) -> Option<i64> {
    let event: Value = serde_json::from_str(line).ok()?;
    let time: jiff::Timestamp = event["time"].as_str()?.parse().ok()?;
    Some(time.as_millisecond())
}

/// A folder with files in it, in which the program runs.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().expect("a temporary folder"))
    }

    fn write(&self, name: &str, lines: &[String]) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        self.write_bytes(name, text.as_bytes());
    }

    fn write_bytes(&self, name: &str, bytes: &[u8]) {
        fs::write(self.0.path().join(name), bytes).expect("the folder can be written");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).expect("it was written")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dormouse"));
        command.current_dir(self.0.path()).arg("replay").arg("-c").arg(rules()).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().expect("the program starts")
    }

    /// The changes of a replay that must succeed.
    fn changes(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("output is UTF-8")
}

/// The lines of changes, without what depends on how the history was cut into files.
fn without_places(changes: &str) -> Vec<Value> {
    let without = |line: &str| {
        let mut change: Value = serde_json::from_str(line).expect("each change is JSON");
        let cause = change["cause"].as_object_mut().expect("a cause");
        cause.remove("file");
        cause.remove("line");
        change
    };
    changes.lines().map(without).collect()
}

#[test]
fn threads_do_not_show() {
    let place = Place::new();
    place.write("events.jsonl", &events(300, 20_000));
    let one = place.changes(&["events.jsonl", "--threads", "1"]);
    assert!(one.lines().count() > 4_000, "{}", one.lines().count());
    for n_threads in ["2", "3", "8"] {
        assert_eq!(place.changes(&["events.jsonl", "--threads", n_threads]), one, "{n_threads} threads");
    }
}

#[test]
fn changes_come_by_instant_customer_and_sequence_and_say_their_line() {
    let place = Place::new();
    let lines = events(100, 5_000);
    place.write("events.jsonl", &lines);
    let changes = without_order(&place.changes(&["events.jsonl"]));
    let keys: Vec<_> = changes
        .iter()
        .map(|change| (text_of(&change["effective_at"]), text_of(&change["customer_id"]), change["sequence"].as_u64()))
        .collect();
    assert!(keys.windows(2).all(|pair| pair[0] < pair[1]));
    let mut n_by_event = 0;
    for change in &changes {
        assert_eq!(change["published_at"], change["effective_at"]);
        if change["cause"]["type"] == "event" {
            assert_eq!(change["cause"]["file"], "events.jsonl");
            let line = change["cause"]["line"].as_u64().expect("a line") as usize;
            let event: Value = serde_json::from_str(&lines[line - 1]).expect("the line is an event");
            assert_eq!(event["customer_id"], change["customer_id"]);
            assert_eq!(event["time"], change["effective_at"]);
            n_by_event += 1;
        }
    }
    assert!(n_by_event > 100);
}

fn without_order(changes: &str) -> Vec<Value> {
    changes.lines().map(|line| serde_json::from_str(line).expect("each change is JSON")).collect()
}

fn text_of(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

#[test]
fn several_files_are_one_history() {
    let place = Place::new();
    let lines = events(300, 20_000);
    place.write("all.jsonl", &lines);
    let expected = without_places(&place.changes(&["all.jsonl"]));
    // By kind, as topics are.
    let is_purchase = |line: &&String| line.contains("\"kind\":\"purchase\"");
    place.write("purchases.jsonl", &lines.iter().filter(is_purchase).cloned().collect::<Vec<_>>());
    place.write("others.jsonl", &lines.iter().filter(|line| !is_purchase(line)).cloned().collect::<Vec<_>>());
    assert_eq!(without_places(&place.changes(&["purchases.jsonl", "others.jsonl"])), expected);
    assert_eq!(without_places(&place.changes(&["others.jsonl", "purchases.jsonl", "--threads", "1"])), expected);
    // One after the other, as log files are, in any order of arguments.
    for (number, part) in lines.chunks(1_500).enumerate() {
        place.write(&format!("part-{number:02}.jsonl"), part);
    }
    let parts: Vec<String> = (0..14).rev().map(|number| format!("part-{number:02}.jsonl")).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    assert_eq!(without_places(&place.changes(&parts)), expected);
}

#[test]
fn compression_and_standard_input_do_not_show() {
    let place = Place::new();
    let lines = events(100, 5_000);
    place.write("events.jsonl", &lines);
    let plain = place.changes(&["events.jsonl"]);
    let bytes = place.read("events.jsonl").into_bytes();
    place.write_bytes("events.jsonl.zst", &zstd::encode_all(&bytes[..], 3).expect("memory takes it"));
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let gzip = encoder.write_all(&bytes).and_then(|()| encoder.finish()).expect("memory takes it");
    place.write_bytes("events.jsonl.gz", &gzip);
    for name in ["events.jsonl.zst", "events.jsonl.gz"] {
        assert_eq!(place.changes(&[name]), plain.replace("\"events.jsonl\"", &format!("\"{name}\"")));
    }
    for input in [bytes, gzip] {
        let mut child = place
            .command(&["-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let mut stdin = child.stdin.take().expect("it is piped");
        stdin.write_all(&input).expect("the program reads");
        drop(stdin);
        let output = child.wait_with_output().expect("the program ends");
        assert!(output.status.success());
        assert_eq!(text(&output.stdout), plain.replace("\"events.jsonl\"", "\"-\""));
    }
}

/// Number of the line, reason, bytes.
type Bad = (usize, &'static str, Vec<u8>);

/// A file of `lines` with bad ones, empty ones and carriage returns among them; and the bad ones.
fn with_bad_lines(lines: &[String]) -> (Vec<u8>, Vec<Bad>) {
    let bad: [(&str, Vec<u8>); 8] = [
        ("undecodable", b"{\"event_id\":\"evt".to_vec()),
        ("undecodable", b"\xff\xfe\x00 not text".to_vec()),
        ("no_customer", b"{\"kind\":\"browse\",\"time\":1767225600000}".to_vec()),
        ("bad_time", b"{\"kind\":\"browse\",\"customer_id\":\"c\",\"time\":\"yesterday\"}".to_vec()),
        ("bad_time", b"{\"kind\":\"browse\",\"customer_id\":\"c\",\"time\":4102444800000}".to_vec()),
        ("unknown_kind", b"{\"kind\":\"teleport\",\"customer_id\":\"c\",\"time\":1767225600000}".to_vec()),
        ("no_amount", b"{\"kind\":\"purchase\",\"customer_id\":\"c\",\"time\":1767225600000}".to_vec()),
        ("message_too_large", vec![b'x'; TOO_LONG]),
    ];
    let (mut bytes, mut rejects, mut number) = (Vec::new(), Vec::new(), 0);
    for (index, line) in lines.iter().enumerate() {
        if index % 100 == 7 {
            let (reason, bad) = &bad[index / 100 % bad.len()];
            number += 1;
            rejects.push((number, *reason, bad.clone()));
            bytes.extend_from_slice(bad);
            bytes.extend_from_slice(if index % 3 == 0 { b"\r\n\n" } else { b"\n" });
            number += usize::from(index % 3 == 0);
        }
        number += 1;
        bytes.extend_from_slice(line.as_bytes());
        bytes.extend_from_slice(if index % 5 == 0 { b"\r\n" } else { b"\n" });
    }
    // The last line has no end.
    bytes.truncate(bytes.len() - if (lines.len() - 1).is_multiple_of(5) { 2 } else { 1 });
    (bytes, rejects)
}

#[test]
fn bad_records_are_kept_and_the_good_ones_do_not_notice() {
    let place = Place::new();
    let lines = events(100, 5_000);
    place.write("good.jsonl", &lines);
    let expected = without_places(&place.changes(&["good.jsonl"]));
    let (bytes, rejects) = with_bad_lines(&lines);
    place.write_bytes("mixed.jsonl", &bytes);
    for extra in [&["--threads", "1"][..], &["--threads", "2"], &["--sort"]] {
        let arguments = [&["mixed.jsonl", "--rejects", "rejects.jsonl"], extra].concat();
        let output = place.run(&arguments);
        assert!(output.status.success());
        assert_eq!(without_places(&text(&output.stdout)), expected);
        let summary = text(&output.stderr);
        assert!(summary.contains(&format!("rejects      {} (", rejects.len())), "{summary}");
        for reason in ["undecodable", "no_customer", "bad_time", "unknown_kind", "no_amount", "message_too_large"] {
            let n = rejects.iter().filter(|reject| reject.1 == reason).count();
            assert!(n > 0 && summary.contains(&format!("{n} {reason}")), "{summary}");
        }
        let kept: Vec<Value> =
            place.read("rejects.jsonl").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(kept.len(), rejects.len());
        for (kept, (number, reason, bytes)) in kept.iter().zip(&rejects) {
            assert_eq!(
                (&kept["file"], &kept["line"], &kept["reason"]),
                (&"mixed.jsonl".into(), &(*number).into(), &(*reason).into())
            );
            let original = match (kept["text"].as_str(), kept["base64"].as_str()) {
                (Some(text), None) => text.as_bytes().to_vec(),
                (None, Some("//4AIG5vdCB0ZXh0")) => b"\xff\xfe\x00 not text".to_vec(),
                other => panic!("{other:?}"),
            };
            if *reason == "message_too_large" {
                assert_eq!(kept["bytes_total"], TOO_LONG);
                assert!(original.len() == 1 << 20 && bytes.starts_with(&original));
            } else {
                assert_eq!(&original, bytes);
            }
        }
    }
}

#[test]
fn an_end_moment_leaves_out_what_is_later_and_judges_up_to_it() {
    let place = Place::new();
    let lines = events(100, 5_000);
    place.write("all.jsonl", &lines);
    let until = START + 150 * Span::DAY.0;
    let before: Vec<String> = lines.iter().filter(|line| time_of(line) <= Some(until)).cloned().collect();
    place.write("before.jsonl", &before);
    let until_text = until.to_string();
    let output = place.run(&["all.jsonl", "--until", &until_text]);
    let n_later = lines.len() - before.len();
    assert!(n_later > 1_000);
    let summary = text(&output.stderr);
    let (thousands, rest) = (n_later / 1_000, n_later % 1_000);
    assert!(summary.contains(&format!("not read     {thousands} {rest:03} later than")), "{summary}");
    let cut = without_places(&text(&output.stdout));
    assert_eq!(cut, without_places(&place.changes(&["before.jsonl", "--until", &until_text])));
    // Time goes on to the end moment, also long after the last event.
    let much_later = (until + 60 * Span::DAY.0).to_string();
    let longer = without_places(&place.changes(&["before.jsonl", "--until", &much_later]));
    assert!(longer.len() > cut.len());
    assert_eq!(longer[..cut.len()], cut);
    assert!(longer[cut.len()..].iter().all(|change| change["cause"]["type"] == "elapsed"));
    // RFC 3339 says the same moment.
    let until_text = Instant(until).to_string();
    assert_eq!(without_places(&place.changes(&["all.jsonl", "--until", &until_text])), cut);
}

/// Moves each line by up to `reach` places, always the same way.
fn shuffled(lines: &[String], reach: usize) -> Vec<String> {
    let mut keyed: Vec<(usize, &String)> =
        lines.iter().enumerate().map(|(index, line)| (index + index * 7_919 % reach, line)).collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, line)| line.clone()).collect()
}

#[test]
fn a_file_out_of_order_is_noticed_and_can_be_sorted() {
    let place = Place::new();
    let lines = events(100, 5_000);
    place.write("events.jsonl", &lines);
    place.write("shuffled.jsonl", &shuffled(&lines, 500));
    let expected = without_places(&place.changes(&["events.jsonl"]));
    let output = place.run(&["shuffled.jsonl"]);
    assert!(text(&output.stderr).contains("warning: shuffled.jsonl: "), "{}", text(&output.stderr));
    assert_ne!(without_places(&text(&output.stdout)), expected);
    let output = place.run(&["shuffled.jsonl", "--sort"]);
    assert_eq!(without_places(&text(&output.stdout)), expected);
    assert!(!text(&output.stderr).contains("warning"), "{}", text(&output.stderr));
}

#[test]
fn little_memory_does_not_show() {
    let place = Place::new();
    place.write("events.jsonl", &shuffled(&events(200, 10_000), 2_000));
    let plan = Arc::new(dormouse::config::rules::load(&rules()).expect("the rules are right").plan);
    for is_sorted_first in [false, true] {
        let with = |sort_bytes_max: usize| {
            let options = Options {
                files: vec![place.0.path().join("events.jsonl")],
                until: None,
                grace: Span(5_000),
                n_threads: NonZero::new(2).expect("two"),
                is_sorted_first,
                sort_bytes_max,
                n_bytes_read: Arc::default(),
            };
            let mut changes = Vec::new();
            let summary = replay::run(&plan, &options, None, &mut changes).expect("the file can be read");
            assert_eq!(summary.n_changes, changes.iter().filter(|byte| **byte == b'\n').count() as u64);
            changes
        };
        assert_eq!(text(&with(20_000)), text(&with(1 << 30)), "sorted first: {is_sorted_first}");
    }
}

/// What SPEC 3 says of the order of reading, done plainly: the least head goes next, ties in the order of the files;
/// what is no event has no time and goes at once.
fn merged_plainly(files: &[Vec<String>]) -> Vec<String> {
    let mut files: Vec<VecDeque<&String>> = files.iter().map(|file| file.iter().collect()).collect();
    let mut merged = Vec::new();
    loop {
        for file in &mut files {
            while file.front().is_some_and(|line| time_of(line).is_none()) {
                file.pop_front();
            }
        }
        let heads = files.iter().enumerate().filter_map(|(index, file)| Some((time_of(file.front()?)?, index)));
        let Some((_, index)) = heads.min() else { return merged };
        merged.extend(files[index].pop_front().cloned());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    /// Files out of order, with rejects and copies of events in them: late events and duplicates depend on the exact order
    /// and clock.
    #[test]
    fn files_are_merged_at_their_heads(
        places in prop::collection::vec(0_usize..3, 800),
        reach in 1_usize..60,
        copied in prop::collection::vec(0_usize..800, 0..40),
        bad in prop::collection::vec(0_usize..3, 0..5),
    ) {
        let mut lines = events(20, 800);
        for &from in &copied {
            lines.push(lines[from].clone());
        }
        let mut files = vec![Vec::new(); 3];
        for (line, place) in shuffled(&lines, reach).into_iter().zip(places.iter().cycle()) {
            files[*place].push(line);
        }
        for (index, file) in bad.into_iter().enumerate() {
            let at = files[file].len() * index / 5;
            files[file].insert(at, "{".to_owned());
        }
        let place = Place::new();
        let names = ["a.jsonl", "b.jsonl", "c.jsonl"];
        for (name, file) in names.iter().zip(&files) {
            place.write(name, file);
        }
        place.write("plain.jsonl", &merged_plainly(&files));
        let expected = without_places(&place.changes(&["plain.jsonl", "--threads", "1"]));
        prop_assert_eq!(without_places(&place.changes(&names)), expected);
    }
}

#[test]
fn what_goes_wrong_is_said_with_the_right_exit_code() {
    let place = Place::new();
    let lines = events(10, 500);
    place.write("events.jsonl", &lines);
    let mut damaged = zstd::encode_all(place.read("events.jsonl").as_bytes(), 3).expect("memory takes it");
    damaged.truncate(damaged.len() - 9);
    place.write_bytes("damaged.jsonl.zst", &damaged);
    let failures: [(&[&str], i32, &str); 7] = [
        (&["events.jsonl", "missing.jsonl"], 3, "missing.jsonl: "),
        (&["events.jsonl", "damaged.jsonl.zst"], 3, "damaged.jsonl.zst: "),
        (&["events.jsonl", "--changes", "no/such/folder.jsonl"], 3, "no/such/folder.jsonl"),
        (&["-", "-"], 2, "standard input"),
        (&["events.jsonl", "--changes", "./events.jsonl"], 2, "overwrite"),
        (&["events.jsonl", "--until", "tomorrow"], 2, "RFC 3339"),
        (&["events.jsonl", "--grace", "5"], 2, "30d"),
    ];
    for (arguments, code, word) in failures {
        let output = place.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(text(&output.stderr).contains(word), "{arguments:?}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    assert_eq!(place.read("events.jsonl").lines().count(), 500, "it was not overwritten");
    place.write_bytes(
        "wrong.toml",
        b"[[dimension]]\nname = \"a\"\n[[dimension.segment]]\nname = \"b\"\nwhen = 'purchase.cuont(\"30d\") >= 1'\n",
    );
    let output = Command::new(env!("CARGO_BIN_EXE_dormouse"))
        .current_dir(place.0.path())
        .args(["replay", "-c", "wrong.toml", "events.jsonl"])
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("wrong.toml:5"), "{}", text(&output.stderr));
}

#[test]
fn a_reader_of_the_changes_may_leave_early() {
    let place = Place::new();
    place.write("events.jsonl", &events(300, 20_000));
    let mut child = place
        .command(&["events.jsonl"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdout = child.stdout.take().expect("it is piped");
    stdout.read_exact(&mut [0; 10]).expect("there are changes");
    drop(stdout);
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(output.status.code(), Some(0));
    assert!(!text(&output.stderr).contains("error"), "{}", text(&output.stderr));
}

#[test]
fn nothing_in_gives_nothing_out() {
    let place = Place::new();
    place.write_bytes("empty.jsonl", b"");
    let output = place.run(&["empty.jsonl", "--until", "2027-01-01T00:00:00Z"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.is_empty());
    assert!(text(&output.stderr).contains("events       0"), "{}", text(&output.stderr));
    assert!(place.run(&["empty.jsonl", "--quiet"]).stderr.is_empty());
}
