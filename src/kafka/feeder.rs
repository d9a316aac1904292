//! Puts events into a topic, for the demo: keyed by customer, placed as Java clients do it, with a timestamp that the
//! caller chooses. Not transactional; the publisher of changes is another one.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DeliveryResult, ProducerContext, ThreadedProducer};

/// The topic did not take the events.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no producer for {brokers}: {source}")]
    Start { brokers: String, source: KafkaError },
    #[error("topic {topic} took no event: {source}")]
    Send { topic: String, source: KafkaError },
    #[error("the broker did not take the events within {waited_s} s")]
    Slow { waited_s: u64 },
}

/// Where an event came to lie, and when it was there.
#[derive(Debug, Clone, Copy)]
pub struct Delivered {
    pub partition: i32,
    pub offset: i64,
    pub at: Instant,
}

/// Deliveries that nobody took yet, and the first failure.
#[derive(Debug, Default)]
struct Deliveries {
    done: Vec<Delivered>,
    failed: Option<KafkaError>,
}

/// What the producer's own thread and its user share.
#[derive(Debug, Default)]
struct Shared {
    deliveries: Mutex<Deliveries>,
    arrived: Condvar,
}

#[derive(Debug, Clone, Default)]
struct Context(Arc<Shared>);

impl ClientContext for Context {}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let mut deliveries = self.0.deliveries.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(message) => {
                let (partition, offset) = (message.partition(), message.offset());
                deliveries.done.push(Delivered { partition, offset, at: Instant::now() });
            }
            Err((error, _)) => deliveries.failed = Some(error.clone()),
        }
        self.0.arrived.notify_all();
    }
}

/// A producer of events for one topic.
pub struct Feeder {
    producer: ThreadedProducer<Context>,
    shared: Arc<Shared>,
    topic: String,
    /// Sent and not settled.
    n_open: usize,
}

impl Feeder {
    pub fn new(brokers: &str, topic: &str) -> Result<Feeder, Error> {
        let context = Context::default();
        let shared = context.0.clone();
        let producer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "1")
            .set("compression.type", "lz4")
            .create_with_context(context)
            .map_err(|source| Error::Start { brokers: brokers.to_owned(), source })?;
        Ok(Feeder { producer, shared, topic: topic.to_owned(), n_open: 0 })
    }

    /// Sends one event; waits only while the producer's queue is full.
    pub fn send(&mut self, customer: &str, payload: &[u8], timestamp_ms: i64) -> Result<(), Error> {
        let mut record = BaseRecord::to(&self.topic).key(customer).payload(payload).timestamp(timestamp_ms);
        loop {
            match self.producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    std::thread::yield_now();
                }
                Err((source, _)) => return Err(Error::Send { topic: self.topic.clone(), source }),
            }
        }
        self.n_open += 1;
        Ok(())
    }

    /// Waits until everything sent lies in the topic, and says where: in the order of arrival.
    pub fn settle(&mut self, timeout: Duration) -> Result<Vec<Delivered>, Error> {
        let deliveries = self.shared.deliveries.lock().unwrap_or_else(PoisonError::into_inner);
        let is_open = |deliveries: &mut Deliveries| deliveries.failed.is_none() && deliveries.done.len() < self.n_open;
        let (mut deliveries, _) = self
            .shared
            .arrived
            .wait_timeout_while(deliveries, timeout, is_open)
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = deliveries.failed.take() {
            return Err(Error::Send { topic: self.topic.clone(), source });
        }
        if deliveries.done.len() < self.n_open {
            return Err(Error::Slow { waited_s: timeout.as_secs() });
        }
        self.n_open = 0;
        Ok(std::mem::take(&mut deliveries.done))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::{Embedded, Subscriber};

    #[test]
    fn what_is_fed_is_read_in_order_by_customer() {
        let broker = Embedded::start(&["events"], 3).expect("the broker starts");
        let mut feeder = Feeder::new(&broker.brokers(), "events").expect("a producer");
        for n in 0..30 {
            feeder.send(&format!("c-{}", n % 5), format!("{n}").as_bytes(), 1_000 + n).expect("sent");
        }
        let delivered = feeder.settle(Duration::from_secs(20)).expect("delivered");
        assert_eq!(delivered.len(), 30);
        let mut subscriber = Subscriber::new(&broker.brokers(), "events", 3).expect("a consumer");
        let mut read = Vec::new();
        while read.len() < 30 {
            read.extend(subscriber.poll(Duration::from_secs(20)).expect("readable"));
        }
        for customer in 0..5i64 {
            let key = format!("c-{customer}").into_bytes();
            let of_customer: Vec<_> = read.iter().filter(|record| record.key == key).collect();
            let expected: Vec<_> = (0..6).map(|n| (n * 5 + customer).to_string().into_bytes()).collect();
            assert_eq!(of_customer.iter().map(|record| record.payload.clone()).collect::<Vec<_>>(), expected);
            assert!(of_customer.iter().all(|record| record.partition == of_customer[0].partition));
        }
        assert!(subscriber.is_at_end(Duration::from_secs(20)).expect("watermarks"));
    }
}
