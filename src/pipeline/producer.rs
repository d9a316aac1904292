//! The producer of an instance, which is replaced whenever it is at its end, and who counts how often it was fenced.
//!
//! What always holds: there is at most one producer of our id in the process; after any failure or doubt it is gone
//! before anything else happens; after a refusal that may mean that somebody else has our name, none is opened before the
//! member has had time to hear of it, since a new one would end the other's; fenced twice under one assignment, the
//! process ends.

use std::sync::Arc;
use std::time::{Duration, Instant as Moment};

use super::backlog::Epoch;
use super::backoff::Backoff;
use super::error::Error;
use super::outgoing;
use super::sabotage::{self, Bug};
use super::tools::Tools;
use crate::kafka::{self, Cluster, Fence, Outcome, Publishing, Reason};

const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// Fenced so often in one generation, somebody else uses our name.
const FENCED_MAX: u32 = 2;
/// How long after its next heartbeat the member has heard the answer.
const ANSWER_TIME: Duration = Duration::from_secs(1);

/// Sends one epoch after the other.
pub struct Producer<C: Cluster> {
    cluster: Arc<C>,
    tools: Arc<Tools>,
    publisher: Option<C::Publisher>,
    /// Under the present assignment.
    n_fenced: u32,
    backoff: Backoff,
    /// By then the member has heard whether it still is one.
    heard_by: Moment,
}

impl<C: Cluster> Producer<C> {
    /// There is none yet.
    pub fn new(cluster: Arc<C>, tools: Arc<Tools>) -> Producer<C> {
        let now = tools.pace.now();
        Producer { cluster, tools, publisher: None, n_fenced: 0, backoff: Backoff::new(now), heard_by: now }
    }

    /// When anything may be tried, after what failed last.
    pub fn next_try(&self) -> Moment {
        self.backoff.next_try().max(self.heard_by)
    }

    /// From now on it is another assignment: the member has just been heard.
    pub fn assigned(&mut self) {
        self.n_fenced = 0;
        self.heard_by = self.tools.pace.now();
    }

    /// Sees to it that there is a producer that may be used. One that was at its end has left no transaction open by then: it
    /// is aborted or, if its commit was asked for, complete. False: come again later.
    pub fn make_ready(&mut self) -> Result<bool, Error> {
        if self.publisher.as_ref().is_some_and(|publisher| !is_at_end(publisher)) {
            return Ok(true);
        }
        // Two producers of one id fence each other.
        self.publisher = None;
        match self.cluster.open_publisher(&self.tools.author.transactional_id, OPEN_TIMEOUT) {
            Ok(publisher) => {
                self.publisher = Some(publisher);
                Ok(true)
            }
            Err(kafka::Error::Fenced { .. }) => {
                self.fenced()?;
                self.backoff.failed(self.tools.pace.now());
                Ok(false)
            }
            Err(error @ kafka::Error::Transactions { .. }) => {
                tracing::warn!("{error}");
                self.backoff.failed(self.tools.pace.now());
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Sends an epoch, with the records of its shards in the order of its parts. Committed, with it come the places of the
    /// shard records: partition and offset.
    pub fn send(
        &mut self,
        epoch: &Epoch,
        shard_records: &[Vec<u8>],
        fence: &Fence<'_, C::Member>,
    ) -> (Outcome, Vec<(i32, i64)>) {
        let publisher = self.publisher.as_mut().expect("it was made ready");
        let output = &self.tools.settings.output;
        let offsets = outgoing::offsets(&self.tools.topics, epoch);
        let outcome = publisher.publish(outgoing::records(output, epoch, shard_records), &offsets, fence);
        if outcome != Outcome::Committed {
            return (outcome, Vec::new());
        }
        self.backoff.succeeded();
        let placed = publisher.placed().into_iter().map(|(topic, partition, offset)| {
            debug_assert_eq!(topic, output.standing);
            (partition, offset)
        });
        (outcome, placed.collect())
    }

    /// There is none any more.
    pub fn give_up(&mut self) {
        self.publisher = None;
    }

    /// Its last transaction did not go well, and so it is at its end.
    pub fn failed(&mut self, reason: &Reason) -> Result<(), Error> {
        if !sabotage::has(Bug::KeepsProducer) {
            self.give_up();
        }
        match reason {
            Reason::Fenced(_) => self.fenced()?,
            Reason::Stale(_) => self.wait_for_heartbeat(),
            Reason::TimedOut(_) | Reason::Other(_) => {}
        }
        self.backoff.failed(self.tools.pace.now());
        Ok(())
    }

    fn wait_for_heartbeat(&mut self) {
        if sabotage::has(Bug::OpensAtOnce) {
            return;
        }
        self.heard_by = self.tools.pace.now() + self.tools.settings.kafka.heartbeat() + ANSWER_TIME;
    }

    fn fenced(&mut self) -> Result<(), Error> {
        self.wait_for_heartbeat();
        self.n_fenced += 1;
        if self.n_fenced < FENCED_MAX {
            return Ok(());
        }
        Err(kafka::Error::Fenced { id: self.tools.settings.kafka.transactional_id() }.into())
    }
}

fn is_at_end<M>(publisher: &impl Publishing<M>) -> bool {
    publisher.is_spent() && !sabotage::has(Bug::KeepsProducer)
}
