//! Active, at risk, dormant: after how many days without a purchase.

use super::Lack;
use super::history::History;
use super::returns::Returns;
use super::round::days_up;
use crate::event::Instant;

/// Of those who come back, so many have done so before a customer counts as dormant, and as at risk.
pub const DORMANT_SHARE: f64 = 0.95;
pub const AT_RISK_SHARE: f64 = 0.80;
/// One in twenty is 5 %.
const RETURNS_MIN: u64 = 20;

/// When a customer has been away for long.
#[derive(Debug, Clone, PartialEq)]
pub struct Behaviour {
    pub dormant: Away,
    /// None where rounding leaves no room before `dormant`.
    pub at_risk: Option<Away>,
    pub n_returned_customers: u64,
    pub n_gaps_ended: u64,
    pub n_gaps_open: u64,
    /// The share of visits after which another one ever came.
    pub share_ever: f64,
    /// What the gaps that ended say by themselves: `dormant.exact_days` without the correction.
    pub uncorrected_days: i64,
}

/// A number of days without a purchase.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Away {
    /// As people would write it.
    pub days: i64,
    /// Within so many days the share has come back.
    pub exact_days: i64,
    /// The share that has come back before `days`.
    pub share_before: f64,
    /// Gaps, ended or not, that were watched for `exact_days` at least.
    pub n_watched: u64,
}

/// Reads the days off the gaps between visits.
pub fn suggest(history: &History, end: Option<Instant>) -> Result<Behaviour, Lack> {
    let open = history.open_gaps(end);
    if open.is_empty() {
        return Err(Lack::Purchases { window_days: history.n_days(end) });
    }
    let returns = Returns::new(history.gaps(), &open);
    let n = returns.n_ended();
    if n < RETURNS_MIN {
        return Err(Lack::Returns { n, least: RETURNS_MIN });
    }
    let found = (returns.days(DORMANT_SHARE), returns.days(AT_RISK_SHARE), returns.days_of_ended(DORMANT_SHARE));
    let (Some(dormant), Some(at_risk), Some(uncorrected_days)) = found else {
        return Err(Lack::Returns { n, least: RETURNS_MIN });
    };
    let n_days = history.n_days(end);
    // So near the end of the history the few longer gaps that it could show are not there yet.
    if dormant * 10 > n_days * 8 {
        return Err(Lack::LongerHistory { days: dormant, n_days });
    }
    let away = |exact_days: i64| {
        // Whoever comes back on that day must still be in time.
        let days = days_up(exact_days + 1);
        Away {
            days,
            exact_days,
            share_before: returns.share_within(days - 1),
            n_watched: returns.n_at_least(exact_days),
        }
    };
    let (dormant, at_risk) = (away(dormant), away(at_risk));
    Ok(Behaviour {
        dormant,
        at_risk: (at_risk.days < dormant.days).then_some(at_risk),
        n_returned_customers: history.n_returned() as u64,
        n_gaps_ended: n,
        n_gaps_open: returns.n_open(),
        share_ever: returns.share_ever(),
        uncorrected_days,
    })
}
