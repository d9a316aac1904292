//! What is kept of a history while it is read: for each customer the days of the last year on which they bought, and
//! the days of the last month on which they browsed; for all together how long after a visit the next one came.
//!
//! A visit is a local day with at least one purchase: two invoices of one afternoon are nobody coming back. Events may
//! come in any order as long as none is a year late; the figures are the same.
//!
//! What always holds: memory grows with the customers and the days of a year, never with the events.

use std::collections::BTreeMap;

use hashbrown::HashTable;
use rapidhash::v3::rapidhash_v3;

use crate::engine::dedup::{Dedup, Seniority, fingerprint};
use crate::event::{Amount, Builtin, Event, Instant, Span};
use crate::rules::calendar::Calendar;

/// The longest window of a suggestion, and a day, since today is not over.
const KEPT_DAYS: i64 = 366;
const BROWSED_DAYS: i64 = 31;
/// As a replay: how far the clock, by which duplicates are forgotten, stays behind the latest event.
const GRACE: Span = Span(5_000);
/// As rules that say nothing else: purchase, browse, search, refund, feedback, profile.
const DEDUP_WINDOWS: [Span; 6] = [Span::DAY, Span(600_000), Span(600_000), Span::DAY, Span::DAY, Span::DAY];

/// A history, folded.
#[derive(Debug)]
pub struct History {
    calendar: Calendar,
    dedup: Dedup,
    clock: Instant,
    customers: Vec<Customer>,
    /// Into `customers`, by the hash of their ids.
    places: HashTable<(u64, u32)>,
    /// Visits that were followed by another one, by the days between them.
    gaps: BTreeMap<i64, u64>,
    /// First and last instant.
    ends: Option<(Instant, Instant)>,
    latest_day: i64,
    pub n_events: u64,
    pub n_duplicates: u64,
    /// Purchases so late that what was kept around them is gone; they count nowhere.
    pub n_too_late: u64,
    pub n_refunds: u64,
}

/// One customer, as far as kept.
#[derive(Debug, Default)]
struct Customer {
    /// The latest visit before those in `days`.
    before: Option<i64>,
    /// Ascending.
    days: Vec<Day>,
    has_come_back: bool,
    /// Days with how often they browsed, ascending.
    browsed: Vec<(i64, u64)>,
}

#[derive(Debug)]
struct Day {
    day: i64,
    n_purchases: u64,
    /// Purchases less refunds.
    net: i64,
}

/// A customer who bought within a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buyer {
    /// Days since the latest purchase.
    pub away_days: i64,
    pub n_purchases: u64,
    /// What they paid, less what they sent back.
    pub net: Amount,
}

impl History {
    /// An empty one. Days are those of the calendar.
    pub fn new(calendar: Calendar) -> History {
        History {
            calendar,
            dedup: Dedup::new(DEDUP_WINDOWS.to_vec()),
            clock: Instant::ORIGIN,
            customers: Vec::new(),
            places: HashTable::new(),
            gaps: BTreeMap::new(),
            ends: None,
            latest_day: 0,
            n_events: 0,
            n_duplicates: 0,
            n_too_late: 0,
            n_refunds: 0,
        }
    }

    /// Takes an event of a kind that is `builtin` by nature.
    pub fn take(&mut self, event: &Event<'_>, builtin: Builtin) {
        self.n_events += 1;
        let hash = rapidhash_v3(event.customer.as_bytes());
        if builtin != Builtin::Custom && self.is_duplicate(event, hash) {
            self.n_duplicates += 1;
            return;
        }
        self.clock = self.clock.max(event.time - GRACE);
        let (first, last) = self.ends.unwrap_or((event.time, event.time));
        self.ends = Some((first.min(event.time), last.max(event.time)));
        let day = self.calendar.day(event.time);
        self.latest_day = self.latest_day.max(day);
        let place = self.place(hash);
        let customer = &mut self.customers[place];
        let kept_from = self.latest_day - KEPT_DAYS;
        let amount = event.amount.unwrap_or_default();
        match builtin {
            Builtin::Purchase => {
                let is_kept = customer.visit(day, &mut self.gaps);
                self.n_too_late += u64::from(!is_kept);
                customer.add(day, 1, amount.0, kept_from);
            }
            Builtin::Refund => {
                self.n_refunds += 1;
                customer.add(day, 0, -amount.0, kept_from);
            }
            Builtin::Browse => customer.browse(day, self.latest_day - BROWSED_DAYS),
            Builtin::Search | Builtin::Feedback | Builtin::Profile | Builtin::Custom => {}
        }
    }

    fn is_duplicate(&mut self, event: &Event<'_>, customer: u64) -> bool {
        let Some(id) = event.id.as_deref() else { return false };
        let mark = fingerprint(customer, event.kind, id);
        self.dedup.check(mark, event.kind, event.time, self.clock) == Seniority::Duplicate
    }

    /// Customers are known by a hash of 64 bits: among ten million there is one pair of the same in 370 000 histories.
    fn place(&mut self, hash: u64) -> usize {
        if let Some((_, place)) = self.places.find(hash, |(known, _)| *known == hash) {
            return *place as usize;
        }
        let place = self.customers.len();
        self.customers.push(Customer::default());
        let number = u32::try_from(place).expect("more customers than people do not fit in memory");
        self.places.insert_unique(hash, (hash, number), |(known, _)| *known);
        place
    }

    pub fn n_customers(&self) -> usize {
        self.customers.len()
    }

    /// Local days from the first event to the end, both counted; none without an event.
    pub fn n_days(&self, end: Option<Instant>) -> i64 {
        let Some((first, _)) = self.ends else { return 0 };
        self.last_day(end) - self.calendar.day(first) + 1
    }

    /// The first and the last event.
    pub fn ends(&self) -> Option<(Instant, Instant)> {
        self.ends
    }

    /// The day at whose end the history is looked at.
    fn last_day(&self, end: Option<Instant>) -> i64 {
        end.map_or(self.latest_day, |end| self.calendar.day(end).max(self.latest_day))
    }

    /// Gaps between visits that ended, by their days.
    pub fn gaps(&self) -> &BTreeMap<i64, u64> {
        &self.gaps
    }

    /// How many customers came back at least once.
    pub fn n_returned(&self) -> usize {
        self.customers.iter().filter(|customer| customer.has_come_back).count()
    }

    /// Gaps that have not ended: for each customer the days since the latest visit.
    pub fn open_gaps(&self, end: Option<Instant>) -> BTreeMap<i64, u64> {
        let mut open = BTreeMap::new();
        let last_day = self.last_day(end);
        for day in self.customers.iter().filter_map(Customer::last_visit) {
            *open.entry(last_day - day).or_default() += 1;
        }
        open
    }

    /// Who bought within the last `window_days` days, at most a year.
    pub fn buyers(&self, end: Option<Instant>, window_days: i64) -> Vec<Buyer> {
        let last_day = self.last_day(end);
        let buyer = |customer: &Customer| {
            let days = customer.days.iter().filter(|day| day.day > last_day - window_days);
            let (mut n_purchases, mut net) = (0, 0_i64);
            for day in days {
                n_purchases += day.n_purchases;
                net = net.saturating_add(day.net);
            }
            let away_days = last_day - customer.last_visit()?;
            (n_purchases > 0).then_some(Buyer { away_days, n_purchases, net: Amount(net) })
        };
        self.customers.iter().filter_map(buyer).collect()
    }

    /// How often those browsed who did within the last `window_days` days, at most a month; ascending.
    pub fn browsers(&self, end: Option<Instant>, window_days: i64) -> Vec<u64> {
        let last_day = self.last_day(end);
        let browsed = |customer: &Customer| -> u64 {
            customer.browsed.iter().filter(|(day, _)| *day > last_day - window_days).map(|(_, n)| n).sum()
        };
        let mut counts: Vec<u64> = self.customers.iter().map(browsed).filter(|n| *n > 0).collect();
        counts.sort_unstable();
        counts
    }
}

impl Customer {
    fn last_visit(&self) -> Option<i64> {
        self.days.iter().rev().find(|day| day.n_purchases > 0).map(|day| day.day).or(self.before)
    }

    /// Counts the gaps that a visit ends and begins. False: it is too late to know them.
    fn visit(&mut self, day: i64, gaps: &mut BTreeMap<i64, u64>) -> bool {
        let Some(last) = self.last_visit() else { return true };
        if day == last {
            return true;
        }
        if self.before.is_some_and(|before| day < before) {
            return false;
        }
        self.has_come_back = true;
        let mut count = |gap: i64| *gaps.entry(gap).or_default() += 1;
        if day > last {
            count(day - last);
            return true;
        }
        // It stands between two others, or before all.
        let visits = self.days.iter().filter(|known| known.n_purchases > 0).map(|known| known.day);
        let visits: Vec<i64> = self.before.into_iter().chain(visits).collect();
        let n_earlier = visits.partition_point(|known| *known < day);
        let later = visits[n_earlier];
        if later == day {
            return true;
        }
        count(later - day);
        if let Some(earlier) = n_earlier.checked_sub(1).map(|index| visits[index]) {
            count(day - earlier);
            let split = gaps.get_mut(&(later - earlier)).expect("it was counted when it ended");
            *split -= 1;
        }
        true
    }

    /// Adds to a day, and forgets those before `kept_from`.
    fn add(&mut self, day: i64, n_purchases: u64, net: i64, kept_from: i64) {
        let is_after_all = self.days.last().is_none_or(|last| last.day < day);
        let found =
            if is_after_all { Err(self.days.len()) } else { self.days.binary_search_by_key(&day, |known| known.day) };
        match found {
            Ok(index) => {
                self.days[index].n_purchases += n_purchases;
                self.days[index].net = self.days[index].net.saturating_add(net);
            }
            Err(index) => self.days.insert(index, Day { day, n_purchases, net }),
        }
        let n_old = self.days.partition_point(|known| known.day < kept_from);
        let old_visits = self.days[..n_old].iter().filter(|known| known.n_purchases > 0).map(|known| known.day);
        self.before = self.before.max(old_visits.max());
        self.days.drain(..n_old);
    }

    fn browse(&mut self, day: i64, kept_from: i64) {
        match self.browsed.binary_search_by_key(&day, |(known, _)| *known) {
            Ok(index) => self.browsed[index].1 += 1,
            Err(index) => self.browsed.insert(index, (day, 1)),
        }
        let n_old = self.browsed.partition_point(|(known, _)| *known < kept_from);
        self.browsed.drain(..n_old);
    }
}
