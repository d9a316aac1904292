//! One event as a line of JSON, with every way to write a field.

use super::random::Random;
use super::world::{Amount, Kind, SECOND, Theme, World};

const AMOUNTS: [&str; 18] = [
    "1E3",
    "-0",
    "\"-0.00025\"",
    "12.34565000000000000000001",
    "12.5",
    "19.999",
    "\"3.33335\"",
    "\"0.00005\"",
    "5e-05",
    "\"-20\"",
    "\"99.99\"",
    "0",
    "7",
    "\"250.50\"",
    "\"1000\"",
    "1e3",
    "0.00015",
    "10.00",
];
const LARGE: [&str; 6] =
    ["10000000000", "\"9999999999.99995\"", "-10000000000", "\"10000000000.00004\"", "1e10", "4999999999.5"];
const QUANTITIES: [&str; 8] = ["1", "2", "3", "1.5", "\"0.5\"", "0", "-1", "2.00001"];
const DISCOUNTS: [&str; 5] = ["0", "2.5", "\"2.50\"", "10", "1"];

/// Fields with their JSON, in the order of writing.
struct Fields(Vec<(&'static str, String)>);

impl Fields {
    fn put(&mut self, name: &'static str, json: impl Into<String>) {
        self.0.push((name, json.into()));
    }

    fn sometimes(&mut self, percent: usize, name: &'static str, texts: &[&str], random: &mut Random) {
        if random.chance(percent) {
            self.put(name, quoted(random.pick(texts)));
        } else if random.chance(3) {
            self.put(name, "null");
        }
    }

    fn into_json(self) -> String {
        let fields: Vec<String> = self.0.iter().map(|(name, json)| format!("\"{name}\": {json}")).collect();
        format!("{{{}}}", fields.join(", "))
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text is JSON")
}

pub fn written_time(time: i64, random: &mut Random) -> String {
    let moment = jiff::Timestamp::from_millisecond(time).expect("a time in range");
    match random.below(10) {
        8 => {
            let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(-9));
            format!("\"{}\"", moment.to_zoned(zone).strftime("%Y-%m-%dT%H:%M:%S%.9f%:z"))
        }
        0 => format!("\"{}\"", moment.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")),
        1 => format!("\"{}987+00:00\"", moment.strftime("%Y-%m-%dT%H:%M:%S%.3f")),
        2 => {
            let zone = jiff::tz::TimeZone::get("Asia/Kolkata").expect("a time zone");
            format!("\"{}\"", moment.to_zoned(zone).strftime("%Y-%m-%dT%H:%M:%S%.3f%:z"))
        }
        _ => time.to_string(),
    }
}

/// The fields of an event but its id, customer and time: what a duplicate repeats.
pub fn body(kind: &Kind, world: &World, random: &mut Random) -> String {
    let mut fields = Fields(Vec::new());
    fields.put("kind", quoted(kind.name));
    fields.sometimes(60, "channel", &["web", "app", "shop", ""], random);
    fields.sometimes(60, "country", &["DE", "US", "FR"], random);
    fields.sometimes(60, "device", &["iPad", "ipad", "iPhone", "android"], random);
    fields.sometimes(15, "coupon", &["WAKE", "TEN"], random);
    if random.chance(20) {
        fields.put("discount", random.pick(&DISCOUNTS));
    }
    if kind.has_products() {
        let percent = if kind.has_lines() { 30 } else { 80 };
        products(&mut fields, percent, random);
    }
    if kind.has_query() {
        let queries = ["garden hose", "Book", "RED Shoes", "red shoes", "", "Örn OÖ", "ΣΑΣ", "hose"];
        fields.sometimes(90, "query", &queries, random);
    }
    if kind.has_rating() && (kind.amount == Amount::Rating || random.chance(50)) {
        fields.put("rating", random.pick(&["1", "2", "3", "\"4\"", "5", "3.5", "2.00005"]));
    }
    amounts(&mut fields, kind, world, random);
    attributes(&mut fields, kind, random);
    if random.chance(4) {
        fields.put("customer", "null");
    }
    if random.chance(4) {
        fields.put("note", "[1, {\"amount\": null}, \"\\u00e9\"]");
    }
    let json = fields.into_json();
    json[1..json.len() - 1].to_owned()
}

fn products(fields: &mut Fields, percent: usize, random: &mut Random) {
    fields.sometimes(percent, "product_id", &["p1", "p2", "p3", "p4"], random);
    fields.sometimes(percent, "category", &["garden", "toys", "books", "shoes", ""], random);
    fields.sometimes(percent, "brand", &["acme", "zen", "örn"], random);
}

fn amounts(fields: &mut Fields, kind: &Kind, world: &World, random: &mut Random) {
    let mut large = world.theme == Theme::Money && random.chance(12);
    let amount = |large: bool, random: &mut Random| random.pick(if large { &LARGE[..] } else { &AMOUNTS[..] });
    match kind.amount {
        Amount::None | Amount::Rating | Amount::OfRating => return,
        Amount::Value if random.chance(10) => return,
        Amount::Value => return fields.put("value", amount(large, random)),
        Amount::Plain if random.chance(30) => return,
        Amount::Plain => fields.put("amount", amount(large, random)),
        Amount::Lines => {
            let has_lines = random.chance(55);
            if has_lines {
                let lines: Vec<String> = (0..random.between(1, 4)).map(|_| line(random)).collect();
                fields.put("items", format!("[{}]", lines.join(", ")));
            } else if random.chance(10) {
                fields.put("items", "[]");
            }
            if !has_lines || random.chance(25) {
                fields.put("amount", amount(large, random));
            } else {
                large = false;
            }
        }
    }
    if !large && !world.currencies.is_empty() && random.chance(50) {
        let currency = if random.chance(20) { "EUR" } else { random.pick(&world.currencies) };
        fields.put("currency", quoted(currency));
    }
}

fn line(random: &mut Random) -> String {
    let mut fields = Fields(Vec::new());
    products(&mut fields, 75, random);
    if random.chance(60) {
        fields.put("quantity", random.pick(&QUANTITIES));
    }
    if random.chance(65) {
        fields.put("unit_price", random.pick(&AMOUNTS));
    }
    if random.chance(35) {
        fields.put("amount", random.pick(&AMOUNTS));
    }
    if random.chance(30) {
        fields.put("discount", random.pick(&DISCOUNTS));
    }
    fields.into_json()
}

fn attributes(fields: &mut Fields, kind: &Kind, random: &mut Random) {
    let choices: &[(&'static str, &[&str])] = if kind.name == "profile" {
        &[
            ("vip", &["true", "false", "null", "\"yes\""]),
            ("age", &["17", "29", "30", "30.5", "30.50004", "\"30\"", "65", "null"]),
            ("country", &["\"DE\"", "\"US\"", "\"FR\"", "\"5\"", "5", "null"]),
            (
                "birthday",
                &[
                    "\"03-15\"",
                    "\"1985-11-02\"",
                    "\"1990-02-29\"",
                    "\"03-01\"",
                    "\"never\"",
                    "null",
                    "\"02-28\"",
                    "\"2001-02-30\"",
                    "\"12-31\"",
                    "\"1999-01-01\"",
                    "\"3-1\"",
                    "\"03-30\"",
                    "\"10-26\"",
                ],
            ),
        ]
    } else {
        &[
            ("gift", &["true", "false", "\"true\""]),
            ("size", &["1", "2", "2.5", "\"2\""]),
            ("list", &["\"wish\"", "\"cart\""]),
        ]
    };
    if kind.name != "profile" && !random.chance(25) {
        return;
    }
    let mut attributes = Fields(Vec::new());
    for (name, values) in choices {
        if random.chance(45) {
            attributes.put(name, random.pick(values));
        }
    }
    fields.put("attributes", attributes.into_json());
}

/// A line that is no event, at about this time.
pub fn reject(time: i64, random: &mut Random) -> String {
    let long = "x".repeat(300);
    match random.below(18) {
        12 => format!("[{time}]"),
        13 => format!("{{\"kind\": \"purchase\", \"customer_id\": \"c0\", \"time\": {time}, \"amount\": \"five\"}}"),
        14 => format!("{{\"kind\": \"browse\", \"customer_id\": true, \"time\": {time}}}"),
        15 => format!("{{\"kind\": \"browse\", \"customer_id\": \"c0\", \"time\": {time}}} trailing"),
        16 => "{\"kind\": \"browse\", \"customer_id\": \"c0\", \"time\": -1}".to_owned(),
        17 => format!(
            "{{\"kind\": \"refund\", \"customer_id\": \"c0\", \"time\": {time}, \"amount\": null, \"items\": []}}"
        ),
        0 => "{\"kind\": \"browse\", \"customer_id\": \"c0\", \"time\": ".to_owned(),
        1 => format!("{{\"kind\": \"browse\", \"time\": {time}}}"),
        2 => format!("{{\"kind\": \"browse\", \"customer_id\": \"\", \"time\": {time}}}"),
        3 => "{\"kind\": \"browse\", \"customer_id\": \"c0\", \"time\": \"yesterday\"}".to_owned(),
        4 => "{\"kind\": \"browse\", \"customer_id\": \"c0\", \"time\": 4102444800000}".to_owned(),
        5 => format!("{{\"kind\": \"purchase\", \"customer_id\": \"c0\", \"time\": {time}}}"),
        6 => format!("{{\"kind\": \"feedback\", \"customer_id\": \"c0\", \"time\": {time}}}"),
        7 => {
            format!("{{\"kind\": \"refund\", \"customer_id\": \"c0\", \"time\": {time}, \"amount\": 10000000000.0001}}")
        }
        8 => format!(
            "{{\"kind\": \"purchase\", \"customer_id\": \"c0\", \"time\": {time}, \"amount\": 5, \"currency\": \"XXX\"}}"
        ),
        9 => format!("{{\"kind\": \"unheard\", \"customer_id\": \"c0\", \"time\": {time}}}"),
        10 => format!("{{\"kind\": \"browse\", \"customer_id\": \"{long}\", \"time\": {}}}", time + SECOND),
        _ => format!("{{\"kind\": \"browse\", \"event_id\": \"{long}\", \"customer_id\": \"c0\", \"time\": {time}}}"),
    }
}
