//! The service in a Kafka that turns against it: zombies, records that are gone, topics that change under it.

use std::time::Duration;

use crate::shop::{Shop, TEN_MINUTES, assert_gapless, now_ms, open_transaction, order, quick_rules};
use rdkafka::admin::{AdminOptions, NewPartitions};
use rdkafka::{Offset, TopicPartitionList};
use testbed::kafka::Broker;

pub fn orders(n: usize, time_ms: i64) -> Vec<String> {
    (0..n).map(|i| order(&format!("c-{i}"), &format!("o-{i}"), time_ms)).collect()
}

pub fn produce(shop: &Shop, orders: &[String]) {
    shop.produce(0, orders.iter().map(String::as_str));
}

pub const QUICK: &str = "[time]\ngrace = \"2s\"\n";

#[test]
fn a_zombie_that_has_only_time_to_tell_is_refused() {
    let broker = Broker::shared();
    let shop = Shop::open(broker, "zombie", 2, &["orders"], &quick_rules("12s"));
    let frozen = shop.start("a", QUICK);
    produce(&shop, &orders(100, now_ms()));
    shop.wait_for_changes(100, |change| change.4 == "active");
    shop.wait_until("the end of the input", || shop.is_consumed());
    // Frozen before anybody is due: what it has to tell when it wakes covers no record at all.
    frozen.signal("-STOP");
    let heir = shop.start("b", QUICK);
    shop.wait_for_changes(100, |change| change.4 == "dormant");
    frozen.signal("-CONT");
    shop.wait_until("the zombie to learn of it", || {
        shop.logs().contains("the group has moved on") || { shop.logs().matches("assigned").count() >= 3 }
    });
    produce(&shop, &orders(120, now_ms())[100..]);
    shop.wait_for_changes(20 + 200, |_| true);
    shop.wait_for_changes(120, |change| change.4 == "dormant");
    for instance in [frozen, heir] {
        assert_eq!(instance.terminate().0, Some(0), "{}", shop.logs());
    }
    let changes = shop.changes();
    assert_gapless(&changes);
    assert_eq!(changes.len(), 240);
}

#[test]
fn an_open_transaction_of_a_dead_owner_is_aborted_by_its_heir() {
    let broker = Broker::shared();
    let shop = Shop::open(broker, "open", 1, &["orders"], &quick_rules("1d"));
    let first = shop.start("a", QUICK);
    produce(&shop, &orders(10, now_ms()));
    shop.wait_for_changes(10, |_| true);
    first.kill9();
    // As if it had died after its records were sent: a transaction of its id, open over a shard record.
    let standing = broker.read_committed("open-standing");
    let record = standing.iter().rfind(|record| record.key.as_deref() == Some(b"\xffdormouse-shard"));
    let record = record.expect("an epoch was committed");
    assert!(record.text().contains(r#""transactional_id":"open.a""#), "{}", record.text());
    let dead = open_transaction(broker, "open.a", "open-standing", std::slice::from_ref(record), TEN_MINUTES);
    let heir = shop.start("b", QUICK);
    produce(&shop, &orders(20, now_ms())[10..]);
    shop.wait_for_changes(20, |_| true);
    assert!(shop.logs().contains("aborting the open transaction of `open.a`"), "{}", shop.logs());
    assert_eq!(heir.terminate().0, Some(0), "{}", shop.logs());
    assert_gapless(&shop.changes());
    drop(dead);
}

/// Starts an instance that must end by itself, and says its exit code and what it said.
pub fn refused(shop: &Shop, more: &str) -> (Option<i32>, String) {
    let code = shop.start("refused", more).wait();
    (code, std::fs::read_to_string(shop.folder().join("refused.log")).expect("it has a log"))
}

#[test]
fn records_that_state_was_made_of_and_are_gone_stop_the_start_with_the_range_and_the_conditions() {
    let broker = Broker::shared();
    let shop = Shop::open(broker, "gone", 1, &["orders"], &quick_rules("1d"));
    let instance = shop.start("a", QUICK);
    produce(&shop, &orders(10, now_ms()));
    shop.wait_for_changes(10, |_| true);
    shop.wait_until("the end of the input", || shop.is_consumed());
    assert_eq!(instance.terminate().0, Some(0));
    let mut until = TopicPartitionList::new();
    until.add_partition_offset("gone-orders", 0, Offset::Offset(4)).expect("a plain offset");
    broker.wait_for(broker.admin().delete_records(&until, &AdminOptions::new())).expect("they are deleted");

    let (code, said) = refused(&shop, QUICK);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("gone-orders/0: records 0 to 3 are gone"), "{said}");
    assert!(said.contains("purchase.count"), "{said}");
    // Whoever says so goes on without them, and tells nothing twice.
    let instance = shop.start("b", &format!("{QUICK}[state]\naccept_loss = true\n"));
    produce(&shop, &orders(12, now_ms())[10..]);
    shop.wait_for_changes(12, |change| change.4 == "active");
    assert_eq!(instance.terminate().0, Some(0), "{}", shop.logs());
    assert_gapless(&shop.changes());
}

#[test]
fn other_rules_do_not_take_over_a_shard_in_passing() {
    let broker = Broker::shared();
    let shop = Shop::open(broker, "rules", 1, &["orders"], &quick_rules("1d"));
    let instance = shop.start("a", QUICK);
    produce(&shop, &orders(1, now_ms()));
    shop.wait_for_changes(1, |_| true);
    assert_eq!(instance.terminate().0, Some(0));
    std::fs::write(shop.folder().join("segments.toml"), quick_rules("2d")).expect("written");
    let (code, said) = refused(&shop, QUICK);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("shard 0 was last run by rules"), "{said}");
}

#[test]
fn more_partitions_of_an_input_stop_the_instance_with_what_to_do() {
    let broker = Broker::shared();
    let shop = Shop::open(broker, "grown", 1, &["orders"], &quick_rules("1d"));
    let instance = shop.start("a", QUICK);
    produce(&shop, &orders(3, now_ms()));
    shop.wait_for_changes(3, |_| true);
    let more = NewPartitions::new("grown-orders", 2);
    broker.wait_for(broker.admin().create_partitions([&more], &AdminOptions::new())).expect("they are made");
    // What the instance was told before counts for a quarter of a second.
    std::thread::sleep(Duration::from_millis(500));
    produce(&shop, &orders(6, now_ms())[3..]);
    assert_eq!(instance.wait(), Some(3));
    assert!(shop.logs().contains("grown-orders has 2 partitions now and had 1"), "{}", shop.logs());
    assert_eq!(shop.changes().len(), 3, "something was committed after the partitions had become more");
}

#[test]
fn a_broker_that_is_killed_and_comes_back_costs_nothing() {
    let broker = Broker::start();
    let shop = Shop::open(&broker, "restart", 2, &["orders"], &quick_rules("1d"));
    let instance = shop.start("a", QUICK);
    produce(&shop, &orders(50, now_ms()));
    shop.wait_for_changes(50, |_| true);
    broker.kill9();
    std::thread::sleep(Duration::from_secs(3));
    broker.restart();
    produce(&shop, &orders(100, now_ms())[50..]);
    shop.wait_for_changes(100, |_| true);
    assert_eq!(instance.terminate().0, Some(0), "{}", shop.logs());
    assert_eq!(shop.changes().len(), 100);
    assert_gapless(&shop.changes());
}

#[test]
fn topics_that_are_missing_are_said_before_anything_starts() {
    let broker = Broker::shared();
    let shop = Shop::open(broker, "missing", 1, &["orders"], &quick_rules("1d"));
    broker.delete_topic("missing-changes");
    let (code, said) = refused(&shop, "");
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("missing-changes: it does not exist; `dormouse topics --create` makes it"), "{said}");
}

#[test]
fn a_topic_that_was_made_anew_is_not_taken_for_the_one_that_was_read() {
    let broker = Broker::shared();
    let shop = Shop::open(broker, "anew", 1, &["orders"], &quick_rules("1d"));
    let instance = shop.start("a", QUICK);
    produce(&shop, &orders(3, now_ms()));
    shop.wait_for_changes(3, |_| true);
    assert_eq!(instance.terminate().0, Some(0));
    broker.delete_topic("anew-orders");
    broker.create_topic("anew-orders", 1, &[("message.timestamp.type", "LogAppendTime")]);
    produce(&shop, &orders(9, now_ms()));
    let (code, said) = refused(&shop, QUICK);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("anew-orders was made anew since it was first used"), "{said}");
    assert_eq!(shop.changes().len(), 3);
}
