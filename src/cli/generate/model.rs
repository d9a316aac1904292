//! Who does what, and when, in the made-up shop. `docs/generated-events.md` says it for users.
//!
//! Visits start at random moments, evenly over the span. Each is made by a customer who is drawn evenly and taken with
//! a probability: how active they are by nature, times how much the hour and the day suit them, and zero before they
//! joined, after they left, and while they are away or out of season. (After [`DRAWS_MAX`] draws the last one is taken,
//! so that a shop of one customer has events too.) A visit has one to four steps, seconds to minutes apart, each of a
//! kind by its weight. An order goes through the cart, when there are carts, and one in [`REFUND_EVERY`] comes back
//! within days: its first line.
//!
//! Nothing is kept of a customer between visits, but for the orders that will come back.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::customer::{Customer, Moment};
use super::draw::{Draw, mix};
use super::kind::Kind;
use crate::event::{Instant, Span};

/// After so many draws of a customer the last one is taken.
const DRAWS_MAX: u32 = 64;
const STEPS_MEAN_X2: u64 = 5;
const REFUND_EVERY: u64 = 9;

/// A shop: how many customers and events, and which.
#[derive(Debug, Clone)]
pub struct Model {
    /// At least one.
    pub n_customers: u64,
    pub n_events: u64,
    pub seed: u64,
    /// At least one.
    pub kinds: Vec<Kind>,
    pub start: Instant,
    pub days: u32,
}

/// One step of a visit.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    /// From 0, in the order of time.
    pub number: u64,
    pub seed: u64,
    pub time: Instant,
    pub kind: Kind,
    pub customer: Customer,
    /// When it is, for whatever changes with time.
    pub moment: Moment,
    /// For whatever else the event says. A cart and a refund have their order's.
    pub draw: Draw,
}

/// What a step will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Planned {
    Anything,
    /// What was put into the cart is ordered.
    Purchase(Draw),
    Refund(Draw),
}

/// A step to come. In the order of time; the number makes the order total.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    /// Microseconds since the start.
    time: u64,
    visit: u64,
    customer: u64,
    /// Of the visit, with this one.
    n_left: u64,
    planned: Planned,
}

/// The events of a model, in the order of time.
pub struct Events<'a> {
    model: &'a Model,
    /// Cumulative weights, for those who mostly look and for those who mostly buy.
    weights: [Vec<(u64, Kind)>; 2],
    draw: Draw,
    n_given: u64,
    n_visits: u64,
    /// Microseconds since the start.
    next_visit: u64,
    mean_gap: u64,
    /// As many as are going on at one moment, and the refunds to come.
    steps: BinaryHeap<Reverse<Step>>,
    /// A day, and its month: asked for again and again.
    month: (i64, u64),
}

impl Model {
    pub fn events(&self) -> Events<'_> {
        let weights = [false, true].map(|is_buyer| self.weights(is_buyer));
        let span_us = self.span().0 as u64 * 1_000;
        // A visit's events, in 512ths.
        let n_of_visit = STEPS_MEAN_X2 * 256 + STEPS_MEAN_X2 * self.n_with_orders(&weights) / 2;
        let mean_gap = (u128::from(span_us) * u128::from(n_of_visit) / 512 / u128::from(self.n_events.max(1))) as u64;
        Events {
            model: self,
            weights,
            draw: Draw(mix(self.seed)),
            n_given: 0,
            n_visits: 0,
            next_visit: 0,
            mean_gap,
            steps: BinaryHeap::new(),
            month: (i64::MIN, 1),
        }
    }

    fn has(&self, kind: Kind) -> bool {
        self.kinds.contains(&kind)
    }

    fn weights(&self, is_buyer: bool) -> Vec<(u64, Kind)> {
        let mut total = 0;
        let is_drawn = |kind: &&Kind| **kind != Kind::Refund || !self.has(Kind::Purchase);
        let add = |&kind: &Kind| {
            total += kind.weight(is_buyer);
            (total, kind)
        };
        self.kinds.iter().filter(is_drawn).map(add).collect()
    }

    /// In 512ths: how many events beside itself a step brings in the mean, as every sixth is an order or so.
    fn n_with_orders(&self, weights: &[Vec<(u64, Kind)>; 2]) -> u64 {
        if !self.has(Kind::Purchase) {
            return 0;
        }
        let share = |is_buyer: bool| {
            let total = weights[usize::from(is_buyer)].last().map_or(1, |(total, _)| *total);
            512 * Kind::Purchase.weight(is_buyer) / total
        };
        let orders = (2 * share(false) + share(true)) / 3;
        let refunds = if self.has(Kind::Refund) { orders / REFUND_EVERY } else { 0 };
        refunds + if self.has(Kind::CartAdd) { orders } else { 0 }
    }

    fn span(&self) -> Span {
        Span(i64::from(self.days) * Span::DAY.0)
    }
}

impl Events<'_> {
    fn start_visit(&mut self) {
        let time = self.next_visit;
        self.next_visit += self.draw.below(2 * self.mean_gap.max(1) + 1);
        let moment = self.moment(time);
        let customer = self.visitor(&moment);
        let n_left = 1 + self.draw.below(STEPS_MEAN_X2 - 1);
        self.plan(time, customer, n_left, Planned::Anything);
    }

    fn plan(&mut self, time: u64, customer: u64, n_left: u64, planned: Planned) {
        self.steps.push(Reverse(Step { time, visit: self.n_visits, customer, n_left, planned }));
        self.n_visits += 1;
    }

    fn moment(&mut self, time: u64) -> Moment {
        let passed = Span((time / 1_000) as i64);
        let at = self.model.start + passed;
        let day = at.0.div_euclid(Span::DAY.0);
        if self.month.0 != day {
            let month = at.to_string().get(5..7).and_then(|month| month.parse().ok());
            self.month = (day, month.expect("an instant of the years that there are shows its month"));
        }
        let hour = (at.0.rem_euclid(Span::DAY.0) / Span::HOUR.0) as u64;
        Moment { passed, span: self.model.span(), day, month: self.month.1, hour }
    }

    fn visitor(&mut self, moment: &Moment) -> u64 {
        for _ in 1..DRAWS_MAX {
            let number = self.draw.below(self.model.n_customers);
            let customer = Customer::new(self.model.seed, number);
            if customer.comes(moment, self.draw.below(64)) {
                return number;
            }
        }
        self.draw.below(self.model.n_customers)
    }

    fn kind(&mut self, customer: &Customer) -> Kind {
        let weights = &self.weights[usize::from(customer.is_buyer())];
        let (total, last) = weights[weights.len() - 1];
        let drawn = self.draw.below(total);
        let kind = weights.iter().find(|(end, _)| drawn < *end).map_or(last, |&(_, kind)| kind);
        let is_talk = matches!(kind, Kind::Referral | Kind::Share | Kind::Review);
        if is_talk && !customer.is_talker() && self.model.has(Kind::Browse) { Kind::Browse } else { kind }
    }

    /// What this step is, and what it brings about.
    fn happen(&mut self, step: &Step, customer: &Customer) -> (Kind, Draw) {
        let (kind, draw) = match step.planned {
            Planned::Refund(draw) => return (Kind::Refund, draw),
            Planned::Purchase(draw) => (Kind::Purchase, draw),
            Planned::Anything => (self.kind(customer), Draw(self.draw.any())),
        };
        if kind == Kind::Purchase && step.planned == Planned::Anything && self.model.has(Kind::CartAdd) {
            let pause = 20_000_000 + self.draw.below(900_000_000);
            self.plan(step.time + pause, step.customer, step.n_left, Planned::Purchase(draw));
            return (Kind::CartAdd, draw);
        }
        if step.n_left > 1 {
            let pause = 2_000_000 + self.draw.below(20_000_000) * (1 + self.draw.below(8));
            self.plan(step.time + pause, step.customer, step.n_left - 1, Planned::Anything);
        }
        if kind == Kind::Purchase && self.model.has(Kind::Refund) && self.draw.below(REFUND_EVERY) == 0 {
            let pause = (2 * Span::DAY.0 as u64 + self.draw.below(14 * Span::DAY.0 as u64)) * 1_000;
            if step.time + pause < self.model.span().0 as u64 * 1_000 {
                self.plan(step.time + pause, step.customer, 1, Planned::Refund(draw));
            }
        }
        (kind, draw)
    }
}

impl Iterator for Events<'_> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        if self.n_given == self.model.n_events {
            return None;
        }
        while self.steps.peek().is_none_or(|Reverse(step)| self.next_visit <= step.time) {
            self.start_visit();
        }
        let Reverse(step) = self.steps.pop()?;
        let customer = Customer::new(self.model.seed, step.customer);
        let (kind, draw) = self.happen(&step, &customer);
        let number = self.n_given;
        self.n_given += 1;
        let moment = self.moment(step.time);
        let time = self.model.start + moment.passed;
        Some(Event { number, seed: self.model.seed, time, kind, customer, moment, draw })
    }
}
