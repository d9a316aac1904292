//! What can be said of a condition before any event: whether it can hold, whether it can fail, and what either says
//! of each thing that it asks about. Errs only on the side of "it can".

use std::collections::{BTreeMap, BTreeSet};

use super::ranges::Ranges;

/// The values that something may have: whole numbers or texts, and the states beside values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Values {
    pub(super) numbers: Ranges,
    pub(super) texts: Texts,
    pub(super) never: bool,
    pub(super) absent: bool,
}

/// These texts, or all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Texts {
    These(BTreeSet<Box<str>>),
    Others(BTreeSet<Box<str>>),
}

impl Texts {
    pub(super) fn none() -> Texts {
        Texts::These(BTreeSet::new())
    }

    fn is_empty(&self) -> bool {
        matches!(self, Texts::These(these) if these.is_empty())
    }

    fn intersect(&self, other: &Texts) -> Texts {
        match (self, other) {
            (Texts::These(a), Texts::These(b)) => Texts::These(a & b),
            (Texts::These(these), Texts::Others(others)) | (Texts::Others(others), Texts::These(these)) => {
                Texts::These(these - others)
            }
            (Texts::Others(a), Texts::Others(b)) => Texts::Others(a | b),
        }
    }

    fn inverted(&self) -> Texts {
        match self {
            Texts::These(these) => Texts::Others(these.clone()),
            Texts::Others(others) => Texts::These(others.clone()),
        }
    }
}

impl Values {
    pub(super) fn numbers(numbers: Ranges) -> Values {
        Values { numbers, texts: Texts::none(), never: false, absent: false }
    }

    pub(super) fn texts(texts: Texts) -> Values {
        Values { numbers: Ranges::none(), texts, never: false, absent: false }
    }

    fn is_empty(&self) -> bool {
        self.numbers.is_empty() && self.texts.is_empty() && !self.never && !self.absent
    }

    fn intersect(&self, other: &Values) -> Values {
        Values {
            numbers: self.numbers.intersect(&other.numbers),
            texts: self.texts.intersect(&other.texts),
            never: self.never && other.never,
            absent: self.absent && other.absent,
        }
    }

    fn union(&self, other: &Values) -> Values {
        Values {
            numbers: self.numbers.union(&other.numbers),
            texts: self.texts.inverted().intersect(&other.texts.inverted()).inverted(),
            never: self.never || other.never,
            absent: self.absent || other.absent,
        }
    }

    /// What of `self` is not in `other`.
    pub(super) fn without(&self, other: &Values) -> Values {
        Values {
            numbers: self.numbers.without(&other.numbers),
            texts: self.texts.intersect(&other.texts.inverted()),
            never: self.never && !other.never,
            absent: self.absent && !other.absent,
        }
    }
}

/// What one outcome of a condition says: `None` when it cannot come about, else for each subject (by `S`) the values
/// that it must then have.
type Outcome<S> = Option<BTreeMap<S, Values>>;

/// Both outcomes of a condition.
#[derive(Debug, Clone)]
pub(super) struct Possible<S> {
    holds: Outcome<S>,
    fails: Outcome<S>,
}

impl<S: Ord + Clone> Possible<S> {
    /// Nothing is known: both can be.
    pub(super) fn anything() -> Possible<S> {
        Possible { holds: Some(BTreeMap::new()), fails: Some(BTreeMap::new()) }
    }

    pub(super) fn constant(holds: bool) -> Possible<S> {
        let outcome = |is: bool| is.then(BTreeMap::new);
        Possible { holds: outcome(holds), fails: outcome(!holds) }
    }

    /// Holds exactly for some values of a subject, and fails exactly for others (they overlap where one cannot say).
    pub(super) fn about(subject: S, holds: Values, fails: Values) -> Possible<S> {
        let outcome = |values: Values| (!values.is_empty()).then(|| BTreeMap::from([(subject.clone(), values)]));
        Possible { holds: outcome(holds), fails: outcome(fails) }
    }

    pub(super) fn can_hold(&self) -> bool {
        self.holds.is_some()
    }

    pub(super) fn can_fail(&self) -> bool {
        self.fails.is_some()
    }

    pub(super) fn not(self) -> Possible<S> {
        Possible { holds: self.fails, fails: self.holds }
    }

    pub(super) fn all(parts: impl IntoIterator<Item = Possible<S>>) -> Possible<S> {
        let mut all = Possible::constant(true);
        for part in parts {
            all = Possible { holds: both(all.holds, part.holds), fails: either(all.fails, part.fails) };
        }
        all
    }

    pub(super) fn any(parts: impl IntoIterator<Item = Possible<S>>) -> Possible<S> {
        Possible::all(parts.into_iter().map(Possible::not)).not()
    }
}

fn both<S: Ord + Clone>(a: Outcome<S>, b: Outcome<S>) -> Outcome<S> {
    let mut joined = a?;
    for (subject, values) in b? {
        let values = match joined.get(&subject) {
            Some(known) => known.intersect(&values),
            None => values,
        };
        if values.is_empty() {
            return None;
        }
        joined.insert(subject, values);
    }
    Some(joined)
}

fn either<S: Ord + Clone>(a: Outcome<S>, b: Outcome<S>) -> Outcome<S> {
    match (a, b) {
        (None, other) | (other, None) => other,
        (Some(a), Some(b)) => {
            let shared = a.into_iter().filter_map(|(subject, values)| {
                let union = values.union(b.get(&subject)?);
                Some((subject, union))
            });
            Some(shared.collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_least(low: i128) -> Possible<&'static str> {
        let (holds, fails) = (Ranges::between(low, i128::MAX), Ranges::between(0, low - 1));
        Possible::about("x", Values::numbers(holds), Values::numbers(fails))
    }

    #[test]
    fn contradictions_and_tautologies_are_seen() {
        assert!(!Possible::all([at_least(4), at_least(3).not()]).can_hold());
        assert!(Possible::all([at_least(3), at_least(4).not()]).can_hold());
        assert!(!Possible::any([at_least(3), at_least(4).not()]).can_fail());
        assert!(!at_least(0).can_fail());
        assert!(!Possible::all([Possible::any([at_least(7), at_least(9)]), at_least(5).not()]).can_hold());
        assert!(Possible::all([Possible::any([at_least(7), Possible::anything()]), at_least(5).not()]).can_hold());
    }

    #[test]
    fn texts_can_be_these_or_others() {
        let is = |name: &str| {
            let these = BTreeSet::from([name.into()]);
            let absent = Values { absent: true, ..Values::texts(Texts::Others(these.clone())) };
            Possible::about("x", Values::texts(Texts::These(these)), absent)
        };
        assert!(!Possible::all([is("a"), is("b")]).can_hold());
        assert!(Possible::all([is("a").not(), is("b").not()]).can_hold());
        assert!(Possible::any([is("a"), is("a").not()]).can_hold());
        assert!(!Possible::any([is("a"), is("a").not()]).can_fail());
    }
}
