//! The four classic tests of a segment: measurable, reachable, stable, large enough (after Kotler), each a number or
//! several against the shop's bounds.

use std::collections::{BTreeMap, BTreeSet};

use super::bought::Bought;
use super::history::History;
use super::model::{Measure, Segment, Share, Tests, Unit, Verdict};
use super::reads::{Field, Needs, Read};
use super::said::{count, percent, percent_finely};
use super::watch::Watch;
use crate::config::report::Bounds;
use crate::event::{Amount, AttributeId, KindId};

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

    /// Of a profile attribute: the share of all customers; of a field: of the kind's events, as far as these have to
    /// have one; otherwise whether there was any at all.
    fn measure(&self, read: Read, bounds: &Bounds) -> Measure {
        let watch = &self.history.watch;
        let n_events = |kind: KindId| self.history.n_events[usize::from(kind.0)];
        let n_known = |kind: KindId, field: Field| {
            watch.fields.binary_search(&(kind, field)).map_or(0, |index| self.history.n_known[index])
        };
        let name = read.name(&watch.plan);
        match read {
            Read::Kind(kind) => present(name, n_events(kind)),
            Read::Field(kind, field) if field.is_mark() => present(name, n_known(kind, field)),
            Read::Field(kind, field) => {
                let share = Share::of(i128::from(n_known(kind, field)), i128::from(n_events(kind)));
                at_least(name, share, bounds.known_min)
            }
            Read::Profile(attribute) => {
                let n = self.attributes.get(&attribute).copied().unwrap_or(0);
                at_least(name, Share::of(i128::from(n), self.history.customers.len() as i128), bounds.known_min)
            }
        }
    }

    /// Gathers what is not known and would have to be: where one of several alternatives is, none of them.
    fn missing(&self, needs: &Needs, bounds: &Bounds, found: &mut BTreeSet<Read>) {
        if self.suffices(needs, bounds) != Some(false) {
            return;
        }
        match needs {
            Needs::Read(read) => {
                found.insert(*read);
            }
            Needs::All(parts) | Needs::Any(parts) => {
                parts.iter().for_each(|part| self.missing(part, bounds, found));
            }
        }
    }

    /// A read that is not known, but need not be since an alternative is, is not asked for.
    fn measurable(&self, needs: &Needs, bounds: &Bounds) -> Verdict {
        let reads = needs.reads();
        let mut missing = BTreeSet::new();
        self.missing(needs, bounds, &mut missing);
        let measure = |read: &Read| {
            let measure = self.measure(*read, bounds);
            let passes = measure.passes.filter(|passes| *passes || missing.contains(read));
            Measure { passes, ..measure }
        };
        // Rules that read nothing need nothing.
        let passes = self.suffices(needs, bounds).or(reads.is_empty().then_some(true));
        Verdict { passes, measures: reads.iter().map(measure).collect() }
    }

    /// Whether enough is known; `None` when nothing is needed, or there is nothing to know it of.
    fn suffices(&self, needs: &Needs, bounds: &Bounds) -> Option<bool> {
        let of =
            |parts: &[Needs]| -> Vec<bool> { parts.iter().filter_map(|part| self.suffices(part, bounds)).collect() };
        match needs {
            Needs::Read(read) => self.measure(*read, bounds).passes,
            Needs::All(parts) => of(parts).into_iter().reduce(|all, one| all && one),
            Needs::Any(parts) => of(parts).into_iter().reduce(|any, one| any || one),
        }
    }
}

/// All four for one segment.
pub fn judge(segment: &Segment, needs: &Needs, bought: &Bought, known: &Known<'_>, watch: &Watch) -> Tests {
    let bounds = &watch.settings.bounds;
    Tests {
        measurable: known.measurable(needs, bounds),
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
    let customers = Measure {
        name: "customers".to_owned(),
        unit: Unit::Customers,
        value: Some(Share(segment.size as f64)),
        min: Some(Share(bounds.size_min as f64)),
        max: None,
        passes: Some(segment.size >= bounds.size_min),
    };
    Verdict::new(vec![
        customers,
        at_least("of all customers".to_owned(), Some(segment.share), bounds.size_share_min),
        at_least("of all money".to_owned(), segment.value_share, bounds.value_share_min),
    ])
}

fn share(bound: Amount) -> Share {
    Share(bound.0 as f64 / Amount::ONE.0 as f64)
}

fn at_least(name: String, value: Option<Share>, bound: Amount) -> Measure {
    let min = share(bound);
    let passes = value.map(|value| value.0 >= min.0);
    Measure { name, unit: Unit::Share, value, min: Some(min), max: None, passes }
}

fn at_most(name: String, value: Option<Share>, bound: Amount) -> Measure {
    let max = share(bound);
    let passes = value.map(|value| value.0 <= max.0);
    Measure { name, unit: Unit::Share, value, min: None, max: Some(max), passes }
}

fn present(name: String, n: u64) -> Measure {
    let (value, min, passes) = (Some(Share(n as f64)), Some(Share(1.0)), Some(n > 0));
    Measure { name, unit: Unit::Events, value, min, max: None, passes }
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
        if self.unit == Unit::Events && self.passes == Some(false) {
            return format!("no {}", self.name);
        }
        let said = |share: Share| if self.unit == Unit::Share { percent(share) } else { count(share.0 as u64) };
        // Rounded up to its bound, a number would seem to meet it.
        let finely = |share: Share| match self.min.or(self.max) {
            Some(bound) if self.unit == Unit::Share && said(share) == said(bound) && share != bound => {
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
