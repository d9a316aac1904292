//! An event of the made-up shop as a line of JSON. Put together by hand, since it has to be much faster than what is
//! measured with it. Every text that it writes is free of characters that JSON escapes.

use super::model::{Customer, Draw, Event, Kind, Product, mix};
use crate::event::{Instant, Span};

const CATEGORIES: [&str; super::model::N_CATEGORIES as usize] = [
    "garden",
    "kitchen",
    "toys",
    "books",
    "shoes",
    "bags",
    "lamps",
    "rugs",
    "tea",
    "coffee",
    "candles",
    "stationery",
    "bicycles",
    "camping",
    "fishing",
    "music",
    "games",
    "jewellery",
    "watches",
    "curtains",
    "tools",
    "paint",
    "pets",
    "baby",
];
const BRANDS: [&str; super::model::N_BRANDS as usize] = [
    "alderway",
    "birkholm",
    "calluna",
    "dovetree",
    "elmfield",
    "fennick",
    "gorsebay",
    "hartwell",
    "inkling",
    "juniper",
    "kestrel",
    "larkspur",
    "marrow",
    "nettlecombe",
    "oakhurst",
    "pinewood",
    "quill",
    "rowan",
    "saltmarsh",
    "thistle",
    "umber",
    "vetch",
    "willowby",
    "yarrow",
    "ashcombe",
    "brackenridge",
    "cloverly",
    "dunlin",
    "eider",
    "foxglove",
    "greenfinch",
    "heron",
];
const COUNTRIES: [&str; 12] = ["DE", "FR", "GB", "NL", "AT", "CH", "PL", "ES", "IT", "SE", "DK", "US"];
const DEVICES: [&str; 5] = ["android", "iphone", "desktop", "tablet", "laptop"];
const CHANNELS: [&str; 4] = ["web", "app", "store", "phone"];
const REFERRERS: [&str; 6] = ["newsletter", "search-engine", "direct", "social-media", "partner-shop", "retargeting"];
const PAGES: [&str; 4] = ["product", "category", "landing", "recommendation"];
const WISHES: [&str; 8] = ["blue", "large", "small", "cheap", "for children", "gift", "vintage", "waterproof"];
const COUPONS: [&str; 4] = ["WAKE10", "SPRING5", "THANKYOU", "FRIEND15"];

/// Writes lines; remembers the day it last wrote, since most events share it with the one before.
#[derive(Default)]
pub struct Writer {
    day: i64,
    date: Vec<u8>,
}

impl Writer {
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
        field(out, "channel", CHANNELS[customer.pick(32 + draw.below(3) / 2, 4) as usize]);
        field(out, "country", COUNTRIES[customer.pick(34, 12) as usize]);
        field(out, "device", DEVICES[customer.pick(35 + draw.below(5) / 4, 5) as usize]);
        match event.kind {
            Kind::Purchase => purchase(customer, &mut draw, out),
            Kind::Browse => browse(customer, &mut draw, out),
            Kind::Search => search(customer, &mut draw, out),
            Kind::Refund => refund(customer, &mut draw, out),
            Kind::Feedback => feedback(customer, &mut draw, out),
            Kind::Profile => profile(customer, &mut draw, out),
        }
        out.extend_from_slice(b"}\n");
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

fn purchase(customer: &Customer, draw: &mut Draw, out: &mut Vec<u8>) {
    let n_lines = 1 + draw.below(5).min(draw.below(8 - customer.price_sensitivity().min(6)));
    let mut total_cents = 0;
    out.extend_from_slice(b",\"items\":[");
    for index in 0..n_lines {
        if index > 0 {
            out.push(b',');
        }
        total_cents += item(customer, draw, out);
    }
    out.push(b']');
    let has_coupon = draw.below(16) < customer.price_sensitivity();
    let discount_cents = if has_coupon { total_cents / 10 } else { 0 };
    if has_coupon {
        field(out, "coupon", COUPONS[draw.below(4) as usize]);
    }
    out.extend_from_slice(b",\"discount\":");
    money(out, discount_cents);
    out.extend_from_slice(b",\"amount\":");
    money(out, total_cents - discount_cents);
    field(out, "currency", "EUR");
}

fn refund(customer: &Customer, draw: &mut Draw, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"items\":[");
    let cents = item(customer, draw, out);
    out.extend_from_slice(b"],\"amount\":");
    money(out, cents);
    field(out, "currency", "EUR");
    out.extend_from_slice(b",\"attributes\":{\"reason\":\"");
    text(out, [&b"damaged"[..], b"too late", b"does not fit"][draw.below(3) as usize], "\"}");
}

/// Writes a line of an order; returns what it costs.
fn item(customer: &Customer, draw: &mut Draw, out: &mut Vec<u8>) -> u64 {
    let product = Product::chosen(customer, draw);
    let quantity = 1 + draw.below(4) * draw.below(8) / 12;
    out.extend_from_slice(b"{\"product_id\":\"");
    product_id(&product, out);
    out.push(b'"');
    field(out, "category", CATEGORIES[product.category as usize]);
    field(out, "brand", BRANDS[product.brand as usize]);
    out.extend_from_slice(b",\"quantity\":");
    padded(out, quantity, 1);
    out.extend_from_slice(b",\"unit_price\":");
    money(out, product.price_cents);
    out.push(b'}');
    quantity * product.price_cents
}

fn browse(customer: &Customer, draw: &mut Draw, out: &mut Vec<u8>) {
    let product = Product::chosen(customer, draw);
    out.extend_from_slice(b",\"product_id\":\"");
    product_id(&product, out);
    out.push(b'"');
    field(out, "category", CATEGORIES[product.category as usize]);
    field(out, "brand", BRANDS[product.brand as usize]);
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

fn profile(customer: &Customer, draw: &mut Draw, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"attributes\":{\"birthday\":\"");
    padded(out, 1_940 + customer.pick(41, 68), 4);
    out.push(b'-');
    padded(out, 1 + customer.pick(42, 12), 2);
    out.push(b'-');
    padded(out, 1 + customer.pick(43, 28), 2);
    text(out, b"\",\"household\":\"", ["single", "couple", "family"][customer.pick(44, 3) as usize]);
    out.extend_from_slice(b"\",\"business\":");
    out.extend_from_slice(if customer.pick(45, 12) == 0 { b"true" } else { b"false" });
    out.extend_from_slice(b",\"newsletter\":");
    out.extend_from_slice(if draw.below(3) == 0 { b"false}" } else { b"true}" });
}

fn product_id(product: &Product, out: &mut Vec<u8>) {
    text(out, b"p-", CATEGORIES[product.category as usize]);
    out.push(b'-');
    padded(out, product.number, 4);
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
