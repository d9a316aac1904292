//! librdkafka's own log lines, in our log under the target `librdkafka`.

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;

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
    tracing::warn!(target: "librdkafka", "{error}: {reason}");
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
