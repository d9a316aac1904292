//! When each customer is due: a hierarchical timing wheel over milliseconds (Varghese and Lauck, 1987), with its lists
//! threaded through the customers' records, so that arming and re-arming cost O(1) and nothing is allocated.
//!
//! A customer whose due moves later stays where they are: the wheel meets them at the earlier place, sees the true
//! due, and moves them on. So most events touch no list at all.

use super::bits;
use crate::event::Instant;

/// Wide levels, so that a customer who is due in weeks is moved on few times: each time costs a wait for memory.
const BITS: u32 = 8;
const SLOTS: usize = 1 << BITS;
/// 8 bits each: 48 bits of milliseconds, far past the year 2100.
const LEVELS: usize = 6;
const HORIZON: i64 = 1 << (BITS as usize * LEVELS);

/// No customer, in lists.
const NIL: u32 = u32::MAX;
/// Not in the wheel.
const UNARMED: u16 = u16::MAX;

/// A customer's place in the wheel, kept in the customer's record.
#[derive(Debug, Clone, Copy)]
pub struct Links {
    next: u32,
    previous: u32,
    /// level · [`SLOTS`] + slot.
    slot: u16,
}

impl Default for Links {
    fn default() -> Links {
        Links { next: NIL, previous: NIL, slot: UNARMED }
    }
}

/// Access to the records that the lists are threaded through.
pub trait Records {
    fn links(&mut self, index: u32) -> &mut Links;
    fn due(&self, index: u32) -> Instant;
}

#[derive(Debug)]
pub struct Wheel {
    /// Everything due before it has been handed out.
    now: i64,
    heads: Vec<u32>,
    occupied: [[u64; SLOTS / 64]; LEVELS],
}

impl Default for Wheel {
    fn default() -> Wheel {
        Wheel { now: 0, heads: vec![NIL; SLOTS * LEVELS], occupied: [[0; SLOTS / 64]; LEVELS] }
    }
}

impl Wheel {
    /// A wheel for a clock that stands there already. Who is due before it is met at once.
    pub fn standing_at(clock: Instant) -> Wheel {
        Wheel { now: clock.0.max(0), ..Wheel::default() }
    }

    /// Sees to it that the customer is met at their due or before it.
    pub fn arm(&mut self, records: &mut impl Records, index: u32) {
        let due = records.due(index);
        if due.0 >= HORIZON {
            return;
        }
        let slot = self.slot_of(due.0);
        let armed = records.links(index).slot;
        if armed != UNARMED {
            if armed == slot || self.start_of(armed) <= due.0 {
                return;
            }
            self.unlink(records, index);
        }
        self.link(records, index, slot);
    }

    /// Takes out everyone met at the earliest occupied millisecond at or before `clock` whose due is that very
    /// millisecond, into `out` (in no order). Returns that instant, or `None` when nobody is due up to `clock`.
    pub fn pop(&mut self, records: &mut impl Records, clock: Instant, out: &mut Vec<u32>) -> Option<Instant> {
        loop {
            let (level, slot, start) = self.earliest()?;
            if start > clock.0 {
                return None;
            }
            self.now = self.now.max(start);
            let mut index = self.take(level, slot);
            while index != NIL {
                let links = records.links(index);
                let next = links.next;
                *links = Links::default();
                let due = records.due(index);
                if level == 0 && due.0 <= start {
                    out.push(index);
                } else if due.0 < HORIZON {
                    let slot = self.slot_of(due.0);
                    self.link(records, index, slot);
                }
                index = next;
            }
            if !out.is_empty() {
                return Some(Instant(start));
            }
        }
    }

    /// Takes out some of those who are due up to `clock`, into `out` (in no order). False: nobody is.
    pub fn take_due(&mut self, records: &mut impl Records, clock: Instant, out: &mut Vec<u32>) -> bool {
        let n_before = out.len();
        while let Some((level, slot, start)) = self.earliest().filter(|(_, _, start)| *start <= clock.0) {
            self.now = self.now.max(start);
            let mut index = self.take(level, slot);
            while index != NIL {
                let next = std::mem::take(records.links(index)).next;
                let due = records.due(index);
                if due <= clock {
                    out.push(index);
                } else if due.0 < HORIZON {
                    let slot = self.slot_of(due.0);
                    self.link(records, index, slot);
                }
                index = next;
            }
            if out.len() > n_before {
                return true;
            }
        }
        false
    }

    /// The memory held beside the records, in bytes.
    pub fn held_bytes(&self) -> usize {
        self.heads.len() * size_of::<u32>()
    }

    fn slot_of(&self, due: i64) -> u16 {
        let due = due.max(self.now);
        let differing = (due ^ self.now) as u64 | 1;
        let level = (63 - differing.leading_zeros()) / BITS;
        let slot = (due >> (level * BITS)) as usize & (SLOTS - 1);
        (level as usize * SLOTS + slot) as u16
    }

    /// The first millisecond of a slot that holds somebody.
    fn start_of(&self, slot: u16) -> i64 {
        let (level, slot) = (u32::from(slot) / SLOTS as u32, i64::from(slot) % SLOTS as i64);
        let above = self.now >> ((level + 1) * BITS) << ((level + 1) * BITS);
        above | slot << (level * BITS)
    }

    fn earliest(&self) -> Option<(usize, usize, i64)> {
        (0..LEVELS).find_map(|level| {
            let current = (self.now >> (level as u32 * BITS)) as usize & (SLOTS - 1);
            let slot = bits::next(&self.occupied[level], current);
            debug_assert_eq!(slot, bits::next(&self.occupied[level], 0), "nobody is left behind");
            slot.map(|slot| (level, slot, self.start_of((level * SLOTS + slot) as u16)))
        })
    }

    fn take(&mut self, level: usize, slot: usize) -> u32 {
        bits::set(&mut self.occupied[level], slot, false);
        std::mem::replace(&mut self.heads[level * SLOTS + slot], NIL)
    }

    fn link(&mut self, records: &mut impl Records, index: u32, slot: u16) {
        let head = std::mem::replace(&mut self.heads[usize::from(slot)], index);
        *records.links(index) = Links { next: head, previous: NIL, slot };
        if head != NIL {
            records.links(head).previous = index;
        }
        bits::set(&mut self.occupied[usize::from(slot) / SLOTS], usize::from(slot) % SLOTS, true);
    }

    fn unlink(&mut self, records: &mut impl Records, index: u32) {
        let Links { next, previous, slot } = std::mem::take(records.links(index));
        if next != NIL {
            records.links(next).previous = previous;
        }
        match previous {
            NIL => self.heads[usize::from(slot)] = next,
            _ => records.links(previous).next = next,
        }
        if self.heads[usize::from(slot)] == NIL {
            bits::set(&mut self.occupied[usize::from(slot) / SLOTS], usize::from(slot) % SLOTS, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Default)]
    struct List(Vec<(Instant, Links)>);

    impl Records for List {
        fn links(&mut self, index: u32) -> &mut Links {
            &mut self.0[index as usize].1
        }
        fn due(&self, index: u32) -> Instant {
            self.0[index as usize].0
        }
    }

    proptest! {
        /// Arming and re-arming at random, then passing time in steps, hands out everyone who is due, and nobody else: by
        /// `pop` at their due, in order; by `take_due` in no order, some times at once.
        #[test]
        fn everyone_is_met_when_they_are_due(
            steps in prop::collection::vec((0_u32..20, 0_i64..1 << 22, 0_i64..1 << 18), 1..200),
            is_in_order: bool,
        ) {
            let mut records = List(vec![(Instant::NEVER, Links::default()); 20]);
            let mut wheel = Wheel::default();
            let mut clock = 0;
            for (index, ahead, pass) in steps {
                records.0[index as usize].0 = Instant(clock + 1 + ahead);
                wheel.arm(&mut records, index);
                clock += pass;
                let (now, mut last, mut out) = (Instant(clock), Instant(0), Vec::new());
                loop {
                    let at = if is_in_order { wheel.pop(&mut records, now, &mut out) } else { None };
                    if at.is_none() && (is_in_order || !wheel.take_due(&mut records, now, &mut out)) {
                        break;
                    }
                    prop_assert!(at.is_none_or(|at| at >= last && at <= now));
                    last = at.unwrap_or(last);
                    for index in out.drain(..) {
                        let due = std::mem::replace(&mut records.0[index as usize].0, Instant::NEVER);
                        prop_assert!(at.map_or(due <= now, |at| due == at));
                    }
                }
                prop_assert!(records.0.iter().all(|(due, _)| due.0 > clock));
            }
        }
    }
}
