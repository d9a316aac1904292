//! Topics of a broker: made, filled, and read to their end as a read-committed subscriber sees them.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, DeliveryResult, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, NoCustomPartitioner, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use crate::broker::Broker;

/// How long the broker may take for one request, or an open transaction to be decided.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A message as it stands in a partition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    pub partition: i32,
    /// Of no meaning when producing.
    pub offset: i64,
    /// Milliseconds since the epoch; `None` when producing: now.
    pub timestamp: Option<i64>,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Record {
    /// A record with a key and a value, for a partition.
    pub fn new(partition: i32, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Record {
        Record { partition, key: Some(key.into()), value: Some(value.into()), ..Record::default() }
    }

    /// The same, with a timestamp of its own in milliseconds since the epoch.
    pub fn at(self, timestamp: i64) -> Record {
        Record { timestamp: Some(timestamp), ..self }
    }

    /// The value as text; a record without one, or with other bytes, fails the test.
    pub fn text(&self) -> &str {
        let value = self.value.as_deref().expect("the record has a value");
        std::str::from_utf8(value).expect("the value is UTF-8")
    }

    /// The first header of that name, as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(key, _)| key == name)?;
        Some(std::str::from_utf8(value).expect("the header is UTF-8"))
    }
}

impl Broker {
    /// Makes a topic and waits until it can be used.
    pub fn create_topic(&self, name: &str, n_partitions: i32, settings: &[(&str, &str)]) {
        let mut topic = NewTopic::new(name, n_partitions, TopicReplication::Fixed(self.n_replicas()));
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        let results =
            self.wait_for(self.admin().create_topics([&topic], &admin_options())).expect("the broker answers");
        for result in results {
            result.unwrap_or_else(|(topic, code)| panic!("topic {topic} could not be made: {code}"));
        }
        // The broker answers before every part of it knows the new topic.
        let reader = self.reader("read_uncommitted");
        let deadline = Instant::now() + TIMEOUT;
        while self.n_partitions(&reader, name) != Some(n_partitions) {
            assert!(Instant::now() < deadline, "topic {name} did not appear");
        }
    }

    /// Deletes a topic.
    pub fn delete_topic(&self, name: &str) {
        let results = self.wait_for(self.admin().delete_topics(&[name], &admin_options())).expect("the broker answers");
        for result in results {
            result.unwrap_or_else(|(topic, code)| panic!("topic {topic} could not be deleted: {code}"));
        }
    }

    /// Kafka's admin client, for what has no method here; [`Broker::wait_for`] drives its futures.
    pub fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().expect("an admin client")
    }

    /// Runs a future of the admin client to its end.
    pub fn wait_for<T>(&self, future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
    }

    /// Produces all records, in their order within a partition, and waits until the broker has them.
    pub fn produce(&self, topic: &str, records: impl IntoIterator<Item = Record>) {
        let producer = self.producer();
        for record in records {
            producer.send(topic, &record);
        }
        producer.flush();
    }

    /// A producer to keep, for whoever produces record by record.
    pub fn producer(&self) -> Producer {
        let failures = Failures::default();
        let mut config = self.client();
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("linger.ms", "2")
            .set("queue.buffering.max.messages", "1000000")
            .set("message.timeout.ms", "60000");
        let inner = config.create_with_context(failures.clone()).expect("a producer");
        Producer { inner, failures }
    }

    /// Everything that read-committed subscribers see once all that is in the topic now is decided: waits until no
    /// transaction is open below the present high watermark, then reads to the end, in order of partition and offset.
    pub fn read_committed(&self, topic: &str) -> Vec<Record> {
        let marks = self.high_watermarks(topic);
        let reader = self.reader("read_committed");
        let deadline = Instant::now() + TIMEOUT;
        for (partition, mark) in marks.iter().enumerate() {
            while stable_offset(&reader, topic, partition as i32) < *mark {
                assert!(Instant::now() < deadline, "a transaction on {topic}/{partition} stays open below {mark}");
            }
        }
        read_to_end(&reader, topic, marks.len() as i32)
    }

    /// What read-committed subscribers see at this moment: an open transaction hides what comes after its start.
    pub fn read_visible(&self, topic: &str) -> Vec<Record> {
        let n_partitions = self.high_watermarks(topic).len() as i32;
        read_to_end(&self.reader("read_committed"), topic, n_partitions)
    }

    /// What lies in the topic, aborted or not.
    pub fn read_uncommitted(&self, topic: &str) -> Vec<Record> {
        let n_partitions = self.high_watermarks(topic).len() as i32;
        read_to_end(&self.reader("read_uncommitted"), topic, n_partitions)
    }

    /// The high watermark of every partition. Transaction markers have offsets too, so this is not a count.
    pub fn high_watermarks(&self, topic: &str) -> Vec<i64> {
        let reader = self.reader("read_uncommitted");
        let n_partitions = self.n_led(&reader, topic);
        (0..n_partitions).map(|partition| stable_offset(&reader, topic, partition)).collect()
    }

    /// The next offsets that a group committed, for every partition of a topic; `None` where it committed none.
    pub fn committed_offsets(&self, group: &str, topic: &str) -> Vec<Option<i64>> {
        let reader: BaseConsumer = self.client().set("group.id", group).create().expect("a consumer");
        let n_partitions = self.n_led(&reader, topic);
        let mut wanted = TopicPartitionList::new();
        wanted.add_partition_range(topic, 0, n_partitions - 1);
        let found = patiently(topic, || reader.committed_offsets(wanted.clone(), TIMEOUT));
        found
            .elements()
            .iter()
            .map(|element| match element.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            })
            .collect()
    }

    /// How many partitions a topic has, once each has a leader: in a cluster whose brokers die that may take a while.
    fn n_led(&self, reader: &BaseConsumer, topic: &str) -> i32 {
        patiently(topic, || self.n_partitions(reader, topic).ok_or("a partition has no leader"))
    }

    fn n_partitions(&self, reader: &BaseConsumer, topic: &str) -> Option<i32> {
        let found = patiently(topic, || reader.fetch_metadata(Some(topic), TIMEOUT));
        let topic = found.topics().iter().find(|found| found.name() == topic)?;
        let led = topic.error().is_none() && topic.partitions().iter().all(|p| p.error().is_none() && p.leader() >= 0);
        led.then(|| topic.partitions().len() as i32)
    }

    fn reader(&self, isolation: &str) -> BaseConsumer {
        self.client()
            .set("group.id", "testbed-reader")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "error")
            .set("enable.partition.eof", "true")
            .set("isolation.level", isolation)
            .set("fetch.wait.max.ms", "10")
            .create()
            .expect("a consumer")
    }
}

/// Sends records and remembers whether all arrived.
pub struct Producer {
    inner: ThreadedProducer<Failures>,
    failures: Failures,
}

impl Producer {
    /// Hands a record over; waits while the queue is full.
    pub fn send(&self, topic: &str, record: &Record) {
        let mut message = BaseRecord::<[u8], [u8]>::to(topic).partition(record.partition);
        message.key = record.key.as_deref();
        message.payload = record.value.as_deref();
        message.timestamp = record.timestamp;
        if !record.headers.is_empty() {
            let headers = record
                .headers
                .iter()
                .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(value) }));
            message.headers = Some(headers);
        }
        loop {
            match self.inner.send(message) {
                Ok(()) => return,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    message = back;
                    // Its own thread serves the queue; this waits for a part of it.
                    drop(self.inner.flush(Duration::from_millis(20)));
                }
                Err((error, _)) => panic!("producing to {topic} failed: {error}"),
            }
        }
    }

    /// Waits until the broker has everything; a record that it did not take fails the test.
    pub fn flush(&self) {
        self.inner.flush(TIMEOUT).expect("the broker takes what was produced");
        let n_failed = self.failures.n_failed.load(Ordering::SeqCst);
        assert_eq!(n_failed, 0, "{n_failed} records did not reach the broker");
    }
}

/// Counts records that the broker did not take.
#[derive(Clone, Default)]
struct Failures {
    n_failed: Arc<AtomicU64>,
}

impl ClientContext for Failures {}

impl ProducerContext<NoCustomPartitioner> for Failures {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_err() {
            self.n_failed.fetch_add(1, Ordering::SeqCst);
        }
    }
}

fn admin_options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(TIMEOUT)).request_timeout(Some(TIMEOUT))
}

/// The end of a partition as the reader's isolation level has it: the high watermark, or the last stable offset.
fn stable_offset(reader: &BaseConsumer, topic: &str, partition: i32) -> i64 {
    patiently(topic, || reader.fetch_watermarks(topic, partition, TIMEOUT)).1
}

/// Asks until there is an answer.
fn patiently<T, E: Display>(topic: &str, mut ask: impl FnMut() -> Result<T, E>) -> T {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(error) => assert!(Instant::now() < deadline, "{topic}: {error}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Reads every partition from its start to its end.
fn read_to_end(reader: &BaseConsumer, topic: &str, n_partitions: i32) -> Vec<Record> {
    let mut wanted = TopicPartitionList::new();
    for partition in 0..n_partitions {
        wanted.add_partition_offset(topic, partition, Offset::Beginning).expect("the offset is one Kafka knows");
    }
    reader.assign(&wanted).expect("the partitions can be assigned");
    let mut open: BTreeSet<i32> = (0..n_partitions).collect();
    let mut records = Vec::new();
    let deadline = Instant::now() + TIMEOUT;
    while !open.is_empty() {
        match reader.poll(Duration::from_millis(500)) {
            Some(Ok(message)) => records.push(owned(&message)),
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(open.remove(&partition)),
            // A broker that dies is not the end: another one leads.
            Some(Err(error)) => assert!(Instant::now() < deadline, "reading {topic} failed: {error}"),
            None => assert!(Instant::now() < deadline, "the end of {topic} was not reached"),
        }
    }
    records.sort_by_key(|record| (record.partition, record.offset));
    records
}

fn owned(message: &BorrowedMessage<'_>) -> Record {
    let headers = message.headers().map_or_else(Vec::new, |headers| {
        headers.iter().map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec())).collect()
    });
    Record {
        partition: message.partition(),
        offset: message.offset(),
        timestamp: message.timestamp().to_millis(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers,
    }
}
