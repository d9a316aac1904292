//! `dormouse demo`: what its subscriber reads back through the broker and the whole pipeline is what a replay of the
//! same events says; and it ends when it is told to.

use std::collections::BTreeMap;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The last event of the data, and a month more.
const END: &str = "2012-01-08T12:50:00Z";

fn dormouse(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dormouse"));
    command.args(args).current_dir(env!("CARGO_MANIFEST_DIR")).env_clear();
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

/// How often each move was told: when, who, where, from, to.
fn moves_told(output: &Output) -> BTreeMap<[String; 5], usize> {
    let mut moves = BTreeMap::new();
    for line in text(&output.stdout).lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[5], "→", "{line}");
        let time = format!("{}T{}", words[0], words[1]);
        let key = [time, words[2].to_owned(), words[3].to_owned(), words[4].to_owned(), words[6].to_owned()];
        *moves.entry(key).or_default() += 1;
    }
    moves
}

fn moves_replayed(output: &Output) -> BTreeMap<[String; 5], usize> {
    let mut moves = BTreeMap::new();
    for line in text(&output.stdout).lines() {
        let change: serde_json::Value = serde_json::from_str(line).expect("a change");
        let field = |name: &str| change[name].as_str().unwrap_or("none").to_owned();
        let time = field("effective_at")[..19].to_owned();
        let key = [time, field("customer_id"), field("dimension"), field("from"), field("to")];
        *moves.entry(key).or_default() += 1;
    }
    moves
}

#[test]
fn the_demo_tells_what_a_replay_says() {
    let demo = dormouse(&["demo", "--speed", "max", "--once", "--dimension", "all"]).output().expect("the binary runs");
    assert!(demo.status.success(), "{}", text(&demo.stderr));
    let events = "data/online-retail.jsonl.zst";
    let replay = dormouse(&["replay", "-c", "config/segments.toml", "--until", END, events]).output().expect("runs");
    assert!(replay.status.success(), "{}", text(&replay.stderr));
    let (told, replayed) = (moves_told(&demo), moves_replayed(&replay));
    assert!(told.len() > 10_000, "{} moves", told.len());
    let differing: Vec<_> = told.iter().filter(|(key, n)| replayed.get(*key) != Some(n)).take(5).collect();
    assert!(told == replayed, "{} told, {} replayed, such as {differing:?}", told.len(), replayed.len());
    let summary = text(&demo.stderr);
    assert!(summary.contains("events       22 190 until 2011-12-09T12:50:00.000Z"), "{summary}");
    assert!(summary.contains("customers    4 372"), "{summary}");
}

#[test]
fn a_signal_ends_it_cleanly() {
    let mut child = dormouse(&["demo", "--speed", "2"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut lines = std::io::BufReader::new(child.stdout.take().expect("it is piped"));
    let mut first = String::new();
    std::io::BufRead::read_line(&mut lines, &mut first).expect("a change");
    assert!(first.starts_with("2010-12-01 "), "{first}");
    assert_eq!(first.split_whitespace().nth(3), Some("behaviour"), "one dimension is shown: {first}");
    let asked = Instant::now();
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill runs");
    assert!(killed.success());
    // What still comes has to be taken, or it could not write it.
    std::io::copy(&mut lines, &mut std::io::sink()).expect("readable");
    let ended = child.wait_with_output().expect("it ends");
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
    assert!(ended.status.success(), "{}", text(&ended.stderr));
    assert!(text(&ended.stderr).contains("\nchanges      "), "{}", text(&ended.stderr));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = dormouse(&["demo", "--speed", "max"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut lines = std::io::BufReader::new(child.stdout.take().expect("it is piped"));
    let mut first = String::new();
    std::io::BufRead::read_line(&mut lines, &mut first).expect("a change");
    drop(lines);
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
}

/// Where the demo says that its pages are.
fn address(introduction: &mut impl std::io::BufRead) -> String {
    let mut line = String::new();
    loop {
        line.clear();
        assert!(introduction.read_line(&mut line).expect("text") > 0, "it never said where it listens");
        if let Some(at) = line.find("http://") {
            return line[at..].split(['/', ' ', '\n']).take(3).collect::<Vec<_>>().join("/");
        }
    }
}

#[test]
fn a_running_instance_explains_as_the_files_do() {
    let mut child = dormouse(&["demo", "--speed", "max", "--after", "3650d"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut introduction = std::io::BufReader::new(child.stderr.take().expect("it is piped"));
    let url = address(&mut introduction);
    std::thread::spawn(move || std::io::copy(&mut introduction, &mut std::io::sink()));
    let explain = |args: &[&str]| {
        let output = dormouse(&[&["explain", "13047", "--json"], args].concat()).output().expect("the binary runs");
        (output.status.code(), serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap_or_default())
    };
    let asked = Instant::now();
    let said = loop {
        let (code, said) = explain(&["--url", &url]);
        // The year is over once its clock is.
        if code == Some(0) && said["at"].as_str().is_some_and(|at| at > "2011-12-10") {
            break said;
        }
        assert!(asked.elapsed() < Duration::from_secs(120), "{code:?} {said}");
    };
    let at = said["at"].as_str().expect("a time");
    let (code, of_files) =
        explain(&["-c", "config/segments.toml", "data/online-retail.jsonl.zst", "--at", at, "--grace", "0s"]);
    assert_eq!((code, of_files), (Some(0), said));
    let nobody = dormouse(&["explain", "no/body?", "--url", &url]).output().expect("the binary runs");
    assert_eq!(nobody.status.code(), Some(1));
    assert_eq!(text(&nobody.stderr), "error: there is no customer `no/body?`\n");
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill runs");
    assert!(killed.success() && child.wait().expect("it ends").success());
}

#[test]
fn only_dimensions_that_the_rules_have_can_be_shown() {
    let refused = dormouse(&["demo", "--dimension", "behavior"]).output().expect("the binary runs");
    assert_eq!(refused.status.code(), Some(2));
    assert!(refused.stdout.is_empty());
    assert_eq!(text(&refused.stderr), "error: there is no dimension `behavior`; did you mean `behaviour`?\n");
}
