//! The service against a real Kafka, from events in to changes as a read-committed subscriber sees them.

mod cluster;
mod faults;
mod history;
mod multitude;
mod network;
mod receiver;
mod restarts;
mod shop;
mod snapshots;
mod subscribers;
mod topics;
mod torture;
mod verify;
