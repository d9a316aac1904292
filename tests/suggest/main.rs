//! `dormouse suggest`, the real binary: what it suggests for a real year and for a made-up one, that the file is accepted
//! and can be replayed, and what it says of histories that carry little.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use dormouse::cli::generate::{Kind, Model, write as generate};
use dormouse::event::Instant;
use expect_test::{expect, expect_file};
use serde_json::Value;

fn online_retail() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/online-retail.jsonl.zst")
}

/// A folder in which the binary runs.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        Place { folder: tempfile::tempdir().expect("a folder") }
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.folder.path().join(name), bytes).expect("written");
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).expect("it was written")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dormouse"));
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary runs")
    }

    /// Suggests from a file; the rules are accepted without a warning, their tests pass, and the file can be replayed with
    /// them without a reject.
    fn accepted(&self, file: &str, more: &[&str]) -> String {
        let output = self.run(&[&["suggest", file, "--out", "suggested.toml"], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let check = self.run(&["check", "-c", "suggested.toml"]);
        let rules = self.read("suggested.toml");
        assert_eq!(check.status.code(), Some(0), "{}\n{rules}", text(&check.stderr));
        assert!(text(&check.stdout).contains(" passed"), "{}", text(&check.stdout));
        let replay = self.run(&["replay", "-c", "suggested.toml", file, "--changes", "changes.jsonl"]);
        assert_eq!(replay.status.code(), Some(0), "{}", text(&replay.stderr));
        assert!(text(&replay.stderr).contains("rejects      0\n"), "{}", text(&replay.stderr));
        rules
    }

    fn figures(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[&["suggest", "--json"], arguments].concat());
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn events(n_customers: u64, n_events: u64) -> Vec<u8> {
    let start = Instant(1_767_225_600_000);
    let model = Model { n_customers, n_events, seed: 4, kinds: Kind::ALL.to_vec(), start, days: 365 };
    let mut bytes = Vec::new();
    generate(&model, &mut bytes).expect("memory takes it");
    bytes
}

fn purchase(customer: usize, day: usize, amount: &str) -> String {
    let time = 1_767_225_600_000 + day as i64 * 86_400_000;
    format!(r#"{{"kind":"purchase","customer_id":"c-{customer}","time":{time},"amount":"{amount}","currency":"CHF"}}"#)
        + "\n"
}

#[test]
fn a_real_year() {
    let place = Place::new();
    let file = online_retail();
    let rules = place.accepted(file.to_str().expect("a path"), &["--timezone", "Europe/London"]);
    expect_file!["online-retail.toml"].assert_eq(&rules);
    let again = place.run(&["suggest", file.to_str().expect("a path"), "--timezone", "Europe/London", "--quiet"]);
    assert_eq!(text(&again.stdout), rules);
    assert_eq!(text(&again.stderr), "");
}

/// The same figures, computed by somebody else: scripts of their own over the data set.
#[test]
fn the_figures_of_the_real_year_are_those_of_an_independent_count() {
    let place = Place::new();
    let figures = place.figures(&[online_retail().to_str().expect("a path")]);
    let behaviour = &figures["behaviour"];
    assert_eq!((&behaviour["gaps_ended"], &behaviour["gaps_open"]), (&12_427.into(), &4_339.into()));
    assert_eq!((&behaviour["dormant"]["exact_days"], &behaviour["at_risk"]["exact_days"]), (&258.into(), &103.into()));
    assert_eq!(behaviour["dormant_days_without_open_gaps"], 155);
    assert_eq!(behaviour["share_of_visits_followed_by_another"], 0.9371);
    assert_eq!(figures["currency"], "GBP");
    assert_eq!(figures["history"]["days"], 374);
    let tiers = figures["spend"]["tiers"].as_array().expect("tiers");
    let n: u64 = tiers.iter().map(|tier| tier["customers"].as_u64().expect("a count")).sum();
    assert_eq!(Some(n), figures["spend"]["customers"].as_u64());
    for shares in ["share_of_customers", "share_of_money"] {
        let sum: f64 = tiers.iter().map(|tier| tier[shares].as_f64().expect("a share")).sum();
        assert!((sum - 1.0).abs() < 0.001, "{shares}: {sum}");
    }
    let groups = figures["rfm"]["groups"].as_array().expect("groups");
    let n: u64 = groups.iter().map(|group| group["customers"].as_u64().expect("a count")).sum();
    assert_eq!(Some(n), figures["rfm"]["customers"].as_u64());
}

#[test]
fn a_made_up_year_with_browsing() {
    let place = Place::new();
    place.write("events.jsonl", events(300, 30_000));
    let rules = place.accepted("events.jsonl", &[]);
    for dimension in ["behaviour", "spend", "rfm", "browsing"] {
        assert!(rules.contains(&format!("\n[[dimension]]\nname = \"{dimension}\"\n")), "{rules}");
    }
    assert!(rules.contains("currency = \"EUR\"    # the first that an event names\n"), "{rules}");
}

#[test]
fn what_is_compressed_comes_from_a_pipe_or_stands_in_several_files_is_the_same_history() {
    let place = Place::new();
    let bytes = events(200, 20_000);
    place.write("events.jsonl", &bytes);
    let plain = place.figures(&["events.jsonl"]);
    place.write("events.zst", zstd::encode_all(&bytes[..], 1).expect("memory takes it"));
    assert_eq!(place.figures(&["events.zst"]), plain);

    let mut child = place.command(&["suggest", "--json", "-"]);
    let mut child =
        child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    child.stdin.take().expect("it is piped").write_all(&bytes).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).expect("JSON"), plain);

    let lines = text(&bytes);
    let of = |wanted: bool| -> String {
        let is_purchase = |line: &&str| line.contains(r#""kind":"purchase""#) == wanted;
        lines.lines().filter(is_purchase).map(|line| format!("{line}\n")).collect()
    };
    place.write("purchases.jsonl", of(true));
    place.write("others.jsonl", of(false));
    assert_eq!(place.figures(&["others.jsonl", "purchases.jsonl"]), plain);
    // Years in the wrong order are merged by their events' times.
    let (early, late): (Vec<&str>, Vec<&str>) = lines.lines().partition(|line| line.contains(r#""time":"2026-0"#));
    place.write("early.jsonl", early.join("\n"));
    place.write("late.jsonl", late.join("\n"));
    assert_eq!(place.figures(&["late.jsonl", "early.jsonl"]), plain);
}

#[test]
fn kinds_of_the_shop_s_own_are_declared() {
    let place = Place::new();
    let mut lines: String = (0..400).map(|i| purchase(i % 40, i / 4, &format!("{}", 10 + i % 7))).collect();
    lines.push_str("{\"kind\":\"cart_add\",\"customer_id\":\"c-1\",\"time\":1767225600000}\n");
    place.write("events.jsonl", lines);
    let rules = place.accepted("events.jsonl", &[]);
    assert!(rules.contains("\n[kind.cart_add]"), "{rules}");
    assert!(rules.contains("currency = \"CHF\""), "{rules}");
}

#[test]
fn what_cannot_be_taken_is_counted() {
    let place = Place::new();
    let mut lines: String = (0..400).map(|i| purchase(i % 40, i / 4, &format!("{}", 10 + i % 7))).collect();
    lines.push_str(&purchase(1, 1, "20").replace("CHF", "SEK"));
    lines.push_str("{}\nnot JSON\n");
    lines.push_str("{\"kind\":\"no kind\",\"customer_id\":\"c-1\",\"time\":1767225600000}\n");
    place.write("events.jsonl", lines);
    let output = place.run(&["suggest", "events.jsonl", "--out", "rules.toml"]);
    assert_eq!(output.status.code(), Some(0));
    expect![[r#"
        warning: 1 records rejected (undecodable)
        warning: 1 records rejected (unknown_currency): not in CHF; --currency chooses another
        warning: 2 records rejected (unknown_kind)
        read 400 events of 40 customers, 100 days
    "#]]
    .assert_eq(&text(&output.stderr));
    assert!(output.stdout.is_empty());
    let sek = place.figures(&["events.jsonl", "--currency", "SEK", "--quiet"]);
    assert_eq!((&sek["currency"], &sek["history"]["events"]), (&"SEK".into(), &1.into()));
}

#[test]
fn a_history_that_carries_nothing_is_a_finding() {
    let place = Place::new();
    place.write("one.jsonl", purchase(1, 0, "10"));
    place.write("empty.jsonl", "");
    place.write("same.jsonl", (0..60).map(|i| purchase(i, i, "10")).collect::<String>());
    place.write("back.jsonl", (0..60).map(|i| purchase(i, i, "-10")).collect::<String>());
    let said = |file: &str| {
        let output = place.run(&["suggest", file]);
        assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
        format!("exit {}\n{}", output.status.code().expect("it ended"), text(&output.stderr))
    };
    expect![[r#"
        exit 1
        read 1 events of 1 customers, 1 days
        no suggestion for behaviour: 0 times somebody came back to buy; at least 20 are needed to say within how many days 95 % do
        no suggestion for spend: the history has 1 days; a month is the least
        no suggestion for rfm: the history has 1 days; a month is the least
    "#]]
    .assert_eq(&said("one.jsonl"));
    expect![[r#"
        exit 1
        read 0 events of 0 customers, 0 days
        error: no event: there is nothing to suggest from
    "#]]
    .assert_eq(&said("empty.jsonl"));
    expect![[r#"
        exit 1
        read 60 events of 60 customers, 60 days
        no suggestion for behaviour: 0 times somebody came back to buy; at least 20 are needed to say within how many days 95 % do
        no suggestion for spend: all 30 customers spent 10: nothing tells them apart
        no suggestion for rfm: 30 customers bought once each for the same money: nothing tells them apart
    "#]]
    .assert_eq(&said("same.jsonl"));
    assert!(said("back.jsonl").contains("no suggestion for spend: no purchase has an amount above 0\n"));
    let figures = place.figures(&["same.jsonl"]);
    assert_eq!(figures["spend"]["lacks"], "all 30 customers spent 10: nothing tells them apart");
}

#[test]
fn an_end_leaves_out_what_is_later() {
    let place = Place::new();
    place.write("events.jsonl", events(200, 20_000));
    let until = place.figures(&["events.jsonl", "--until", "2026-07-01T00:00:00Z"]);
    let lines = text(&events(200, 20_000));
    let early: Vec<&str> = lines
        .lines()
        .filter(|line| {
            let event: Value = serde_json::from_str(line).expect("JSON");
            event["time"].as_str().is_some_and(|time| time <= "2026-07-01T00:00:00.000Z")
        })
        .collect();
    assert_eq!(until["history"]["events"], early.len());
    assert_eq!(until["history"]["end"], "2026-07-01T00:00:00.000Z");
}

#[test]
fn what_goes_wrong_is_said_with_the_right_exit_code() {
    let place = Place::new();
    place.write("events.jsonl", purchase(1, 0, "10"));
    let said = |arguments: &[&str]| {
        let output = place.run(&[&["suggest"], arguments].concat());
        (output.status.code().expect("it ended"), text(&output.stderr))
    };
    assert_eq!(said(&["missing.jsonl", "-q"]).0, 3);
    assert!(said(&["missing.jsonl", "-q"]).1.starts_with("error: missing.jsonl: "));
    let (code, wrong) = said(&["events.jsonl", "--timezone", "Europe/Bern"]);
    assert!(code == 2 && wrong.contains("no time zone `Europe/Bern`"), "{wrong}");
    let (code, wrong) = said(&["events.jsonl", "--currency", "eur"]);
    assert!(code == 2 && wrong.contains("write `EUR`"), "{wrong}");
    let (code, wrong) = said(&["events.jsonl", "--out", "events.jsonl"]);
    assert!(code == 2 && wrong.contains("--out events.jsonl would overwrite what is read"), "{wrong}");
    assert_eq!(place.read("events.jsonl"), purchase(1, 0, "10"));
    assert_eq!(said(&["-", "-"]).0, 2);
    let lines: String = (0..400).map(|i| purchase(i % 40, i / 4, &format!("{}", 10 + i % 7))).collect();
    place.write("many.jsonl", lines);
    let (code, wrong) = said(&["many.jsonl", "-q", "--out", "no/such/folder.toml"]);
    assert!(code == 3 && wrong.starts_with("error: no/such/folder.toml cannot be written: "), "{wrong}");
}
