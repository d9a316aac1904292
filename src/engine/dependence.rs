//! What an event can move: in each dimension the segments whose rules read what it changed. The others are certain until
//! the dimension's bound, and are not looked at.

use super::bits;
use crate::rules::plan::{Condition, DimensionId, Feature, FeatureId, Linear, Plan, SeriesId, Test, TextOperand};

/// A set of dimensions, or of one dimension's segments (there are at most 256 of either).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SmallSet([u64; 4]);

impl SmallSet {
    pub const EMPTY: SmallSet = SmallSet([0; 4]);
    const ALL: SmallSet = SmallSet([u64::MAX; 4]);

    pub fn contains(&self, index: usize) -> bool {
        bits::contains(&self.0, index)
    }

    pub fn insert(&mut self, index: usize) {
        bits::set(&mut self.0, index, true);
    }

    /// The first one from an index on.
    pub fn next(&self, from: usize) -> Option<usize> {
        bits::next(&self.0, from)
    }

    fn add(&mut self, other: &SmallSet) {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word |= other);
    }
}

/// What changed, for the segments that read it.
#[derive(Debug)]
pub struct Touched {
    /// Those that read what changed.
    dimensions: SmallSet,
    /// Indexed by dimension: those of its segments that read what changed. Of the other dimensions it says nothing.
    segments: Vec<SmallSet>,
}

impl Touched {
    pub fn nothing(plan: &Plan) -> Touched {
        Touched { dimensions: SmallSet::EMPTY, segments: vec![SmallSet::EMPTY; plan.dimensions.len()] }
    }

    pub fn clear(&mut self) {
        self.dimensions = SmallSet::EMPTY;
    }

    /// Everything may have changed.
    pub fn add_all(&mut self) {
        self.dimensions = SmallSet::ALL;
        self.segments.fill(SmallSet::ALL);
    }

    pub fn add(&mut self, readers: &[Reader]) {
        for Reader { dimension, segments } in readers {
            let index = usize::from(dimension.0);
            if self.dimensions.contains(index) {
                self.segments[index].add(segments);
            } else {
                self.dimensions.insert(index);
                self.segments[index] = *segments;
            }
        }
    }

    /// The segments of a dimension that read what changed, if there are any; those that are not there count too when all
    /// changed.
    pub fn segments(&self, dimension: usize) -> Option<&SmallSet> {
        self.dimensions.contains(dimension).then(|| &self.segments[dimension])
    }
}

/// A dimension that reads something, and those of its segments that do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reader {
    dimension: DimensionId,
    segments: SmallSet,
}

/// For each thing that can change, the dimensions that read it.
#[derive(Debug)]
pub struct Dependence {
    by_series: Vec<Vec<Reader>>,
    /// In the order of `Plan::profile`.
    by_setting: Vec<Vec<Reader>>,
    /// Later dimensions that read a dimension's standing.
    by_dimension: Vec<Vec<Reader>>,
}

impl Dependence {
    pub fn new(plan: &Plan) -> Dependence {
        let mut dependence = Dependence {
            by_series: vec![Vec::new(); plan.series.len()],
            by_setting: vec![Vec::new(); plan.profile.len()],
            by_dimension: vec![Vec::new(); plan.dimensions.len()],
        };
        for (dimension, segments) in plan.dimensions.iter().enumerate() {
            for (segment, said) in segments.segments.iter().enumerate() {
                let reads = (DimensionId(dimension as u8), segment);
                let mut walk = Walk { plan, reads, dependence: &mut dependence };
                walk.condition(&said.when);
                said.stay.iter().for_each(|stay| walk.condition(stay));
            }
        }
        dependence
    }

    pub fn on_series(&self, series: SeriesId) -> &[Reader] {
        &self.by_series[usize::from(series.0)]
    }

    pub fn on_setting(&self, index: usize) -> &[Reader] {
        &self.by_setting[index]
    }

    pub fn on_dimension(&self, index: usize) -> &[Reader] {
        &self.by_dimension[index]
    }
}

/// Dimensions come one after the other.
fn note(readers: &mut Vec<Reader>, (dimension, segment): (DimensionId, usize)) {
    if readers.last().is_none_or(|last| last.dimension != dimension) {
        readers.push(Reader { dimension, segments: SmallSet::EMPTY });
    }
    readers.last_mut().expect("there is one now").segments.insert(segment);
}

/// Goes through what one segment reads.
struct Walk<'a> {
    plan: &'a Plan,
    /// Who does.
    reads: (DimensionId, usize),
    dependence: &'a mut Dependence,
}

impl Walk<'_> {
    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::Constant(_) => {}
            Condition::Not(inner) => self.condition(inner),
            Condition::All(parts) | Condition::Any(parts) => parts.iter().for_each(|part| self.condition(part)),
            Condition::Compare(id) => self.test(&self.plan.comparison(*id).test),
        }
    }

    fn test(&mut self, test: &Test) {
        match test {
            Test::Linear { left, right, .. } => {
                self.sum(left);
                self.sum(right);
            }
            Test::LinearIn { left, .. } => self.sum(left),
            Test::Text { left, right, .. } => {
                self.operand(left);
                self.operand(right);
            }
            Test::TextIn { left, .. } => self.operand(left),
            Test::Flag { attribute, .. } | Test::Has(attribute) => self.attribute(*attribute),
        }
    }

    fn operand(&mut self, operand: &TextOperand) {
        match operand {
            TextOperand::Literal(_) => {}
            TextOperand::Profile(attribute) => self.attribute(*attribute),
            TextOperand::Segment(dimension) => self.standing(*dimension),
        }
    }

    fn sum(&mut self, sum: &Linear) {
        sum.terms.iter().for_each(|(_, feature)| self.feature(*feature));
    }

    fn feature(&mut self, feature: FeatureId) {
        match self.plan.feature(feature) {
            Feature::Window { series, .. }
            | Feature::Ever { series, .. }
            | Feature::SinceLast(series)
            | Feature::SinceFirst(series)
            | Feature::Gap(series) => note(&mut self.dependence.by_series[usize::from(series.0)], self.reads),
            // It changes with the first event only, and then everything is looked at.
            Feature::CustomerAge => {}
            Feature::Profile(attribute) | Feature::DaysUntil(attribute) => self.attribute(*attribute),
            Feature::SegmentAge(dimension) => self.standing(*dimension),
            Feature::Score(score) => self.sum(&self.plan.score(*score).of),
        }
    }

    fn attribute(&mut self, attribute: crate::event::AttributeId) {
        if let Ok(index) = self.plan.profile.binary_search(&attribute) {
            note(&mut self.dependence.by_setting[index], self.reads);
        }
    }

    fn standing(&mut self, dimension: DimensionId) {
        note(&mut self.dependence.by_dimension[usize::from(dimension.0)], self.reads);
    }
}
