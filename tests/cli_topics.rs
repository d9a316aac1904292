//! `dormouse topics` against a real Kafka: what is missing is made with what each role needs, and what is wrong is said
//! with its fix.

use std::process::{Command, Output};

use expect_test::expect;
use testbed::kafka::Broker;

fn topics(broker: &Broker, prefix: &str, args: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = format!(
        "[kafka]\nbrokers = \"{}\"\ninstance = \"test\"\n[[input]]\ntopic = \"{prefix}-a\"\n[[input]]\ntopic = \"{prefix}-b\"\n\
         [output]\nchanges = \"{prefix}-changes\"\nstanding = \"{prefix}-standing\"\nrejects = \"{prefix}-rejects\"\n",
        broker.address()
    );
    std::fs::write(folder.path().join("dormouse.toml"), settings).expect("written");
    Command::new(env!("CARGO_BIN_EXE_dormouse"))
        .args(["topics", "-c", "dormouse.toml"])
        .args(args)
        .current_dir(folder.path())
        .env_clear()
        .output()
        .expect("the binary runs")
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("text")
}

#[test]
fn missing_topics_are_made_as_their_role_needs_them() {
    let broker = Broker::shared();
    let before = topics(broker, "made", &[]);
    assert_eq!(before.status.code(), Some(1));
    assert_eq!(text(before.stdout).matches("error: it does not exist").count(), 5);
    let made = topics(broker, "made", &["--create", "--partitions", "3"]);
    expect![[r#"
        fine     input    made-a
        fine     input    made-b
        fine     changes  made-changes
        fine     standing made-standing
        fine     rejects  made-rejects
    "#]]
    .assert_eq(&text(made.stdout));
    assert!(text(made.stderr).contains("made made-standing with 3 partitions"));
    assert_eq!(made.status.code(), Some(0));
    assert_eq!(topics(broker, "made", &[]).status.code(), Some(0));
}

#[test]
fn what_is_made_has_as_many_partitions_as_the_input_that_is_there() {
    let broker = Broker::shared();
    broker.create_topic("grown-a", 5, &[("message.timestamp.type", "LogAppendTime"), ("retention.ms", "-1")]);
    let made = topics(broker, "grown", &["--create", "--partitions", "3"]);
    assert_eq!(made.status.code(), Some(0), "{}", text(made.stdout));
    assert!(text(made.stderr).contains("made grown-standing with 5 partitions"));
}

#[test]
fn topics_that_do_not_fit_are_told_with_what_to_do() {
    let broker = Broker::shared();
    let log = ("message.timestamp.type", "LogAppendTime");
    broker.create_topic("odd-a", 2, &[log, ("retention.ms", "-1")]);
    broker.create_topic("odd-b", 3, &[("retention.ms", "604800000")]);
    broker.create_topic("odd-changes", 2, &[]);
    broker.create_topic("odd-standing", 2, &[]);
    broker.create_topic("odd-rejects", 2, &[]);
    let looked = topics(broker, "odd", &["--create"]);
    assert_eq!(looked.status.code(), Some(1));
    expect![[r#"
        fine     input    odd-a
        wrong    input    odd-b
                 error: it has 3 partitions and odd-a has 2: a customer's events and changes must have the same partition number everywhere
                 fix: give all of them the same number, for example by making odd-b anew
                 warning: its records have timestamps that producers set; a wrong clock of theirs is only noticed when it is ahead of ours
                 fix: kafka-configs --alter --topic odd-b --add-config message.timestamp.type=LogAppendTime
                 warning: its records are deleted after 7 days, and a restart can rebuild only what is still there
                 fix: kafka-configs --alter --topic odd-b --add-config retention.ms=-1
        fine     changes  odd-changes
        wrong    standing odd-standing
                 error: its cleanup.policy is `delete`: standings that are still true would be deleted
                 fix: kafka-configs --alter --topic odd-standing --add-config cleanup.policy=compact
        fine     rejects  odd-rejects
    "#]].assert_eq(&text(looked.stdout));
}
