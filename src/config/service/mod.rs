//! `dormouse.toml`: how an instance is connected, as a checked [`Service`], or everything that is wrong with it.
//!
//! Stages: TOML to a document of sections, environment variables over it, each section read as what it should be, and
//! then what must hold between them. Does not read the rules, and does not know which kinds they have.

mod client;
mod document;
mod environment;
mod finding;
mod mask;
mod reader;
mod topics;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::event::Span;
use crate::rules::diagnostic::Diagnostic;
use crate::rules::place::SourceFile;

pub use client::{Client, Refusal};
pub use environment::Environment;
pub use topics::{Input, Output, check_kinds};

use document::{Document, Section};
use finding::Findings;
use reader::Reader;

/// Everything an instance needs to know besides the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    pub kafka: Kafka,
    /// At least one; no topic twice. Their order decides between records of the same time.
    pub inputs: Vec<Input>,
    pub output: Output,
    /// The file with the rules.
    pub rules: PathBuf,
    pub time: Time,
    pub state: State,
    pub http: Http,
    pub shutdown: Shutdown,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kafka {
    /// `host:port`, separated by commas.
    pub brokers: String,
    pub group: String,
    /// This instance's static membership and, with the group, its transactional id: no two running instances share it.
    pub instance: String,
    /// How producers choose a record's partition from its customer.
    pub placement: Placement,
    pub client: Client,
}

/// Which partition a customer's records lie in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Placement {
    /// As Java clients choose it.
    #[default]
    Murmur2,
    /// As librdkafka chooses it unless told otherwise.
    Crc32,
    /// In a way of their own that is not checked.
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time {
    /// How far the clock stays behind the latest record.
    pub grace: Span,
    /// How far an event may be ahead of its record's timestamp.
    pub max_skew: Span,
    /// How long one topic may hold up the others.
    pub max_hold: Span,
}

impl Default for Time {
    fn default() -> Time {
        Time { grace: Span(5_000), max_skew: Span(300_000), max_hold: Span(60_000) }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Where snapshots go, as a URL.
    pub snapshots: Option<String>,
    /// How often each shard's is taken.
    pub snapshot_every: Span,
    /// What the process should stay below.
    pub memory_limit_bytes: Option<u64>,
    /// Rebuild state although records that it once was made of are gone.
    pub accept_loss: bool,
}

impl Default for State {
    fn default() -> State {
        let snapshot_every = Span(10 * Span::MINUTE.0);
        State { snapshots: None, snapshot_every, memory_limit_bytes: None, accept_loss: false }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Http {
    pub listen: SocketAddr,
    /// Ready means that no shard's clock lags more than this.
    pub ready_lag: Span,
}

impl Default for Http {
    fn default() -> Http {
        Http { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)), ready_lag: Span::MINUTE }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shutdown {
    /// The process ends after it, even if the last epoch is not finished.
    pub timeout: Duration,
    /// Whether the group is left: others take over at once. If not, the instance is expected back.
    pub leave: bool,
}

impl Default for Shutdown {
    fn default() -> Shutdown {
        Shutdown { timeout: Duration::from_secs(30), leave: true }
    }
}

/// What surrounds the file: everything beside its text that decides what the settings are.
#[derive(Debug)]
pub struct Surroundings {
    /// The file's folder: relative names in settings start here.
    pub folder: PathBuf,
    pub environment: Environment,
    /// The default of `kafka.instance`.
    pub host: Option<String>,
}

impl Surroundings {
    /// Those of this process, for a file.
    pub fn of_process(file: &Path) -> Surroundings {
        let folder = file.parent().map(Path::to_path_buf).unwrap_or_default();
        Surroundings { folder, environment: Environment::of_process(), host: host_name() }
    }
}

/// Settings that may run.
#[derive(Debug)]
pub struct Loaded {
    pub service: Service,
    pub warnings: Vec<Diagnostic>,
}

/// Reads and checks a file of settings, with this process's environment over it. Errors come with the warnings.
pub fn load(path: &Path) -> Result<Loaded, Vec<Diagnostic>> {
    let file = crate::config::document::read(path).map_err(|diagnostic| vec![diagnostic])?;
    load_file(&file, &Surroundings::of_process(path))
}

/// Checks settings that are at hand. Errors come with the warnings, in the order of their places.
pub fn load_file(file: &Arc<SourceFile>, surroundings: &Surroundings) -> Result<Loaded, Vec<Diagnostic>> {
    let mut findings = Findings::new(&file.path, &file.text, &surroundings.environment.text());
    let mut document = document::read(&file.text, &mut findings);
    surroundings.environment.overlay(&mut document, &mut findings);
    let service = build(document, surroundings, &mut findings);
    let diagnostics = findings.into_sorted();
    match service {
        Some(service) if !diagnostics.iter().any(Diagnostic::is_error) => Ok(Loaded { service, warnings: diagnostics }),
        _ => Err(diagnostics),
    }
}

/// `None` only where something that has no default is missing, which is among the findings.
fn build(mut document: Document, surroundings: &Surroundings, findings: &mut Findings) -> Option<Service> {
    let client = document.client.clone();
    let kafka = read_kafka(document.take("kafka"), client, surroundings, findings);
    let inputs = topics::read_inputs(std::mem::take(&mut document.inputs), findings);
    let output = topics::read_output(document.take("output"), &inputs, findings);
    let rules = read_rules(document.take("rules"), &surroundings.folder, findings);
    let time = read_time(document.take("time"), findings);
    let state = read_state(document.take("state"), findings);
    let http = read_http(document.take("http"), findings);
    let shutdown = read_shutdown(document.take("shutdown"), findings);
    Some(Service { kafka: kafka?, inputs, output, rules, time, state, http, shutdown })
}

fn read_kafka(
    section: Section,
    client: Section,
    surroundings: &Surroundings,
    findings: &mut Findings,
) -> Option<Kafka> {
    let header = section.spot.clone();
    let mut reader = Reader::new(section, findings);
    let brokers = reader.required("brokers", "127.0.0.1:9092");
    let group = reader.text_or("group", "dormouse").value;
    let instance = match (reader.text("instance"), &surroundings.host) {
        (Some(text), _) if !text.value.trim().is_empty() => Some(text.value),
        (None, Some(host)) => Some(host.clone()),
        (given, _) => {
            let spot = given.map_or(header, |text| text.spot);
            let help = "give each running instance its own name, for example instance = \"dormouse-0\"".to_owned();
            reader.findings.missing(&spot, "`kafka.instance` is empty, and so is the host name".to_owned(), help);
            None
        }
    };
    let placements = [("murmur2", Placement::Murmur2), ("crc32", Placement::Crc32), ("any", Placement::Any)];
    let placement = reader.choice("placement", &placements).unwrap_or_default();
    if let Some(brokers) = &brokers {
        topics::check_brokers(brokers, reader.findings);
    }
    reader.finish();
    let client = client::read(client, &surroundings.folder, findings);
    if let Some(brokers) = &brokers {
        topics::warn_in_the_clear(brokers, &client, findings);
    }
    Some(Kafka { brokers: brokers?.value, group, instance: instance?, placement, client })
}

fn read_rules(section: Section, folder: &Path, findings: &mut Findings) -> PathBuf {
    let mut reader = Reader::new(section, findings);
    let file = reader.text_or("file", "segments.toml");
    reader.finish();
    folder.join(file.value)
}

fn read_time(section: Section, findings: &mut Findings) -> Time {
    let default = Time::default();
    let mut reader = Reader::new(section, findings);
    let time = Time {
        grace: reader.span_or("grace", default.grace),
        max_skew: reader.span_or("max_skew", default.max_skew),
        max_hold: reader.span_or("max_hold", default.max_hold),
    };
    reader.finish();
    time
}

fn read_state(section: Section, findings: &mut Findings) -> State {
    let mut reader = Reader::new(section, findings);
    let snapshots = reader.text("snapshots");
    let snapshot_every = reader.span_or("snapshot_every", State::default().snapshot_every);
    if snapshot_every < Span::SECOND {
        reader.refuse("snapshot_every", "snapshots cannot be taken more often than once in a second");
    }
    let memory_limit_bytes = reader.size("memory_limit");
    let accept_loss = reader.flag_or("accept_loss", false);
    if let Some(url) = &snapshots {
        topics::check_snapshots(url, reader.findings);
    }
    reader.finish();
    State { snapshots: snapshots.map(|url| url.value), snapshot_every, memory_limit_bytes, accept_loss }
}

fn read_http(section: Section, findings: &mut Findings) -> Http {
    let default = Http::default();
    let mut reader = Reader::new(section, findings);
    let http = Http {
        listen: reader.address_or("listen", default.listen),
        ready_lag: reader.span_or("ready_lag", default.ready_lag),
    };
    reader.finish();
    http
}

fn read_shutdown(section: Section, findings: &mut Findings) -> Shutdown {
    let mut reader = Reader::new(section, findings);
    let default = Shutdown::default();
    let timeout = reader.span_or("timeout", Span(default.timeout.as_millis() as i64));
    let leave = reader.flag_or("leave", default.leave);
    reader.finish();
    Shutdown { timeout: Duration::from_millis(timeout.0.unsigned_abs()), leave }
}

/// The machine's own name, as Linux tells it, else as the shell does.
fn host_name() -> Option<String> {
    let told = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| std::env::var("HOSTNAME").ok())?;
    Some(told.trim().to_owned()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests;
