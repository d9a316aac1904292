//! Which dimensions an event can move: those whose rules read what it changed. The others are certain until their own
//! bound, and are not looked at.

use crate::rules::plan::{
    Condition, DimensionId, Feature, FeatureId, Linear, Plan, SegmentId, SeriesId, Test, TextOperand,
};

/// A set of dimensions (there are at most 256).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DimensionSet([u64; 4]);

impl DimensionSet {
    pub const NONE: DimensionSet = DimensionSet([0; 4]);

    pub fn contains(self, index: usize) -> bool {
        self.0[index / 64] & (1 << (index % 64)) != 0
    }

    pub fn insert(&mut self, index: usize) {
        self.0[index / 64] |= 1 << (index % 64);
    }
}

/// What changed, for the dimensions that read it.
///
/// A customer stands in the first segment that holds, and later ones are not looked at: what only those read cannot move
/// anybody. So each dimension is touched from some segment on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// Indexed by dimension: the first segment that reads what changed; `UNTOUCHED` when none does.
    first_segments: Vec<u16>,
}

const UNTOUCHED: u16 = u16::MAX;

impl Touched {
    pub fn nothing(plan: &Plan) -> Touched {
        Touched { first_segments: vec![UNTOUCHED; plan.dimensions.len()] }
    }

    pub fn clear(&mut self) {
        self.first_segments.fill(UNTOUCHED);
    }

    /// Everything may have changed.
    pub fn add_all(&mut self) {
        self.first_segments.fill(0);
    }

    pub fn add(&mut self, readers: &[Reader]) {
        for Reader { dimension, first_segment } in readers {
            let first = &mut self.first_segments[usize::from(dimension.0)];
            *first = (*first).min(u16::from(first_segment.0));
        }
    }

    /// Whether somebody who stands in `segment` for certain can be moved by what changed.
    pub fn can_move(&self, dimension: usize, segment: Option<SegmentId>) -> bool {
        let first = self.first_segments[dimension];
        first != UNTOUCHED && segment.is_none_or(|segment| first <= u16::from(segment.0))
    }

    pub fn contains(&self, dimension: usize) -> bool {
        self.first_segments[dimension] != UNTOUCHED
    }
}

/// A dimension that reads something, and the first of its segments that does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reader {
    dimension: DimensionId,
    first_segment: SegmentId,
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
                let reader =
                    Reader { dimension: DimensionId(dimension as u8), first_segment: SegmentId(segment as u8) };
                let mut walk = Walk { plan, reader, dependence: &mut dependence };
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

/// Segments come in their order, so the first that is noted of a dimension is its first.
fn note(readers: &mut Vec<Reader>, reader: Reader) {
    if readers.last().is_none_or(|last| last.dimension != reader.dimension) {
        readers.push(reader);
    }
}

/// Goes through what one segment reads.
struct Walk<'a> {
    plan: &'a Plan,
    reader: Reader,
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
            | Feature::Gap(series) => note(&mut self.dependence.by_series[usize::from(series.0)], self.reader),
            // It changes with the first event only, and then everything is looked at.
            Feature::CustomerAge => {}
            Feature::Profile(attribute) | Feature::DaysUntil(attribute) => self.attribute(*attribute),
            Feature::SegmentAge(dimension) => self.standing(*dimension),
            Feature::Score(score) => self.sum(&self.plan.score(*score).of),
        }
    }

    fn attribute(&mut self, attribute: crate::event::AttributeId) {
        if let Ok(index) = self.plan.profile.binary_search(&attribute) {
            note(&mut self.dependence.by_setting[index], self.reader);
        }
    }

    fn standing(&mut self, dimension: DimensionId) {
        note(&mut self.dependence.by_dimension[usize::from(dimension.0)], self.reader);
    }
}
