//! What an instance needs to know: where the events are, where changes go, and how time is taken.

use std::time::Duration;

use super::keeping::Snapshots;
use super::placement::Placement;
use super::wall::Wall;
use crate::event::{Format, KindId, Span};
use crate::kafka;

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
    /// Memory for what was read and not yet used, and for what waits to be committed, each.
    pub buffer_bytes: usize,
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
            buffer_bytes: 128 << 20,
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
        }
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
