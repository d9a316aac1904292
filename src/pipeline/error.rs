//! Why an instance ended although nobody asked it to.

use std::time::Duration;

use crate::kafka;

/// The world failed, or we refuse to go on in it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Kafka(#[from] kafka::Error),
    #[error("{}", findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Topics { findings: Vec<kafka::Finding> },
    #[error(
        "{topic} has {now} partitions now and had {was}: a customer's events would go elsewhere than before. Stop all \
         instances, give every topic {now} partitions, and start a new group with new output topics"
    )]
    PartitionsChanged { topic: String, was: usize, now: usize },
    #[error(
        "partition {partition} was assigned of {} only, and all of {} are needed for one shard", of.join(", "), wanted.join(", ")
    )]
    Incomplete { partition: i32, of: Vec<String>, wanted: Vec<String> },
    #[error(
        "{topic}/{partition} offset {offset}: customer `{customer}` belongs to partition {expected} by {placement} and lies in \
         {partition}. Give the producers of {topic} that partitioner, or say `placement = \"any\"` when keys are placed otherwise"
    )]
    Misplaced { topic: String, partition: i32, offset: i64, customer: String, expected: i32, placement: &'static str },
    #[error(
        "{topic}/{partition}: records {from} to {to} are gone, and state was made of them; conditions that may now be wrong: \
         {conditions}. Say `accept_loss = true` to go on without them"
    )]
    Lost { topic: String, partition: i32, from: i64, to: i64, conditions: String },
    #[error(
        "{topic} was made anew since it was first used (its id was {was} and is {now}): what was read or written before is \
         not in it. Start a new group with new output topics"
    )]
    Recreated { topic: String, was: String, now: String },
    #[error("{topic} does not exist any more. Start a new group with new output topics")]
    Gone { topic: String },
    #[error(
        "{topic}/{partition} has offset {end} as its end, and offset {next} was read before: it is not the topic it was"
    )]
    Shortened { topic: String, partition: i32, end: i64, next: i64 },
    #[error(
        "shard {shard} was last run by rules {recorded}, and these are {loaded}: go back to those rules, or start a new \
         group with new output topics"
    )]
    RulesChanged { shard: i32, recorded: String, loaded: String },
    #[error("{topic}/{partition} offset {offset}: {problem}")]
    Standing { topic: String, partition: i32, offset: i64, problem: String },
    #[error(
        "{topic}/{partition} has standings of customers and no record of the shard: it was written by something else"
    )]
    NoShardRecord { topic: String, partition: i32 },
    #[error("a message of {size_bytes} bytes for {topic} is larger than the {limit_bytes} that it takes")]
    TooLarge { topic: String, size_bytes: usize, limit_bytes: usize },
    #[error("no random bytes could be had: {0}")]
    Random(String),
    #[error("a thread could not be started: {0}")]
    Thread(std::io::Error),
    #[error("the last epoch was not finished within {}s; it will be on the next start", .0.as_secs())]
    ShutdownTimeout(Duration),
}
