//! `dormouse generate`: events of a made-up shop, for trying out rules, for tests and for measuring.
//!
//! The same arguments give the same bytes. Memory does not grow with the number of customers: a customer's nature is
//! computed from their number whenever they are drawn. The model is described in [`model`], and for users in
//! `docs/generated-events.md`.

mod customer;
mod draw;
mod kind;
mod line;
mod model;
mod product;

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

pub use kind::Kind;
pub use model::Model;

use super::Exit;
use crate::event::{Instant, Span};

const HELP: &str = "\
Examples:
  dormouse generate --customers 1000 --events 50000 --seed 7 --out events.jsonl
  dormouse generate --configured --currency GBP | dormouse replay -c config/segments.toml -

None of it is real: docs/generated-events.md says how it is made, and what it must not be taken for.";

/// The currency of orders when nobody asks for another.
const CURRENCY: &str = "EUR";

/// Flushed whenever it is this full.
const BUFFER_BYTES: usize = 256 << 10;

#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct Args {
    /// How many customers the shop has
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    customers: u64,
    /// How many events to write
    #[arg(long, value_name = "M", default_value_t = 100_000)]
    events: u64,
    /// Another seed is another shop
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// The kinds of events, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Kind::ALL)]
    kinds: Vec<Kind>,
    /// Also cart_add, referral, share and review, which rules have to name
    #[arg(long)]
    configured: bool,
    /// The currency of orders and refunds
    #[arg(long, value_name = "CODE", default_value = CURRENCY, value_parser = currency)]
    currency: String,
    /// The day (UTC) of the first event
    #[arg(long, value_name = "DATE", default_value = "2026-01-01")]
    start: jiff::civil::Date,
    /// The days over which the events are spread
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    days: u32,
    /// The file to write; without it standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Writes the events.
pub fn run(args: Args) -> Exit {
    let Some(model) = args.model() else {
        eprintln!("error: --start and --days reach outside the years 1970 to 2099");
        return Exit::Usage;
    };
    let place = args.out.as_ref().map_or_else(|| "standard output".to_owned(), |path| path.display().to_string());
    let written = match &args.out {
        Some(path) => File::create(path).and_then(|file| write_in(&args.currency, &model, file)),
        None => write_in(&args.currency, &model, io::stdout().lock()),
    };
    match written {
        Ok(()) => Exit::Fine,
        // Whoever read it has seen enough.
        Err(error) if args.out.is_none() && error.kind() == io::ErrorKind::BrokenPipe => Exit::Fine,
        Err(error) => {
            eprintln!("error: {place} cannot be written: {error}");
            Exit::World
        }
    }
}

/// Three capital letters.
fn currency(text: &str) -> Result<String, String> {
    let is_code = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    if is_code { Ok(text.to_owned()) } else { Err("a currency is three capital letters, such as EUR".to_owned()) }
}

impl Args {
    fn kinds(&self) -> Vec<Kind> {
        let mut kinds = self.kinds.clone();
        if self.configured {
            kinds.extend(Kind::CONFIGURED.iter().filter(|kind| !self.kinds.contains(kind)));
        }
        kinds
    }

    fn model(&self) -> Option<Model> {
        let start = self.start.at(0, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond();
        let end = start + i64::from(self.days + 1) * Span::DAY.0;
        let is_within = Instant(start) >= Instant::ORIGIN && Instant(end) <= Instant::END;
        is_within.then(|| Model {
            n_customers: self.customers,
            n_events: self.events,
            seed: self.seed,
            kinds: self.kinds(),
            start: Instant(start),
            days: self.days,
        })
    }
}

/// Writes the events of a model as lines of JSON, in the order of time. Orders are in euros.
pub fn write(model: &Model, out: impl Write) -> io::Result<()> {
    write_in(CURRENCY, model, out)
}

/// As [`write`], with orders in another currency.
pub fn write_in(currency: &str, model: &Model, mut out: impl Write) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(BUFFER_BYTES + (4 << 10));
    let mut writer = line::Writer::new(currency);
    for event in model.events() {
        writer.write(&event, &mut buffer);
        if buffer.len() >= BUFFER_BYTES {
            out.write_all(&buffer)?;
            buffer.clear();
        }
    }
    out.write_all(&buffer)?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn model(n_customers: u64, n_events: u64, seed: u64) -> Model {
        Model { n_customers, n_events, seed, kinds: Kind::ALL.to_vec(), start: Instant(1_767_225_600_000), days: 365 }
    }

    fn lines(model: &Model) -> Vec<serde_json::Value> {
        let mut bytes = Vec::new();
        write(model, &mut bytes).expect("memory takes it");
        let text = String::from_utf8(bytes).expect("lines are UTF-8");
        text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
    }

    #[test]
    fn events_are_as_many_as_asked_in_the_order_of_time_and_of_every_kind() {
        let events = lines(&model(500, 20_000, 3));
        assert_eq!(events.len(), 20_000);
        let times: Vec<&str> = events.iter().map(|event| event["time"].as_str().expect("a time")).collect();
        assert!(times.is_sorted(), "RFC 3339 in UTC sorts as text");
        assert!(times[0].starts_with("2026-01-0"));
        assert!(times[19_999] >= "2026-12-2" && times[19_999] <= "2027-01-1");
        let mut n_of_kind = BTreeMap::new();
        for event in &events {
            *n_of_kind.entry(event["kind"].as_str().expect("a kind")).or_insert(0) += 1;
            assert_eq!(event["customer_id"].as_str().map(str::len), Some(20));
            assert_eq!(event["event_id"].as_str().map(str::len), Some(20));
        }
        assert_eq!(n_of_kind.len(), 6);
        assert!(n_of_kind["browse"] > n_of_kind["purchase"] && n_of_kind["purchase"] > n_of_kind["refund"]);
    }

    #[test]
    fn a_line_has_about_330_bytes() {
        let mut bytes = Vec::new();
        write(&model(500, 20_000, 3), &mut bytes).expect("memory takes it");
        let n_bytes_mean = bytes.len() / 20_000;
        assert!((310..350).contains(&n_bytes_mean), "{n_bytes_mean}");
    }

    #[test]
    fn a_purchase_costs_what_its_lines_cost() {
        let purchases = lines(&model(50, 5_000, 9)).into_iter().filter(|event| event["kind"] == "purchase");
        let mut n_purchases = 0;
        for event in purchases {
            let cents = |value: &serde_json::Value| (value.as_f64().expect("a number") * 100.0).round() as i64;
            let items = event["items"].as_array().expect("a list");
            let line = |item: &serde_json::Value| {
                let whole = cents(&item["unit_price"]) * cents(&item["quantity"]) / 100;
                if item["amount"].is_null() {
                    return whole;
                }
                assert_eq!(cents(&item["amount"]), whole - cents(&item["discount"]), "{event}");
                cents(&item["amount"])
            };
            let total: i64 = items.iter().map(line).sum();
            assert_eq!(cents(&event["amount"]), total - cents(&event["discount"]), "{event}");
            n_purchases += 1;
        }
        assert!(n_purchases > 100);
    }

    #[test]
    fn a_seed_is_a_shop_and_event_ids_are_unique() {
        let events = lines(&model(100, 5_000, 5));
        assert_eq!(events, lines(&model(100, 5_000, 5)));
        assert_ne!(events, lines(&model(100, 5_000, 6)));
        let ids: std::collections::BTreeSet<&str> =
            events.iter().map(|event| event["event_id"].as_str().expect("an id")).collect();
        assert_eq!(ids.len(), 5_000);
    }

    #[test]
    fn an_order_was_in_the_cart_and_what_comes_back_was_ordered() {
        let kinds = [Kind::ALL.as_slice(), &Kind::CONFIGURED].concat();
        let events = lines(&Model { kinds, ..model(300, 20_000, 4) });
        let mut in_cart: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut ordered: BTreeMap<&str, Vec<&serde_json::Value>> = BTreeMap::new();
        let mut n_of_kind: BTreeMap<&str, usize> = BTreeMap::new();
        for event in &events {
            let of = |name: &str| event[name].as_str().unwrap_or_default();
            let (kind, customer) = (of("kind"), of("customer_id"));
            *n_of_kind.entry(kind).or_default() += 1;
            let first = &event["items"][0];
            match kind {
                "cart_add" => in_cart.entry(customer).or_default().push(of("product_id")),
                "purchase" => {
                    let product = first["product_id"].as_str().expect("a line has a product");
                    assert!(in_cart[customer].contains(&product), "{event}");
                    ordered.entry(customer).or_default().push(first);
                }
                "refund" => assert!(ordered[customer].contains(&first), "{event}"),
                _ => {}
            }
        }
        assert_eq!(n_of_kind.len(), 10, "{n_of_kind:?}");
        assert!(n_of_kind["cart_add"] > n_of_kind["purchase"], "nobody left a cart: {n_of_kind:?}");
        assert!(n_of_kind["purchase"] > 2_000 && n_of_kind["refund"] > 150, "{n_of_kind:?}");
    }

    #[test]
    fn people_are_as_old_as_they_are_and_tell_the_same_again() {
        let events = lines(&Model { kinds: vec![Kind::Profile], ..model(40, 2_000, 8) });
        let mut told: BTreeMap<&str, &serde_json::Value> = BTreeMap::new();
        for event in &events {
            let attributes = &event["attributes"];
            let number = |text: &str| text.parse::<u64>().expect("digits");
            let (birthday, day) = (attributes["birthday"].as_str().expect("a date"), &event["time"].as_str());
            let (born, today) = (number(&birthday[..4]), day.expect("a time"));
            let age = number(&today[..4]) - born - u64::from(today[5..10] < birthday[5..]);
            assert_eq!(attributes["age"], age, "{event}");
            let before = told.entry(event["customer_id"].as_str().expect("an id")).or_insert(attributes);
            for name in ["birthday", "gender", "household", "occupation", "business", "company_size"] {
                assert_eq!(before[name], attributes[name], "{event}");
            }
        }
    }

    #[test]
    fn one_kind_alone_and_a_single_customer_work() {
        let events = lines(&Model { kinds: vec![Kind::Search], ..model(1, 200, 5) });
        assert_eq!(events.len(), 200);
        assert!(events.iter().all(|event| event["kind"] == "search" && event["query"].is_string()));
    }
}
