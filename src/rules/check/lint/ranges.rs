//! Sets of integers as ranges. Exact; the ends of the axis are the ends of `i128`.

/// Disjoint, ascending, not touching; both ends belong to each range.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Ranges(Vec<(i128, i128)>);

impl Ranges {
    pub(super) fn none() -> Ranges {
        Ranges::default()
    }

    /// From `low` to `high`, both included; nothing when they are crossed.
    pub(super) fn between(low: i128, high: i128) -> Ranges {
        Ranges(if low <= high { vec![(low, high)] } else { Vec::new() })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn intersect(&self, other: &Ranges) -> Ranges {
        let (mut a, mut b) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut found = Vec::new();
        while let (Some((a_low, a_high)), Some((b_low, b_high))) = (a.peek(), b.peek()) {
            let (low, high) = (*a_low.max(b_low), *a_high.min(b_high));
            if low <= high {
                found.push((low, high));
            }
            if a_high < b_high {
                a.next()
            } else {
                b.next()
            };
        }
        Ranges(found)
    }

    pub(super) fn union(&self, other: &Ranges) -> Ranges {
        let mut all: Vec<_> = self.0.iter().chain(&other.0).copied().collect();
        all.sort_unstable();
        let mut joined: Vec<(i128, i128)> = Vec::with_capacity(all.len());
        for (low, high) in all {
            match joined.last_mut() {
                Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
                _ => joined.push((low, high)),
            }
        }
        Ranges(joined)
    }

    /// What of `self` is not in `other`.
    pub(super) fn without(&self, other: &Ranges) -> Ranges {
        let mut gaps = Vec::with_capacity(other.0.len() + 1);
        let mut low = Some(i128::MIN);
        for (start, end) in &other.0 {
            if let Some(low) = low.filter(|low| low < start) {
                gaps.push((low, start - 1));
            }
            low = end.checked_add(1);
        }
        gaps.extend(low.map(|low| (low, i128::MAX)));
        self.intersect(&Ranges(gaps))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ranges() -> impl Strategy<Value = Ranges> {
        prop::collection::vec((-20_i128..20, 0_i128..6), 0..5).prop_map(|parts| {
            parts.into_iter().fold(Ranges::none(), |set, (low, len)| set.union(&Ranges::between(low, low + len)))
        })
    }

    fn has(set: &Ranges, x: i128) -> bool {
        set.0.iter().any(|(low, high)| (*low..=*high).contains(&x))
    }

    proptest! {
        #[test]
        fn sets_behave_as_sets(a in ranges(), b in ranges()) {
            for x in -30..30 {
                prop_assert_eq!(has(&a.intersect(&b), x), has(&a, x) && has(&b, x));
                prop_assert_eq!(has(&a.union(&b), x), has(&a, x) || has(&b, x));
                prop_assert_eq!(has(&a.without(&b), x), has(&a, x) && !has(&b, x));
            }
            prop_assert!(a.without(&a).is_empty());
            prop_assert_eq!(a.union(&a), a);
        }
    }

    #[test]
    fn the_ends_of_the_axis_belong_to_it() {
        let all = Ranges::between(i128::MIN, i128::MAX);
        assert!(all.without(&all).is_empty());
        assert_eq!(all.without(&Ranges::none()), all);
        assert_eq!(all.without(&Ranges::between(0, i128::MAX)), Ranges::between(i128::MIN, -1));
    }
}
