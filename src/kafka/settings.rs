//! How our clients are configured: what exactly once hangs on is fixed here, what people set is passed on.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;

use crate::config::service::Refusal;

/// A transaction that is open for longer is aborted by the broker. Shorter than the session, so that a member that was
/// thrown out of the group has none left.
pub const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a member tells its group that it lives.
pub const HEARTBEAT: Duration = Duration::from_secs(1);
/// A broker that does not answer for so long is given up.
pub const SOCKET_TIMEOUT: Duration = Duration::from_secs(10);
/// The end of a transaction is not sent again sooner, so one that is over sooner was sent once.
pub const RETRY_BACKOFF: Duration = Duration::from_millis(500);
/// How long a request that nothing depends on may take.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// What a reader's own queues may hold, if nobody says otherwise.
pub const PREFETCH_BYTES: usize = 64 << 20;

/// How to reach Kafka and who we are there.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `host:port`, separated by commas.
    pub brokers: String,
    pub group: String,
    /// This running instance's name: its static membership and its transactional id. No two instances share it.
    pub instance: String,
    /// Any of librdkafka's settings, passed on as they are.
    pub client: Vec<(String, String)>,
    /// librdkafka's in-process cluster, which has no admin interface and keeps no transactional offsets.
    pub is_embedded: bool,
    /// What a reader's own queues may hold, in all its partitions together.
    pub prefetch_bytes: usize,
}

/// Why librdkafka, as it was built, does not take a setting; `None` when it does.
pub fn refuses(name: &str, value: &str) -> Option<Refusal> {
    match ClientConfig::new().set(name, value).create_native_config() {
        Ok(_) => None,
        Err(KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..)) => Some(Refusal::Unknown),
        Err(KafkaError::ClientConfig(..)) if !cfg!(feature = "tls") && is_of_tls(name, value) => {
            Some(Refusal::NeedsTls)
        }
        Err(KafkaError::ClientConfig(_, why, ..)) => Some(Refusal::Value(why)),
        Err(other) => Some(Refusal::Value(other.to_string())),
    }
}

/// Whether it is OpenSSL that knows about a setting.
fn is_of_tls(name: &str, value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    name.starts_with("ssl.") || ["ssl", "scram"].iter().any(|word| value.contains(word))
}

/// Which records a reader is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    Committed,
    Uncommitted,
}

impl Isolation {
    fn name(self) -> &'static str {
        match self {
            Isolation::Committed => "read_committed",
            Isolation::Uncommitted => "read_uncommitted",
        }
    }
}

impl Settings {
    /// The transactional id of this instance.
    pub fn transactional_id(&self) -> String {
        format!("{}.{}", self.group, self.instance)
    }

    /// `defaults` may be overridden by what people set, `fixed` may not.
    fn config(&self, defaults: &[(&str, &str)], fixed: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("client.id", format!("dormouse-{}", self.instance));
        // A broker that is back is not left alone for the ten seconds that librdkafka would take.
        config.set("reconnect.backoff.max.ms", "1000");
        for (name, value) in defaults {
            config.set(*name, *value);
        }
        for (name, value) in &self.client {
            config.set(name, value);
        }
        config.set("bootstrap.servers", &self.brokers);
        for (name, value) in fixed {
            config.set(*name, *value);
        }
        config
    }

    /// For looking at topics, watermarks and settings.
    pub fn observer(&self, isolation: Isolation) -> ClientConfig {
        self.config(&[], &[("isolation.level", isolation.name())])
    }

    /// For reading partitions that we assign ourselves, from offsets that we choose, never committing any.
    pub fn reader(&self, isolation: Isolation, n_partitions: usize) -> ClientConfig {
        // The embedded broker answers a fetch when its time is over, not when something has come.
        let fetch_wait_ms = if self.is_embedded { "5" } else { "50" };
        let queue_kib = (self.prefetch_bytes / 1024 / n_partitions.max(1)).clamp(64, 8 * 1024).to_string();
        self.config(
            &[
                ("queued.min.messages", "50000"),
                ("queued.max.messages.kbytes", &queue_kib),
                ("fetch.queue.backoff.ms", "5"),
                ("fetch.wait.max.ms", fetch_wait_ms),
                ("fetch.error.backoff.ms", "100"),
            ],
            &[
                // Assigning needs a group's name. Nothing is subscribed, so nothing is joined.
                ("group.id", &self.group),
                ("isolation.level", isolation.name()),
                ("enable.auto.commit", "false"),
                ("enable.auto.offset.store", "false"),
                ("auto.offset.reset", "error"),
                ("enable.partition.eof", "true"),
            ],
        )
    }

    /// For belonging to the group: it is assigned partitions and never fetches.
    pub fn member(&self) -> ClientConfig {
        let mut config = self.config(
            &[("session.timeout.ms", "45000"), ("heartbeat.interval.ms", &self.heartbeat().as_millis().to_string())],
            &[
                ("group.id", &self.group),
                ("group.protocol", "classic"),
                ("partition.assignment.strategy", "range"),
                ("enable.auto.commit", "false"),
                ("enable.auto.offset.store", "false"),
                ("auto.offset.reset", "error"),
            ],
        );
        if !self.is_embedded {
            config.set("group.instance.id", &self.instance);
        }
        config
    }

    /// For publishing as `id`.
    pub fn publisher(&self, id: &str) -> ClientConfig {
        // librdkafka wants no single answer to take longer than the whole transaction may.
        let transaction = self.transaction_timeout();
        let socket = SOCKET_TIMEOUT.min(transaction);
        self.config(
            &[
                ("linger.ms", "0.5"),
                ("queue.buffering.max.messages", "200000"),
                ("retry.backoff.ms", &RETRY_BACKOFF.as_millis().to_string()),
                ("socket.timeout.ms", &socket.as_millis().to_string()),
                ("transaction.timeout.ms", &transaction.as_millis().to_string()),
            ],
            &[("transactional.id", id), ("enable.idempotence", "true"), ("acks", "all")],
        )
    }

    /// What offsets and commit of a transaction may take together before their producer is not trusted any more. librdkafka
    /// waits at least four fifths of `retry.backoff.ms`, or `retry.backoff.max.ms`, before it sends a request again, or
    /// 500 ms where it does not ask these settings: what is over in three quarters of the least of them was sent once.
    pub fn trusted_for(&self) -> Duration {
        let given = ["retry.backoff.ms", "retry.backoff.max.ms"].into_iter().filter_map(|name| self.millis(name));
        given.fold(RETRY_BACKOFF, Duration::min) * 3 / 4
    }

    /// How long a transaction may stay open.
    pub fn transaction_timeout(&self) -> Duration {
        self.millis("transaction.timeout.ms").unwrap_or(TRANSACTION_TIMEOUT)
    }

    /// Between two words of a member to its group.
    pub fn heartbeat(&self) -> Duration {
        self.millis("heartbeat.interval.ms").unwrap_or(HEARTBEAT)
    }

    /// The largest message that the producer takes.
    pub fn message_bytes_max(&self) -> usize {
        self.given("message.max.bytes").and_then(|value| value.parse().ok()).unwrap_or(1_000_000)
    }

    fn millis(&self, name: &str) -> Option<Duration> {
        self.given(name)?.parse().ok().map(Duration::from_millis)
    }

    fn given(&self, name: &str) -> Option<&str> {
        self.client.iter().rev().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }
}
