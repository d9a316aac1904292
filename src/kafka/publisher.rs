//! Publishes groups of records and the offsets that they cover, each group in one transaction.
//!
//! A producer that met any failure or doubt is at its end: it never aborts and goes on, since librdkafka resends by
//! itself and a delayed first copy could end or rewind the next transaction. It does so without a word, but not at once:
//! a commit that took as long as that is doubtful, however well it went. What always holds: all records are
//! acknowledged before offsets are sent; offsets carry the generation and the member that the caller vouches for; a
//! publisher that is at its end refuses everything.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, NoCustomPartitioner, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use super::cluster::{Fence, Publishing};
use super::error::Error;
use super::logging;
use super::member::{Member, stamp_of};
use super::native;
use super::settings::{SOCKET_TIMEOUT, Settings};

/// How much longer than it was told to a call may take before it is given up.
const OVERTIME: Duration = Duration::from_millis(250);

/// Names and values of a record's headers.
pub type Headers = [(std::borrow::Cow<'static, str>, Vec<u8>)];

/// A record to be published.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub key: Option<&'a [u8]>,
    /// None: a tombstone.
    pub value: Option<&'a [u8]>,
    pub headers: &'a Headers,
    /// Whether the caller wants to know where it was put: [`Publisher::placed`].
    pub is_marked: bool,
}

/// How a transaction ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Committed,
    /// It never will be committed.
    NotCommitted(Reason),
    /// The commit was asked for, and the answer is missing or cannot be believed.
    Unknown(Reason),
}

/// Why a transaction did not end well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("the group has moved on: {0}")]
    Stale(String),
    #[error("another producer took over the transactional id: {0}")]
    Fenced(String),
    #[error("it took too long: {0}")]
    TimedOut(String),
    #[error("{0}")]
    Other(String),
}

/// A transactional producer.
pub struct Publisher {
    /// Shared with a call that was given up and has not returned.
    producer: Arc<ThreadedProducer<Context>>,
    /// When offsets and commit take longer, one of them may have been sent twice.
    trusted_for: Duration,
    timeout: Duration,
    is_spent: bool,
}

#[derive(Default)]
struct Context {
    /// Records handed over and not yet acknowledged or refused.
    n_pending: AtomicUsize,
    /// A connection broke.
    is_shaken: AtomicBool,
    delivered: Mutex<Delivered>,
    settled: Condvar,
}

#[derive(Default)]
struct Delivered {
    failure: Option<(RDKafkaErrorCode, String)>,
    /// Of marked records: topic, partition, offset.
    placed: Vec<(String, i32, i64)>,
}

impl Context {
    fn delivered(&self) -> MutexGuard<'_, Delivered> {
        self.delivered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        logging::line(level, facility, text);
    }

    fn error(&self, cause: KafkaError, reason: &str) {
        self.is_shaken.store(true, Ordering::Release);
        logging::error(&cause, reason);
    }
}

impl ProducerContext<NoCustomPartitioner> for Context {
    /// 1 for marked records.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, is_marked: usize) {
        match result {
            Ok(message) if is_marked == 1 => {
                let place = (message.topic().to_owned(), message.partition(), message.offset());
                self.delivered().placed.push(place);
            }
            Ok(_) => {}
            Err((error, message)) => {
                let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
                let text = format!("{}/{}: {error}", message.topic(), message.partition());
                self.delivered().failure.get_or_insert((code, text));
            }
        }
        if self.n_pending.fetch_sub(1, Ordering::AcqRel) == 1 {
            let _guard = self.delivered();
            self.settled.notify_all();
        }
    }
}

impl Publisher {
    /// A producer under `id`: whoever used it before is fenced, and a transaction that was open is aborted.
    pub fn open(settings: &Settings, id: &str, timeout: Duration) -> Result<Publisher, Error> {
        let producer: ThreadedProducer<Context> =
            settings.publisher(id).create_with_context(Context::default()).map_err(Error::Settings)?;
        // With a connection at hand the coordinator is found at once; without one librdkafka waits before it asks again.
        if producer.client().fetch_cluster_id(timeout).is_none() {
            tracing::debug!("no broker is known yet to a new producer");
        }
        producer.init_transactions(timeout).map_err(|error| match reason(&error) {
            Reason::Fenced(_) => Error::Fenced { id: id.to_owned() },
            other => Error::Transactions { id: id.to_owned(), text: other.to_string() },
        })?;
        Ok(Publisher {
            producer: Arc::new(producer),
            trusted_for: settings.trusted_for(),
            timeout: settings.transaction_timeout(),
            is_spent: false,
        })
    }

    fn context(&self) -> &Context {
        self.producer.client().context()
    }

    /// Hands over all records and waits until each is acknowledged.
    fn send<'a>(&self, records: impl Iterator<Item = Outgoing<'a>>, deadline: Instant) -> Result<(), Reason> {
        self.producer.begin_transaction().map_err(|error| reason(&error))?;
        let mut n_sent = 0_usize;
        for record in records {
            self.enqueue(&record, deadline)?;
            n_sent += 1;
        }
        tracing::trace!("{n_sent} records handed over");
        self.wait_until_pending(0, deadline)?;
        // Acknowledged; a moment later the producer has forgotten them too, and committing need not wait.
        while self.producer.in_flight_count() > 0 {
            if Instant::now() > deadline {
                return Err(Reason::TimedOut("records were not acknowledged in time".to_owned()));
            }
            std::thread::yield_now();
        }
        match self.context().delivered().failure.take() {
            None => Ok(()),
            Some((code, text)) => Err(reason_of(code, text)),
        }
    }

    fn enqueue(&self, record: &Outgoing<'_>, deadline: Instant) -> Result<(), Reason> {
        let mut base = BaseRecord::<[u8], [u8], usize>::with_opaque_to(record.topic, usize::from(record.is_marked))
            .partition(record.partition);
        base.key = record.key;
        base.payload = record.value;
        base.headers = owned_headers(record.headers);
        loop {
            let n_pending = self.context().n_pending.fetch_add(1, Ordering::AcqRel);
            match self.producer.send(base) {
                Ok(()) => return Ok(()),
                Err((error, returned)) => {
                    self.context().n_pending.fetch_sub(1, Ordering::AcqRel);
                    if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                        return Err(reason(&error));
                    }
                    base = returned;
                    self.wait_until_pending(n_pending / 2, deadline)?;
                }
            }
        }
    }

    /// Waits until at most `n` records are neither acknowledged nor refused.
    fn wait_until_pending(&self, n: usize, deadline: Instant) -> Result<(), Reason> {
        let context = self.context();
        let mut guard = context.delivered();
        while context.n_pending.load(Ordering::Acquire) > n {
            if Instant::now() >= deadline {
                return Err(Reason::TimedOut("records were not acknowledged in time".to_owned()));
            }
            // Woken when none is left; looking again now and then finds the other cases.
            let turn = remaining(deadline).min(Duration::from_millis(if n == 0 { 100 } else { 2 }));
            guard = context.settled.wait_timeout(guard, turn).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }

    /// The cause behind what a call says. A producer that was ended from outside throws its records away; and who lets a
    /// transaction stay open for too long, frozen perhaps, is fenced by the broker and not by somebody else.
    fn cause(&self, reason: Reason, started: Instant) -> Reason {
        let fatal = self.producer.client().fatal_error();
        match fatal.map_or(reason, |(code, text)| reason_of(code, text)) {
            Reason::Fenced(text) if started.elapsed() >= self.timeout => Reason::TimedOut(text),
            other => other,
        }
    }

    /// Fenced by the group as it is at this moment, which must be the one that the caller vouches for.
    fn send_offsets(
        &self,
        offsets: &[(&str, i32, i64)],
        fence: &Fence<'_, Member>,
        deadline: Instant,
    ) -> Result<(), Reason> {
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        for (topic, partition, next) in offsets {
            list.add_partition_offset(topic, *partition, Offset::Offset(*next)).map_err(|error| reason(&error))?;
        }
        let group = fence.member.group().ok_or_else(|| Reason::Stale("there is no group".to_owned()))?;
        fence.check(&stamp_of(&group))?;
        let timeout = remaining(deadline).min(SOCKET_TIMEOUT);
        let producer = Arc::clone(&self.producer);
        let answer = within(timeout + OVERTIME, move || native::send_offsets(&producer, &list, &group, timeout));
        answer?.map_err(|refused| reason_of(refused.code, refused.text))
    }
}

/// Waits for a call that may never return, whatever time-out it was given: adding offsets does not when the group's
/// coordinator goes away at the wrong moment (<https://github.com/confluentinc/librdkafka/issues/5456>). One that is given
/// up keeps what it holds until it returns. Its producer is at its end and the next one fences it, so what it may still send
/// is refused.
fn within<T: Send + 'static>(limit: Duration, call: impl FnOnce() -> T + Send + 'static) -> Result<T, Reason> {
    let (answer, answered) = mpsc::sync_channel(1);
    // Nobody listens any more when it was given up.
    let work = move || drop(answer.send(call()));
    let spawned = std::thread::Builder::new().name("offsets".to_owned()).spawn(work);
    spawned.map_err(|error| Reason::Other(format!("there is no thread to add offsets: {error}")))?;
    answered.recv_timeout(limit).map_err(|_| Reason::TimedOut("adding offsets did not return".to_owned()))
}

impl Publishing<Member> for Publisher {
    fn publish<'a>(
        &mut self,
        records: impl Iterator<Item = Outgoing<'a>>,
        offsets: &[(&str, i32, i64)],
        fence: &Fence<'_, Member>,
    ) -> Outcome {
        assert!(!self.is_spent, "a publisher that is at its end was used again");
        // Spent until proven otherwise: every early return leaves it so.
        self.is_spent = true;
        self.context().is_shaken.store(false, Ordering::Release);
        *self.context().delivered() = Delivered::default();
        let started = Instant::now();
        let deadline = started + self.timeout;
        if let Err(reason) = self.send(records, deadline) {
            return Outcome::NotCommitted(self.cause(reason, started));
        }
        let sent = Instant::now();
        if let Err(reason) = self.send_offsets(offsets, fence, deadline) {
            return Outcome::NotCommitted(self.cause(reason, started));
        }
        match self.producer.commit_transaction(remaining(deadline)) {
            Ok(()) => {
                let took = sent.elapsed();
                self.is_spent = took >= self.trusted_for || self.context().is_shaken.load(Ordering::Acquire);
                if self.is_spent {
                    tracing::debug!("a commit took {took:?}: its producer is replaced");
                }
                Outcome::Committed
            }
            Err(error) => Outcome::Unknown(self.cause(reason(&error), started)),
        }
    }

    fn is_spent(&self) -> bool {
        self.is_spent
    }

    fn placed(&self) -> Vec<(String, i32, i64)> {
        std::mem::take(&mut self.context().delivered().placed)
    }
}

fn owned_headers(headers: &Headers) -> Option<OwnedHeaders> {
    if headers.is_empty() {
        return None;
    }
    let owned = OwnedHeaders::new_with_capacity(headers.len());
    Some(headers.iter().fold(owned, |owned, (name, value)| owned.insert(Header { key: name, value: Some(value) })))
}

fn remaining(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

fn reason(error: &KafkaError) -> Reason {
    let text = match error {
        KafkaError::Transaction(error) => error.string(),
        other => other.to_string(),
    };
    let code = match error {
        KafkaError::Transaction(error) => error.code(),
        other => other.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown),
    };
    reason_of(code, text)
}

fn reason_of(code: RDKafkaErrorCode, text: String) -> Reason {
    match code {
        RDKafkaErrorCode::IllegalGeneration
        | RDKafkaErrorCode::UnknownMemberId
        | RDKafkaErrorCode::FencedInstanceId
        | RDKafkaErrorCode::RebalanceInProgress => Reason::Stale(text),
        RDKafkaErrorCode::Fenced | RDKafkaErrorCode::ProducerFenced | RDKafkaErrorCode::InvalidProducerEpoch => {
            Reason::Fenced(text)
        }
        RDKafkaErrorCode::OperationTimedOut
        | RDKafkaErrorCode::MessageTimedOut
        | RDKafkaErrorCode::RequestTimedOut
        | RDKafkaErrorCode::PurgeInflight
        | RDKafkaErrorCode::PurgeQueue => Reason::TimedOut(text),
        _ => Reason::Other(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_does_not_return_is_given_up() {
        let (end, ended) = mpsc::channel::<()>();
        let given_up = within(Duration::from_millis(20), move || ended.recv());
        assert!(matches!(given_up, Err(Reason::TimedOut(_))), "{given_up:?}");
        drop(end);
        assert_eq!(within(Duration::from_secs(60), || 7), Ok(7));
    }
}
