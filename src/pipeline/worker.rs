//! A thread that owns some of the shards: it takes orders and batches, lets each shard work in turn, and hands over
//! parts when the committer asks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant as Moment};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::board::Board;
use super::desk::{Answer, Inquiry};
use super::epoch::Part;
use super::error::Error;
use super::tally::Tally;
use super::task::{Opening, Step, Task};
use super::tools::Tools;
use crate::kafka::{Batch, Stamp};

/// How often time passes when nothing comes.
const TICK: Duration = Duration::from_millis(20);
const REPORT_INTERVAL: Duration = Duration::from_millis(500);

/// What a worker is told.
pub enum Order {
    Open(Box<Opening>),
    Close(i32),
    Batch(Batch),
    /// A question about a customer.
    Answer(Arc<Inquiry>),
    /// Something that shards wait for is known now.
    Look,
    /// The shard survives under another membership.
    Restamp(i32, Stamp),
    Seal {
        is_last: bool,
        reply: Sender<Vec<Part>>,
    },
}

/// Works until its orders end.
pub struct Worker {
    tools: Arc<Tools>,
    board: Arc<Board>,
    orders: Receiver<Order>,
    tasks: BTreeMap<i32, Task>,
    tally: Tally,
    reported: Moment,
}

impl Worker {
    pub fn new(tools: Arc<Tools>, board: Arc<Board>, orders: Receiver<Order>) -> Worker {
        let (tally, reported) = (Tally::new(&tools.plan), tools.pace.now());
        Worker { tools, board, orders, tasks: BTreeMap::new(), tally, reported }
    }

    pub fn run(mut self) -> Result<(), Error> {
        let mut is_busy = false;
        loop {
            let wait = if is_busy { Duration::ZERO } else { TICK };
            match self.tools.pace.receive(&self.orders, wait) {
                Ok(order) => self.obey(order)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            while let Ok(order) = self.orders.try_recv() {
                self.obey(order)?;
            }
            is_busy = false;
            for task in self.tasks.values_mut() {
                is_busy |= task.step(&self.tools, &mut self.tally)? == Step::Busy;
            }
            self.tally.tell_progress(self.board.status());
            if self.tools.pace.since(self.reported) >= REPORT_INTERVAL {
                self.report();
            }
        }
    }

    /// Of the shard that is asked about, or of all where nobody knows which it is.
    fn answer(&mut self, inquiry: &Inquiry) -> Answer {
        let Inquiry { customer, topic, partition, .. } = inquiry;
        if let Some(partition) = partition {
            let task = self.tasks.get_mut(partition);
            return task.map_or(Answer::Elsewhere, |task| task.answer(customer, *topic));
        }
        let mut is_restoring = false;
        for task in self.tasks.values_mut() {
            match task.answer(customer, *topic) {
                Answer::Restoring => is_restoring = true,
                Answer::Nobody | Answer::Elsewhere => {}
                answer => return answer,
            }
        }
        if is_restoring { Answer::Restoring } else { Answer::Nobody }
    }

    fn obey(&mut self, order: Order) -> Result<(), Error> {
        match order {
            Order::Open(opening) => {
                self.tasks.insert(opening.partition, Task::new(*opening, &self.tools));
                self.report();
            }
            Order::Look => {}
            Order::Answer(inquiry) => inquiry.answer(self.answer(&inquiry)),
            Order::Close(partition) => {
                self.tasks.remove(&partition);
                self.board.forget(partition);
            }
            Order::Batch(batch) => {
                // One of an earlier reading of the partition is nobody's.
                if let Some(task) = self.tasks.get_mut(&batch.partition).filter(|task| task.reading == batch.reading) {
                    task.push(batch, &self.tools);
                }
            }
            Order::Restamp(partition, stamp) => {
                if let Some(task) = self.tasks.get_mut(&partition) {
                    task.restamp(stamp);
                }
            }
            Order::Seal { is_last, reply } => {
                let mut parts = Vec::new();
                for task in self.tasks.values_mut() {
                    parts.extend(task.seal(&self.tools, is_last)?);
                }
                // A committer that does not wait any more has ended with an error of its own.
                drop(reply.send(parts));
            }
        }
        Ok(())
    }

    fn report(&mut self) {
        self.reported = self.tools.pace.now();
        self.tally.tell(&self.tools.plan, self.board.status());
        for task in self.tasks.values() {
            self.board.put(task.report(), &self.tools);
        }
    }
}
