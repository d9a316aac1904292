//! One history under two sets of rules: whose standing differs, from when on, and how large segments are under each.
//!
//! Dimensions and segments are the same when their names are. What always holds: a customer is listed with the instant from
//! which the two standings were never the same again.

use std::collections::{BTreeMap, BTreeSet};

use super::history::History;
use super::journal::Customer;
use super::measure::slot_names;
use super::model::{Comparison, Difference, Differs, Pair, Side, SizePair, Time};
use super::period::Period;
use crate::event::Instant;
use crate::rules::plan::{DimensionId, SegmentId};

/// Compares what `one` says with what `other` does; each names its rules. At most `limit` customers are listed for each
/// dimension.
pub fn compare(one: (&str, &History), other: (&str, &History), period: &Period, limit: usize) -> Comparison {
    let side = |(rules, history): (&str, &History)| Side {
        rules: rules.to_owned(),
        rules_version: history.watch.plan.version.to_string(),
    };
    let names = |history: &History| -> Vec<String> {
        history.watch.plan.dimensions.iter().map(|dimension| dimension.name.to_string()).collect()
    };
    let (ours, theirs) = (names(one.1), names(other.1));
    let missing = |from: &[String], names: &[String]| -> Vec<String> {
        names.iter().filter(|name| !from.contains(name)).cloned().collect()
    };
    let both = ours
        .iter()
        .enumerate()
        .filter_map(|(index, name)| Some((index, theirs.iter().position(|other| other == name)?)));
    let difference = |(in_one, in_other): (usize, usize)| {
        let mut compared = Compared::new(View::new(one.1, in_one), View::new(other.1, in_other), period);
        pairs(&one.1.customers, &other.1.customers).for_each(|(one, other)| compared.add(one, other));
        compared.finish(&ours[in_one], limit)
    };
    Comparison {
        one: side(one),
        other: side(other),
        dimensions: both.map(difference).collect(),
        only_in_one: missing(&theirs, &ours),
        only_in_other: missing(&ours, &theirs),
    }
}

/// Customers of both, by id; whoever is missing on one side is `None` there.
fn pairs<'h>(
    one: &'h [Customer],
    other: &'h [Customer],
) -> impl Iterator<Item = (Option<&'h Customer>, Option<&'h Customer>)> {
    let (mut one, mut other) = (one.iter().peekable(), other.iter().peekable());
    std::iter::from_fn(move || match (one.peek(), other.peek()) {
        (None, None) => None,
        (Some(ours), Some(theirs)) if ours.id == theirs.id => Some((one.next(), other.next())),
        (Some(ours), Some(theirs)) if ours.id > theirs.id => Some((None, other.next())),
        (Some(_), _) => Some((one.next(), None)),
        (None, Some(_)) => Some((None, other.next())),
    })
}

/// One dimension of one history.
struct View<'h> {
    dimension: DimensionId,
    names: Vec<&'h str>,
    /// Sizes at the end, by slot.
    sizes: Vec<u64>,
}

impl<'h> View<'h> {
    fn new(history: &'h History, dimension: usize) -> View<'h> {
        let names = slot_names(&history.watch.plan, dimension);
        View { dimension: DimensionId(dimension as u8), sizes: vec![0; names.len()], names }
    }

    /// Where the customer stood from when on; before they came, nowhere.
    fn timeline(&mut self, customer: Option<&Customer>) -> Vec<(Instant, Option<&'h str>)> {
        let mut timeline = vec![(Instant(i64::MIN), None)];
        let Some(customer) = customer else { return timeline };
        let name = |to: Option<SegmentId>| Some(self.names[super::measure::slot_of(to)]);
        timeline.push((customer.first, name(None)));
        let moves = customer.moves.iter().filter(|one| one.dimension == self.dimension);
        timeline.extend(moves.map(|one| (one.at, name(one.to))));
        let last = customer.moves.iter().filter(|one| one.dimension == self.dimension).last();
        self.sizes[super::measure::slot_of(last.and_then(|one| one.to))] += 1;
        timeline
    }
}

/// What was found in one dimension.
struct Compared<'h> {
    one: View<'h>,
    other: View<'h>,
    period: &'h Period,
    n_ever: u64,
    first: Option<Instant>,
    cells: BTreeMap<(Option<&'h str>, Option<&'h str>), u64>,
    differing: Vec<Differs>,
}

impl<'h> Compared<'h> {
    fn new(one: View<'h>, other: View<'h>, period: &'h Period) -> Compared<'h> {
        Compared { one, other, period, n_ever: 0, first: None, cells: BTreeMap::new(), differing: Vec::new() }
    }

    fn add(&mut self, one: Option<&Customer>, other: Option<&Customer>) {
        let Some(id) = one.or(other).map(|customer| &customer.id) else { return };
        let (ours, theirs) = (self.one.timeline(one), self.other.timeline(other));
        let found = stretches(&ours, &theirs, self.period);
        *self.cells.entry((found.one, found.other)).or_default() += 1;
        if let Some(first) = found.first {
            self.n_ever += 1;
            self.first = Some(self.first.map_or(first, |known| known.min(first)));
            if let Some(since) = found.since {
                let [one, other] = [found.one, found.other].map(|name| name.map(str::to_owned));
                let (since, first_differed) = (Time(since), Time(first));
                self.differing.push(Differs { customer_id: id.to_string(), one, other, since, first_differed });
            }
        }
    }

    fn finish(mut self, dimension: &str, limit: usize) -> Difference {
        let differ = self.differing.len() as u64;
        self.differing.sort_by(|a, b| (a.since, &a.customer_id).cmp(&(b.since, &b.customer_id)));
        self.differing.truncate(limit);
        let owned = |name: Option<&str>| name.map(str::to_owned);
        let cells = self.cells.iter();
        let cells = cells.map(|((one, other), n)| Pair { one: owned(*one), other: owned(*other), customers: *n });
        Difference {
            dimension: dimension.to_owned(),
            differ,
            ever_differed: self.n_ever,
            first: self.first.map(Time),
            sizes: self.sizes(),
            cells: cells.collect(),
            customers: self.differing,
        }
    }

    /// In the order of the one, then those that only the other has, then none.
    fn sizes(&self) -> Vec<SizePair> {
        let known: BTreeSet<&str> = self.one.names.iter().copied().collect();
        let more = self.other.names.iter().copied().filter(|name| !known.contains(name));
        let names = self.one.names[1..].iter().copied().chain(more).chain([super::measure::NONE]);
        let size = |view: &View<'_>, name: &str| {
            view.names.iter().position(|known| *known == name).map(|slot| view.sizes[slot])
        };
        let pair = |name: &str| SizePair {
            segment: name.to_owned(),
            one: size(&self.one, name),
            other: size(&self.other, name),
        };
        names.map(pair).collect()
    }
}

/// How two timelines differ.
struct Stretches<'h> {
    /// The first difference within the period.
    first: Option<Instant>,
    /// Since when they differ at the end, if they do.
    since: Option<Instant>,
    /// At the end.
    one: Option<&'h str>,
    other: Option<&'h str>,
}

fn stretches<'h>(
    ours: &[(Instant, Option<&'h str>)],
    theirs: &[(Instant, Option<&'h str>)],
    period: &Period,
) -> Stretches<'h> {
    let (mut i, mut j) = (0, 0);
    let mut found = Stretches { first: None, since: None, one: ours[0].1, other: theirs[0].1 };
    loop {
        let next = |timeline: &[(Instant, Option<&str>)], index: usize| timeline.get(index + 1).map(|(at, _)| *at);
        let at = match (next(ours, i), next(theirs, j)) {
            (None, None) => return found,
            (one, other) => one.unwrap_or(Instant::NEVER).min(other.unwrap_or(Instant::NEVER)),
        };
        // Every move of that instant, so that what is passed through within it does not count.
        while next(ours, i) == Some(at) {
            i += 1;
        }
        while next(theirs, j) == Some(at) {
            j += 1;
        }
        let differed = found.since.is_some();
        (found.one, found.other) = (ours[i].1, theirs[j].1);
        if found.one == found.other {
            // A difference that was over before the period began is none of its.
            if differed && !period.has(at) {
                found.first = None;
            }
            found.since = None;
        } else if !differed {
            found.since = Some(at);
            found.first = found.first.or(Some(at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        ours: &[(i64, &'static str)],
        theirs: &[(i64, &'static str)],
        from: Option<i64>,
    ) -> (Option<i64>, Option<i64>) {
        let timeline = |moves: &[(i64, &'static str)]| {
            let moves = moves.iter().map(|(at, to)| (Instant(*at), Some(*to)));
            std::iter::once((Instant(i64::MIN), None)).chain(moves).collect::<Vec<_>>()
        };
        let period = Period { from: from.map(Instant), end: Instant(100), samples: Vec::new() };
        let found = stretches(&timeline(ours), &timeline(theirs), &period);
        (found.first.map(|at| at.0), found.since.map(|at| at.0))
    }

    #[test]
    fn a_difference_has_a_first_instant_and_one_from_which_it_lasts() {
        let ours = [(0, "none"), (10, "a"), (50, "b")];
        assert_eq!(check(&ours, &ours, None), (None, None));
        assert_eq!(check(&ours, &[(0, "none"), (20, "a"), (50, "b")], None), (Some(10), None));
        assert_eq!(check(&ours, &[(0, "none"), (20, "a"), (60, "c")], None), (Some(10), Some(50)));
        // Both moves of one instant are one difference or none.
        assert_eq!(check(&ours, &[(0, "none"), (10, "b"), (10, "a"), (50, "b")], None), (None, None));
    }

    #[test]
    fn what_was_over_before_the_period_is_none_of_its() {
        let (ours, theirs) = ([(0, "none"), (10, "a"), (50, "b")], [(0, "none"), (20, "a"), (60, "c")]);
        assert_eq!(check(&ours, &theirs, Some(30)), (Some(50), Some(50)));
        assert_eq!(check(&ours, &theirs, Some(15)), (Some(10), Some(50)));
    }
}
