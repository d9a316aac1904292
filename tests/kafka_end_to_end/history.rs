//! The same history gives the same changes: through any number of partitions and topics, killed, moved, among bad
//! records, and when only time passes.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::shop::{
    self, Finally, Shop, TEN_MINUTES, assert_gapless, assert_same, now_ms, open_transaction, order, quick_rules,
};
use dormouse::cli::generate::{Kind, Model, write as generate};
use rdkafka::producer::Producer as _;
use testbed::kafka::{Broker, Record};

/// A year of a real shop.
pub fn online_retail() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/online-retail.jsonl.zst");
    let file = std::fs::File::open(path).expect("it stands in the project");
    let bytes = zstd::decode_all(file).expect("it is Zstandard");
    String::from_utf8(bytes).expect("it is text")
}

pub fn shipped_rules() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/segments.toml");
    std::fs::read_to_string(path).expect("it stands in the project")
}

/// Long after the shop's year and before today: whatever becomes due later is the wall clock's business.
pub const UNTIL: &str = "2020-01-01T00:00:00Z";

pub fn is_before_until((.., effective_at, _): &shop::Change) -> bool {
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
        let expected = shop.replayed(std::slice::from_ref(&events), UNTIL);
        assert!(expected.len() > 10_000, "{} changes", expected.len());
        let instance = shop.start("a", "");
        let found = shop.wait_for_changes(expected.len(), is_before_until);
        assert_same(&found, &expected);
        shop.wait_until("the end of the input", || shop.is_consumed());
        let (code, took) = instance.terminate();
        assert_eq!(code, Some(0), "{}", shop.logs());
        assert!(took < Duration::from_secs(10), "it took {took:?} to end");
        assert_gapless(&shop.changes());
    }
}

#[test]
fn three_topics_are_taken_as_if_they_were_one_in_order_of_time() {
    let broker = Broker::shared();
    let rules = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/rules20.toml"));
    let start = dormouse::event::Instant(1_577_836_800_000);
    let model = Model { n_customers: 2_000, n_events: 60_000, seed: 5, kinds: Kind::ALL.to_vec(), start, days: 200 };
    let mut bytes = Vec::new();
    generate(&model, &mut bytes).expect("memory takes it");
    let text = String::from_utf8(bytes).expect("events are text");
    let mut topics: [Vec<&str>; 3] = Default::default();
    for event in text.lines() {
        let kind = serde_json::from_str::<serde_json::Value>(event).expect("events are JSON")["kind"].to_string();
        let topic = usize::from(kind == "\"browse\"") + 2 * usize::from(kind == "\"search\"");
        topics[topic].push(event);
    }
    assert!(topics.iter().all(|events| events.len() > 1_000));

    let inputs = ["orders", "browsing", "searching"];
    let shop = Shop::open(broker, "topics", 3, &inputs, &rules.expect("it stands in the project"));
    for (input, events) in topics.iter().enumerate() {
        shop.produce(input, events.iter().copied());
    }
    let until = "2021-06-01T00:00:00Z";
    let expected = shop.replayed(&topics, until);
    assert!(expected.len() > 5_000, "{} changes", expected.len());
    let instance = shop.start("a", "");
    let found = shop.wait_for_changes(expected.len(), |(.., effective_at, _)| effective_at.as_str() < until);
    assert_same(&found, &expected);
    assert_eq!(instance.terminate().0, Some(0), "{}", shop.logs());
    assert_gapless(&shop.changes());
}

/// The year comes in while instances live and die. A second topic has a transaction open all the while: it is never at its
/// end, so that the old events are not overtaken by today's clock.
fn survive_kills(name: &str, n_lives: usize, more: impl Fn(&Shop) -> String) -> String {
    let broker = Broker::shared();
    let text = online_retail();
    let events: Vec<&str> = text.lines().collect();
    let shop = Shop::open(broker, name, 3, &["orders", "still"], &shipped_rules());
    let expected = shop.replayed(std::slice::from_ref(&events), UNTIL);
    let still: Vec<Record> = (0..3).map(|partition| Record::new(partition, "k", "never committed")).collect();
    let open = open_transaction(broker, shop.topic(1), shop.topic(1), &still, TEN_MINUTES);
    let settings = &format!("[time]\nmax_hold = \"100ms\"\n{}", more(&shop));
    let is_fed = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let producer = broker.producer();
            for event in &events {
                producer.send(shop.topic(0), &shop.record(event));
                std::thread::sleep(Duration::from_micros(2_500));
            }
            producer.flush();
            is_fed.store(true, Ordering::Relaxed);
        });
        for life in 0..n_lives {
            let instance = shop.start("a", settings);
            // Long enough to commit something, and cut at another instant each time.
            let n_before = shop.changes().len();
            shop.wait_for_changes(n_before + 1, |_| true);
            std::thread::sleep(Duration::from_millis(life as u64 * 137 % 950));
            instance.kill9();
            assert!(!is_fed.load(Ordering::Relaxed), "the year was over before life {life} was");
        }
    });
    let instance = shop.start("a", settings);
    let producer_timeout = Duration::from_secs(30);
    shop.wait_until("the end of the orders", || {
        let committed = broker.committed_offsets(&shop.name, shop.topic(0));
        committed.iter().zip(broker.high_watermarks(shop.topic(0))).all(|(committed, mark)| *committed == Some(mark))
    });
    open.abort_transaction(producer_timeout).expect("it aborts");
    let found = shop.wait_for_changes(expected.len(), is_before_until);
    assert_same(&found, &expected);
    shop.wait_until("the end of the input", || shop.is_consumed());
    assert_eq!(instance.terminate().0, Some(0), "{}", shop.logs());
    assert_gapless(&shop.changes());
    std::fs::read_to_string(shop.folder().join("a.log")).expect("it has a log")
}

#[test]
fn ten_kills_lose_nothing_and_tell_nothing_twice() {
    survive_kills("kills", 10, |_| String::new());
}

#[test]
fn kills_with_snapshots_lose_nothing_and_tell_nothing_twice() {
    let log = survive_kills("snapped", 8, |shop| shop.snapshots("1s"));
    let n_used = log.lines().filter(|line| line.contains(": snapshot shard-") && line.contains("were read in")).count();
    let n_published = log.lines().filter(|line| line.contains("is there: ")).count();
    assert!(n_used >= 8 && n_published >= 8, "{n_used} used, {n_published} published");
    assert!(!log.contains("cannot be used"), "every snapshot that is there can be used");
}

#[test]
fn customers_whom_nobody_touches_go_dormant_in_time_on_an_idle_topic() {
    let broker = Broker::shared();
    let shop = Shop::open(broker, "idle", 4, &["orders", "other"], &quick_rules("10s"));
    let instance = shop.start("a", "[time]\ngrace = \"2s\"\n");
    let start = now_ms();
    let orders: Vec<String> = (0..200).map(|i| order(&format!("c-{i}"), &format!("o-{i}"), start)).collect();
    shop.produce(0, orders.iter().map(String::as_str));
    shop.wait_for_changes(200, |change| change.4 == "active");
    // Nothing comes any more. Each becomes dormant on the dot; published within grace and a second.
    let mut latest = 0;
    shop.wait_until("the last to go dormant", || {
        let dormant = shop.changes().into_iter().filter(|change| change.4 == "dormant").count();
        latest = now_ms();
        dormant == 200
    });
    let records = shop.broker.read_committed("idle-changes");
    for record in records.iter().filter(|record| record.header("dormouse-to") == Some("dormant")) {
        let (.., effective_at, cause) = shop::change(record.text());
        let due = effective_at.parse::<jiff::Timestamp>().expect("a time").as_millisecond();
        assert_eq!((due / 1000 * 1000, cause.as_str()), ((start + 10_000) / 1000 * 1000, "elapsed"));
        let late = record.timestamp.expect("it has one") - due;
        assert!((2_000..3_000).contains(&late), "published {late} ms after it became true");
    }
    assert!(latest - start < 10_000 + 2_000 + 1_500, "seen {} ms after the orders", latest - start);
    let (code, took) = instance.terminate();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(5), "it took {took:?} to end");
}

#[test]
fn ten_thousand_mutated_records_disturb_nobody_and_are_all_kept_with_their_reason() {
    let broker = Broker::shared();
    let shop = Shop::open(broker, "mutated", 3, &["orders"], &shipped_rules());
    let text = online_retail();
    let events: Vec<&str> = text.lines().take(10_000).collect();
    let expected = shop.replayed(std::slice::from_ref(&events), UNTIL);
    let producer = broker.producer();
    let mut n_bad = 0;
    for (index, event) in events.iter().enumerate() {
        let record = shop.record(event);
        let bad = Record {
            value: Some(mutate(event, index)),
            headers: vec![("kept".into(), b"x".to_vec())],
            ..record.clone()
        };
        producer.send(shop.topic(0), &bad);
        producer.send(shop.topic(0), &record);
        n_bad += 1;
    }
    producer.flush();
    let instance = shop.start("a", "");
    let found = shop.wait_for_changes(expected.len(), is_before_until);
    assert_same(&found, &expected);
    shop.wait_until("the end of the input", || shop.is_consumed());
    assert_eq!(instance.terminate().0, Some(0));

    let inputs = broker.read_committed(shop.topic(0));
    let rejects = shop.rejects();
    assert_eq!(rejects.len(), n_bad);
    for reject in &rejects {
        let offset: i64 = reject.header("dormouse-offset").expect("it says where").parse().expect("a number");
        let origin =
            inputs.iter().find(|r| r.partition == reject.partition && r.offset == offset).expect("it is there");
        assert_eq!((&reject.key, &reject.value), (&origin.key, &origin.value));
        assert_eq!(reject.header("kept"), Some("x"));
        assert_eq!(reject.header("dormouse-topic"), Some(shop.topic(0)));
        assert!(reject.header("dormouse-reason").is_some_and(|reason| !reason.is_empty()));
    }
}

/// Something that is no event any more: cut, garbled, or with a field that cannot be.
fn mutate(event: &str, index: usize) -> Vec<u8> {
    let with = |from: &str, to: &str| event.replacen(from, to, 1).into_bytes();
    match index % 7 {
        0 => event.as_bytes()[..event.len() / 2].to_vec(),
        1 => event.bytes().map(|byte| byte ^ 0x80).collect(),
        2 => with("\"customer_id\"", "\"nobody\""),
        3 => with("\"time\"", "\"when\""),
        4 => with("\"kind\":\"", "\"kind\":\"un"),
        5 => Vec::new(),
        _ => with("\"time\":\"20", "\"time\":\"22"),
    }
}

/// Orders as they happen, by a producer that goes on until it is told to stop. Says what it produced.
pub fn live_orders(shop: &Shop, is_over: &AtomicBool) -> Vec<String> {
    let producer = shop.broker.producer();
    let mut events = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let n = events.len();
        // Some come often, some seldom; in between they go dormant.
        let customer = if n % 3 == 0 { n % 7 } else { 7 + n * 31 % 400 };
        let event = order(&format!("c-{customer}"), &format!("o-{n}"), now_ms());
        producer.send(shop.topic(0), &shop.record(&event));
        events.push(event);
        std::thread::sleep(Duration::from_millis(4));
    }
    producer.flush();
    events
}

#[test]
fn shards_that_move_between_instances_are_told_once() {
    let broker = Broker::shared();
    let shop = Shop::open(broker, "moves", 4, &["orders"], &quick_rules("2s"));
    let settings = "[time]\ngrace = \"2s\"\n";
    let is_over = AtomicBool::new(false);
    let (events, instances) = std::thread::scope(|scope| {
        let producing = scope.spawn(|| live_orders(&shop, &is_over));
        let _over = Finally(|| is_over.store(true, Ordering::Relaxed));
        let n_more = |n: usize| {
            let goal = shop.changes().len() + n;
            shop.wait_for_changes(goal, |_| true);
        };
        let a = shop.start("a", settings);
        n_more(100);
        let b = shop.start("b", settings);
        n_more(300);
        // One leaves and comes back.
        assert_eq!(a.terminate().0, Some(0), "{}", shop.logs());
        n_more(200);
        let a = shop.start("a", settings);
        n_more(300);
        // The other is frozen in the middle of whatever it does, thrown out, and wakes as a zombie.
        b.signal("-STOP");
        std::thread::sleep(Duration::from_secs(9));
        n_more(100);
        b.signal("-CONT");
        n_more(300);
        // And one dies without a word.
        a.kill9();
        n_more(50);
        let a = shop.start("a", settings);
        n_more(300);
        is_over.store(true, Ordering::Relaxed);
        (producing.join().expect("it does not fail"), [a, b])
    });
    let n_changes = shop.assert_as_undisturbed(&events);
    for instance in instances {
        assert_eq!(instance.terminate().0, Some(0), "{}", shop.logs());
    }
    assert_eq!(shop.changes().len(), n_changes);
}

#[test]
fn a_customer_in_the_wrong_partition_stops_the_instance_with_both_values() {
    let broker = Broker::shared();
    let shop = Shop::open(broker, "misplaced", 3, &["orders"], &quick_rules("1d"));
    let event = order("c-1", "o-1", now_ms());
    let mut record = shop.record(&event);
    let right = record.partition;
    record.partition = (right + 1) % 3;
    let wrong = record.partition;
    broker.produce(shop.topic(0), [record]);
    let instance = shop.start("a", "");
    let log = shop.folder().join("a.log");
    assert_eq!(instance.wait(), Some(3));
    let said = std::fs::read_to_string(log).expect("it has a log");
    let expected = format!("customer `c-1` belongs to partition {right} by murmur2 and lies in {wrong}");
    assert!(said.contains(&expected), "{said}");
    assert_eq!(shop.changes(), []);
}
