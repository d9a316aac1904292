//! What `dormouse.toml` may say, and what is said about one that is wrong.

use std::path::PathBuf;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

const SMALLEST: &str = "[kafka]\nbrokers = \"127.0.0.1:9092\"\n[[input]]\ntopic = \"purchases\"\n";

fn surroundings(variables: &[(&str, &str)]) -> Surroundings {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Surroundings {
        folder: PathBuf::from("etc"),
        environment: Environment::of(variables),
        host: Some("shop-1".to_owned()),
    }
}

fn service(text: &str, variables: &[(&str, &str)]) -> Service {
    let file = SourceFile::new("dormouse.toml", text);
    load_file(&file, &surroundings(variables)).unwrap_or_else(|diagnostics| panic!("{diagnostics:#?}")).service
}

/// A line a complaint: where, what stands there, what is said, how to put it right.
fn complaints(text: &str, variables: &[(&str, &str)]) -> String {
    let file = SourceFile::new("dormouse.toml", text);
    let diagnostics = match load_file(&file, &surroundings(variables)) {
        Ok(loaded) => loaded.warnings,
        Err(diagnostics) => diagnostics,
    };
    diagnostics.iter().map(line).collect()
}

fn line(diagnostic: &Diagnostic) -> String {
    let Diagnostic { code, title, place, help, .. } = diagnostic;
    let there = place.file.text[place.span.clone()].lines().next().unwrap_or("").to_owned();
    let help = help.as_ref().map_or(String::new(), |help| format!(" | {help}"));
    format!("{} {}:{} `{there}`: {title}{help}\n", code.number(), place.file.path, place.line())
}

fn check(text: &str, expected: Expect) {
    expected.assert_eq(&complaints(text, &[]));
}

#[test]
fn the_smallest_file_has_the_defaults_of_the_contract() {
    let service = service(SMALLEST, &[]);
    assert_eq!(service.kafka.group, "dormouse");
    assert_eq!(service.kafka.instance, "shop-1");
    assert_eq!(service.rules, PathBuf::from("etc/segments.toml"));
    assert_eq!(service.output, Output::default());
    assert_eq!(service.time, Time { grace: Span(5_000), max_skew: Span(300_000), max_hold: Span(60_000) });
    assert_eq!(service.http.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(service.shutdown.timeout, Duration::from_secs(30));
    assert_eq!(service.inputs.len(), 1);
    assert_eq!((service.inputs[0].kind.as_deref(), service.inputs[0].format), (None, crate::event::Format::Json));
}

#[test]
fn the_file_that_users_start_from_is_right() {
    let text = include_str!("../../../config/dormouse.toml");
    assert_eq!(complaints(text, &[]), "");
    let topics: Vec<_> = service(text, &[]).inputs.into_iter().map(|input| input.topic).collect();
    assert_eq!(topics, ["purchases", "behaviour"]);
}

#[test]
fn unknown_names_have_a_suggestion() {
    check(
        "[kafka]\nbroker = \"a:1\"\nbrokers = \"a:1\"\n[[input]]\ntopic = \"p\"\nknd = \"purchase\"\n[tme]\n[http]\nport = 1\n",
        expect![[r#"
            E0104 dormouse.toml:2 `broker`: unknown setting `kafka.broker` | did you mean `brokers`?
            W0701 dormouse.toml:3 `"a:1"`: records travel in the clear to brokers on other machines | set "security.protocol" = "ssl" or "sasl_ssl" in [kafka.client]
            E0104 dormouse.toml:6 `knd`: unknown setting `input.knd` | did you mean `kind`?
            E0104 dormouse.toml:7 `tme`: unknown section `tme` | did you mean `time`?
            E0104 dormouse.toml:9 `port`: unknown setting `http.port` | [http] has listen, ready_lag
        "#]],
    );
}

#[test]
fn every_error_is_told_at_once() {
    check(
        "[kafka]\nbrokers = 9092\n[[input]]\ntopic = \"a b\"\nformat = \"jsn\"\n[[input]]\n[output]\nchanges = \"x\"\n\
         standing = \"x\"\n[time]\ngrace = \"5 s\"\nmax_skew = 5\n[state]\nsnapshots = \"ftp://x\"\nmemory_limit = \"8 gigs\"\n\
         [http]\nlisten = \"localhost:80\"\n",
        expect![[r#"
            E0105 dormouse.toml:2 `9092`: `kafka.brokers` is a string, not an integer
            E0109 dormouse.toml:4 `"a b"`: `a b` cannot be the name of a topic | a name has letters, digits, `.`, `_` and `-`, at most 249 of them
            E0601 dormouse.toml:5 `"jsn"`: `input.format` cannot be "jsn" | did you mean "json"?
            E0106 dormouse.toml:6 `[[input]]`: `input.topic` is missing | for example topic = "purchases"
            E0108 dormouse.toml:9 `"x"`: `x` is given twice
            E0201 dormouse.toml:11 `"5 s"`: `time.grace` is no duration | write `5s`
            E0105 dormouse.toml:12 `5`: `time.max_skew` is a duration in quotes, not an integer
            E0601 dormouse.toml:14 `"ftp://x"`: `state.snapshots` is not a place that we know | for example "file:///var/lib/dormouse"; or s3://, gs://, az://
            E0601 dormouse.toml:15 `"8 gigs"`: `state.memory_limit` is not a size | for example "8GiB"; units are B, kB, MB, GB, KiB, MiB, GiB, TiB
            E0601 dormouse.toml:17 `"localhost:80"`: `http.listen` is not an address and a port | for example "127.0.0.1:8080"; an address is numbers, not a name
        "#]],
    );
}

#[test]
fn what_is_not_there_is_missed() {
    check(
        "",
        expect![[r#"
            E0106 dormouse.toml:1 ``: `kafka.brokers` is missing | for example brokers = "127.0.0.1:9092"
            E0106 dormouse.toml:1 ``: there is no [[input]]: nothing would be read | add [[input]] with topic = "purchases"
        "#]],
    );
}

#[test]
fn the_same_topic_twice_is_an_error() {
    check(
        &format!("{SMALLEST}[[input]]\ntopic = \"purchases\"\n[output]\nrejects = \"purchases\"\n"),
        expect![[r#"
            E0108 dormouse.toml:6 `"purchases"`: `purchases` is given twice
            E0601 dormouse.toml:8 `"purchases"`: `purchases` is an input too: Dormouse would read what it writes | give the output a topic of its own
        "#]],
    );
}

#[test]
fn what_is_not_toml_is_told_with_its_line() {
    check(
        "[kafka]\nbrokers = \n[time\n",
        expect![[r#"
            E0103 dormouse.toml:2 ``: not TOML: string values must be quoted, expected literal string
            E0103 dormouse.toml:3 ``: not TOML: unclosed table, expected `]`
        "#]],
    );
}

#[test]
fn exactly_once_is_not_negotiable() {
    let client = "[kafka.client]\n\"enable.auto.commit\" = true\ngroup.id = \"x\"\nlinger.ms = 5\nx = [1]\n";
    check(
        &format!("{SMALLEST}{client}"),
        expect![[r#"
            E0602 dormouse.toml:6 `"enable.auto.commit"`: `enable.auto.commit` is set by Dormouse | leave it out: offsets are committed with the changes
            E0602 dormouse.toml:7 `id`: `group.id` is set by Dormouse | use `group` of [kafka]
            E0105 dormouse.toml:9 `[1]`: `x` is a string, an integer or a boolean, not a list
        "#]],
    );
}

#[test]
fn variables_win_over_the_file_and_unknown_ones_are_errors() {
    let service = service(
        SMALLEST,
        &[
            ("DORMOUSE_KAFKA__BROKERS", "localhost:1"),
            ("DORMOUSE_INPUT__0__KIND", "browse"),
            ("DORMOUSE_TIME__GRACE", "7s"),
            ("DORMOUSE_STATE__ACCEPT_LOSS", "true"),
            ("DORMOUSE_KAFKA__PLACEMENT", "crc32"),
            ("DORMOUSE_KAFKA__CLIENT__SECURITY_PROTOCOL", "ssl"),
            ("DORMOUSE_PORT", "tcp://10.0.0.1:80"),
            ("PATH", "/bin"),
        ],
    );
    assert_eq!(service.kafka.brokers, "localhost:1");
    assert_eq!(service.inputs[0].kind.as_deref(), Some("browse"));
    assert_eq!(service.time.grace, Span(7_000));
    assert_eq!((service.state.accept_loss, service.kafka.placement), (true, Placement::Crc32));
    assert_eq!(service.kafka.client.get("security.protocol"), Some("ssl"));
    let wrong = [
        ("DORMOUSE_INPUT__3__TOPIC", "x"),
        ("DORMOUSE_KAFKA__BROKRES", "x"),
        ("DORMOUSE_KAKFA__BROKERS", "x"),
        ("DORMOUSE_TIME__GRACE", "soon"),
        ("DORMOUSE_A__B__C__D", "x"),
    ];
    expect![[r#"
        E0104 environment:1 `DORMOUSE_A__B__C__D`: unknown setting `DORMOUSE_A__B__C__D` | a name is DORMOUSE_<SECTION>__<KEY>, such as DORMOUSE_KAFKA__BROKERS
        E0104 environment:2 `DORMOUSE_INPUT__3__TOPIC`: there is no [[input]] number `3` | they are numbered from 0 to 0
        E0104 environment:3 `DORMOUSE_KAFKA__BROKRES`: unknown setting `kafka.brokres` | did you mean `brokers`?
        E0104 environment:4 `DORMOUSE_KAKFA__BROKERS`: unknown section in `DORMOUSE_KAKFA__BROKERS` | did you mean `DORMOUSE_KAFKA__BROKERS`?
        E0201 environment:5 `soon`: `time.grace` is no duration | write whole numbers with units ms, s, m, h, d or w, such as `30d` or `1h30m`
    "#]].assert_eq(&complaints(SMALLEST, &wrong));
}

#[test]
fn secrets_come_from_files_and_are_never_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("password"), "hunter2\n").expect("written");
    let text = format!(
        "{SMALLEST}[kafka.client]\n\"sasl.username\" = \"shop\"\n\"sasl.password_file\" = \"password\"\n\
         \"ssl.key.password\" = \"hunter3\"\n"
    );
    let surroundings = Surroundings { folder: folder.path().to_owned(), ..surroundings(&[]) };
    let service = load_file(&SourceFile::new("x", text), &surroundings).expect("right").service;
    assert_eq!(service.kafka.client.get("sasl.password"), Some("hunter2"));
    let shown = format!("{service:?}");
    assert!(
        shown.contains(r#""sasl.password": "(hidden)""#) && shown.contains(r#""sasl.username": "shop""#),
        "{shown}"
    );
    assert!(!shown.contains("hunter"), "{shown}");
}

#[test]
fn a_secret_that_cannot_be_read_is_an_error() {
    check(
        &format!("{SMALLEST}[kafka.client]\n\"sasl.password_file\" = \"nowhere\"\n"),
        expect![[r#"
            E0603 dormouse.toml:6 `"nowhere"`: the secret in etc/nowhere cannot be read: No such file or directory (os error 2)
        "#]],
    );
}

#[test]
fn an_instance_needs_a_name() {
    let nameless = Surroundings { host: None, ..surroundings(&[]) };
    let diagnostics = load_file(&SourceFile::new("x", SMALLEST), &nameless).expect_err("nobody has a name");
    assert_eq!(diagnostics.len(), 1);
    assert!(diagnostics[0].title.contains("kafka.instance"), "{diagnostics:?}");
}

#[test]
fn diagnostics_do_not_show_secrets() {
    let text = format!("{SMALLEST}[kafka.client]\n\"sasl.password\" = [\"hunter2\"]\n");
    let variables = [("DORMOUSE_KAFKA__CLIENT__SASL_PASSWORD_FILE", "nowhere"), ("DORMOUSE_A__PASSWORD", "hunter3")];
    let environment = surroundings(&variables);
    let diagnostics = load_file(&SourceFile::new("x", text), &environment).expect_err("wrong");
    assert!(diagnostics.len() >= 3, "{diagnostics:?}");
    assert!(!format!("{diagnostics:?}").contains("hunter"), "{diagnostics:?}");
}

#[test]
fn kinds_are_those_of_the_rules() {
    let rules =
        "[kind.cart]\n[[dimension]]\nname = \"d\"\n[[dimension.segment]]\nname = \"s\"\nwhen = 'cart.count() >= 1'\n";
    let schema = crate::config::rules::load_text("segments.toml", rules).expect("right").plan.schema;
    let more =
        "kind = \"cart\"\n[[input]]\ntopic = \"b\"\nkind = \"brwse\"\n[[input]]\ntopic = \"c\"\nkind = \"order\"\n";
    let inputs = service(&format!("{SMALLEST}{more}"), &[]).inputs;
    let complaints: String = check_kinds(&inputs, &schema).iter().map(line).collect();
    expect![[r#"
        E0401 dormouse.toml:8 `"brwse"`: the rules have no kind `brwse` | did you mean "browse"?
        E0401 dormouse.toml:11 `"order"`: the rules have no kind `order` | kinds are purchase, browse, search, refund, feedback, profile, cart; the rules add one with [kind.order]
    "#]].assert_eq(&complaints);
}

/// A file that uses everything, to be broken.
const FULL: &str = include_str!("../../../config/dormouse.toml");

#[derive(Debug, Clone)]
enum Damage {
    Delete { start: usize, len: usize },
    Insert { at: usize, text: &'static str },
    Swap { first: usize, second: usize },
}

fn damage() -> impl Strategy<Value = Damage> {
    const TEXTS: &[&str] =
        &["\"", "=", "[", "]]", "é", "\0", "'''", "99999999999999999999", "-", "\n[kafka]\n", "{", "1h", "#"];
    prop_oneof![
        (0..FULL.len(), 1usize..40).prop_map(|(start, len)| Damage::Delete { start, len }),
        (0..FULL.len(), proptest::sample::select(TEXTS)).prop_map(|(at, text)| Damage::Insert { at, text }),
        (0usize..60, 0usize..60).prop_map(|(first, second)| Damage::Swap { first, second }),
    ]
}

fn damaged(text: &str, damage: &Damage) -> String {
    let boundary = |at: usize| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    match damage {
        Damage::Delete { start, len } => {
            format!("{}{}", &text[..boundary(*start)], &text[boundary(start + len).max(boundary(*start))..])
        }
        Damage::Insert { at, text: inserted } => {
            format!("{}{inserted}{}", &text[..boundary(*at)], &text[boundary(*at)..])
        }
        Damage::Swap { first, second } => {
            let mut lines: Vec<&str> = text.lines().collect();
            let (first, second) = (first % lines.len().max(1), second % lines.len().max(1));
            if !lines.is_empty() {
                lines.swap(first, second);
            }
            lines.join("\n")
        }
    }
}

proptest! {
    /// Whatever stands in the file: a service, or complaints that can be shown; never a panic.
    #[test]
    fn broken_files_are_refused_with_places_or_taken(damages in proptest::collection::vec(damage(), 1..4)) {
        let text = damages.iter().fold(FULL.to_owned(), |text, damage| damaged(&text, damage));
        match load_file(&SourceFile::new("dormouse.toml", text.clone()), &surroundings(&[])) {
            Ok(loaded) => prop_assert!(!loaded.service.inputs.is_empty()),
            Err(diagnostics) => {
                prop_assert!(diagnostics.iter().any(Diagnostic::is_error));
                for diagnostic in &diagnostics {
                    prop_assert!(diagnostic.place.file.text.get(diagnostic.place.span.clone()).is_some());
                    prop_assert!(!diagnostic.title.is_empty());
                }
            }
        }
        prop_assert_eq!(super::mask::masked(&text).len(), text.len());
    }
}
