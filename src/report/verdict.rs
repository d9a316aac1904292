//! The four classic tests of a segment: measurable, reachable, stable, large enough (after Kotler), each a number or
//! several against the shop's bounds.

use std::collections::{BTreeMap, BTreeSet};

use super::bought::Bought;
use super::history::History;
use super::model::{Measure, Segment, Share, Tests, Verdict};
use super::reads::Read;
use super::said::{count, percent, percent_finely};
use super::watch::Watch;
use crate::config::report::Bounds;
use crate::event::{Amount, AttributeId};

/// For how many customers, or events, what rules read is known.
pub struct Known<'h> {
    history: &'h History,
    /// Customers who have the attribute.
    attributes: BTreeMap<AttributeId, u64>,
}

impl<'h> Known<'h> {
    pub fn new(history: &'h History) -> Known<'h> {
        let mut attributes: BTreeMap<AttributeId, u64> = BTreeMap::new();
        let all = history.customers.iter().flat_map(|customer| &customer.attributes);
        for attribute in all.filter(|attribute| attribute.is_known) {
            *attributes.entry(attribute.id).or_default() += 1;
        }
        Known { history, attributes }
    }

    /// Of a profile attribute: the share of all customers; of a field: of the kind's events; of a kind: whether there
    /// were events at all.
    fn share(&self, read: Read) -> Option<Share> {
        match read {
            Read::Kind(kind) => Some(Share(if self.history.n_events[usize::from(kind.0)] > 0 { 1.0 } else { 0.0 })),
            Read::Field(kind, field) => {
                let index = self.history.watch.fields.binary_search(&(kind, field)).ok()?;
                let n_events = self.history.n_events[usize::from(kind.0)];
                Share::of(i128::from(self.history.n_known[index]), i128::from(n_events))
            }
            Read::Profile(attribute) => {
                let n = self.attributes.get(&attribute).copied().unwrap_or(0);
                Share::of(i128::from(n), self.history.customers.len() as i128)
            }
        }
    }
}

/// All four for one segment, which reads `reads`.
pub fn judge(segment: &Segment, reads: &BTreeSet<Read>, bought: &Bought, known: &Known<'_>, watch: &Watch) -> Tests {
    let bounds = &watch.settings.bounds;
    let read = |read: &Read| at_least(read.name(&watch.plan), known.share(*read), bounds.known_min);
    let measurable = Verdict::new(reads.iter().map(read).collect());
    Tests {
        // Rules that read nothing need nothing.
        measurable: Verdict { passes: measurable.passes.or(reads.is_empty().then_some(true)), ..measurable },
        reachable: reachable(segment, bought, watch),
        stable: stable(segment, bounds),
        large_enough: large_enough(segment, bounds),
    }
}

/// Nothing to say when neither a contact nor a consent is configured.
fn reachable(segment: &Segment, bought: &Bought, watch: &Watch) -> Verdict {
    let settings = &watch.settings;
    let lists = [&settings.contact, &settings.consent].into_iter().filter(|names| !names.is_empty());
    let ways: Vec<String> = lists.map(|names| names.join(" or ")).collect();
    if ways.is_empty() {
        return Verdict::new(Vec::new());
    }
    let found = Share::of(i128::from(bought.n_reachable), i128::from(segment.size));
    Verdict::new(vec![at_least(ways.join(", and "), found, settings.bounds.reachable_min)])
}

fn stable(segment: &Segment, bounds: &Bounds) -> Verdict {
    Verdict::new(vec![
        at_most("leave in 30 days".to_owned(), segment.flow, bounds.flow_max),
        at_most("of those are back soon".to_owned(), segment.flaps.rate, bounds.flap_max),
    ])
}

fn large_enough(segment: &Segment, bounds: &Bounds) -> Verdict {
    let size = Share(segment.size as f64);
    let size_min = Share(bounds.size_min as f64);
    let passes = Some(segment.size >= bounds.size_min);
    Verdict::new(vec![
        Measure { name: CUSTOMERS.to_owned(), value: Some(size), min: Some(size_min), max: None, passes },
        at_least("of all customers".to_owned(), Some(segment.share), bounds.size_share_min),
        at_least("of all money".to_owned(), segment.value_share, bounds.value_share_min),
    ])
}

/// The measure that is a number of customers and no share.
const CUSTOMERS: &str = "customers";

fn share(bound: Amount) -> Share {
    Share(bound.0 as f64 / Amount::ONE.0 as f64)
}

fn at_least(name: String, value: Option<Share>, bound: Amount) -> Measure {
    let min = share(bound);
    Measure { name, value, min: Some(min), max: None, passes: value.map(|value| value.0 >= min.0) }
}

fn at_most(name: String, value: Option<Share>, bound: Amount) -> Measure {
    let max = share(bound);
    Measure { name, value, min: None, max: Some(max), passes: value.map(|value| value.0 <= max.0) }
}

impl Verdict {
    /// Fails when one measure does, passes when any does and none fails.
    fn new(measures: Vec<Measure>) -> Verdict {
        let passes = measures.iter().filter_map(|measure| measure.passes).reduce(|all, one| all && one);
        Verdict { passes, measures }
    }

    /// What fails, for people: `0.4 % of all money (at least 1 %)`.
    pub fn complaint(&self) -> String {
        let failing = self.measures.iter().filter(|measure| measure.passes == Some(false));
        failing.map(Measure::said).collect::<Vec<_>>().join("; ")
    }
}

impl Measure {
    /// For people: `62.5 % leave in 30 days (at most 50 %)`.
    pub fn said(&self) -> String {
        let said = |share: Share| if self.name == CUSTOMERS { count(share.0 as u64) } else { percent(share) };
        // Rounded up to its bound, a number would seem to meet it.
        let finely = |share: Share| match self.min.or(self.max) {
            Some(bound) if self.name != CUSTOMERS && said(share) == said(bound) && share != bound => {
                percent_finely(share)
            }
            _ => said(share),
        };
        let value = self.value.map_or("unknown".to_owned(), finely);
        let min = self.min.map(|min| format!(" (at least {})", said(min)));
        let max = self.max.map(|max| format!(" (at most {})", said(max)));
        format!("{value} {}{}{}", self.name, min.unwrap_or_default(), max.unwrap_or_default())
    }
}
