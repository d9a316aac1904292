//! An event of the made-up shop as a line of JSON. Put together by hand, since it has to be much faster than what is
//! measured with it. Every text that it writes is free of characters that JSON escapes.

use super::customer::Customer;
use super::draw::{Draw, mix};
use super::kind::Kind;
use super::model::Event;
use super::product::{BRANDS, CATEGORIES, Product};
use crate::event::{Instant, Span};

const COUNTRIES: [&str; 13] = ["DE", "FR", "GB", "NL", "AT", "CH", "PL", "ES", "IT", "SE", "DK", "US", "IE"];
const DEVICES: [&str; 5] = ["android", "iphone", "desktop", "tablet", "laptop"];
const CHANNELS: [&str; 4] = ["web", "app", "store", "phone"];
const REFERRERS: [&str; 6] = ["newsletter", "search-engine", "direct", "social-media", "partner-shop", "retargeting"];
const PAGES: [&str; 4] = ["product", "category", "landing", "recommendation"];
const WISHES: [&str; 8] = ["blue", "large", "small", "cheap", "for children", "gift", "vintage", "waterproof"];
const COUPONS: [&str; 4] = ["WAKE10", "SPRING5", "THANKYOU", "FRIEND15"];
const NETWORKS: [&str; 4] = ["messenger", "e-mail", "photos", "forum"];
/// The first two say most about what they need.
const OCCUPATIONS: [&str; 6] = ["student", "retired", "employed", "self-employed", "public service", "at home"];
/// People who work at a company, at most.
const COMPANY_SIZES: [u64; 4] = [9, 49, 249, 5_000];

/// Writes lines; remembers the day it last wrote, since most events share it with the one before.
pub struct Writer<'a> {
    currency: &'a str,
    day: i64,
    date: Vec<u8>,
}

impl<'a> Writer<'a> {
    pub fn new(currency: &'a str) -> Writer<'a> {
        Writer { currency, day: 0, date: Vec::new() }
    }

    /// Appends the line of `event` with its newline.
    pub fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        let mut draw = event.draw;
        let customer = &event.customer;
        text(out, b"{\"event_id\":\"evt-", hex(mix(event.number ^ mix(event.seed))));
        text(out, b"\",\"customer_id\":\"cust", hex(mix(customer.number ^ mix(!event.seed))));
        text(out, b"\",\"kind\":\"", event.kind.name());
        out.extend_from_slice(b"\",\"time\":\"");
        self.time(event.time, out);
        out.push(b'"');
        let mut where_from = Draw(event.number);
        let country = customer.country(&event.moment, COUNTRIES.len() as u64);
        field(out, "channel", CHANNELS[customer.pick(32 + where_from.below(3) / 2, 4) as usize]);
        field(out, "country", COUNTRIES[country as usize]);
        field(out, "device", DEVICES[customer.pick(35 + where_from.below(5) / 4, 5) as usize]);
        match event.kind {
            Kind::Purchase => self.purchase(customer, &mut draw, out),
            Kind::Browse => browse(customer, &mut draw, out),
            Kind::Search => search(customer, &mut draw, out),
            Kind::Refund => self.refund(customer, &mut draw, out),
            Kind::Feedback => feedback(customer, &mut draw, out),
            Kind::Profile => self.profile(customer, country, &mut draw, out),
            Kind::CartAdd => cart_add(customer, &mut draw, out),
            Kind::Referral => referral(event, out),
            Kind::Share => share(customer, &mut draw, out),
            Kind::Review => review(customer, &mut draw, out),
        }
        out.extend_from_slice(b"}\n");
    }

    fn purchase(&self, customer: &Customer, draw: &mut Draw, out: &mut Vec<u8>) {
        let mut total_cents = 0;
        out.extend_from_slice(b",\"items\":[");
        for index in 0..n_lines(customer, draw) {
            if index > 0 {
                out.push(b',');
            }
            total_cents += item(customer, draw, out);
        }
        out.push(b']');
        let has_coupon = draw.below(16) < customer.coupons();
        let discount_cents = if has_coupon { total_cents / 10 } else { 0 };
        if has_coupon {
            field(out, "coupon", COUPONS[draw.below(4) as usize]);
        }
        out.extend_from_slice(b",\"discount\":");
        money(out, discount_cents);
        out.extend_from_slice(b",\"amount\":");
        money(out, total_cents - discount_cents);
        field(out, "currency", self.currency);
    }

    /// Of the first line of the order that has the same draw.
    fn refund(&self, customer: &Customer, draw: &mut Draw, out: &mut Vec<u8>) {
        n_lines(customer, draw);
        out.extend_from_slice(b",\"items\":[");
        let cents = item(customer, draw, out);
        out.extend_from_slice(b"],\"amount\":");
        money(out, cents);
        field(out, "currency", self.currency);
        out.extend_from_slice(b",\"attributes\":{\"reason\":\"");
        text(out, [&b"damaged"[..], b"too late", b"does not fit"][draw.below(3) as usize], "\"}");
    }

    /// What they tell is the same whenever they tell it, but for their age, where they are and the newsletter.
    fn profile(&self, customer: &Customer, country: u64, draw: &mut Draw, out: &mut Vec<u8>) {
        let (born, month, day) = (1_940 + customer.pick(41, 68), 1 + customer.pick(42, 12), 1 + customer.pick(43, 28));
        out.extend_from_slice(b",\"attributes\":{\"birthday\":\"");
        padded(out, born, 4);
        out.push(b'-');
        padded(out, month, 2);
        out.push(b'-');
        padded(out, day, 2);
        out.extend_from_slice(b"\",\"age\":");
        padded(out, self.years_since(born, month, day), 1);
        if let Some(gender) = ["female", "male"].get(customer.pick(46, 5) as usize / 2) {
            field(out, "gender", gender);
        }
        field(out, "household", ["single", "couple", "family"][customer.pick(44, 3) as usize]);
        if customer.pick(47, 3) == 0 {
            field(out, "occupation", OCCUPATIONS[customer.pick(48, 6) as usize]);
        }
        if customer.pick(49, 2) == 0 {
            field(out, "country", COUNTRIES[country as usize]);
        }
        let is_business = customer.pick(45, 12) == 0;
        text(out, b",\"business\":", if is_business { "true" } else { "false" });
        if is_business {
            out.extend_from_slice(b",\"company_size\":");
            padded(out, 1 + customer.pick(51, COMPANY_SIZES[customer.pick(50, 4) as usize]), 1);
        }
        text(out, b",\"newsletter\":", if draw.below(3) == 0 { "false}" } else { "true}" });
    }

    /// Whole years to the day last written.
    fn years_since(&self, year: u64, month: u64, day: u64) -> u64 {
        let number = |from: usize, to: usize| {
            let digits = self.date.get(from..to).unwrap_or_default();
            digits.iter().fold(0, |number, digit| 10 * number + u64::from(digit.wrapping_sub(b'0')))
        };
        let had_birthday = (number(5, 7), number(8, 10)) >= (month, day);
        (number(0, 4) - u64::from(!had_birthday)).saturating_sub(year)
    }

    fn time(&mut self, time: Instant, out: &mut Vec<u8>) {
        let day = time.0 / Span::DAY.0;
        if self.date.is_empty() || day != self.day {
            self.day = day;
            self.date.clear();
            self.date.extend_from_slice(&time.to_string().as_bytes()[.."2026-01-01T".len()]);
        }
        let ms = (time.0 % Span::DAY.0) as u64;
        out.extend_from_slice(&self.date);
        padded(out, ms / 3_600_000, 2);
        out.push(b':');
        padded(out, ms / 60_000 % 60, 2);
        out.push(b':');
        padded(out, ms / 1_000 % 60, 2);
        out.push(b'.');
        padded(out, ms % 1_000, 3);
        out.push(b'Z');
    }
}

/// How many lines an order has, of a draw that its lines continue.
fn n_lines(customer: &Customer, draw: &mut Draw) -> u64 {
    1 + draw.below(5).min(draw.below(8 - customer.price_sensitivity().min(6)))
}

/// Writes a line of an order; returns what it costs. The price-sensitive ones find what is reduced.
fn item(customer: &Customer, draw: &mut Draw, out: &mut Vec<u8>) -> u64 {
    let product = Product::chosen(customer, draw);
    let quantity = 1 + draw.below(4) * draw.below(8) / 12;
    let is_reduced = draw.below(32) < customer.price_sensitivity();
    out.extend_from_slice(b"{");
    shown(&product, b"\"product_id\":\"", out);
    out.extend_from_slice(b",\"quantity\":");
    padded(out, quantity, 1);
    out.extend_from_slice(b",\"unit_price\":");
    money(out, product.price_cents);
    let mut cents = quantity * product.price_cents;
    if is_reduced {
        let discount = cents / 5;
        cents -= discount;
        out.extend_from_slice(b",\"discount\":");
        money(out, discount);
        out.extend_from_slice(b",\"amount\":");
        money(out, cents);
    }
    out.push(b'}');
    cents
}

fn browse(customer: &Customer, draw: &mut Draw, out: &mut Vec<u8>) {
    shown(&Product::chosen(customer, draw), b",\"product_id\":\"", out);
    text(out, b",\"attributes\":{\"page\":\"", PAGES[draw.below(4) as usize]);
    text(out, b"\",\"referrer\":\"", REFERRERS[draw.below(6) as usize]);
    out.extend_from_slice(b"\",\"seconds\":");
    padded(out, 1 + draw.below(30) * draw.below(20), 1);
    out.push(b'}');
}

fn search(customer: &Customer, draw: &mut Draw, out: &mut Vec<u8>) {
    let product = Product::chosen(customer, draw);
    text(out, b",\"query\":\"", WISHES[draw.below(8) as usize]);
    if draw.below(3) == 0 {
        text(out, b" ", BRANDS[product.brand as usize]);
    }
    text(out, b" ", CATEGORIES[product.category as usize]);
    out.extend_from_slice(b"\",\"attributes\":{\"results\":");
    padded(out, draw.below(30) * draw.below(12), 1);
    text(out, b",\"page\":\"", PAGES[draw.below(4) as usize]);
    text(out, b"\",\"referrer\":\"", REFERRERS[draw.below(6) as usize]);
    out.extend_from_slice(b"\"}");
}

fn feedback(customer: &Customer, draw: &mut Draw, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"rating\":");
    padded(out, 1 + (customer.pick(40, 4) + draw.below(3)).min(4), 1);
    text(out, b",\"attributes\":{\"about\":\"", ["delivery", "product", "service"][draw.below(3) as usize]);
    out.extend_from_slice(b"\"}");
}

/// The first thing of the order that it may become.
fn cart_add(customer: &Customer, draw: &mut Draw, out: &mut Vec<u8>) {
    n_lines(customer, draw);
    shown(&Product::chosen(customer, draw), b",\"product_id\":\"", out);
}

fn referral(event: &Event, out: &mut Vec<u8>) {
    text(out, b",\"attributes\":{\"friend\":\"cust", hex(mix(event.number)));
    out.extend_from_slice(b"\"}");
}

fn share(customer: &Customer, draw: &mut Draw, out: &mut Vec<u8>) {
    shown(&Product::chosen(customer, draw), b",\"product_id\":\"", out);
    text(out, b",\"attributes\":{\"to\":\"", NETWORKS[draw.below(4) as usize]);
    out.extend_from_slice(b"\"}");
}

fn review(customer: &Customer, draw: &mut Draw, out: &mut Vec<u8>) {
    shown(&Product::chosen(customer, draw), b",\"product_id\":\"", out);
    out.extend_from_slice(b",\"rating\":");
    padded(out, 1 + (customer.pick(40, 4) + draw.below(3)).min(4), 1);
}

/// `before` ends where the product's id begins.
fn shown(product: &Product, before: &[u8], out: &mut Vec<u8>) {
    text(out, before, b"p-");
    out.extend_from_slice(CATEGORIES[product.category as usize].as_bytes());
    out.push(b'-');
    padded(out, product.number, 4);
    out.push(b'"');
    field(out, "category", CATEGORIES[product.category as usize]);
    field(out, "brand", BRANDS[product.brand as usize]);
}

fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    text(out, b",\"", name);
    text(out, b"\":\"", value);
    out.push(b'"');
}

fn text(out: &mut Vec<u8>, before: &[u8], value: impl AsRef<[u8]>) {
    out.extend_from_slice(before);
    out.extend_from_slice(value.as_ref());
}

fn money(out: &mut Vec<u8>, cents: u64) {
    padded(out, cents / 100, 1);
    out.push(b'.');
    padded(out, cents % 100, 2);
}

/// Decimal digits, at least `n_digits_min`.
fn padded(out: &mut Vec<u8>, mut number: u64, n_digits_min: usize) {
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    while number > 0 {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    out.extend_from_slice(&digits[start.min(digits.len() - n_digits_min)..]);
}

/// Sixteen hexadecimal digits.
fn hex(bits: u64) -> [u8; 16] {
    std::array::from_fn(|index| b"0123456789abcdef"[(bits >> (60 - 4 * index)) as usize & 15])
}
