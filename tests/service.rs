//! `dormouse run` as an operator meets it: a real Kafka, the pages, a signal, and what is said when it cannot start.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use testbed::kafka::{Broker, Record};

const RULES: &str = "\
[[dimension]]
name = \"activity\"

[[dimension.segment]]
name = \"active\"
when = 'purchase.count(\"30d\") >= 1'
";
const PATIENCE: Duration = Duration::from_secs(60);

fn configure(folder: &Path, broker: &Broker, prefix: &str) {
    let settings = format!(
        "[kafka]\nbrokers = \"{}\"\ngroup = \"{prefix}\"\ninstance = \"{prefix}-0\"\n[[input]]\ntopic = \"{prefix}-in\"\n\
         kind = \"purchase\"\n[output]\nchanges = \"{prefix}-changes\"\nstanding = \"{prefix}-standing\"\n\
         rejects = \"{prefix}-rejects\"\n[time]\ngrace = \"1s\"\n[http]\nlisten = \"127.0.0.1:0\"\n",
        broker.address()
    );
    std::fs::write(folder.join("dormouse.toml"), settings).expect("written");
    std::fs::write(folder.join("segments.toml"), RULES).expect("written");
}

fn dormouse(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dormouse"));
    command.args(args).current_dir(folder).env_clear();
    command
}

/// A running service and where its pages are; ends with the test.
struct Service {
    child: Child,
    address: String,
    log: BufReader<std::process::ChildStderr>,
}

impl Service {
    /// Started with a log in JSON, whose first line says where it listens.
    fn start(folder: &Path) -> Service {
        let mut child = dormouse(folder, &["run", "-c", "dormouse.toml", "--log-format", "json"])
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut log = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut line = String::new();
        log.read_line(&mut line).expect("a line");
        let starting: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        assert_eq!(starting["message"], "starting", "{line}");
        let address = starting["http"].as_str().expect("an address").to_owned();
        Service { child, address, log }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").expect("written");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("text");
        answer
    }

    /// Asks until the answer holds a text.
    fn wait_for(&self, path: &str, wanted: &str) -> String {
        let asked = Instant::now();
        loop {
            let answer = self.get(path);
            if answer.contains(wanted) {
                return answer;
            }
            assert!(asked.elapsed() < PATIENCE, "{path} never said {wanted:?}, but\n{answer}");
            std::thread::yield_now();
        }
    }

    /// Asks for the end; the rest of the log and the exit code.
    fn terminate(mut self) -> (String, Option<i32>) {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().expect("kill runs");
        assert!(told.success());
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).expect("text");
        (rest, self.child.wait().expect("it ends").code())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It has ended already when the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_service_gets_ready_counts_and_ends_cleanly() {
    let broker = Broker::shared();
    let folder = tempfile::tempdir().expect("a folder");
    configure(folder.path(), broker, "ready");
    let made = dormouse(folder.path(), &["topics", "-c", "dormouse.toml", "--create", "--partitions", "1"]).output();
    assert!(made.expect("the binary runs").status.success());
    let now = jiff::Timestamp::now();
    let order = |customer: &str| {
        let event = format!("{{\"customer_id\":\"{customer}\",\"time\":\"{now}\",\"amount\":5}}");
        Record::new(0, customer, event)
    };
    broker.produce("ready-in", [order("a"), order("b"), Record::new(0, "x", "no event")]);

    let service = Service::start(folder.path());
    service.wait_for("/readyz", "200 OK");
    let metrics = service
        .wait_for("/metrics", r#"dormouse_changes_total{dimension="activity",from="",to="active",cause="event"} 2"#);
    assert!(metrics.contains(r#"dormouse_events_total{kind="purchase"} 2"#), "{metrics}");
    assert!(metrics.contains(r#"dormouse_rejects_total{reason="undecodable"} 1"#), "{metrics}");
    service.wait_for("/v1/segments", r#""name":"active","customers":2"#);
    assert!(service.get("/healthz").starts_with("HTTP/1.1 200 OK"));
    let standing = service.get("/v1/customers/a");
    assert!(standing.starts_with("HTTP/1.1 200 OK"), "{standing}");
    assert!(
        standing.contains(r#""partition":0,"sequence":1,"standing":{"activity":{"segment":"active","since":"#),
        "{standing}"
    );
    let explanation = service.get("/v1/customers/b/explain");
    assert!(explanation.contains(r#""reason":"1 purchase in the last 30 days""#), "{explanation}");
    let nobody = service.get("/v1/customers/c");
    assert!(
        nobody.starts_with("HTTP/1.1 404 Not Found") && nobody.contains("urn:dormouse:unknown-customer"),
        "{nobody}"
    );
    let url = format!("http://{}", service.address);
    let report = dormouse(folder.path(), &["report", "--json", "--url", &url]).output().expect("the binary runs");
    let report: serde_json::Value = serde_json::from_slice(&report.stdout).expect("the report is JSON");
    assert_eq!(report["dimensions"][0]["sizes"], serde_json::json!({"active": 2, "none": 0}), "{report}");
    let table = dormouse(folder.path(), &["report", "--url", &url]).output().expect("the binary runs");
    let table = String::from_utf8(table.stdout).expect("text");
    assert!(table.starts_with("2 customers of http://") && table.contains("active           2  100.0 %"), "{table}");

    let (log, code) = service.terminate();
    assert_eq!(code, Some(0), "{log}");
    let last: serde_json::Value = serde_json::from_str(log.lines().last().expect("a line")).expect("JSON");
    assert_eq!(last["message"], "stopped", "{log}");
}

#[test]
fn topics_that_are_missing_are_the_world_with_what_to_do() {
    let broker = Broker::shared();
    let folder = tempfile::tempdir().expect("a folder");
    configure(folder.path(), broker, "nowhere");
    let ended = dormouse(folder.path(), &["run", "-c", "dormouse.toml"]).output().expect("the binary runs");
    assert_eq!(ended.status.code(), Some(3));
    let said = String::from_utf8(ended.stderr).expect("text");
    assert!(said.contains("nowhere-in: it does not exist; `dormouse topics --create` makes it"), "{said}");
}

#[test]
fn a_wrong_configuration_starts_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("dormouse.toml"), "[kafka]\nbrokers = 5\n").expect("written");
    let ended = dormouse(folder.path(), &["run", "-c", "dormouse.toml"]).output().expect("the binary runs");
    assert_eq!(ended.status.code(), Some(2));
    let said = String::from_utf8(ended.stderr).expect("text");
    assert!(said.contains("--> dormouse.toml:2:11"), "{said}");
}
