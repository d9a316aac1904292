//! Kafka as the pipeline needs it: reading partitions in batches, belonging to a group, publishing in transactions,
//! looking at topics. For the demo: a broker in the process, a feeder and a subscriber. The only room that knows
//! rdkafka; it knows no shards, rules or customers, and nothing of what the records mean.
//!
//! What always holds: offsets and positions are ours, librdkafka's are never believed; nothing is committed except
//! inside a transaction; every call that waits for a broker has a time-out.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "talks to brokers: threads, time-outs")]

mod batch;
mod cluster;
pub mod embedded;
mod error;
pub mod feeder;
mod intake;
mod logging;
mod member;
mod native;
mod publisher;
mod settings;
pub mod subscriber;
mod topics;
mod watermarks;

pub use batch::{Batch, Quota, Record, Stamped};
pub use cluster::{Brokers, Cluster, Ends, Fence, Membership, Publishing, Reading};
pub use embedded::Embedded;
pub use error::Error;
pub use feeder::Feeder;
pub use intake::Intake;
pub use member::{Assignment, Listener, Member, Rebalance, Stamp};
pub use publisher::{Headers, Outcome, Outgoing, Publisher, Reason};
pub use settings::{Isolation, PREFETCH_BYTES, Settings, refuses};
pub use subscriber::Subscriber;
pub use topics::{Finding, Requirement, Role, Topics};
pub use watermarks::Watermarks;
