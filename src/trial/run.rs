//! One test from its first line to its last.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::found::{Finding, Found, Mismatch, Run};
use crate::engine::{Change, Outcome, Place as Standpoint, Progress, Shard};
use crate::event::{Decoder, Format, Instant};
use crate::rules::Plan;
use crate::rules::place::Place;
use crate::rules::plan::{DimensionId, SegmentId};
use crate::rules::timeline::{CUSTOMER, Claim, Expected, Move, Repeated, Step, Test, What};

/// How many judgements ahead are looked for a standing that did not come.
const LATER_MAX: usize = 100_000;

/// Where the tests of one plan are played.
#[derive(Debug)]
pub struct Bench {
    plan: Arc<Plan>,
    decoder: Decoder,
}

impl Bench {
    pub fn new(plan: Plan) -> Bench {
        Bench { decoder: Decoder::new(&plan.schema), plan: Arc::new(plan) }
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Plays one test.
    pub fn run(&self, test: &Test) -> Run {
        let mut playing = self.play(&test.steps);
        for finding in &mut playing.findings {
            for mismatch in &mut finding.mismatches {
                if let Found::Standing { later, .. } = &mut mismatch.found {
                    *later = self.later(test, finding.at, &mismatch.expected.claim);
                }
            }
        }
        Run { findings: playing.findings, changes: playing.changes }
    }

    fn play(&self, steps: &[Step]) -> Playing {
        let mut playing = Playing::new(&self.plan);
        for step in steps {
            match &step.what {
                What::Event(event) => playing.happens(&self.decoder, step, event),
                What::Look(expected) => playing.look(step.at, expected),
            }
        }
        playing
    }

    /// When a standing comes after a look, if nothing happens any more.
    fn later(&self, test: &Test, look: Instant, claim: &Claim) -> Option<Instant> {
        let Claim::Stands { dimension: expected, segment, negated } = claim else { return None };
        let is_look = |step: &Step| step.at == look && matches!(step.what, What::Look(_));
        let n_steps = test.steps.iter().rposition(is_look)?;
        let mut playing = self.play(&test.steps[..=n_steps]);
        let n_before = playing.changes.len();
        playing.shard.advance(Instant::END, LATER_MAX, &mut playing.changes);
        let comes = |change: &&Change| change.dimension == *expected && (change.to == *segment) != *negated;
        playing.changes[n_before..].iter().find(comes).map(|change| change.effective_at)
    }
}

/// Which segments the customers of some tests came to.
#[derive(Debug, Default)]
pub struct Coverage {
    entered: BTreeSet<(DimensionId, SegmentId)>,
}

impl Coverage {
    pub fn add(&mut self, run: &Run) {
        self.entered.extend(run.changes.iter().filter_map(|change| Some((change.dimension, change.to?))));
    }

    /// Segments that nobody came to, in the order of the plan.
    pub fn missing(&self, plan: &Plan) -> Vec<(DimensionId, SegmentId)> {
        let mut missing = Vec::new();
        for (index, dimension) in plan.dimensions.iter().enumerate() {
            let ids = (0..dimension.segments.len()).map(|segment| (DimensionId(index as u8), SegmentId(segment as u8)));
            missing.extend(ids.filter(|id| !self.entered.contains(id)));
        }
        missing
    }
}

struct Playing {
    shard: Shard,
    /// The latest instant so far.
    clock: Instant,
    changes: Vec<Change>,
    /// How many changes there were when the look before this one was over.
    n_before: usize,
    /// The same for this look.
    n_seen: usize,
    duplicates: Vec<Place>,
    /// The instant of a look, until something happens.
    looked_at: Option<Instant>,
    findings: Vec<Finding>,
}

impl Playing {
    fn new(plan: &Arc<Plan>) -> Playing {
        Playing {
            shard: Shard::new(plan.clone()),
            clock: Instant(i64::MIN),
            changes: Vec::new(),
            n_before: 0,
            n_seen: 0,
            duplicates: Vec::new(),
            looked_at: None,
            findings: Vec::new(),
        }
    }

    fn happens(&mut self, decoder: &Decoder, step: &Step, event: &Repeated) {
        self.looked_at = None;
        for at in event.times(step.at) {
            let message = event.message(at);
            let decoded = decoder.decode(Format::Json, &message, None);
            let decoded = decoded.expect("every event of a test was decoded when it was read, and times are in range");
            self.clock = self.clock.max(at);
            if self.shard.apply(&decoded, self.clock, &mut self.changes) == Outcome::Duplicate {
                self.duplicates.push(step.place.clone());
            }
        }
    }

    fn look(&mut self, at: Instant, expected: &[Expected]) {
        assert!(at >= self.clock, "looks are in the order of time");
        if self.looked_at != Some(at) {
            self.n_before = self.n_seen;
        }
        self.looked_at = Some(at);
        self.clock = at;
        while self.shard.advance(at, usize::MAX, &mut self.changes) == Progress::More {}
        self.n_seen = self.changes.len();
        let mismatches: Vec<Mismatch> = expected.iter().filter_map(|expected| self.mismatch(at, expected)).collect();
        if !mismatches.is_empty() {
            self.findings.push(Finding {
                at,
                mismatches,
                changes: self.changes.clone(),
                duplicates: self.duplicates.clone(),
                exists: self.shard.n_customers() > 0,
            });
        }
    }

    fn mismatch(&mut self, at: Instant, expected: &Expected) -> Option<Mismatch> {
        let found = match &expected.claim {
            Claim::Stands { dimension, segment, negated } => self.stands(at, *dimension, (*segment, *negated))?,
            Claim::Came { dimension, from, at } => {
                let last = self.moves(*dimension).last();
                let came = last.is_some_and(|change| {
                    from.is_none_or(|from| change.from == from) && at.is_none_or(|at| change.effective_at == at)
                });
                self.other_moves(*dimension, came)?
            }
            Claim::Moved { dimension, moves } => {
                let as_written = |(change, written): (&Change, &Move)| {
                    let same = (change.from, change.to) == (written.from, written.to);
                    same && written.at.is_none_or(|at| change.effective_at == at)
                };
                let n = self.moves(*dimension).count();
                let agree = n == moves.len() && self.moves(*dimension).zip(moves).all(as_written);
                self.other_moves(*dimension, agree)?
            }
            Claim::Stayed { dimensions } => {
                let moved = dimensions.iter().find(|dimension| self.moves(**dimension).next().is_some())?;
                self.other_moves(*moved, false)?
            }
        };
        Some(Mismatch { expected: expected.clone(), found })
    }

    fn stands(
        &mut self,
        at: Instant,
        dimension: DimensionId,
        (segment, negated): (Option<SegmentId>, bool),
    ) -> Option<Found> {
        let standing = self.shard.standing(CUSTOMER).unwrap_or_default();
        let standpoint: Standpoint = standing.places.get(usize::from(dimension.0)).cloned().unwrap_or_default();
        if (standpoint.segment == segment) != negated {
            return None;
        }
        let expected = segment.and_then(|segment| self.shard.weigh(CUSTOMER, (dimension, segment), at));
        Some(Found::Standing { dimension, standpoint, expected, later: None })
    }

    /// Moves of a dimension since the look before.
    fn moves(&self, dimension: DimensionId) -> impl Iterator<Item = &Change> {
        self.changes[self.n_before..].iter().filter(move |change| change.dimension == dimension)
    }

    fn other_moves(&self, dimension: DimensionId, agree: bool) -> Option<Found> {
        (!agree).then(|| Found::Moves { dimension, changes: self.moves(dimension).cloned().collect() })
    }
}
