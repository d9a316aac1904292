//! A real Apache Kafka, its topics, records in and committed records out.

pub use crate::broker::Broker;
pub use crate::proxy::{Api, Fault, Plan, Proxy};
pub use crate::topics::{Producer, Record};
