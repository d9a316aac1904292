//! An event into facts. Commutative: any order of the same events gives the same facts.

use super::dependence::{Dependence, Touched};
use super::facts::customer::{Customer, Setting, SettingValue};
use super::facts::series::{Entry, add_sums};
use super::filter::{Candidate, Part};
use super::intern::Interner;
use crate::event::{Builtin, Event, Instant, Scalar, Span};
use crate::rules::calendar::Calendar;
use crate::rules::plan::{Plan, Series};

/// What folding needs beside the customer.
pub struct Folder<'a> {
    pub plan: &'a Plan,
    pub calendar: &'a Calendar,
    pub names: &'a mut Interner,
    pub entry: &'a mut Entry,
    pub dependence: &'a Dependence,
    /// What the event changes is added here.
    pub touched: &'a mut Touched,
}

impl Folder<'_> {
    /// Adds an event to the facts of an open customer; `latest` is the customer's before it.
    pub fn fold(&mut self, customer: &mut Customer, event: &Event, latest: Instant) {
        let second = event.time.floor(Span::SECOND);
        if second < customer.first {
            customer.first = second;
            self.touched.add_all();
        }
        let kind = &self.plan.kinds[usize::from(event.kind.0)];
        let time = event.time.floor(kind.resolution);
        let candidate = Candidate::new(event, time, self.calendar);
        for id in &kind.series {
            let series = &self.plan.series[usize::from(id.0)];
            if self.enter(&candidate, series) {
                let day = if series.totals.days { self.calendar.day(time) } else { 0 };
                customer.fold(self.plan, usize::from(id.0), latest, (time, day), self.entry);
                self.touched.add(self.dependence.on_series(*id));
            }
        }
        let builtin = self.plan.schema.kinds[usize::from(event.kind.0)].builtin;
        if builtin == Builtin::Profile {
            self.set_attributes(customer, event);
        }
        if self.plan.interests.any() {
            customer.add_items(event, builtin, self.plan.interests, self.names);
        }
    }

    /// Whether the event belongs to the series; if so `entry` is what it adds.
    fn enter(&mut self, candidate: &Candidate, series: &Series) -> bool {
        let event = candidate.event;
        self.entry.amount = event.amount.unwrap_or_default().0;
        let Some(filter) = &series.filter else {
            self.take_values(series, candidate.parts());
            return true;
        };
        let mut passing = candidate.parts().filter(|part| candidate.passes(filter, *part)).peekable();
        if passing.peek().is_none() {
            return false;
        }
        if event.lines.is_empty() {
            self.take_values(series, passing);
            return true;
        }
        let mut sum = 0;
        let mut added = Vec::new();
        for part in passing {
            sum = add_sums(sum, part.amount().unwrap_or_default().0);
            added.push(part);
        }
        let is_refund = self.plan.schema.kinds[usize::from(event.kind.0)].builtin == Builtin::Refund;
        self.entry.amount = if is_refund { sum.abs() } else { sum };
        self.take_values(series, added.into_iter());
        true
    }

    /// An event counts once for each different value among its lines that pass.
    fn take_values<'e>(&mut self, series: &Series, parts: impl Iterator<Item = Part<'e>> + Clone) {
        // Never fewer, since each keeps its memory.
        if self.entry.values.len() < series.values.len() {
            self.entry.values.resize_with(series.values.len(), Vec::new);
        }
        for (field, values) in series.values.iter().zip(&mut self.entry.values) {
            values.clear();
            values.extend(parts.clone().filter_map(|part| part.text(*field)).map(|text| self.names.intern(text)));
            values.sort_unstable();
            values.dedup();
        }
    }

    fn set_attributes(&mut self, customer: &mut Customer, event: &Event) {
        for (attribute, value) in &event.attributes {
            let Ok(index) = self.plan.profile.binary_search(attribute) else { continue };
            let setting = &mut customer.settings[index];
            if setting.value != SettingValue::Unset && event.time < setting.time {
                continue;
            }
            let value = match value {
                Scalar::Null => SettingValue::Removed,
                Scalar::Text(text) => SettingValue::Text(text.as_ref().into()),
                Scalar::Number(number) => SettingValue::Number(number.0),
                Scalar::Flag(flag) => SettingValue::Flag(*flag),
            };
            *setting = Setting { time: event.time, value };
            self.touched.add(self.dependence.on_setting(index));
        }
    }
}
