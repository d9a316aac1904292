//! The thread that reads the inputs, and the one that asks how far they reach.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TryRecvError};

use super::constancy::Inspection;
use super::error::Error;
use super::stop::Stop;
use super::tools::Tools;
use super::worker::Order;
use crate::kafka::{self, Cluster, Isolation, Reading as _};

/// How long the reader waits when there was nothing; it is woken earlier when something comes.
const WAIT: Duration = Duration::from_millis(10);
/// Between two questions that somebody waits for.
const DEMAND_INTERVAL: Duration = Duration::from_millis(2);
/// How often it is looked whether the topics are still what they were.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// What the reader is told.
pub enum ReadOrder {
    Start { reading: u64, partition: i32, starts: Vec<i64> },
    Stop(i32),
}

/// The workers, each with its shards.
#[derive(Clone)]
pub struct Workers(pub Vec<Sender<Order>>);

impl Workers {
    /// Sends to the worker that owns a shard. One that has ended has said why.
    pub fn send(&self, partition: i32, order: Order) {
        drop(self.0[partition as usize % self.0.len()].send(order));
    }

    pub fn send_all(&self, mut order: impl FnMut() -> Order) {
        for worker in &self.0 {
            drop(worker.send(order()));
        }
    }
}

/// Reads what it is told to and hands batches to the workers, until `stop`.
pub fn read<C: Cluster>(
    cluster: &C,
    tools: &Tools,
    workers: &Workers,
    orders: &Receiver<ReadOrder>,
    stop: &Stop,
) -> Result<(), Error> {
    let mut intake = cluster.open_intake(Isolation::Committed, &tools.topics, tools.n_partitions)?;
    tools.read_from_here();
    while !stop.is_requested() {
        loop {
            match orders.try_recv() {
                Ok(ReadOrder::Start { reading, partition, starts }) => intake.start(reading, partition, &starts)?,
                Ok(ReadOrder::Stop(partition)) => intake.stop(partition)?,
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return Ok(()),
            }
        }
        let any = intake.read(tools.quota_bytes(), &mut |batch| workers.send(batch.partition, Order::Batch(batch)))?;
        if !any {
            tools.pace.park(WAIT);
        }
    }
    Ok(())
}

/// Asks for the ends of the inputs as often as they are needed, until `stop`.
pub fn watch_ends<C: Cluster>(cluster: &C, tools: &Arc<Tools>, workers: &Workers, stop: &Stop) -> Result<(), Error> {
    let watermarks = cluster.open_watermarks(Isolation::Uncommitted)?;
    let interval = (tools.end_age_max() / 3).clamp(Duration::from_millis(15), Duration::from_millis(500));
    tools.ends.poll_from(tools.pace.waker());
    let mut checked = tools.pace.now();
    let mut inspection = Inspection::default();
    while !stop.is_requested() {
        let is_demanded = tools.ends.take_demand();
        ask(tools, &watermarks)?;
        if is_demanded {
            workers.send_all(|| Order::Look);
        }
        if tools.pace.since(checked) >= CHECK_INTERVAL {
            inspection.look(tools, &watermarks)?;
            checked = tools.pace.now();
        }
        tools.pace.park(DEMAND_INTERVAL);
        let rested = tools.pace.now();
        while !tools.ends.is_demanded() && tools.pace.since(rested) < interval && !stop.is_requested() {
            tools.pace.park(interval);
        }
    }
    Ok(())
}

fn ask(tools: &Tools, watermarks: &impl kafka::Ends) -> Result<(), Error> {
    let owned = tools.ends.owned();
    let inputs = || tools.topics.iter().enumerate().flat_map(|(i, topic)| owned.iter().map(move |&p| (i, topic, p)));
    let question: Vec<(&str, i32)> = inputs().map(|(_, topic, partition)| (topic.as_str(), partition)).collect();
    let asked = tools.pace.now();
    let answer = match watermarks.ends(&question, REQUEST_TIMEOUT) {
        Ok(answer) => answer,
        Err(error) => {
            // Nobody is at an end then, and time stands still.
            tracing::warn!("the ends of the inputs are not known for now: {error}");
            return Ok(());
        }
    };
    for ((input, topic, partition), end) in inputs().zip(answer) {
        if let Some(next) = tools.ends.high(input, partition).filter(|&high| end < high) {
            return Err(Error::Shortened { topic: topic.clone(), partition, end, next });
        }
        tools.ends.told(input, partition, end, asked);
    }
    Ok(())
}
