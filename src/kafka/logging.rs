//! librdkafka's own log lines, in our log under the target `librdkafka`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;

/// For so long the same error is not written again: clients without a broker say so ten times a second, each.
const SILENCE: Duration = Duration::from_secs(5);

/// When an error was written last. There are as many as librdkafka has kinds of them.
static WRITTEN: Mutex<BTreeMap<String, Instant>> = Mutex::new(BTreeMap::new());

/// Writes one line of librdkafka.
pub fn line(level: RDKafkaLogLevel, facility: &str, text: &str) {
    // People's settings go to all our clients, and each needs some of them.
    if facility == "CONFWARN" && text.contains("will be ignored by this") {
        return;
    }
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
            tracing::error!(target: "librdkafka", "{facility}: {text}");
        }
        RDKafkaLogLevel::Warning => tracing::warn!(target: "librdkafka", "{facility}: {text}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => tracing::info!(target: "librdkafka", "{facility}: {text}"),
        RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", "{facility}: {text}"),
    }
}

/// Writes a client's error; brokers that come and go are nobody's fault.
pub fn error(error: &KafkaError, reason: &str) {
    let (kind, now) = (error.to_string(), Instant::now());
    let mut written = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
    if written.get(&kind).is_none_or(|at| now.duration_since(*at) >= SILENCE) {
        tracing::warn!(target: "librdkafka", "{kind}: {reason}");
        written.insert(kind, now);
    }
}

/// A client that only logs.
#[derive(Debug, Clone, Default)]
pub struct Logged;

impl ClientContext for Logged {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        line(level, facility, text);
    }

    fn error(&self, cause: KafkaError, reason: &str) {
        error(&cause, reason);
    }
}

impl ConsumerContext for Logged {}
