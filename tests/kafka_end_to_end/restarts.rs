//! Rolling restarts of three instances: nothing is lost or told twice, and shards are brought back no more often than must be.
//!
//! `DORMOUSE_RESTARTS` says how many: 6 of each kind in a test, 50 in `just restarts`.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::history::live_orders;
use crate::shop::{Finally, Shop, quick_rules};
use testbed::kafka::Broker;

const N_RESTARTS: usize = 6;
const N_SHARDS: i32 = 6;

/// Restarts three instances in turn, so many times in all. Says how often shards were brought back meanwhile.
fn roll(name: &str, more: &str, n_restarts: usize) -> usize {
    let shop = Shop::open(Broker::shared(), name, N_SHARDS, &["orders"], &quick_rules("2s"));
    let settings = format!("[time]\ngrace = \"5s\"\n{more}");
    let names = ["a", "b", "c"];
    let is_over = AtomicBool::new(false);
    let (events, instances, n_reloads) = std::thread::scope(|scope| {
        let producing = scope.spawn(|| live_orders(&shop, &is_over));
        let _over = Finally(|| is_over.store(true, Ordering::Relaxed));
        let n_more = |n: usize| {
            let goal = shop.changes().len() + n;
            shop.wait_for_changes(goal, |_| true);
        };
        let mut instances = names.map(|name| Some(shop.start(name, &settings)));
        // All have joined, and the group is at rest.
        shop.wait_until("everybody's part", || names.iter().all(|name| shop.log(name).contains("assigned 2 shards")));
        n_more(200);
        let before = n_back(&shop, &names);
        for restart in 0..n_restarts {
            let turn = restart % names.len();
            let (code, _) = instances[turn].take().expect("it runs").terminate();
            assert_eq!(code, Some(0), "{}", shop.logs());
            let n_of_it = n_back(&shop, &names[turn..=turn]);
            instances[turn] = Some(shop.start(names[turn], &settings));
            shop.wait_until("its return", || n_back(&shop, &names[turn..=turn]) >= n_of_it + 2);
            n_more(60);
        }
        let n_reloads = n_back(&shop, &names) - before;
        is_over.store(true, Ordering::Relaxed);
        (producing.join().expect("it does not fail"), instances, n_reloads)
    });
    shop.assert_as_undisturbed(&events);
    for instance in instances.into_iter().flatten() {
        assert_eq!(instance.terminate().0, Some(0), "{}", shop.logs());
    }
    println!("{name}: {n_restarts} restarts, {n_reloads} shards brought back");
    n_reloads
}

/// How often a shard was brought back so far.
fn n_back(shop: &Shop, names: &[&str]) -> usize {
    names.iter().map(|name| shop.log(name).matches(" is back after ").count()).sum()
}

fn n_restarts() -> usize {
    let asked = std::env::var("DORMOUSE_RESTARTS").ok();
    asked.map_or(N_RESTARTS, |text| text.parse().expect("DORMOUSE_RESTARTS is a number"))
}

#[test]
fn who_stays_a_member_over_a_restart_costs_the_others_nothing() {
    let n_restarts = n_restarts();
    // Memory is gone with the process, so its two shards are brought back, and no others.
    assert_eq!(roll("staying", "[shutdown]\nleave = false\n", n_restarts), 2 * n_restarts);
}

#[test]
fn who_leaves_the_group_at_a_restart_hands_over_and_takes_back() {
    let n_restarts = n_restarts();
    assert!(roll("leaving", "", n_restarts) > 2 * n_restarts);
}

#[test]
fn of_two_processes_of_one_name_the_later_goes_on_and_the_earlier_says_why_it_ends() {
    let shop = Shop::open(Broker::shared(), "namesakes", 3, &["orders"], &quick_rules("2s"));
    let settings = "[time]\ngrace = \"5s\"\n";
    let is_over = AtomicBool::new(false);
    let (events, later) = std::thread::scope(|scope| {
        let producing = scope.spawn(|| live_orders(&shop, &is_over));
        let _over = Finally(|| is_over.store(true, Ordering::Relaxed));
        let n_more = |n: usize| {
            let goal = shop.changes().len() + n;
            shop.wait_for_changes(goal, |_| true);
        };
        let mut present = shop.start("a", settings);
        n_more(100);
        for _ in 0..3 {
            let later = shop.start("a", settings);
            assert_eq!(present.wait(), Some(3), "{}", shop.logs());
            present = later;
            n_more(100);
        }
        is_over.store(true, Ordering::Relaxed);
        (producing.join().expect("it does not fail"), present)
    });
    let said = shop.log("a");
    assert_eq!(said.matches("ended: another").count(), 3, "{said}");
    let n_changes = shop.assert_as_undisturbed(&events);
    assert_eq!(later.terminate().0, Some(0), "{}", shop.logs());
    assert_eq!(shop.changes().len(), n_changes);
}
