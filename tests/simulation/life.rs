//! One seed: instances that start, are stopped, killed and cut off, and whose clocks jump, while a shop goes on; then quiet, and the verdict.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use dormouse::event::{Format, Instant};
use dormouse::kafka;
use dormouse::pipeline::pace::Simulated;
use dormouse::pipeline::{self, Hand, Input, Output, Pace, Settings, Status, Stop, Wall};
use dormouse::rules::Plan;
use dormouse::snapshot::Store;

use super::broker::Broker;
use super::broker::group::SESSION;
use super::broker::log::Data;
use super::client::{Client, Reach, Shelf, Weather, World};
use super::history::{self, Fed, GRACE, INPUTS, MAX_SKEW, Shop};
use super::keeping::{self, Keeping};
use super::schedule::{Runner, Schedule, Threads, Turn};
use super::verdict::{FORMAT, Seen};

/// `2026-01-01T00:00:00Z`.
pub const EPOCH_MS: i64 = 1_767_225_600_000;
const SECOND: u64 = 1_000_000;
/// Long enough for sessions and transactions to time out, and for everything to be recovered.
const QUIET: u64 = 40 * SECOND;
/// A life in which nobody ever comes to rest.
const TURNS_MAX: u64 = 400_000;

/// What trouble a life is fullest of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaning {
    /// Of none more than of another.
    Nothing,
    /// Whoever publishes a snapshot falls asleep over it while others go on and the input goes.
    Sleepers,
}

/// How a life went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lived {
    pub n_changes: u64,
    pub n_turns: u64,
    pub n_kills: u64,
    pub n_snapshots: u64,
    pub fingerprint: u64,
}

pub struct Life {
    world: Arc<World>,
    runner: Runner,
    plan: Arc<Plan>,
    shop: Shop,
    fed: Vec<Fed>,
    rng: fastrand::Rng,
    slots: Vec<Slot>,
    seen: Seen,
    n_decided: u64,
    n_kills: u64,
    next_event: u64,
    next_blow: u64,
    /// One commit in so many is followed by a crash.
    one_sudden_in: u8,
    /// The next one is a crash.
    is_sudden: bool,
    /// When trouble ends.
    calm: u64,
    is_calm: bool,
    turn_dues: usize,
    slice_bytes: usize,
    blow_pause: u64,
    keeping: Keeping,
    snapshot_every: Duration,
    sleep: Sleep,
    mistakes: Option<Mistakes>,
}

/// Instances that somebody starts with other rules than the shards have. Drawn apart, so that lives without them are what
/// they would be.
struct Mistakes {
    rng: fastrand::Rng,
    plan: Arc<Plan>,
}

impl Mistakes {
    fn draw(seed: u64) -> Option<Mistakes> {
        let mut rng = fastrand::Rng::with_seed(seed.rotate_left(32));
        (rng.u8(0..4) == 0).then(|| Mistakes { rng, plan: history::other_plan() })
    }

    /// With what the next instance is started, if by mistake.
    fn next(&mut self) -> Option<Arc<Plan>> {
        (self.rng.u8(0..3) == 0).then(|| Arc::clone(&self.plan))
    }
}

/// How publishers of snapshots fall asleep.
struct Sleep {
    /// One of so many.
    one_in: u8,
    sessions_max: u64,
}

/// An instance's place, whoever fills it.
struct Slot {
    instance: String,
    process: Option<usize>,
    stop: Stop,
    /// Its machine's clock, how far that is off, and until when.
    hand: Hand,
    off_ms: i64,
    off_until: u64,
    /// When it is started again, stopped processes go on.
    back: u64,
    ended: Ended,
}

/// How a process ended, once it has.
pub type Ended = Arc<Mutex<Option<Result<(), String>>>>;

impl Slot {
    fn new(number: usize, rng: &mut fastrand::Rng) -> Slot {
        Slot {
            instance: format!("i{number}"),
            process: None,
            stop: Stop::default(),
            hand: Hand::new(Instant(EPOCH_MS)),
            off_ms: 0,
            off_until: 0,
            back: rng.u64(1..2 * SECOND),
            ended: Arc::default(),
        }
    }
}

/// Lives the life of a seed; an error says what was broken.
pub fn live(seed: u64) -> Result<Lived, String> {
    live_leaning(seed, Leaning::Nothing)
}

/// The same in a life of its own kind.
pub fn live_leaning(seed: u64, leaning: Leaning) -> Result<Lived, String> {
    let mut life = Life::new(seed);
    life.lean(leaning);
    let outcome = life.run();
    for process in life.slots.iter().filter_map(|slot| slot.process) {
        life.runner.kill(process);
    }
    outcome?;
    let schedule = &life.world.schedule;
    Ok(Lived {
        n_changes: life.seen.n_changes,
        n_turns: schedule.n_turns(),
        n_kills: life.n_kills,
        n_snapshots: life.world.shelf().published.len() as u64,
        fingerprint: schedule.fingerprint(),
    })
}

impl Life {
    fn new(seed: u64) -> Life {
        let mut rng = fastrand::Rng::with_seed(seed);
        let n_partitions = rng.usize(1..=3);
        let topics = [INPUTS[0], INPUTS[1], "changes", "standing", "rejects"];
        let schedule = Schedule::new(rng.u64(..));
        let mut broker = Broker::new(rng.u64(..), &topics, n_partitions as i32);
        broker.marker_delay_max = rng.choice([0, 20_000, 400_000, 3 * SECOND]).unwrap_or_default();
        let weather = Weather::draw(&mut rng);
        let world = Arc::new(World {
            broker: Mutex::new(broker),
            weather: Mutex::new(weather),
            shelf: Mutex::new(Shelf {
                upload_max: rng.choice([1_000, 50_000, 3 * SECOND]).unwrap_or_default(),
                ..Shelf::default()
            }),
            tombstone_ms: rng.choice([None, Some(4_000)]).unwrap_or_default(),
            epoch_ms: EPOCH_MS,
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
            n_partitions,
            schedule: Arc::clone(&schedule),
        });
        let (plan, keeping) = (history::plan(), Keeping::draw(&mut rng));
        if keeping != Keeping::Nothing && rng.u8(0..4) == 0 {
            keeping::plant(&world, &plan, &mut rng);
        }
        let n_slots = rng.usize(1..=3);
        Life {
            slots: (0..n_slots).map(|number| Slot::new(number, &mut rng)).collect(),
            runner: Runner::new(&schedule),
            plan,
            keeping,
            slice_bytes: rng.choice([1, 300, 128 << 10]).unwrap_or(1),
            snapshot_every: Duration::from_millis(rng.u64(50..3_000)),
            sleep: Sleep { one_in: 3, sessions_max: 2 },
            mistakes: Mistakes::draw(seed),
            shop: Shop::new(rng.u64(..), n_partitions),
            fed: Vec::new(),
            seen: Seen::default(),
            n_decided: 0,
            n_kills: 0,
            next_event: 0,
            next_blow: rng.u64(0..2 * SECOND),
            one_sudden_in: rng.choice([30, 4]).unwrap_or(30),
            is_sudden: false,
            calm: rng.u64(4..16) * SECOND,
            is_calm: false,
            turn_dues: rng.usize(1..4),
            blow_pause: rng.choice([200_000, SECOND, 3 * SECOND]).unwrap_or(SECOND),
            world,
            rng,
        }
    }

    fn lean(&mut self, leaning: Leaning) {
        if leaning == Leaning::Sleepers {
            self.keeping = Keeping::Trimmed;
            self.snapshot_every = Duration::from_millis(300);
            self.sleep = Sleep { one_in: 2, sessions_max: 5 };
            self.blow_pause = 3 * SECOND;
            self.one_sudden_in = 100;
            self.calm = 30 * SECOND;
            self.world.shelf().upload_max = 1_000;
            while self.slots.len() < 3 {
                self.slots.push(Slot::new(self.slots.len(), &mut self.rng));
            }
        }
    }

    fn run(&mut self) -> Result<(), String> {
        let end = self.calm + QUIET;
        loop {
            let now = self.world.schedule.micros();
            self.world.broker().advance(now);
            self.check()?;
            if now >= end {
                return self.judge(now);
            }
            self.act(now);
            let next = match self.runner.turn() {
                Turn::Taken => now + 20,
                Turn::IdleUntil(until) => until.min(self.next_thing()).max(now + 20),
            };
            self.runner.advance(next);
            for slot in &mut self.slots {
                if next >= slot.off_until {
                    slot.off_ms = 0;
                }
                slot.hand.set(Instant(self.world.wall_ms(next) + slot.off_ms));
            }
            if let Some(failure) = self.world.schedule.failure() {
                return Err(format!("a thread failed: {failure}"));
            }
            if self.world.schedule.n_turns() > TURNS_MAX {
                return Err("it does not come to rest".to_owned());
            }
        }
    }

    /// When something happens that no thread of an instance does.
    fn next_thing(&self) -> u64 {
        let comings_back = self.slots.iter().map(|slot| slot.back).filter(|back| *back > 0);
        let effect = self.world.broker().next_effect();
        comings_back.chain([effect, self.next_event, self.next_blow]).min().unwrap_or(u64::MAX)
    }

    fn check(&mut self) -> Result<(), String> {
        let broker = self.world.broker();
        if broker.n_decided != self.n_decided {
            self.n_decided = broker.n_decided;
            self.seen.look(&broker)?;
            keeping::check_cover(&self.world.shelf(), &broker)?;
            // The moment after a commit is where much can be lost, most of all one that left some who were due.
            let one_in = if self.seen.has_dues { 2 } else { self.one_sudden_in };
            if !self.is_calm && self.rng.u8(0..one_in) == 0 {
                self.next_blow = broker.now;
                self.is_sudden = true;
            }
        }
        Ok(())
    }

    fn act(&mut self, now: u64) {
        if now >= self.calm && !self.is_calm {
            self.calm_down(now);
        }
        if now >= self.next_event {
            self.feed(now);
        }
        if now >= self.next_blow {
            self.blow(now);
        }
        self.freeze_publishers(now);
        for index in 0..self.slots.len() {
            let slot = &mut self.slots[index];
            let has_ended = slot.ended.lock().map(|mut ended| ended.take()).unwrap_or_default().is_some();
            if has_ended && let Some(process) = slot.process.take() {
                self.runner.kill(process);
                // Whoever watches over processes starts it again.
                self.slots[index].back = now + self.rng.u64(0..2 * SECOND);
            }
            if self.slots[index].back > 0 && now >= self.slots[index].back {
                self.come_back(index);
            }
        }
    }

    /// No more trouble: whoever is away comes back, and whatever is cut off is reached.
    fn calm_down(&mut self, now: u64) {
        self.is_calm = true;
        self.next_blow = u64::MAX;
        self.next_event = u64::MAX;
        *self.world.weather() = Weather { delay_max: 2_000, ..Weather::default() };
        self.world.broker().marker_delay_max = 10_000;
        self.world.shelf().upload_max = 1_000;
        self.slots.iter_mut().for_each(|slot| slot.off_until = now);
        for slot in &mut self.slots {
            if slot.back > now {
                slot.back = now;
            }
        }
    }

    /// A record arrives.
    fn feed(&mut self, now: u64) {
        if self.keeping == Keeping::Trimmed {
            keeping::trim(&self.world);
        }
        let fed = self.shop.next(self.world.wall_ms(now));
        let data = Data { key: Some(fed.customer.clone().into_bytes()), value: Some(fed.value.clone()) };
        let mut broker = self.world.broker();
        let place = (INPUTS[fed.input].to_owned(), fed.partition);
        if let Some(log) = broker.logs.get_mut(&place) {
            log.append(data, None, now);
        }
        self.fed.push(fed);
        // More than a millisecond later, so that no two have the same time.
        let usual = 1_500_000 / u64::from(self.shop.n_customers);
        let pause = if self.rng.u8(0..6) == 0 { 3 * SECOND } else { usual };
        self.next_event = now + 1_100 + self.rng.u64(0..pause);
    }

    /// Something goes wrong.
    fn blow(&mut self, now: u64) {
        self.next_blow = now + self.rng.u64(20_000..self.blow_pause);
        let index = self.rng.usize(0..self.slots.len());
        let Some(process) = self.slots[index].process else { return };
        let drawn = self.rng.u8(0..14);
        match if std::mem::take(&mut self.is_sudden) { 0 } else { drawn } {
            0..=2 => {
                self.n_kills += 1;
                self.runner.kill(process);
                self.slots[index].process = None;
                self.slots[index].back = now + self.rng.u64(1..6 * SECOND);
            }
            3..=5 => {
                self.world.schedule.set_stopped(process, true);
                self.slots[index].back = now + self.rng.u64(1..9 * SECOND);
            }
            6 => self.slots[index].stop.request(),
            7..=8 => {
                let until = now + self.rng.u64(1..7 * SECOND);
                self.world.weather().cut_until.insert(process, until);
            }
            9 => self.compact(),
            10..=11 => {
                self.slots[index].off_ms = self.rng.choice([-3_600_000, -5_000, 3_000, 3_600_000]).unwrap_or_default();
                self.slots[index].off_until = now + self.rng.u64(1..6 * SECOND);
            }
            _ if self.keeping == Keeping::Damaged => keeping::damage(&mut self.world.shelf(), &mut self.rng),
            _ => {}
        }
    }

    /// Whoever has a snapshot on its way may fall asleep over it until others have long gone on.
    fn freeze_publishers(&mut self, now: u64) {
        for process in std::mem::take(&mut self.world.shelf().publishing) {
            let slot = self.slots.iter_mut().find(|slot| slot.process == Some(process));
            if let Some(slot) = slot.filter(|_| !self.is_calm)
                && self.rng.u8(0..self.sleep.one_in) == 0
            {
                self.world.schedule.set_stopped(process, true);
                slot.back = now + self.rng.u64(SESSION..self.sleep.sessions_max * SESSION);
            }
        }
    }

    fn compact(&mut self) {
        let mut broker = self.world.broker();
        for ((topic, _), log) in &mut broker.logs {
            if topic == "standing" {
                let end = log.end();
                log.compact(self.rng.i64(0..=end));
            }
        }
    }

    /// A stopped process goes on; where there is none, one is started.
    fn come_back(&mut self, index: usize) {
        self.slots[index].back = 0;
        if let Some(process) = self.slots[index].process {
            self.world.schedule.set_stopped(process, false);
            return;
        }
        let schedule = &self.world.schedule;
        let process = schedule.new_process();
        let threads = Arc::new(Threads { schedule: Arc::clone(schedule), process });
        let slot = &mut self.slots[index];
        slot.process = Some(process);
        // Whoever starts has a clock that is right.
        slot.off_ms = 0;
        slot.hand.set(Instant(self.world.wall_ms(schedule.micros())));
        slot.stop = Stop::default();
        slot.ended = Arc::default();
        let client =
            Client { world: Arc::clone(&self.world), threads: Arc::clone(&threads), instance: slot.instance.clone() };
        let mut settings = settings(&slot.instance, &slot.hand, self.turn_dues);
        // Where a shard has no record yet, any rules may begin it.
        let may_err = !self.is_calm && self.seen.n_shards() == self.world.n_partitions;
        let mistaken = self.mistakes.as_mut().filter(|_| may_err).and_then(Mistakes::next);
        let plan = mistaken.unwrap_or_else(|| Arc::clone(&self.plan));
        if self.keeping != Keeping::Nothing {
            let store = Store::given(Arc::new(Reach(client.clone())));
            settings.slice_bytes = self.slice_bytes;
            settings.snapshots = Some(pipeline::Snapshots { store, every: self.snapshot_every });
        }
        start(client, settings, plan, slot.stop.clone(), Arc::clone(&slot.ended));
    }

    /// Everything has had its time.
    fn judge(&mut self, now: u64) -> Result<(), String> {
        let present = Instant(self.world.wall_ms(now));
        let expected = history::expected(&self.plan, &self.fed, self.world.n_partitions, present);
        // What is younger than that may still be on its way.
        let due = Instant(self.world.wall_ms(now - 3 * SECOND)) - GRACE;
        self.seen.compare(&expected, due)?;
        self.seen.compare_rejects(&self.fed)?;
        self.seen.compare_offsets(&self.world.broker())?;
        keeping::check(&self.world.shelf(), &self.seen)
    }
}

/// Starts a process that was announced: an instance.
pub fn start(client: Client, settings: Settings, plan: Arc<Plan>, stop: Stop, ended: Ended) {
    let threads = Arc::clone(&client.threads);
    let simulated: Arc<dyn Simulated> = threads.clone();
    threads.start(move || {
        let status = Arc::new(Status::default());
        let outcome = pipeline::run_in(Arc::new(client), Pace::Simulated(simulated), settings, plan, &status, &stop);
        if let Ok(mut ended) = ended.lock() {
            *ended = Some(outcome.map_err(|error| error.to_string()));
        }
    });
}

pub fn settings(instance: &str, hand: &Hand, turn_dues: usize) -> Settings {
    let kafka = kafka::Settings {
        brokers: "simulated".to_owned(),
        group: "shop".to_owned(),
        instance: instance.to_owned(),
        client: [("transaction.timeout.ms", "6000"), ("heartbeat.interval.ms", "300")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        is_embedded: false,
        prefetch_bytes: kafka::PREFETCH_BYTES,
    };
    let inputs = INPUTS.iter().map(|topic| Input { topic: (*topic).to_owned(), kind: None, format: Format::Json });
    let output = Output {
        changes: "changes".to_owned(),
        standing: "standing".to_owned(),
        rejects: "rejects".to_owned(),
        format: FORMAT,
    };
    let mut settings = Settings::new(kafka, inputs.collect(), output);
    settings.grace = GRACE;
    settings.max_skew = MAX_SKEW;
    settings.turn_dues = turn_dues;
    settings.piece_messages = 2;
    settings.n_workers = 1;
    settings.wall = Wall::Set(hand.clone());
    settings.shutdown_timeout = Duration::from_secs(5);
    settings
}
