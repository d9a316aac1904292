//! Tests for the suggested rules, as they stand in a rules file: what one customer does, and where that brings them.

use std::fmt::Write;

use super::Suggestion;
use super::behaviour::Behaviour;
use super::browsing::{self, Browsing};
use super::rfm::Rfm;
use super::spend::Spend;
use crate::event::Amount;

/// A timeline repeats an event at most so often.
const REPEATED_MAX: u64 = 10_000;
const START: &str = "2026-01-05 10:00";

/// Writes a test for each dimension that was suggested.
pub fn write(suggestion: &Suggestion, text: &mut String) {
    let behaviour = suggestion.behaviour.as_ref().ok().map(behaviour);
    let spend = suggestion.spend.as_ref().ok().map(spend);
    let rfm = suggestion.rfm.as_ref().ok().and_then(rfm);
    let browsing = suggestion.browsing.as_ref().and_then(|found| found.as_ref().ok()).and_then(browsing);
    let tests: Vec<(&str, String)> = [behaviour, spend, rfm, browsing].into_iter().flatten().collect();
    if !tests.is_empty() {
        text.push_str("\n\n# What these rules do; `dormouse check` plays it.\n");
    }
    for (name, timeline) in tests {
        write!(text, "\n[[test]]\nname = \"{name}\"\ntimeline = '''\n{timeline}'''\n")
            .expect("a string takes everything");
    }
}

fn behaviour(found: &Behaviour) -> (&'static str, String) {
    let mut timeline = format!("{START}   purchase 10\n    => behaviour = active\n");
    let mut days = 0;
    let steps = [(found.at_risk, "at_risk"), (Some(found.dormant), "dormant")];
    for (away, name) in steps.into_iter().filter_map(|(away, name)| Some((away?, name))) {
        writeln!(timeline, "+{}d   => behaviour = {name}", away.days - days).expect("a string takes everything");
        days = away.days;
    }
    timeline.push_str("    purchase 10\n    => behaviour = active from dormant\n");
    ("away, and back", timeline)
}

fn spend(found: &Spend) -> (&'static str, String) {
    let lowest = found.tiers.last().map_or("", |tier| tier.name);
    let mut timeline = format!("{START}   purchase 0\n    => spend = {lowest}\n");
    let mut spent = Amount::ZERO;
    for tier in found.tiers.iter().rev() {
        let Some(from) = &tier.from else { continue };
        let missing = Amount(from.amount.0 - spent.0);
        write!(timeline, "+1h   purchase {missing}\n    => spend = {}\n", tier.name)
            .expect("a string takes everything");
        spent = from.amount;
    }
    writeln!(timeline, "+{}d   => spend = none", found.window_days + 1).expect("a string takes everything");
    ("up the tiers of spending, and out", timeline)
}

/// The best customer there can be; none where that takes more purchases than a line can hold.
fn rfm(found: &Rfm) -> Option<(&'static str, String)> {
    let n = found.frequency.as_ref().map_or(1, |score| score.cuts.last().map_or(1, |cut| cut.value));
    let money = found.money.as_ref().map_or(Amount::ONE.0, |score| score.cuts.last().map_or(0, |cut| cut.value));
    let best = found
        .groups
        .first()
        .filter(|group| group.recency.1 == found.recency.highest() && group.weight.1 == found.weights().1)?;
    if n.unsigned_abs() > REPEATED_MAX {
        return None;
    }
    // In whole units, so that no rounding is in the way.
    let each = Amount((money / n / Amount::ONE.0 + 1) * Amount::ONE.0);
    let more = if n > 1 { format!(" x{n} every 1m") } else { String::new() };
    Some(("often, much, and just now", format!("{START}   purchase {each}{more}\n    => rfm = {}\n", best.name)))
}

fn browsing(found: &Browsing) -> Option<(&'static str, String)> {
    let often = found.often;
    let window = browsing::WINDOW_DAYS;
    let timeline = format!(
        "{START}   browse\n    => browsing = looking\n+1m   browse x{} every 1m\n    => browsing = keen\n\
         +1m   purchase 10\n    => browsing = looking\n+{window}d   => browsing = none\n",
        often - 1
    );
    (often <= REPEATED_MAX).then_some(("looks much, then buys", timeline))
}
