//! The service against a real Kafka, from events in to changes as a read-committed subscriber sees them.

#[path = "end_to_end/shop.rs"]
mod shop;

use std::path::Path;

use shop::{Shop, assert_gapless, assert_same};
use testbed::kafka::Broker;

/// A year of a real shop.
fn online_retail() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/online-retail.jsonl.zst");
    let file = std::fs::File::open(path).expect("it stands in the project");
    let bytes = zstd::decode_all(file).expect("it is Zstandard");
    String::from_utf8(bytes).expect("it is text")
}

fn shipped_rules() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/segments.toml");
    std::fs::read_to_string(path).expect("it stands in the project")
}

/// Long after the shop's year and before today: whatever becomes due later is the wall clock's business.
const UNTIL: &str = "2020-01-01T00:00:00Z";

fn is_before_until((.., effective_at, _): &shop::Change) -> bool {
    effective_at.as_str() < "2020-01-01T00:00:00.000Z"
}

#[test]
fn a_year_of_a_shop_gives_the_same_changes_as_a_replay() {
    let broker = Broker::shared();
    let text = online_retail();
    let events: Vec<&str> = text.lines().collect();
    for n_partitions in [1, 3, 8] {
        let shop = Shop::open(broker, &format!("year-{n_partitions}"), n_partitions, &["orders"], &shipped_rules());
        shop.produce(0, events.iter().copied());
        let expected = shop.replayed(&[events.clone()], UNTIL);
        assert!(expected.len() > 10_000, "{} changes", expected.len());
        let instance = shop.start("a", "");
        let found = shop.wait_for_changes(expected.len(), is_before_until);
        assert_same(&found, &expected);
        shop.wait_until("the end of the input", || shop.is_consumed());
        let (code, took) = instance.terminate();
        assert_eq!(code, Some(0), "{}", shop.logs());
        assert!(took < std::time::Duration::from_secs(10), "it took {took:?} to end");
        assert_gapless(&shop.changes());
    }
}
