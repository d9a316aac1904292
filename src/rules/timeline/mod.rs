//! The language of the tests that stand in a rules file: a timeline of what one customer does, and of where they
//! should stand. `docs/testing-rules.md` is its page.
//!
//! Text in, checked steps out, or every line that is wrong with its place. An event becomes the JSON message that it
//! stands for and passes the decoder, so that a test cannot do what a shop cannot. Nothing is judged here: `trial` plays
//! the steps to the engine.

mod cursor;
mod event;
mod expectation;
mod moment;
mod read;

use super::place::{Excerpt, Extent, Place};
use super::plan::{DimensionId, SegmentId};
use crate::event::{Instant, Span};

pub use expectation::written;
pub use moment::shown;
pub use read::{Ground, read};

/// Who does everything that a test says.
pub const CUSTOMER: &str = "the customer of the test";

/// One test.
#[derive(Debug, Clone)]
pub struct Test {
    pub name: Excerpt,
    /// In the order of their lines, which need not be that of their times: events may be late, looks never.
    pub steps: Vec<Step>,
}

/// What one line says.
#[derive(Debug, Clone)]
pub struct Step {
    pub place: Place,
    /// Of a repeated event: the first of them.
    pub at: Instant,
    pub what: What,
}

#[derive(Debug, Clone)]
pub enum What {
    Event(Repeated),
    /// At least one. All lines of one instant with no event between them are one look.
    Look(Vec<Expected>),
}

/// An event that happens `n` times, `every` so often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeated {
    pub n: u32,
    pub every: Span,
    /// The members of the JSON object, but for its time.
    members: String,
}

impl Repeated {
    /// The message of an event at an instant.
    pub fn message(&self, at: Instant) -> Vec<u8> {
        format!("{{\"time\":{},{}}}", at.0, self.members).into_bytes()
    }

    /// When each of them is, from the first on.
    pub fn times(&self, first: Instant) -> impl Iterator<Item = Instant> {
        let every = self.every.0;
        (0..i64::from(self.n)).map(move |index| first + Span(every * index))
    }
}

/// One thing that is expected, and where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    pub place: Place,
    pub claim: Claim,
}

/// What somebody says of a customer's standing. A segment that is `None` is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// `activity = active`; negated: `activity != active`.
    Stands { dimension: DimensionId, segment: Option<SegmentId>, negated: bool },
    /// `activity = dormant from active at 2026-04-15`: the latest move since the look before.
    Came { dimension: DimensionId, from: Option<Option<SegmentId>>, at: Option<Instant> },
    /// `activity active -> dormant`: all moves of the dimension since the look before. At least one.
    Moved { dimension: DimensionId, moves: Vec<Move> },
    /// `no change in activity`: none since the look before.
    Stayed { dimensions: Vec<DimensionId> },
}

/// One move, and when, if that was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    pub from: Option<SegmentId>,
    pub to: Option<SegmentId>,
    pub at: Option<Instant>,
}

/// The lines of a text with their extents, without the ends of lines.
fn lines(text: &str) -> impl Iterator<Item = Extent> {
    let mut start = 0;
    text.split_inclusive('\n').map(move |line| {
        let extent = Extent::new(start, start + line.trim_end_matches(['\n', '\r']).len());
        start += line.len();
        extent
    })
}
