//! Gathers what was read of customers: their events and what was published of them. Those that do not fit are put off.

use std::collections::BTreeMap;

use super::Sample;
use crate::plain::{Published, Record};

/// All that is known of one customer.
#[derive(Debug, Default)]
pub struct Case {
    pub records: Vec<Record>,
    /// In the order of the log.
    pub published: Vec<Published>,
}

/// Customers whose hashes lie in a range, its ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    from: u64,
    to: u64,
}

impl Slice {
    /// All that a sample may hold.
    pub fn of(sample: &Sample) -> Slice {
        let to = match sample {
            // Rounding makes little of it: a share is a share.
            Sample::Share(share) if *share < 1.0 => (share.max(0.0) * u64::MAX as f64) as u64,
            _ => u64::MAX,
        };
        Slice { from: 0, to }
    }

    fn holds(self, hash: u64) -> bool {
        (self.from..=self.to).contains(&hash)
    }
}

/// The customers of one pass.
pub struct Gather<'a> {
    sample: &'a Sample,
    slice: Slice,
    /// Put off to later passes.
    pub rest: Vec<Slice>,
    pub cases: BTreeMap<String, Case>,
    held_bytes: usize,
    bytes_max: usize,
}

fn hash(customer: &str) -> u64 {
    rapidhash::v3::rapidhash_v3(customer.as_bytes())
}

impl<'a> Gather<'a> {
    pub fn new(sample: &'a Sample, slice: Slice, bytes_max: usize) -> Gather<'a> {
        Gather { sample, slice, rest: Vec::new(), cases: BTreeMap::new(), held_bytes: 0, bytes_max }
    }

    /// Whether a customer is of the sample, and of this pass.
    pub fn wants(&self, customer: &str) -> bool {
        match self.sample {
            Sample::One(one) => customer == one,
            Sample::Share(_) => self.slice.holds(hash(customer)),
        }
    }

    pub fn add_record(&mut self, customer: &str, record: Record) {
        let n_bytes = size_of::<Record>() + record.event.size_bytes();
        self.case(customer).records.push(record);
        self.hold(n_bytes);
    }

    pub fn add_published(&mut self, customer: &str, published: Published) {
        let n_bytes = size_of::<Published>() + 160;
        self.case(customer).published.push(published);
        self.hold(n_bytes);
    }

    fn case(&mut self, customer: &str) -> &mut Case {
        if !self.cases.contains_key(customer) {
            self.held_bytes += customer.len() + size_of::<Case>() + 64;
            self.cases.insert(customer.to_owned(), Case::default());
        }
        self.cases.get_mut(customer).expect("it was put in if it was not there")
    }

    fn hold(&mut self, n_bytes: usize) {
        self.held_bytes += n_bytes;
        while self.held_bytes > self.bytes_max && self.cases.len() > 1 && self.slice.from < self.slice.to {
            self.halve();
        }
    }

    /// Puts the upper half of the customers off.
    fn halve(&mut self) {
        let middle = self.slice.from + (self.slice.to - self.slice.from) / 2;
        self.rest.push(Slice { from: middle + 1, to: self.slice.to });
        self.slice.to = middle;
        let slice = self.slice;
        self.cases.retain(|customer, _| slice.holds(hash(customer)));
        self.held_bytes = self.cases.iter().map(|(customer, case)| size_bytes(customer, case)).sum();
    }
}

fn size_bytes(customer: &str, case: &Case) -> usize {
    let records: usize = case.records.iter().map(|record| size_of::<Record>() + record.event.size_bytes()).sum();
    let published = case.published.len() * (size_of::<Published>() + 160);
    customer.len() + size_of::<Case>() + 64 + records + published
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::plain::Said;

    fn published() -> Published {
        let said = Said {
            sequence: 1,
            dimension: "d".to_owned(),
            from: None,
            to: None,
            from_since: None,
            effective_at: 0,
            cause: "event".to_owned(),
            origin: None,
        };
        Published { said, place: String::new(), rules: String::new(), is_new: false }
    }

    #[test]
    fn passes_take_every_customer_once_and_no_more_than_fits() {
        let sample = Sample::Share(1.0);
        let customers: Vec<String> = (0..500).map(|number| format!("c-{number}")).collect();
        let (mut open, mut seen, mut n_passes) = (vec![Slice::of(&sample)], BTreeSet::new(), 0);
        while let Some(slice) = open.pop() {
            let mut gather = Gather::new(&sample, slice, 50_000);
            for customer in &customers {
                if gather.wants(customer) {
                    gather.add_published(customer, published());
                }
                assert!(gather.held_bytes <= 50_000);
            }
            n_passes += 1;
            open.extend(gather.rest);
            for customer in gather.cases.into_keys() {
                assert!(seen.insert(customer), "seen twice");
            }
        }
        assert_eq!(seen.len(), customers.len());
        assert!((3..20).contains(&n_passes), "{n_passes} passes");
    }

    #[test]
    fn a_share_is_about_that_and_the_same_each_time() {
        let sample = Sample::Share(0.1);
        let of = || {
            let gather = Gather::new(&sample, Slice::of(&sample), usize::MAX);
            (0..10_000).filter(|number| gather.wants(&format!("c-{number}"))).collect::<Vec<u32>>()
        };
        assert!((800..1_200).contains(&of().len()), "{}", of().len());
        assert_eq!(of(), of());
    }
}
