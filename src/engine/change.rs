//! What the engine says: one move of one customer in one dimension.

use compact_str::CompactString;
use smallvec::SmallVec;

use super::reading::Readings;
use crate::event::Instant;
use crate::rules::plan::{ComparisonId, DimensionId, SegmentId};

/// One move. `None` as a segment is "in no segment".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub customer: CompactString,
    /// 1 for the customer's first change; per customer over all dimensions, without gaps.
    pub sequence: u64,
    pub dimension: DimensionId,
    pub from: Option<SegmentId>,
    pub to: Option<SegmentId>,
    /// When the customer came to `from`; `None` for none from the start.
    pub from_since: Option<Instant>,
    pub effective_at: Instant,
    pub cause: Cause,
    /// The comparisons that the deciding condition read.
    pub evidence: EvidenceList,
    /// Why, in a sentence for people; only where the rules ask for it.
    pub reason: Option<Box<str>>,
    /// What to offer; only where the rules ask for it.
    pub interests: Option<Box<Interests>>,
    /// The standing in every dimension right after this change, indexed by dimension.
    pub standing: SmallVec<[Option<SegmentId>; 8]>,
}

/// The usual number stands in the change itself: there are millions of changes, and memory of their own for each part
/// costs more than moving a larger change.
pub type EvidenceList = SmallVec<[Evidence; 3]>;

/// What a customer looked at, searched for and bought of late, the best to offer first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interests {
    /// Those that most of the last items have.
    pub categories: Vec<Box<str>>,
    pub brands: Vec<Box<str>>,
    pub queries: Vec<Box<str>>,
    /// The last ones, seen or bought.
    pub products: Vec<Box<str>>,
}

impl Interests {
    /// Each list with its name in the contract, in its order.
    pub fn lists(&self) -> [(&'static str, &[Box<str>]); 4] {
        [
            ("categories", &self.categories),
            ("brands", &self.brands),
            ("queries", &self.queries),
            ("products", &self.products),
        ]
    }
}

/// What made the engine look. For the first two, who called `apply` knows which record it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    Event,
    LateEvent,
    Elapsed,
    Rules,
}

impl Cause {
    /// The name in messages and metric labels.
    pub fn name(self) -> &'static str {
        match self {
            Cause::Event => "event",
            Cause::LateEvent => "late_event",
            Cause::Elapsed => "elapsed",
            Cause::Rules => "rules",
        }
    }
}

/// One comparison at the instant of the change: its text is the plan's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    pub comparison: ComparisonId,
    /// The left side's value; both sides' where both have features.
    pub value: Readings,
    pub holds: bool,
}

/// A customer's standing as it is published, recovered and looked up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// Of the last change; 0 before the first.
    pub sequence: u64,
    /// Indexed by dimension.
    pub places: Vec<Place>,
}

/// Where a customer stands in one dimension.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    pub segment: Option<SegmentId>,
    /// `None`: in no segment from the start.
    pub since: Option<Instant>,
    /// When each segment that has a cooldown was last left.
    pub left: Vec<(SegmentId, Instant)>,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    Folded,
    /// Folded without looking for a duplicate: it came later than its kind's `dedup_window` (SPEC 4).
    Unchecked,
    /// Dropped.
    Duplicate,
}

/// Whether `advance` came to the clock or used up its budget of judgements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    Done,
    More,
}
