//! Our membership of the consumer group: who owns which partition numbers, in which generation.
//!
//! The member is assigned partitions and fetches none; reading is another client's work, so that a rebalance disturbs
//! nothing that stays here. Every assignment is stamped with the member and the generation that it belongs to.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};

use super::cluster::Membership;
use super::error::Error;
use super::logging;
use super::native::GroupMetadata;
use super::settings::Settings;

/// Who owns something: a member in one generation of the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    pub member: String,
    pub generation: i32,
}

impl Stamp {
    /// False for a member that is in no generation; the broker would let it commit unchecked.
    pub fn is_valid(&self) -> bool {
        self.generation >= 0 && !self.member.is_empty()
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in generation {}", self.member, self.generation)
    }
}

/// What the member owns from now on.
#[derive(Debug, Clone)]
pub struct Assignment {
    pub stamp: Stamp,
    /// Partition numbers and, for each, the topics of which we have it.
    pub partitions: BTreeMap<i32, Vec<String>>,
}

/// What happens to our membership, told in the order it happens.
#[derive(Debug)]
pub enum Rebalance {
    Assigned(Assignment),
    /// Nothing is ours until the next assignment. The group waits until the listener returns.
    Revoked,
}

/// Is told what happens to the membership.
pub type Listener = Box<dyn Fn(Rebalance) + Send + Sync>;

/// A member of the group.
pub struct Member {
    settings: Settings,
    topics: Vec<String>,
    context: Context,
    /// Changed by whoever polls, and by nobody else.
    consumer: RwLock<BaseConsumer<Context>>,
}

/// What outlives one client of the member.
#[derive(Clone)]
struct Context {
    listener: Arc<Mutex<Listener>>,
    /// The session was lost, and there is no assignment since.
    is_astray: Arc<AtomicBool>,
}

impl Context {
    fn tell(&self, rebalance: Rebalance) {
        (self.listener.lock().unwrap_or_else(PoisonError::into_inner))(rebalance);
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        logging::line(level, facility, text);
    }

    fn error(&self, cause: KafkaError, reason: &str) {
        logging::error(&cause, reason);
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &BaseConsumer<Context>, code: RDKafkaRespErr, list: &mut TopicPartitionList) {
        // The member itself is given nothing to fetch, whatever it was assigned.
        let nothing = TopicPartitionList::new();
        let done = if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.is_astray.store(false, Ordering::Release);
            let assignment = assignment(consumer, list);
            let done = consumer.assign(&nothing);
            self.tell(Rebalance::Assigned(assignment));
            done
        } else {
            if consumer.assignment_lost() && consumer.client().fatal_error().is_none() {
                self.is_astray.store(true, Ordering::Release);
            }
            self.tell(Rebalance::Revoked);
            consumer.unassign()
        };
        if let Err(error) = done {
            tracing::error!("the group's assignment could not be answered: {error}");
        }
    }
}

fn assignment(consumer: &BaseConsumer<Context>, list: &TopicPartitionList) -> Assignment {
    let mut partitions: BTreeMap<i32, Vec<String>> = BTreeMap::new();
    for element in list.elements() {
        partitions.entry(element.partition()).or_default().push(element.topic().to_owned());
    }
    Assignment { stamp: stamp(consumer), partitions }
}

/// Of a client that is at its end, fenced perhaps, that of nobody, whatever it was before.
fn stamp(consumer: &BaseConsumer<Context>) -> Stamp {
    let group = GroupMetadata::of(consumer).filter(|_| consumer.client().fatal_error().is_none());
    group.map_or(Stamp { member: String::new(), generation: -1 }, |group| stamp_of(&group))
}

pub(super) fn stamp_of(group: &GroupMetadata) -> Stamp {
    Stamp { member: group.member(), generation: group.generation() }
}

/// What the group said when it was polled.
enum Said {
    Nothing,
    /// Somebody has joined under our name.
    Fenced,
    Failed(KafkaError),
}

impl Member {
    /// Joins the group for these topics. The listener is called by whoever calls [`Member::poll`].
    pub fn join(settings: &Settings, topics: &[String], listener: Listener) -> Result<Arc<Member>, Error> {
        let context = Context { listener: Arc::new(Mutex::new(listener)), is_astray: Arc::default() };
        let consumer = RwLock::new(subscribe(settings, topics, context.clone())?);
        Ok(Arc::new(Member { settings: settings.clone(), topics: topics.to_vec(), context, consumer }))
    }

    fn consumer(&self) -> RwLockReadGuard<'_, BaseConsumer<Context>> {
        self.consumer.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The group as this member sees it now, for fencing a transaction.
    pub(super) fn group(&self) -> Option<GroupMetadata> {
        GroupMetadata::of(&self.consumer())
    }

    fn listen(&self, timeout: Duration) -> Said {
        match self.consumer().poll(timeout) {
            None | Some(Ok(_)) => Said::Nothing,
            Some(Err(error)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::FencedInstanceId) => Said::Fenced,
            Some(Err(error)) => Said::Failed(error),
        }
    }

    /// A client that lost its session asks to join until it is answered, and a coordinator that has just moved may take the
    /// second question for somebody else's: it fences the first, and so the client is at its end. A new one asks once.
    fn join_anew(&self) -> Result<(), Error> {
        tracing::warn!("the group took us for another member of our own name: joining anew");
        // First of all nothing is ours; whoever is at work needs the client for that.
        self.context.tell(Rebalance::Revoked);
        let mut consumer = subscribe(&self.settings, &self.topics, self.context.clone())?;
        std::mem::swap(&mut consumer, &mut self.consumer.write().unwrap_or_else(PoisonError::into_inner));
        drop(consumer);
        Ok(())
    }
}

/// A new client, which wants to be a member.
fn subscribe(settings: &Settings, topics: &[String], context: Context) -> Result<BaseConsumer<Context>, Error> {
    let consumer: BaseConsumer<Context> = settings.member().create_with_context(context).map_err(Error::Settings)?;
    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
    consumer.subscribe(&topics).map_err(Error::Subscribe)?;
    Ok(consumer)
}

impl Membership for Member {
    fn poll(&self, timeout: Duration) -> Result<(), Error> {
        let error = match self.listen(timeout) {
            Said::Nothing => return Ok(()),
            Said::Fenced if self.context.is_astray.load(Ordering::Acquire) => return self.join_anew(),
            Said::Fenced => return Err(Error::InstanceTaken { instance: self.settings.instance.clone() }),
            Said::Failed(error) => error,
        };
        match error.rdkafka_error_code() {
            _ if matches!(error, KafkaError::MessageConsumptionFatal(_)) => Err(Error::Group(error)),
            Some(RDKafkaErrorCode::GroupAuthorizationFailed | RDKafkaErrorCode::TopicAuthorizationFailed) => {
                Err(Error::Group(error))
            }
            // The client's log has it.
            Some(RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure) => Ok(()),
            _ => {
                tracing::warn!("the group says: {error}");
                Ok(())
            }
        }
    }

    fn stamp(&self) -> Stamp {
        stamp(&self.consumer())
    }

    fn leave(&self, timeout: Duration) {
        let consumer = self.consumer();
        consumer.unsubscribe();
        let deadline = Instant::now() + timeout;
        // The group hears of it after the revoke was answered; one more turn sends it.
        while Instant::now() < deadline && stamp(&consumer).is_valid() {
            drop(consumer.poll(Duration::from_millis(20)));
        }
    }
}
