//! Measures a replay: 5 M events of 500 000 customers under twenty rules, on one and two threads, beside the time that
//! merely reading the same file and splitting its lines takes, and that of merely writing as many bytes as the changes
//! are; then what each stage costs, and the memory of a customer with 25 events. Each replay and what it is compared with
//! take turns, and medians are printed, since other work on the machine and memory that is touched for the first time
//! cost more than most changes to the program.
//!
//! `cargo bench --bench replay`. The events are generated once into `target/bench/`.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use dormouse::cli::generate::{self, Kind, Model};
use dormouse::config::rules;
use dormouse::engine::{Arrival, Mark, Shard};
use dormouse::event::{self, Decoder, Format, Span};
use dormouse::pipeline::replay::{self, Options, Summary};
use dormouse::rules::Plan;

const N_EVENTS: u64 = 5_000_000;
/// Of the shop; some 500 000 of them turn up in the file.
const N_CUSTOMERS: u64 = 780_000;
/// Of each replay; what is printed is their median.
const N_RUNS: usize = 5;
/// For the stages and the memory of a customer.
const N_EVENTS_EACH: u64 = 25;
const N_CUSTOMERS_HELD: u64 = 200_000;

fn main() {
    let plan = Arc::new(plan());
    let file = events_file();
    let n_bytes = file.metadata().expect("it was just written").len();
    let n_segments: usize = plan.dimensions.iter().map(|dimension| dimension.segments.len()).sum();
    println!("machine      {}, {} cores", cpu_name(), std::thread::available_parallelism().map_or(1, NonZero::get));
    println!("events       {N_EVENTS} of {} bytes, {n_segments} rules", n_bytes / N_EVENTS);

    for (n_threads, is_written) in [(1, false), (2, false), (2, true)] {
        let runs: Vec<Run> = (0..N_RUNS).map(|_| run(&plan, &file, n_threads, is_written)).collect();
        let median = |of: fn(&Run) -> f64| median(runs.iter().map(of).collect());
        let (took, read, write) = (median(|run| run.took), median(|run| run.read), median(|run| run.write));
        println!(
            "{n_threads} thread(s)  {:>10.0} events/s  {took:.2} s; {:.0} events per CPU second; {} changes {}, {} customers of {} B",
            N_EVENTS as f64 / took,
            N_EVENTS as f64 / median(|run| run.cpu),
            runs[0].summary.n_changes,
            if is_written { "written" } else { "made and dropped" },
            runs[0].summary.n_customers,
            runs[0].summary.state_bytes / runs[0].summary.n_customers,
        );
        println!("             {:.0} times as long as merely reading and splitting ({read:.2} s)", took / read);
        if is_written {
            println!("             {:.1} times as long as merely writing as many bytes ({write:.2} s)", took / write);
        }
    }
    stages(&plan);
}

/// One replay, and what the machine takes for its least part right after it. In seconds.
struct Run {
    summary: Summary,
    took: f64,
    cpu: f64,
    read: f64,
    write: f64,
}

fn run(plan: &Arc<Plan>, file: &Path, n_threads: usize, is_written: bool) -> Run {
    let cpu_before = process_cpu_seconds();
    let summary = replay(plan, file, n_threads, is_written);
    let cpu = process_cpu_seconds() - cpu_before;
    let read = seconds(|| assert_eq!(n_lines(file), N_EVENTS));
    let write = if is_written { seconds(|| write_zeros(&changes_file(file))) } else { 0.0 };
    Run { took: summary.elapsed.as_secs_f64(), cpu, read, write, summary }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

fn plan() -> Plan {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/rules20.toml");
    match rules::load(&path) {
        Ok(loaded) => loaded.plan,
        Err(errors) => panic!("{} is wrong: {errors:?}", path.display()),
    }
}

fn model(n_customers: u64, n_events: u64) -> Model {
    // 2025-01-01T00:00:00Z
    let start = event::Instant(1_735_689_600_000);
    Model { n_customers, n_events, seed: 1, kinds: Kind::ALL.to_vec(), start, days: 365 }
}

/// Generated when it is not there yet, under a name that says what it is.
fn events_file() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    let path = folder.join(format!("events-{N_CUSTOMERS}-{N_EVENTS}-v3.jsonl"));
    if !path.exists() {
        let unfinished = folder.join("events.unfinished");
        std::fs::create_dir_all(&folder).expect("target/ can be written");
        let file = File::create(&unfinished).expect("target/ can be written");
        let took = seconds(|| generate::write(&model(N_CUSTOMERS, N_EVENTS), &file).expect("there is room"));
        println!("generated    {:>10.0} events/s", N_EVENTS as f64 / took);
        std::fs::rename(unfinished, &path).expect("target/ can be written");
    }
    path
}

/// What any reader of this file has to do.
fn n_lines(path: &Path) -> u64 {
    let mut file = BufReader::with_capacity(1 << 20, File::open(path).expect("it is there"));
    let (mut block, mut n_lines, mut n_bytes) = (vec![0; 1 << 20], 0, 0);
    loop {
        let n = file.read(&mut block).expect("it can be read");
        if n == 0 {
            assert!(n_bytes > 0);
            return n_lines;
        }
        n_lines += memchr::memchr_iter(b'\n', &block[..n]).count() as u64;
        n_bytes += n;
    }
}

fn changes_file(events: &Path) -> PathBuf {
    events.with_file_name("changes.jsonl")
}

/// What any writer of as many bytes has to do: into a file that was not there, as the changes were.
fn write_zeros(path: &Path) {
    let n_bytes = path.metadata().expect("it was just written").len();
    std::fs::remove_file(path).expect("it is there");
    let mut file = File::create(path).expect("target/ can be written");
    let block = vec![0; 1 << 20];
    for start in (0..n_bytes).step_by(block.len()) {
        let n = (n_bytes - start).min(block.len() as u64) as usize;
        file.write_all(&block[..n]).expect("there is room");
    }
}

fn replay(plan: &Arc<Plan>, file: &Path, n_threads: usize, is_written: bool) -> Summary {
    let options = Options {
        files: vec![file.to_owned()],
        until: None,
        grace: Span(5_000),
        n_threads: NonZero::new(n_threads).expect("at least one"),
        is_sorted_first: false,
        sort_bytes_max: 512 << 20,
        n_bytes_read: Arc::default(),
    };
    let summary = if is_written {
        std::fs::remove_file(changes_file(file)).ok();
        let mut changes = File::create(changes_file(file)).expect("target/ can be written");
        replay::run(plan, &options, None, &mut changes)
    } else {
        replay::run(plan, &options, None, &mut std::io::sink())
    };
    let summary = summary.expect("the file can be read");
    assert_eq!((summary.n_events, summary.n_rejects_total()), (N_EVENTS, 0));
    summary
}

/// What one thread spends on each event, stage by stage, without files; and all memory that a shard then holds for
/// each customer. In CPU time, so that others on the machine count less.
fn stages(plan: &Arc<Plan>) {
    let mut lines = Vec::new();
    let n_events = N_CUSTOMERS_HELD * N_EVENTS_EACH;
    generate::write(&model(N_CUSTOMERS_HELD, n_events), &mut lines).expect("memory takes it");
    let lines: Vec<&[u8]> = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let decoder = Decoder::new(&plan.schema);
    let mut shard = Shard::new(plan.clone());
    let (mut clock, mut changes, mut n_changes, mut n_judged) = (event::Instant(i64::MIN), Vec::new(), 0, 0_u64);
    let mut spent = [0.0; 3];
    for block in lines.chunks(16_384) {
        let start = thread_cpu_seconds();
        let mut events = Vec::with_capacity(block.len());
        for line in block {
            events.push(event::Event::default());
            let event = events.last_mut().expect("it was just pushed");
            decoder.decode_into(event, Format::Json, line, None).expect("generated events are good");
        }
        let decoded = thread_cpu_seconds();
        for events in events.chunks(512) {
            let mut arrivals = Vec::with_capacity(events.len());
            for event in events {
                let clock_before = clock;
                clock = clock.max(event.time - Span(5_000));
                arrivals.push(Arrival { event, mark: Mark::of(event), clock_before, clock_after: clock });
            }
            let mut batch = shard.batch(&arrivals);
            while batch.apply_next(&mut changes).is_some() {}
        }
        let applied = thread_cpu_seconds();
        let mut overdue = shard.overdue(clock);
        while overdue.judge_next(&mut changes) {
            n_judged += 1;
        }
        drop(overdue);
        n_changes += changes.len();
        changes.clear();
        let parts = [decoded - start, applied - decoded, thread_cpu_seconds() - applied];
        spent.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
    }
    let [decode, apply, advance] = spent.map(|seconds| seconds * 1e9 / n_events as f64);
    println!("an event     {decode:.0} ns to decode, {apply:.0} to apply, {advance:.0} for what time brings (CPU)");
    println!("             {n_judged} customers judged by time, {n_changes} changes, of {n_events} events");
    let bytes = shard.state_bytes() / shard.n_customers();
    println!("memory       {bytes} B a customer with {N_EVENTS_EACH} events, ids of 20 bytes");
}

fn seconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

/// What all threads of this process used so far, those that have ended too.
fn process_cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name in parentheses: state is field 3, user and system time are 14 and 15, in hundredths.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// What this thread used so far, to the nanosecond.
fn thread_cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or_default() / 1e9
}

fn cpu_name() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    name.unwrap_or("unknown CPU").to_owned()
}
