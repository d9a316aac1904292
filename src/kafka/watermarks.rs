//! How far partitions reach, asked of their leaders at a known moment.
//!
//! What always holds: an answer covers everything that was appended before the question was sent. Cached values of
//! librdkafka are not used, since nobody knows their age.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::cluster::Ends;
use super::error::Error;
use super::logging::Logged;
use super::native;
use super::settings::{Isolation, REQUEST_TIMEOUT, Settings};

/// Asks for the ends of partitions.
pub struct Watermarks {
    consumer: BaseConsumer<Logged>,
    brokers: String,
    is_embedded: bool,
}

impl Watermarks {
    /// With [`Isolation::Uncommitted`] the end is the high watermark, with [`Isolation::Committed`] the last stable
    /// offset: below it every transaction is decided.
    pub fn open(settings: &Settings, isolation: Isolation) -> Result<Watermarks, Error> {
        let consumer = settings.observer(isolation).create_with_context(Logged).map_err(Error::Settings)?;
        Ok(Watermarks { consumer, brokers: settings.brokers.clone(), is_embedded: settings.is_embedded })
    }

    /// In one request to each leader.
    fn ask(&self, partitions: &[(&str, i32)], timeout: Duration) -> Result<Vec<i64>, KafkaError> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for (topic, partition) in partitions {
            // The protocol's "latest" is the timestamp -1, which is what this offset is.
            list.add_partition_offset(topic, *partition, Offset::End)?;
        }
        let answer = self.consumer.offsets_for_times(list, timeout)?;
        partitions
            .iter()
            .map(|(topic, partition)| {
                let found = answer
                    .find_partition(topic, *partition)
                    .ok_or(KafkaError::OffsetFetch(rdkafka::error::RDKafkaErrorCode::UnknownPartition))?;
                found.error()?;
                match found.offset() {
                    Offset::Offset(end) => Ok(end),
                    _ => Err(KafkaError::OffsetFetch(rdkafka::error::RDKafkaErrorCode::NoOffset)),
                }
            })
            .collect()
    }

    fn unreachable(&self, what: String, timeout: Duration, source: KafkaError) -> Error {
        Error::Unreachable { brokers: self.brokers.clone(), what, timeout, source: Box::new(source) }
    }

    fn n_partitions_of(&self, topic: &str) -> Result<Option<usize>, Error> {
        let unreachable = |source| self.unreachable(format!("describe {topic}"), REQUEST_TIMEOUT, source);
        let metadata = self.consumer.fetch_metadata(Some(topic), REQUEST_TIMEOUT).map_err(unreachable)?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        Ok(found.filter(|found| found.error().is_none()).map(|found| found.partitions().len()))
    }
}

impl Ends for Watermarks {
    fn ends(&self, partitions: &[(&str, i32)], timeout: Duration) -> Result<Vec<i64>, Error> {
        self.ask(partitions, timeout)
            .map_err(|source| self.unreachable("tell how far partitions reach".to_owned(), timeout, source))
    }

    fn range(&self, topic: &str, partition: i32) -> Result<(i64, i64), Error> {
        self.consumer.fetch_watermarks(topic, partition, REQUEST_TIMEOUT).map_err(|source| {
            self.unreachable(format!("tell how far {topic}/{partition} reaches"), REQUEST_TIMEOUT, source)
        })
    }

    fn topic_ids(&self, topics: &[&str]) -> BTreeMap<String, String> {
        if self.is_embedded {
            return BTreeMap::new();
        }
        native::topic_ids(self.consumer.client(), topics, REQUEST_TIMEOUT)
    }

    fn n_partitions(&self, topics: &[&str]) -> Result<Vec<Option<usize>>, Error> {
        topics.iter().map(|topic| self.n_partitions_of(topic)).collect()
    }
}
