//! Kafka: the only room that knows rdkafka. It knows nothing of what the records mean.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "talks to brokers: threads, clocks, the log"
)]

pub mod embedded;
pub mod feeder;
pub mod subscriber;

pub use embedded::Embedded;
pub use feeder::Feeder;
pub use subscriber::Subscriber;
