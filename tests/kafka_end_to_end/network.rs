//! A network that delays, loses, doubles and repeats what the service and its broker say to each other, request by
//! request, while orders come in and time passes: what subscribers see is what they would have seen.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::history::live_orders;
use crate::shop::{Finally, Shop, quick_rules};
use testbed::kafka::{Api, Broker, Fault, Proxy};

/// Blows until it is enough.
const N_STRUCK: usize = 8;
/// What a client waits for an answer.
const PATIENT: &str = "\"socket.timeout.ms\" = 2000\n";

/// One broker behind one proxy, for all tests here.
fn world() -> &'static (Proxy, Broker) {
    static WORLD: OnceLock<(Proxy, Broker)> = OnceLock::new();
    WORLD.get_or_init(|| {
        let proxy = Proxy::start();
        let broker = Broker::behind(&proxy);
        (proxy, broker)
    })
}

/// What may happen to a request; some of it outlasts a client's patience.
fn any_fault(rng: &mut fastrand::Rng) -> Fault {
    let mut wait = |max: u64| Duration::from_millis(rng.u64(50..max));
    match wait(6_050).as_millis() / 1_000 {
        0 => Fault::Late(wait(3_000)),
        1 => Fault::HeldAnswer(wait(3_000)),
        2 => Fault::LostRequest,
        3 => Fault::LostAnswer,
        4 => Fault::DoubledAnswer,
        _ => Fault::Stray(wait(1_500)),
    }
}

/// Lets one request in so many of these kinds suffer, in the lives of some instances, until enough has happened.
fn survive(name: &str, n_instances: usize, apis: &'static [Api], one_in: u32, fault: fn(&mut fastrand::Rng) -> Fault) {
    let (proxy, broker) = world();
    let mut shop = Shop::open(broker, name, 3, &["orders", "other"], &quick_rules("2s"));
    shop.client = PATIENT.to_owned();
    let names: Vec<String> = (0..n_instances).map(|number| format!("{name}-{number}")).collect();
    let client = format!("dormouse-{name}-");
    let instances: Vec<_> = names.iter().map(|name| shop.start(name, "[time]\ngrace = \"5s\"\n")).collect();
    let is_over = AtomicBool::new(false);
    let events = std::thread::scope(|scope| {
        let producing = scope.spawn(|| live_orders(&shop, &is_over));
        let _over = Finally(|| is_over.store(true, Ordering::Relaxed));
        shop.wait_for_changes(100, |_| true);
        let seed = fastrand::u64(..);
        println!("{name}: seed {seed}");
        let mut rng = fastrand::Rng::with_seed(seed);
        let plan = move |api| (apis.contains(&api) && rng.u32(0..one_in) == 0).then(|| fault(&mut rng));
        proxy.strike(&client, Box::new(plan));
        shop.wait_until("enough of it", || proxy.n_struck(&client) >= N_STRUCK);
        proxy.spare(&client);
        is_over.store(true, Ordering::Relaxed);
        producing.join().expect("it does not fail")
    });
    let n_changes = shop.assert_as_undisturbed(&events);
    for instance in instances {
        assert_eq!(instance.terminate().0, Some(0), "{}", shop.logs());
    }
    assert_eq!(shop.changes().len(), n_changes);
}

#[test]
fn commits_whose_requests_or_answers_go_astray_are_told_once() {
    survive("net-commits", 1, &[Api::END_TXN], 12, any_fault);
}

/// The connection breaks as a transaction ends, the client asks again on a new one and is answered at once; the first
/// request arrives while the next transaction is open.
#[test]
fn a_commit_that_arrives_again_in_the_next_transaction_ends_nothing() {
    let late = |rng: &mut fastrand::Rng| Fault::Stray(Duration::from_millis(rng.u64(50..1_500)));
    survive("net-stray", 1, &[Api::END_TXN], 6, late);
}

#[test]
fn offsets_that_go_astray_inside_a_transaction_are_told_once() {
    survive("net-offsets", 1, &[Api::ADD_OFFSETS, Api::TXN_OFFSET_COMMIT], 20, any_fault);
}

#[test]
fn records_that_go_astray_inside_a_transaction_are_told_once() {
    survive("net-records", 1, &[Api::ADD_PARTITIONS, Api::PRODUCE, Api::INIT_PRODUCER_ID], 30, any_fault);
}

#[test]
fn a_group_whose_words_go_astray_moves_its_shards_and_tells_once() {
    let apis = &[Api::JOIN_GROUP, Api::SYNC_GROUP, Api::HEARTBEAT, Api::FIND_COORDINATOR, Api::END_TXN];
    survive("net-group", 2, apis, 12, any_fault);
}

#[test]
fn reading_that_goes_astray_is_not_taken_for_the_end() {
    survive("net-reading", 1, &[Api::FETCH, Api::LIST_OFFSETS, Api::METADATA], 40, any_fault);
}
