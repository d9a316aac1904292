//! Topics in place of files: every partition of every topic is read, committed records only, from its first record to
//! where it ended when the replay began, and merged like a file.
//!
//! Nothing is committed, and no group is joined. What always holds: as in the service, an event that is too far ahead of
//! its record is rejected; memory is bounded by what each partition may hold of records that nobody took yet.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant as Moment};

use crossbeam_channel::{Sender, bounded};

use super::decode::{Head, Piece, Records, Rejected, Taken};
use super::merge::{File, FromFile};
use super::reader::Raw;
use crate::engine::Mark;
use crate::event::{Decoder, Event, Reason, Reject, Span};
use crate::kafka::{self, Batch, Ends as _, Isolation, Reading as _, Record};
use crate::pipeline::settings::Input;
use crate::pipeline::writer::appended;

/// What all partitions together may hold of records that were read and not yet applied.
const HELD_BYTES: usize = 64 << 20;
const HELD_BYTES_MIN: usize = 256 << 10;
const HELD_BYTES_MAX: usize = 8 << 20;
/// How long the reader waits when there was nothing; it is woken earlier when something comes.
const WAIT: Duration = Duration::from_millis(10);
/// Brokers that send nothing for so long are given up.
const PATIENCE: Duration = Duration::from_secs(60);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Topics to be replayed, each up to where it ends now.
#[derive(Debug, Clone)]
pub struct Topics {
    settings: kafka::Settings,
    names: Vec<String>,
    n_partitions: usize,
    /// `[topic][partition]`: the first offset, and the one behind the last.
    ranges: Vec<Vec<(i64, i64)>>,
    /// How far an event may be ahead of its record.
    max_skew: Span,
}

/// Why topics cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Kafka(#[from] kafka::Error),
    #[error("topic {0} does not exist; `dormouse topics` says what else is wrong")]
    Missing(String),
    #[error("the topics have different numbers of partitions; `dormouse topics` says which")]
    Uneven,
}

impl Topics {
    /// Looks how far the topics reach.
    pub fn look(settings: kafka::Settings, names: Vec<String>, max_skew: Span) -> Result<Topics, Error> {
        let ends = kafka::Watermarks::open(&settings, Isolation::Committed)?;
        let borrowed: Vec<&str> = names.iter().map(String::as_str).collect();
        let counts = ends.n_partitions(&borrowed)?;
        let missing = names.iter().zip(&counts).find(|(_, count)| count.is_none());
        if let Some((name, _)) = missing {
            return Err(Error::Missing(name.clone()));
        }
        let n_partitions = counts.first().copied().flatten().unwrap_or(0);
        if counts.iter().any(|count| *count != Some(n_partitions)) {
            return Err(Error::Uneven);
        }
        let mut ranges = Vec::with_capacity(names.len());
        for name in &borrowed {
            let partitions: Vec<(&str, i32)> = (0..n_partitions as i32).map(|partition| (*name, partition)).collect();
            let last = ends.ends(&partitions, REQUEST_TIMEOUT)?;
            let first = partitions.iter().map(|(name, partition)| Ok(ends.range(name, *partition)?.0));
            let first: Vec<i64> = first.collect::<Result<_, kafka::Error>>()?;
            ranges.push(first.into_iter().zip(last).collect());
        }
        Ok(Topics { settings, names, n_partitions, ranges, max_skew })
    }
}

/// Records of one partition, and what they are read as.
pub struct TopicPiece {
    batch: Batch,
    input: Input,
    max_skew: Span,
    /// Records from here on came after the replay began.
    end: i64,
}

impl TopicPiece {
    /// The offset of the record at `index`.
    pub fn offset(&self, index: u32) -> u64 {
        self.batch.record(index as usize).map_or(0, |record| record.offset as u64)
    }

    /// Decodes the records before the end; customers are spread over `n_shards`.
    pub fn decode(&self, decoder: &Decoder, n_shards: u32) -> Records<'_> {
        let mut records = Records::default();
        let all = (0..self.batch.n_records()).filter_map(|index| self.batch.record(index));
        for (line, record) in (0..).zip(all.take_while(|record| record.offset < self.end)) {
            records.n_lines += 1;
            match self.decode_record(decoder, record) {
                Ok(event) => {
                    let mark = Mark::of(&event);
                    records.heads.push(Head::Event { time: event.time, shard: mark.shard_of(n_shards) });
                    records.events.push(Taken { line, mark, event });
                }
                Err(reject) => {
                    let bytes = record.value.unwrap_or_default();
                    records.heads.push(Head::Reject);
                    records.rejects.push(Rejected { line, reject, bytes, n_bytes: None });
                }
            }
        }
        records
    }

    fn decode_record<'a>(&self, decoder: &Decoder, record: Record<'a>) -> Result<Event<'a>, Reject> {
        let Some(value) = record.value else {
            return Err(Reject::new(Reason::Undecodable, "the record has no value"));
        };
        let event = decoder.decode(self.input.format, value, self.input.kind)?;
        match appended(record.stamped) {
            Some(stamped) if event.time > stamped + self.max_skew => {
                let detail = format!("{} is {} ahead of its record", event.time, event.time - stamped);
                Err(Reject::new(Reason::Future, detail))
            }
            _ => Ok(event),
        }
    }
}

/// Starts the thread that reads; the files that the merge sees are the partitions, topic by topic. `inputs` are the
/// topics in the order in which they were looked at.
pub fn start(
    topics: &Topics,
    inputs: &[Input],
    n_bytes_read: &Arc<AtomicU64>,
    to_decode: &Sender<Raw>,
    to_merge: &Sender<FromFile>,
) -> io::Result<Vec<File>> {
    assert!(topics.names.iter().eq(inputs.iter().map(|input| &input.topic)), "the topics that were looked at");
    let mut reader = Reader {
        topics: topics.clone(),
        inputs: inputs.to_vec(),
        n_bytes_read: n_bytes_read.clone(),
        to_decode: to_decode.clone(),
        to_merge: to_merge.clone(),
        flows: topics.ranges.iter().flatten().map(|range| Flow { end: range.1, n_pieces: 0, is_read: false }).collect(),
    };
    thread::Builder::new().name("reader".to_owned()).spawn(move || reader.run())?;
    let names = topics.names.iter().flat_map(|name| (0..topics.n_partitions).map(move |n| format!("{name}/{n}")));
    // Partitions hold back by the bytes they hold, not by tokens: nobody takes these.
    Ok(names.map(|name| File::new(name, bounded(0).0)).collect())
}

struct Reader {
    topics: Topics,
    inputs: Vec<Input>,
    n_bytes_read: Arc<AtomicU64>,
    to_decode: Sender<Raw>,
    to_merge: Sender<FromFile>,
    /// By topic, and there by partition.
    flows: Vec<Flow>,
}

struct Flow {
    end: i64,
    n_pieces: u64,
    is_read: bool,
}

impl Reader {
    /// Reads to the ends, or until something fails, or until nobody listens.
    fn run(&mut self) {
        if let Err(error) = self.read() {
            // One of the partitions that are still open; when the merge is gone, it has said why.
            let file = self.flows.iter().position(|flow| !flow.is_read).unwrap_or(0) as u32;
            self.to_merge.send(FromFile::Failed { file, error }).ok();
        }
    }

    fn read(&mut self) -> io::Result<()> {
        let Topics { settings, names, n_partitions, ranges, .. } = self.topics.clone();
        for file in 0..self.flows.len() {
            let (first, end) = ranges[file / n_partitions][file % n_partitions];
            if first >= end {
                self.finish(file);
            }
        }
        let mut intake =
            kafka::Intake::open(&settings, Isolation::Committed, &names, n_partitions).map_err(io::Error::other)?;
        for partition in 0..n_partitions {
            let starts: Vec<i64> = ranges.iter().map(|of_topic| of_topic[partition].0).collect();
            intake.start(0, partition as i32, &starts).map_err(io::Error::other)?;
        }
        let quota_bytes = (HELD_BYTES / self.flows.len().max(1)).clamp(HELD_BYTES_MIN, HELD_BYTES_MAX);
        let mut heard = Moment::now();
        while self.flows.iter().any(|flow| !flow.is_read) {
            let mut is_heard = true;
            let any = intake.read(quota_bytes, &mut |batch| is_heard &= self.take(batch)).map_err(io::Error::other)?;
            if !is_heard {
                return Ok(());
            }
            if any {
                heard = Moment::now();
                continue;
            }
            if heard.elapsed() > PATIENCE && self.to_decode.is_empty() {
                let waited = PATIENCE.as_secs();
                return Err(io::Error::other(format!("the brokers have sent nothing for {waited} s")));
            }
            thread::park_timeout(WAIT);
        }
        Ok(())
    }

    /// False when nobody listens any more.
    fn take(&mut self, batch: Batch) -> bool {
        let file = batch.input * self.topics.n_partitions + batch.partition as usize;
        let flow = &mut self.flows[file];
        if flow.is_read {
            return true;
        }
        let (number, position, end) = (flow.n_pieces, batch.position, flow.end);
        self.n_bytes_read.fetch_add(batch.size_bytes() as u64, Ordering::Relaxed);
        if batch.n_records() > 0 {
            flow.n_pieces += 1;
            let input = self.inputs[batch.input].clone();
            let piece = Piece::Records(TopicPiece { batch, input, max_skew: self.topics.max_skew, end });
            if self.to_decode.send(Raw { file: file as u32, number, piece }).is_err() {
                return false;
            }
        }
        if position >= end {
            self.finish(file);
        }
        true
    }

    fn finish(&mut self, file: usize) {
        let flow = &mut self.flows[file];
        flow.is_read = true;
        // When the merge is gone, the next record finds nobody.
        self.to_merge.send(FromFile::End { file: file as u32, n_chunks: flow.n_pieces }).ok();
    }
}
