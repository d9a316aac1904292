//! Tells a marketing system of each change into a segment: a signed HTTP POST, again until it is taken.
//!
//! The body is the change as it was published. The headers are those of <https://www.standardwebhooks.com>: `webhook-id` is
//! the `change_id`, also in `idempotency-key`; `webhook-timestamp` the time of the attempt in seconds; `webhook-signature`
//! `v1,` and in base64 the HMAC-SHA256 of `id.timestamp.body`. Anything but a 2xx is tried again, after a random part of
//! 0.5 s, 1 s, 2 s … 30 s; what the last attempt did not bring goes to the dead letters. Only then the offset moves on, and
//! one is sent after the other: a customer's changes arrive in order, each at least once. It may be killed at any time.
//!
//!     WEBHOOK_SECRET=whsec_… cargo run --example webhook -- --url https://marketing.example/dormouse

use std::error::Error;
use std::io::Write;
use std::time::{Duration, SystemTime};

use base64::prelude::{BASE64_STANDARD, Engine};
use clap::Parser;
use hmac::{Hmac, KeyInit, Mac};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::{ClientConfig, error::KafkaError};
use ureq::Agent;

#[derive(Parser)]
struct Options {
    #[arg(long)]
    url: String,
    #[arg(long, default_value = "127.0.0.1:9092")]
    brokers: String,
    #[arg(long, default_value = "segment-changes")]
    topic: String,
    #[arg(long, default_value = "behaviour")]
    dimension: String,
    #[arg(long, default_value = "dormant")]
    segment: String,
    /// Ten end before Kafka gives the partitions to another, after five minutes (max.poll.interval.ms)
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=10))]
    attempts: u32,
    #[arg(long, default_value = "dead-letters.jsonl")]
    dead_letters: String,
    /// More settings of librdkafka, such as security.protocol=sasl_ssl
    #[arg(short = 'X', value_name = "NAME=VALUE")]
    client: Vec<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let secret = std::env::var("WEBHOOK_SECRET").ok().filter(|set| !set.is_empty()).ok_or("no WEBHOOK_SECRET")?;
    let key = BASE64_STANDARD.decode(secret.trim_start_matches("whsec_"))?;
    let agent = Agent::config_builder().timeout_global(Some(Duration::from_secs(10))).max_redirects(0).build().into();
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &options.brokers).set("group.id", "webhook");
    config.set("isolation.level", "read_committed").set("auto.offset.reset", "earliest");
    // What we store is committed every second and when partitions go; we store what is done.
    config.set("enable.auto.offset.store", "false").set("auto.commit.interval.ms", "1000");
    config.extend(options.client.iter().filter_map(|set| set.split_once('=')).map(|(k, v)| (k.into(), v.into())));
    let consumer: BaseConsumer = config.create()?;
    consumer.subscribe(&[&options.topic])?;
    for polled in consumer.iter() {
        match polled {
            Ok(message) => {
                let header = |name| message.headers()?.iter().find(|header| header.key == name)?.value;
                let into = (header("dormouse-dimension"), header("dormouse-to"));
                if into == (Some(options.dimension.as_bytes()), Some(options.segment.as_bytes())) {
                    deliver(message.payload().unwrap_or_default(), &agent, &key, &options)?;
                }
                consumer.store_offset_from_message(&message)?;
            }
            Err(fatal @ KafkaError::MessageConsumptionFatal(_)) => Err(fatal)?,
            Err(passing) => eprintln!("{passing}"), // the client reconnects by itself
        }
    }
    Ok(())
}

/// Sends a change until it is taken, or lays it with the dead letters.
fn deliver(body: &[u8], agent: &Agent, key: &[u8], options: &Options) -> Result<(), Box<dyn Error>> {
    let change: serde_json::Value = serde_json::from_slice(body)?;
    let id = change["change_id"].as_str().ok_or("a change without change_id")?;
    let mut failure = String::new();
    for attempt in 0..options.attempts {
        if attempt > 0 {
            let most = Duration::from_millis(500 << (attempt - 1)).min(Duration::from_secs(30));
            std::thread::sleep(most.mul_f64(f64::from(getrandom::u32()?) / f64::from(u32::MAX)));
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs().to_string();
        let signed = [id.as_bytes(), b".", now.as_bytes(), b".", body].concat();
        let signature = Hmac::<sha2::Sha256>::new_from_slice(key)?.chain_update(signed).finalize().into_bytes();
        let post = agent.post(&options.url).header("content-type", "application/json").header("idempotency-key", id);
        let post = post.header("webhook-id", id).header("webhook-timestamp", &now);
        match post.header("webhook-signature", format!("v1,{}", BASE64_STANDARD.encode(signature))).send(body) {
            Ok(answer) if answer.status().is_success() => return Ok(()),
            Ok(answer) => failure = answer.status().to_string(),
            Err(error) => failure = error.to_string(),
        }
        eprintln!("{id}: attempt {} of {}: {failure}", attempt + 1, options.attempts);
    }
    let mut letters = std::fs::OpenOptions::new().create(true).append(true).open(&options.dead_letters)?;
    letters.write_all(format!("{}\n", serde_json::json!({ "failure": failure, "change": change })).as_bytes())?;
    Ok(letters.sync_all()?)
}
