//! `dormouse report --topics` against a real Kafka: what the input topics hold is reported as the same events in files
//! are, and what a transaction left behind that was aborted is not there.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use dormouse::cli::generate::{Kind, Model, write as generate};
use dormouse::event::Instant;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::Value;
use testbed::kafka::{Broker, Record};

const PATIENCE: Duration = Duration::from_secs(30);
const N_PARTITIONS: i32 = 3;

const RULES: &str = r#"
[[dimension]]
name = "activity"
[[dimension.segment]]
name = "active"
when = 'purchase.count("30d") >= 2'
[[dimension.segment]]
name = "asleep"
when = 'purchase.count() >= 1'
"#;

/// Settings for two topics: purchases that do not say their kind, and all else.
fn configure(folder: &Path, broker: &Broker) {
    let settings = format!(
        "[kafka]\nbrokers = \"{}\"\ngroup = \"report\"\ninstance = \"report-0\"\n[[input]]\ntopic = \"report-purchases\"\n\
         kind = \"purchase\"\n[[input]]\ntopic = \"report-behaviour\"\n[output]\nchanges = \"report-changes\"\n\
         standing = \"report-standing\"\nrejects = \"report-rejects\"\n",
        broker.address()
    );
    std::fs::write(folder.join("dormouse.toml"), settings).expect("written");
    std::fs::write(folder.join("segments.toml"), RULES).expect("written");
    std::fs::write(folder.join("other.toml"), RULES.replace(">= 2", ">= 3")).expect("written");
}

fn report(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dormouse"));
    command.current_dir(folder).arg("report").args(arguments).stdin(Stdio::null()).output().expect("the binary runs")
}

fn json(folder: &Path, arguments: &[&str]) -> Value {
    let output = report(folder, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("the report is JSON")
}

/// The events of each topic, in order of time.
fn events() -> [Vec<Value>; 2] {
    let start = Instant(1_767_225_600_000);
    let model = Model { n_customers: 80, n_events: 3_000, seed: 7, kinds: Kind::ALL.to_vec(), start, days: 120 };
    let mut bytes = Vec::new();
    generate(&model, &mut bytes).expect("memory takes it");
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let all = lines.map(|line| serde_json::from_slice::<Value>(line).expect("an event"));
    let (purchases, behaviour): (Vec<Value>, Vec<Value>) = all.partition(|event| event["kind"] == "purchase");
    [purchases, behaviour]
}

fn record(event: &Value) -> Record {
    let customer = event["customer_id"].as_str().expect("a customer");
    let partition = customer.bytes().map(i32::from).sum::<i32>() % N_PARTITIONS;
    let time: jiff::Timestamp = event["time"].as_str().expect("a time").parse().expect("RFC 3339");
    Record::new(partition, customer, event.to_string()).at(time.as_millisecond())
}

fn write(path: &Path, events: &[Value]) {
    let text: String = events.iter().map(|event| format!("{event}\n")).collect();
    std::fs::write(path, text).expect("written");
}

/// A purchase in a transaction that is aborted.
fn abort(broker: &Broker, topic: &str) {
    let producer: BaseProducer =
        broker.client().set("transactional.id", "report-aborted").create().expect("a producer");
    producer.init_transactions(PATIENCE).expect("the coordinator answers");
    producer.begin_transaction().expect("a transaction begins");
    let event = r#"{"customer_id":"nobody","time":"2026-02-01T00:00:00Z","amount":1000000}"#;
    producer.send(BaseRecord::to(topic).partition(0).key("nobody").payload(event)).expect("the queue has room");
    producer.flush(PATIENCE).expect("the broker takes it");
    producer.abort_transaction(PATIENCE).expect("it aborts");
}

#[test]
fn topics_are_reported_on_as_files_are() {
    let broker = Broker::shared();
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    configure(folder, broker);
    let [mut purchases, behaviour] = events();
    write(&folder.join("purchases.jsonl"), &purchases);
    write(&folder.join("behaviour.jsonl"), &behaviour);
    for event in &mut purchases {
        event.as_object_mut().expect("an event").remove("kind");
    }
    for (topic, events) in [("report-purchases", &purchases), ("report-behaviour", &behaviour)] {
        broker.create_topic(topic, N_PARTITIONS, &[]);
        broker.produce(topic, events.iter().map(record));
        abort(broker, topic);
    }
    let files = json(folder, &["-c", "segments.toml", "--json", "purchases.jsonl", "behaviour.jsonl"]);
    let topics = json(folder, &["-c", "dormouse.toml", "--topics", "--json"]);
    assert_eq!(topics, files);
    assert_eq!(topics["history"]["events"].as_u64(), Some((purchases.len() + behaviour.len()) as u64));

    // Read twice, up to the same ends.
    let compared = json(folder, &["-c", "dormouse.toml", "--topics", "--json", "--compare", "other.toml"]);
    let differ = compared["comparison"]["dimensions"][0]["differ"].as_u64();
    assert!(differ.is_some_and(|differ| differ > 0), "{}", compared["comparison"]);
    assert_eq!(compared["dimensions"], files["dimensions"]);

    let until = ["--until", "2026-02-01T00:00:00Z"];
    let until_files =
        json(folder, &[&["-c", "segments.toml", "--json", "purchases.jsonl", "behaviour.jsonl"][..], &until].concat());
    let until_topics = json(folder, &[&["-c", "dormouse.toml", "--topics", "--json"][..], &until].concat());
    assert_eq!(until_topics, until_files);
}

#[test]
fn a_topic_that_is_not_there_is_said() {
    let broker = Broker::shared();
    let folder = tempfile::tempdir().expect("a folder");
    configure(folder.path(), broker);
    let settings = std::fs::read_to_string(folder.path().join("dormouse.toml")).expect("it was written");
    let settings = settings.replace("report-purchases", "report-nowhere");
    std::fs::write(folder.path().join("dormouse.toml"), settings).expect("written");
    let output = report(folder.path(), &["-c", "dormouse.toml", "--topics"]);
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(said.contains("topic report-nowhere does not exist"), "{said}");
}

#[test]
fn an_instance_that_cannot_be_asked_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    for (url, code, complaint) in [
        ("127.0.0.1:1", 2, "write it as http://127.0.0.1:8080"),
        ("http://127.0.0.1:1", 3, "http://127.0.0.1:1 does not answer"),
    ] {
        let output = report(folder.path(), &["--url", url]);
        assert_eq!(output.status.code(), Some(code));
        let said = String::from_utf8(output.stderr).expect("text");
        assert!(said.contains(complaint), "{said}");
    }
}
