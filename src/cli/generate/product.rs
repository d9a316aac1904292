//! What is on the shelves of the made-up shop, and how a customer chooses. Products have fixed brands and prices; low
//! numbers are popular.

use super::customer::Customer;
use super::draw::{Draw, mix, scale};

pub const N_CATEGORIES: u64 = CATEGORIES.len() as u64;
pub const N_BRANDS: u64 = BRANDS.len() as u64;
const N_PRODUCTS_OF_CATEGORY: u64 = 200;
/// Every so manieth brand is a premium brand, and costs so many times as much.
const PREMIUM_EVERY: u64 = 8;
const PREMIUM_FACTOR: u64 = 3;

pub const CATEGORIES: [&str; 24] = [
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

/// The last of each row of eight is a premium brand.
pub const BRANDS: [&str; 32] = [
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
    "marrow",
    "nettlecombe",
    "pinewood",
    "quill",
    "larkspur",
    "rowan",
    "saltmarsh",
    "thistle",
    "umber",
    "vetch",
    "willowby",
    "yarrow",
    "oakhurst",
    "brackenridge",
    "cloverly",
    "dunlin",
    "eider",
    "foxglove",
    "greenfinch",
    "heron",
    "ashcombe",
];

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
        let brand = nature % N_BRANDS;
        let factor = if brand % PREMIUM_EVERY == PREMIUM_EVERY - 1 { PREMIUM_FACTOR } else { 1 };
        Product { category, number, brand, price_cents: (class / 2 + nature / 977 % class) * factor }
    }

    /// What `customer` looks at: a category they like, the favourite brand if it is there, something cheap if they
    /// must, something dear if they can.
    pub fn chosen(customer: &Customer, draw: &mut Draw) -> Product {
        let category = match draw.below(10) {
            9 => draw.below(N_CATEGORIES),
            shelf => customer.favourite_category([0, 0, 0, 0, 0, 1, 1, 1, 2][shelf as usize]),
        };
        let wants_brand = draw.below(10) < customer.loyalty();
        let mut chosen = Product::popular(category, draw);
        for _ in 0..4 {
            let other = Product::popular(category, draw);
            let is_better = if wants_brand {
                chosen.brand != customer.favourite_brand() && other.brand == customer.favourite_brand()
            } else if customer.price_sensitivity() == 0 {
                other.price_cents > chosen.price_cents
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
