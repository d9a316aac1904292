//! What can go wrong between us and Kafka, each with the place it is about.

use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// Kafka failed, or refuses us.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no Kafka client can be made with these settings: {0}")]
    Settings(KafkaError),
    #[error("Kafka at {brokers} did not {what} within {}s: {source}", timeout.as_secs())]
    Unreachable { brokers: String, what: String, timeout: Duration, source: Box<KafkaError> },
    #[error("{topic}/{partition} cannot be read from offset {offset} on: {code}")]
    Read { topic: String, partition: i32, offset: i64, code: RDKafkaErrorCode },
    #[error(
        "{topic}/{partition} no longer has offset {offset}, where reading should go on: records were deleted before \
         they were read, or the topic was made anew. Lengthen its retention, or start a group of its own for a new topic"
    )]
    Gone { topic: String, partition: i32, offset: i64 },
    #[error("{topic}/{partition} cannot be assigned: {source}")]
    Assign { topic: String, partition: i32, source: KafkaError },
    #[error("the topics cannot be subscribed to: {0}")]
    Subscribe(KafkaError),
    #[error(
        "another process has joined the group as `{instance}`: each running instance needs a name of its own (`instance` of [kafka])"
    )]
    InstanceTaken { instance: String },
    #[error("the group cannot be taken part in: {0}")]
    Group(KafkaError),
    #[error(
        "another producer uses the transactional id `{id}`: each running instance needs a name of its own (`instance` of [kafka])"
    )]
    Fenced { id: String },
    #[error("transactions cannot be started as `{id}`: {text}")]
    Transactions { id: String, text: String },
    #[error("the topics cannot be looked at: {0}")]
    Admin(KafkaError),
}

impl Error {
    /// Whether nobody answered, so that asking again may help.
    pub fn is_silence(&self) -> bool {
        let code = match self {
            Error::Unreachable { .. } => return true,
            Error::Admin(KafkaError::AdminOp(code)) => Some(*code),
            Error::Admin(source) => source.rdkafka_error_code(),
            _ => None,
        };
        matches!(
            code,
            Some(
                RDKafkaErrorCode::BrokerTransportFailure
                    | RDKafkaErrorCode::AllBrokersDown
                    | RDKafkaErrorCode::OperationTimedOut
                    | RDKafkaErrorCode::RequestTimedOut
            )
        )
    }
}
