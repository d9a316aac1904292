//! Who the customers of the made-up shop are: each one's nature, a function of seed and number, so that nothing has to
//! be kept of them.

use super::draw::{mix, scale};
use super::product::{N_BRANDS, N_CATEGORIES};
use crate::event::Span;

/// Traits are drawn independently of each other, by these numbers. Which number is which does not matter, but each is
/// used once.
mod traits {
    pub const ACTIVITY: [u64; 2] = [0, 1];
    pub const TASTE: u64 = 16;
    pub const HOURS: u64 = 3;
    pub const JOINED: u64 = 4;
    pub const LEFT: u64 = 5;
    pub const AWAY: [u64; 3] = [6, 7, 8];
    pub const BUYER: u64 = 9;
    pub const PRICE_SENSITIVITY: u64 = 10;
    pub const LOYALTY: u64 = 11;
    pub const BRAND: u64 = 12;
    pub const SEASON: u64 = 13;
    pub const RHYTHM: [u64; 2] = [14, 15];
    pub const DAY_KIND: u64 = 20;
    pub const EVENING: u64 = 21;
    pub const COUNTRY: [u64; 3] = [34, 22, 23];
    pub const TALKER: u64 = 24;
}

/// What an hour that suits best counts.
const SUITS_MAX: u64 = 8;
const DAYS_OF_WEEK: i64 = 7;
/// 1970-01-01 was a Thursday: so many days later is a Monday.
const FIRST_MONDAY: i64 = 4;

/// A customer's nature.
#[derive(Debug, Clone, Copy)]
pub struct Customer {
    pub number: u64,
    /// Random, but always the same for this customer.
    nature: u64,
}

/// A moment in the shop's life, in the ways that customers care for.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Since the shop's first day.
    pub passed: Span,
    /// From the first day to the last.
    pub span: Span,
    /// Days since 1970-01-01.
    pub day: i64,
    /// Of the year, from 1.
    pub month: u64,
    pub hour: u64,
}

impl Customer {
    pub fn new(seed: u64, number: u64) -> Customer {
        Customer { number, nature: mix(seed ^ mix(number)) }
    }

    /// A number below `n`, one for each `trait_number`.
    pub fn pick(&self, trait_number: u64, n: u64) -> u64 {
        scale(mix(self.nature ^ trait_number.wrapping_mul(0xD6E8_FEB8_6659_FD93)), n)
    }

    /// Whether they come at a moment: as likely as their inclination is, of 64, with `drawn` below that.
    pub fn comes(&self, moment: &Moment, drawn: u64) -> bool {
        let activity = self.activity();
        // Most are refused here, without looking at the clock.
        drawn < activity * SUITS_MAX && drawn < activity * self.suits(moment) && self.is_there(moment)
    }

    /// In eighths: few visit often, most seldom.
    fn activity(&self) -> u64 {
        let [one, other] = traits::ACTIVITY;
        1 + self.pick(one, 8).min(self.pick(other, 12))
    }

    /// In eighths: how much the hour (UTC) and the day suit them.
    fn suits(&self, moment: &Moment) -> u64 {
        const HOURS: [u64; 24] = [2, 1, 1, 1, 1, 1, 2, 3, 4, 5, 5, 5, 6, 5, 4, 4, 5, 6, 7, 8, 8, 7, 5, 3];
        let hour = if self.pick(traits::EVENING, 8) == 0 {
            // One in eight has no time before the evening.
            if moment.hour >= 18 { 8 } else { u64::from(moment.hour == 12) }
        } else {
            HOURS[((moment.hour + self.pick(traits::HOURS, 9)) % 24) as usize]
        };
        let is_weekend = (moment.day - FIRST_MONDAY).rem_euclid(DAYS_OF_WEEK) >= 5;
        match (self.pick(traits::DAY_KIND, 8), is_weekend) {
            // One in eight has no time but at weekends, two none then.
            (0, false) | (1 | 2, true) => hour / 8,
            _ => hour,
        }
    }

    /// Whether they are customers then and not away.
    fn is_there(&self, moment: &Moment) -> bool {
        let [joined, left] =
            [(traits::JOINED, 160), (traits::LEFT, 220)].map(|(of, n)| self.pick(of, n) as i64 * moment.span.0 / 100);
        // Four in ten were there before the start; those who leave stay for at least some time.
        let joined = joined - 3 * moment.span.0 / 5;
        if moment.passed.0 < joined || moment.passed.0 > joined.max(0) + left + Span::DAY.0 {
            return false;
        }
        self.is_season(moment) && self.is_rhythm(moment) && !self.is_away(moment)
    }

    /// A third come for some weeks, then stay away for as long.
    fn is_away(&self, moment: &Moment) -> bool {
        let [length, is_such, phase] = traits::AWAY;
        let weeks = 3 + self.pick(length, 20) as i64;
        self.pick(is_such, 3) == 0 && (moment.passed.0 / Span::WEEK.0 + self.pick(phase, 40) as i64) / weeks % 2 == 1
    }

    /// One in 16 comes before Christmas only, one in 16 in summer only.
    fn is_season(&self, moment: &Moment) -> bool {
        match self.pick(traits::SEASON, 16) {
            0 => moment.month >= 11,
            1 => (6..=8).contains(&moment.month),
            _ => true,
        }
    }

    /// One in eight comes on some days in a row every second, fourth, sixth or twelfth week.
    fn is_rhythm(&self, moment: &Moment) -> bool {
        let [length, phase] = traits::RHYTHM;
        let weeks = [2, 4, 6, 12].get(self.pick(length, 32) as usize);
        weeks.is_none_or(|weeks| (moment.day + self.pick(phase, 84) as i64) % (weeks * DAYS_OF_WEEK) < 3)
    }

    pub fn is_buyer(&self) -> bool {
        self.pick(traits::BUYER, 3) == 0
    }

    /// Speaks of the shop: refers friends, shares, reviews.
    pub fn is_talker(&self) -> bool {
        self.pick(traits::TALKER, 4) == 0
    }

    /// 0: buys what is dear; 7: only what is cheap.
    pub fn price_sensitivity(&self) -> u64 {
        self.pick(traits::PRICE_SENSITIVITY, 8)
    }

    /// In 16ths: how many of their orders come with a coupon.
    pub fn coupons(&self) -> u64 {
        [0, 0, 1, 1, 2, 4, 8, 15][self.price_sensitivity() as usize]
    }

    /// Of ten looks at a shelf, how many are for the favourite brand.
    pub fn loyalty(&self) -> u64 {
        self.pick(traits::LOYALTY, 8)
    }

    pub fn favourite_brand(&self) -> u64 {
        self.pick(traits::BRAND, N_BRANDS)
    }

    /// Of their three, the one they like best first.
    pub fn favourite_category(&self, rank: u64) -> u64 {
        self.pick(traits::TASTE + rank, N_CATEGORIES)
    }

    /// Where they are at a moment, of `n` countries: one in 32 moves once.
    pub fn country(&self, moment: &Moment, n: u64) -> u64 {
        let [home, moves, other] = traits::COUNTRY;
        let share = self.pick(moves, 3_200) as i64;
        let has_moved = share < 100 && moment.passed.0 >= moment.span.0 / 100 * share;
        self.pick(if has_moved { other } else { home }, n)
    }
}
