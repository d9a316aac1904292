//! The verdict: does a comparison hold at an instant, and until when is that certain without another event (SPEC 6).
//!
//! Facts come through [`Facts`], so that this file knows nothing of how they are kept. An `until` may come too early,
//! which costs a wasted judgement; it never comes too late.

use std::cmp::Ordering;

use super::plan::{Comparison, Feature, FeatureId, Linear, Plan, Relation, Score, Test, TextOperand};
use crate::event::{AttributeId, Instant};

/// At most this many pieces (bucket exits, crossings) are looked at before a due is given that may be early. SPEC 6 allows
/// 64; looking is paid at every event, an early due only when it comes, and most are overtaken by an event first.
pub(super) const PIECES_MAX: usize = 6;

/// A feature's value, as a function of the instant while nothing leaves a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    Absent,
    /// A duration longer than any other.
    Never,
    /// The same until something leaves.
    Fixed(i64),
    /// Instant minus this, in milliseconds.
    Since(Instant),
}

/// Whether a condition holds, and the first later instant at which that may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    pub holds: bool,
    pub until: Instant,
}

/// An attribute as it stands at the instant of judging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute<'a> {
    Absent,
    Text(&'a str),
    Number(i64),
    Flag(bool),
}

/// One customer's facts and standing, as conditions read them.
pub trait Facts {
    /// The feature's value at `at`, and the first later instant at which it may be another function of the instant.
    /// Never asked for a score.
    fn value(&mut self, feature: FeatureId, at: Instant) -> (Value, Instant);

    /// For a feature over a window: whether its value has come to `least`, and the first instant at which that differs
    /// as buckets leave.
    fn reaches(&mut self, feature: FeatureId, at: Instant, least: i64) -> Verdict;

    /// For a feature over a window: whether its value can only fall as buckets leave, and ends at zero.
    fn only_falls(&mut self, feature: FeatureId) -> bool;

    fn attribute(&self, attribute: AttributeId) -> Attribute<'_>;

    /// The name of the segment in a dimension, `""` for none.
    fn segment(&self, dimension: super::plan::DimensionId) -> &str;

    /// A verdict found before for the same instant from the same facts, if its until is exact or not before `limit`.
    fn remembered(&self, comparison: super::plan::ComparisonId, at: Instant, limit: Instant) -> Option<Verdict>;

    /// Its until is exact when it is before `limit`.
    fn remember(&mut self, comparison: super::plan::ComparisonId, at_and_limit: (Instant, Instant), verdict: Verdict);
}

impl Verdict {
    pub const fn forever(holds: bool) -> Verdict {
        Verdict { holds, until: Instant::NEVER }
    }

    /// Both must hold.
    pub fn and(self, other: Verdict) -> Verdict {
        match (self.holds, other.holds) {
            (true, true) => Verdict { holds: true, until: self.until.min(other.until) },
            (false, false) => Verdict { holds: false, until: self.until.max(other.until) },
            (false, true) => self,
            (true, false) => other,
        }
    }

    /// Either must hold.
    pub fn or(self, other: Verdict) -> Verdict {
        self.not().and(other.not()).not()
    }

    #[allow(clippy::should_implement_trait, reason = "named as in the rules")]
    pub fn not(self) -> Verdict {
        Verdict { holds: !self.holds, until: self.until }
    }
}

/// Evaluates one comparison at an instant.
pub fn comparison(plan: &Plan, facts: &mut impl Facts, comparison: &Comparison, at: Instant) -> Verdict {
    match &comparison.test {
        Test::Linear { left, relation, right, .. } => linear(plan, facts, left, *relation, right, at),
        Test::LinearIn { left, values, .. } => linear_in(plan, facts, left, values, at),
        Test::Text { left, negated, right } => {
            let equal = match (text(facts, left), text(facts, right)) {
                (Some(left), Some(right)) => Some(left == right),
                _ => None,
            };
            Verdict::forever(equal.is_some_and(|equal| equal != *negated))
        }
        Test::TextIn { left, values } => {
            Verdict::forever(text(facts, left).is_some_and(|text| values.iter().any(|value| **value == *text)))
        }
        Test::Flag { attribute, expected } => {
            Verdict::forever(facts.attribute(*attribute) == Attribute::Flag(*expected))
        }
        Test::Has(attribute) => Verdict::forever(facts.attribute(*attribute) != Attribute::Absent),
    }
}

fn text<'a>(facts: &'a impl Facts, operand: &'a TextOperand) -> Option<&'a str> {
    match operand {
        TextOperand::Literal(literal) => Some(literal),
        TextOperand::Segment(dimension) => Some(facts.segment(*dimension)),
        TextOperand::Profile(attribute) => match facts.attribute(*attribute) {
            Attribute::Text(text) => Some(text),
            _ => None,
        },
    }
}

/// A sum at an instant: `slope · instant + offset` until `until`, or one of the special values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Line {
    form: Form,
    until: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Absent,
    Never,
    Line { slope: i128, offset: i128 },
}

impl Form {
    /// The value at an instant; `None` for the special ones.
    pub fn at(self, at: Instant) -> Option<i128> {
        match self {
            Form::Line { slope, offset } => Some(slope * i128::from(at.0) + offset),
            _ => None,
        }
    }
}

/// Evaluates a sum of features.
fn sum(plan: &Plan, facts: &mut impl Facts, sum: &Linear, at: Instant) -> Line {
    added(sum, |feature| match plan.feature(feature) {
        Feature::Score(id) => score(plan, facts, plan.score(*id), at),
        _ => facts.value(feature, at),
    })
}

/// A sum of features at an instant, and no word of later ones.
pub fn form(plan: &Plan, facts: &mut impl Facts, sum: &Linear, at: Instant) -> Form {
    let line = added(sum, |feature| match plan.feature(feature) {
        Feature::Score(id) => {
            let score = plan.score(*id);
            let of = form(plan, facts, &score.of, at);
            (score_value(score, n_reached(score, of, at)), Instant::NEVER)
        }
        _ => facts.value(feature, at),
    });
    line.form
}

fn added(sum: &Linear, mut value: impl FnMut(FeatureId) -> (Value, Instant)) -> Line {
    let (mut slope, mut offset) = (0_i128, sum.constant);
    let (mut absent, mut never) = (false, false);
    let mut until = Instant::NEVER;
    for &(coefficient, feature) in &sum.terms {
        let (value, changes) = value(feature);
        until = until.min(changes);
        match value {
            Value::Absent => absent = true,
            Value::Never => never = true,
            Value::Fixed(value) => offset += coefficient * i128::from(value),
            Value::Since(instant) => {
                slope += coefficient;
                offset -= coefficient * i128::from(instant.0);
            }
        }
    }
    let form = match (absent, never) {
        (true, _) => Form::Absent,
        (false, true) => Form::Never,
        (false, false) => Form::Line { slope, offset },
    };
    Line { form, until }
}

/// How many cuts are reached; `None`: the value is absent.
fn n_reached(score: &Score, form: Form, at: Instant) -> Option<usize> {
    match form {
        Form::Absent => None,
        Form::Never => Some(score.cuts.len()),
        Form::Line { slope, offset } => {
            let value = slope * i128::from(at.0) + offset;
            Some(score.cuts.partition_point(|cut| value >= *cut))
        }
    }
}

/// In 1/10 000.
fn score_value(score: &Score, n_reached: Option<usize>) -> Value {
    let n = n_reached.map(|n| if score.falling { score.cuts.len() - n } else { n });
    Value::Fixed(n.map_or(0, |n| (1 + n as i64) * 10_000))
}

/// A score's value, and until when no cut is crossed: since cuts ascend, only the two next to the value can be crossed
/// first.
fn score(plan: &Plan, facts: &mut impl Facts, score: &Score, at: Instant) -> (Value, Instant) {
    let line = sum(plan, facts, &score.of, at);
    let n_reached = n_reached(score, line.form, at);
    let value = score_value(score, n_reached);
    let Some(n_reached) = n_reached else { return (value, line.until) };
    let mut until = Instant::NEVER;
    let below = n_reached.checked_sub(1);
    for cut in below.into_iter().chain([n_reached]).filter_map(|index| score.cuts.get(index)) {
        let cut = Linear { terms: Vec::new(), constant: *cut };
        until = until.min(linear(plan, facts, &score.of, Relation::GreaterOrEqual, &cut, at).until);
    }
    (value, until)
}

fn linear(
    plan: &Plan,
    facts: &mut impl Facts,
    left: &Linear,
    relation: Relation,
    right: &Linear,
    at: Instant,
) -> Verdict {
    pieces(at, n_pieces(plan, &[left, right]), |at| {
        let (left, right) = (sum(plan, facts, left, at), sum(plan, facts, right, at));
        let end = left.until.min(right.until);
        let holds = |ordering: Ordering| relation.holds(ordering);
        match (left.form, right.form) {
            (Form::Absent, _) | (_, Form::Absent) => Piece::constant(false, end),
            (Form::Never, Form::Never) => Piece::constant(holds(Ordering::Equal), end),
            (Form::Never, _) => Piece::constant(holds(Ordering::Greater), end),
            (_, Form::Never) => Piece::constant(holds(Ordering::Less), end),
            (Form::Line { slope: ls, offset: lo }, Form::Line { slope: rs, offset: ro }) => {
                let difference = Difference { slope: ls - rs, offset: lo - ro };
                let now = holds(difference.sign(at));
                let turn = difference.turns(at).into_iter().flatten().find(|turn| holds(difference.sign(*turn)) != now);
                match turn {
                    Some(turn) if turn < end => Piece { holds: now, end: turn, turns: true },
                    _ => Piece::constant(now, end),
                }
            }
        }
    })
}

fn linear_in(plan: &Plan, facts: &mut impl Facts, left: &Linear, values: &[i128], at: Instant) -> Verdict {
    pieces(at, n_pieces(plan, &[left]), |at| {
        let line = sum(plan, facts, left, at);
        let Form::Line { slope, offset } = line.form else {
            return Piece::constant(false, line.until);
        };
        let differences = values.iter().map(|value| Difference { slope, offset: offset - value });
        let holds = differences.clone().any(|difference| difference.sign(at).is_eq());
        let turn = differences.flat_map(|difference| difference.turns(at)).flatten().min();
        Piece::constant(holds, line.until.min(turn.unwrap_or(Instant::NEVER)))
    })
}

/// A stretch of time over which both sides are lines in the instant, or shorter where they cross.
struct Piece {
    holds: bool,
    end: Instant,
    /// At its end the truth is another, for sure.
    turns: bool,
}

impl Piece {
    fn constant(holds: bool, end: Instant) -> Piece {
        Piece { holds, end, turns: false }
    }
}

/// Goes from piece to piece for as long as the truth stays the same.
fn pieces(at: Instant, n_max: usize, mut piece: impl FnMut(Instant) -> Piece) -> Verdict {
    let first = piece(at);
    let mut last = Piece { ..first };
    for _ in 1..n_max {
        if last.end.is_never() || last.turns {
            break;
        }
        let next = piece(last.end);
        if next.holds != first.holds {
            break;
        }
        last = next;
    }
    Verdict { holds: first.holds, until: last.end }
}

/// How many pieces are worth looking at: a score's pieces cost too much to look past the first.
fn n_pieces(plan: &Plan, sides: &[&Linear]) -> usize {
    let has_score =
        |side: &&Linear| side.terms.iter().any(|(_, feature)| matches!(plan.feature(*feature), Feature::Score(_)));
    if sides.iter().any(has_score) { 1 } else { PIECES_MAX }
}

/// Left minus right, a line in the instant.
#[derive(Debug, Clone, Copy)]
struct Difference {
    slope: i128,
    offset: i128,
}

impl Difference {
    fn sign(self, at: Instant) -> Ordering {
        (self.slope * i128::from(at.0) + self.offset).cmp(&0)
    }

    /// The instants after `at` at which the sign becomes another: where the line reaches zero, and where it leaves it.
    fn turns(self, at: Instant) -> [Option<Instant>; 2] {
        if self.slope == 0 {
            return [None, None];
        }
        let (slope, offset) = if self.slope > 0 { (self.slope, self.offset) } else { (-self.slope, -self.offset) };
        let (below, rest) = divide(-offset, slope);
        let reaches = if rest == 0 { below } else { below + 1 };
        [reaches, below + 1].map(|turn| {
            let turn = i64::try_from(turn).ok().filter(|turn| *turn < Instant::NEVER.0)?;
            (turn > at.0).then_some(Instant(turn))
        })
    }
}

/// Quotient towards minus infinity and its rest; `divisor` is positive.
pub(super) fn divide(dividend: i128, divisor: i128) -> (i128, i128) {
    // Almost always both fit 64 bits, which the machine divides ten times as fast.
    match (i64::try_from(dividend), i64::try_from(divisor)) {
        (Ok(dividend), Ok(divisor)) => (dividend.div_euclid(divisor).into(), dividend.rem_euclid(divisor).into()),
        _ => (dividend.div_euclid(divisor), dividend.rem_euclid(divisor)),
    }
}
