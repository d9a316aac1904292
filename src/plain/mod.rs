//! A second way to the same answer: what a customer's changes must be, worked out from the specification as plainly as it
//! goes, to hold against what was published.
//!
//! It shares no code with the engine, nor with the checked plan that the engine runs by. It starts from rules as they
//! are written and from decoded events; a customer is the list of those, and every instant at which something could turn
//! is judged from scratch. So it has no due, no until and no state that could go stale, and is many times slower.
//!
//! What always holds: the same events in the same order, with the same clocks, give the same changes.

mod audit;
mod customer;
mod decimal;
mod event;
mod facts;
mod filter;
mod history;
mod interests;
mod moment;
mod reading;
mod rules;
mod search;
mod value;
mod written;

pub use audit::{Finding, Kind as FindingKind, Published, Said, audit};
pub use customer::{Cause, Change, Customer};
pub use decimal::Decimal;
pub use event::{Event, Line, schema};
pub use history::{Outcome, Record, Verdict, verify};
pub use interests::{Interests, Limits as InterestLimits};
pub use reading::Unreadable;
pub use rules::{Dimension, Kind, Rules, Segment};
pub use value::Scalar;
pub use written::{Written, WrittenDimension, WrittenScore, WrittenSegment};
