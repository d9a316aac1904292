//! The suggestion as figures in JSON, for programs. Amounts are in the currency, shares from 0 to 1.

use serde_json::{Value, json};

use super::behaviour::{Away, Behaviour};
use super::browsing::{self, Browsing};
use super::rfm::{Cut, Rfm, Score};
use super::rules_file::Settings;
use super::spend::Spend;
use super::{Lack, Suggestion};
use crate::event::Amount;

/// All figures; a part that the history does not carry is `{"lacks": "…"}`.
pub fn figures(suggestion: &Suggestion, settings: &Settings<'_>) -> Value {
    let period = &suggestion.period;
    json!({
        "currency": settings.currency,
        "timezone": settings.timezone,
        "history": {
            "first": period.first.to_string(),
            "end": period.end.to_string(),
            "days": period.n_days,
            "events": period.n_events,
            "customers": period.n_customers,
        },
        "behaviour": or_lack(&suggestion.behaviour, behaviour),
        "spend": or_lack(&suggestion.spend, spend),
        "rfm": or_lack(&suggestion.rfm, rfm),
        "browsing": suggestion.browsing.as_ref().map(|found| or_lack(found, browsing)),
    })
}

fn or_lack<T>(found: &Result<T, Lack>, shown: impl Fn(&T) -> Value) -> Value {
    match found {
        Ok(found) => shown(found),
        Err(lack) => json!({ "lacks": lack.to_string() }),
    }
}

fn behaviour(found: &Behaviour) -> Value {
    let away = |away: &Away| {
        json!({
            "days": away.days,
            "exact_days": away.exact_days,
            "share_of_returns_before": rounded(away.share_before),
            "gaps_watched_so_long": away.n_watched,
        })
    };
    json!({
        "method": "kaplan-meier",
        "dormant": away(&found.dormant),
        "at_risk": found.at_risk.as_ref().map(away),
        "gaps_ended": found.n_gaps_ended,
        "gaps_open": found.n_gaps_open,
        "customers_who_came_back": found.n_returned_customers,
        "share_of_visits_followed_by_another": rounded(found.share_ever),
        "dormant_days_without_open_gaps": found.uncorrected_days,
    })
}

fn spend(found: &Spend) -> Value {
    let tiers = found.tiers.iter().map(|tier| {
        json!({
            "name": tier.name,
            "from": tier.from.map(|from| decimal(from.amount)),
            "stay": tier.from.map(|from| decimal(from.stay)),
            "break": tier.from.map(|from| [decimal(from.below), decimal(from.from)]),
            "customers": tier.n_customers,
            "share_of_customers": rounded(tier.share_of_customers),
            "share_of_money": rounded(tier.share_of_money),
        })
    });
    json!({
        "method": "natural breaks of the logarithm",
        "window_days": found.window_days,
        "customers": found.n_customers,
        "variance_explained": rounded(found.fit),
        "tiers": tiers.collect::<Vec<_>>(),
    })
}

fn rfm(found: &Rfm) -> Value {
    fn shown(score: &Score, unit: impl Fn(i64) -> Value) -> Value {
        let list = |value: fn(&Cut) -> i64| score.cuts.iter().map(|cut| unit(value(cut))).collect::<Vec<_>>();
        json!({ "cuts": list(|cut| cut.value), "exact": list(|cut| cut.exact), "customers": score.n_customers })
    }
    let groups = found.groups.iter().map(|group| {
        json!({
            "name": group.name,
            "customers": group.n_customers,
            "share_of_customers": rounded(group.share_of_customers),
        })
    });
    json!({
        "window_days": found.window_days,
        "customers": found.n_customers,
        "recency_days": shown(&found.recency, Value::from),
        "frequency": found.frequency.as_ref().map(|score| shown(score, Value::from)),
        "money": found.money.as_ref().map(|score| shown(score, |value| decimal(Amount(value)))),
        "groups": groups.collect::<Vec<_>>(),
    })
}

fn browsing(found: &Browsing) -> Value {
    json!({
        "window_days": browsing::WINDOW_DAYS,
        "customers": found.n_browsers,
        "often": found.often,
        "exact": found.exact,
        "stay": found.stay,
        "share_of_customers": rounded(found.share_often),
    })
}

/// The shortest number that reads as the amount.
fn decimal(amount: Amount) -> Value {
    amount.to_string().parse().map_or(Value::Null, Value::Number)
}

/// To four places: a share is no more certain than that.
fn rounded(share: f64) -> f64 {
    (share * 10_000.0).round() / 10_000.0
}
