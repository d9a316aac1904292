//! Integers in as few bytes as they need: LEB128, signed ones zigzag. What is read was written here; anything else is
//! our own mistake and ends the process (an assertion), except where a caller checks first.

/// Appends an unsigned integer, 1 to 10 bytes.
#[inline]
pub fn put(out: &mut Vec<u8>, value: u64) {
    if value < 0x80 {
        out.push(value as u8);
    } else if value < 1 << 56 {
        // Eight bytes at once, then as many back as it does not need: cheaper than a loop.
        let n = (63 - value.leading_zeros() as usize) / 7 + 1;
        let more = MORE & ((1 << (8 * (n - 1))) - 1);
        let len = out.len();
        out.extend_from_slice(&(spread(value) | more).to_le_bytes());
        out.truncate(len + n);
    } else {
        put_long(out, value);
    }
}

fn put_long(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The bit of each byte that says that another follows.
const MORE: u64 = 0x8080_8080_8080_8080;

/// 56 bits into the low seven of each of eight bytes.
fn spread(value: u64) -> u64 {
    let value = value & 0x0fff_ffff | (value & 0x00ff_ffff_f000_0000) << 4;
    let value = value & 0x0000_3fff_0000_3fff | (value & 0x0fff_c000_0fff_c000) << 2;
    value & 0x007f_007f_007f_007f | (value & 0x3f80_3f80_3f80_3f80) << 1
}

/// What `spread` was given.
fn gather(value: u64) -> u64 {
    let value = value & 0x007f_007f_007f_007f | (value & 0x7f00_7f00_7f00_7f00) >> 1;
    let value = value & 0x0000_3fff_0000_3fff | (value & 0x3fff_0000_3fff_0000) >> 2;
    value & 0x0fff_ffff | (value & 0x0fff_ffff_0000_0000) >> 4
}

/// Appends a signed integer; small magnitudes of either sign stay short.
pub fn put_signed(out: &mut Vec<u8>, value: i64) {
    put(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Reads what `put` wrote, from the front of a slice on.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    pub rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(rest: &'a [u8]) -> Reader<'a> {
        Reader { rest }
    }

    /// For what is mostly a single byte.
    #[inline]
    pub fn get_short(&mut self) -> u64 {
        if let [byte @ 0..0x80, rest @ ..] = self.rest {
            self.rest = rest;
            return u64::from(*byte);
        }
        self.get_any()
    }

    #[inline(never)]
    fn get_any(&mut self) -> u64 {
        self.get()
    }

    /// Of any length: as long as eight bytes are left, none is told from another by a branch.
    #[inline]
    pub fn get(&mut self) -> u64 {
        if let Some((bytes, _)) = self.rest.split_first_chunk::<8>() {
            let word = u64::from_le_bytes(*bytes);
            let ends = !word & MORE;
            if ends != 0 {
                let n_bits = ends.trailing_zeros() + 1;
                self.rest = &self.rest[n_bits as usize / 8..];
                return gather(word & (u64::MAX >> (64 - n_bits)));
            }
        }
        self.get_long()
    }

    #[inline(never)]
    fn get_long(&mut self) -> u64 {
        let mut value = 0;
        let mut shift = 0;
        loop {
            let (&byte, rest) = self.rest.split_first().expect("a varint ends within its block");
            self.rest = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return value;
            }
            shift += 7;
            assert!(shift < 64, "a varint has at most ten bytes");
        }
    }

    /// Of bytes that may not be what they are taken for: `None` where no varint stands.
    pub fn try_get(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    pub fn get_signed(&mut self) -> i64 {
        let value = self.get();
        (value >> 1) as i64 ^ -((value & 1) as i64)
    }

    pub fn bytes(&mut self, n: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(n);
        self.rest = rest;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_comes_back() {
        let widths = (0..64).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1]);
        for value in widths.chain([300, u64::MAX, 0x0123_4567_89ab_cdef]) {
            let (mut out, mut long) = (vec![7], vec![7]);
            put(&mut out, value);
            put_long(&mut long, value);
            assert_eq!(out, long);
            // At the end of a block, and with more behind it.
            for behind in [0, 20] {
                out.resize(long.len() + behind, 0xff);
                let mut reader = Reader::new(&out[1..]);
                assert_eq!(reader.get(), value);
                assert_eq!(reader.rest.len(), behind);
                assert_eq!(Reader::new(&out[1..]).get_short(), value);
            }
        }
        for value in [0, -1, 1, 63, -64, 64, i64::MIN, i64::MAX] {
            let mut out = Vec::new();
            put_signed(&mut out, value);
            let mut reader = Reader::new(&out);
            assert_eq!(reader.get_signed(), value);
            assert!(reader.rest.is_empty());
        }
    }
}
