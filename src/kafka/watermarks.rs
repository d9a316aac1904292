//! How far partitions reach, asked of their leaders at a known moment.
//!
//! What always holds: an answer covers everything that was appended before the question was sent. Cached values of
//! librdkafka are not used, since nobody knows their age. A client that failed is replaced: it may believe in a leader
//! that is none any more, for minutes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    settings: Settings,
    isolation: Isolation,
    /// `None` after a failure.
    consumer: Mutex<Option<Arc<Client>>>,
}

type Client = BaseConsumer<Logged>;

impl Watermarks {
    /// With [`Isolation::Uncommitted`] the end is the high watermark, with [`Isolation::Committed`] the last stable
    /// offset: below it every transaction is decided.
    pub fn open(settings: &Settings, isolation: Isolation) -> Result<Watermarks, Error> {
        let watermarks = Watermarks { settings: settings.clone(), isolation, consumer: Mutex::default() };
        watermarks.client().map_err(Error::Settings)?;
        Ok(watermarks)
    }

    fn slot(&self) -> MutexGuard<'_, Option<Arc<Client>>> {
        self.consumer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn client(&self) -> Result<Arc<Client>, KafkaError> {
        let mut slot = self.slot();
        if let Some(client) = &*slot {
            return Ok(Arc::clone(client));
        }
        let client: Arc<Client> = Arc::new(self.settings.observer(self.isolation).create_with_context(Logged)?);
        *slot = Some(Arc::clone(&client));
        Ok(client)
    }

    /// Asks something of a client, which is not asked again when it failed.
    fn asked<T>(&self, ask: impl FnOnce(&Client) -> Result<T, KafkaError>) -> Result<T, KafkaError> {
        let answer = self.client().and_then(|client| ask(&client));
        if answer.is_err() {
            *self.slot() = None;
        }
        answer
    }

    /// In one request to each leader.
    fn ask(client: &Client, partitions: &[(&str, i32)], timeout: Duration) -> Result<Vec<i64>, KafkaError> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for (topic, partition) in partitions {
            // The protocol's "latest" is the timestamp -1, which is what this offset is.
            list.add_partition_offset(topic, *partition, Offset::End)?;
        }
        let answer = client.offsets_for_times(list, timeout)?;
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
        Error::Unreachable { brokers: self.settings.brokers.clone(), what, timeout, source: Box::new(source) }
    }

    fn n_partitions_of(&self, topic: &str) -> Result<Option<usize>, Error> {
        let unreachable = |source| self.unreachable(format!("describe {topic}"), REQUEST_TIMEOUT, source);
        let metadata = self.asked(|client| client.fetch_metadata(Some(topic), REQUEST_TIMEOUT)).map_err(unreachable)?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        Ok(found.filter(|found| found.error().is_none()).map(|found| found.partitions().len()))
    }
}

impl Ends for Watermarks {
    fn ends(&self, partitions: &[(&str, i32)], timeout: Duration) -> Result<Vec<i64>, Error> {
        self.asked(|client| Watermarks::ask(client, partitions, timeout))
            .map_err(|source| self.unreachable("tell how far partitions reach".to_owned(), timeout, source))
    }

    fn range(&self, topic: &str, partition: i32) -> Result<(i64, i64), Error> {
        self.asked(|client| client.fetch_watermarks(topic, partition, REQUEST_TIMEOUT)).map_err(|source| {
            self.unreachable(format!("tell how far {topic}/{partition} reaches"), REQUEST_TIMEOUT, source)
        })
    }

    fn topic_ids(&self, topics: &[&str]) -> BTreeMap<String, String> {
        if self.settings.is_embedded {
            return BTreeMap::new();
        }
        let known = self.asked(|client| Ok(native::topic_ids(client.client(), topics, REQUEST_TIMEOUT)));
        known.unwrap_or_default()
    }

    fn n_partitions(&self, topics: &[&str]) -> Result<Vec<Option<usize>>, Error> {
        topics.iter().map(|topic| self.n_partitions_of(topic)).collect()
    }
}
