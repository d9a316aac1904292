//! Which dimensions an event can move: those whose rules read what it changed. The others are certain until their own
//! bound, and are not looked at.

use crate::rules::plan::{
    Condition, Dimension, DimensionId, Feature, FeatureId, Linear, Plan, SeriesId, Test, TextOperand,
};

/// A set of dimensions (there are at most 256).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DimensionSet([u64; 4]);

impl DimensionSet {
    pub const NONE: DimensionSet = DimensionSet([0; 4]);
    pub const ALL: DimensionSet = DimensionSet([u64::MAX; 4]);

    pub fn contains(self, index: usize) -> bool {
        self.0[index / 64] & (1 << (index % 64)) != 0
    }

    pub fn insert(&mut self, index: usize) {
        self.0[index / 64] |= 1 << (index % 64);
    }

    pub fn add(&mut self, other: DimensionSet) {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word |= other);
    }
}

/// For each thing that can change, the dimensions that read it.
#[derive(Debug)]
pub struct Dependence {
    by_series: Vec<DimensionSet>,
    /// In the order of `Plan::profile`.
    by_setting: Vec<DimensionSet>,
    /// Later dimensions that read a dimension's standing.
    by_dimension: Vec<DimensionSet>,
}

impl Dependence {
    pub fn new(plan: &Plan) -> Dependence {
        let mut dependence = Dependence {
            by_series: vec![DimensionSet::NONE; plan.series.len()],
            by_setting: vec![DimensionSet::NONE; plan.profile.len()],
            by_dimension: vec![DimensionSet::NONE; plan.dimensions.len()],
        };
        for (reader, dimension) in plan.dimensions.iter().enumerate() {
            Walk { plan, reader, dependence: &mut dependence }.dimension(dimension);
        }
        dependence
    }

    pub fn on_series(&self, series: SeriesId) -> DimensionSet {
        self.by_series[usize::from(series.0)]
    }

    pub fn on_setting(&self, index: usize) -> DimensionSet {
        self.by_setting[index]
    }

    pub fn on_dimension(&self, index: usize) -> DimensionSet {
        self.by_dimension[index]
    }
}

/// Goes through what one dimension reads.
struct Walk<'a> {
    plan: &'a Plan,
    reader: usize,
    dependence: &'a mut Dependence,
}

impl Walk<'_> {
    fn dimension(&mut self, dimension: &Dimension) {
        for segment in &dimension.segments {
            self.condition(&segment.when);
            segment.stay.iter().for_each(|stay| self.condition(stay));
        }
    }

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
            | Feature::Gap(series) => self.dependence.by_series[usize::from(series.0)].insert(self.reader),
            // It changes with the first event only, and then everything is looked at.
            Feature::CustomerAge => {}
            Feature::Profile(attribute) | Feature::DaysUntil(attribute) => self.attribute(*attribute),
            Feature::SegmentAge(dimension) => self.standing(*dimension),
            Feature::Score(score) => self.sum(&self.plan.score(*score).of),
        }
    }

    fn attribute(&mut self, attribute: crate::event::AttributeId) {
        if let Ok(index) = self.plan.profile.binary_search(&attribute) {
            self.dependence.by_setting[index].insert(self.reader);
        }
    }

    fn standing(&mut self, dimension: DimensionId) {
        self.dependence.by_dimension[usize::from(dimension.0)].insert(self.reader);
    }
}
