//! Measures snapshots and the way back: customers with some 25 events each under twenty rules, in eight shards. How long
//! live events are held up while a shard is cut and handed out, what memory that takes, how long a snapshot takes; and from
//! the start of a process to its first new change, beside the time in which the same bytes are merely read.
//!
//! `cargo bench --bench recovery` for a million customers, `cargo bench --bench recovery -- 10000000` for ten (4 GB of
//! memory, 2 GB under `target/bench/`).

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use dormouse::cli::generate::{self, Kind, Model};
use dormouse::config::rules;
use dormouse::engine::{Progress, Shard, layout};
use dormouse::event::{self, Decoder, Event, Format, Span};
use dormouse::rules::Plan;
use dormouse::snapshot::{Head, Manifest, Store, Watch, Writing, load, look};

const N_SHARDS: usize = 8;
const N_THREADS: usize = 2;
/// Histories that all customers share out among them.
const N_HISTORIES: u64 = 2_000;
const N_EVENTS_EACH: u64 = 25;
const DAY: Span = Span(86_400_000);
/// Live events between two slices.
const BATCH: usize = 512;
/// As the pipeline hands out.
const SLICE_BYTES: usize = 128 << 10;

fn main() {
    let n_customers = std::env::args().find_map(|arg| arg.parse::<u64>().ok()).unwrap_or(1_000_000);
    let plan = Arc::new(plan());
    let mut text = Vec::new();
    let start = event::Instant(1_735_689_600_000);
    let n_events = N_HISTORIES * N_EVENTS_EACH;
    let model = Model { n_customers: N_HISTORIES, n_events, seed: 1, kinds: Kind::ALL.to_vec(), start, days: 365 };
    generate::write(&model, &mut text).expect("memory takes it");
    let end = start + Span(365 * DAY.0);
    let histories = histories(&plan, &text, end);
    println!("machine      {}, {N_THREADS} threads", cpu_name());

    let shards: Mutex<BTreeMap<usize, Shard>> = Mutex::default();
    let built = measured(|| {
        each_shard(|number| {
            let shard = build(&plan, &histories, number, n_customers, end);
            shards.lock().expect("nobody failed").insert(number, shard);
        });
    });
    let mut shards = shards.into_inner().expect("nobody failed");
    let state_bytes: usize = shards.values().map(Shard::state_bytes).sum();
    println!(
        "state        {n_customers} customers, {:.0} MB, {} B each; built in {built}",
        state_bytes as f64 / 1e6,
        state_bytes as u64 / n_customers
    );

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench/snapshots");
    drop(std::fs::remove_dir_all(&folder));
    let store = Store::open(&format!("file://{}", folder.display()), "bench", []).expect("target/ can be written");
    take_all(&plan, &store, &mut shards, &histories, end);
    let before = Before {
        sizes: shards.values().map(Shard::sizes).collect(),
        n_customers: shards.values().map(Shard::n_customers).sum(),
    };
    drop(shards);
    come_back(&plan, &store, &folder, &histories, end, &before);
    std::fs::remove_dir_all(&folder).expect("target/ can be written");
}

/// What the shards were.
struct Before {
    sizes: Vec<Vec<Vec<u64>>>,
    n_customers: usize,
}

fn plan() -> Plan {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/rules20.toml");
    match rules::load(&path) {
        Ok(loaded) => loaded.plan,
        Err(errors) => panic!("{} is wrong: {errors:?}", path.display()),
    }
}

/// The events of each made-up customer. Ids are kept on the last day only: older ones are no longer remembered.
fn histories<'t>(plan: &Plan, text: &'t [u8], end: event::Instant) -> Vec<Vec<Event<'t>>> {
    let decoder = Decoder::new(&plan.schema);
    let mut by_customer: BTreeMap<String, Vec<Event<'t>>> = BTreeMap::new();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let mut event = decoder.decode(Format::Json, line, None).expect("generated events are good");
        if event.time < end - DAY {
            event.id = None;
        }
        by_customer.entry(event.customer.to_string()).or_default().push(event);
    }
    by_customer.into_values().collect()
}

fn each_shard(work: impl Fn(usize) + Sync) {
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..N_THREADS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if number >= N_SHARDS {
                        break;
                    }
                    work(number);
                }
            });
        }
    });
}

fn customer(number: u64) -> String {
    format!("customer-{number:011}")
}

fn build(plan: &Arc<Plan>, histories: &[Vec<Event<'_>>], shard: usize, n_all: u64, end: event::Instant) -> Shard {
    let mut built = Shard::new(plan.clone());
    for number in (shard as u64..n_all).step_by(N_SHARDS) {
        let id = customer(number);
        for event in &histories[number as usize % histories.len()] {
            let mut event = event.clone();
            event.customer = id.as_str().into();
            built.fold(&event, end - DAY);
        }
    }
    built.arm(end);
    let mut changes = Vec::new();
    while built.advance(end, 10_000, &mut changes) == Progress::More {
        changes.clear();
    }
    built
}

/// Takes each shard's snapshot while events come in, and says how long those were held up.
fn take_all(
    plan: &Arc<Plan>,
    store: &Store,
    shards: &mut BTreeMap<usize, Shard>,
    histories: &[Vec<Event<'_>>],
    end: event::Instant,
) {
    let mut pauses = Vec::new();
    let (rss_before, mut rss_most, mut copies_most) = (rss_bytes(), 0, 0);
    let took = measured(|| {
        for (number, shard) in shards {
            let (packets, received) = crossbeam_channel::bounded(64);
            let started = Instant::now();
            let cut = shard.begin_export();
            pauses.push(started.elapsed());
            let head = head(plan, *number, cut);
            std::thread::scope(|scope| {
                let writer = scope.spawn(move || write(store, head, &received));
                let mut live = live_events(histories, *number, end);
                let mut changes = Vec::new();
                loop {
                    for _ in 0..BATCH {
                        let (id, event) = live();
                        let mut event = event.clone();
                        event.customer = id.as_str().into();
                        shard.apply(&event, end, &mut changes);
                    }
                    changes.clear();
                    if !packets.is_full() {
                        let started = Instant::now();
                        let packet = shard.next_packet(SLICE_BYTES);
                        pauses.push(started.elapsed());
                        let Some(packet) = packet else { break };
                        packets.send(packet).expect("the writer takes all");
                    }
                    copies_most = copies_most.max(shard.export_bytes());
                    if pauses.len() % 64 == 0 {
                        rss_most = rss_most.max(rss_bytes());
                    }
                }
                drop(packets);
                writer.join().expect("the writer does not fail");
            });
        }
    });
    pauses.sort();
    let at = |part: f64| pauses[((pauses.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    println!(
        "a pause      {:.2} ms at the median, {:.2} at p99, {:.2} at most; of {} slices between batches of {BATCH} events",
        at(0.5),
        at(0.99),
        at(1.0),
        pauses.len()
    );
    println!(
        "memory       {:.0} MB before, at most {:.0} while snapshots were taken; copies of who changed {:.1} MB at most",
        rss_before as f64 / 1e6,
        rss_most as f64 / 1e6,
        copies_most as f64 / 1e6
    );
    println!("snapshots    {took} for all, one after the other, with events in between");
}

fn head(plan: &Plan, number: usize, cut: dormouse::engine::Cut) -> Head {
    Head {
        shard: number as i32,
        lineage: "l".to_owned(),
        epoch: 1,
        token: "t".to_owned(),
        rules: plan.version.to_string(),
        layout: layout(plan),
        next: BTreeMap::new(),
        standing_at: 0,
        taken_at: 0,
        cut,
    }
}

fn write(store: &Store, head: Head, packets: &crossbeam_channel::Receiver<dormouse::engine::Packet>) -> Manifest {
    let mut writing = Writing::begin(store, head);
    for packet in packets {
        writing.add(&packet).expect("there is room");
    }
    writing.finish().expect("there is room");
    writing.publish().expect("nobody else writes")
}

/// Events of a shard's customers, here and there, for ever.
fn live_events<'h, 'e>(
    histories: &'h [Vec<Event<'e>>],
    shard: usize,
    end: event::Instant,
) -> impl FnMut() -> (String, Event<'e>) + use<'h, 'e> {
    let mut state = shard as u64 + 1;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let number = (state >> 33) % 100_000 * N_SHARDS as u64 + shard as u64;
        let history = &histories[number as usize % histories.len()];
        let mut event = history[(state >> 20) as usize % history.len()].clone();
        (event.time, event.id) = (end, None);
        (customer(number), event)
    }
}

struct Patient;

impl Watch for Patient {
    fn is_cancelled(&self) -> bool {
        false
    }

    fn loaded(&mut self, _: u64) {}
}

/// As a new process would: finds the snapshots, loads them, and applies an event to each shard.
fn come_back(
    plan: &Arc<Plan>,
    store: &Store,
    folder: &Path,
    histories: &[Vec<Event<'_>>],
    end: event::Instant,
    before: &Before,
) {
    let mut n_bytes = 0;
    let read = measured(|| n_bytes = read_all(folder));
    let sum = Mutex::new((0, vec![Vec::new(); N_SHARDS], 0));
    let first = Mutex::new(None);
    let (started, cpu) = (Instant::now(), cpu_time());
    each_shard(|number| {
        let manifest = look(store, number as i32).expect("it can be listed").whole.remove(0);
        let mut shard = load(store, &manifest, plan, &mut Patient).expect("it is whole");
        shard.arm(end);
        let mut changes = Vec::new();
        while shard.advance(end, 10_000, &mut changes) == Progress::More {}
        let (_, mut event) = live_events(histories, number, end)();
        event.customer = format!("newcomer-{number}").into();
        shard.apply(&event, end, &mut changes);
        let mut first = first.lock().expect("nobody failed");
        if !changes.is_empty() {
            first.get_or_insert_with(|| started.elapsed());
        }
        let mut sum = sum.lock().expect("nobody failed");
        sum.0 += shard.n_customers() - 1;
        sum.1[number] = shard.sizes();
        sum.2 += shard.state_bytes();
    });
    let back = Took { wall: started.elapsed(), cpu: cpu_time() - cpu };
    let (n_customers, sizes, state_bytes) = sum.into_inner().expect("nobody failed");
    // The cut was before the live events; those made no new customers.
    assert_eq!(n_customers, before.n_customers);
    assert_eq!(sizes.len(), before.sizes.len());
    let first: Duration = first.into_inner().expect("nobody failed").expect("a newcomer changes");
    println!(
        "come back    all in {back}, the first shard's first change after {:.2} s; {:.0} MB of state",
        first.as_secs_f64(),
        state_bytes as f64 / 1e6
    );
    println!("read only    {read} for the same {:.0} MB", n_bytes as f64 / 1e6);
}

fn read_all(folder: &Path) -> u64 {
    let mut n_bytes = 0;
    let mut buffer = vec![0; 1 << 20];
    for path in files_under(folder) {
        let mut file = std::fs::File::open(path).expect("it was just written");
        loop {
            match file.read(&mut buffer).expect("it can be read") {
                0 => break,
                n => n_bytes += n as u64,
            }
        }
    }
    n_bytes
}

fn files_under(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        if entry.path().is_dir() {
            found.extend(files_under(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

/// How long something took. Where others use the machine too, the cores' own time says more.
struct Took {
    wall: Duration,
    cpu: Duration,
}

impl std::fmt::Display for Took {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} s ({:.2} s of a core)", self.wall.as_secs_f64(), self.cpu.as_secs_f64())
    }
}

fn measured(work: impl FnOnce()) -> Took {
    let (started, cpu) = (Instant::now(), cpu_time());
    work();
    Took { wall: started.elapsed(), cpu: cpu_time() - cpu }
}

/// Of all threads of this process so far, in its own code and in the kernel's.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // What stands behind the name, which may hold blanks.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// Memory of this process that is really there.
fn rss_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or_default() * 4_096
}

fn cpu_name() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    name.unwrap_or("unknown CPU").to_owned()
}
