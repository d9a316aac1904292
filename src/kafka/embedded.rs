//! A broker inside this process, for the demo: librdkafka's own, with nothing to install. It keeps little and forgets at
//! the end; it is no evidence for exactly once, since it fences nobody.

use rdkafka::error::KafkaError;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

/// The broker could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the broker in this process did not start: {0}")]
    Start(KafkaError),
    #[error("topic {topic} could not be made in the broker in this process: {source}")]
    Topic { topic: String, source: KafkaError },
}

/// A broker of its own, gone when dropped: drop its clients first.
pub struct Embedded {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl Embedded {
    /// Starts it with these topics, each of so many partitions.
    pub fn start(topics: &[&str], n_partitions: i32) -> Result<Embedded, Error> {
        let cluster = MockCluster::new(1).map_err(Error::Start)?;
        for topic in topics {
            cluster
                .create_topic(topic, n_partitions, 1)
                .map_err(|source| Error::Topic { topic: (*topic).to_owned(), source })?;
        }
        Ok(Embedded { cluster })
    }

    /// Its address, as `brokers` of a client.
    pub fn brokers(&self) -> String {
        self.cluster.bootstrap_servers()
    }
}
