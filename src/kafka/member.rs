//! Our membership of the consumer group: who owns which partition numbers, in which generation.
//!
//! The member is assigned partitions and fetches none; reading is another client's work, so that a rebalance disturbs
//! nothing that stays here. Every assignment is stamped with the member and the generation that it belongs to.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
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
    consumer: BaseConsumer<Context>,
    instance: String,
}

struct Context {
    listener: Mutex<Listener>,
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
        let tell = |rebalance| (self.listener.lock().unwrap_or_else(PoisonError::into_inner))(rebalance);
        let done = if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            let assignment = assignment(consumer, list);
            let done = consumer.assign(&nothing);
            tell(Rebalance::Assigned(assignment));
            done
        } else {
            tell(Rebalance::Revoked);
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

fn stamp(consumer: &BaseConsumer<Context>) -> Stamp {
    GroupMetadata::of(consumer).map_or(Stamp { member: String::new(), generation: -1 }, |group| stamp_of(&group))
}

pub(super) fn stamp_of(group: &GroupMetadata) -> Stamp {
    Stamp { member: group.member(), generation: group.generation() }
}

impl Member {
    /// Joins the group for these topics. The listener is called by whoever calls [`Member::poll`].
    pub fn join(settings: &Settings, topics: &[String], listener: Listener) -> Result<Arc<Member>, Error> {
        let context = Context { listener: Mutex::new(listener) };
        let consumer: BaseConsumer<Context> =
            settings.member().create_with_context(context).map_err(Error::Settings)?;
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        consumer.subscribe(&topics).map_err(Error::Subscribe)?;
        Ok(Arc::new(Member { consumer, instance: settings.instance.clone() }))
    }

    /// The group as this member sees it now, for fencing a transaction.
    pub(super) fn group(&self) -> Option<GroupMetadata> {
        GroupMetadata::of(&self.consumer)
    }
}

impl Membership for Member {
    fn poll(&self, timeout: Duration) -> Result<(), Error> {
        match self.consumer.poll(timeout) {
            None | Some(Ok(_)) => Ok(()),
            Some(Err(error)) => match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::FencedInstanceId) => {
                    Err(Error::InstanceTaken { instance: self.instance.clone() })
                }
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
            },
        }
    }

    fn stamp(&self) -> Stamp {
        stamp(&self.consumer)
    }

    fn leave(&self, timeout: Duration) {
        self.consumer.unsubscribe();
        let deadline = Instant::now() + timeout;
        // The group hears of it after the revoke was answered; one more turn sends it.
        while Instant::now() < deadline && stamp(&self.consumer).is_valid() {
            drop(self.consumer.poll(Duration::from_millis(20)));
        }
    }
}
