//! A customer's moves over all dimensions, packed: a few bytes each, so that a long history of many customers fits
//! into memory.
//!
//! What always holds: moves come back as they went in, in their order, and their instants never go back.

use crate::event::Instant;
use crate::rules::plan::{DimensionId, SegmentId};

/// One move; from where, the one before it in its dimension says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    pub dimension: DimensionId,
    pub to: Option<SegmentId>,
    pub at: Instant,
}

/// A customer's moves.
#[derive(Debug, Clone, Default)]
pub struct Moves {
    bytes: Vec<u8>,
    last_at: Instant,
}

impl Moves {
    /// Appends a move, which is not earlier than the one before.
    pub fn push(&mut self, Move { dimension, to, at }: Move) {
        assert!(self.bytes.is_empty() || at >= self.last_at, "a customer's moves come in order of time");
        self.bytes.push(dimension.0);
        self.bytes.push(to.map_or(NONE, |segment| segment.0));
        put(zigzag(at.0 - self.last_at.0), &mut self.bytes);
        self.last_at = at;
    }

    pub fn iter(&self) -> impl Iterator<Item = Move> + '_ {
        let mut rest = self.bytes.as_slice();
        let mut at = Instant::ORIGIN;
        std::iter::from_fn(move || {
            let [dimension, to, after @ ..] = rest else { return None };
            rest = after;
            at = Instant(at.0 + unzigzag(take(&mut rest)));
            let to = (*to != NONE).then_some(SegmentId(*to));
            Some(Move { dimension: DimensionId(*dimension), to, at })
        })
    }
}

/// No segment has this number: there are fewer.
const NONE: u8 = u8::MAX;

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
fn put(mut number: u64, bytes: &mut Vec<u8>) {
    while number > 0x7F {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take(rest: &mut &[u8]) -> u64 {
    let (mut number, mut shift) = (0, 0);
    loop {
        let (&byte, after) = rest.split_first().expect("moves are read as they were written");
        *rest = after;
        number |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return number;
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_pushed_comes_back(moves in prop::collection::vec((0_u8..250, prop::option::of(0_u8..250), 0_i64..1 << 40), 0..20)) {
            let mut at = -5;
            let mut packed = Moves::default();
            let mut plain = Vec::new();
            for (dimension, to, later) in moves {
                at += later;
                let one = Move { dimension: DimensionId(dimension), to: to.map(SegmentId), at: Instant(at) };
                packed.push(one);
                plain.push(one);
            }
            prop_assert_eq!(packed.iter().collect::<Vec<_>>(), plain);
        }
    }
}
