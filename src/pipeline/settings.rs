//! What an instance needs to know: where the events are, where changes go, and how time is taken.

use std::time::Duration;

use super::keeping::Snapshots;
use super::placement::Placement;
use super::wall::Wall;
use crate::event::{Format, KindId, Span};
use crate::kafka;

/// What buffers have when nobody says otherwise; more makes nothing faster.
const BUFFER_BYTES_MAX: usize = 256 << 20;
/// With less there is no working.
const BUFFER_BYTES_MIN: usize = 32 << 20;

/// Everything an instance works by, beside the rules.
#[derive(Debug, Clone)]
pub struct Settings {
    pub kafka: kafka::Settings,
    /// At least one. Their order decides between records of the same time.
    pub inputs: Vec<Input>,
    pub output: Output,
    /// How far a shard's clock stays behind.
    pub grace: Span,
    /// How far an event may be ahead of its record, and a record ahead of us.
    pub max_skew: Span,
    /// How long one topic may hold up the others of its shard.
    pub max_hold: Span,
    /// A shard whose clock lags more than this has not caught up.
    pub ready_lag: Span,
    /// Memory for what was read and not yet used and what waits to be committed, together: half of it is for what waits, a
    /// quarter for what was read, and a quarter is left to the reader's own queues.
    pub buffer_bytes: usize,
    /// What the process should stay below, if anything; an alarm comes before it.
    pub memory_limit_bytes: Option<u64>,
    pub n_workers: usize,
    /// Judgements of dues before others have their turn: a million dues must not hold up live events.
    pub turn_dues: usize,
    /// Messages that go together into one piece of an epoch, where it can be cut.
    pub piece_messages: usize,
    pub placement: Placement,
    /// Customers' bytes that are handed out to a snapshot before others have their turn.
    pub slice_bytes: usize,
    /// Where snapshots go; none: state is rebuilt from the input alone.
    pub snapshots: Option<Snapshots>,
    /// Rebuild state although records that it once was made of are gone.
    pub accepts_loss: bool,
    pub wall: Wall,
    /// How long a clean end may take.
    pub shutdown_timeout: Duration,
    /// Whether the end of an instance is the end of its membership, so that others take over at once. If not, its shards
    /// wait for it until its session is over.
    pub leaves_group: bool,
}

/// A topic that events come from.
#[derive(Debug, Clone)]
pub struct Input {
    pub topic: String,
    /// Of events that do not say their own.
    pub kind: Option<KindId>,
    pub format: Format,
}

/// The topics that are written.
#[derive(Debug, Clone)]
pub struct Output {
    pub changes: String,
    pub standing: String,
    pub rejects: String,
    /// Of changes.
    pub format: Format,
}

impl Settings {
    /// The usual values for everything that has one.
    pub fn new(kafka: kafka::Settings, inputs: Vec<Input>, output: Output) -> Settings {
        Settings {
            kafka,
            inputs,
            output,
            grace: Span(5_000),
            max_skew: Span(300_000),
            max_hold: Span(60_000),
            ready_lag: Span(60_000),
            buffer_bytes: BUFFER_BYTES_MAX,
            memory_limit_bytes: None,
            n_workers: std::thread::available_parallelism().map_or(1, usize::from),
            turn_dues: 512,
            piece_messages: 1_000,
            placement: Placement::Murmur2,
            // Well under a millisecond.
            slice_bytes: 128 << 10,
            snapshots: None,
            accepts_loss: false,
            wall: Wall::System,
            shutdown_timeout: Duration::from_secs(30),
            leaves_group: true,
        }
    }

    /// Keeps memory below a limit, as far as it is not customers' state: buffers have a quarter of it.
    pub fn limit_memory(&mut self, limit_bytes: u64) {
        let quarter = usize::try_from(limit_bytes / 4).unwrap_or(usize::MAX);
        self.buffer_bytes = quarter.clamp(BUFFER_BYTES_MIN, BUFFER_BYTES_MAX);
        self.kafka.prefetch_bytes = self.buffer_bytes / 4;
        self.memory_limit_bytes = Some(limit_bytes);
    }

    /// The input topics in their order.
    pub fn topics(&self) -> Vec<String> {
        self.inputs.iter().map(|input| input.topic.clone()).collect()
    }

    /// What must be there.
    pub fn requirements(&self) -> Vec<kafka::Requirement> {
        let inputs = self.inputs.iter().map(|input| (&input.topic, kafka::Role::Input));
        let outputs = [
            (&self.output.changes, kafka::Role::Changes),
            (&self.output.standing, kafka::Role::Standing),
            (&self.output.rejects, kafka::Role::Rejects),
        ];
        inputs.chain(outputs).map(|(topic, role)| kafka::Requirement { topic: topic.clone(), role }).collect()
    }
}
