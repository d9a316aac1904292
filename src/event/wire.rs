//! The types of the Protobuf contract (`proto/dormouse/v1`), generated when the crate is built.
//!
//! Those who write messages use them. Reading events does not: `protobuf` borrows from the message instead.

include!(concat!(env!("OUT_DIR"), "/dormouse.v1.rs"));
