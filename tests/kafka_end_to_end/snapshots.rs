//! Snapshots and a real Kafka: a start from them when the input is gone, when they are damaged, when they are another's.

use std::fs;
use std::path::{Path, PathBuf};

use crate::faults::{QUICK, orders, produce, refused};
use crate::shop::{Shop, assert_gapless, now_ms, quick_rules};
use rdkafka::admin::AdminOptions;
use rdkafka::{Offset, TopicPartitionList};
use testbed::kafka::Broker;
use testbed::s3::Server;

/// Deletes the records of a shop's first input before an offset.
fn delete_records(shop: &Shop, before: i64) {
    let mut until = TopicPartitionList::new();
    until.add_partition_offset(shop.topic(0), 0, Offset::Offset(before)).expect("a plain offset");
    shop.broker.wait_for(shop.broker.admin().delete_records(&until, &AdminOptions::new())).expect("they are deleted");
}

fn log(shop: &Shop, instance: &str) -> String {
    fs::read_to_string(shop.folder().join(format!("{instance}.log"))).expect("it has a log")
}

/// Runs an instance until it has told of `n` customers in all, and ends it, which takes a snapshot.
fn run_until(shop: &Shop, instance: &str, settings: &str, n: usize) {
    let running = shop.start(instance, settings);
    produce(shop, &orders(n, now_ms())[shop.changes().len()..]);
    shop.wait_for_changes(n, |_| true);
    shop.wait_until("the end of the input", || shop.is_consumed());
    assert_eq!(running.terminate().0, Some(0), "{}", shop.logs());
}

fn files_under(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() { files_under(&entry.path(), found) } else { found.push(entry.path()) }
    }
}

/// The shop's manifests, the oldest first.
fn manifests(shop: &Shop) -> Vec<PathBuf> {
    let mut found = Vec::new();
    files_under(&shop.snapshot_folder(), &mut found);
    found.retain(|path| path.extension().is_some_and(|extension| extension == "manifest"));
    found.sort();
    found
}

#[test]
fn a_start_from_a_snapshot_does_not_need_the_input_before_it() {
    let broker = Broker::shared();
    let shop = Shop::open(broker, "covered", 1, &["orders"], &quick_rules("1d"));
    let settings = format!("{QUICK}{}", shop.snapshots("1h"));
    run_until(&shop, "a", &settings, 10);
    assert_eq!(manifests(&shop).len(), 1, "{}", log(&shop, "a"));
    delete_records(&shop, 10);
    run_until(&shop, "b", &settings, 20);
    assert!(log(&shop, "b").contains("of 10 customers and"), "{}", log(&shop, "b"));
    run_until(&shop, "c", &settings, 25);
    assert_gapless(&shop.changes());
    // Two are kept. Without any, what is gone is named.
    assert_eq!(manifests(&shop).len(), 2);
    fs::remove_dir_all(shop.snapshot_folder()).expect("it can be removed");
    let (code, said) = refused(&shop, &settings);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("covered-orders/0: records 0 to 9 are gone"), "{said}");
    assert!(said.contains("purchase.count"), "{said}");
}

#[test]
fn a_bucket_is_as_good_as_a_folder() {
    let (broker, server) = (Broker::shared(), Server::shared());
    server.create_bucket("kept");
    let shop = Shop::open(broker, "bucket", 1, &["orders"], &quick_rules("1d"));
    let settings = format!("{QUICK}[state]\nsnapshots = \"s3://kept/by/us\"\n");
    for (instance, n) in [("a", 10), ("b", 20)] {
        let running = shop.start_in(instance, &settings, server.environment());
        produce(&shop, &orders(n, now_ms())[n - 10..]);
        shop.wait_for_changes(n, |_| true);
        shop.wait_until("the end of the input", || shop.is_consumed());
        assert_eq!(running.terminate().0, Some(0), "{}", shop.logs());
        delete_records(&shop, n as i64);
    }
    assert!(log(&shop, "b").contains("of 10 customers and"), "{}", log(&shop, "b"));
    assert_gapless(&shop.changes());
}

#[test]
fn a_damaged_snapshot_is_named_and_the_one_before_it_is_used_as_long_as_the_input_covers_it() {
    let broker = Broker::shared();
    let shop = Shop::open(broker, "damaged", 1, &["orders"], &quick_rules("1d"));
    let settings = format!("{QUICK}{}", shop.snapshots("1h"));
    for (instance, n) in [("a", 10), ("b", 20)] {
        run_until(&shop, instance, &settings, n);
    }
    let newest = manifests(&shop).pop().expect("there are two");
    let part = newest.with_extension("").join("part-00000");
    let mut bytes = fs::read(&part).expect("it can be read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&part, bytes).expect("it can be written");

    run_until(&shop, "c", &settings, 30);
    let said = log(&shop, "c");
    assert!(said.contains("part-00000 is damaged: its checksum is not the one that the manifest says"), "{said}");
    assert!(said.contains("of 10 customers and"), "{said}");
    assert_gapless(&shop.changes());

    // The newest is whole again; it is cut, and the input no longer covers the one before it.
    let newest = manifests(&shop).pop().expect("there are some");
    let text = fs::read(&newest).expect("it can be read");
    fs::write(&newest, &text[..text.len() - 3]).expect("it can be written");
    delete_records(&shop, 25);
    let (code, said) = refused(&shop, &settings);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("is damaged: it is cut"), "{said}");
    assert!(said.contains("damaged-orders/0: records 10 to 24 are gone"), "{said}");
}

#[test]
fn a_snapshot_of_another_history_is_not_used() {
    let broker = Broker::shared();
    let shop = Shop::open(broker, "afresh", 1, &["orders"], &quick_rules("1d"));
    let settings = format!("{QUICK}{}", shop.snapshots("1h"));
    run_until(&shop, "a", &settings, 10);
    for (topic, policy) in [("orders", "delete"), ("changes", "delete"), ("standing", "compact")] {
        broker.delete_topic(&format!("afresh-{topic}"));
        let settings = [("cleanup.policy", policy), ("message.timestamp.type", "LogAppendTime")];
        broker.create_topic(&format!("afresh-{topic}"), 1, &settings);
    }
    run_until(&shop, "b", &settings, 5);
    assert!(log(&shop, "b").contains("cannot be used: the shard has no record"), "{}", log(&shop, "b"));
    // Now there are two histories in the folder.
    run_until(&shop, "c", &settings, 8);
    assert!(log(&shop, "c").contains("is of another history"), "{}", log(&shop, "c"));
    assert!(log(&shop, "c").contains("of 5 customers and"), "{}", log(&shop, "c"));
    assert_gapless(&shop.changes());
}

#[test]
fn offsets_that_were_deleted_are_not_missed() {
    let broker = Broker::shared();
    let shop = Shop::open(broker, "offsets", 1, &["orders"], &quick_rules("1d"));
    let settings = format!("{QUICK}{}", shop.snapshots("1h"));
    run_until(&shop, "a", &settings, 10);
    let deleted = broker.wait_for(broker.admin().delete_groups(&["offsets"], &AdminOptions::new()));
    assert!(deleted.expect("the broker answers").iter().all(Result::is_ok));
    run_until(&shop, "b", &settings, 20);
    assert_gapless(&shop.changes());
    assert_eq!(shop.changes().len(), 20);
}

#[test]
fn snapshots_that_cannot_be_written_cost_nothing_but_themselves() {
    let broker = Broker::shared();
    let shop = Shop::open(broker, "unwritable", 1, &["orders"], &quick_rules("1d"));
    let settings = format!("{QUICK}{}", shop.snapshots("1s"));
    let instance = shop.start("a", &settings);
    produce(&shop, &orders(10, now_ms()));
    shop.wait_for_changes(10, |_| true);
    // A file stands where the shard's folder should be.
    fs::remove_dir_all(shop.snapshot_folder()).expect("it can be removed");
    fs::write(shop.snapshot_folder(), "in the way").expect("it can be written");
    shop.wait_until("a snapshot to fail", || {
        produce(&shop, &orders(10, now_ms()));
        log(&shop, "a").contains("could not be written")
    });
    produce(&shop, &orders(20, now_ms())[10..]);
    shop.wait_for_changes(20, |_| true);
    assert_eq!(instance.terminate().0, Some(0), "{}", shop.logs());
    assert_gapless(&shop.changes());
}
