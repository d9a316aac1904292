//! An epoch as it goes to Kafka: each part's shard record before everything that the record covers, and an offset of every
//! input, unchanged ones too, since offsets are what the group fences.

use super::backlog::Epoch;
use super::epoch::{Part, Sink};
use super::record::KEY;
use super::sabotage::{self, Bug};
use super::settings::Output;
use crate::engine::Cause;
use crate::kafka::Outgoing;

/// The records of an epoch; `shard_records` are those of its parts, in their order.
pub fn records<'a>(
    output: &'a Output,
    epoch: &'a Epoch,
    shard_records: &'a [Vec<u8>],
) -> impl Iterator<Item = Outgoing<'a>> {
    epoch.iter().zip(shard_records).flat_map(|(part, record)| of_part(output, part, record))
}

/// The next offset of each input of each part: topic, partition, offset.
pub fn offsets<'a>(topics: &'a [String], epoch: &Epoch) -> Vec<(&'a str, i32, i64)> {
    let of_part = |part: &Part| -> Vec<_> {
        topics.iter().zip(part.next()).map(|(topic, &next)| (topic.as_str(), part.shard, next)).collect()
    };
    let is_left_out = |part: &Part| sabotage::has(Bug::LeavesOutUnchangedOffsets) && is_of_time_alone(part);
    epoch.iter().filter(|part| !is_left_out(part)).flat_map(of_part).collect()
}

/// Whether no record made any of it.
fn is_of_time_alone(part: &Part) -> bool {
    part.pieces.iter().flat_map(|piece| &piece.told).all(|told| told.cause == Cause::Elapsed)
}

fn of_part<'a>(output: &'a Output, part: &'a Part, shard_record: &'a [u8]) -> impl Iterator<Item = Outgoing<'a>> {
    let first = Outgoing {
        topic: &output.standing,
        partition: part.shard,
        key: Some(KEY),
        value: Some(shard_record),
        headers: &[],
        is_marked: true,
    };
    let messages = part.pieces.iter().flat_map(|piece| &piece.messages).map(|message| Outgoing {
        topic: match message.sink {
            Sink::Changes => &output.changes,
            Sink::Standing => &output.standing,
            Sink::Rejects => &output.rejects,
        },
        partition: part.shard,
        key: message.key.as_deref(),
        value: message.value.as_deref(),
        headers: &message.headers,
        is_marked: false,
    });
    std::iter::once(first).chain(messages)
}
