//! Why a customer is where they are, as a document: what `dormouse explain` shows and the HTTP page answers. The engine
//! found it; here it gets names and texts. It decides nothing and draws nothing.

mod compose;
mod report;

pub use compose::{Known, compose, customer, history};
pub use report::{
    Cause, Comparison, Condition, Customer, Dimension, Evidence, FeatureValue, Interests, Needs, NextChange,
    PastChange, Place, Report, Segment,
};
