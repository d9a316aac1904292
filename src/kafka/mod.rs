//! Kafka: the only room that knows rdkafka. It knows nothing of what the records mean.

pub mod embedded;
pub mod feeder;
pub mod subscriber;

pub use embedded::Embedded;
pub use feeder::Feeder;
pub use subscriber::Subscriber;
