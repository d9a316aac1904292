//! Brings shards back: facts from a snapshot, standing and the shard's record from the standing topic, and from where to
//! fold the input. Several threads do so at once, a shard each.
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
use super::record::{ShardRecord, Token};
use super::restoring::{Restored, check_rules, restore};
use super::sabotage::{self, Bug};
use super::standing::Standing;
use super::task::{Chain, Folding};
use super::tools::Tools;
use crate::engine::Shard;
use crate::kafka::{Cluster, Stamp};
use crate::snapshot::Manifest;

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
    /// What its facts come from, beside the input.
    pub snapshot: Option<Manifest>,
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
    let Some(restored) = restore(tools, standing, partition, is_cancelled)? else { return Ok(None) };
    let Restored { shard, record, n_standings, mark, snapshot } = restored;
    say_source(tools, partition, snapshot.as_ref(), n_standings, asked);
    let (chain, starts, folding, record_at) = match record {
        Some((offset, record)) => {
            check_rules(tools, partition, &record)?;
            let (chain, starts, folding) = resume(tools, standing, partition, record, snapshot.as_ref())?;
            (chain, starts, Some(folding), offset)
        }
        None if n_standings > 0 => {
            return Err(Error::NoShardRecord { topic: standing.topic().to_owned(), partition });
        }
        None => {
            let chain = first_start(tools, standing, partition)?;
            let starts = chain.begin.clone();
            (chain, starts, None, mark)
        }
    };
    let Request { stamp, assignment, .. } = request.clone();
    Ok(Some(Recovered { partition, stamp, assignment, shard, chain, starts, folding, record_at, asked, snapshot }))
}

fn say_source(tools: &Tools, shard: i32, snapshot: Option<&Manifest>, n_standings: u64, asked: Moment) {
    let took_ms = tools.pace.since(asked).as_millis();
    match snapshot {
        Some(manifest) => tracing::info!(
            "shard {shard}: snapshot {} of {} customers and {n_standings} later standings were read in {took_ms} ms",
            manifest.name(),
            manifest.n_customers
        ),
        None => tracing::info!("shard {shard}: {n_standings} standings were read in {took_ms} ms, and no snapshot"),
    }
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
    snapshot: Option<&Manifest>,
) -> Result<(Chain, Vec<i64>, Folding), Error> {
    let clock = record.clock();
    let (mut begin, mut starts, mut until) = (Vec::new(), Vec::new(), Vec::new());
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
        // What the snapshot has folded is not needed any more.
        let from = snapshot.and_then(|manifest| manifest.next.get(topic).copied()).unwrap_or(began);
        if low > from {
            let conditions = loss::conditions(&tools.plan, tools.settings.inputs[input].kind);
            let lost = Error::Lost { topic: topic.clone(), partition, from, to: low - 1, conditions };
            if !tools.settings.accepts_loss {
                return Err(lost);
            }
            tracing::error!("{lost}; going on, since the configuration accepts the loss");
        }
        begin.push(if low > from { low } else { began });
        starts.push(if sabotage::has(Bug::SkipsTheInput) && snapshot.is_some() { next } else { from.max(low) });
        until.push(if sabotage::has(Bug::FoldsTooFar) { end } else { next.max(low) });
    }
    let chain = Chain { lineage: record.lineage, epoch: record.epoch, token: Some(record.token), begin };
    Ok((chain, starts, Folding { until, clock }))
}
