//! Reads a topic as any subscriber of ours should: committed records only, from the first one on, without a group.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Headers;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

/// The topic cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no consumer for {brokers}: {source}")]
    Start { brokers: String, source: KafkaError },
    #[error("topic {topic} cannot be read: {source}")]
    Read { topic: String, source: KafkaError },
}

/// A committed record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub partition: i32,
    pub offset: i64,
    pub key: Vec<u8>,
    pub payload: Vec<u8>,
    pub headers: Vec<(String, Vec<u8>)>,
}

/// A reader of one topic.
pub struct Subscriber {
    consumer: BaseConsumer,
    topic: String,
    /// By partition, the offset behind the last record read.
    next: BTreeMap<i32, i64>,
}

impl Subscriber {
    /// Reads all partitions of the topic, of which there must be `n_partitions`.
    pub fn new(brokers: &str, topic: &str, n_partitions: i32) -> Result<Subscriber, Error> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("group.id", "unused")
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .set("auto.offset.reset", "error")
            .set("fetch.wait.max.ms", "5")
            .create()
            .map_err(|source| Error::Start { brokers: brokers.to_owned(), source })?;
        let failed = |source| Error::Read { topic: topic.to_owned(), source };
        let mut partitions = TopicPartitionList::new();
        for partition in 0..n_partitions {
            partitions.add_partition_offset(topic, partition, Offset::Beginning).map_err(failed)?;
        }
        consumer.assign(&partitions).map_err(failed)?;
        Ok(Subscriber { consumer, topic: topic.to_owned(), next: (0..n_partitions).map(|p| (p, 0)).collect() })
    }

    /// The next record, or `None` after `timeout` without one.
    pub fn poll(&mut self, timeout: Duration) -> Result<Option<Record>, Error> {
        let Some(polled) = self.consumer.poll(timeout) else { return Ok(None) };
        let message = polled.map_err(|source| Error::Read { topic: self.topic.clone(), source })?;
        self.next.insert(message.partition(), message.offset() + 1);
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        Ok(Some(Record {
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().unwrap_or_default().to_vec(),
            payload: message.payload().unwrap_or_default().to_vec(),
            headers: headers.map(|h| (h.key.to_owned(), h.value.unwrap_or_default().to_vec())).collect(),
        }))
    }

    /// Whether everything that lies in the topic now was read. Only meaningful when nobody writes any more and the
    /// broker writes no transaction markers, as the embedded one.
    pub fn is_at_end(&self, timeout: Duration) -> Result<bool, Error> {
        for (partition, next) in &self.next {
            let (_, high) = self
                .consumer
                .fetch_watermarks(&self.topic, *partition, timeout)
                .map_err(|source| Error::Read { topic: self.topic.clone(), source })?;
            if *next < high {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
