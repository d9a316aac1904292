//! What leaves in one transaction: parts, one a shard, each made of pieces that begin and end between two events.
//!
//! A part is immutable once it is sealed. Each piece is whole by itself: it ends with the standing of every customer
//! that it changed, and knows the offsets and the clock after it, so that a part that proved too large can be cut
//! between pieces. Bytes are counted from the moment they are written until the part is settled.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::error::Error;
use super::record::{Author, ShardRecord, Token};
use super::sabotage::{self, Bug};
use crate::engine::Cause;
use crate::event::Instant;
use crate::kafka::Stamp;
use crate::rules::plan::{DimensionId, SegmentId};

/// A piece that has grown to this is closed.
const PIECE_BYTES: usize = 256 << 10;
/// What a message costs beside its key, value and headers.
const MESSAGE_OVERHEAD_BYTES: usize = 128;

/// Which of our topics a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sink {
    Changes,
    Standing,
    Rejects,
}

/// A message to be published.
#[derive(Debug)]
pub struct Message {
    pub sink: Sink,
    pub key: Option<Box<[u8]>>,
    pub value: Option<Box<[u8]>>,
    pub headers: Vec<(Cow<'static, str>, Vec<u8>)>,
}

impl Message {
    pub fn size_bytes(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        let body = |bytes: &Option<Box<[u8]>>| bytes.as_ref().map_or(0, |bytes| bytes.len());
        MESSAGE_OVERHEAD_BYTES + headers + body(&self.key) + body(&self.value)
    }
}

/// A change, for the metrics when it is committed.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    pub dimension: DimensionId,
    pub from: Option<SegmentId>,
    pub to: Option<SegmentId>,
    pub cause: Cause,
    /// When its record was appended, or when it became due.
    pub since: Option<Instant>,
}

/// Bytes that wait to be committed, of all shards.
#[derive(Debug, Default)]
pub struct Budget(AtomicUsize);

impl Budget {
    pub fn held_bytes(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

/// A share of the budget that is given back when dropped.
#[derive(Debug)]
pub struct Held {
    n_bytes: usize,
    budget: Arc<Budget>,
}

impl Held {
    pub fn new(budget: &Arc<Budget>) -> Held {
        Held { n_bytes: 0, budget: Arc::clone(budget) }
    }

    fn add(&mut self, n_bytes: usize) {
        self.n_bytes += n_bytes;
        self.budget.0.fetch_add(n_bytes, Ordering::AcqRel);
    }

    /// From now on it is so much.
    pub fn set(&mut self, n_bytes: usize) {
        self.add(n_bytes.saturating_sub(self.n_bytes));
        let surplus = self.n_bytes - n_bytes;
        self.n_bytes = n_bytes;
        self.budget.0.fetch_sub(surplus, Ordering::AcqRel);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.0.fetch_sub(self.n_bytes, Ordering::AcqRel);
    }
}

/// What happened between two moments of a shard's history.
#[derive(Debug)]
pub struct Piece {
    pub messages: Vec<Message>,
    pub told: Vec<Told>,
    /// The next offset of every input after it.
    pub next: Vec<i64>,
    /// `Instant(i64::MIN)`: no record yet.
    pub clock: Instant,
    /// Not everyone who was due by the clock had been judged.
    pub has_dues: bool,
    held: Held,
}

/// What a shard adds to an epoch.
#[derive(Debug)]
pub struct Part {
    pub shard: i32,
    /// Under which membership it was made or has survived.
    pub stamp: Stamp,
    pub lineage: Token,
    pub epoch: u64,
    pub predecessor: Option<Token>,
    pub token: Token,
    /// At least one.
    pub pieces: Vec<Piece>,
}

impl Part {
    pub fn size_bytes(&self) -> usize {
        self.pieces.iter().map(|piece| piece.held.n_bytes).sum()
    }

    /// The next offset of every input after it.
    pub fn next(&self) -> &[i64] {
        &self.last().next
    }

    pub fn last(&self) -> &Piece {
        self.pieces.last().expect("a part has a piece")
    }

    /// The shard's record that goes with it.
    pub fn record(&self, begin: &[i64], author: &Author) -> ShardRecord {
        let offsets =
            |of: &[i64]| -> BTreeMap<String, i64> { author.topics.iter().cloned().zip(of.iter().copied()).collect() };
        let last = self.last();
        ShardRecord {
            lineage: self.lineage.clone(),
            epoch: self.epoch,
            token: self.token.clone(),
            predecessor: self.predecessor.clone(),
            next: offsets(&last.next),
            begin: offsets(begin),
            clock: (last.clock.0 != i64::MIN).then_some(last.clock.0),
            has_dues: last.has_dues,
            topic_ids: author.topic_ids.clone(),
            rules: author.rules.clone(),
            transactional_id: author.transactional_id.clone(),
        }
    }

    /// Cuts it in two between its pieces: the first keeps the predecessor, the second the token. A part of one piece
    /// stays whole.
    pub fn split(mut self) -> Result<(Part, Option<Part>), Error> {
        if self.pieces.len() < 2 {
            return Ok((self, None));
        }
        let rest = self.pieces.split_off(self.pieces.len() / 2);
        let between = Token::random()?;
        let second = Part {
            shard: self.shard,
            stamp: self.stamp.clone(),
            lineage: self.lineage.clone(),
            epoch: self.epoch,
            predecessor: if sabotage::has(Bug::CutsTheChain) {
                self.predecessor.clone()
            } else {
                Some(between.clone())
            },
            token: std::mem::replace(&mut self.token, between),
            pieces: rest,
        };
        Ok((self, Some(second)))
    }
}

/// What a shard has to say since its last part was sealed.
#[derive(Debug)]
pub struct Draft {
    budget: Arc<Budget>,
    /// A piece of so many is closed.
    messages_max: usize,
    closed: Vec<Piece>,
    closed_bytes: usize,
    messages: Vec<Message>,
    told: Vec<Told>,
    held: Held,
    /// Customers that the open piece has changed.
    changed: BTreeSet<Box<str>>,
}

impl Draft {
    /// A piece is closed when it has `messages_max`.
    pub fn new(budget: &Arc<Budget>, messages_max: usize) -> Draft {
        Draft {
            budget: Arc::clone(budget),
            messages_max,
            closed: Vec::new(),
            closed_bytes: 0,
            messages: Vec::new(),
            told: Vec::new(),
            held: Held::new(budget),
            changed: BTreeSet::new(),
        }
    }

    pub fn push(&mut self, message: Message) {
        self.held.add(message.size_bytes());
        self.messages.push(message);
    }

    /// Adds a change of a customer, whose standing the piece must end with.
    pub fn push_change(&mut self, message: Message, customer: &str, told: Told) {
        if !self.changed.contains(customer) {
            self.changed.insert(customer.into());
        }
        self.told.push(told);
        self.push(message);
    }

    pub fn is_empty(&self) -> bool {
        self.closed.is_empty() && self.messages.is_empty()
    }

    pub fn size_bytes(&self) -> usize {
        self.closed_bytes + self.held.n_bytes
    }

    /// Whether the open piece has grown enough to be closed.
    pub fn is_piece_full(&self) -> bool {
        self.held.n_bytes >= PIECE_BYTES || self.messages.len() >= self.messages_max
    }

    /// Ends the open piece between two events. With the clock comes whether not everyone due by it was judged;
    /// `standing_of` writes a customer's standing as it is now.
    pub fn close_piece(
        &mut self,
        next: Vec<i64>,
        (clock, has_dues): (Instant, bool),
        mut standing_of: impl FnMut(&str) -> Result<Message, Error>,
    ) -> Result<(), Error> {
        for customer in std::mem::take(&mut self.changed) {
            let message = standing_of(&customer)?;
            self.push(message);
        }
        let held = std::mem::replace(&mut self.held, Held::new(&self.budget));
        self.closed_bytes += held.n_bytes;
        let messages = std::mem::take(&mut self.messages);
        self.closed.push(Piece { messages, told: std::mem::take(&mut self.told), next, clock, has_dues, held });
        Ok(())
    }

    /// Hands over all closed pieces.
    pub fn take(&mut self) -> Vec<Piece> {
        assert!(self.messages.is_empty(), "the open piece is closed before a part is sealed");
        self.closed_bytes = 0;
        std::mem::take(&mut self.closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Message {
        Message { sink: Sink::Changes, key: None, value: Some(text.as_bytes().into()), headers: Vec::new() }
    }

    fn told() -> Told {
        Told { dimension: DimensionId(0), from: None, to: None, cause: Cause::Event, since: None }
    }

    fn n_messages(part: &Part) -> usize {
        part.pieces.iter().map(|piece| piece.messages.len()).sum()
    }

    fn part(n_pieces: usize, budget: &Arc<Budget>) -> Part {
        let mut draft = Draft::new(budget, 1_000);
        for index in 0..n_pieces {
            draft.push_change(message(&format!("change {index}")), "c", told());
            draft
                .close_piece(vec![index as i64], (Instant(index as i64), false), |_| Ok(message("standing")))
                .expect("it can be closed");
        }
        let token = || Token::random().expect("there is chance");
        let stamp = Stamp { member: "m".to_owned(), generation: 1 };
        let (lineage, predecessor) = (token(), Some(token()));
        Part { shard: 3, stamp, lineage, epoch: 9, predecessor, token: token(), pieces: draft.take() }
    }

    #[test]
    fn a_piece_ends_with_the_standing_of_each_customer_that_it_changed_once() {
        let budget = Arc::default();
        let mut draft = Draft::new(&budget, 1_000);
        for customer in ["b", "a", "b"] {
            draft.push_change(message(customer), customer, told());
        }
        draft.close_piece(vec![4], (Instant(5), false), |customer| Ok(message(customer))).expect("it can be closed");
        let pieces = draft.take();
        let texts: Vec<_> = pieces[0].messages.iter().map(|message| message.value.as_deref()).collect();
        let expected = ["b", "a", "b", "a", "b"].map(|text| Some(text.as_bytes()));
        assert_eq!(texts, expected);
        assert_eq!((pieces[0].told.len(), pieces[0].next.as_slice()), (3, &[4][..]));
    }

    #[test]
    fn what_is_held_is_counted_until_it_is_dropped() {
        let budget = Arc::default();
        let part = part(3, &budget);
        assert!(part.size_bytes() > 0);
        assert_eq!(budget.held_bytes(), part.size_bytes());
        drop(part);
        assert_eq!(budget.held_bytes(), 0);
        let mut held = Held::new(&budget);
        for n_bytes in [7, 3, 0, 9] {
            held.set(n_bytes);
            assert_eq!(budget.held_bytes(), n_bytes);
        }
        drop(held);
        assert_eq!(budget.held_bytes(), 0);
    }

    #[test]
    fn a_cut_part_keeps_the_chain_of_tokens() {
        let budget = Arc::default();
        let whole = part(3, &budget);
        let (predecessor, token, n) = (whole.predecessor.clone(), whole.token.clone(), n_messages(&whole));
        let (first, second) = whole.split().expect("there is chance");
        let second = second.expect("it has more than one piece");
        assert_eq!((&first.predecessor, &second.token), (&predecessor, &token));
        assert_eq!(second.predecessor.as_ref(), Some(&first.token));
        assert_eq!((first.next(), second.next()), (&[0][..], &[2][..]));
        assert_eq!(n_messages(&first) + n_messages(&second), n);
        let (first, none) = first.split().expect("there is chance");
        assert!(none.is_none() && first.pieces.len() == 1);
    }
}
