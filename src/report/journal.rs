//! What a report remembers of one shard's history: each customer's moves, money and habits, and how often a field
//! that rules read was there.
//!
//! It hears events and changes in the order in which the shard took them, decides nothing and measures nothing yet.
//! What always holds: it grows with customers, their moves, and the different things they bought, not with events
//! alone; only the purchases within the window of value are kept singly, and at most [`PAYMENTS_MAX`] a customer.

use std::sync::Arc;

use hashbrown::HashTable;

use super::moves::{Move, Moves};
use super::watch::{Watch, is_of_lines};
use crate::config::report as config;
use crate::engine::Change;
use crate::event::{Amount, AttributeId, Builtin, Event, Instant, Scalar, Span, TextField};
use crate::rules::calendar::Local;

/// More payments of a customer are drawn together by the day, the oldest first.
const PAYMENTS_MAX: usize = 4_096;

/// A text's number in [`Texts`].
pub type TextId = u32;

/// One shard's history.
#[derive(Debug)]
pub struct Journal {
    watch: Arc<Watch>,
    pub customers: Vec<Customer>,
    index: HashTable<u32>,
    pub texts: Texts,
    /// Events of each kind.
    pub n_events: Vec<u64>,
    /// Of those, events with a field; indexed as the watch's fields.
    pub n_known: Vec<u64>,
}

/// What is remembered of a customer.
#[derive(Debug)]
pub struct Customer {
    pub id: Box<str>,
    /// The time of the first event.
    pub first: Instant,
    pub moves: Moves,
    /// Purchases and, negative, refunds that may still lie in the window of value at the end, not sorted.
    pub payments: Vec<(Instant, i64)>,
    /// Where the customer was last known to be.
    pub region: Option<(Instant, TextId)>,
    pub attributes: Vec<Attribute>,
    /// Purchases in the period.
    pub n_orders: u64,
    /// Refunds in the period.
    pub n_refunds: u64,
    /// The money of the orders in the period.
    pub paid: i64,
    /// The money of the refunds in the period.
    pub refunded: i64,
    /// Sorted by field and text.
    pub habits: Vec<Habit>,
}

/// The latest value of a profile attribute, as far as it matters.
#[derive(Debug, Clone, Copy)]
pub struct Attribute {
    pub id: AttributeId,
    pub time: Instant,
    /// Not removed, and not an empty text.
    pub is_known: bool,
    /// `true`, or a text or number that stands for it.
    pub is_yes: bool,
}

/// What a customer bought of one thing in the period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Habit {
    /// Index into the settings' habits.
    pub field: u8,
    pub text: TextId,
    pub n_orders: u32,
    /// For what was ordered.
    pub paid: i64,
    /// Less what was sent back.
    pub money: i64,
}

/// What an event, or a line of it, adds.
#[derive(Debug, Clone, Copy)]
struct Payment {
    /// One for a purchase, none for a refund, and none for further lines of one purchase.
    n_orders: u32,
    /// Nothing for a refund.
    paid: i64,
    /// Negative for what was sent back.
    signed: i64,
}

impl Journal {
    pub fn new(watch: Arc<Watch>) -> Journal {
        let (n_kinds, n_fields) = (watch.plan.kinds.len(), watch.fields.len());
        Journal {
            watch,
            customers: Vec::new(),
            index: HashTable::new(),
            texts: Texts::default(),
            n_events: vec![0; n_kinds],
            n_known: vec![0; n_fields],
        }
    }

    /// Hears an event that was folded; the changes that it caused were heard before.
    pub fn folded(&mut self, event: &Event<'_>) {
        self.count(event);
        let index = self.customer(&event.customer);
        let Journal { watch, customers, texts, .. } = self;
        let customer = &mut customers[index];
        customer.first = customer.first.min(event.time);
        if watch.is_region_of_events() {
            let country = event.text(TextField::Country).filter(|country| !country.is_empty());
            country.iter().for_each(|country| customer.seen_in(event.time, texts.id(country)));
        }
        match watch.builtin(event.kind) {
            Builtin::Profile => customer.set_attributes(watch, event, texts),
            Builtin::Purchase | Builtin::Refund => customer.pay(watch, event, texts),
            _ => {}
        }
    }

    /// Hears a change.
    pub fn moved(&mut self, change: &Change) {
        let index = self.customer(&change.customer);
        let Change { dimension, to, effective_at: at, .. } = *change;
        self.customers[index].moves.push(Move { dimension, to, at });
    }

    fn count(&mut self, event: &Event<'_>) {
        self.n_events[usize::from(event.kind.0)] += 1;
        let first = self.watch.fields.partition_point(|(kind, _)| *kind < event.kind);
        for (index, (kind, field)) in self.watch.fields.iter().enumerate().skip(first) {
            if *kind != event.kind {
                break;
            }
            self.n_known[index] += u64::from(field.is_known_in(event));
        }
    }

    /// The customer's place, new or known.
    fn customer(&mut self, id: &str) -> usize {
        let Journal { customers, index, .. } = self;
        let hash = rapidhash::v3::rapidhash_v3(id.as_bytes());
        if let Some(known) = index.find(hash, |known| *customers[*known as usize].id == *id) {
            return *known as usize;
        }
        let hash_of = |known: &u32| rapidhash::v3::rapidhash_v3(customers[*known as usize].id.as_bytes());
        index.insert_unique(hash, customers.len() as u32, hash_of);
        customers.push(Customer::new(id));
        customers.len() - 1
    }
}

impl Customer {
    fn new(id: &str) -> Customer {
        Customer {
            id: id.into(),
            first: Instant::NEVER,
            moves: Moves::default(),
            payments: Vec::new(),
            region: None,
            attributes: Vec::new(),
            n_orders: 0,
            n_refunds: 0,
            paid: 0,
            refunded: 0,
            habits: Vec::new(),
        }
    }

    /// The latest counts; of two at one time the later one.
    fn seen_in(&mut self, time: Instant, region: TextId) {
        if self.region.is_none_or(|(known, _)| time >= known) {
            self.region = Some((time, region));
        }
    }

    fn set_attributes(&mut self, watch: &Watch, event: &Event<'_>, texts: &mut Texts) {
        for (id, value) in &event.attributes {
            if *id == watch.region
                && let Scalar::Text(region) = value
            {
                self.seen_in(event.time, texts.id(region));
            }
            if watch.attributes.binary_search(id).is_err() {
                continue;
            }
            let attribute = Attribute::new(*id, event.time, value);
            match self.attributes.iter_mut().find(|known| known.id == *id) {
                Some(known) if event.time >= known.time => *known = attribute,
                Some(_) => {}
                None => self.attributes.push(attribute),
            }
        }
    }

    /// Counts a purchase or a refund.
    fn pay(&mut self, watch: &Watch, event: &Event<'_>, texts: &mut Texts) {
        let is_purchase = watch.builtin(event.kind) == Builtin::Purchase;
        let amount = event.amount.unwrap_or_default().0;
        let signed = if is_purchase { amount } else { -amount };
        let time = watch.plan.cut(event.kind, event.time);
        let window = watch.settings.value_window;
        // What has left the window of this event has left that of the end, which is later.
        let floor = watch.until.unwrap_or(event.time) - window;
        if time > floor {
            self.keep_payment(time, signed, floor);
        }
        if watch.from.is_some_and(|from| event.time <= from) {
            return;
        }
        if is_purchase {
            self.n_orders += 1;
            self.paid = self.paid.saturating_add(amount);
        } else {
            self.n_refunds += 1;
            self.refunded = self.refunded.saturating_add(amount);
        }
        let payment = Payment { n_orders: u32::from(is_purchase), paid: if is_purchase { amount } else { 0 }, signed };
        for (index, habit) in watch.settings.habits.iter().enumerate() {
            let index = index as u8;
            match moment(*habit, || watch.calendar.local(time)) {
                Some(text) => self.habit(index, texts.id(&text)).add(payment),
                None => {
                    habit.field().iter().for_each(|field| self.count_habits((index, *field), event, payment, texts))
                }
            }
        }
    }

    fn keep_payment(&mut self, time: Instant, amount: i64, floor: Instant) {
        // Looking through them only when they would grow costs a constant for each.
        if self.payments.len() == self.payments.capacity() {
            self.payments.retain(|(time, _)| *time > floor);
            if self.payments.len() >= PAYMENTS_MAX {
                draw_together(&mut self.payments);
            }
        }
        self.payments.push((time, amount));
    }

    fn count_habits(&mut self, (field, name): (u8, TextField), event: &Event<'_>, payment: Payment, texts: &mut Texts) {
        if !is_of_lines(name) || event.lines.is_empty() {
            if let Some(text) = event.text(name).filter(|text| !text.is_empty()) {
                let text = texts.id(text);
                self.habit(field, text).add(payment);
            }
            return;
        }
        // A refund's lines may have either sign: what they are together was sent back.
        let total: i128 = event.lines.iter().map(|line| i128::from(line.amount.unwrap_or_default().0)).sum();
        let turn = if payment.n_orders > 0 || total < 0 { 1 } else { -1 };
        let mut seen: Vec<TextId> = Vec::new();
        for line in &event.lines {
            let value = match name {
                TextField::Product => &line.product,
                TextField::Category => &line.category,
                _ => &line.brand,
            };
            let Some(text) = value.as_deref().filter(|text| !text.is_empty()) else { continue };
            let text = texts.id(text);
            let n_orders = if seen.contains(&text) { 0 } else { payment.n_orders };
            let signed = turn * line.amount.unwrap_or_default().0;
            let paid = if payment.n_orders > 0 { signed } else { 0 };
            self.habit(field, text).add(Payment { n_orders, paid, signed });
            seen.push(text);
        }
    }

    fn habit(&mut self, field: u8, text: TextId) -> &mut Habit {
        let place = self.habits.binary_search_by_key(&(field, text), |habit| (habit.field, habit.text));
        let index = place.unwrap_or_else(|index| {
            self.habits.insert(index, Habit { field, text, n_orders: 0, paid: 0, money: 0 });
            index
        });
        &mut self.habits[index]
    }

    /// The money of the window that ends at `end`.
    pub fn value(&self, end: Instant, window: Span) -> i128 {
        let within = self.payments.iter().filter(|(time, _)| *time > end - window && *time <= end);
        within.map(|(_, amount)| i128::from(*amount)).sum()
    }

    pub fn attribute(&self, id: AttributeId) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.id == id)
    }
}

impl Habit {
    fn add(&mut self, payment: Payment) {
        self.paid = self.paid.saturating_add(payment.paid);
        self.money = self.money.saturating_add(payment.signed);
        self.n_orders = self.n_orders.saturating_add(payment.n_orders);
    }
}

/// What a habit of time is called at a local moment; nothing for other habits.
fn moment(habit: config::Habit, local: impl FnOnce() -> Local) -> Option<String> {
    const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    match habit {
        config::Habit::Field(_) => None,
        config::Habit::Month => {
            let Local { year, month, .. } = local();
            Some(format!("{year}-{month:02}"))
        }
        config::Habit::Weekday => Some(WEEKDAYS[(local().weekday - 1) as usize].to_owned()),
        config::Habit::Hour => Some(format!("{:02}", local().hour)),
    }
}

impl Attribute {
    fn new(id: AttributeId, time: Instant, value: &Scalar<'_>) -> Attribute {
        let is_known = match value {
            Scalar::Null => false,
            Scalar::Text(text) => !text.is_empty(),
            Scalar::Number(_) | Scalar::Flag(_) => true,
        };
        let is_yes = match value {
            Scalar::Null => false,
            Scalar::Text(text) => ["true", "yes", "1"].iter().any(|yes| text.eq_ignore_ascii_case(yes)),
            Scalar::Number(number) => *number > Amount::ZERO,
            Scalar::Flag(flag) => *flag,
        };
        Attribute { id, time, is_known, is_yes }
    }
}

/// Adds up the older half of a customer's payments by day, each at its day's last payment.
fn draw_together(payments: &mut Vec<(Instant, i64)>) {
    payments.sort_unstable();
    let newer = payments.split_off(payments.len() / 2);
    let mut days: Vec<(Instant, i64)> = Vec::new();
    for (time, amount) in payments.drain(..) {
        match days.last_mut() {
            Some((last, sum)) if last.floor(Span::DAY) == time.floor(Span::DAY) => {
                *last = time;
                *sum = sum.saturating_add(amount);
            }
            _ => days.push((time, amount)),
        }
    }
    days.extend(newer);
    *payments = days;
}

/// Texts, each once.
#[derive(Debug, Default)]
pub struct Texts {
    texts: Vec<Box<str>>,
    index: HashTable<TextId>,
}

impl Texts {
    pub fn id(&mut self, text: &str) -> TextId {
        let Texts { texts, index } = self;
        let hash = rapidhash::v3::rapidhash_v3(text.as_bytes());
        if let Some(known) = index.find(hash, |known| *texts[*known as usize] == *text) {
            return *known;
        }
        let id = u32::try_from(texts.len()).expect("fewer than 2^32 different texts");
        index.insert_unique(hash, id, |known| rapidhash::v3::rapidhash_v3(texts[*known as usize].as_bytes()));
        texts.push(text.into());
        id
    }

    /// In the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|text| &**text)
    }
}
