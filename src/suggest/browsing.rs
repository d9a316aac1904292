//! Who looks around much and does not buy.

use super::history::History;
use super::round::count;
use super::{CUSTOMERS_MIN, Lack, share};
use crate::event::Instant;

pub const WINDOW_DAYS: i64 = 30;

#[derive(Debug, Clone, PartialEq)]
pub struct Browsing {
    /// Customers who browsed within the window.
    pub n_browsers: u64,
    /// As many times as a fifth of them did.
    pub exact: u64,
    /// As people would write it.
    pub often: u64,
    /// Enough to remain.
    pub stay: u64,
    /// The share of them that browsed `often` times.
    pub share_often: f64,
}

/// None when nobody browsed.
pub fn suggest(history: &History, end: Option<Instant>) -> Option<Result<Browsing, Lack>> {
    let counts = history.browsers(end, WINDOW_DAYS);
    if counts.is_empty() {
        return None;
    }
    let n = counts.len();
    if n < CUSTOMERS_MIN {
        return Some(Err(Lack::Customers { n, did: "browsed", window_days: WINDOW_DAYS }));
    }
    let exact = counts[(4 * n).div_ceil(5).min(n - 1)];
    if exact < 3 {
        return Some(Err(Lack::Browsing { n }));
    }
    let often = count(exact);
    let n_often = counts.iter().filter(|times| **times >= often).count() as u64;
    let (n_browsers, stay) = (n as u64, often.div_ceil(2));
    Some(Ok(Browsing { n_browsers, exact, often, stay, share_often: share(n_often, n_browsers) }))
}
