//! Reads partitions in batches from offsets that the caller chooses, and says how far it has come.
//!
//! Each partition has a queue of its own, so that one whose records nobody takes is simply not read any more while the
//! others flow: librdkafka stops fetching it when its queue is full. Nothing is ever paused, sought or committed.

use std::sync::Arc;
use std::thread::Thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::batch::{Batch, Quota};
use super::cluster::Reading;
use super::error::Error;
use super::logging::Logged;
use super::native::{Item, PartitionQueue};
use super::settings::{Isolation, Settings};

/// Items taken from one partition before the next has its turn.
const TURN_ITEMS: usize = 2_000;
/// A broker that has just started may not know its topics yet. One that does not know them for longer has lost them.
const UNKNOWN_MAX: Duration = Duration::from_secs(10);

/// A reader of partitions. One thread uses it.
pub struct Intake {
    /// Dropped before the consumer.
    flows: Vec<Flow>,
    consumer: Arc<BaseConsumer<Logged>>,
    topics: Vec<String>,
    /// Woken when a queue has something.
    reader: Thread,
}

struct Flow {
    reading: u64,
    input: usize,
    partition: i32,
    position: i64,
    quota: Arc<Quota>,
    queue: PartitionQueue<Logged>,
    /// Since when the broker says that there is no such topic.
    unknown_since: Option<Instant>,
}

impl Intake {
    /// A reader of some of these topics' partitions, to be used by the calling thread.
    pub fn open(
        settings: &Settings,
        isolation: Isolation,
        topics: &[String],
        n_partitions: usize,
    ) -> Result<Intake, Error> {
        let config = settings.reader(isolation, topics.len() * n_partitions);
        let consumer = config.create_with_context(Logged).map_err(Error::Settings)?;
        let reader = std::thread::current();
        Ok(Intake { flows: Vec::new(), consumer: Arc::new(consumer), topics: topics.to_vec(), reader })
    }

    /// Serves the client's own events. Errors that end a partition come with its records.
    fn serve(&self) {
        while let Some(event) = self.consumer.poll(Duration::ZERO) {
            if let Err(error) = event {
                tracing::debug!(target: "librdkafka", "{error}");
            }
        }
    }
}

impl Reading for Intake {
    fn start(&mut self, reading: u64, partition: i32, starts: &[i64]) -> Result<(), Error> {
        let mut list = TopicPartitionList::with_capacity(starts.len());
        for (input, (topic, &start)) in self.topics.iter().zip(starts).enumerate() {
            let failed = |source| Error::Assign { topic: topic.clone(), partition, source };
            let reader = self.reader.clone();
            let queue = PartitionQueue::open(&self.consumer, topic, partition, Box::new(move || reader.unpark()))
                .ok_or_else(|| failed(KafkaError::Subscription("the partition has no queue".to_owned())))?;
            list.add_partition_offset(topic, partition, Offset::Offset(start)).map_err(failed)?;
            let quota = Arc::default();
            self.flows.push(Flow { reading, input, partition, position: start, quota, queue, unknown_since: None });
        }
        let topic = || self.topics.join(", ");
        self.consumer.incremental_assign(&list).map_err(|source| Error::Assign { topic: topic(), partition, source })
    }

    fn stop(&mut self, partition: i32) -> Result<(), Error> {
        let mut list = TopicPartitionList::new();
        for flow in self.flows.iter().filter(|flow| flow.partition == partition) {
            list.add_partition(&self.topics[flow.input], partition);
        }
        if list.count() == 0 {
            return Ok(());
        }
        self.flows.retain(|flow| flow.partition != partition);
        let topic = || self.topics.join(", ");
        self.consumer.incremental_unassign(&list).map_err(|source| Error::Assign { topic: topic(), partition, source })
    }

    fn read(&mut self, quota_bytes: usize, sink: &mut dyn FnMut(Batch)) -> Result<bool, Error> {
        self.serve();
        let mut any = false;
        for flow in &mut self.flows {
            if flow.quota.held_bytes() < quota_bytes {
                any |= flow.read(&self.topics[flow.input], sink)?;
            }
        }
        Ok(any)
    }
}

impl Flow {
    fn read(&mut self, topic: &str, sink: &mut dyn FnMut(Batch)) -> Result<bool, Error> {
        let mut batch = Batch::new(self.reading, self.input, self.partition, self.position, Instant::now());
        let mut failure = None;
        let n_items = self.queue.read(TURN_ITEMS, &mut |item| match item {
            Item::Record(record) if record.offset >= batch.position => {
                batch.push(&record);
                batch.position = record.offset + 1;
            }
            Item::Record(_) => {}
            Item::End(offset) => batch.position = batch.position.max(offset),
            Item::Failed(code) => failure = failure.or(Some(code)),
        });
        if let Some(error) = failure.and_then(|code| self.fatal(topic, code)) {
            return Err(error);
        }
        if batch.position > self.position {
            self.unknown_since = None;
            self.position = batch.position;
            batch.hold(&self.quota);
            sink(batch);
        }
        Ok(n_items > 0)
    }

    /// Leaders that move and brokers that restart pass by; records that are gone or unreadable do not.
    fn fatal(&mut self, topic: &str, code: RDKafkaErrorCode) -> Option<Error> {
        let (topic, partition, offset) = (topic.to_owned(), self.partition, self.position);
        match code {
            RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange => {
                Some(Error::Gone { topic, partition, offset })
            }
            RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition
            | RDKafkaErrorCode::UnknownTopicOrPartition
                if self.unknown_since.get_or_insert_with(Instant::now).elapsed() > UNKNOWN_MAX =>
            {
                Some(Error::Read { topic, partition, offset, code })
            }
            RDKafkaErrorCode::BadMessage
            | RDKafkaErrorCode::InvalidMessage
            | RDKafkaErrorCode::BadCompression
            | RDKafkaErrorCode::MessageSizeTooLarge
            | RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::LogTruncation => Some(Error::Read { topic, partition, offset, code }),
            _ => {
                tracing::warn!("{topic}/{partition} cannot be fetched at offset {offset} for now: {code}");
                None
            }
        }
    }
}
