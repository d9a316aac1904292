//! Recency, frequency, money: cuts at the fifths of the customers, and the groups that the scores make.
//!
//! A cut is the least value that a fifth, two, three, four fifths of the customers lie below. Many customers bought once,
//! so several cuts may be one: then there are fewer scores. Groups are the ten that have become custom, on recency and the
//! mean of frequency and money, both from 1 to 5; with fewer scores those that can still be told apart.

use super::history::Buyer;
use super::round;
use super::{Lack, share};
use crate::event::Amount;

const FIFTHS: usize = 5;

#[derive(Debug, Clone, PartialEq)]
pub struct Rfm {
    pub window_days: i64,
    pub n_customers: u64,
    pub recency: Score,
    /// None: all bought equally often.
    pub frequency: Option<Score>,
    /// None: all spent equally much.
    pub money: Option<Score>,
    /// In the order of the rules file.
    pub groups: Vec<Group>,
}

/// A score's cuts, ascending, and how many customers have each score, from 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    pub cuts: Vec<Cut>,
    pub n_customers: Vec<u64>,
}

/// In days, purchases, or 1/10 000 of the currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    pub exact: i64,
    /// As people would write it.
    pub value: i64,
}

/// Customers with scores in two ranges, both ends counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    pub name: &'static str,
    pub label: &'static str,
    pub action: &'static str,
    pub recency: (u64, u64),
    /// Of the sum of frequency and money, or of the one that there is.
    pub weight: (u64, u64),
    pub n_customers: u64,
    pub share_of_customers: f64,
}

/// Name, label, action, and from which to which fifth in recency and in weight. They cover all 25 places once.
type Place = (&'static str, &'static str, &'static str, (u64, u64), (u64, u64));
const GROUPS: [Place; 10] = [
    ("champions", "Champions", "recommend_the_best", (5, 5), (4, 5)),
    ("loyal", "Loyal", "care", (3, 4), (4, 5)),
    ("potential_loyalists", "Potential loyalists", "encourage", (4, 5), (2, 3)),
    ("new", "New", "welcome", (5, 5), (1, 1)),
    ("promising", "Promising", "encourage", (4, 4), (1, 1)),
    ("need_attention", "Need attention", "remind", (3, 3), (3, 3)),
    ("about_to_sleep", "About to sleep", "remind", (3, 3), (1, 2)),
    ("cannot_lose", "Cannot lose them", "call", (1, 2), (5, 5)),
    ("at_risk", "At risk", "wake_with_coupon", (1, 2), (3, 4)),
    ("hibernating", "Hibernating", "regular_offers", (1, 2), (1, 2)),
];

/// Finds cuts and groups of those who bought within the window.
pub fn suggest(buyers: &[Buyer], window_days: i64) -> Result<Rfm, Lack> {
    let n = buyers.len();
    let away: Vec<i64> = buyers.iter().map(|buyer| buyer.away_days).collect();
    let recency = score(&away, round::days).ok_or(Lack::Recency { n, away_days: away[0] })?.falling();
    let counts: Vec<i64> = buyers.iter().map(|buyer| i64::try_from(buyer.n_purchases).unwrap_or(i64::MAX)).collect();
    let frequency = score(&counts, |n| round::count(n.unsigned_abs()) as i64);
    let nets: Vec<i64> = buyers.iter().map(|buyer| buyer.net.0).collect();
    let money = score(&nets, |net| round::money(Amount(net)).0);
    if frequency.is_none() && money.is_none() {
        return Err(Lack::Sameness { n });
    }
    let mut rfm = Rfm { window_days, n_customers: n as u64, recency, frequency, money, groups: Vec::new() };
    let standings: Vec<(u64, u64)> = buyers
        .iter()
        .map(|buyer| {
            let weight = rfm.frequency.iter().map(|score| score.of(buyer.n_purchases as i64)).sum::<u64>()
                + rfm.money.iter().map(|score| score.of(buyer.net.0)).sum::<u64>();
            (rfm.recency.highest() + 1 - rfm.recency.of(buyer.away_days), weight)
        })
        .collect();
    let (least, most) = rfm.weights();
    let highest = rfm.recency.highest();
    rfm.groups = GROUPS.iter().filter_map(|group| placed(group, highest, (least, most), &standings)).collect();
    Ok(rfm)
}

impl Rfm {
    /// The least and the most that the scores of frequency and money can add up to.
    pub fn weights(&self) -> (u64, u64) {
        let scores = || [&self.frequency, &self.money].into_iter().flatten();
        (scores().count() as u64, scores().map(Score::highest).sum())
    }
}

impl Score {
    pub fn highest(&self) -> u64 {
        self.cuts.len() as u64 + 1
    }

    /// One and the number of cuts that the value reaches.
    fn of(&self, value: i64) -> u64 {
        1 + self.cuts.iter().filter(|cut| cut.value <= value).count() as u64
    }

    /// The same cuts, with the customers in the order of a falling score.
    fn falling(mut self) -> Score {
        self.n_customers.reverse();
        self
    }
}

/// Cuts the values at their fifths; none if nothing tells them apart.
fn score(values: &[i64], round: impl Fn(i64) -> i64) -> Option<Score> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let mut exact: Vec<i64> = (1..FIFTHS)
        .filter_map(|fifth| {
            let n_below = (fifth * sorted.len()).div_ceil(FIFTHS);
            let below = *sorted.get(n_below.checked_sub(1)?)?;
            sorted[n_below..].iter().copied().find(|value| *value > below)
        })
        .collect();
    // What was sent back for more than was bought is nothing that anybody would cut at.
    exact.retain(|cut| *cut > 0);
    exact.dedup();
    if exact.is_empty() {
        return None;
    }
    let cuts = round::all(&exact, round).into_iter().zip(&exact).map(|(value, exact)| Cut { exact: *exact, value });
    let mut score = Score { cuts: cuts.collect(), n_customers: vec![0; exact.len() + 1] };
    for value in values {
        let place = score.of(*value) - 1;
        score.n_customers[place as usize] += 1;
    }
    Some(score)
}

/// The group in terms of the scores that there are; none if no scores lead there.
fn placed(group: &Place, highest: u64, weights: (u64, u64), standings: &[(u64, u64)]) -> Option<Group> {
    let (name, label, action, recency, weight) = *group;
    let recency = range((1, highest), recency)?;
    let weight = range(weights, weight)?;
    let is_in = |(r, w): &&(u64, u64)| (recency.0..=recency.1).contains(r) && (weight.0..=weight.1).contains(w);
    let n_customers = standings.iter().filter(is_in).count() as u64;
    let share_of_customers = share(n_customers, standings.len() as u64);
    Some(Group { name, label, action, recency, weight, n_customers, share_of_customers })
}

/// Which of the values from `least` to `most` lie in a range of fifths, when they are spread evenly over 1 to 5.
fn range((least, most): (u64, u64), (from, to): (u64, u64)) -> Option<(u64, u64)> {
    let fifth = |value: u64| {
        let (place, width) = (value - least, most - least);
        // To the nearest, halves up.
        1 + (place * 4 * 2 + width) / (2 * width.max(1))
    };
    let mut within = (least..=most).filter(|value| (from..=to).contains(&fifth(*value)));
    let first = within.next()?;
    Some((first, within.next_back().unwrap_or(first)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_are_at_the_fifths_and_no_two_are_the_same() {
        let values: Vec<i64> = (1..=100).collect();
        let cuts: Vec<i64> =
            score(&values, |value| value).expect("they differ").cuts.iter().map(|cut| cut.exact).collect();
        assert_eq!(cuts, [21, 41, 61, 81]);
        let once = [vec![1; 70], vec![2; 20], vec![7; 10]].concat();
        let score = score(&once, |value| value).expect("they differ");
        assert_eq!(score.cuts.iter().map(|cut| cut.exact).collect::<Vec<_>>(), [2, 7]);
        assert_eq!(score.n_customers, [70, 20, 10]);
        assert!(super::score(&[4; 30], |value| value).is_none());
    }

    #[test]
    fn every_place_is_in_exactly_one_group_however_many_scores_there_are() {
        for highest in 2..=5 {
            for weights in [(1, 2), (1, 3), (1, 5), (2, 4), (2, 7), (2, 10)] {
                let places: Vec<(u64, u64)> =
                    (1..=highest).flat_map(|r| (weights.0..=weights.1).map(move |w| (r, w))).collect();
                let groups: Vec<Group> =
                    GROUPS.iter().filter_map(|group| placed(group, highest, weights, &places)).collect();
                for place in &places {
                    let n = groups
                        .iter()
                        .filter(|group| {
                            let (r, w) = (group.recency, group.weight);
                            (r.0..=r.1).contains(&place.0) && (w.0..=w.1).contains(&place.1)
                        })
                        .count();
                    assert_eq!(n, 1, "{place:?} of {highest} and {weights:?}");
                }
                assert!(groups.iter().all(|group| group.n_customers > 0));
                let has_all = highest == 5 && weights.1 - weights.0 >= 2;
                assert_eq!(groups.len() == 10, has_all, "{highest} {weights:?}");
            }
        }
    }
}
