//! Who does what, and when, in the made-up shop.
//!
//! The model, in short. Visits start at random moments, evenly over the span. Each is made by a customer who is drawn
//! evenly and taken with a probability: how active they are by nature, times how much the hour of the day suits them,
//! and zero before they joined, after they left, and while they are away. (After [`DRAWS_MAX`] draws the last one is
//! taken, so that a shop of one customer has events too.) A visit has one to four steps, seconds to minutes apart, each of a kind by
//! its weight; some customers mostly buy, others mostly look. They prefer three categories and, the more loyal they
//! are, one brand; the price-sensitive ones buy cheaper things, fewer at a time, with coupons. Products have fixed
//! brands and prices, and low numbers are popular.
//!
//! All of a customer's nature is a function of seed and number. Nothing is kept of a customer between visits.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::event::{Instant, Span};

/// After so many draws of a customer the last one is taken.
const DRAWS_MAX: u32 = 64;
const STEPS_MEAN_X2: u64 = 5;
pub const N_CATEGORIES: u64 = 24;
pub const N_PRODUCTS_OF_CATEGORY: u64 = 200;
pub const N_BRANDS: u64 = 32;

/// The kinds of events there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    Purchase,
    Browse,
    Search,
    Refund,
    Feedback,
    Profile,
}

impl Kind {
    pub const ALL: [Kind; 6] =
        [Kind::Purchase, Kind::Browse, Kind::Search, Kind::Refund, Kind::Feedback, Kind::Profile];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Purchase => "purchase",
            Kind::Browse => "browse",
            Kind::Search => "search",
            Kind::Refund => "refund",
            Kind::Feedback => "feedback",
            Kind::Profile => "profile",
        }
    }

    /// How often it is among the steps, for those who mostly look and for those who mostly buy.
    fn weight(self, is_buyer: bool) -> u64 {
        match (self, is_buyer) {
            (Kind::Purchase, false) => 8,
            (Kind::Purchase, true) => 34,
            (Kind::Browse, false) => 64,
            (Kind::Browse, true) => 42,
            (Kind::Search, false) => 22,
            (Kind::Search, true) => 14,
            (Kind::Refund, _) => 2,
            (Kind::Feedback, _) => 2,
            (Kind::Profile, _) => 2,
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

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
    /// For whatever else the event says.
    pub draw: Draw,
}

/// A customer's nature.
#[derive(Debug, Clone, Copy)]
pub struct Customer {
    pub number: u64,
    /// Random, but always the same for this customer.
    nature: u64,
}

impl Customer {
    fn new(seed: u64, number: u64) -> Customer {
        Customer { number, nature: mix(seed ^ mix(number)) }
    }

    /// A number below `n`, one for each `trait_number`.
    pub fn pick(&self, trait_number: u64, n: u64) -> u64 {
        scale(mix(self.nature ^ trait_number.wrapping_mul(0xD6E8_FEB8_6659_FD93)), n)
    }

    /// In eighths: few visit often, most seldom.
    fn activity(&self) -> u64 {
        1 + self.pick(0, 8).min(self.pick(1, 12))
    }

    /// In eighths: how much an hour of the day (UTC) suits them.
    fn suits(&self, hour: u64) -> u64 {
        const HOURS: [u64; 24] = [2, 1, 1, 1, 1, 1, 2, 3, 4, 5, 5, 5, 6, 5, 4, 4, 5, 6, 7, 8, 8, 7, 5, 3];
        HOURS[((hour + self.pick(3, 9)) % 24) as usize]
    }

    /// Whether they are customers at `now` of `span` (since the start) and not away.
    fn is_there(&self, now: Span, span: Span) -> bool {
        let [joined, left] = [self.pick(4, 160), self.pick(5, 220)].map(|share| share as i64 * span.0 / 100);
        // Four in ten were there before the start; those who leave stay for at least some time.
        let joined = joined - 3 * span.0 / 5;
        if now.0 < joined || now.0 > joined.max(0) + left + Span::DAY.0 {
            return false;
        }
        // A third come for some weeks, then stay away for as long.
        let weeks = 3 + self.pick(6, 20) as i64;
        self.pick(7, 3) > 0 || (now.0 / Span::WEEK.0 + self.pick(8, 40) as i64) / weeks % 2 == 0
    }

    fn is_buyer(&self) -> bool {
        self.pick(9, 3) == 0
    }

    /// 0: buys what is dear; 7: only what is cheap.
    pub fn price_sensitivity(&self) -> u64 {
        self.pick(10, 8)
    }

    /// Of ten looks at a shelf, how many are for the favourite brand.
    fn loyalty(&self) -> u64 {
        self.pick(11, 8)
    }

    fn favourite_brand(&self) -> u64 {
        self.pick(12, N_BRANDS)
    }
}

/// A thing in the shop.
#[derive(Debug, Clone, Copy)]
pub struct Product {
    pub category: u64,
    /// Within the category.
    pub number: u64,
    pub brand: u64,
    pub price_cents: u64,
}

impl Product {
    fn new(category: u64, number: u64) -> Product {
        let nature = mix(category << 32 | number);
        let class = [299, 799, 1_499, 2_999, 5_999, 14_999][scale(nature, 6) as usize];
        Product { category, number, brand: nature % N_BRANDS, price_cents: class / 2 + nature / 977 % class }
    }

    /// What `customer` looks at: a category they like, the favourite brand if it is there, something cheap if they
    /// must.
    pub fn chosen(customer: &Customer, draw: &mut Draw) -> Product {
        let category = match draw.below(10) {
            9 => draw.below(N_CATEGORIES),
            shelf => customer.pick(16 + [0, 0, 0, 0, 0, 1, 1, 1, 2][shelf as usize], N_CATEGORIES),
        };
        let wants_brand = draw.below(10) < customer.loyalty();
        let mut chosen = Product::popular(category, draw);
        for _ in 0..4 {
            let other = Product::popular(category, draw);
            let is_better = if wants_brand {
                chosen.brand != customer.favourite_brand() && other.brand == customer.favourite_brand()
            } else {
                draw.below(8) < customer.price_sensitivity() && other.price_cents < chosen.price_cents
            };
            if is_better {
                chosen = other;
            }
        }
        chosen
    }

    fn popular(category: u64, draw: &mut Draw) -> Product {
        Product::new(category, draw.below(N_PRODUCTS_OF_CATEGORY).min(draw.below(N_PRODUCTS_OF_CATEGORY)))
    }
}

/// A stream of random numbers.
#[derive(Debug, Clone, Copy)]
pub struct Draw(u64);

impl Draw {
    fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// Evenly from 0 to `n - 1`.
    pub fn below(&mut self, n: u64) -> u64 {
        scale(self.any(), n)
    }
}

/// Maps 64 random bits to a number below `n`, evenly enough.
fn scale(bits: u64, n: u64) -> u64 {
    ((u128::from(bits) * u128::from(n)) >> 64) as u64
}

/// Stirs 64 bits; different in, different out. (The finisher of SplitMix64, by Steele, Lea and Flood, 2014.)
pub fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// Visits that go on, by the time (microseconds since the start) of their next step; the number keeps the order
/// total. As many as are going on at one moment.
type Visits = BinaryHeap<Reverse<(u64, u64, u64, u64)>>;

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
    /// Time, number, customer, steps left.
    visits: Visits,
}

impl Model {
    pub fn events(&self) -> Events<'_> {
        let weights = [false, true].map(|is_buyer| {
            let mut total = 0;
            let add = |&kind: &Kind| {
                total += kind.weight(is_buyer);
                (total, kind)
            };
            self.kinds.iter().map(add).collect()
        });
        let mean_gap = self.span().0 as u64 * 1_000 * STEPS_MEAN_X2 / 2 / self.n_events.max(1);
        let draw = Draw(mix(self.seed));
        Events { model: self, weights, draw, n_given: 0, n_visits: 0, next_visit: 0, mean_gap, visits: Visits::new() }
    }

    fn span(&self) -> Span {
        Span(i64::from(self.days) * Span::DAY.0)
    }
}

impl Events<'_> {
    fn start_visit(&mut self) {
        let start = self.next_visit;
        self.next_visit += self.draw.below(2 * self.mean_gap.max(1) + 1);
        let customer = self.visitor(Span((start / 1_000) as i64));
        self.visits.push(Reverse((start, self.n_visits, customer, 1 + self.draw.below(STEPS_MEAN_X2 - 1))));
        self.n_visits += 1;
    }

    fn visitor(&mut self, now: Span) -> u64 {
        let hour = (now.0 / Span::HOUR.0 % 24) as u64;
        for _ in 1..DRAWS_MAX {
            let number = self.draw.below(self.model.n_customers);
            let customer = Customer::new(self.model.seed, number);
            let is_taken = self.draw.below(64) < customer.activity() * customer.suits(hour);
            if is_taken && customer.is_there(now, self.model.span()) {
                return number;
            }
        }
        self.draw.below(self.model.n_customers)
    }

    fn kind(&mut self, customer: &Customer) -> Kind {
        let weights = &self.weights[usize::from(customer.is_buyer())];
        let (total, last) = weights[weights.len() - 1];
        let drawn = self.draw.below(total);
        weights.iter().find(|(end, _)| drawn < *end).map_or(last, |&(_, kind)| kind)
    }
}

impl Iterator for Events<'_> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        if self.n_given == self.model.n_events {
            return None;
        }
        while self.visits.peek().is_none_or(|Reverse((time, ..))| self.next_visit <= *time) {
            self.start_visit();
        }
        let Reverse((now, visit, customer, n_steps)) = self.visits.pop()?;
        if n_steps > 1 {
            let pause = 2_000_000 + self.draw.below(20_000_000) * (1 + self.draw.below(8));
            self.visits.push(Reverse((now + pause, visit, customer, n_steps - 1)));
        }
        let customer = Customer::new(self.model.seed, customer);
        let kind = self.kind(&customer);
        let number = self.n_given;
        self.n_given += 1;
        let time = self.model.start + Span((now / 1_000) as i64);
        Some(Event { number, seed: self.model.seed, time, kind, customer, draw: Draw(self.draw.any()) })
    }
}
