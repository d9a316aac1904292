//! What playing a test found: data for whoever draws it.

use crate::engine::{Change, Place as Standpoint, Weighed};
use crate::event::Instant;
use crate::rules::place::Place;
use crate::rules::plan::DimensionId;
use crate::rules::timeline::Expected;

/// How a test went.
#[derive(Debug, Clone)]
pub struct Run {
    /// Looks that found something else than was expected; none: the test passed.
    pub findings: Vec<Finding>,
    /// Every move of the customer.
    pub changes: Vec<Change>,
}

impl Run {
    pub fn passed(&self) -> bool {
        self.findings.is_empty()
    }
}

/// One line whose expectations were not all met.
#[derive(Debug, Clone)]
pub struct Finding {
    pub at: Instant,
    /// At least one.
    pub mismatches: Vec<Mismatch>,
    /// Everything that moved the customer so far.
    pub changes: Vec<Change>,
    /// Events so far that were dropped as duplicates.
    pub duplicates: Vec<Place>,
    /// Whether anything had happened: before that there is no customer.
    pub exists: bool,
}

/// An expectation that was not met.
#[derive(Debug, Clone)]
pub struct Mismatch {
    pub expected: Expected,
    pub found: Found,
}

/// What was there instead.
#[derive(Debug, Clone)]
pub enum Found {
    Standing {
        dimension: DimensionId,
        standpoint: Standpoint,
        /// What the expected segment says of the customer.
        expected: Option<Weighed>,
        /// When the expectation is met if nothing else happens.
        later: Option<Instant>,
    },
    /// The moves of a dimension since the look before.
    Moves { dimension: DimensionId, changes: Vec<Change> },
}

impl Found {
    pub fn dimension(&self) -> DimensionId {
        match self {
            Found::Standing { dimension, .. } | Found::Moves { dimension, .. } => *dimension,
        }
    }
}
