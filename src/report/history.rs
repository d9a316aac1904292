//! The whole history: the journals of all shards, drawn together in an order that does not depend on how customers
//! were spread over them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::journal::{Customer, Journal, TextId};
use super::watch::Watch;
use crate::event::Instant;

/// All customers, by their ids, and what was counted over all of them.
#[derive(Debug)]
pub struct History {
    pub watch: Arc<Watch>,
    /// Sorted by id.
    pub customers: Vec<Customer>,
    /// Sorted; customers' text ids are indices into it.
    pub texts: Vec<Box<str>>,
    pub n_events: Vec<u64>,
    pub n_known: Vec<u64>,
    /// Where the clock stood at the end.
    pub end: Instant,
}

impl History {
    pub fn new(watch: Arc<Watch>, journals: Vec<Journal>, end: Instant) -> History {
        let texts = all_texts(&journals);
        let mut history = History {
            customers: Vec::new(),
            texts,
            n_events: vec![0; watch.plan.kinds.len()],
            n_known: vec![0; watch.fields.len()],
            watch,
            end,
        };
        journals.into_iter().for_each(|journal| history.add(journal));
        history.customers.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        history
    }

    /// The time of the first event of all; the end when there was none.
    pub fn first(&self) -> Instant {
        self.customers.iter().map(|customer| customer.first).min().unwrap_or(self.end)
    }

    pub fn text(&self, id: TextId) -> &str {
        &self.texts[id as usize]
    }

    fn add(&mut self, journal: Journal) {
        let ids: Vec<TextId> = journal.texts.iter().map(|text| self.id_of(text)).collect();
        for mut customer in journal.customers {
            customer.region = customer.region.map(|(time, text)| (time, ids[text as usize]));
            customer.habits.iter_mut().for_each(|habit| habit.text = ids[habit.text as usize]);
            customer.habits.sort_unstable_by_key(|habit| (habit.field, habit.text));
            self.customers.push(customer);
        }
        add_each(&mut self.n_events, &journal.n_events);
        add_each(&mut self.n_known, &journal.n_known);
    }

    fn id_of(&self, text: &str) -> TextId {
        let index = self.texts.binary_search_by(|known| (**known).cmp(text));
        index.expect("the texts of all journals were drawn together") as TextId
    }
}

fn all_texts(journals: &[Journal]) -> Vec<Box<str>> {
    let texts = journals.iter().flat_map(|journal| journal.texts.iter());
    let sorted: BTreeSet<&str> = texts.collect();
    sorted.into_iter().map(Box::from).collect()
}

fn add_each(sums: &mut [u64], numbers: &[u64]) {
    sums.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number);
}
