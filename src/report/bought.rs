//! What the customers of one segment are worth, where they are, and what they bought.

use std::cmp::Reverse;

use super::history::History;
use super::journal::Customer;
use super::model::{Habit, Habits, Money, Region, Share};
use super::watch::Watch;

/// Sums over those who are in one segment at the end.
#[derive(Debug)]
pub struct Bought {
    /// Of the value window, in 1/10 000.
    pub value: i128,
    pub n_buyers: u64,
    pub n_orders: u64,
    pub n_refunds: u64,
    /// For the orders in the period.
    pub paid: i128,
    /// For the refunds in the period.
    pub refunded: i128,
    pub n_reachable: u64,
    /// By text; in front of all those who could be anywhere.
    regions: Vec<(u64, i128)>,
    /// `[field][text]`.
    habits: Vec<Vec<Sums>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    n_buyers: u64,
    n_orders: u64,
    paid: i128,
    money: i128,
    is_there: bool,
}

impl Bought {
    pub fn new(history: &History) -> Bought {
        let n_fields = history.watch.settings.habits.len();
        Bought {
            value: 0,
            n_buyers: 0,
            n_orders: 0,
            n_refunds: 0,
            paid: 0,
            refunded: 0,
            n_reachable: 0,
            regions: Vec::new(),
            habits: vec![Vec::new(); n_fields],
        }
    }

    /// Adds a customer whose money of the value window is `value`.
    pub fn add(&mut self, customer: &Customer, value: i128, watch: &Watch) {
        self.value += value;
        self.n_buyers += u64::from(customer.n_orders > 0);
        self.n_orders += customer.n_orders;
        self.n_refunds += customer.n_refunds;
        self.paid += i128::from(customer.paid);
        self.refunded += i128::from(customer.refunded);
        self.n_reachable += u64::from(is_reachable(customer, watch));
        // The first place is of those who could be anywhere.
        let region = customer.region.map_or(0, |(_, text)| text as usize + 1);
        if self.regions.len() <= region {
            self.regions.resize(region + 1, (0, 0));
        }
        self.regions[region].0 += 1;
        self.regions[region].1 += value;
        for habit in &customer.habits {
            let sums = &mut self.habits[usize::from(habit.field)];
            let text = habit.text as usize;
            if sums.len() <= text {
                sums.resize(text + 1, Sums::default());
            }
            let sums = &mut sums[text];
            sums.n_buyers += u64::from(habit.n_orders > 0);
            sums.n_orders += u64::from(habit.n_orders);
            sums.paid += i128::from(habit.paid);
            sums.money += i128::from(habit.money);
            sums.is_there = true;
        }
    }

    /// The largest first, those who could be anywhere last; nothing when that is all of them.
    pub fn regions(&self, history: &History, size: u64) -> Vec<Region> {
        if self.regions.len() <= 1 {
            return Vec::new();
        }
        let region = |(place, (n, value)): (usize, &(u64, i128))| Region {
            name: place.checked_sub(1).map(|text| history.text(text as u32).to_owned()),
            customers: *n,
            share: Share::of(i128::from(*n), i128::from(size)).unwrap_or(Share(0.0)),
            value: Money(*value),
            value_share: Share::of(*value, self.value),
        };
        let mut regions: Vec<Region> =
            self.regions.iter().enumerate().filter(|(_, (n, _))| *n > 0).map(region).collect();
        // Of as many, the order of names stays.
        regions.sort_by_key(|region| (region.name.is_none(), Reverse(region.customers)));
        regions
    }

    /// For each field that purchases had: what was bought, by most buyers first.
    pub fn habits(&self, history: &History, size: u64) -> Vec<Habits> {
        let fields = history.watch.settings.habits.iter().zip(&self.habits);
        let habit = |(text, sums): (usize, &Sums)| Habit {
            name: history.text(text as u32).to_owned(),
            buyers: sums.n_buyers,
            orders: sums.n_orders,
            paid: Money(sums.paid),
            money: Money(sums.money),
            buyers_share: Share::of(i128::from(sums.n_buyers), i128::from(size)),
        };
        let habits = fields.map(|(field, sums)| {
            let mut values: Vec<Habit> = sums.iter().enumerate().filter(|(_, sums)| sums.is_there).map(habit).collect();
            values.sort_by_key(|habit| (Reverse(habit.buyers), Reverse(habit.money)));
            Habits { field: field.name().to_owned(), values }
        });
        habits.filter(|habits| !habits.values.is_empty()).collect()
    }
}

/// Whether there is a way to reach the customer, and their consent, as far as the configuration names them.
fn is_reachable(customer: &Customer, watch: &Watch) -> bool {
    let has_contact = watch.contact.is_empty()
        || watch.contact.iter().any(|id| customer.attribute(*id).is_some_and(|attribute| attribute.is_known));
    let consents = watch.consent.is_empty()
        || watch.consent.iter().any(|id| customer.attribute(*id).is_some_and(|attribute| attribute.is_yes));
    has_contact && consents
}
