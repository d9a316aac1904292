//! Brings shards back: standing and the shard's record from the standing topic, and from where to fold the input.
//!
//! It believes nothing else, and publishes nothing. Facts are folded afterwards by the worker, from records up to the
//! offsets of the shard's record. Where records are gone that state was made of, it stops and says which.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant as Moment;

use crossbeam_channel::{Receiver, Sender};

use super::error::Error;
use super::loss;
use super::message::Messages;
use super::record::{KEY, ShardRecord, Token};
use super::sabotage::{self, Bug};
use super::standing::{Entry, Standing, decode};
use super::task::{Chain, Folding};
use super::tools::Tools;
use crate::engine::{self, Place, Shard};
use crate::kafka::{Cluster, Stamp};

/// A shard to bring back.
#[derive(Debug, Clone)]
pub struct Request {
    pub partition: i32,
    pub stamp: Stamp,
    /// Given up when the present assignment has another number.
    pub assignment: u64,
}

/// A shard that was brought back, but for its facts.
#[derive(Debug)]
pub struct Recovered {
    pub partition: i32,
    pub stamp: Stamp,
    pub assignment: u64,
    pub shard: Shard,
    pub chain: Chain,
    pub starts: Vec<i64>,
    pub folding: Option<Folding>,
    /// Where its latest record stands on the standing topic.
    pub record_at: i64,
    pub asked: Moment,
}

/// The number of the present assignment.
pub type Assignments = Arc<AtomicU64>;

/// Serves requests until there are no more.
pub fn run<C: Cluster>(
    cluster: &Arc<C>,
    tools: &Tools,
    requests: &Receiver<Request>,
    assignments: &Assignments,
    answers: &Sender<Recovered>,
) -> Result<(), Error> {
    let mut standing = Standing::open(Arc::clone(cluster), tools)?;
    while let Some(request) = tools.pace.next(requests) {
        let is_cancelled = || assignments.load(Ordering::Acquire) != request.assignment;
        if let Some(recovered) = recover(tools, &mut standing, &request, &is_cancelled)? {
            // A committer that does not listen any more has ended.
            drop(answers.send(recovered));
        }
    }
    Ok(())
}

fn recover<C: Cluster>(
    tools: &Tools,
    standing: &mut Standing<C>,
    request: &Request,
    is_cancelled: &dyn Fn() -> bool,
) -> Result<Option<Recovered>, Error> {
    let asked = tools.pace.now();
    let partition = request.partition;
    let mut restoring = Restoring::new(tools, standing.topic(), partition);
    let Some(mark) = standing.read(partition, 0, is_cancelled, &mut |entry| restoring.entry(&entry))? else {
        return Ok(None);
    };
    let Restoring { shard, record, n_customers, .. } = restoring;
    let (chain, folding, record_at) = match record {
        Some((offset, record)) => {
            check_rules(tools, partition, &record)?;
            let (chain, folding) = resume(tools, standing, partition, record)?;
            (chain, Some(folding), offset)
        }
        None if n_customers > 0 => {
            return Err(Error::NoShardRecord { topic: standing.topic().to_owned(), partition });
        }
        None => (first_start(tools, standing, partition)?, None, mark),
    };
    let starts = chain.begin.clone();
    let Request { stamp, assignment, .. } = request.clone();
    Ok(Some(Recovered { partition, stamp, assignment, shard, chain, starts, folding, record_at, asked }))
}

/// A shard as its standing partition fills it.
struct Restoring<'a> {
    topic: String,
    partition: i32,
    messages: Messages,
    shard: Shard,
    record: Option<(i64, ShardRecord)>,
    n_customers: u64,
    tools: &'a Tools,
}

impl<'a> Restoring<'a> {
    fn new(tools: &'a Tools, topic: &str, partition: i32) -> Restoring<'a> {
        let messages = Messages::new(tools.plan.clone(), tools.settings.output.format, "");
        let shard = Shard::new(tools.plan.clone());
        Restoring { topic: topic.to_owned(), partition, messages, shard, record: None, n_customers: 0, tools }
    }

    fn entry(&mut self, entry: &Entry<'_>) -> Result<(), Error> {
        if entry.key == KEY {
            let record = decode(&self.topic, self.partition, entry)?;
            // What other rules have written cannot be read by these.
            check_rules(self.tools, self.partition, &record)?;
            self.record = Some((entry.offset, record));
            return Ok(());
        }
        let Some(value) = entry.value else {
            self.erase(entry.key);
            return Ok(());
        };
        let problem = |problem: String| Error::Standing {
            topic: self.topic.clone(),
            partition: self.partition,
            offset: entry.offset,
            problem,
        };
        let decoded = self.messages.read_standing(value).map_err(|error| problem(error.to_string()))?;
        if decoded.customer.as_bytes() != entry.key {
            return Err(problem("its key is not its customer".to_owned()));
        }
        if !sabotage::has(Bug::ForgetsStanding) {
            self.shard.restore(&decoded.customer, &decoded.standing);
        }
        self.n_customers += 1;
        Ok(())
    }

    /// A tombstone: whatever stood before it was erased.
    fn erase(&mut self, key: &[u8]) {
        if let Ok(customer) = std::str::from_utf8(key)
            && self.shard.standing(customer).is_some()
        {
            let places = vec![Place::default(); self.tools.plan.dimensions.len()];
            self.shard.restore(customer, &engine::Standing { sequence: 0, places });
        }
    }
}

/// A shard is not taken over by other rules in passing.
fn check_rules(tools: &Tools, shard: i32, record: &ShardRecord) -> Result<(), Error> {
    if record.rules == *tools.plan.version {
        return Ok(());
    }
    Err(Error::RulesChanged { shard, recorded: record.rules.clone(), loaded: tools.plan.version.to_string() })
}

fn first_start<C: Cluster>(tools: &Tools, standing: &Standing<C>, partition: i32) -> Result<Chain, Error> {
    let lows: Result<Vec<i64>, Error> =
        tools.topics.iter().map(|topic| Ok(standing.range(topic, partition)?.0)).collect();
    Ok(Chain { lineage: Token::random()?, epoch: 0, token: None, begin: lows? })
}

/// From where to fold, and how far, after making sure that everything in between is there.
fn resume<C: Cluster>(
    tools: &Tools,
    standing: &Standing<C>,
    partition: i32,
    record: ShardRecord,
) -> Result<(Chain, Folding), Error> {
    let clock = record.clock();
    let (mut begin, mut until) = (Vec::new(), Vec::new());
    for (input, topic) in tools.topics.iter().enumerate() {
        let (low, end) = standing.range(topic, partition)?;
        let ids = (record.topic_ids.get(topic), tools.author.topic_ids.get(topic));
        if let (Some(was), Some(now)) = ids
            && was != now
        {
            let (topic, was, now) = (topic.clone(), was.clone(), now.clone());
            return Err(Error::Recreated { topic, was, now });
        }
        // A topic that was not read before is read from its start.
        let of = |offsets: &BTreeMap<String, i64>| offsets.get(topic).copied().unwrap_or(low);
        let (began, next) = (of(&record.begin), of(&record.next));
        if end < next {
            return Err(Error::Shortened { topic: topic.clone(), partition, end, next });
        }
        if low > began {
            let conditions = loss::conditions(&tools.plan, tools.settings.inputs[input].kind);
            let lost = Error::Lost { topic: topic.clone(), partition, from: began, to: low - 1, conditions };
            if !tools.settings.accepts_loss {
                return Err(lost);
            }
            tracing::error!("{lost}; going on, since the configuration accepts the loss");
        }
        begin.push(began.max(low));
        until.push(if sabotage::has(Bug::FoldsTooFar) { end } else { next.max(low) });
    }
    let chain = Chain { lineage: record.lineage, epoch: record.epoch, token: Some(record.token), begin };
    Ok((chain, Folding { until, clock }))
}
