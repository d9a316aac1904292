//! Snapshots: a shard's facts and standing at one epoch's end, as bytes in a store, and back again.
//!
//! A snapshot is a handful of *parts* (blocks of packets, each block compressed and checked by itself) and a *manifest*,
//! a short text that says what the parts are, where in the input and in the shard's history they were cut, and what their
//! checksums are. Parts come first; a snapshot without its manifest is none. Everything is created only where nothing
//! stands yet, so two writers cannot spoil each other's.
//!
//! Does not know Kafka, shards that work, or when to take one; whether a snapshot may be used is decided by who recovers.
//! What is damaged is always noticed, with the name and the reason; nothing here stands in for what it could not read.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "reads and writes folders and object stores")]

mod block;
mod catalog;
mod error;
mod loading;
mod manifest;
mod name;
mod store;
mod writing;

pub use catalog::{Catalog, Unusable, look, prune};
pub use error::Error;
pub use loading::{Watch, load};
pub use manifest::{FORMAT, Manifest, PartInfo};
pub use name::Name;
pub use store::{Objects, Store};
pub use writing::{Head, Writing};
