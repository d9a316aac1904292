//! Facts: everything kept of a customer's events, and their standing, as compact bytes that are opened while the
//! customer is looked at.

pub mod customer;
pub mod interests;
pub mod series;
pub mod values;
pub mod view;
