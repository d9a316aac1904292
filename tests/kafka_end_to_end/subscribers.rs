//! The programs in `examples/` read what a real `dormouse run` publishes, are killed on the way again and again, and go
//! on where they were: one coupon a change, every webhook sent, nothing seen of what was never committed.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rdkafka::producer::Producer as _;
use rusqlite::Connection;
use serde_json::Value;
use testbed::kafka::{Broker, Record};

use crate::receiver::{REFUSED, Receiver, assert_in_order};
use crate::shop::{Shop, TEN_MINUTES, open_transaction, order};

/// Who bought is active for five days, then dormant. The second dimension is there to be passed over.
const RULES: &str = r#"
[interests]
categories = 1
[[dimension]]
name = "behaviour"
[[dimension.segment]]
name = "active"
when = 'purchase.count("5d") >= 1'
[[dimension.segment]]
name = "dormant"
when = 'purchase.count() >= 1'
action = "wake_with_coupon"
[[dimension]]
name = "sleep"
[[dimension.segment]]
name = "dormant"
when = 'purchase.count("3d") == 0'
"#;

const N_CUSTOMERS: usize = 200;
/// Each customer buys and falls asleep so often; in each round but the last the subscriber is killed.
const N_ROUNDS: usize = 7;

/// A killed member's place is taken at once by the next of the same name, not when its session has timed out.
const STATIC_MEMBER: [&str; 4] = ["-X", "group.instance.id=a", "-X", "session.timeout.ms=6000"];

/// What a customer always buys.
fn taste(i: usize) -> String {
    format!("taste-{}", i % 3)
}

/// A subscriber at work. Dropped, it is killed as a power cut would.
struct Life(Child);

impl Drop for Life {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A shop whose customers buy in rounds, while somebody subscribes to what becomes of them.
struct Scene<'b> {
    shop: Shop<'b>,
    topic: String,
    n_lives: Cell<usize>,
}

impl<'b> Scene<'b> {
    fn open(broker: &'b Broker, name: &str) -> Scene<'b> {
        let topic = format!("{name}-changes");
        Scene { shop: Shop::open(broker, name, 3, &["orders"], RULES), topic, n_lives: Cell::new(0) }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.shop.folder().join(name)
    }

    /// Starts a subscriber; `more` are its own arguments.
    fn start(&self, program: &mut Command, name: &str) -> Life {
        let life = self.n_lives.replace(self.n_lives.get() + 1);
        let create = |ending: &str| fs::File::create(self.file(&format!("{name}-{life}.{ending}"))).expect("a file");
        program.args(["--brokers", self.shop.broker.address(), "--topic", &self.topic]);
        program.current_dir(self.shop.folder()).stdin(Stdio::null());
        program.stdout(create("out")).stderr(create("log"));
        Life(program.spawn().expect("the subscriber starts"))
    }

    /// What the lives so far wrote to standard output; a line that a kill cut off is not one.
    fn lines(&self, name: &str) -> Vec<String> {
        let texts = (0..self.n_lives.get())
            .map(|life| fs::read_to_string(self.file(&format!("{name}-{life}.out"))).expect("it has an output"));
        texts
            .flat_map(|text| {
                let (whole, _) = text.rsplit_once('\n').unwrap_or_default();
                whole.lines().map(str::to_owned).collect::<Vec<_>>()
            })
            .collect()
    }

    /// Lets everyone buy once more, ten days after the last time.
    fn buy(&self, round: usize) {
        let time_ms = 1_700_000_000_000 + 10 * 86_400_000 * round as i64;
        let order_of = |i: usize| {
            let order = order(&format!("c-{i}"), &format!("o-{round}-{i}"), time_ms + i as i64);
            format!(r#"{},"category":"{}"}}"#, &order[..order.len() - 1], taste(i))
        };
        let orders = (0..N_CUSTOMERS).map(order_of);
        self.shop.produce(0, orders.collect::<Vec<_>>().iter().map(String::as_str));
    }

    /// A change that nobody is told, since its transaction is aborted.
    fn abort(&self, round: usize) {
        let change = format!(r#"{{"change_id":"ghost-{round}","customer_id":"ghost","sequence":{round}}}"#);
        let headers = [("dormouse-dimension", "behaviour"), ("dormouse-to", "dormant")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).to_vec();
        let ghosts: Vec<Record> =
            (0..3).map(|p| Record { headers: headers.clone(), ..Record::new(p, "ghost", change.as_str()) }).collect();
        let id = format!("{}-ghost", self.topic);
        let producer = open_transaction(self.shop.broker, &id, &self.topic, &ghosts, TEN_MINUTES);
        producer.abort_transaction(Duration::from_secs(30)).expect("it aborts");
    }

    /// Runs Dormouse over all rounds, and in each a subscriber that is killed soon after it has done something; the
    /// last one lives until `is_done` for all that it was to see, which are handed back by their `change_id`.
    fn play(
        &self,
        start: impl Fn() -> Life,
        n_done: impl Fn() -> usize,
        is_done: impl Fn(&Sleepers) -> bool,
    ) -> Sleepers {
        let dormouse = self.shop.start("a", "");
        for round in 0..N_ROUNDS - 1 {
            let n_before = n_done();
            let life = start();
            self.abort(round);
            self.buy(round);
            self.shop.wait_until("something done", || n_done() > n_before);
            // Somewhere within what there is to do, another place each time.
            std::thread::sleep(Duration::from_millis(round as u64 * 41 % 97));
            drop(life);
        }
        self.buy(N_ROUNDS - 1);
        let n_expected = N_CUSTOMERS * N_ROUNDS;
        let is_asleep = |change: &crate::shop::Change| change.2 == "behaviour" && change.4 == "dormant";
        self.shop.wait_for_changes(n_expected, is_asleep);
        assert_eq!(dormouse.terminate().0, Some(0), "{}", self.shop.logs());
        let sleepers = self.sleepers();
        assert_eq!(sleepers.len(), n_expected);
        let uncommitted = self.shop.broker.read_uncommitted(&self.topic);
        assert!(uncommitted.iter().filter(|record| record.text().contains("ghost")).count() >= N_ROUNDS);
        let life = start();
        self.shop.wait_until("all to be done", || is_done(&sleepers));
        drop(life);
        sleepers
    }

    /// Every change to dormant of `behaviour`, as it was published.
    fn sleepers(&self) -> Sleepers {
        let records = self.shop.broker.read_committed(&self.topic);
        let asleep = records.iter().filter(|record| {
            record.header("dormouse-dimension") == Some("behaviour") && record.header("dormouse-to") == Some("dormant")
        });
        asleep
            .map(|record| {
                let change: Value = serde_json::from_str(record.text()).expect("changes are JSON");
                let of = |name: &str| change[name].as_str().expect("it is text").to_owned();
                let sequence = change["sequence"].as_u64().expect("it is a number");
                (of("change_id"), Sleeper { customer: of("customer_id"), sequence, bytes: record.text().into() })
            })
            .collect()
    }
}

/// Changes by their id.
type Sleepers = BTreeMap<String, Sleeper>;

#[derive(Debug)]
struct Sleeper {
    customer: String,
    sequence: u64,
    bytes: Vec<u8>,
}

/// An example's program, built like this test.
fn example(name: &str) -> Command {
    let test = std::env::current_exe().expect("it has a path");
    let target = test.ancestors().nth(3).expect("it lies in <target>/<profile>/deps");
    let mut build = Command::new(env!("CARGO"));
    build
        .args(["build", "--quiet", "--locked", "--message-format=json", "--example", name, "--target-dir"])
        .arg(target);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    // What Cargo says to a test is not for another Cargo: build scripts would take it for a change of theirs.
    for (name, _) in std::env::vars().filter(|(name, _)| OF_THIS_TEST.iter().any(|start| name.starts_with(start))) {
        build.env_remove(name);
    }
    let output = build.current_dir(env!("CARGO_MANIFEST_DIR")).stderr(Stdio::inherit()).output().expect("cargo runs");
    assert!(output.status.success(), "examples/{name}.rs does not build");
    let messages = String::from_utf8(output.stdout).expect("JSON is text");
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut paths = messages.filter_map(|message| message["executable"].as_str().map(str::to_owned));
    Command::new(paths.next_back().expect("an example is a program"))
}

const OF_THIS_TEST: [&str; 6] =
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_NAME", "CARGO_BIN_", "OUT_DIR", "DORMOUSE_REVISION"];

/// The Python that has what `examples/requirements.txt` asks for.
fn python() -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let status = Command::new(root.join("scripts/python.sh")).status().expect("scripts/python.sh runs");
    assert!(status.success(), "scripts/python.sh could not provide Python; its output says why");
    let venv = std::env::var_os("DORMOUSE_VENV").map_or_else(|| root.join("target/venv"), PathBuf::from);
    Command::new(venv.join("bin/python"))
}

/// A copy, since a command is started several times.
fn again(command: &Command) -> Command {
    Command::new(command.get_program())
}

#[test]
fn one_coupon_for_each_who_falls_asleep_and_never_two() {
    let scene = Scene::open(Broker::shared(), "coupons");
    let program = example("coupons");
    let database = scene.file("coupons.sqlite");
    let coupons = || -> rusqlite::Result<Vec<(String, String, String, String)>> {
        let database = Connection::open(&database)?;
        let mut found = database.prepare("SELECT change_id, customer_id, category, code FROM coupons")?;
        found.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?.collect()
    };
    // Before the first life made the tables there are none.
    let n_coupons = || coupons().map_or(0, |coupons| coupons.len());
    let start = || scene.start(again(&program).args(["--database", "coupons.sqlite"]), "coupons");
    let sleepers = scene.play(start, n_coupons, |sleepers| n_coupons() >= sleepers.len());

    let coupons = coupons().expect("the database is whole");
    assert_eq!(coupons.len(), sleepers.len());
    for (change_id, customer, category, _) in &coupons {
        assert_eq!(sleepers.get(change_id).map(|sleeper| &sleeper.customer), Some(customer), "{change_id}");
        let number =
            customer.strip_prefix("c-").and_then(|number| number.parse().ok()).expect("customers are numbered");
        assert_eq!(*category, taste(number), "{change_id}");
    }
    let codes: BTreeSet<&String> = coupons.iter().map(|(.., code)| code).collect();
    assert_eq!(codes.len(), coupons.len());
    // From the start again, as if the places were lost: everything is known already.
    Connection::open(&database).and_then(|database| database.execute("DELETE FROM places", ())).expect("it is ours");
    let life = start();
    let ends: i64 = scene.shop.broker.high_watermarks(&scene.topic).iter().sum();
    scene.shop.wait_until("the end of the topic again", || {
        let database = Connection::open(&database).expect("it is there");
        let next: i64 =
            database.query_row("SELECT coalesce(sum(next), 0) FROM places", (), |row| row.get(0)).expect("it is whole");
        // Each partition ends with the marker of a transaction, behind which no message moves a place.
        next >= ends - 2 * i64::from(scene.shop.n_partitions)
    });
    drop(life);
    assert_eq!(n_coupons(), sleepers.len());
}

#[test]
fn every_webhook_is_sent_signed_in_order_and_those_that_nobody_takes_are_kept() {
    let scene = Scene::open(Broker::shared(), "marketing");
    let program = example("webhook");
    let receiver = Receiver::start("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let url = format!("http://{}/", receiver.address);
    let start = || {
        let mut command = again(&program);
        command.env("WEBHOOK_SECRET", &receiver.secret).args(["--url", &url, "--attempts", "3"]);
        scene.start(command.args(STATIC_MEMBER), "webhook")
    };
    let letters = || -> io::Result<Vec<Value>> {
        let text = fs::read_to_string(scene.file("dead-letters.jsonl"))?;
        Ok(text.lines().map(|line| serde_json::from_str(line).expect("a dead letter is JSON")).collect())
    };
    let is_done = |sleepers: &Sleepers| {
        let taken = receiver.deliveries().into_iter().filter(|delivery| delivery.is_taken);
        let taken: BTreeSet<String> = taken.map(|delivery| delivery.change_id).collect();
        let dead = letters().unwrap_or_default();
        let dead = dead.iter().filter_map(|letter| letter["change"]["change_id"].as_str());
        dead.chain(taken.iter().map(String::as_str)).collect::<BTreeSet<_>>().len() == sleepers.len()
    };
    let sleepers = scene.play(start, || receiver.n_deliveries(), is_done);

    let deliveries = receiver.deliveries();
    for delivery in &deliveries {
        let sleeper = sleepers.get(&delivery.change_id).expect("only what was published is sent");
        assert_eq!((&sleeper.customer, sleeper.sequence), (&delivery.customer, delivery.sequence));
        assert_eq!(sleeper.bytes, delivery.body);
    }
    let sent: Vec<(&str, u64)> = deliveries.iter().map(|sent| (&*sent.customer, sent.sequence)).collect();
    assert_in_order(&sent);
    // A signature that is wrong would not have been taken.
    let taken: BTreeSet<&str> =
        deliveries.iter().filter(|sent| sent.is_taken).map(|sent| sent.change_id.as_str()).collect();
    let letters = letters().expect("one customer is refused");
    let dead: BTreeSet<&str> = letters.iter().filter_map(|letter| letter["change"]["change_id"].as_str()).collect();
    for (change_id, sleeper) in &sleepers {
        let is_refused = sleeper.customer == REFUSED;
        assert_eq!(
            (taken.contains(&**change_id), dead.contains(&**change_id)),
            (!is_refused, is_refused),
            "{sleeper:?}"
        );
        let n_sent = deliveries.iter().filter(|sent| sent.change_id == *change_id).count();
        assert!(!is_refused || n_sent >= 3, "{n_sent} attempts of {sleeper:?}");
    }
    assert_eq!(letters[0]["failure"], "http status: 500");
    assert_eq!(letters[0]["change"]["to"], "dormant");
}

#[test]
fn python_handles_every_change_in_order_and_reads_the_table() {
    let scene = Scene::open(Broker::shared(), "python");
    let program = python();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/subscriber.py");
    let start = || scene.start(again(&program).arg(&script).args(STATIC_MEMBER), "python");
    let is_done = |sleepers: &Sleepers| {
        let lines = scene.lines("python");
        let handled: BTreeSet<&str> = lines.iter().filter_map(|line| line.split('\t').nth(4)).collect();
        sleepers.keys().all(|change_id| handled.contains(change_id.as_str()))
    };
    let sleepers = scene.play(start, || scene.lines("python").len(), is_done);

    let lines = scene.lines("python");
    let mut handled = Vec::new();
    for line in &lines {
        let fields: Vec<&str> = line.split('\t').collect();
        let [effective_at, customer, sequence, _, change_id, conditions] = fields[..] else { panic!("{line}") };
        let sleeper = sleepers.get(change_id).expect("only what was published is handled");
        let sequence: u64 = sequence.parse().expect("a number");
        assert_eq!((sleeper.customer.as_str(), sleeper.sequence), (customer, sequence));
        assert!(String::from_utf8_lossy(&sleeper.bytes).contains(effective_at));
        assert!(conditions.starts_with("purchase.count() >= 1 ("), "{line}");
        handled.push((customer, sequence));
    }
    assert_in_order(&handled);

    // The table of docs/subscribing.md: where everybody is in the end.
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/subscribing.md")).expect("it is there");
    let (_, code) = page.split_once("```python\n").expect("the page has a program");
    fs::write(scene.file("standing.py"), code.split("```").next().expect("it has an end")).expect("written");
    let standing =
        again(&program).arg(scene.file("standing.py")).args([scene.shop.broker.address(), "python-standing"]).output();
    let standing = standing.expect("Python runs");
    assert!(standing.status.success(), "{}", String::from_utf8_lossy(&standing.stderr));
    let expected = format!("behaviour\tdormant\t{N_CUSTOMERS}\nsleep\tdormant\t{N_CUSTOMERS}\n");
    assert_eq!(String::from_utf8_lossy(&standing.stdout), expected);
}

#[test]
fn the_programs_are_short_enough_to_be_copied() {
    for name in ["coupons.rs", "webhook.rs", "subscriber.py"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
        let n_lines = fs::read_to_string(path).expect("it is there").lines().count();
        assert!(n_lines <= 100, "{name} has {n_lines} lines");
    }
}
