//! What exactly once costs, over a real Kafka: the same pipeline over the same events with its transactions and without
//! them, in one run; the memory of an instance whose output topic refuses writes for minutes while millions of events wait;
//! and how long it takes from the start of an instance that was killed, with a million customers in its snapshots, until
//! somebody who reads the changes sees the first new one.
//!
//! `cargo bench --bench exactly_once` runs them all, `-- cost`, `-- refused` and `-- killed` one of them.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dormouse::cli::generate::{self, Kind, Model};
use dormouse::config::rules;
use dormouse::event::{self, Format};
use dormouse::kafka::{
    self, Brokers, Cluster, Error, Fence, Intake, Isolation, Listener, Member, Outcome, Outgoing, Publishing, Reason,
    Requirement, Topics, Watermarks,
};
use dormouse::pipeline::{self, Input, Output, Pace, Placement, Status, Stop};
use dormouse::rules::Plan;
use rdkafka::ClientContext;
use rdkafka::admin::{AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{
    BaseRecord, DeliveryResult, NoCustomPartitioner, Producer as _, ProducerContext, ThreadedProducer,
};
use rdkafka::{Offset, TopicPartitionList};
use testbed::kafka::{Broker, Producer, Record};

const N_PARTITIONS: i32 = 4;
const N_EVENTS_COST: u64 = 1_000_000;
/// Pairs of runs that are compared.
const N_ROUNDS: usize = 7;
const N_EVENTS_REFUSED: u64 = 5_000_000;
const REFUSED_FOR: Duration = Duration::from_secs(180);
const MEMORY_LIMIT_MIB: u64 = 1_024;
const N_EVENTS_KILLED: u64 = 10_000_000;
/// Of the shop; some million of them turn up.
const N_CUSTOMERS_KILLED: u64 = 1_560_000;
const N_KILLS: usize = 5;

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let is_asked = |name: &str| asked.is_empty() || asked.iter().any(|argument| argument == name);
    if is_asked("cost") {
        cost();
    }
    if is_asked("refused") {
        refused();
    }
    if is_asked("killed") {
        killed();
    }
}

fn plan_path() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/rules20.toml")
}

/// Writes events straight into a topic, each where its customer belongs.
struct Feed<'a> {
    producer: Producer,
    topic: &'a str,
    rest: Vec<u8>,
}

impl Feed<'_> {
    fn line(&self, line: &[u8]) {
        let marker = b"\"customer_id\":\"";
        let start = memchr::memmem::find(line, marker).expect("an event names its customer") + marker.len();
        let end = start + memchr::memchr(b'"', &line[start..]).expect("an id has an end");
        let customer = &line[start..end];
        let partition = Placement::Murmur2.partition(customer, N_PARTITIONS as usize).expect("murmur2 places all");
        self.producer.send(self.topic, &Record::new(partition, customer, line));
    }
}

impl Write for Feed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut whole = std::mem::take(&mut self.rest);
        whole.extend_from_slice(bytes);
        let end = memchr::memrchr(b'\n', &whole).map_or(0, |end| end + 1);
        whole[..end].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).for_each(|line| self.line(line));
        self.rest = whole.split_off(end);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn feed(broker: &Broker, topic: &str, n_events: u64, n_customers: u64) {
    broker.create_topic(topic, N_PARTITIONS, &[("message.timestamp.type", "LogAppendTime")]);
    // 2025-01-01T00:00:00Z
    let start = event::Instant(1_735_689_600_000);
    let model = Model { n_customers, n_events, seed: 1, kinds: Kind::ALL.to_vec(), start, days: 365 };
    let started = Instant::now();
    let mut feed = Feed { producer: broker.producer(), topic, rest: Vec::new() };
    generate::write(&model, &mut feed).expect("the topic takes them");
    feed.producer.flush();
    println!("fed          {n_events} events in {:.1} s", started.elapsed().as_secs_f64());
}

fn make_outputs(broker: &Broker, name: &str) {
    broker.create_topic(&format!("{name}-changes"), N_PARTITIONS, &[]);
    broker.create_topic(&format!("{name}-rejects"), N_PARTITIONS, &[]);
    broker.create_topic(&format!("{name}-standing"), N_PARTITIONS, &[("cleanup.policy", "compact")]);
}

// ---- the cost

fn cost() {
    let broker = Broker::start();
    let plan = match rules::load(&plan_path()) {
        Ok(loaded) => Arc::new(loaded.plan),
        Err(errors) => panic!("the rules are wrong: {errors:?}"),
    };
    feed(&broker, "events", N_EVENTS_COST, N_EVENTS_COST / 8);
    let mut ratios = Vec::new();
    // In turns, each first by turns, so that what else the machine does and what the broker has to carry meets both; the
    // first of each warms up.
    for round in 0..=N_ROUNDS {
        let mut speeds = [0.0; 2];
        for with in [round % 2, 1 - round % 2] {
            let name = format!("run-{round}-{with}");
            make_outputs(&broker, &name);
            let settings = settings(&broker, &name);
            let brokers = Brokers(settings.kafka.clone());
            let speed = match with {
                0 => measure(Arc::new(Plain(brokers)), settings, &plan),
                _ => measure(Arc::new(brokers), settings, &plan),
            };
            let what = ["without", "with"][with];
            println!("{what:>7} transactions {speed:>10.0} events/s");
            speeds[with] = speed;
        }
        if round > 0 {
            ratios.push(speeds[1] / speeds[0]);
        }
    }
    ratios.sort_by(f64::total_cmp);
    let [least, median, most] = [N_ROUNDS - 1, N_ROUNDS / 2, 0].map(|index| (1.0 - ratios[index]) * 100.0);
    println!("exactly once costs {median:.1} % (the median of {N_ROUNDS} pairs; {least:.1} to {most:.1})");
}

fn settings(broker: &Broker, name: &str) -> pipeline::Settings {
    let kafka = kafka::Settings {
        brokers: broker.address().to_owned(),
        group: name.to_owned(),
        instance: name.to_owned(),
        client: Vec::new(),
        is_embedded: false,
        prefetch_bytes: kafka::PREFETCH_BYTES,
    };
    let output = Output {
        changes: format!("{name}-changes"),
        standing: format!("{name}-standing"),
        rejects: format!("{name}-rejects"),
        format: Format::Json,
    };
    let input = Input { topic: "events".to_owned(), kind: None, format: Format::Json };
    pipeline::Settings::new(kafka, vec![input], output)
}

/// Runs an instance from the start of the topic to its end: events a second between a tenth and all of them.
fn measure<C: Cluster>(cluster: Arc<C>, settings: pipeline::Settings, plan: &Arc<Plan>) -> f64 {
    let (status, stop) = (Arc::new(Status::default()), Stop::default());
    let running = {
        let (plan, status, stop) = (Arc::clone(plan), Arc::clone(&status), stop.clone());
        std::thread::spawn(move || pipeline::run_in(cluster, Pace::Machine, settings, plan, &status, &stop))
    };
    let wait_for = |n: u64| {
        while status.n_records() < n {
            assert!(!running.is_finished(), "it ended: {}", status.detail());
            std::thread::sleep(Duration::from_millis(2));
        }
        (Instant::now(), status.n_records())
    };
    let (started, n_before) = wait_for(N_EVENTS_COST / 10);
    let (ended, n_after) = wait_for(N_EVENTS_COST);
    stop.request();
    running.join().expect("it does not panic").expect("it ends well");
    (n_after - n_before) as f64 / (ended - started).as_secs_f64()
}

/// As the brokers, but for transactions: what is published is published, and offsets are nobody's.
struct Plain(Brokers);

struct PlainPublisher {
    producer: ThreadedProducer<Acks>,
}

#[derive(Default)]
struct Acks {
    n_pending: AtomicUsize,
    has_failed: AtomicBool,
}

impl ClientContext for Acks {}

impl ProducerContext<NoCustomPartitioner> for Acks {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        self.has_failed.fetch_or(result.is_err(), Ordering::AcqRel);
        self.n_pending.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Publishing<Member> for PlainPublisher {
    fn publish<'a>(
        &mut self,
        records: impl Iterator<Item = Outgoing<'a>>,
        _offsets: &[(&str, i32, i64)],
        _fence: &Fence<'_, Member>,
    ) -> Outcome {
        let acks = Arc::clone(self.producer.context());
        for record in records {
            acks.n_pending.fetch_add(1, Ordering::AcqRel);
            let mut base = BaseRecord::<[u8], [u8]>::to(record.topic).partition(record.partition);
            (base.key, base.payload) = (record.key, record.value);
            let headers =
                record.headers.iter().map(|(key, value)| rdkafka::message::Header { key, value: Some(value) });
            base.headers = Some(headers.fold(rdkafka::message::OwnedHeaders::new(), |all, header| all.insert(header)));
            while let Err((error, back)) = self.producer.send(base) {
                if !matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) {
                    return Outcome::NotCommitted(Reason::Other(error.to_string()));
                }
                base = back;
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        while acks.n_pending.load(Ordering::Acquire) > 0 {
            std::thread::sleep(Duration::from_micros(100));
        }
        assert!(!acks.has_failed.load(Ordering::Acquire), "a record did not arrive");
        Outcome::Committed
    }

    fn is_spent(&self) -> bool {
        false
    }

    fn placed(&self) -> Vec<(String, i32, i64)> {
        Vec::new()
    }
}

impl Cluster for Plain {
    type Member = Member;
    type Publisher = PlainPublisher;
    type Intake = Intake;
    type Watermarks = Watermarks;

    fn look(&self, required: &[Requirement]) -> Result<Topics, Error> {
        self.0.look(required)
    }

    fn join(&self, topics: &[String], listener: Listener) -> Result<Arc<Member>, Error> {
        self.0.join(topics, listener)
    }

    fn open_publisher(&self, id: &str, _timeout: Duration) -> Result<PlainPublisher, Error> {
        let mut config = self.0.0.publisher(id);
        config.remove("transactional.id");
        let producer = config.create_with_context(Acks::default()).map_err(Error::Settings)?;
        Ok(PlainPublisher { producer })
    }

    fn open_intake(&self, isolation: Isolation, topics: &[String], n_partitions: usize) -> Result<Intake, Error> {
        self.0.open_intake(isolation, topics, n_partitions)
    }

    fn open_watermarks(&self, isolation: Isolation) -> Result<Watermarks, Error> {
        self.0.open_watermarks(isolation)
    }
}

// ---- the memory

/// A running `dormouse run`. Dropped, it is killed.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn refused() {
    let broker = Broker::start();
    make_outputs(&broker, "refused");
    // There is room for the markers of transactions, and none for a change.
    refuse(&broker, &[("max.message.bytes", "300")]);
    feed(&broker, "refused-events", N_EVENTS_REFUSED, N_EVENTS_REFUSED / 8);
    let folder = tempfile::tempdir().expect("a folder");
    let service = start(&broker, "refused", folder.path());
    let (started, mut peak) = (Instant::now(), 0);
    let mut tell = |what: &str| {
        let resident = resident_mib(service.0.id());
        peak = resident.max(peak);
        let committed = broker.committed_offsets("refused", "refused-events");
        let n_committed: i64 = committed.into_iter().flatten().sum();
        let seconds = started.elapsed().as_secs_f64();
        println!("{seconds:>5.0} s  {what:<10} {resident:>5} MiB, {n_committed} events committed");
        n_committed
    };
    while started.elapsed() < REFUSED_FOR {
        std::thread::sleep(Duration::from_secs(10));
        assert_eq!(tell("refused"), 0);
    }
    refuse(&broker, &[]);
    while !is_consumed(&broker, "refused") {
        std::thread::sleep(Duration::from_secs(5));
        tell("catches up");
    }
    println!("at most {peak} MiB, with a limit of {MEMORY_LIMIT_MIB}");
    assert!(peak <= MEMORY_LIMIT_MIB, "the limit is passed");
}

fn refuse(broker: &Broker, settings: &[(&str, &str)]) {
    let topic = AlterConfig::new(ResourceSpecifier::Topic("refused-changes"));
    let topic = settings.iter().fold(topic, |topic, (name, value)| topic.set(name, value));
    let results = broker.wait_for(broker.admin().alter_configs([&topic], &AdminOptions::new()));
    results.expect("the broker answers").into_iter().for_each(|result| drop(result.expect("they are taken")));
}

fn start(broker: &Broker, name: &str, folder: &Path) -> Service {
    let text = format!(
        "[kafka]\nbrokers = \"{}\"\ngroup = \"{name}\"\ninstance = \"{name}\"\n[[input]]\ntopic = \"{name}-events\"\n\
         [output]\nchanges = \"{name}-changes\"\nstanding = \"{name}-standing\"\nrejects = \"{name}-rejects\"\n\
         [rules]\nfile = \"{}\"\n[state]\nmemory_limit = \"{MEMORY_LIMIT_MIB}MiB\"\nsnapshots = \"file://{}\"\n\
         snapshot_every = \"10s\"\n[http]\nlisten = \"127.0.0.1:0\"\n",
        broker.address(),
        plan_path().display(),
        folder.join("snapshots").display(),
    );
    let path = folder.join("dormouse.toml");
    std::fs::write(&path, text).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_dormouse"));
    command.args(["run", "-c"]).arg(path).stdin(Stdio::null()).stdout(Stdio::null());
    Service(command.spawn().expect("the binary starts"))
}

fn resident_mib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it still runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has memory");
    line.trim().trim_end_matches("kB").trim().parse::<u64>().expect("a number") / 1024
}

fn is_consumed(broker: &Broker, name: &str) -> bool {
    let (committed, marks) = {
        let topic = format!("{name}-events");
        (broker.committed_offsets(name, &topic), broker.high_watermarks(&topic))
    };
    committed.iter().zip(marks).all(|(committed, mark)| *committed == Some(mark))
}

// ---- the way back

fn killed() {
    let broker = Broker::start();
    make_outputs(&broker, "killed");
    feed(&broker, "killed-events", N_EVENTS_KILLED, N_CUSTOMERS_KILLED);
    let folder = tempfile::tempdir().expect("a folder");
    let mut service = start(&broker, "killed", folder.path());
    let mut took = Vec::new();
    for number in 0..N_KILLS {
        while !is_consumed(&broker, "killed") {
            std::thread::sleep(Duration::from_secs(1));
        }
        // Until snapshots were taken of all that.
        std::thread::sleep(Duration::from_secs(30));
        drop(service);
        let subscriber = subscriber(&broker, "killed-changes");
        broker.produce("killed-events", newcomers(number));
        let started = Instant::now();
        service = start(&broker, "killed", folder.path());
        while subscriber.poll(Duration::from_millis(5)).is_none_or(|record| record.is_err()) {}
        took.push(started.elapsed().as_secs_f64());
    }
    took.sort_by(f64::total_cmp);
    println!(
        "start after a kill to first new change: {:.2} s (the median of {N_KILLS}; {:.2} to {:.2})",
        took[N_KILLS / 2],
        took[0],
        took[N_KILLS - 1]
    );
}

/// Somebody new for every shard, later than everything before: each makes a change at once.
fn newcomers(number: usize) -> Vec<Record> {
    let time = format!("2026-01-{:02}T00:00:00Z", 2 + number);
    let ids = (0..1_000).map(|id| format!("newcomer-{number}-{id}"));
    let of_shard = |shard: i32| {
        let mut ids = ids.clone();
        let is_there = |id: &String| Placement::Murmur2.partition(id.as_bytes(), N_PARTITIONS as usize) == Some(shard);
        let id = ids.find(is_there).expect("a thousand ids reach every partition");
        let event = format!("{{\"kind\":\"purchase\",\"customer_id\":\"{id}\",\"time\":\"{time}\",\"amount\":20}}");
        Record::new(shard, id, event)
    };
    (0..N_PARTITIONS).map(of_shard).collect()
}

/// Reads what is committed from here on.
fn subscriber(broker: &Broker, topic: &str) -> BaseConsumer {
    let mut config = broker.client();
    config.set("group.id", "subscriber").set("isolation.level", "read_committed");
    let subscriber: BaseConsumer = config.create().expect("a consumer");
    let mut places = TopicPartitionList::new();
    for (partition, end) in (0..).zip(broker.high_watermarks(topic)) {
        places.add_partition_offset(topic, partition, Offset::Offset(end)).expect("an offset");
    }
    subscriber.assign(&places).expect("partitions of a topic that is there");
    subscriber
}
