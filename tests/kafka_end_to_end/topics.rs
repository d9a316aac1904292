//! Topics that turn against the service: one that refuses writes, one that is held open, one that lags, one that grows
//! or is made anew while it is read; a group whose offsets are gone.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::history::live_orders;
use crate::shop::{
    Change, Finally, Shop, TEN_MINUTES, assert_gapless, assert_same, now_ms, open_transaction, order, quick_rules,
};
use rdkafka::admin::{AdminOptions, AlterConfig, NewPartitions, ResourceSpecifier};
use rdkafka::producer::Producer as _;
use testbed::kafka::{Broker, Record};

const QUICK: &str = "[time]\ngrace = \"2s\"\n";

fn orders(n: usize, time_ms: i64) -> Vec<String> {
    (0..n).map(|i| order(&format!("c-{i}"), &format!("o-{i}"), time_ms)).collect()
}

fn produce(shop: &Shop, orders: &[String]) {
    shop.produce(0, orders.iter().map(String::as_str));
}

/// Gives a topic these settings and no others.
fn configure(broker: &Broker, topic: &str, settings: &[(&str, &str)]) {
    let mut altered = AlterConfig::new(ResourceSpecifier::Topic(topic));
    for (name, value) in settings {
        altered = altered.set(name, value);
    }
    let results = broker.wait_for(broker.admin().alter_configs([&altered], &AdminOptions::new()));
    for result in results.expect("the broker answers") {
        result.expect("the settings are taken");
    }
}

#[test]
fn an_output_topic_that_refuses_writes_holds_everything_up_and_loses_nothing() {
    let broker = Broker::shared();
    let shop = Shop::open(broker, "refusing", 3, &["orders"], &quick_rules("2s"));
    let instance = shop.start("a", "[time]\ngrace = \"5s\"\n");
    let is_over = AtomicBool::new(false);
    let events = std::thread::scope(|scope| {
        let producing = scope.spawn(|| live_orders(&shop, &is_over));
        let _over = Finally(|| is_over.store(true, Ordering::Relaxed));
        shop.wait_for_changes(100, |_| true);
        // There is room for the markers of transactions, and none for a change.
        configure(broker, "refusing-changes", &[("max.message.bytes", "300")]);
        shop.wait_until("the refusal", || shop.log("a").contains("was not committed"));
        let n_before = shop.changes().len();
        std::thread::sleep(Duration::from_secs(8));
        assert_eq!(shop.changes().len(), n_before);
        configure(broker, "refusing-changes", &[]);
        shop.wait_for_changes(n_before + 200, |_| true);
        is_over.store(true, Ordering::Relaxed);
        producing.join().expect("it does not fail")
    });
    shop.assert_as_undisturbed(&events);
    assert_eq!(instance.terminate().0, Some(0), "{}", shop.logs());
}

#[test]
fn offsets_of_the_group_that_are_deleted_are_not_missed() {
    let broker = Broker::shared();
    let shop = Shop::open(broker, "forgotten", 2, &["orders"], &quick_rules("1d"));
    let events = orders(80, now_ms());
    let instance = shop.start("a", QUICK);
    produce(&shop, &events[..50]);
    shop.wait_for_changes(50, |_| true);
    shop.wait_until("the end of the input", || shop.is_consumed());
    assert_eq!(instance.terminate().0, Some(0), "{}", shop.logs());
    let deleted = broker.wait_for(broker.admin().delete_groups(&["forgotten"], &AdminOptions::new()));
    for result in deleted.expect("the broker answers") {
        result.unwrap_or_else(|(group, code)| panic!("{group} could not be deleted: {code}"));
    }
    assert_eq!(broker.committed_offsets("forgotten", "forgotten-orders"), [None, None]);
    produce(&shop, &events[50..]);
    let instance = shop.start("a", QUICK);
    shop.wait_for_changes(80, |_| true);
    shop.wait_until("the end of the input", || shop.is_consumed());
    assert_eq!(instance.terminate().0, Some(0), "{}", shop.logs());
    assert_gapless(&shop.changes());
    assert_same(&shop.changes(), &shop.undisturbed(&events));
}

#[test]
fn while_somebody_elses_transaction_is_open_on_an_input_no_time_passes() {
    let broker = Broker::shared();
    let shop = Shop::open(broker, "held", 1, &["orders"], &quick_rules("3s"));
    let instance = shop.start("a", QUICK);
    let events = orders(5, now_ms());
    let stranger = Record::new(0, "c-9", order("c-9", "o-9", now_ms()));
    let open = open_transaction(broker, "stranger", "held-orders", &[stranger], TEN_MINUTES);
    produce(&shop, &events);
    // They stand behind the open transaction: nobody has read them, and nobody may say that they were not there.
    std::thread::sleep(Duration::from_secs(9));
    assert_eq!(shop.changes(), [], "{}", shop.logs());
    open.abort_transaction(Duration::from_secs(30)).expect("it aborts");
    let found = shop.wait_for_changes(10, |_| true);
    assert_gapless(&found);
    assert_same(&found, &shop.undisturbed(&events));
    assert_eq!(instance.terminate().0, Some(0), "{}", shop.logs());
}

#[test]
fn a_topic_that_holds_the_others_up_for_too_long_is_left_behind_and_said_so() {
    let broker = Broker::shared();
    let shop = Shop::open(broker, "left", 1, &["orders", "more"], &quick_rules("1d"));
    let late = Record::new(0, "late", order("late", "o-late", now_ms()));
    let open = open_transaction(broker, "laggard", "left-more", &[late], TEN_MINUTES);
    let instance = shop.start("a", "[time]\ngrace = \"2s\"\nmax_hold = \"3s\"\n");
    produce(&shop, &orders(20, now_ms()));
    shop.wait_for_changes(20, |_| true);
    let said = "left-more/0 has held up the other topics for 3s: it is left behind";
    assert!(shop.logs().contains(said), "{}", shop.logs());
    // What comes of it in the end is late, and not lost.
    open.commit_transaction(Duration::from_secs(30)).expect("it commits");
    let found = shop.wait_for_changes(21, |_| true);
    assert_gapless(&found);
    assert_eq!(found.iter().filter(|change| change.0 == "late").count(), 1);
    assert_eq!(instance.terminate().0, Some(0), "{}", shop.logs());
}

/// Hours of one topic come in while the other one stands in the present; none of them may be late.
#[test]
fn a_topic_hours_behind_another_is_caught_up_with_as_it_happened() {
    let broker = Broker::shared();
    let shop = Shop::open(broker, "behind", 2, &["orders", "more"], &quick_rules("10m"));
    let (now, minute) = (now_ms(), 60_000);
    let order_at = |i: i64, id: &str, minutes_ago: i64| {
        order(&format!("c-{}", i % 50), &format!("{id}-{i}"), now - minutes_ago * minute + i)
    };
    let present: Vec<String> = (0..200).map(|i| order_at(i, "now", i % 3)).collect();
    let backlog: Vec<String> = (0..30_000).map(|i| order_at(i, "then", 360 - i * 355 / 30_000)).collect();
    let mut present = present;
    present.sort_by_key(|event| event.split("\"time\":").nth(1).expect("it has a time").to_owned());
    let topics = [present.iter().map(String::as_str).collect(), backlog.iter().map(String::as_str).collect()];
    shop.produce(0, present.iter().map(String::as_str));
    let producer = broker.producer();
    let instance = std::thread::scope(|scope| {
        scope.spawn(|| {
            for event in &backlog {
                producer.send(shop.topic(1), &shop.record(event));
            }
            producer.flush();
        });
        // What it has is there before anything starts, but for its end.
        shop.wait_until("some of the backlog", || broker.high_watermarks(shop.topic(1)).iter().all(|mark| *mark > 100));
        shop.start("a", QUICK)
    });
    let until = jiff::Timestamp::from_millisecond(now_ms()).expect("it is a time").to_string();
    let expected = shop.replayed(&topics, &until);
    let found = shop.wait_for_changes(expected.len(), |_| true);
    assert_gapless(&found);
    let is_due = |change: &Change| change.5 <= expected.iter().map(|change| change.5.clone()).max().unwrap_or_default();
    let found: Vec<Change> = found.into_iter().filter(is_due).collect();
    assert_same(&found, &expected);
    assert_eq!(instance.terminate().0, Some(0), "{}", shop.logs());
}

/// As large as the topics take: what is bad of it is kept shortened, what is good is used, and nothing stops.
#[test]
fn messages_as_large_as_can_be_pass_or_are_kept_in_short() {
    let broker = Broker::shared();
    let shop = Shop::open(broker, "large", 1, &["orders"], &quick_rules("1d"));
    let bad = format!("not an event {}", "x".repeat(999_000));
    broker.produce("large-orders", [Record::new(0, "c-0", bad.clone())]);
    let time = now_ms();
    let good = order("c-1", "o-1", time).replacen('{', &format!("{{\"note\":\"{}\",", "y".repeat(990_000)), 1);
    produce(&shop, &[good, order("c-2", "o-2", time)]);
    let instance = shop.start("a", QUICK);
    shop.wait_for_changes(2, |change| change.4 == "active");
    shop.wait_until("the reject", || shop.rejects().len() == 1);
    assert_eq!(instance.terminate().0, Some(0), "{}", shop.logs());
    let reject = &shop.rejects()[0];
    assert_eq!(reject.header("dormouse-length"), Some(bad.len().to_string().as_str()));
    assert!(bad.starts_with(reject.text()) && reject.text().len() >= 1_000);
    assert_eq!(reject.header("dormouse-offset"), Some("0"));
}

#[test]
fn more_partitions_of_an_output_stop_the_whole_group_with_what_to_do() {
    let broker = Broker::shared();
    let shop = Shop::open(broker, "outgrown", 2, &["orders"], &quick_rules("1d"));
    let instances = ["a", "b"].map(|name| shop.start(name, QUICK));
    produce(&shop, &orders(30, now_ms()));
    shop.wait_for_changes(30, |_| true);
    let more = NewPartitions::new("outgrown-standing", 3);
    broker.wait_for(broker.admin().create_partitions([&more], &AdminOptions::new())).expect("they are made");
    for instance in instances {
        assert_eq!(instance.wait(), Some(3));
    }
    let said = "outgrown-standing has 3 partitions now and had 2";
    assert_eq!(shop.logs().matches(&format!("ended: {said}")).count(), 2, "{}", shop.logs());
}

#[test]
fn an_output_topic_that_is_deleted_stops_the_instance_and_says_so() {
    let broker = Broker::shared();
    let shop = Shop::open(broker, "removed", 1, &["orders"], &quick_rules("1d"));
    let instance = shop.start("a", QUICK);
    produce(&shop, &orders(3, now_ms()));
    shop.wait_for_changes(3, |_| true);
    broker.delete_topic("removed-rejects");
    assert_eq!(instance.wait(), Some(3));
    assert!(shop.logs().contains("removed-rejects does not exist any more"), "{}", shop.logs());
}

#[test]
fn a_topic_that_is_made_anew_while_it_is_read_stops_the_instance() {
    let broker = Broker::shared();
    let shop = Shop::open(broker, "renewed", 1, &["orders"], &quick_rules("1d"));
    let instance = shop.start("a", QUICK);
    produce(&shop, &orders(3, now_ms()));
    shop.wait_for_changes(3, |_| true);
    broker.delete_topic("renewed-orders");
    broker.create_topic("renewed-orders", 1, &[("message.timestamp.type", "LogAppendTime")]);
    produce(&shop, &orders(300, now_ms()));
    assert_eq!(instance.wait(), Some(3));
    let logs = shop.logs();
    let reasons = [
        "was made anew since",
        "and offset 3 was read before",
        "cannot be read",
        "does not exist any more",
        "or the topic was made anew",
    ];
    assert!(reasons.iter().any(|reason| logs.contains(reason)), "{logs}");
    assert_eq!(shop.changes().len(), 3, "{logs}");
}
