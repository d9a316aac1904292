//! How the conditions of a plan are decided: what `rules::verdict` says of each comparison, the usual ones by shorter
//! ways. Built once for a plan.
//!
//! Most comparisons ask whether something has come to a threshold: a window's value, a duration, a total, a sum of such.
//! A comparison with a score is one with the cuts next to the number. What is none of these is left to
//! [`verdict::comparison`].
//!
//! What always holds: the answer is that of `verdict::comparison`; an until may be later than there, never too late.

use super::plan::{Comparison, ComparisonId, Condition, Feature, FeatureId, Linear, Plan, Relation, Score, Test};
use super::verdict::{self, Facts, Value, Verdict};
use crate::event::Instant;

/// Sums of more features than this are not taken apart.
const TERMS_MAX: usize = 6;
/// Of a score's value in 1/10 000.
const ONE: i128 = 10_000;

/// The conditions of a plan, ready to be decided.
#[derive(Debug)]
pub struct Decider {
    /// In the order of the plan.
    comparisons: Vec<Decision>,
}

#[derive(Debug)]
struct Decision {
    way: Way,
    /// Worth remembering, and good for as long as the facts and the instant are the same.
    is_remembered: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Way {
    Always(bool),
    Threshold(Threshold),
    /// At the first threshold, and not yet at the second; or, not wanted, otherwise.
    Between(Box<[Threshold; 2]>, bool),
    Other,
}

/// Whether something has come to a least value, or, not wanted, has not.
#[derive(Debug, Clone, PartialEq)]
struct Threshold {
    of: Measured,
    least: i64,
    is_wanted: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Measured {
    Window(FeatureId),
    /// Any other feature whose value turns at most once by itself.
    Plain(FeatureId),
    /// The sum of all terms; features of the left side come first, those of the right have their sign turned.
    Sum {
        terms: Box<[(i64, FeatureId)]>,
        n_left: usize,
        /// Never against never is equal: whether that is enough.
        is_equal_enough: bool,
    },
}

impl Decider {
    pub fn new(plan: &Plan) -> Decider {
        let decision = |comparison: &Comparison| {
            let way = way(plan, comparison).unwrap_or(Way::Other);
            let is_costly = match &way {
                Way::Always(_) => false,
                Way::Threshold(threshold) => matches!(threshold.of, Measured::Sum { .. }),
                Way::Between(..) | Way::Other => true,
            };
            Decision { is_remembered: is_costly && !reads_standing(plan, comparison), way }
        };
        Decider { comparisons: plan.comparisons.iter().map(decision).collect() }
    }

    /// Evaluates a condition at an instant. An until that is not before `limit` may be any such instant.
    pub fn condition(
        &self,
        plan: &Plan,
        facts: &mut impl Facts,
        condition: &Condition,
        at: Instant,
        limit: Instant,
    ) -> Verdict {
        // First what is most often met.
        if let Condition::Compare(id) = condition {
            return self.comparison(plan, facts, *id, at, limit);
        }
        match condition {
            Condition::Constant(holds) => Verdict::forever(*holds),
            Condition::Compare(id) => self.comparison(plan, facts, *id, at, limit),
            Condition::Not(inner) => self.condition(plan, facts, inner, at, limit).not(),
            Condition::All(parts) => {
                let mut verdict = Verdict::forever(true);
                for part in parts {
                    verdict = verdict.and(self.condition(plan, facts, part, at, limit));
                    // One part that fails for long enough settles it.
                    if !verdict.holds && verdict.until >= limit {
                        break;
                    }
                }
                verdict
            }
            Condition::Any(parts) => {
                let mut verdict = Verdict::forever(false);
                for part in parts {
                    verdict = verdict.or(self.condition(plan, facts, part, at, limit));
                    if verdict.holds && verdict.until >= limit {
                        break;
                    }
                }
                verdict
            }
        }
    }

    /// Evaluates one comparison at an instant. An until that is not before `limit` may be any such instant.
    pub fn comparison(
        &self,
        plan: &Plan,
        facts: &mut impl Facts,
        id: ComparisonId,
        at: Instant,
        limit: Instant,
    ) -> Verdict {
        let Decision { way, is_remembered } = &self.comparisons[usize::from(id.0)];
        if let Way::Threshold(Threshold { of: Measured::Window(feature), least, is_wanted }) = way {
            let verdict = facts.reaches(*feature, at, *least);
            return Verdict { holds: verdict.holds == *is_wanted, ..verdict };
        }
        if *is_remembered && let Some(verdict) = facts.remembered(id, at, limit) {
            return verdict;
        }
        let verdict = match way {
            Way::Always(holds) => Verdict::forever(*holds),
            Way::Threshold(threshold) => threshold.verdict(facts, at, limit),
            Way::Between(thresholds, is_wanted) => {
                let [low, high] = &**thresholds;
                let verdict = low.verdict(facts, at, limit).and(high.verdict(facts, at, limit).not());
                if *is_wanted { verdict } else { verdict.not() }
            }
            Way::Other => verdict::comparison(plan, facts, plan.comparison(id), at),
        };
        debug_assert!(verdict.until > at);
        if *is_remembered {
            facts.remember(id, (at, limit), verdict);
        }
        verdict
    }
}

impl Threshold {
    fn verdict(&self, facts: &mut impl Facts, at: Instant, limit: Instant) -> Verdict {
        match &self.of {
            Measured::Window(feature) => {
                let verdict = facts.reaches(*feature, at, self.least);
                Verdict { holds: verdict.holds == self.is_wanted, ..verdict }
            }
            Measured::Plain(feature) => self.plain(facts.value(*feature, at), at),
            Measured::Sum { terms, n_left, is_equal_enough } => {
                self.sum(facts, terms, (*n_left, *is_equal_enough), (at, limit))
            }
        }
    }

    fn plain(&self, (value, until): (Value, Instant), at: Instant) -> Verdict {
        let holds = match value {
            Value::Absent => false,
            Value::Never => self.is_wanted,
            Value::Fixed(value) => (value >= self.least) == self.is_wanted,
            Value::Since(instant) => {
                let turn = Instant(instant.0.saturating_add(self.least));
                return match at >= turn {
                    true => Verdict { holds: self.is_wanted, until },
                    false => Verdict { holds: !self.is_wanted, until: until.min(turn) },
                };
            }
        };
        Verdict { holds, until }
    }

    /// From one exit of a bucket to the next, for as long as the answer stays, unless it can never turn.
    fn sum(
        &self,
        facts: &mut impl Facts,
        terms: &[(i64, FeatureId)],
        (n_left, is_equal_enough): (usize, bool),
        (at, limit): (Instant, Instant),
    ) -> Verdict {
        let mut seen = [(Value::Absent, Instant::NEVER); TERMS_MAX];
        let seen = &mut seen[..terms.len()];
        for ((_, feature), seen) in terms.iter().zip(seen.iter_mut()) {
            *seen = facts.value(*feature, at);
        }
        let is_never = |seen: &[(Value, Instant)]| seen.iter().any(|(value, _)| *value == Value::Never);
        match (is_never(&seen[..n_left]), is_never(&seen[n_left..])) {
            (false, false) => {}
            (true, true) => return Verdict::forever(is_equal_enough == self.is_wanted),
            (left, _) => return Verdict::forever(left == self.is_wanted),
        }
        let (is_reached, mut turn) = Line::of(terms, seen).above(self.least, at);
        let holds = is_reached == self.is_wanted;
        if self.is_settled(facts, terms, seen, at, is_reached) {
            return Verdict::forever(holds);
        }
        let mut n_pieces = 1;
        let until = loop {
            let end = seen.iter().map(|(_, exit)| *exit).min().unwrap_or(Instant::NEVER);
            if turn < end || end >= limit || n_pieces == verdict::PIECES_MAX {
                break turn.min(end);
            }
            for ((_, feature), seen) in terms.iter().zip(seen.iter_mut()).filter(|(_, seen)| seen.1 == end) {
                *seen = facts.value(*feature, end);
            }
            let next = Line::of(terms, seen).above(self.least, end);
            if next.0 != is_reached {
                break end;
            }
            (turn, n_pieces) = (next.1, n_pieces + 1);
        };
        Verdict { holds, until }
    }

    /// Whether no instant can bring another answer: not even with those windows empty that hold it back.
    fn is_settled(
        &self,
        facts: &mut impl Facts,
        terms: &[(i64, FeatureId)],
        seen: &[(Value, Instant)],
        at: Instant,
        is_reached: bool,
    ) -> bool {
        let mut extreme = Line::default();
        for ((coefficient, feature), (value, exit)) in terms.iter().zip(seen) {
            // What passes only takes away from it.
            let can_turn = (*coefficient > 0) == is_reached;
            if exit.is_never() {
                extreme.add(*coefficient, *value);
            } else if !facts.only_falls(*feature) {
                return false;
            } else if !can_turn {
                extreme.add(*coefficient, *value);
            }
        }
        let is_steady = if is_reached { extreme.slope >= 0 } else { extreme.slope <= 0 };
        is_steady && extreme.above(self.least, at).0 == is_reached
    }
}

/// A value as a function of the instant: `slope · instant + offset`.
#[derive(Debug, Clone, Copy, Default)]
struct Line {
    slope: i128,
    offset: i128,
}

impl Line {
    fn of(terms: &[(i64, FeatureId)], seen: &[(Value, Instant)]) -> Line {
        let mut line = Line::default();
        terms.iter().zip(seen).for_each(|((coefficient, _), (value, _))| line.add(*coefficient, *value));
        line
    }

    fn add(&mut self, coefficient: i64, value: Value) {
        let coefficient = i128::from(coefficient);
        match value {
            Value::Fixed(value) => self.offset += coefficient * i128::from(value),
            Value::Since(instant) => {
                self.slope += coefficient;
                self.offset -= coefficient * i128::from(instant.0);
            }
            Value::Absent | Value::Never => {}
        }
    }

    /// Whether it is at `least` or above at an instant, and when that turns.
    fn above(self, least: i64, at: Instant) -> (bool, Instant) {
        let Line { slope, offset } = self;
        let short = i128::from(least) - offset;
        let is_above = slope * i128::from(at.0) >= short;
        let turn = match (is_above, slope.cmp(&0)) {
            // The first instant with slope · instant >= short.
            (false, std::cmp::Ordering::Greater) => -verdict::divide(-short, slope).0,
            // The first with -slope · instant > -short.
            (true, std::cmp::Ordering::Less) => verdict::divide(-short, -slope).0 + 1,
            _ => return (is_above, Instant::NEVER),
        };
        (is_above, Instant(i64::try_from(turn).unwrap_or(i64::MAX)))
    }
}

fn way(plan: &Plan, comparison: &Comparison) -> Option<Way> {
    let Test::Linear { left, relation, right, .. } = &comparison.test else { return None };
    let constant = right.constant - left.constant;
    if let ([(coefficient, feature)], []) | ([], [(coefficient, feature)]) = (&left.terms[..], &right.terms[..])
        && let Feature::Score(score) = plan.feature(*feature)
        && *coefficient > 0
    {
        let (relation, constant) =
            if right.terms.is_empty() { (*relation, constant) } else { (turned(*relation), -constant) };
        return compared(relation, constant, *coefficient, |least, _| at_score(plan, plan.score(*score), least));
    }
    let (measured, relation, constant, unit) = match (&left.terms[..], &right.terms[..]) {
        ([(coefficient @ 1.., feature)], []) => (single(plan, *feature)?, *relation, constant, *coefficient),
        ([], [(coefficient @ 1.., feature)]) => (single(plan, *feature)?, turned(*relation), -constant, *coefficient),
        _ => (sum(plan, left, right)?, *relation, constant, 1),
    };
    let threshold = |least: i128, is_equal: bool| {
        let (mut of, least) = (measured.clone(), i64::try_from(least).ok()?);
        if let Measured::Sum { is_equal_enough, .. } = &mut of {
            *is_equal_enough = is_equal;
        }
        Some(Way::Threshold(Threshold { of, least, is_wanted: true }))
    };
    compared(relation, constant, unit, threshold)
}

/// `unit · x relation constant` by means of thresholds of `x`: `at` makes one, told whether it is equal to the constant.
fn compared(relation: Relation, constant: i128, unit: i128, at: impl Fn(i128, bool) -> Option<Way>) -> Option<Way> {
    let (below, rest) = (constant.div_euclid(unit), constant.rem_euclid(unit));
    let from = || if rest == 0 { at(below, true) } else { at(below + 1, true) };
    let above = || at(below + 1, false);
    match relation {
        Relation::GreaterOrEqual => from(),
        Relation::Greater => above(),
        Relation::Less => from().map(not),
        Relation::LessOrEqual => above().map(not),
        Relation::Equal => between(from()?, above()?),
        Relation::NotEqual => between(from()?, above()?).map(not),
    }
}

fn not(way: Way) -> Way {
    match way {
        Way::Always(holds) => Way::Always(!holds),
        Way::Threshold(threshold) => Way::Threshold(Threshold { is_wanted: !threshold.is_wanted, ..threshold }),
        Way::Between(thresholds, is_wanted) => Way::Between(thresholds, !is_wanted),
        Way::Other => Way::Other,
    }
}

/// `low` and not `high`.
fn between(low: Way, high: Way) -> Option<Way> {
    match (low, high) {
        (Way::Always(true), high) => Some(not(high)),
        (low, Way::Always(false)) => Some(low),
        (Way::Threshold(low), Way::Threshold(high)) => Some(Way::Between(Box::new([low, high]), true)),
        _ => None,
    }
}

fn turned(relation: Relation) -> Relation {
    match relation {
        Relation::Less => Relation::Greater,
        Relation::LessOrEqual => Relation::GreaterOrEqual,
        Relation::Greater => Relation::Less,
        Relation::GreaterOrEqual => Relation::LessOrEqual,
        Relation::Equal | Relation::NotEqual => relation,
    }
}

/// A score of at least `least` (in 1/10 000) by the cut that it then has reached, or not.
fn at_score(plan: &Plan, score: &Score, least: i128) -> Option<Way> {
    let is_there = |(_, feature): &(i128, FeatureId)| always_there(plan.feature(*feature));
    if !score.of.terms.iter().all(is_there) {
        return None;
    }
    let n_cuts = score.cuts.len() as i128;
    // As many cuts must be reached, or falling, not be.
    let needed = -(-least).div_euclid(ONE) - 1;
    if needed <= 0 {
        return Some(Way::Always(true));
    }
    if needed > n_cuts {
        return Some(Way::Always(false));
    }
    let index = if score.falling { n_cuts - needed } else { needed - 1 };
    let cut = Linear { terms: Vec::new(), constant: score.cuts[index as usize] };
    let (relation, right) = (Relation::GreaterOrEqual, cut);
    let test = Test::Linear { left: score.of.clone(), relation, right, unit: score.unit, scale: score.scale };
    let reached = way(plan, &Comparison { text: Box::default(), test })?;
    Some(if score.falling { not(reached) } else { reached })
}

fn always_there(feature: &Feature) -> bool {
    match feature {
        Feature::Window { .. } | Feature::Ever { .. } | Feature::Gap(_) => true,
        Feature::SinceLast(_) | Feature::SinceFirst(_) | Feature::CustomerAge | Feature::SegmentAge(_) => true,
        Feature::Profile(_) | Feature::DaysUntil(_) | Feature::Score(_) => false,
    }
}

fn single(plan: &Plan, feature: FeatureId) -> Option<Measured> {
    match plan.feature(feature) {
        Feature::Window { .. } => Some(Measured::Window(feature)),
        other if always_there(other) => Some(Measured::Plain(feature)),
        _ => None,
    }
}

fn sum(plan: &Plan, left: &Linear, right: &Linear) -> Option<Measured> {
    let turned = right.terms.iter().map(|(coefficient, feature)| (-coefficient, *feature));
    let terms = left.terms.iter().copied().chain(turned);
    let fitting = terms.map(|(coefficient, feature)| {
        let coefficient = i64::try_from(coefficient).ok().filter(|coefficient| *coefficient != 0)?;
        always_there(plan.feature(feature)).then_some((coefficient, feature))
    });
    let terms: Box<[(i64, FeatureId)]> = fitting.collect::<Option<_>>()?;
    (1..=TERMS_MAX).contains(&terms.len()).then_some(Measured::Sum {
        terms,
        n_left: left.terms.len(),
        is_equal_enough: true,
    })
}

fn reads_standing(plan: &Plan, comparison: &Comparison) -> bool {
    use super::plan::TextOperand::Segment;
    match &comparison.test {
        Test::Linear { left, right, .. } => sum_reads_standing(plan, left) || sum_reads_standing(plan, right),
        Test::LinearIn { left, .. } => sum_reads_standing(plan, left),
        Test::Text { left, right, .. } => matches!(left, Segment(_)) || matches!(right, Segment(_)),
        Test::TextIn { left, .. } => matches!(left, Segment(_)),
        Test::Flag { .. } | Test::Has(_) => false,
    }
}

fn sum_reads_standing(plan: &Plan, sum: &Linear) -> bool {
    sum.terms.iter().any(|(_, feature)| match plan.feature(*feature) {
        Feature::SegmentAge(_) => true,
        Feature::Score(score) => sum_reads_standing(plan, &plan.score(*score).of),
        _ => false,
    })
}
