//! The command line, as snapshots of the real binary: what people read, on which stream, and with which exit code.
//! `UPDATE_EXPECT=1 cargo test --test cli` writes them anew.

use std::path::Path;
use std::process::{Command, Output};

use expect_test::{Expect, expect};

/// Runs the binary in a folder with these files, with nothing of this process's environment.
fn dormouse(files: &[(&str, &str)], args: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    in_folder(folder.path(), args, &[])
}

fn in_folder(folder: &Path, args: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dormouse"))
        .args(args)
        .current_dir(folder)
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .expect("the binary runs")
}

/// Exit code, then both streams under their names, those that are empty left out, and without spaces at the ends of
/// lines.
fn shown(output: &Output) -> String {
    let code = output.status.code().expect("it ended by itself");
    let mut text = format!("exit {code}\n");
    for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        if !bytes.is_empty() {
            text.push_str(&format!("--- {name}\n{}", without_version(&String::from_utf8_lossy(bytes))));
        }
    }
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// The rules' version is a hash, which changes with what it is made of.
fn without_version(text: &str) -> String {
    match text.strip_prefix("rules ").and_then(|rest| rest.split_once('\n')) {
        Some((version, rest)) if version.len() == 16 => format!("rules <version>\n{rest}"),
        _ => text.to_owned(),
    }
}

fn check(files: &[(&str, &str)], args: &[&str], expected: Expect) {
    expected.assert_eq(&shown(&dormouse(files, args)));
}

const RULES: &str = "\
[[dimension]]
name = \"activity\"

[[dimension.segment]]
name = \"active\"
when = 'purchase.count(\"30d\") >= 1'
";

const SERVICE: &str = "\
[kafka]
brokers = \"127.0.0.1:1\"
instance = \"test\"

[[input]]
topic = \"purchases\"
kind = \"purchase\"
";

#[test]
fn help_names_the_commands() {
    check(
        &[],
        &["--help"],
        expect![[r#"
            exit 0
            --- stdout
            Streaming customer segmentation: events in from Kafka, segment changes out, exactly once

            Usage: dormouse [OPTIONS] <COMMAND>

            Commands:
              demo      See it at work: a year of a real shop in a minute or two, with nothing to install
              run       Run the service: events in from Kafka, changes out
              replay    Replay events from files and print the changes
              report    Say how good each segment is: size, value, flows, and the tests of a useful segment
              check     Say everything that is wrong with a configuration, and what it does
              explain   Say why a customer is where they are, how far from changing, and what comes next
              suggest   Read thresholds off a history: a first rules file, with the reason beside each figure
              verify    Recompute customers from the input and compare with what was published
              topics    Say whether the topics are there and right; make them
              generate  Write the events of a made-up shop, for trying out rules and for measuring

            Options:
              -h, --help
                      Print help (see a summary with '-h')

              -V, --version
                      Print version

            Log:
                  --log-format <LOG_FORMAT>
                      How the log on standard error looks

                      Possible values:
                      - text: A line for people
                      - json: A JSON object a line

                      [default: text]

                  --log <FILTER>
                      What is logged: LEVEL or TARGET=LEVEL,…; without it RUST_LOG, else what the command needs
        "#]],
    );
}

#[test]
fn every_command_has_an_example() {
    for command in ["replay", "check", "explain", "suggest", "topics"] {
        let output = dormouse(&[], &[command, "--help"]);
        assert_eq!(output.status.code(), Some(0), "{command}");
        let text = String::from_utf8(output.stdout).expect("text");
        assert!(text.contains(&format!("\n  dormouse {command}")), "{command} shows no example:\n{text}");
    }
}

#[test]
fn wrong_arguments_are_usage() {
    check(
        &[],
        &["chekc"],
        expect![[r#"
        exit 2
        --- stderr
        error: unrecognized subcommand 'chekc'

          tip: a similar subcommand exists: 'check'

        Usage: dormouse [OPTIONS] <COMMAND>

        For more information, try '--help'.
    "#]],
    );
    check(
        &[],
        &["check"],
        expect![[r#"
        exit 2
        --- stderr
        error: the following required arguments were not provided:
          --config <FILE>

        Usage: dormouse check --config <FILE>

        For more information, try '--help'.
    "#]],
    );
    check(
        &[("s.toml", RULES)],
        &["check", "-c", "s.toml", "--log", "dormouse=loud"],
        expect![[r#"
        exit 2
        --- stderr
        error: --log is not a log filter: error parsing level filter: expected one of "off", "error", "warn", "info", "debug", "trace", or a number 0-5; an example: debug,rdkafka=warn
    "#]],
    );
}

#[test]
fn right_rules_are_fine() {
    check(
        &[("segments.toml", RULES)],
        &["check", "-c", "segments.toml"],
        expect![[r#"
            exit 0
            --- stdout
            rules <version>
              activity: active

            kept of each customer (bytes are estimates)
              #1 purchase
                   events of 30d: count; 3 B each
                   1 B a customer; read by 1 segment

            read by each segment
              activity.active: 1 comparison, 1 feature of #1
        "#]],
    );
}

#[test]
fn wrong_rules_are_shown_with_their_places_and_fixes() {
    let rules = RULES.replace("count(\"30d\")", "cuont(\"30d\")").replace("name = \"active\"", "nmae = \"active\"");
    check(
        &[("segments.toml", &rules)],
        &["check", "-c", "segments.toml"],
        expect![[r#"
            exit 2
            --- stderr
            error[E0106]: [[dimension.segment]] has no `name`
             --> segments.toml:4:1
              |
            4 | [[dimension.segment]]
              | ^^^^^^^^^^^^^^^^^^^^^
              |
              = help: add `name = "active"`

            error[E0104]: [[dimension.segment]] has no setting `nmae`
             --> segments.toml:5:1
              |
            5 | nmae = "active"
              | ^^^^ unknown setting
              |
              = help: did you mean `name`?

            error[E0402]: `purchase` has no feature `cuont`
             --> segments.toml:6:18
              |
            6 | when = 'purchase.cuont("30d") >= 1'
              |                  ^^^^^ unknown feature
              |
              = help: did you mean `count`?

            3 errors
        "#]],
    );
}

#[test]
fn warnings_are_findings() {
    let rules = RULES.replace(">= 1", ">= 0");
    check(
        &[("segments.toml", &rules)],
        &["check", "-c", "segments.toml"],
        expect![[r#"
            exit 1
            --- stdout
            rules <version>
              activity: active

            kept of each customer (bytes are estimates)
              #1 purchase
                   events of 30d: count; 3 B each
                   1 B a customer; read by 1 segment

            read by each segment
              activity.active: 1 comparison, 1 feature of #1
            --- stderr
            warning[W0601]: this comparison always holds
             --> segments.toml:6:9
              |
            6 | when = 'purchase.count("30d") >= 0'
              |         ^^^^^^^^^^^^^^^^^^^^^^^^^^ every customer is like this
              |
              = help: mend it, or take it out; `true` is the condition that always holds

            1 warning
        "#]],
    );
}

#[test]
fn a_service_is_checked_with_its_rules() {
    let files = [("dormouse.toml", SERVICE), ("segments.toml", RULES)];
    check(
        &files,
        &["check", "-c", "dormouse.toml"],
        expect![[r#"
            exit 0
            --- stdout
            rules <version>
              activity: active

            kept of each customer (bytes are estimates)
              #1 purchase
                   events of 30d: count; 3 B each
                   1 B a customer; read by 1 segment

            read by each segment
              activity.active: 1 comparison, 1 feature of #1
        "#]],
    );
    let wrong = SERVICE.replace("kind = \"purchase\"", "kind = \"purchse\"");
    check(
        &[("dormouse.toml", &wrong), ("segments.toml", RULES)],
        &["check", "-c", "dormouse.toml"],
        expect![[r#"
        exit 2
        --- stderr
        error[E0401]: the rules have no kind `purchse`
         --> dormouse.toml:7:8
          |
        7 | kind = "purchse"
          |        ^^^^^^^^^
          |
          = help: did you mean "purchase"?

        1 error
    "#]],
    );
    check(
        &[("dormouse.toml", SERVICE)],
        &["check", "-c", "dormouse.toml"],
        expect![[r#"
        exit 2
        --- stderr
        error[E0101]: cannot read segments.toml: No such file or directory (os error 2)
        --> segments.toml
         = help: is the path right, and may it be read?

        1 error
    "#]],
    );
}

#[test]
fn all_that_is_wrong_with_a_service_is_told_at_once() {
    let wrong = "[kafka]\nbrokres = \"a:1\"\n[[input]]\ntopic = \"a\"\n[[input]]\ntopic = \"a\"\n[time]\ngrace = 5\n";
    check(
        &[("dormouse.toml", wrong)],
        &["check", "-c", "dormouse.toml"],
        expect![[r#"
        exit 2
        --- stderr
        error[E0106]: `kafka.brokers` is missing
         --> dormouse.toml:1:2
          |
        1 | [kafka]
          |  ^^^^^
          |
          = help: for example brokers = "127.0.0.1:9092"

        error[E0104]: unknown setting `kafka.brokres`
         --> dormouse.toml:2:1
          |
        2 | brokres = "a:1"
          | ^^^^^^^ not known
          |
          = help: did you mean `brokers`?

        error[E0108]: `a` is given twice
         --> dormouse.toml:6:9
          |
        4 | topic = "a"
          |         --- first here
        5 | [[input]]
        6 | topic = "a"
          |         ^^^ again here

        error[E0105]: `time.grace` is a duration in quotes, not an integer
         --> dormouse.toml:8:9
          |
        8 | grace = 5
          |         ^ expected a duration in quotes

        4 errors
    "#]],
    );
}

#[test]
fn variables_are_part_of_the_configuration() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("dormouse.toml"), SERVICE).expect("written");
    std::fs::write(folder.path().join("segments.toml"), RULES).expect("written");
    let variables = [("DORMOUSE_TIME__GRACE", "soon"), ("DORMOUSE_KAFKA__CLIENT__SASL_PASSWORD", "hunter2")];
    let output = in_folder(folder.path(), &["check", "-c", "dormouse.toml"], &variables);
    expect![[r#"
        exit 2
        --- stderr
        error[E0201]: `time.grace` is no duration
         --> environment:2:22
          |
        2 | DORMOUSE_TIME__GRACE=soon
          |                      ^^^^
          |
          = help: write whole numbers with units ms, s, m, h, d or w, such as `30d` or `1h30m`

        1 error
    "#]]
    .assert_eq(&shown(&output));
}

#[test]
fn librdkafka_is_asked_about_its_settings() {
    let client =
        "[kafka.client]\n\"socket.timeout.sm\" = 5\n\"linger.ms\" = \"soon\"\n\"ssl.key.password\" = \"hunter2\"\n";
    let settings = SERVICE.replace("\n[[input]]", &format!("\n{client}\n[[input]]"));
    check(
        &[("dormouse.toml", &settings), ("segments.toml", RULES)],
        &["check", "-c", "dormouse.toml"],
        expect![[r#"
            exit 2
            --- stderr
            error[E0601]: librdkafka has no setting `socket.timeout.sm`
             --> dormouse.toml:6:1
              |
            6 | "socket.timeout.sm" = 5
              | ^^^^^^^^^^^^^^^^^^^
              |
              = help: its settings are at https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md

            error[E0601]: `linger.ms` cannot have this value: Invalid value for configuration property "queue.buffering.max.ms"
             --> dormouse.toml:7:1
              |
            7 | "linger.ms" = "soon"
              | ^^^^^^^^^^^
              |
              = help: its settings are at https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md

            error[E0601]: `ssl.key.password` cannot have this value: this dormouse was built without TLS
             --> dormouse.toml:8:1
              |
            8 | "ssl.key.password" = "*******"
              | ^^^^^^^^^^^^^^^^^^
              |
              = help: build it with `cargo build --release --features tls`

            3 errors
        "#]],
    );
}

#[test]
fn kafka_that_is_not_there_is_the_world() {
    let output = dormouse(&[("dormouse.toml", SERVICE)], &["topics", "-c", "dormouse.toml"]);
    assert_eq!(output.status.code(), Some(3), "{}", shown(&output));
    let text = String::from_utf8(output.stderr).expect("text");
    assert!(text.contains("error: Kafka at 127.0.0.1:1 did not"), "{text}");
    assert!(output.stdout.is_empty());
}

#[test]
fn nothing_is_coloured_into_a_pipe() {
    let rules = RULES.replace("count", "cuont");
    let output = dormouse(&[("s.toml", &rules)], &["check", "-c", "s.toml"]);
    assert!(!output.stderr.contains(&0x1b), "{}", shown(&output));
}
