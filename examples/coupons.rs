//! Wakes the dormant: one coupon for each change into the segment, never two, for what they like best, in SQLite.
//!
//! Coupons and the place up to which the topic was read are written in one SQLite transaction, so both are there or
//! neither is, wherever the program was killed; Kafka keeps no place for it. A `change_id` that comes again finds its
//! coupon there. One process at a time: it reads all partitions. What they like best is known with `[interests]`.
//!
//!     cargo run --example coupons -- --brokers 127.0.0.1:9092 --topic segment-changes --database coupons.sqlite

use std::error::Error;
use std::time::Duration;

use clap::Parser;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use rusqlite::{Connection, OptionalExtension, Transaction};
use serde::Deserialize;

#[derive(Parser)]
struct Options {
    #[arg(long, default_value = "127.0.0.1:9092")]
    brokers: String,
    #[arg(long, default_value = "segment-changes")]
    topic: String,
    #[arg(long, default_value = "coupons.sqlite")]
    database: std::path::PathBuf,
    #[arg(long, default_value = "behaviour")]
    dimension: String,
    #[arg(long, default_value = "dormant")]
    segment: String,
    /// More settings of librdkafka, such as security.protocol=sasl_ssl
    #[arg(short = 'X', value_name = "NAME=VALUE")]
    client: Vec<String>,
}

/// What a coupon needs of a change; whatever else is in it, now or later, is passed over.
#[derive(Deserialize)]
struct Change {
    change_id: String,
    customer_id: String,
    interests: Option<std::collections::HashMap<String, Vec<String>>>,
}

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS coupons (change_id TEXT PRIMARY KEY, customer_id TEXT, code TEXT UNIQUE, category TEXT);
    CREATE TABLE IF NOT EXISTS places (topic TEXT, partition INTEGER, next INTEGER, PRIMARY KEY (topic, partition));";

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let mut database = Connection::open(&options.database)?;
    database.execute_batch(TABLES)?;
    let consumer = start(&options, &database)?;
    loop {
        let transaction = database.transaction()?; // for all at hand, since a commit is a write to the disk
        for message in std::iter::from_fn(|| consumer.poll(Duration::from_millis(50))).take(100) {
            match message {
                Ok(message) => take(&message, &options, &transaction)?,
                Err(gone) if gone.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset) => Err(gone)?,
                Err(passing) => eprintln!("{passing}"), // the client reconnects by itself
            }
        }
        transaction.commit()?;
    }
}

/// Reads every partition from its place in the database, or from its start.
fn start(options: &Options, database: &Connection) -> Result<BaseConsumer, Box<dyn Error>> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &options.brokers).set("isolation.level", "read_committed");
    config.set("group.id", "coupons").set("enable.auto.commit", "false"); // nothing is committed to the group
    config.set("auto.offset.reset", "error"); // when changes are gone that were not read yet, people decide
    config.extend(options.client.iter().filter_map(|set| set.split_once('=')).map(|(k, v)| (k.into(), v.into())));
    let consumer: BaseConsumer = config.create()?;
    let metadata = consumer.fetch_metadata(Some(&options.topic), Duration::from_secs(30))?;
    let mut places = TopicPartitionList::new();
    for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
        let sql = "SELECT next FROM places WHERE topic = ?1 AND partition = ?2";
        let next = database.query_row(sql, (&options.topic, partition.id()), |row| row.get(0)).optional()?;
        places.add_partition_offset(&options.topic, partition.id(), next.map_or(Offset::Beginning, Offset::Offset))?;
    }
    consumer.assign(&places)?;
    if places.count() == 0 { Err(format!("there is no topic {}", options.topic).into()) } else { Ok(consumer) }
}

/// Issues a coupon if the message is a change into the segment, and moves the place behind it.
fn take(message: &BorrowedMessage, options: &Options, transaction: &Transaction) -> Result<(), Box<dyn Error>> {
    // The headers say whether the change concerns us; only then it is decoded.
    let header = |name| message.headers()?.iter().find(|header| header.key == name)?.value;
    let into = (header("dormouse-dimension"), header("dormouse-to"));
    if into == (Some(options.dimension.as_bytes()), Some(options.segment.as_bytes())) {
        let change: Change = serde_json::from_slice(message.payload().unwrap_or_default())?;
        let category = change.interests.and_then(|mut lists| lists.remove("categories")?.into_iter().next());
        let sql = "INSERT INTO coupons VALUES (?1, ?2, hex(randomblob(8)), ?3) ON CONFLICT (change_id) DO NOTHING";
        transaction.execute(sql, (change.change_id, change.customer_id, category))?;
    }
    let place = (message.topic(), message.partition(), message.offset() + 1);
    transaction.execute("INSERT OR REPLACE INTO places VALUES (?1, ?2, ?3)", place)?;
    Ok(())
}
