//! After how many days without a purchase is somebody gone? From the gaps between visits.
//!
//! A gap that has not ended is not a customer who never came back: somebody who bought last week has had a week. To leave
//! those out would make every gap look shorter than it is, since long ones are the ones still open. So the share that
//! has come back within `t` days is the estimate of Kaplan and Meier (1958, J. Am. Stat. Assoc. 53, 457–481), in which an
//! open gap counts among those who had the chance, for as long as it lasts. Part of all customers never comes back: the
//! share at the longest gap that ended stands for all who ever will (Maller and Zhou 1992, Biometrika 79, 731–739), and
//! "95 % of those who come back" is 95 % of it.
//!
//! What it cannot see: gaps longer than the history; and that those who buy often add many short gaps.

use std::collections::BTreeMap;

/// The share that has come back, by days since a visit.
#[derive(Debug, Clone, PartialEq)]
pub struct Returns {
    /// (days, share of all gaps that ended within them), ascending in both; one for each length of a gap that ended.
    curve: Vec<(i64, f64)>,
    /// How many gaps there are, ended or open, and of which lengths.
    lengths: BTreeMap<i64, (u64, u64)>,
}

impl Returns {
    /// `ended` and `open` gaps by their days.
    pub fn new(ended: &BTreeMap<i64, u64>, open: &BTreeMap<i64, u64>) -> Returns {
        let mut lengths: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
        for (days, n) in ended.iter().filter(|(_, n)| **n > 0) {
            lengths.entry(*days).or_default().0 = *n;
        }
        for (days, n) in open {
            lengths.entry(*days).or_default().1 = *n;
        }
        let mut n_at_risk: u64 = lengths.values().map(|(ended, open)| ended + open).sum();
        let mut away = 1.0;
        let mut curve = Vec::new();
        for (days, (ended, open)) in &lengths {
            if *ended > 0 {
                away *= 1.0 - *ended as f64 / n_at_risk as f64;
                curve.push((*days, 1.0 - away));
            }
            n_at_risk -= ended + open;
        }
        Returns { curve, lengths }
    }

    pub fn n_ended(&self) -> u64 {
        self.lengths.values().map(|(ended, _)| ended).sum()
    }

    pub fn n_open(&self) -> u64 {
        self.lengths.values().map(|(_, open)| open).sum()
    }

    /// Gaps, ended or open, that lasted so many days: those on which the estimate stands there.
    pub fn n_at_least(&self, days: i64) -> u64 {
        self.lengths.range(days..).map(|(_, (ended, open))| ended + open).sum()
    }

    /// The share of all gaps that ever end.
    pub fn share_ever(&self) -> f64 {
        self.curve.last().map_or(0.0, |(_, share)| *share)
    }

    /// The share of those who come back that has done so within so many days.
    pub fn share_within(&self, days: i64) -> f64 {
        let n_within = self.curve.partition_point(|(known, _)| *known <= days);
        match n_within.checked_sub(1) {
            Some(index) => self.curve[index].1 / self.share_ever(),
            None => 0.0,
        }
    }

    /// The fewest days within which so great a share of those who come back has done so.
    pub fn days(&self, share: f64) -> Option<i64> {
        let wanted = share * self.share_ever();
        self.curve.iter().find(|(_, within)| *within >= wanted).map(|(days, _)| *days)
    }

    /// The same of the gaps that ended, as if there were no others: what the estimate corrects.
    pub fn days_of_ended(&self, share: f64) -> Option<i64> {
        let wanted = share * self.n_ended() as f64;
        let mut n = 0;
        self.lengths.iter().find_map(|(days, (ended, _))| {
            n += ended;
            (*ended > 0 && n as f64 >= wanted).then_some(*days)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gaps<const N: usize>(gaps: [(i64, u64); N]) -> BTreeMap<i64, u64> {
        BTreeMap::from(gaps)
    }

    #[test]
    fn without_open_gaps_it_is_the_share_of_those_that_ended() {
        let returns = Returns::new(&gaps([(5, 50), (10, 45), (20, 5)]), &gaps([]));
        assert_eq!((returns.days(0.95), returns.days_of_ended(0.95)), (Some(10), Some(10)));
        assert_eq!(returns.days(0.96), Some(20));
        assert!((returns.share_within(9) - 0.5).abs() < 1e-12);
        assert_eq!(returns.share_within(4), 0.0);
    }

    /// The example of Kaplan and Meier's method in most textbooks: remission of 21 patients under 6-MP (Freireich 1963).
    #[test]
    fn the_estimate_is_that_of_the_textbook() {
        let ended = gaps([(6, 3), (7, 1), (10, 1), (13, 1), (16, 1), (22, 1), (23, 1)]);
        let open =
            gaps([(6, 1), (9, 1), (10, 1), (11, 1), (17, 1), (19, 1), (20, 1), (25, 1), (32, 2), (34, 1), (35, 1)]);
        let returns = Returns::new(&ended, &open);
        let away = [(6, 0.857), (7, 0.807), (10, 0.753), (13, 0.690), (16, 0.627), (22, 0.538), (23, 0.448)];
        for ((days, expected), (found_days, found)) in away.into_iter().zip(&returns.curve) {
            assert_eq!(days, *found_days);
            assert!((1.0 - found - expected).abs() < 0.000_6, "{days}: {found}");
        }
        assert_eq!((returns.n_ended(), returns.n_open(), returns.n_at_least(22)), (9, 12, 7));
    }

    /// Everyone comes back after 10 or, just as often, after 100 days; the history ends at random. What ended alone says
    /// that long gaps are rare.
    #[test]
    fn open_gaps_correct_for_the_end_of_the_history() {
        // 1 000 visits, evenly over 150 days before the end: one half comes back after 10 days, if there are so many.
        let (mut ended, mut open) = (BTreeMap::new(), BTreeMap::new());
        for days_to_end in 0..150 {
            for (gap, n) in [(10, 50), (100, 50)] {
                let (map, length) = if gap <= days_to_end { (&mut ended, gap) } else { (&mut open, days_to_end) };
                *map.entry(length).or_insert(0_u64) += n;
            }
        }
        let returns = Returns::new(&ended, &open);
        assert!((returns.share_within(10) - 0.5).abs() < 0.01, "{}", returns.share_within(10));
        let naive = 140.0 / 190.0;
        assert!(returns.share_within(10) < naive);
        assert!((returns.share_ever() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn with_nothing_there_is_nothing_to_say() {
        let returns = Returns::new(&gaps([]), &gaps([(3, 4)]));
        assert_eq!((returns.days(0.95), returns.days_of_ended(0.95), returns.share_ever()), (None, None, 0.0));
    }
}
