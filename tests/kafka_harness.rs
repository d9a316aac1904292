//! The ground under the Kafka tests: a real broker takes records and gives them back, hides what was aborted, and
//! keeps what was committed when it is killed.

use std::time::Duration;

use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use testbed::kafka::{Broker, Record};

const TIMEOUT: Duration = Duration::from_secs(30);

/// A transactional producer that has one.
fn transactional(broker: &Broker, id: &str) -> BaseProducer {
    let producer: BaseProducer = broker.client().set("transactional.id", id).create().expect("a producer");
    producer.init_transactions(TIMEOUT).expect("the coordinator answers");
    producer
}

fn send(producer: &BaseProducer, topic: &str, value: &str) {
    producer.send(BaseRecord::<str, str>::to(topic).partition(0).key("k").payload(value)).expect("the queue has room");
    producer.flush(TIMEOUT).expect("the broker takes it");
}

fn texts(records: &[Record]) -> Vec<&str> {
    records.iter().map(Record::text).collect()
}

#[test]
fn records_come_back_as_they_were_sent() {
    let broker = Broker::shared();
    broker.create_topic("round-trip", 3, &[("message.timestamp.type", "CreateTime")]);
    let sent: Vec<Record> = (0..30_000)
        .map(|i| Record {
            headers: vec![("n".to_owned(), i.to_string().into_bytes())],
            ..Record::new(i % 3, format!("customer-{i}"), format!("event {i}")).at(1_291_190_000_000 + i64::from(i))
        })
        .chain([Record { partition: 1, key: Some(b"gone".to_vec()), ..Record::default() }.at(1)])
        .collect();
    broker.produce("round-trip", sent.clone());

    let mut expected: Vec<Record> = Vec::new();
    for partition in 0..3 {
        let of_partition = sent.iter().filter(|record| record.partition == partition).cloned();
        expected.extend(of_partition.zip(0..).map(|(record, offset)| Record { offset, ..record }));
    }
    let read = broker.read_committed("round-trip");
    assert_eq!(read.len(), expected.len());
    assert!(read == expected, "a record came back changed or in another order");
    assert_eq!(broker.high_watermarks("round-trip"), [10_000, 10_001, 10_000]);
}

#[test]
fn an_aborted_transaction_is_invisible_and_an_open_one_hides_what_follows() {
    let broker = Broker::shared();
    broker.create_topic("transactions", 1, &[]);
    let producer = transactional(broker, "t-1");

    producer.begin_transaction().expect("a transaction begins");
    send(&producer, "transactions", "committed");
    producer.commit_transaction(TIMEOUT).expect("it commits");

    producer.begin_transaction().expect("a transaction begins");
    send(&producer, "transactions", "aborted");
    producer.abort_transaction(TIMEOUT).expect("it aborts");

    producer.begin_transaction().expect("a transaction begins");
    send(&producer, "transactions", "open");
    broker.produce("transactions", [Record::new(0, "k", "behind the open one")]);
    assert_eq!(texts(&broker.read_visible("transactions")), ["committed"]);

    producer.commit_transaction(TIMEOUT).expect("it commits");
    assert_eq!(texts(&broker.read_committed("transactions")), ["committed", "open", "behind the open one"]);
    assert_eq!(
        texts(&broker.read_uncommitted("transactions")),
        ["committed", "aborted", "open", "behind the open one"]
    );
    // Four records and three markers.
    assert_eq!(broker.high_watermarks("transactions"), [7]);
}

#[test]
fn offsets_committed_by_a_group_are_told() {
    use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
    use rdkafka::{Offset, TopicPartitionList};

    let broker = Broker::shared();
    broker.create_topic("followed", 2, &[]);
    let consumer: BaseConsumer = broker.client().set("group.id", "followers").create().expect("a consumer");
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset("followed", 1, Offset::Offset(42)).expect("a plain offset");
    consumer.commit(&offsets, CommitMode::Sync).expect("the coordinator takes it");
    assert_eq!(broker.committed_offsets("followers", "followed"), [None, Some(42)]);
}

#[test]
fn what_was_committed_survives_kill_9_and_the_broker_dies_with_its_owner() {
    let broker = Broker::start();
    broker.create_topic("survivor", 1, &[]);
    broker.produce("survivor", [Record::new(0, "k", "before")]);
    let first = broker.pid();

    broker.kill9();
    broker.restart();
    assert_ne!(broker.pid(), first);
    broker.produce("survivor", [Record::new(0, "k", "after")]);
    assert_eq!(texts(&broker.read_committed("survivor")), ["before", "after"]);

    let pid = broker.pid();
    drop(broker);
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "the JVM outlived its broker");
}

#[test]
fn a_frozen_broker_answers_again_when_thawed() {
    let broker = Broker::start();
    broker.create_topic("frozen", 1, &[]);
    let producer = broker.producer();
    broker.freeze();
    producer.send("frozen", &Record::new(0, "k", "waits"));
    broker.thaw();
    producer.flush();
    assert_eq!(texts(&broker.read_committed("frozen")), ["waits"]);
}
