//! Takes the records of a shard's topics in the order of their events' times; equal times: in the order of the topics,
//! then of offsets. So a catch-up of hours replays purchases and searches as they happened, interleaved.
//!
//! A topic that has nothing at hand holds the others up until it is known that it had nothing when their records came. A
//! record that is no event has no time and is taken at once.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::Instant as Moment;

use crate::event::{Event, Reject};
use crate::kafka::{Batch, Record};

/// The records at hand of one shard, by topic.
#[derive(Debug)]
pub struct Merge {
    inputs: Vec<Queue>,
}

#[derive(Debug)]
struct Queue {
    batches: VecDeque<Batch>,
    /// Into the first batch.
    next_entry: usize,
    /// How far the reader has come.
    position: i64,
}

/// One record that was taken.
#[derive(Debug)]
pub enum Taken<'a> {
    Event(&'a Event<'a>),
    Reject(Reject),
}

/// What the merge asks while it works.
pub trait Judge {
    /// The record as an event.
    fn decode<'r>(&self, input: usize, record: &Record<'r>) -> Result<Event<'r>, Reject>;

    /// False: the record and all after it are not for now.
    fn is_wanted(&self, input: usize, offset: i64) -> bool;

    /// Whether an input that has nothing at hand, and was read up to `position`, had nothing at that moment either.
    fn is_at_end(&self, input: usize, position: i64, since: Moment) -> bool;

    /// Uses a record; break: no more for now.
    fn take(&mut self, input: usize, record: &Record<'_>, taken: Taken<'_>) -> ControlFlow<()>;
}

/// Why the merge ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// Nothing that is wanted is at hand.
    Empty,
    /// There are records at hand, and this input holds them up.
    Held(usize),
    /// It was told to, or has done as much as it should in one go.
    Turn,
}

impl Merge {
    /// One queue for each input, read from these offsets.
    pub fn new(starts: &[i64]) -> Merge {
        let queue = |&position| Queue { batches: VecDeque::new(), next_entry: 0, position };
        Merge { inputs: starts.iter().map(queue).collect() }
    }

    /// Adds what was read next of an input.
    pub fn push(&mut self, batch: Batch) {
        let queue = &mut self.inputs[batch.input];
        assert_eq!(batch.start, queue.position, "batches of a partition follow each other without a gap");
        queue.position = batch.position;
        if batch.n_records() > 0 {
            queue.batches.push_back(batch);
        }
    }

    /// The first offset of every input that was not taken.
    pub fn next(&self) -> Vec<i64> {
        self.inputs.iter().map(|queue| queue.head().map_or(queue.position, |(_, record)| record.offset)).collect()
    }

    /// Of an input that has nothing at hand: how far it was read.
    pub fn idle(&self, input: usize) -> Option<i64> {
        let queue = &self.inputs[input];
        queue.batches.is_empty().then_some(queue.position)
    }

    pub fn n_inputs(&self) -> usize {
        self.inputs.len()
    }

    /// Takes at most `n_max` records. Says why it ended, and how many batches it is done with.
    pub fn run(&mut self, n_max: usize, judge: &mut impl Judge) -> (Pause, usize) {
        let mut cursors: Vec<Cursor<'_>> = self.inputs.iter().map(Cursor::new).collect();
        let mut n_left = n_max;
        let pause = loop {
            match step(&mut cursors, &mut n_left, judge) {
                ControlFlow::Continue(()) => {}
                ControlFlow::Break(pause) => break pause,
            }
        };
        let places: Vec<(usize, usize)> = cursors.iter().map(|cursor| (cursor.batch, cursor.entry)).collect();
        (pause, self.drop_taken(&places))
    }

    fn drop_taken(&mut self, places: &[(usize, usize)]) -> usize {
        let mut n_done = 0;
        for (queue, &(batch, entry)) in self.inputs.iter_mut().zip(places) {
            queue.batches.drain(..batch);
            queue.next_entry = entry;
            n_done += batch;
        }
        n_done
    }
}

impl Queue {
    fn head(&self) -> Option<(&Batch, Record<'_>)> {
        let batch = self.batches.front()?;
        Some((batch, batch.record(self.next_entry)?))
    }
}

/// Where one run stands in one queue.
struct Cursor<'q> {
    queue: &'q Queue,
    batch: usize,
    entry: usize,
    head: Option<Head<'q>>,
}

/// The next record of a queue, when it is an event.
struct Head<'q> {
    record: Record<'q>,
    event: Event<'q>,
    received: Moment,
}

impl<'q> Cursor<'q> {
    fn new(queue: &'q Queue) -> Cursor<'q> {
        Cursor { queue, batch: 0, entry: queue.next_entry, head: None }
    }

    fn peek(&self) -> Option<(Moment, Record<'q>)> {
        let batch = self.queue.batches.get(self.batch)?;
        Some((batch.received, batch.record(self.entry)?))
    }

    /// Goes to the next record; never stands behind the last one of a batch.
    fn advance(&mut self) {
        self.head = None;
        self.entry += 1;
        if self.queue.batches.get(self.batch).is_some_and(|batch| self.entry == batch.n_records()) {
            (self.batch, self.entry) = (self.batch + 1, 0);
        }
    }

    /// Decodes the next event, handing over what is none on the way.
    fn load(&mut self, input: usize, n_left: &mut usize, judge: &mut impl Judge) -> ControlFlow<Pause> {
        while self.head.is_none()
            && let Some((received, record)) = self.peek()
            && judge.is_wanted(input, record.offset)
        {
            match judge.decode(input, &record) {
                Ok(event) => self.head = Some(Head { record, event, received }),
                Err(reject) => {
                    use_up(n_left)?;
                    let flow = judge.take(input, &record, Taken::Reject(reject));
                    self.advance();
                    end_of_turn(flow)?;
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// Takes one event.
fn step(cursors: &mut [Cursor<'_>], n_left: &mut usize, judge: &mut impl Judge) -> ControlFlow<Pause> {
    for (input, cursor) in cursors.iter_mut().enumerate() {
        cursor.load(input, n_left, judge)?;
    }
    let heads = || cursors.iter().enumerate().filter_map(|(input, cursor)| Some((input, cursor.head.as_ref()?)));
    let Some((input, head)) = heads().min_by_key(|(input, head)| (head.event.time, *input)) else {
        return ControlFlow::Break(Pause::Empty);
    };
    for (other, cursor) in cursors.iter().enumerate() {
        // One with records that are not wanted yet holds up nobody.
        let is_empty = cursor.head.is_none() && cursor.peek().is_none();
        if is_empty && !judge.is_at_end(other, cursor.queue.position, head.received) {
            return ControlFlow::Break(Pause::Held(other));
        }
    }
    use_up(n_left)?;
    let flow = judge.take(input, &head.record, Taken::Event(&head.event));
    cursors[input].advance();
    end_of_turn(flow)
}

fn use_up(n_left: &mut usize) -> ControlFlow<Pause> {
    if *n_left == 0 {
        return ControlFlow::Break(Pause::Turn);
    }
    *n_left -= 1;
    ControlFlow::Continue(())
}

fn end_of_turn(flow: ControlFlow<()>) -> ControlFlow<Pause> {
    if flow.is_break() { ControlFlow::Break(Pause::Turn) } else { ControlFlow::Continue(()) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::event::{Instant, KindId, Reason, TextField};
    use crate::kafka::Stamped;

    /// Values are times in ms; anything else is rejected.
    #[derive(Default)]
    struct Told {
        taken: Vec<String>,
        at_end: BTreeSet<usize>,
        until: Option<i64>,
    }

    impl Judge for Told {
        fn decode<'r>(&self, _: usize, record: &Record<'r>) -> Result<Event<'r>, Reject> {
            let text = std::str::from_utf8(record.value.expect("all have values")).expect("all are text");
            let time = text.parse().map_err(|_| Reject::new(Reason::Undecodable, "not a number"))?;
            Ok(Event {
                kind: KindId(0),
                time: Instant(time),
                customer: "c".into(),
                id: None,
                amount: None,
                texts: [const { None }; TextField::ALL.len()],
                rating: None,
                discount: None,
                lines: Vec::new(),
                attributes: Vec::new(),
            })
        }

        fn is_wanted(&self, _: usize, offset: i64) -> bool {
            self.until.is_none_or(|until| offset < until)
        }

        fn is_at_end(&self, input: usize, _: i64, _: Moment) -> bool {
            self.at_end.contains(&input)
        }

        fn take(&mut self, input: usize, record: &Record<'_>, taken: Taken<'_>) -> ControlFlow<()> {
            self.taken.push(match taken {
                Taken::Event(event) => format!("{input}@{}", event.time.0),
                Taken::Reject(_) => format!("{input}!{}", record.offset),
            });
            ControlFlow::Continue(())
        }
    }

    fn batch(input: usize, start: i64, values: &[&str]) -> Batch {
        let mut batch = Batch::new(1, input, 0, start, Moment::now());
        for value in values {
            let (offset, value) = (batch.position, Some(value.as_bytes()));
            batch.push(&Record { offset, stamped: Stamped::Absent, key: None, value, headers: &[] });
            batch.position += 1;
        }
        batch
    }

    #[test]
    fn records_of_two_topics_are_taken_in_order_of_time_and_ties_in_order_of_topics() {
        let mut merge = Merge::new(&[0, 5]);
        merge.push(batch(0, 0, &["10", "20"]));
        merge.push(batch(0, 2, &["20", "40"]));
        merge.push(batch(1, 5, &["5", "20", "30"]));
        let mut told = Told::default();
        let (pause, n_done) = merge.run(100, &mut told);
        assert_eq!(told.taken, ["1@5", "0@10", "0@20", "0@20", "1@20", "1@30"]);
        assert_eq!((pause, n_done), (Pause::Held(1), 2));
        assert_eq!((merge.next(), merge.idle(0), merge.idle(1)), (vec![3, 8], None, Some(8)));

        told.at_end.insert(1);
        assert_eq!(merge.run(100, &mut told), (Pause::Empty, 1));
        assert_eq!(told.taken.last().map(String::as_str), Some("0@40"));
        assert_eq!(merge.next(), [4, 8]);
    }

    #[test]
    fn what_is_no_event_is_taken_at_once_and_holds_up_nobody() {
        let mut merge = Merge::new(&[0, 0]);
        merge.push(batch(0, 0, &["x", "10", "y"]));
        let mut told = Told::default();
        assert_eq!(merge.run(100, &mut told), (Pause::Held(1), 0));
        assert_eq!(told.taken, ["0!0"]);
        merge.push(batch(1, 0, &["z", "9"]));
        assert_eq!(merge.run(100, &mut told).0, Pause::Held(1));
        assert_eq!(told.taken, ["0!0", "1!0", "1@9"]);
        assert_eq!(merge.next(), [1, 2]);
    }

    #[test]
    fn a_turn_ends_where_it_is_told_and_goes_on_there() {
        let mut merge = Merge::new(&[0]);
        merge.push(batch(0, 0, &["1", "x", "3", "4"]));
        let mut told = Told::default();
        assert_eq!(merge.run(2, &mut told), (Pause::Turn, 0));
        assert_eq!((told.taken.clone(), merge.next()), (vec!["0@1".to_owned(), "0!1".to_owned()], vec![2]));
        assert_eq!(merge.run(2, &mut told), (Pause::Empty, 1));
        assert_eq!(told.taken, ["0@1", "0!1", "0@3", "0@4"]);
    }

    #[test]
    fn records_past_the_limit_wait_and_hold_up_nobody() {
        let mut merge = Merge::new(&[0, 0]);
        merge.push(batch(0, 0, &["1", "2", "3"]));
        merge.push(batch(1, 0, &["1", "1", "1"]));
        let mut told = Told { until: Some(2), ..Told::default() };
        assert_eq!(merge.run(100, &mut told).0, Pause::Empty);
        assert_eq!(told.taken, ["0@1", "1@1", "1@1", "0@2"]);
        assert_eq!(merge.next(), [2, 2]);
    }

    #[test]
    #[should_panic(expected = "without a gap")]
    fn a_gap_between_batches_is_our_fault() {
        let mut merge = Merge::new(&[0]);
        merge.push(batch(0, 3, &["1"]));
    }
}
