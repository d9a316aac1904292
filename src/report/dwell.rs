//! How long customers stay in a segment: the Kaplan–Meier estimate (Kaplan and Meier 1958), so that stays that were not
//! over when the history ended count as "at least so long" and not as short ones.
//!
//! It sees lengths alone. What always holds: when all stays are over, the answer is the plain quantile.

use crate::event::Span;

/// One stay in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stay {
    /// How long it had lasted when it ended, or when the history did.
    pub length: Span,
    /// Whether it was over before the history was.
    pub has_ended: bool,
}

/// Stays of one segment.
#[derive(Debug, Default)]
pub struct Stays(Vec<Stay>);

/// What half of them, and nine in ten, last at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quantiles {
    /// `None`: more than half last longer than anything that was seen.
    pub median: Option<Span>,
    pub p90: Option<Span>,
}

/// Survival is a product of fractions; what misses a quantile by less reaches it.
const NEARLY: f64 = 1e-9;

impl Stays {
    pub fn push(&mut self, stay: Stay) {
        self.0.push(stay);
    }

    pub fn n(&self) -> u64 {
        self.0.len() as u64
    }

    pub fn n_ended(&self) -> u64 {
        self.0.iter().filter(|stay| stay.has_ended).count() as u64
    }

    /// Of the length of all stays.
    pub fn quantiles(&self) -> Quantiles {
        let mut stays = self.0.clone();
        stays.sort_unstable();
        let mut quantiles = Quantiles::default();
        let (mut survival, mut index) = (1.0_f64, 0);
        while index < stays.len() {
            let length = stays[index].length;
            let same = stays[index..].iter().take_while(|stay| stay.length == length);
            let (n_same, n_over) = same.fold((0, 0), |(n, over), stay| (n + 1, over + usize::from(stay.has_ended)));
            if n_over > 0 {
                let n_at_risk = stays.len() - index;
                survival *= (n_at_risk - n_over) as f64 / n_at_risk as f64;
                quantiles.median = quantiles.median.or((survival <= 0.5 + NEARLY).then_some(length));
                quantiles.p90 = quantiles.p90.or((survival <= 0.1 + NEARLY).then_some(length));
            }
            index += n_same;
        }
        quantiles
    }

    /// The plain median of those that have ended: too short when many have not.
    pub fn median_of_ended(&self) -> Option<Span> {
        let mut lengths: Vec<Span> = self.0.iter().filter(|stay| stay.has_ended).map(|stay| stay.length).collect();
        let middle = lengths.len().checked_sub(1)? / 2;
        Some(*lengths.select_nth_unstable(middle).1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stays(lengths: &[(i64, bool)]) -> Stays {
        let stay = |(length, has_ended): &(i64, bool)| Stay { length: Span(*length), has_ended: *has_ended };
        Stays(lengths.iter().map(stay).collect())
    }

    #[test]
    fn the_textbook_example_of_remission_times() {
        // Freireich and others 1963, patients on 6-mercaptopurine: the median is 23 weeks, nine in ten is not reached.
        let ended = [6, 6, 6, 7, 10, 13, 16, 22, 23].map(|weeks| (weeks, true));
        let open = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35].map(|weeks| (weeks, false));
        let found = stays(&[&ended[..], &open[..]].concat()).quantiles();
        assert_eq!(found, Quantiles { median: Some(Span(23)), p90: None });
    }

    #[test]
    fn open_stays_lengthen_the_median() {
        let stays = stays(&[(1, true), (2, true), (9, false), (9, false), (9, false)]);
        assert_eq!((stays.quantiles().median, stays.median_of_ended()), (None, Some(Span(1))));
    }

    proptest! {
        #[test]
        fn without_open_stays_it_is_the_plain_quantile(mut lengths in prop::collection::vec(0_i64..50, 1..60)) {
            let found = stays(&lengths.iter().map(|length| (*length, true)).collect::<Vec<_>>()).quantiles();
            lengths.sort_unstable();
            let n = lengths.len();
            let plain = |share: usize| Some(Span(lengths[(n * share).div_ceil(10) - 1]));
            prop_assert_eq!(found, Quantiles { median: plain(5), p90: plain(9) });
        }
    }
}
