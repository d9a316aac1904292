//! The service against a real Kafka, from events in to changes as a read-committed subscriber sees them.

mod faults;
mod history;
mod receiver;
mod shop;
mod snapshots;
mod subscribers;
