//! Apache Kafka nodes as child processes, one alone or some in a cluster: started, killed, frozen and started again.
//!
//! It does not outlive the test program, however that ends: the JVM's parent is a shell that waits on a pipe from us
//! and, when the pipe closes, kills the JVM and removes its folder. Logs and data are in that folder.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::proxy::Proxy;

/// How long a broker may take until it answers.
const START_TIMEOUT: Duration = Duration::from_secs(90);

/// 16 bytes in URL-safe base64, as the storage tool wants it: "dormouse-testbed".
const CLUSTER_ID: &str = "ZG9ybW91c2UtdGVzdGJlZA";

/// Waits on standard input; its end, by whatever cause, ends the JVM too.
const KEEPER: &str = r#"
log=$1; dir=$2; shift 2
"$@" >>"$log" 2>&1 &
echo $!
while read -r _; do :; done
kill -9 $! 2>/dev/null
wait
[ -e "$dir/keep" ] || rm -rf "$dir"
"#;

/// A running broker. Dropping it kills it and removes its folder.
pub struct Broker {
    dir: PathBuf,
    /// Of all brokers of its cluster.
    address: String,
    /// Where clients reach this one.
    own_address: String,
    n_replicas: i32,
    node: Mutex<Option<Node>>,
}

/// The JVM and the shell that keeps it.
struct Node {
    keeper: Child,
    jvm: u32,
}

impl Broker {
    /// Starts a broker of its own and waits until it answers.
    pub fn start() -> Broker {
        Broker::start_with(&[])
    }

    /// The same with more lines for `server.properties`, which win over ours.
    pub fn start_with(properties: &[(&str, &str)]) -> Broker {
        Broker::start_behind(None, properties)
    }

    /// One that all clients reach through a proxy, and no other way.
    pub fn behind(proxy: &Proxy) -> Broker {
        Broker::start_behind(Some(proxy), &[])
    }

    fn start_behind(proxy: Option<&Proxy>, properties: &[(&str, &str)]) -> Broker {
        let [broker] = Broker::until_started(|| [Broker::prepare(&Place::alone(), proxy, properties)]);
        broker
    }

    /// Three brokers of one cluster, where every topic has three replicas and two must have what is acknowledged. Any of
    /// them speaks for all; each is killed on its own.
    pub fn cluster() -> [Broker; 3] {
        let properties = [
            ("default.replication.factor", "3"),
            ("min.insync.replicas", "2"),
            ("offsets.topic.replication.factor", "3"),
            ("transaction.state.log.replication.factor", "3"),
            ("transaction.state.log.min.isr", "2"),
            ("replica.lag.time.max.ms", "3000"),
        ];
        Broker::until_started(|| Place::three().map(|place| Broker::prepare(&place, None, &properties)))
    }

    /// Starts what was prepared; none of a cluster answers before most are there.
    fn until_started<const N: usize>(prepare: impl Fn() -> [Broker; N]) -> [Broker; N] {
        let mut failure = String::new();
        for _ in 0..3 {
            let brokers = prepare();
            let started = brokers.each_ref().map(Broker::spawn);
            let ready = brokers.iter().zip(started).try_for_each(|(broker, jvm)| broker.wait_until_ready(jvm));
            match ready {
                Ok(()) => return brokers,
                // Most likely somebody else took a port between our look and the broker's.
                Err(error) => failure = error,
            }
        }
        panic!("Kafka did not start: {failure}");
    }

    /// One broker for the whole test program, started by the first who asks. Use topics of your own on it.
    pub fn shared() -> &'static Broker {
        static SHARED: OnceLock<Broker> = OnceLock::new();
        SHARED.get_or_init(Broker::start)
    }

    /// `host:port`, for `bootstrap.servers`; those of all brokers of a cluster.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// How many replicas its topics have.
    pub(crate) fn n_replicas(&self) -> i32 {
        self.n_replicas
    }

    /// A client configuration that knows this broker, or this cluster, and nothing else.
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address);
        config
    }

    /// The JVM's process id.
    pub fn pid(&self) -> u32 {
        self.node().as_ref().expect("the broker is running").jvm
    }

    /// Kills the JVM as a power cut would; data and ports stay for [`Broker::restart`].
    pub fn kill9(&self) {
        let mut node = self.node().take().expect("the broker is running");
        fs::write(self.dir.join("keep"), "").expect("the broker's folder is writable");
        drop(node.keeper.stdin.take());
        node.keeper.wait().expect("the keeper is our child");
    }

    /// Starts the killed broker again, on its ports and data, and waits until it answers.
    pub fn restart(&self) {
        Broker::restart_all(&[self]);
    }

    /// The same for some of a cluster at once.
    pub fn restart_all(brokers: &[&Broker]) {
        let started: Vec<u32> = brokers.iter().map(|broker| broker.spawn()).collect();
        for (broker, jvm) in brokers.iter().zip(started) {
            if let Err(error) = broker.wait_until_ready(jvm) {
                panic!("Kafka did not start again: {error}");
            }
        }
    }

    /// Waits until every replica of every partition has caught up, so that a cluster bears the next loss.
    pub fn wait_until_in_sync(&self) {
        let consumer: BaseConsumer = self.client().set("reconnect.backoff.max.ms", "250").create().expect("a client");
        let are_in_sync = || {
            let found = consumer.fetch_metadata(None, Duration::from_millis(500)).ok()?;
            let mut partitions = found.topics().iter().flat_map(|topic| topic.partitions());
            partitions.all(|partition| partition.isr().len() == partition.replicas().len()).then_some(())
        };
        let deadline = Instant::now() + START_TIMEOUT;
        while are_in_sync().is_none() {
            assert!(Instant::now() < deadline, "replicas do not catch up");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Freezes the JVM (SIGSTOP): connections stay open and nothing answers.
    pub fn freeze(&self) {
        signal("-STOP", self.pid());
    }

    /// Lets a frozen JVM go on (SIGCONT).
    pub fn thaw(&self) {
        signal("-CONT", self.pid());
    }

    /// What the broker wrote, for a failing test to show.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("broker.log")).unwrap_or_default()
    }

    fn node(&self) -> MutexGuard<'_, Option<Node>> {
        // A test that failed while it held the lock left nothing half done in it.
        self.node.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the settings and formats the storage.
    fn prepare(place: &Place, proxy: Option<&Proxy>, properties: &[(&str, &str)]) -> Broker {
        let dir = tempfile::Builder::new().prefix("dormouse-kafka-").tempdir().expect("a temporary folder").keep();
        let mut text = server_properties(place, &dir.join("data"));
        let (mut address, mut own_address) = (place.bootstrap(), format!("127.0.0.1:{}", place.port()));
        if let Some(proxy) = proxy {
            proxy.lead_to(place.port());
            address = proxy.address().to_string();
            own_address.clone_from(&address);
            text.push_str(&format!("advertised.listeners=PLAINTEXT://{address}\n"));
        }
        for (key, value) in properties {
            text.push_str(&format!("{key}={value}\n"));
        }
        fs::write(dir.join("server.properties"), text).expect("the broker's folder is writable");
        fs::write(dir.join("log4j2.properties"), LOGGING).expect("the broker's folder is writable");
        let n_replicas = i32::try_from(place.ports.len()).expect("they are few");
        let broker = Broker { address, own_address, n_replicas, dir, node: Mutex::new(None) };
        let formatted = broker
            .java(&["-XX:TieredStopAtLevel=1", "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"])
            .arg(broker.dir.join("server.properties"))
            .output()
            .expect("java runs");
        assert!(
            formatted.status.success(),
            "formatting Kafka's storage failed: {}{}",
            String::from_utf8_lossy(&formatted.stdout),
            String::from_utf8_lossy(&formatted.stderr)
        );
        broker
    }

    /// Starts the JVM and says its process id.
    fn spawn(&self) -> u32 {
        let java = self.java(&["-Xms256m", "-Xmx1g", "kafka.Kafka"]);
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "sh"])
            .args([self.dir.join("broker.log"), self.dir.clone()])
            .arg(java.get_program())
            .args(java.get_args())
            .arg(self.dir.join("server.properties"))
            .current_dir(&self.dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh runs");
        let mut line = String::new();
        let stdout = keeper.stdout.take().expect("standard output is piped");
        BufReader::new(stdout).read_line(&mut line).expect("the keeper says the process id");
        let jvm = line.trim().parse().expect("a process id");
        *self.node() = Some(Node { keeper, jvm });
        // Whoever is dropped from now on cleans up again.
        drop(fs::remove_file(self.dir.join("keep")));
        jvm
    }

    /// Waits until a client gets an answer from this broker, whatever others of its cluster say.
    fn wait_until_ready(&self, jvm: u32) -> Result<(), String> {
        let deadline = Instant::now() + START_TIMEOUT;
        let mut client = self.client();
        client.set("bootstrap.servers", &self.own_address).set("reconnect.backoff.max.ms", "250");
        let consumer: BaseConsumer = client.create().expect("a client");
        while Instant::now() < deadline {
            if consumer.fetch_metadata(None, Duration::from_millis(500)).is_ok_and(|found| !found.brokers().is_empty())
            {
                return Ok(());
            }
            if !alive(jvm) {
                break;
            }
        }
        let log = self.log();
        let tail: Vec<&str> = log.lines().rev().take(30).collect();
        Err(format!(
            "no answer at {}; the end of its log:\n{}",
            self.own_address,
            tail.into_iter().rev().fold(String::new(), |all, line| all + line + "\n")
        ))
    }

    /// `java` with Kafka's jars, its options and the class.
    fn java(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("java");
        command.arg("-cp").arg(format!("{}/*", libs().display()));
        command.arg(format!("-Dlog4j2.configurationFile={}", self.dir.join("log4j2.properties").display()));
        command.args(arguments);
        command
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Closing the pipe is enough; the wait makes sure that nothing is left when the test program goes on.
        if let Some(mut node) = self.node().take() {
            drop(node.keeper.stdin.take());
            drop(node.keeper.wait());
        } else {
            drop(fs::remove_dir_all(&self.dir));
        }
    }
}

/// Kafka's jars: fetched by `scripts/kafka.sh` when they are not there.
fn libs() -> &'static Path {
    static LIBS: OnceLock<PathBuf> = OnceLock::new();
    LIBS.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let script = root.join("scripts/kafka.sh");
        let status = Command::new(&script).status().expect("scripts/kafka.sh runs");
        assert!(status.success(), "scripts/kafka.sh could not provide Kafka; its output says why");
        std::env::var_os("DORMOUSE_KAFKA_LIBS").map_or_else(|| root.join(".kafka/libs"), PathBuf::from)
    })
}

/// A node's place in its cluster: which of all it is, and the ports of all, of the broker and of the controller.
struct Place {
    index: usize,
    ports: Vec<[u16; 2]>,
}

impl Place {
    fn alone() -> Place {
        let [port, controller] = free_ports();
        Place { index: 0, ports: vec![[port, controller]] }
    }

    fn three() -> [Place; 3] {
        let [a, b, c, d, e, f] = free_ports();
        [0, 1, 2].map(|index| Place { index, ports: vec![[a, b], [c, d], [e, f]] })
    }

    fn port(&self) -> u16 {
        self.ports[self.index][0]
    }

    fn bootstrap(&self) -> String {
        let addresses: Vec<String> = self.ports.iter().map(|[port, _]| format!("127.0.0.1:{port}")).collect();
        addresses.join(",")
    }

    /// Nodes are numbered from 1.
    fn voters(&self) -> String {
        let voter = |(index, [_, port]): (usize, &[u16; 2])| format!("{}@127.0.0.1:{port}", index + 1);
        let voters: Vec<String> = self.ports.iter().enumerate().map(voter).collect();
        voters.join(",")
    }
}

/// Ports that nobody listens on, below the range that the system gives to outgoing connections.
fn free_ports<const N: usize>() -> [u16; N] {
    let seed = std::process::id().wrapping_mul(7919) ^ Instant::now().elapsed().subsec_nanos() ^ nanos();
    let mut candidates = (0..10_000u32).map(|i| 15_000 + (seed.wrapping_add(i * 37) % 17_000) as u16);
    // All are held until all are found, so that they differ.
    let listeners = [(); N].map(|()| {
        candidates
            .by_ref()
            .find_map(|port| TcpListener::bind(("127.0.0.1", port)).ok())
            .expect("some port on loopback is free")
    });
    listeners.map(|listener| listener.local_addr().expect("it is bound").port())
}

/// Something that differs from one moment to the next.
fn nanos() -> u32 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.subsec_nanos())
}

fn alive(pid: u32) -> bool {
    // A killed child is a zombie until its parent waits, so the state matters.
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit(") ").next().is_some_and(|rest| !rest.starts_with('Z')))
}

fn signal(which: &str, pid: u32) {
    let status = Command::new("kill").arg(which).arg(pid.to_string()).status().expect("kill runs");
    assert!(status.success(), "kill {which} {pid} failed");
}

/// A node that is both broker and controller, small and quick to start; nothing is ever deleted by age.
fn server_properties(place: &Place, data: &Path) -> String {
    let [port, controller] = place.ports[place.index];
    format!(
        "process.roles=broker,controller
node.id={}
controller.quorum.voters={}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={}
num.network.threads=2
num.io.threads=4
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
auto.create.topics.enable=false
log.retention.ms=-1
log.cleaner.dedupe.buffer.size=8388608
",
        place.index + 1,
        place.voters(),
        data.display()
    )
}

/// Warnings and worse to standard output, which the keeper sends to the log.
const LOGGING: &str = "rootLogger.level=WARN
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %c{1}: %m%n
";
