//! Questions about customers, answered by the worker that has their shard, between two of its turns.
//!
//! What always holds: who asks waits, the pipeline does not; only a few questions are open at a time, so that answering
//! takes no more than a little of a worker's time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::explain::Known;
use super::placement::Placement;
use super::reading::Workers;
use super::worker::Order;
use crate::engine::Explanation;

/// More questions are refused until some are answered.
const OPEN_MAX: usize = 8;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    Standing,
    Explanation,
}

/// What is answered.
#[derive(Debug)]
pub enum Answer {
    Standing(Box<Known>),
    Explanation(Box<Explanation>),
    /// There is no such customer.
    Nobody,
    /// The shard is being brought back.
    Restoring,
    /// The shard is another instance's, or nobody's at the moment.
    Elsewhere,
}

/// Why a question is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The instance has not started yet, or has ended.
    Closed,
    /// Too many questions are open.
    Busy,
}

/// Where questions are asked.
#[derive(Debug, Default)]
pub struct Desk {
    open: Mutex<Option<Open>>,
    n_open: Arc<AtomicUsize>,
}

/// Who answers, and how they are found.
struct Open {
    workers: Workers,
    placement: Placement,
    n_partitions: usize,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open").field("n_partitions", &self.n_partitions).finish_non_exhaustive()
    }
}

/// A question that waits for its answer.
#[derive(Debug)]
pub struct Asked {
    /// The shard of the customer; `None` where producers place records in a way of their own.
    pub partition: Option<i32>,
    answer: oneshot::Receiver<Answer>,
    n_open: Arc<AtomicUsize>,
}

impl Asked {
    /// The answer; `None` when the instance ended before it.
    pub async fn answer(mut self) -> Option<Answer> {
        (&mut self.answer).await.ok()
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.n_open.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Desk {
    pub(super) fn open(&self, workers: Workers, placement: Placement, n_partitions: usize) {
        *self.lock() = Some(Open { workers, placement, n_partitions });
    }

    /// Questions that are open stay so until the workers end.
    pub(super) fn close(&self) {
        *self.lock() = None;
    }

    pub fn ask(&self, customer: &str, topic: Topic) -> Result<Asked, Refusal> {
        let open = self.lock();
        let Some(Open { workers, placement, n_partitions }) = &*open else { return Err(Refusal::Closed) };
        if self.n_open.fetch_add(1, Ordering::AcqRel) >= OPEN_MAX {
            self.n_open.fetch_sub(1, Ordering::AcqRel);
            return Err(Refusal::Busy);
        }
        let (reply, answer) = oneshot::channel();
        let partition = match n_partitions {
            1 => Some(0),
            n => placement.partition(customer.as_bytes(), *n),
        };
        let n_asked = if partition.is_some() { 1 } else { workers.0.len() };
        let state = State { reply: Some(reply), n_left: n_asked, is_restoring: false };
        let inquiry = Arc::new(Inquiry { customer: customer.into(), topic, partition, state: Mutex::new(state) });
        match partition {
            Some(partition) => workers.send(partition, Order::Answer(inquiry)),
            None => workers.send_all(|| Order::Answer(Arc::clone(&inquiry))),
        }
        Ok(Asked { partition, answer, n_open: Arc::clone(&self.n_open) })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question as workers see it; when nobody knows which shard it is about, all are asked.
#[derive(Debug)]
pub struct Inquiry {
    pub customer: Box<str>,
    pub topic: Topic,
    pub partition: Option<i32>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    reply: Option<oneshot::Sender<Answer>>,
    /// Workers that have not answered yet.
    n_left: usize,
    is_restoring: bool,
}

impl Inquiry {
    /// A worker's word. Of several, the one that knows the customer counts.
    pub fn answer(&self, answer: Answer) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.n_left = state.n_left.saturating_sub(1);
        state.is_restoring |= matches!(answer, Answer::Restoring);
        let answer = match answer {
            Answer::Standing(_) | Answer::Explanation(_) => answer,
            _ if state.n_left > 0 => return,
            _ if state.is_restoring => Answer::Restoring,
            answer => answer,
        };
        if let Some(reply) = state.reply.take() {
            // Who asked may have gone.
            drop(reply.send(answer));
        }
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::unbounded;

    use super::*;

    fn answered(asked: Asked) -> Answer {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(asked.answer()).expect("it was answered")
    }

    /// The questions that wait for a worker.
    fn waiting(orders: &crossbeam_channel::Receiver<Order>) -> Vec<Arc<Inquiry>> {
        let inquiry = |order| match order {
            Order::Answer(inquiry) => Some(inquiry),
            _ => None,
        };
        orders.try_iter().filter_map(inquiry).collect()
    }

    #[test]
    fn a_question_goes_to_who_has_the_shard() {
        let (desk, (one, first), (other, second)) = (Desk::default(), unbounded(), unbounded());
        assert_eq!(desk.ask("c", Topic::Standing).err(), Some(Refusal::Closed));
        desk.open(Workers(vec![one, other]), Placement::Murmur2, 4);
        let asked = desk.ask("c", Topic::Standing).expect("it is open");
        let partition = asked.partition.expect("the placement is known");
        let of = [first, second].map(|orders| waiting(&orders));
        assert_eq!(of.iter().map(Vec::len).collect::<Vec<_>>()[partition as usize % 2], 1);
        of.iter().flatten().for_each(|inquiry| inquiry.answer(Answer::Nobody));
        assert!(matches!(answered(asked), Answer::Nobody));
        desk.close();
        assert_eq!(desk.ask("c", Topic::Standing).err(), Some(Refusal::Closed));
    }

    #[test]
    fn where_nobody_knows_the_shard_who_knows_the_customer_counts() {
        let (desk, (one, first), (other, second)) = (Desk::default(), unbounded(), unbounded());
        desk.open(Workers(vec![one, other]), Placement::Any, 4);
        for (answers, is_found, is_restoring) in [
            ([Answer::Nobody, found()], true, false),
            ([found(), Answer::Restoring], true, false),
            ([Answer::Restoring, Answer::Nobody], false, true),
            ([Answer::Nobody, Answer::Elsewhere], false, false),
        ] {
            let asked = desk.ask("c", Topic::Standing).expect("it is open");
            let inquiries = [&first, &second].map(|orders| waiting(orders).remove(0));
            inquiries.iter().zip(answers).for_each(|(inquiry, answer)| inquiry.answer(answer));
            let answer = answered(asked);
            assert_eq!(matches!(answer, Answer::Standing(_)), is_found);
            assert_eq!(matches!(answer, Answer::Restoring), is_restoring);
        }
    }

    fn found() -> Answer {
        Answer::Standing(Box::default())
    }

    #[test]
    fn only_a_few_questions_are_open_at_a_time() {
        let (desk, (one, _orders)) = (Desk::default(), unbounded());
        desk.open(Workers(vec![one]), Placement::Murmur2, 1);
        let mut open: Vec<Asked> = (0..OPEN_MAX).map(|_| desk.ask("c", Topic::Standing).expect("room")).collect();
        assert_eq!(desk.ask("c", Topic::Standing).err(), Some(Refusal::Busy));
        // Who asked went away.
        open.pop();
        assert!(desk.ask("c", Topic::Standing).is_ok());
    }
}
