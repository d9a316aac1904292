//! Very many customers who become dormant in the same instant: they leave in epochs of bounded size, and nobody is left out.
//!
//! `DORMOUSE_CUSTOMERS` says how many: a hundred thousand in a test, a million in `just multitude`.

use std::time::{Duration, Instant};

use crate::shop::{PATIENCE, Shop, assert_gapless, assert_same, order, quick_rules};
use testbed::kafka::Broker;

const N_CUSTOMERS: usize = 100_000;
const N_PARTITIONS: usize = 2;
/// Buffers are a quarter of this, and an epoch a quarter of these, and a shard has its share of it.
const MEMORY_LIMIT: usize = 128 << 20;
const EPOCH_SHARE: usize = MEMORY_LIMIT / 16 / N_PARTITIONS;
/// What the process may take besides its customers, and for each of them.
const PEAK_KIB: usize = 96 << 10;
const PEAK_CUSTOMER_BYTES: usize = 512;

fn n_customers() -> usize {
    let asked = std::env::var("DORMOUSE_CUSTOMERS").ok();
    asked.map_or(N_CUSTOMERS, |text| text.parse().expect("DORMOUSE_CUSTOMERS is a number"))
}

#[test]
fn a_multitude_that_is_due_in_the_same_instant_leaves_in_bounded_epochs() {
    let (broker, n) = (Broker::shared(), n_customers());
    let shop = Shop::open(broker, "multitude", N_PARTITIONS as i32, &["orders"], &quick_rules("30d"));
    // All of them long ago, in one instant: when the end of the input is reached, all are due.
    let events: Vec<String> = (0..n).map(|i| order(&format!("c-{i}"), &format!("o-{i}"), 1_577_836_800_000)).collect();
    shop.produce(0, events.iter().map(String::as_str));
    let settings = format!("[time]\ngrace = \"2s\"\n[state]\nmemory_limit = \"{}MiB\"\n", MEMORY_LIMIT >> 20);
    let (started, instance) = (Instant::now(), shop.start("a", &settings));
    let patience = PATIENCE + Duration::from_micros(500) * n as u32;
    // More than the changes are in the topic: each transaction leaves a marker.
    let n_written = || broker.high_watermarks("multitude-changes").iter().sum::<i64>();
    while n_written() < 2 * n as i64 {
        assert!(started.elapsed() < patience, "{} changes came\n{}", n_written(), shop.logs());
        std::thread::sleep(Duration::from_millis(200));
    }
    let found = shop.wait_for_changes(2 * n, |_| true);
    let (took, peak_kib) = (started.elapsed(), instance.peak_kib());
    assert_eq!(instance.terminate().0, Some(0), "{}", shop.logs());
    assert_gapless(&found);
    assert_same(&found, &shop.replayed(&[events.iter().map(String::as_str).collect()], "2026-01-01T00:00:00Z"));

    let parts = part_bytes(&shop);
    let largest = parts.iter().max().copied().unwrap_or_default();
    println!(
        "{n} customers due at once: {} changes in {} parts, the largest with {largest} bytes of standings; \
         {took:.1?}, at most {} MiB resident",
        found.len(),
        parts.len(),
        peak_kib >> 10
    );
    assert!(largest <= EPOCH_SHARE, "a part of {largest} bytes");
    assert!(peak_kib <= PEAK_KIB + n * PEAK_CUSTOMER_BYTES / 1024, "{peak_kib} KiB resident");
}

/// The bytes of the customers' records between two shard records.
fn part_bytes(shop: &Shop) -> Vec<usize> {
    let mut parts = vec![0];
    for record in shop.broker.read_committed(&format!("{}-standing", shop.name)) {
        let key = record.key.unwrap_or_default();
        if key == b"\xffdormouse-shard" {
            parts.push(0);
        } else if let Some(part) = parts.last_mut() {
            *part += key.len() + record.value.map_or(0, |value| value.len());
        }
    }
    parts
}
