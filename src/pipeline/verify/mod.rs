//! Recomputes customers from the input with the plain evaluator and holds what was published against it.
//!
//! It reads and publishes nothing, joins no group, and takes no id over. A customer is compared up to what the shard's
//! record covers; what is younger is left alone. Memory is bounded: when the customers of a pass take more than they
//! may, half of them are put off to a pass of their own, which reads again.
//!
//! [`files`] is for a replay, [`topics`] for a service.

mod files;
mod gather;
mod judge;
mod published;
mod topics;

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

pub use files::{Files, files};
pub use topics::{Service, topics};

use crate::event::Decoder;
use crate::kafka;
use crate::plain::{Finding, FindingKind, Rules, Unreadable, Written, schema};
use crate::rules::declared::Declared;

/// Which customers are looked at. The same share is the same customers each time.
#[derive(Debug, Clone, PartialEq)]
pub enum Sample {
    /// This part of all, from 0 to 1.
    Share(f64),
    One(String),
}

/// How it is done.
#[derive(Debug, Clone)]
pub struct Options {
    pub sample: Sample,
    pub n_threads: NonZero<usize>,
    /// What the customers of one pass may take.
    pub memory_bytes_max: usize,
    /// Findings that are kept; the others are counted.
    pub n_findings_max: usize,
    /// Counts records, or of files bytes, as they are read.
    pub n_read: Arc<AtomicU64>,
    /// How many there are, as soon as that is known.
    pub n_to_read: Arc<AtomicU64>,
}

/// What the world did, or why nothing can be compared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Kafka(#[from] kafka::Error),
    #[error("topic {0} does not exist; `dormouse topics` says what else is wrong")]
    Missing(String),
    #[error("the topics have different numbers of partitions; `dormouse topics` says which")]
    Uneven,
    #[error("{topic}/{partition} offset {offset}: the shard's record cannot be read: {error}")]
    Record { topic: String, partition: i32, offset: i64, error: serde_json::Error },
    #[error(
        "shard {shard} was last run by rules {recorded}, and these are {loaded}: verify with the rules that the service runs"
    )]
    OtherRules { shard: i32, recorded: String, loaded: String },
    #[error("{topic}/{partition} ends at offset {end}, and offset {next} was read before: it is not the topic it was")]
    Shortened { topic: String, partition: i32, end: i64, next: i64 },
    #[error("{topic}/{partition}: a transaction is open since offset {stable}, and nothing behind it can be read yet")]
    Open { topic: String, partition: i32, stable: i64 },
    #[error("the brokers have sent nothing of {0} for 60 s")]
    Silent(String),
    #[error("{file}: {error}")]
    File { file: String, error: std::io::Error },
    #[error(transparent)]
    Rules(#[from] Unreadable),
}

/// Records of the input that are not there any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    pub topic: String,
    pub partition: i32,
    pub from: i64,
    pub to: i64,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    pub n_customers: u64,
    /// What was published is what the events give in the order of time.
    pub n_agree: u64,
    /// It is what they give when some of them came late.
    pub n_agree_late: u64,
    pub n_differ: u64,
    /// Not compared: changes of other rules are among theirs.
    pub n_other_rules: u64,
    /// They differ, and records that their facts were made of are gone: nobody can tell.
    pub n_lost: u64,
    /// Whose last changes are due by the shard's clock and not told yet: the instance was not through with them.
    pub n_pending: u64,
    pub n_events: u64,
    /// Changes that were published, of the customers that were looked at.
    pub n_changes: u64,
    /// Changes that are younger than what was compared.
    pub n_newer: u64,
    /// Read again, because not all customers fitted into memory at once.
    pub n_passes: u64,
    /// By kind, in the order of [`FindingKind::ALL`].
    pub n_findings: [u64; FindingKind::ALL.len()],
    /// The first of them, by shard and customer.
    pub findings: Vec<(String, Finding)>,
    pub lost: Vec<Lost>,
}

impl Report {
    pub fn n_findings_total(&self) -> u64 {
        self.n_findings.iter().sum()
    }

    fn find(&mut self, customer: &str, finding: Finding, options: &Options) {
        let number = FindingKind::ALL.iter().position(|kind| *kind == finding.kind);
        self.n_findings[number.expect("all kinds are in the list of all")] += 1;
        if self.findings.len() < options.n_findings_max {
            self.findings.push((customer.to_owned(), finding));
        }
    }
}

/// What customers are judged by.
struct Judging {
    rules: Rules,
    decoder: Decoder,
    schema: crate::event::Schema,
    version: String,
}

impl Judging {
    /// Rules as they stand in their file, and the version under which they run.
    fn new(declared: &Declared, version: &str) -> Result<Judging, Error> {
        let rules = Rules::new(&Written::new(declared)?)?;
        let schema = schema(declared, &rules);
        Ok(Judging { decoder: Decoder::new(&schema), schema, rules, version: version.to_owned() })
    }
}
