//! Kafka as the pipeline needs it: reading partitions in batches, belonging to a group, publishing in transactions,
//! looking at topics. The only room that knows rdkafka; it knows no shards, rules or customers.
//!
//! What always holds: offsets and positions are ours, librdkafka's are never believed; nothing is committed except
//! inside a transaction; every call that waits for a broker has a time-out.

mod batch;
mod error;
mod intake;
mod logging;
mod member;
mod native;
mod publisher;
mod settings;
mod topics;
mod watermarks;

pub use batch::{Batch, Record, Stamped};
pub use error::Error;
pub use intake::{Intake, Quota};
pub use member::{Assignment, Member, Rebalance, Stamp};
pub use publisher::{Fence, Headers, Outcome, Outgoing, Publisher, Reason, abort_transaction_of};
pub use settings::{Isolation, Settings};
pub use topics::{Finding, Requirement, Role, Topics};
pub use watermarks::Watermarks;
