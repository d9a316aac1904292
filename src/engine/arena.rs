//! Memory for customers' facts: blocks of bytes out of large chunks, so that a customer costs their bytes and a few
//! more, not an allocation of their own. A block's address and class are kept by its owner, its length in itself.

/// Blocks of up to this many bytes come from chunks; longer ones are allocated singly.
const CHUNKED_BYTES_MAX: usize = 32 << 10;
const CHUNK_BYTES: usize = 1 << 20;
/// Addresses count units of this many bytes, so that 31 bits reach 16 GiB.
const UNIT: usize = 8;
/// Classes are one unit apart up to here, then an eighth of their size.
const FINE_BYTES_MAX: usize = 512;

/// Where a block is: in units from the first chunk on, or for one that is allocated singly its index, marked. Its class
/// stands in its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block(u32);

const LARGE: u32 = 1 << 31;

#[derive(Debug)]
pub struct Arena {
    chunks: Vec<Box<[u8]>>,
    /// Bytes of the last chunk that are handed out.
    used: usize,
    /// Block sizes in bytes, by class.
    sizes: Vec<usize>,
    /// Addresses of free blocks, by class.
    free: Vec<Vec<u32>>,
    large: Vec<Box<[u8]>>,
    large_free: Vec<u32>,
}

impl Default for Arena {
    fn default() -> Arena {
        let mut sizes = vec![];
        let mut size = UNIT;
        while size <= CHUNKED_BYTES_MAX {
            sizes.push(size);
            size += if size < FINE_BYTES_MAX { UNIT } else { (size / 8).next_multiple_of(UNIT) };
        }
        assert!(sizes.len() <= 256, "classes fit their byte");
        let free = vec![Vec::new(); sizes.len()];
        Arena { chunks: Vec::new(), used: CHUNK_BYTES, sizes, free, large: Vec::new(), large_free: Vec::new() }
    }
}

impl Arena {
    /// A block that holds `bytes`.
    pub fn insert(&mut self, bytes: &[u8]) -> Block {
        match self.class_of(bytes.len()) {
            Some(class) => {
                let block = self.allocate(class);
                self.space_mut(block)[0] = class;
                self.fill(block, class, bytes);
                block
            }
            None => self.insert_large(bytes),
        }
    }

    /// Replaces a block's bytes, moving it when its class changes.
    pub fn replace(&mut self, block: Block, bytes: &[u8]) -> Block {
        if block.0 & LARGE == 0
            && let Some(class) = self.class_of(bytes.len()).filter(|class| self.space_mut(block)[0] == *class)
        {
            self.fill(block, class, bytes);
            return block;
        }
        self.remove(block);
        self.insert(bytes)
    }

    pub fn remove(&mut self, block: Block) {
        if block.0 & LARGE != 0 {
            let index = block.0 & !LARGE;
            self.large[index as usize] = Box::default();
            self.large_free.push(index);
        } else {
            let class = self.space_mut(block)[0];
            self.free[usize::from(class)].push(block.0);
        }
    }

    /// The block's bytes, with whatever stands behind what was written.
    #[inline]
    pub fn bytes(&self, block: Block) -> &[u8] {
        if block.0 & LARGE != 0 {
            return &self.large[(block.0 & !LARGE) as usize];
        }
        let start = block.0 as usize * UNIT;
        &self.chunks[start / CHUNK_BYTES][start % CHUNK_BYTES + 1..]
    }

    /// The block's bytes as far as they are its own, with zeros behind what was written.
    pub fn whole(&self, block: Block) -> &[u8] {
        let bytes = self.bytes(block);
        if block.0 & LARGE != 0 {
            return bytes;
        }
        let start = block.0 as usize * UNIT;
        let class = self.chunks[start / CHUNK_BYTES][start % CHUNK_BYTES];
        &bytes[..self.sizes[usize::from(class)] - 1]
    }

    /// Reads a byte of each of the block's first cache lines, so that they are at hand soon.
    pub fn touch(&self, block: Block) {
        let bytes = self.bytes(block);
        let sample = [0, 64, 128, 192].map(|offset| bytes.get(offset).copied().unwrap_or_default());
        std::hint::black_box(sample);
    }

    /// All memory held, in bytes: chunks, single blocks, free lists.
    pub fn held_bytes(&self) -> usize {
        let large: usize = self.large.iter().map(|block| block.len()).sum();
        let free: usize = self.free.iter().map(|list| list.capacity() * size_of::<u32>()).sum();
        self.chunks.len() * CHUNK_BYTES + large + free
    }

    /// From the block's first byte to the end of its chunk.
    fn space_mut(&mut self, block: Block) -> &mut [u8] {
        let start = block.0 as usize * UNIT;
        &mut self.chunks[start / CHUNK_BYTES][start % CHUNK_BYTES..]
    }

    /// Zeros behind what is written leave nothing of who had the space before.
    fn fill(&mut self, block: Block, class: u8, bytes: &[u8]) {
        let size = self.sizes[usize::from(class)];
        let space = self.space_mut(block);
        space[1..=bytes.len()].copy_from_slice(bytes);
        space[1 + bytes.len()..size].fill(0);
    }

    /// The smallest class that holds so many bytes and its own.
    fn class_of(&self, n_bytes: usize) -> Option<u8> {
        match n_bytes + 1 {
            size @ 0..=FINE_BYTES_MAX => Some((size.div_ceil(UNIT) - 1) as u8),
            size if size <= self.sizes[self.sizes.len() - 1] => {
                Some(self.sizes.partition_point(|known| *known < size) as u8)
            }
            _ => None,
        }
    }

    fn allocate(&mut self, class: u8) -> Block {
        if let Some(address) = self.free[usize::from(class)].pop() {
            return Block(address);
        }
        let size = self.sizes[usize::from(class)];
        if self.used + size > CHUNK_BYTES {
            self.retire_chunk();
            self.chunks.push(vec![0; CHUNK_BYTES].into_boxed_slice());
            self.used = 0;
        }
        let start = (self.chunks.len() - 1) * CHUNK_BYTES + self.used;
        self.used += size;
        let address = u32::try_from(start / UNIT).ok().filter(|address| address & LARGE == 0);
        Block(address.expect("a shard's facts stay under 16 GiB"))
    }

    /// Hands what is left of the last chunk to the free lists.
    fn retire_chunk(&mut self) {
        if self.chunks.is_empty() {
            return;
        }
        let base = (self.chunks.len() - 1) * CHUNK_BYTES;
        while CHUNK_BYTES - self.used >= UNIT {
            let left = (CHUNK_BYTES - self.used).min(FINE_BYTES_MAX);
            let class = left / UNIT - 1;
            self.free[class].push(((base + self.used) / UNIT) as u32);
            self.used += self.sizes[class];
        }
    }

    fn insert_large(&mut self, bytes: &[u8]) -> Block {
        let index = match self.large_free.pop() {
            Some(index) => index,
            None => {
                self.large.push(Box::default());
                (self.large.len() - 1) as u32
            }
        };
        self.large[index as usize] = bytes.into();
        Block(index | LARGE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_any_size_keep_their_bytes_apart() {
        let mut arena = Arena::default();
        let mut kept = Vec::new();
        for n in (0..3_000).chain([CHUNKED_BYTES_MAX - 1, CHUNKED_BYTES_MAX, CHUNKED_BYTES_MAX + 1, 3 << 20]) {
            let bytes = vec![(n % 251) as u8; n];
            kept.push((arena.insert(&bytes), bytes));
        }
        for (index, (block, bytes)) in kept.iter_mut().enumerate() {
            bytes.extend_from_slice(&vec![7; index % 40]);
            *block = arena.replace(*block, bytes);
        }
        for (block, bytes) in &kept {
            assert_eq!(&arena.bytes(*block)[..bytes.len()], &bytes[..]);
            let (own, behind) = arena.whole(*block).split_at(bytes.len());
            assert_eq!(own, &bytes[..]);
            assert!(behind.iter().all(|byte| *byte == 0), "{behind:?}");
        }
    }

    #[test]
    fn freed_blocks_are_used_again() {
        let mut arena = Arena::default();
        for _ in 0..100_000 {
            let block = arena.insert(&[1; 500]);
            arena.remove(block);
        }
        assert!(arena.held_bytes() < 2 * CHUNK_BYTES);
    }
}
