//! Kafka: the only room that knows rdkafka. It knows nothing of what the records mean.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "talks to brokers, times deliveries")]

pub mod embedded;
pub mod feeder;
pub mod subscriber;

pub use embedded::Embedded;
pub use feeder::Feeder;
pub use subscriber::Subscriber;
