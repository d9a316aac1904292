//! Kafka as the pipeline sees it: what can be asked of a cluster, apart from who answers.
//!
//! [`Brokers`] answers in production, through librdkafka; the simulation has a cluster of its own, which delays, doubles
//! and loses what a real one may. What always holds of both is said at each method.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::batch::Batch;
use super::error::Error;
use super::intake::Intake;
use super::member::{Listener, Member, Stamp};
use super::publisher::{Outcome, Outgoing, Publisher, Reason};
use super::settings::{Isolation, Settings};
use super::topics::{Requirement, Topics};
use super::watermarks::Watermarks;

/// A cluster, and who we are there.
pub trait Cluster: Send + Sync + 'static {
    type Member: Membership;
    type Publisher: Publishing<Self::Member>;
    type Intake: Reading;
    type Watermarks: Ends;

    /// Looks at topics and says what is wrong with them.
    fn look(&self, required: &[Requirement]) -> Result<Topics, Error>;

    /// Joins the group for these topics. The listener is called by whoever calls [`Membership::poll`].
    fn join(&self, topics: &[String], listener: Listener) -> Result<Arc<Self::Member>, Error>;

    /// A producer under `id`: whoever used it before is fenced, and a transaction that was open is aborted or, if its
    /// commit was asked for, complete.
    fn open_publisher(&self, id: &str, timeout: Duration) -> Result<Self::Publisher, Error>;

    /// A reader of some of these topics' partitions, to be used by the calling thread.
    fn open_intake(&self, isolation: Isolation, topics: &[String], n_partitions: usize) -> Result<Self::Intake, Error>;

    /// With [`Isolation::Uncommitted`] an end is the high watermark, with [`Isolation::Committed`] the last stable
    /// offset: below it every transaction is decided.
    fn open_watermarks(&self, isolation: Isolation) -> Result<Self::Watermarks, Error>;
}

/// A member of the group.
pub trait Membership: Send + Sync + 'static {
    /// Takes part in the group for at most `timeout`.
    fn poll(&self, timeout: Duration) -> Result<(), Error>;

    /// The membership as it is at this moment, which may be past the last assignment's; no valid one once the member can never
    /// speak for the group again.
    fn stamp(&self) -> Stamp;

    /// Leaves the group, so that others need not wait for the session to end. The listener is told of the revoke.
    fn leave(&self, timeout: Duration);
}

/// What vouches for a transaction: the membership under which everything in it was made.
pub struct Fence<'a, M> {
    pub member: &'a M,
    pub stamp: &'a Stamp,
}

impl<M> Fence<'_, M> {
    /// Whether the member, as it is now, may speak for what was made under the stamp. A broker would take a member of no
    /// generation without looking.
    pub fn check(&self, now: &Stamp) -> Result<(), Reason> {
        if now.is_valid() && now == self.stamp {
            Ok(())
        } else {
            Err(Reason::Stale(format!("made as {}, now {now}", self.stamp)))
        }
    }
}

/// A transactional producer.
pub trait Publishing<M> {
    /// Publishes the records and the offsets (topic, partition, next offset) in one transaction. Offsets are sent when all
    /// records are acknowledged, and refused when the member is not who the fence says.
    fn publish<'a>(
        &mut self,
        records: impl Iterator<Item = Outgoing<'a>>,
        offsets: &[(&str, i32, i64)],
        fence: &Fence<'_, M>,
    ) -> Outcome;

    /// Whether it must be replaced before anything else is published.
    fn is_spent(&self) -> bool;

    /// Where the marked records of the last transaction were put: topic, partition, offset.
    fn placed(&self) -> Vec<(String, i32, i64)>;
}

/// Reads partitions in batches from offsets that the caller chooses.
pub trait Reading {
    /// Starts reading a partition of each topic, from one offset each. Its batches carry the number of the reading.
    fn start(&mut self, reading: u64, partition: i32, starts: &[i64]) -> Result<(), Error>;

    /// Stops reading a partition of every topic; one that is not read is left alone.
    fn stop(&mut self, partition: i32) -> Result<(), Error>;

    /// Takes what is there from every partition that holds less than `quota_bytes`, in turn. False when there was
    /// nothing; never waits.
    fn read(&mut self, quota_bytes: usize, sink: &mut dyn FnMut(Batch)) -> Result<bool, Error>;
}

/// Asks how far partitions reach. An answer covers everything that was appended before the question was sent.
pub trait Ends {
    /// The ends of all partitions, in the order of the question.
    fn ends(&self, partitions: &[(&str, i32)], timeout: Duration) -> Result<Vec<i64>, Error>;

    /// The first offset that the partition still has, and its end.
    fn range(&self, topic: &str, partition: i32) -> Result<(i64, i64), Error>;

    /// How many partitions each topic has; `None` where there is no such topic.
    fn n_partitions(&self, topics: &[&str]) -> Result<Vec<Option<usize>>, Error>;

    /// The ids of topics by their names, where the cluster tells them: a topic that was made anew has another one.
    fn topic_ids(&self, _topics: &[&str]) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
}

/// A cluster that is reached through librdkafka.
#[derive(Debug, Clone)]
pub struct Brokers(pub Settings);

impl Cluster for Brokers {
    type Member = Member;
    type Publisher = Publisher;
    type Intake = Intake;
    type Watermarks = Watermarks;

    fn look(&self, required: &[Requirement]) -> Result<Topics, Error> {
        Topics::look(&self.0, required)
    }

    fn join(&self, topics: &[String], listener: Listener) -> Result<Arc<Member>, Error> {
        Member::join(&self.0, topics, listener)
    }

    fn open_publisher(&self, id: &str, timeout: Duration) -> Result<Publisher, Error> {
        Publisher::open(&self.0, id, timeout)
    }

    fn open_intake(&self, isolation: Isolation, topics: &[String], n_partitions: usize) -> Result<Intake, Error> {
        Intake::open(&self.0, isolation, topics, n_partitions)
    }

    fn open_watermarks(&self, isolation: Isolation) -> Result<Watermarks, Error> {
        Watermarks::open(&self.0, isolation)
    }
}
