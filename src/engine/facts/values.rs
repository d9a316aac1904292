//! The values of one field in the buckets of a series: for each bucket, how many of its events have each value. All in
//! one list, so that opening a customer allocates nothing.

/// How many events of a bucket have a value.
pub type ValueCount = (u32, u32);

/// Indexed by bucket, oldest first; within a bucket values ascend.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values {
    items: Vec<ValueCount>,
    /// Where each bucket's items end.
    ends: Vec<u32>,
}

impl Values {
    pub fn clear(&mut self) {
        self.items.clear();
        self.ends.clear();
    }

    fn start(&self, bucket: usize) -> usize {
        match bucket {
            0 => 0,
            _ => self.ends[bucket - 1] as usize,
        }
    }

    pub fn of(&self, bucket: usize) -> &[ValueCount] {
        &self.items[self.start(bucket)..self.ends[bucket] as usize]
    }

    /// How many events there are, those with several values once for each.
    pub fn n_events(&self) -> i64 {
        self.items.iter().map(|(_, n)| i64::from(*n)).sum()
    }

    /// The items of all buckets, newest bucket first.
    pub fn newest_first(&self) -> impl Iterator<Item = &[ValueCount]> {
        (0..self.ends.len()).rev().map(|bucket| self.of(bucket))
    }

    /// A new bucket without values.
    pub fn insert_bucket(&mut self, bucket: usize) {
        self.ends.insert(bucket, self.start(bucket) as u32);
    }

    /// Adds to the newest bucket while decoding; values come in ascending order.
    pub fn push_item(&mut self, item: ValueCount) {
        self.items.push(item);
    }

    /// Ends the newest bucket while decoding.
    pub fn push_end(&mut self) {
        self.ends.push(self.items.len() as u32);
    }

    pub fn add(&mut self, bucket: usize, (value, n): ValueCount) {
        let start = self.start(bucket);
        match self.of(bucket).binary_search_by_key(&value, |(value, _)| *value) {
            Ok(index) => self.items[start + index].1 += n,
            Err(index) => {
                self.items.insert(start + index, (value, n));
                self.ends[bucket..].iter_mut().for_each(|end| *end += 1);
            }
        }
    }

    /// Moves a bucket's values into the one before it.
    pub fn merge_into_previous(&mut self, bucket: usize) {
        let moved: Vec<ValueCount> = self.items.drain(self.start(bucket)..self.ends[bucket] as usize).collect();
        self.ends.remove(bucket);
        self.ends[bucket..].iter_mut().for_each(|end| *end -= moved.len() as u32);
        for item in moved {
            self.add(bucket - 1, item);
        }
    }

    /// Forgets the oldest buckets.
    pub fn remove_oldest(&mut self, n_buckets: usize) {
        let n_items = self.start(n_buckets);
        self.items.drain(..n_items);
        self.ends.drain(..n_buckets);
        self.ends.iter_mut().for_each(|end| *end -= n_items as u32);
    }
}
