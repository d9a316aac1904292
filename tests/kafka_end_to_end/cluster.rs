//! A cluster of three brokers, of which one after another is killed and comes back while orders come in: leaders,
//! coordinators and replicas move, and changes are as undisturbed.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::history::live_orders;
use crate::shop::{Finally, Shop, quick_rules};
use testbed::kafka::Broker;

#[test]
fn brokers_of_a_cluster_that_die_one_after_another_cost_nothing() {
    let brokers = Broker::cluster();
    let shop = Shop::open(&brokers[0], "cluster", 3, &["orders"], &quick_rules("2s"));
    // While a partition has no leader orders wait for one, and are not late when they come.
    let instances = ["a", "b"].map(|name| shop.start(name, "[time]\ngrace = \"30s\"\n"));
    let is_over = AtomicBool::new(false);
    let events = std::thread::scope(|scope| {
        let producing = scope.spawn(|| live_orders(&shop, &is_over));
        let _over = Finally(|| is_over.store(true, Ordering::Relaxed));
        let n_more = |n: usize| {
            let goal = shop.changes().len() + n;
            shop.wait_for_changes(goal, |_| true);
        };
        n_more(200);
        for broker in &brokers {
            broker.kill9();
            // The two that are left go on.
            n_more(200);
            broker.restart();
            broker.wait_until_in_sync();
        }
        // One alone acknowledges nothing.
        let [first, second, _] = &brokers;
        first.kill9();
        second.kill9();
        Broker::restart_all(&[first, second]);
        n_more(200);
        is_over.store(true, Ordering::Relaxed);
        producing.join().expect("it does not fail")
    });
    let n_changes = shop.assert_as_undisturbed(&events);
    for instance in instances {
        assert_eq!(instance.terminate().0, Some(0), "{}", shop.logs());
    }
    assert_eq!(shop.changes().len(), n_changes);
}
