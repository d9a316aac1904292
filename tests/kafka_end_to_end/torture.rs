//! Instances that are killed, stopped and frozen at random instants, again and again, while a shop goes on; and then
//! every customer's changes, compared with those of a run that nobody disturbed.
//!
//! `DORMOUSE_KILLS` says how many times something is done to them: 20 in a test, hundreds in `just torture`.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::history::{UNTIL, is_before_until, live_orders, online_retail, shipped_rules};
use crate::shop::{Finally, Instance, Shop, assert_gapless, assert_same, open_transaction, quick_rules};
use rdkafka::producer::Producer as _;
use testbed::kafka::{Broker, Record};

const NAMES: [&str; 3] = ["a", "b", "c"];

/// How often instances are struck, if nobody says otherwise.
const N_BLOWS: usize = 20;

fn n_blows() -> usize {
    let asked = std::env::var("DORMOUSE_KILLS").ok();
    asked.map_or(N_BLOWS, |text| text.parse().expect("DORMOUSE_KILLS is a number"))
}

/// What was done to them.
#[derive(Debug, Default)]
struct Suffered {
    n_kills: usize,
    n_freezes: usize,
    n_stops: usize,
    n_broker_kills: usize,
}

/// Up to three instances of one group, in the hands of somebody who means them ill.
struct Torment<'s> {
    shop: &'s Shop<'s>,
    settings: &'static str,
    rng: fastrand::Rng,
    slots: Vec<Slot>,
    /// Whether the broker is struck too.
    reaches_broker: bool,
    suffered: Suffered,
}

/// An instance's place.
#[derive(Default)]
struct Slot {
    instance: Option<Instance>,
    is_frozen: bool,
    /// When it is started again, or goes on.
    back: Option<Instant>,
}

impl<'s> Torment<'s> {
    fn new(shop: &'s Shop<'s>, settings: &'static str, n_instances: usize, reaches_broker: bool) -> Torment<'s> {
        let seed = std::env::var("DORMOUSE_TORTURE_SEED").ok();
        let seed =
            seed.map_or_else(|| fastrand::u64(..), |text| text.parse().expect("DORMOUSE_TORTURE_SEED is a number"));
        println!("{}: {n_instances} instances, DORMOUSE_TORTURE_SEED={seed}", shop.name);
        let slots = (0..n_instances).map(|_| Slot { back: Some(Instant::now()), ..Slot::default() }).collect();
        let rng = fastrand::Rng::with_seed(seed);
        Torment { shop, settings, rng, slots, reaches_broker, suffered: Suffered::default() }
    }

    /// Strikes so many times. `struck` is told how many blows have fallen.
    fn go_on(&mut self, n_blows: usize, struck: impl Fn(usize)) {
        for blow in 1..=n_blows {
            let pause = if self.rng.u8(0..3) == 0 { self.rng.u64(0..200) } else { self.rng.u64(200..2_000) };
            let next = Instant::now() + Duration::from_millis(pause);
            while Instant::now() < next {
                self.look_after();
                std::thread::sleep(Duration::from_millis(10));
            }
            self.strike();
            struck(blow);
        }
    }

    /// Whoever's time has come is back.
    fn look_after(&mut self) {
        for (slot, name) in self.slots.iter_mut().zip(NAMES) {
            if let Some(code) = slot.instance.as_mut().and_then(Instance::ended) {
                panic!("{name} ended by itself with {code:?}\n{}", self.shop.logs());
            }
            if slot.back.is_some_and(|back| Instant::now() >= back) {
                slot.back = None;
                if std::mem::take(&mut slot.is_frozen) {
                    slot.instance.as_ref().expect("a frozen one is there").signal("-CONT");
                } else {
                    slot.instance = Some(self.shop.start(name, self.settings));
                }
            }
        }
    }

    fn strike(&mut self) {
        if self.reaches_broker && self.rng.u8(0..25) == 0 {
            self.suffered.n_broker_kills += 1;
            self.shop.broker.kill9();
            self.shop.broker.restart();
            return;
        }
        let up: Vec<usize> = (0..self.slots.len()).filter(|&index| self.slots[index].instance.is_some()).collect();
        let Some(&index) = up.get(self.rng.usize(0..up.len().max(1))) else { return };
        let slot = &mut self.slots[index];
        let soon = |rng: &mut fastrand::Rng, ms: u64| Some(Instant::now() + Duration::from_millis(rng.u64(0..ms)));
        match self.rng.u8(0..10) {
            0..=6 => {
                self.suffered.n_kills += 1;
                slot.instance.take().expect("it is up").kill9();
                slot.is_frozen = false;
                slot.back = soon(&mut self.rng, 1_500);
            }
            7..=8 if !slot.is_frozen => {
                self.suffered.n_freezes += 1;
                slot.instance.as_ref().expect("it is up").signal("-STOP");
                slot.is_frozen = true;
                // Past the end of its session, at times.
                slot.back = soon(&mut self.rng, 9_000);
            }
            _ if !slot.is_frozen => {
                self.suffered.n_stops += 1;
                let code = slot.instance.take().expect("it is up").terminate().0;
                // One that has hardly started does not know yet what a signal is for.
                assert!(matches!(code, Some(0) | None), "{code:?}\n{}", self.shop.logs());
                slot.back = soon(&mut self.rng, 1_500);
            }
            _ => {}
        }
    }

    /// All come back, and nothing happens to them any more.
    fn relent(&mut self) {
        for slot in &mut self.slots {
            slot.back = slot.back.map(|_| Instant::now());
        }
        self.look_after();
    }

    /// All end as they should.
    fn dismiss(self) -> Suffered {
        for mut slot in self.slots {
            let instance = slot.instance.take().expect("all have come back");
            assert_eq!(instance.terminate().0, Some(0), "{}", self.shop.logs());
        }
        self.suffered
    }
}

/// The year comes in as blows fall. A second topic has a transaction open all the while: it is never at its end, so that
/// the old events are not overtaken by today's clock.
fn survive_a_year(name: &str, n_instances: usize, n_blows: usize) {
    let broker = Broker::start_with(&[("transaction.max.timeout.ms", "86400000")]);
    let text = online_retail();
    let events: Vec<&str> = text.lines().collect();
    let shop = Shop::open(&broker, name, 3, &["orders", "still"], &shipped_rules());
    let expected = shop.replayed(std::slice::from_ref(&events), UNTIL);
    let still: Vec<Record> = (0..3).map(|partition| Record::new(partition, "k", "never committed")).collect();
    let a_day = Duration::from_secs(86_400);
    let open = open_transaction(&broker, &format!("{name}-still"), shop.topic(1), &still, a_day);
    let mut torment = Torment::new(&shop, "[time]\nmax_hold = \"100ms\"\n", n_instances, true);
    let n_struck = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let feeding = scope.spawn(|| {
            let producer = broker.producer();
            for (index, event) in events.iter().enumerate() {
                // Each blow finds its share of the year on its way.
                while index * n_blows > (n_struck.load(Ordering::Relaxed) + 1) * events.len() {
                    std::thread::sleep(Duration::from_millis(5));
                }
                producer.send(shop.topic(0), &shop.record(event));
                if index % 4 == 0 {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            producer.flush();
        });
        let _all = Finally(|| n_struck.store(n_blows, Ordering::Relaxed));
        torment.go_on(n_blows, |blow| n_struck.store(blow, Ordering::Relaxed));
        feeding.join().expect("it does not fail");
    });
    torment.relent();
    shop.wait_until("the end of the orders", || {
        let committed = broker.committed_offsets(&shop.name, shop.topic(0));
        committed.iter().zip(broker.high_watermarks(shop.topic(0))).all(|(committed, mark)| *committed == Some(mark))
    });
    open.abort_transaction(Duration::from_secs(30)).expect("it aborts");
    let found = shop.wait_for_changes(expected.len(), is_before_until);
    assert_same(&found, &expected);
    shop.wait_until("the end of the input", || shop.is_consumed());
    let suffered = torment.dismiss();
    assert_gapless(&shop.changes());
    println!("{name}: {suffered:?}; {} changes as undisturbed, {} in all", found.len(), shop.changes().len());
}

#[test]
fn a_year_of_a_shop_survives_whatever_is_done_to_two_instances() {
    survive_a_year("torture-year", 2, n_blows());
}

#[test]
fn what_passing_time_tells_survives_whatever_is_done_to_three_instances() {
    let broker = Broker::shared();
    let shop = Shop::open(broker, "torture-live", 4, &["orders"], &quick_rules("2s"));
    let mut torment = Torment::new(&shop, "[time]\ngrace = \"5s\"\n", 3, false);
    let is_over = AtomicBool::new(false);
    let events = std::thread::scope(|scope| {
        let producing = scope.spawn(|| live_orders(&shop, &is_over));
        let _over = Finally(|| is_over.store(true, Ordering::Relaxed));
        torment.go_on(n_blows(), |_| {});
        is_over.store(true, Ordering::Relaxed);
        producing.join().expect("it does not fail")
    });
    torment.relent();
    let n_changes = shop.assert_as_undisturbed(&events);
    let suffered = torment.dismiss();
    assert_eq!(shop.changes().len(), n_changes);
    println!("torture-live: {suffered:?}; {n_changes} changes as undisturbed");
}
