//! A shop on a real Kafka: its topics, its events, instances of Dormouse that come and go, and what a subscriber sees.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dormouse::pipeline::Placement;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::Value;
use testbed::kafka::{Broker, Record};

/// How long anything may take that should come.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// How long a transaction that nobody ends may stay open in most tests.
pub const TEN_MINUTES: Duration = Duration::from_secs(600);

/// A change as far as it must be the same wherever it comes from: customer, sequence, dimension, from, to,
/// effective_at, cause.
pub type Change = (String, u64, String, String, String, String, String);

/// Topics of its own on a broker, and a folder with settings and rules.
pub struct Shop<'b> {
    pub broker: &'b Broker,
    pub name: String,
    pub n_partitions: i32,
    /// More lines for `[kafka.client]` of those that start from now on.
    pub client: String,
    inputs: Vec<String>,
    folder: tempfile::TempDir,
}

impl<'b> Shop<'b> {
    /// Makes the topics: inputs with timestamps of the log, and what `dormouse topics --create` would make.
    pub fn open(broker: &'b Broker, name: &str, n_partitions: i32, inputs: &[&str], rules: &str) -> Shop<'b> {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("segments.toml"), rules).expect("written");
        let inputs: Vec<String> = inputs.iter().map(|input| format!("{name}-{input}")).collect();
        for input in &inputs {
            broker.create_topic(input, n_partitions, &[("message.timestamp.type", "LogAppendTime")]);
        }
        for output in ["changes", "rejects"] {
            broker.create_topic(&format!("{name}-{output}"), n_partitions, &[]);
        }
        broker.create_topic(&format!("{name}-standing"), n_partitions, &[("cleanup.policy", "compact")]);
        Shop { broker, name: name.to_owned(), n_partitions, client: String::new(), inputs, folder }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes an instance's settings; `more` is added as it is.
    fn settings(&self, instance: &str, more: &str) -> PathBuf {
        let (name, brokers, client) = (&self.name, self.broker.address(), &self.client);
        let inputs: String = self.inputs.iter().map(|topic| format!("[[input]]\ntopic = \"{topic}\"\n")).collect();
        let text = format!(
            "[kafka]\nbrokers = \"{brokers}\"\ngroup = \"{name}\"\ninstance = \"{instance}\"\n\
             [kafka.client]\n\"session.timeout.ms\" = 6000\n\"transaction.timeout.ms\" = 5000\n{client}\
             {inputs}[output]\nchanges = \"{name}-changes\"\nstanding = \"{name}-standing\"\nrejects = \"{name}-rejects\"\n\
             [http]\nlisten = \"127.0.0.1:0\"\n{more}"
        );
        let path = self.folder.path().join(format!("{instance}.toml"));
        fs::write(&path, text).expect("written");
        path
    }

    /// Settings that keep snapshots in this shop's folder.
    pub fn snapshots(&self, every: &str) -> String {
        format!("[state]\nsnapshots = \"file://{}\"\nsnapshot_every = \"{every}\"\n", self.snapshot_folder().display())
    }

    pub fn snapshot_folder(&self) -> PathBuf {
        self.folder.path().join("snapshots")
    }

    /// Starts `dormouse run` under a name.
    pub fn start(&self, instance: &str, more: &str) -> Instance {
        self.start_in(instance, more, Vec::new())
    }

    /// The same in an environment.
    pub fn start_in(&self, instance: &str, more: &str, environment: Vec<(String, String)>) -> Instance {
        let path = self.settings(instance, more);
        let log = self.folder.path().join(format!("{instance}.log"));
        let stderr = fs::OpenOptions::new().create(true).append(true).open(&log).expect("a log");
        let child = Command::new(env!("CARGO_BIN_EXE_dormouse"))
            .args(["run", "-c"])
            .arg(path)
            .env_clear()
            .envs(environment)
            .env("RUST_LOG", std::env::var("RUST_LOG").unwrap_or("warn,dormouse=info".to_owned()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .expect("the binary starts");
        Instance { child: Some(child) }
    }

    /// The name of an input's topic.
    pub fn topic(&self, input: usize) -> &str {
        &self.inputs[input]
    }

    /// Appends events to an input, each where its customer belongs.
    pub fn produce<'e>(&self, input: usize, events: impl IntoIterator<Item = &'e str>) {
        let records = events.into_iter().map(|event| self.record(event));
        self.broker.produce(&self.inputs[input], records);
    }

    /// An event as a record where its customer belongs.
    pub fn record(&self, event: &str) -> Record {
        let customer = customer(event);
        let partition = Placement::Murmur2.partition(customer.as_bytes(), self.n_partitions as usize);
        Record::new(partition.expect("murmur2 knows"), customer, event)
    }

    /// What a read-committed subscriber has seen so far, in order of partition and offset.
    pub fn changes(&self) -> Vec<Change> {
        let records = self.broker.read_visible(&format!("{}-changes", self.name));
        records.iter().map(|record| change(record.text())).collect()
    }

    /// The rejects that a read-committed subscriber has seen so far.
    pub fn rejects(&self) -> Vec<Record> {
        self.broker.read_visible(&format!("{}-rejects", self.name))
    }

    /// Whether the group has committed every input up to its end.
    pub fn is_consumed(&self) -> bool {
        self.inputs.iter().all(|topic| {
            let committed = self.broker.committed_offsets(&self.name, topic);
            let marks = self.broker.high_watermarks(topic);
            committed.iter().zip(marks).all(|(committed, mark)| committed.unwrap_or(0) >= mark)
        })
    }

    /// Waits until something holds.
    pub fn wait_until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let started = Instant::now();
        while !holds() {
            assert!(started.elapsed() < PATIENCE, "{what} did not come within {PATIENCE:?}\n{}", self.logs());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until a subscriber has seen at least so many changes that fit, and says which.
    pub fn wait_for_changes(&self, n: usize, fits: impl Fn(&Change) -> bool) -> Vec<Change> {
        let mut seen = Vec::new();
        let started = Instant::now();
        while seen.len() < n {
            seen = self.changes();
            seen.retain(&fits);
            assert!(
                started.elapsed() < PATIENCE,
                "{} of {n} changes came within {PATIENCE:?}\n{}",
                seen.len(),
                self.logs()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        seen
    }

    /// All that an instance has said in all its lives.
    pub fn log(&self, instance: &str) -> String {
        fs::read_to_string(self.folder.path().join(format!("{instance}.log"))).unwrap_or_default()
    }

    /// The ends of the logs of all instances.
    pub fn logs(&self) -> String {
        let mut all = String::new();
        for entry in fs::read_dir(self.folder.path()).expect("a folder").flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "log") {
                let text = fs::read_to_string(entry.path()).unwrap_or_default();
                let tail: Vec<&str> = text.lines().rev().take(60).collect();
                all.push_str(&format!("--- {}\n", entry.path().display()));
                tail.into_iter().rev().for_each(|line| all.push_str(&format!("{line}\n")));
            }
        }
        all
    }

    /// What `dormouse replay` says of the same events.
    pub fn replayed(&self, files: &[Vec<&str>], until: &str) -> Vec<Change> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dormouse"));
        command.args(["replay", "-c", "segments.toml", "--until", until]).current_dir(self.folder.path());
        for (number, events) in files.iter().enumerate() {
            let name = format!("events-{number}.jsonl");
            let text: String = events.iter().map(|event| format!("{event}\n")).collect();
            fs::write(self.folder.path().join(&name), text).expect("written");
            command.arg(name);
        }
        let output = command.output().expect("the binary runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("changes are text");
        text.lines().map(change).collect()
    }

    /// What live orders give when nothing goes wrong, with everything that is due within the next seconds.
    pub fn undisturbed(&self, orders: &[String]) -> Vec<Change> {
        let until = jiff::Timestamp::from_millisecond(now_ms() + 4_000).expect("it is a time").to_string();
        self.replayed(&[orders.iter().map(String::as_str).collect()], &until)
    }

    /// Waits for all that, and compares: per customer, the same changes in the same order and no others. Says how many.
    pub fn assert_as_undisturbed(&self, orders: &[String]) -> usize {
        let expected = self.undisturbed(orders);
        let started = Instant::now();
        let found = loop {
            let found = self.changes();
            if found.len() >= expected.len() || started.elapsed() > PATIENCE {
                break found;
            }
            std::thread::sleep(Duration::from_millis(100));
        };
        let _logs = Finally(|| {
            if std::thread::panicking() {
                eprintln!("{}", self.logs());
            }
        });
        assert_gapless(&found);
        assert_same(&found, &expected);
        found.len()
    }
}

/// A running instance. Dropped, it is killed.
pub struct Instance {
    child: Option<Child>,
}

impl Instance {
    fn id(&self) -> String {
        self.child.as_ref().expect("it runs").id().to_string()
    }

    /// Sends a signal: `-TERM`, `-STOP`, `-CONT`.
    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.id()]).status().expect("kill runs");
        assert!(status.success(), "kill {signal} failed");
    }

    /// The most memory that it ever had.
    pub fn peak_kib(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).expect("it runs");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the system tells it");
        peak.trim().trim_end_matches(" kB").parse().expect("it is a number")
    }

    /// Its exit code, if it has ended by itself.
    pub fn ended(&mut self) -> Option<Option<i32>> {
        let ended = self.child.as_mut().expect("it runs").try_wait().expect("it is our child");
        ended.map(|status| status.code())
    }

    /// Kills it as a power cut would.
    pub fn kill9(mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("it can be killed");
        child.wait().expect("it is our child");
    }

    /// Asks it to end and waits: its exit code, and how long it took.
    pub fn terminate(mut self) -> (Option<i32>, Duration) {
        let asked = Instant::now();
        self.signal("-TERM");
        let status = self.child.take().expect("it runs").wait().expect("it is our child");
        (status.code(), asked.elapsed())
    }

    /// Waits for it to end by itself: its exit code.
    pub fn wait(mut self) -> Option<i32> {
        self.child.take().expect("it runs").wait().expect("it is our child").code()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// Leaves a transaction open over these records, for as long as the producer that is handed back does not end it.
/// The broker aborts it after `open_for`.
pub fn open_transaction(
    broker: &Broker,
    id: &str,
    topic: &str,
    records: &[Record],
    open_for: Duration,
) -> BaseProducer {
    let timeout = Duration::from_secs(30);
    let mut config = broker.client();
    config.set("transactional.id", id).set("transaction.timeout.ms", open_for.as_millis().to_string());
    let producer: BaseProducer = config.create().expect("a producer");
    producer.init_transactions(timeout).expect("the coordinator answers");
    producer.begin_transaction().expect("a transaction begins");
    for record in records {
        let mut message = BaseRecord::<[u8], [u8]>::to(topic).partition(record.partition);
        message.key = record.key.as_deref();
        message.payload = record.value.as_deref();
        message.headers = Some(
            record
                .headers
                .iter()
                .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(value) })),
        );
        producer.send(message).expect("the queue has room");
    }
    producer.flush(timeout).expect("the broker takes it");
    producer
}

/// Customers are active from their first order on, and dormant so long after it.
pub fn quick_rules(dormant_after: &str) -> String {
    format!(
        "[[dimension]]\nname = \"activity\"\n\
         [[dimension.segment]]\nname = \"active\"\nwhen = 'purchase.count(\"{dormant_after}\") >= 1'\n\
         [[dimension.segment]]\nname = \"dormant\"\nwhen = 'purchase.count() >= 1'\n"
    )
}

/// A purchase.
pub fn order(customer: &str, id: &str, time_ms: i64) -> String {
    format!(r#"{{"event_id":"{id}","kind":"purchase","customer_id":"{customer}","time":{time_ms},"amount":"10"}}"#)
}

/// Does something when it is dropped, also because a test has failed: whoever waits for it goes on.
pub struct Finally<F: FnMut()>(pub F);

impl<F: FnMut()> Drop for Finally<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// The machine's clock.
pub fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is after 1970");
    i64::try_from(since.as_millis()).expect("it fits")
}

/// The customer that an event names.
pub fn customer(event: &str) -> String {
    let event: Value = serde_json::from_str(event).expect("events are JSON");
    match &event["customer_id"] {
        Value::String(id) => id.clone(),
        other => other.to_string(),
    }
}

/// A change in JSON.
pub fn change(text: &str) -> Change {
    let change: Value = serde_json::from_str(text).expect("changes are JSON");
    let of = |name: &str| change[name].as_str().unwrap_or_default().to_owned();
    let sequence = change["sequence"].as_u64().expect("a change has a sequence");
    let cause = change["cause"]["type"].as_str().expect("a change has a cause").to_owned();
    (of("customer_id"), sequence, of("dimension"), of("from"), of("to"), of("effective_at"), cause)
}

/// Each customer's changes come in the order of their sequence, from 1, without gaps and without repeats.
pub fn assert_gapless(changes: &[Change]) {
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    for (customer, sequence, ..) in changes {
        let last = last.entry(customer).or_default();
        let expected = *last + 1;
        assert_eq!(*sequence, expected, "{customer}: {sequence} comes after {last}");
        *last = *sequence;
    }
}

/// Both say the same, in whatever order customers come.
pub fn assert_same(found: &[Change], expected: &[Change]) {
    let sorted = |changes: &[Change]| {
        let mut sorted = changes.to_vec();
        sorted.sort();
        sorted
    };
    let (found, expected) = (sorted(found), sorted(expected));
    let (n_found, n_expected) = (found.len(), expected.len());
    if let Some((found, expected)) = found.iter().zip(&expected).find(|(found, expected)| found != expected) {
        panic!("{n_found} of {n_expected} changes; the first that differs:\nfound    {found:?}\nexpected {expected:?}");
    }
    assert_eq!(n_found, n_expected);
}
