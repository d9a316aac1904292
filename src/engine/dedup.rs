//! Which events were there before: 64-bit fingerprints of (customer, kind, id) with the time of the event that was
//! folded, for as long as the shard's clock lets a duplicate be looked for (SPEC 4, step 1).

use std::collections::BTreeSet;

use hashbrown::HashTable;

use crate::event::{Instant, KindId, Span};

/// One event folded before: its fingerprint and its time.
#[derive(Debug, Clone, Copy)]
struct Seen {
    fingerprint: u64,
    /// Milliseconds, with the kind in the lowest byte.
    time_and_kind: i64,
}

impl Seen {
    fn time(self) -> Instant {
        Instant(self.time_and_kind >> 8)
    }

    fn kind(self) -> usize {
        (self.time_and_kind & 0xff) as usize
    }
}

/// The table is in parts, so that forgetting the outdated never takes long at once.
const PARTS: usize = 64;

#[derive(Debug)]
pub struct Dedup {
    parts: Vec<HashTable<Seen>>,
    /// Of each kind.
    windows: Vec<Span>,
    walk: Option<Walk>,
}

/// The fingerprints of one moment, handed out part by part while others are added.
#[derive(Debug)]
struct Walk {
    /// The shard's, at that moment.
    clock: Instant,
    /// The first part that was not handed out.
    next: usize,
    /// What was added since to parts that were not handed out.
    later: BTreeSet<(u64, i64)>,
}

/// What an event is to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seniority {
    New,
    Duplicate,
    /// Too late to look.
    Unchecked,
}

impl Dedup {
    pub fn new(windows: Vec<Span>) -> Dedup {
        Dedup { parts: (0..PARTS).map(|_| HashTable::new()).collect(), windows, walk: None }
    }

    /// Looks for an earlier event with the same fingerprint, and remembers this one when it is new. `clock` is the
    /// shard's before this record.
    pub fn check(&mut self, fingerprint: u64, kind: KindId, time: Instant, clock: Instant) -> Seniority {
        let window = self.windows[usize::from(kind.0)];
        if clock > time + window {
            return Seniority::Unchecked;
        }
        let number = part_of(fingerprint);
        let part = &mut self.parts[number];
        let is_twin = |seen: &Seen| {
            seen.fingerprint == fingerprint
                && seen.kind() == usize::from(kind.0)
                && clock <= seen.time() + window
                && (time.0 - seen.time().0).abs() <= window.0
        };
        if part.find(fingerprint, is_twin).is_some() {
            return Seniority::Duplicate;
        }
        if part.len() == part.capacity() {
            let windows = &self.windows;
            // A part that is still to be handed out keeps what counted then.
            let walk = self.walk.as_ref().filter(|walk| number >= walk.next);
            let clock = walk.map_or(clock, |walk| clock.min(walk.clock));
            part.retain(|seen| clock <= seen.time() + windows[seen.kind()]);
            // Growing when half is alive keeps sweeps rare.
            if part.len() > part.capacity() / 2 {
                part.reserve(part.len(), |seen| seen.fingerprint);
            }
        }
        let seen = Seen { fingerprint, time_and_kind: time.0 << 8 | i64::from(kind.0) };
        part.insert_unique(fingerprint, seen, |seen| seen.fingerprint);
        if let Some(walk) = self.walk.as_mut().filter(|walk| number >= walk.next) {
            walk.later.insert((fingerprint, seen.time_and_kind));
        }
        Seniority::New
    }

    /// Begins to hand out what counts at this moment.
    pub fn begin_walk(&mut self, clock: Instant) {
        self.walk = Some(Walk { clock, next: 0, later: BTreeSet::new() });
    }

    /// Hands out the next part, in no order: a fingerprint, and its time and kind as [`Dedup::restore`] takes them. False
    /// when there are no more.
    pub fn walk(&mut self, mut each: impl FnMut(u64, i64)) -> bool {
        let Some(walk) = &mut self.walk else { return false };
        let Some(part) = self.parts.get(walk.next) else {
            self.walk = None;
            return false;
        };
        let is_wanted = |seen: &&Seen| {
            walk.clock <= seen.time() + self.windows[seen.kind()]
                && (walk.later.is_empty() || !walk.later.contains(&(seen.fingerprint, seen.time_and_kind)))
        };
        part.iter().filter(is_wanted).for_each(|seen| each(seen.fingerprint, seen.time_and_kind));
        walk.next += 1;
        true
    }

    pub fn end_walk(&mut self) {
        self.walk = None;
    }

    /// Adds what a walk has handed out; `None` when no kind is that far.
    pub fn restore(&mut self, fingerprint: u64, time_and_kind: i64) -> Option<()> {
        let seen = Seen { fingerprint, time_and_kind };
        self.windows.get(seen.kind())?;
        self.parts[part_of(fingerprint)].insert_unique(fingerprint, seen, |seen| seen.fingerprint);
        Some(())
    }

    /// Reads the place where the fingerprint would stand, so that it is at hand soon.
    pub fn touch(&self, fingerprint: u64) {
        let part = &self.parts[part_of(fingerprint)];
        std::hint::black_box(part.find(fingerprint, |seen| seen.fingerprint == fingerprint));
    }

    pub fn held_bytes(&self) -> usize {
        (0..PARTS).map(|part| self.parts[part].allocation_size()).sum()
    }
}

fn part_of(fingerprint: u64) -> usize {
    (fingerprint >> 32) as usize % PARTS
}

/// The longest event id that decoders let through.
const ID_BYTES_MAX: usize = 128;

/// The fingerprint of an event's id, given the hash of its customer's.
pub fn fingerprint(customer: u64, kind: KindId, id: &str) -> u64 {
    let mut bytes = [0; 9 + ID_BYTES_MAX];
    let n = id.len().min(ID_BYTES_MAX);
    bytes[..8].copy_from_slice(&customer.to_le_bytes());
    bytes[8] = kind.0;
    bytes[9..9 + n].copy_from_slice(&id.as_bytes()[..n]);
    rapidhash::v3::rapidhash_v3(&bytes[..9 + n])
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Span = Span(1_000);

    fn dedup() -> Dedup {
        Dedup::new(vec![WINDOW])
    }

    fn spread(n: i64) -> u64 {
        (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn check(dedup: &mut Dedup, id: u64, time: i64, clock: i64) -> Seniority {
        dedup.check(id, KindId(0), Instant(time), Instant(clock))
    }

    #[test]
    fn the_edges_of_the_window_belong_to_it() {
        let mut dedup = dedup();
        assert_eq!(check(&mut dedup, 1, 5_000, 0), Seniority::New);
        assert_eq!(check(&mut dedup, 1, 6_000, 6_000), Seniority::Duplicate);
        assert_eq!(check(&mut dedup, 1, 4_000, 5_000), Seniority::Duplicate);
        assert_eq!(check(&mut dedup, 1, 4_000, 5_001), Seniority::Unchecked);
        assert_eq!(check(&mut dedup, 1, 6_001, 5_500), Seniority::New);
    }

    #[test]
    fn past_the_clock_an_earlier_event_no_longer_counts() {
        let mut dedup = dedup();
        assert_eq!(check(&mut dedup, 1, 5_000, 0), Seniority::New);
        assert_eq!(check(&mut dedup, 1, 5_900, 6_001), Seniority::New);
    }

    #[test]
    fn a_walk_hands_out_what_counted_when_it_began_whatever_happens_meanwhile() {
        let mut dedup = dedup();
        let clock = 49_000;
        for time in 0..50_000 {
            check(&mut dedup, spread(time), time, time.min(clock));
        }
        dedup.begin_walk(Instant(clock));
        let mut copy = Dedup::new(vec![WINDOW]);
        let (mut n, mut time) = (0, 50_000);
        loop {
            let more = dedup.walk(|fingerprint, time_and_kind| {
                n += 1;
                copy.restore(fingerprint, time_and_kind).expect("the kind is known");
            });
            if !more {
                break;
            }
            // Enough to grow every part, at a clock at which nothing of then counts any more.
            for _ in 0..5_000 {
                check(&mut dedup, spread(time), time, time);
                time += 1;
            }
        }
        assert_eq!(n, 2_000);
        for time in 48_000..50_000 {
            assert_eq!(check(&mut copy, spread(time), time, clock), Seniority::Duplicate, "{time}");
        }
        assert_eq!(check(&mut copy, spread(50_000), 50_000, clock), Seniority::New);
        assert_eq!(check(&mut copy, spread(47_999), 48_500, clock), Seniority::New);
        assert_eq!(copy.restore(1, 5), None);
    }

    #[test]
    fn the_outdated_are_forgotten_not_the_others() {
        let mut dedup = dedup();
        for time in 0..200_000 {
            assert_eq!(check(&mut dedup, spread(time), time, time), Seniority::New);
        }
        assert_eq!(check(&mut dedup, spread(199_500), 199_500, 200_000), Seniority::Duplicate);
        assert!(dedup.held_bytes() < 1 << 20, "{}", dedup.held_bytes());
    }
}
