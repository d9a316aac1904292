//! What the tests stand on: a real Apache Kafka on loopback, and a server that speaks S3.
//!
//! A crate of its own, so that every test program and benchmark uses the same broker without compiling parts that it
//! leaves unused. It knows nothing of Dormouse. Everything here fails by panicking: it runs in tests only.

mod broker;
pub mod kafka;
mod proxy;
pub mod s3;
mod topics;
