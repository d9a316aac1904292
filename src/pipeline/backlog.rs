//! Epochs that were sealed and are not known to be committed, oldest first.
//!
//! What always holds: a shard's parts stand in the order in which they were sealed; no epoch is empty; a part leaves
//! only because it was committed, because its shard is not ours any more, or in an epoch that is taken out to be sent.
//! What is in a part never changes: it may get another stamp, and the oldest may be cut between its pieces.

use std::collections::VecDeque;

use super::epoch::Part;
use super::error::Error;
use crate::kafka::Stamp;

/// What leaves in one transaction: at most one part a shard, unless one was cut.
pub type Epoch = Vec<Part>;

/// The epochs that wait.
#[derive(Debug, Default)]
pub struct Backlog {
    epochs: VecDeque<Epoch>,
}

impl Backlog {
    pub fn is_empty(&self) -> bool {
        self.epochs.is_empty()
    }

    /// The parts of a shard, oldest first.
    pub fn parts_of(&self, shard: i32) -> impl Iterator<Item = &Part> {
        self.epochs.iter().flatten().filter(move |part| part.shard == shard)
    }

    /// Adds a part to the newest epoch, or to a new one where that would have more than `room_bytes`.
    pub fn push(&mut self, part: Part, room_bytes: usize) {
        match self.epochs.back_mut() {
            Some(last) if last.iter().map(Part::size_bytes).sum::<usize>() + part.size_bytes() <= room_bytes => {
                last.push(part);
            }
            _ => self.epochs.push_back(vec![part]),
        }
    }

    /// Takes out the oldest epoch.
    pub fn pop(&mut self) -> Option<Epoch> {
        self.epochs.pop_front()
    }

    /// An epoch that was taken out is the oldest again.
    pub fn put_back(&mut self, epoch: Epoch) {
        self.epochs.push_front(epoch);
    }

    /// Drops the parts of other shards.
    pub fn retain(&mut self, is_kept: impl Fn(i32) -> bool) {
        for epoch in &mut self.epochs {
            epoch.retain(|part| is_kept(part.shard));
        }
        self.epochs.retain(|epoch| !epoch.is_empty());
    }

    /// Hands over the shard's first parts, which were committed, and stamps the others anew.
    pub fn settle(&mut self, shard: i32, n_committed: usize, stamp: &Stamp) -> Vec<Part> {
        let mut committed = Vec::new();
        for epoch in &mut self.epochs {
            let is_committed = |part: &Part| part.shard == shard && committed.len() < n_committed;
            if let Some(index) = epoch.iter().position(is_committed) {
                committed.push(epoch.remove(index));
            }
            epoch.iter_mut().filter(|part| part.shard == shard).for_each(|part| part.stamp = stamp.clone());
        }
        self.epochs.retain(|epoch| !epoch.is_empty());
        committed
    }

    /// Cuts the oldest epoch, which took too long: between its parts, or in its one part between pieces.
    pub fn cut_oldest(&mut self) -> Result<(), Error> {
        let Some(mut epoch) = self.epochs.pop_front() else { return Ok(()) };
        if epoch.len() > 1 {
            let rest = epoch.split_off(epoch.len() / 2);
            self.epochs.push_front(rest);
            self.epochs.push_front(epoch);
        } else if let Some(part) = epoch.pop() {
            let (first, second) = part.split()?;
            if let Some(second) = second {
                self.epochs.push_front(vec![second]);
            }
            self.epochs.push_front(vec![first]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Instant;
    use crate::pipeline::epoch::{Budget, Draft, Message, Sink};
    use crate::pipeline::record::Token;

    fn stamp(generation: i32) -> Stamp {
        Stamp { member: "m".to_owned(), generation }
    }

    fn part(shard: i32, n_pieces: usize) -> Part {
        let mut draft = Draft::new(&Budget::default().into(), 1_000);
        for index in 0..n_pieces {
            draft.push(Message { sink: Sink::Changes, key: None, value: None, headers: Vec::new() });
            let closed = draft.close_piece(vec![index as i64], (Instant(0), false), |_| unreachable!("nobody changed"));
            closed.expect("it can be closed");
        }
        let token = || Token::random().expect("there is chance");
        let (lineage, token) = (token(), token());
        Part { shard, stamp: stamp(1), lineage, epoch: 1, predecessor: None, token, pieces: draft.take() }
    }

    fn backlog(epochs: &[&[i32]]) -> Backlog {
        Backlog { epochs: epochs.iter().map(|shards| shards.iter().map(|&shard| part(shard, 1)).collect()).collect() }
    }

    fn shards(backlog: &Backlog) -> Vec<Vec<i32>> {
        backlog.epochs.iter().map(|epoch| epoch.iter().map(|part| part.shard).collect()).collect()
    }

    #[test]
    fn parts_share_an_epoch_as_far_as_there_is_room() {
        let mut backlog = Backlog::default();
        let room_bytes = 2 * part(0, 1).size_bytes();
        (0..5).for_each(|shard| backlog.push(part(shard, 1), room_bytes));
        assert_eq!(shards(&backlog), [vec![0, 1], vec![2, 3], vec![4]]);
        backlog.push(part(5, 9), room_bytes);
        assert_eq!(shards(&backlog), [vec![0, 1], vec![2, 3], vec![4], vec![5]]);
    }

    #[test]
    fn parts_of_shards_that_are_gone_leave_no_empty_epoch() {
        let mut backlog = backlog(&[&[0, 1], &[1], &[2, 0]]);
        backlog.retain(|shard| shard != 1);
        assert_eq!(shards(&backlog), [vec![0], vec![2, 0]]);
    }

    #[test]
    fn what_was_committed_is_handed_over_and_the_rest_is_stamped_anew() {
        let mut backlog = backlog(&[&[0], &[0, 1], &[1, 0]]);
        let tokens: Vec<Token> = backlog.parts_of(0).map(|part| part.token.clone()).collect();
        let committed = backlog.settle(0, 2, &stamp(2));
        assert_eq!(committed.iter().map(|part| &part.token).collect::<Vec<_>>(), [&tokens[0], &tokens[1]]);
        assert_eq!(shards(&backlog), [vec![1], vec![1, 0]]);
        let generations = |shard| backlog.parts_of(shard).map(|part| part.stamp.generation).collect::<Vec<_>>();
        assert_eq!((generations(0), generations(1)), (vec![2], vec![1, 1]));
    }

    #[test]
    fn an_epoch_is_cut_between_parts_first_and_in_a_part_then_as_far_as_it_has_pieces() {
        let mut backlog = Backlog::default();
        [part(0, 1), part(1, 2), part(2, 1)].into_iter().for_each(|part| backlog.push(part, usize::MAX));
        let cut = |backlog: &mut Backlog| {
            backlog.cut_oldest().expect("there is chance");
            shards(backlog)
        };
        assert_eq!(cut(&mut backlog), [vec![0], vec![1, 2]]);
        assert_eq!(cut(&mut backlog), [vec![0], vec![1, 2]]);
        drop(backlog.pop());
        assert_eq!(cut(&mut backlog), [vec![1], vec![2]]);
        assert_eq!(cut(&mut backlog), [vec![1], vec![1], vec![2]]);
        let epoch = backlog.pop().expect("there is one");
        backlog.put_back(epoch);
        assert_eq!(cut(&mut backlog), [vec![1], vec![1], vec![2]]);
    }
}
