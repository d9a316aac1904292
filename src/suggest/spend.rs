//! Tiers of spending: where the money of a year, sorted, falls apart by itself.
//!
//! Natural breaks ([`super::breaks`]) of the logarithm: what customers spend spreads over powers of ten, and without it the
//! breaks would lie between the three largest customers and all others. As few tiers as explain nine tenths of the
//! variance, two to four; three when none does.

use super::breaks::{Breaks, natural};
use super::history::Buyer;
use super::round::{all, money, money_between};
use super::{Lack, share};
use crate::event::Amount;

const TIERS: [usize; 3] = [2, 3, 4];
const TIERS_OTHERWISE: usize = 3;
const FIT_ENOUGH: f64 = 0.9;
/// Whoever is in a tier stays there with so many tenths of its threshold.
const STAY_TENTHS: i64 = 8;

#[derive(Debug, Clone, PartialEq)]
pub struct Spend {
    pub window_days: i64,
    pub n_customers: u64,
    /// The highest first.
    pub tiers: Vec<Tier>,
    /// How much of the variance of the logarithm the breaks explain.
    pub fit: f64,
}

/// Customers who spent about as much.
#[derive(Debug, Clone, PartialEq)]
pub struct Tier {
    pub name: &'static str,
    /// None for the lowest: whoever bought.
    pub from: Option<Threshold>,
    pub n_customers: u64,
    pub share_of_customers: f64,
    pub share_of_money: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    /// As people would write it.
    pub amount: Amount,
    /// Enough to remain.
    pub stay: Amount,
    /// The break lies between these two customers.
    pub below: Amount,
    pub from: Amount,
}

/// Finds the tiers of those who bought within the window.
pub fn suggest(buyers: &[Buyer], window_days: i64) -> Result<Spend, Lack> {
    let mut spent: Vec<Amount> = buyers.iter().map(|buyer| buyer.net).filter(|net| *net > Amount::ZERO).collect();
    spent.sort_unstable();
    let distinct: Vec<(Amount, u64)> =
        spent.chunk_by(|one, other| one == other).map(|same| (same[0], same.len() as u64)).collect();
    match distinct.as_slice() {
        [] => return Err(Lack::Money),
        [(amount, _)] => return Err(Lack::Difference { n: spent.len(), amount: *amount }),
        _ => {}
    }
    let breaks = best(&distinct);
    let edges: Vec<(Amount, Amount)> =
        breaks.starts.iter().map(|start| (distinct[start - 1].0, distinct[*start].0)).collect();
    let exact: Vec<Amount> = edges.iter().map(|(_, from)| *from).collect();
    let rounded: Vec<Amount> = edges.iter().map(|(below, from)| money_between(*below, *from)).collect();
    let amounts =
        if all(&rounded, |amount| amount) == rounded && rounded.is_sorted_by(|a, b| a < b) { rounded } else { exact };
    let thresholds = amounts.into_iter().zip(edges).map(|(amount, (below, from))| {
        let stay = money(Amount(amount.0 / 10 * STAY_TENTHS));
        Threshold { amount, stay, below, from }
    });
    let thresholds: Vec<Threshold> = thresholds.collect();
    Ok(Spend { window_days, n_customers: buyers.len() as u64, tiers: tiers(buyers, &thresholds), fit: breaks.fit })
}

fn best(distinct: &[(Amount, u64)]) -> Breaks {
    let values: Vec<(f64, u64)> = distinct.iter().map(|(amount, n)| ((amount.0 as f64).ln(), *n)).collect();
    let possible = || TIERS.into_iter().filter(|tiers| *tiers <= values.len()).map(|tiers| natural(&values, tiers));
    let enough = possible().find(|breaks| breaks.fit >= FIT_ENOUGH);
    enough.unwrap_or_else(|| natural(&values, TIERS_OTHERWISE.min(values.len())))
}

/// Counts who is in which tier by its rounded threshold, from the highest down.
fn tiers(buyers: &[Buyer], thresholds: &[Threshold]) -> Vec<Tier> {
    let names: &[&'static str] = match thresholds.len() {
        1 => &["high", "low"],
        2 => &["high", "middle", "low"],
        _ => &["top", "high", "middle", "low"],
    };
    let place = |net: Amount| thresholds.iter().filter(|threshold| threshold.amount <= net).count();
    let money = |buyers: &mut dyn Iterator<Item = &Buyer>| -> f64 {
        buyers.map(|buyer| i128::from(buyer.net.0.max(0))).sum::<i128>() as f64
    };
    let all_money = money(&mut buyers.iter());
    let tier = |(name, place_of_tier): (&&'static str, usize)| {
        let within = || buyers.iter().filter(move |buyer| place(buyer.net) == place_of_tier);
        let n_customers = within().count() as u64;
        Tier {
            name,
            from: place_of_tier.checked_sub(1).map(|index| thresholds[index]),
            n_customers,
            share_of_customers: share(n_customers, buyers.len() as u64),
            share_of_money: money(&mut within()) / all_money,
        }
    };
    names.iter().zip((0..=thresholds.len()).rev()).map(tier).collect()
}
