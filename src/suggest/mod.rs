//! Thresholds read off a history: when somebody is gone, what is much money, who is recent and frequent, who looks
//! around. The figures, how they were found, and the rules file that is made of them.
//!
//! Each part says what it lacks when the history cannot carry it. Nothing here reads files, and nothing decides what a
//! customer is: people look at the suggestion first. What always holds: the same events give the same suggestion, in
//! whatever order they came; the file that is written is accepted without a warning.

pub mod history;

pub mod breaks;
pub mod returns;
pub mod round;

pub mod behaviour;
pub mod browsing;
pub mod rfm;
pub mod spend;

mod figures;
mod rules_file;
mod trials;

use crate::event::{Amount, Instant};

use behaviour::Behaviour;
use browsing::Browsing;
use history::History;
use rfm::Rfm;
use spend::Spend;

pub use figures::figures;
pub use rules_file::{Settings, rules_file};

/// Fewer customers show nothing of a shop.
const CUSTOMERS_MIN: usize = 10;
/// The windows of a suggestion, in days; a history carries one that it covers to nine tenths.
const WINDOWS_DAYS: [i64; 4] = [365, 180, 90, 30];

/// All that a history suggests.
#[derive(Debug)]
pub struct Suggestion {
    pub period: Period,
    pub behaviour: Result<Behaviour, Lack>,
    pub spend: Result<Spend, Lack>,
    pub rfm: Result<Rfm, Lack>,
    /// None: nobody browsed.
    pub browsing: Option<Result<Browsing, Lack>>,
}

/// What the history was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first event.
    pub first: Instant,
    /// The last event, or the end that was asked for.
    pub end: Instant,
    /// Local days, both ends counted.
    pub n_days: i64,
    pub n_events: u64,
    pub n_customers: u64,
    pub has_refunds: bool,
}

/// Why there is no suggestion.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lack {
    #[error("nobody bought anything in the last {window_days} days")]
    Purchases { window_days: i64 },
    #[error("{n} times somebody came back to buy; at least {least} are needed to say within how many days 95 % do")]
    Returns { n: u64, least: u64 },
    #[error("95 % of those who come back need {days} days, and the history has {n_days}: it must be longer")]
    LongerHistory { days: i64, n_days: i64 },
    #[error("the history has {n_days} days; a month is the least")]
    Month { n_days: i64 },
    #[error("{n} customers {did} in the last {window_days} days; at least {least} are needed", least = CUSTOMERS_MIN)]
    Customers { n: usize, did: &'static str, window_days: i64 },
    #[error("no purchase has an amount above 0")]
    Money,
    #[error("all {n} customers spent {amount}: nothing tells them apart")]
    Difference { n: usize, amount: Amount },
    #[error("all {n} customers bought {away_days} days before the end: nothing tells them apart")]
    Recency { n: usize, away_days: i64 },
    #[error("{n} customers bought once each for the same money: nothing tells them apart")]
    Sameness { n: usize },
    #[error("of {n} customers who browsed, hardly anyone did more than once")]
    Browsing { n: usize },
}

/// Suggests what the history carries. It is looked at at `end`, or at its last event. Without an event there is nothing to
/// look at.
pub fn suggest(history: &History, end: Option<Instant>) -> Option<Suggestion> {
    let (first, last) = history.ends()?;
    let n_days = history.n_days(end);
    let period = Period {
        first,
        end: end.unwrap_or(last),
        n_days,
        n_events: history.n_events,
        n_customers: history.n_customers() as u64,
        has_refunds: history.n_refunds > 0,
    };
    let window_days = WINDOWS_DAYS.into_iter().find(|window| n_days * 10 >= window * 9);
    let in_window = window_days.ok_or(Lack::Month { n_days }).and_then(|window_days| {
        let buyers = history.buyers(end, window_days);
        match buyers.len() {
            0 => Err(Lack::Purchases { window_days }),
            n if n < CUSTOMERS_MIN => Err(Lack::Customers { n, did: "bought", window_days }),
            _ => Ok((window_days, buyers)),
        }
    });
    let spend = in_window.as_ref().map_err(Lack::clone).and_then(|(days, buyers)| spend::suggest(buyers, *days));
    let rfm = in_window.as_ref().map_err(Lack::clone).and_then(|(days, buyers)| rfm::suggest(buyers, *days));
    Some(Suggestion {
        period,
        behaviour: behaviour::suggest(history, end),
        spend,
        rfm,
        browsing: browsing::suggest(history, end),
    })
}

impl Suggestion {
    /// Whether there is anything to put into a rules file.
    pub fn is_empty(&self) -> bool {
        let browsing = self.browsing.as_ref().is_some_and(Result::is_ok);
        self.behaviour.is_err() && self.spend.is_err() && self.rfm.is_err() && !browsing
    }

    /// The parts that the history does not carry, and why.
    pub fn lacks(&self) -> Vec<(&'static str, &Lack)> {
        let parts = [
            ("behaviour", self.behaviour.as_ref().err()),
            ("spend", self.spend.as_ref().err()),
            ("rfm", self.rfm.as_ref().err()),
            ("browsing", self.browsing.as_ref().and_then(|browsing| browsing.as_ref().err())),
        ];
        parts.into_iter().filter_map(|(name, lack)| Some((name, lack?))).collect()
    }
}

/// `part` of `whole`; of nothing it is nothing.
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests;
