//! The transaction coordinator: producers' ids and epochs, one open transaction each, markers that arrive apart.
//!
//! An epoch changes with the producer only, not with each transaction: so a delayed request of one transaction can
//! meet the next one, as with brokers before 4.0 and clients that are not newer than they.

use std::collections::{BTreeMap, BTreeSet};

use super::Broker;
use super::group::Refused;
use super::log::Data;

/// One transaction of one producer: the producer's number and the transaction's.
pub type TransactionKey = (u64, u64);

#[derive(Debug)]
pub struct Transactional {
    pub producer: u64,
    pub epoch: i16,
    number: u64,
    state: State,
    places: BTreeSet<(String, i32)>,
    offsets: BTreeMap<(String, i32), i64>,
    has_offsets: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Empty,
    Ongoing,
    /// Decided; so many markers are on their way.
    Completing {
        is_commit: bool,
        n_left: usize,
    },
}

/// A producer as it names itself in requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub id: String,
    pub producer: u64,
    pub epoch: i16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransactionError {
    /// Markers of the last transaction are on their way: ask again.
    Concurrent,
    Fenced,
    /// There is no transaction that this could be about.
    InvalidState,
    Group(Refused),
}

impl Broker {
    /// Who used the id before is fenced; what they had open is aborted first.
    pub fn init_producer(&mut self, id: &str) -> Result<Identity, TransactionError> {
        if !self.transactionals.contains_key(id) {
            self.n_producers += 1;
            let producer = self.n_producers;
            self.transactionals.insert(
                id.to_owned(),
                Transactional {
                    producer,
                    epoch: -1,
                    number: 0,
                    state: State::Empty,
                    places: BTreeSet::new(),
                    offsets: BTreeMap::new(),
                    has_offsets: false,
                },
            );
        }
        let state = self.transactional(id).state;
        match state {
            State::Completing { .. } => Err(TransactionError::Concurrent),
            State::Ongoing => {
                self.transactional(id).epoch += 1;
                self.complete(id, false);
                Err(TransactionError::Concurrent)
            }
            State::Empty => {
                let transactional = self.transactional(id);
                transactional.epoch += 1;
                let (producer, epoch) = (transactional.producer, transactional.epoch);
                Ok(Identity { id: id.to_owned(), producer, epoch })
            }
        }
    }

    /// Adds partitions to the producer's transaction, which begins with the first.
    pub fn add_partitions(&mut self, who: &Identity, places: &[(String, i32)]) -> Result<(), TransactionError> {
        self.join(who)?;
        self.transactional(&who.id).places.extend(places.iter().cloned());
        Ok(())
    }

    /// Appends records in the producer's transaction, to a partition that is in it.
    pub fn produce(
        &mut self,
        who: &Identity,
        topic: &str,
        partition: i32,
        records: Vec<Data>,
    ) -> Result<Vec<i64>, TransactionError> {
        let transactional = self.known(who)?;
        let is_added = transactional.places.contains(&(topic.to_owned(), partition));
        if !is_added || transactional.state != State::Ongoing {
            return Err(TransactionError::InvalidState);
        }
        let (key, now) = ((who.producer, transactional.number), self.now);
        let log = self.log_mut(topic, partition).ok_or(TransactionError::InvalidState)?;
        if !log.accepts(who.producer, who.epoch) {
            return Err(TransactionError::Fenced);
        }
        let offsets = records.into_iter().map(|record| log.append(record, Some(key), now)).collect();
        self.let_arrive(&who.id);
        Ok(offsets)
    }

    /// Commits that went astray arrive when so much of the next transaction is written, of whichever producer.
    fn let_arrive(&mut self, id: &str) {
        let (mut arrived, mut astray) = (Vec::new(), std::mem::take(&mut self.astray));
        astray.retain_mut(|(who, n_left)| {
            *n_left -= usize::from(who.id == id);
            if *n_left == 0 {
                arrived.push(who.clone());
            }
            *n_left > 0
        });
        self.astray = astray;
        for who in arrived {
            // Nobody hears the answer.
            drop(self.end_transaction(&who, true));
        }
    }

    /// Adds the group's offsets to the transaction, when the member and its generation are the group's present ones.
    pub fn add_offsets(
        &mut self,
        who: &Identity,
        (member, generation): (&str, i32),
        offsets: &[(String, i32, i64)],
    ) -> Result<(), TransactionError> {
        self.join(who)?;
        self.group.check(member, generation).map_err(TransactionError::Group)?;
        let transactional = self.transactional(&who.id);
        transactional.has_offsets = true;
        for (topic, partition, next) in offsets {
            transactional.offsets.insert((topic.clone(), *partition), *next);
        }
        Ok(())
    }

    /// Commits or aborts. Answered when it is decided; markers follow.
    pub fn end_transaction(&mut self, who: &Identity, is_commit: bool) -> Result<(), TransactionError> {
        let transactional = self.known(who)?;
        match transactional.state {
            State::Ongoing => {
                self.complete(&who.id, is_commit);
                Ok(())
            }
            State::Completing { is_commit: decided, .. } if decided == is_commit => Ok(()),
            // What was just completed is completed.
            State::Empty if transactional.number > 0 => Ok(()),
            State::Completing { .. } | State::Empty => Err(TransactionError::InvalidState),
        }
    }

    fn known(&mut self, who: &Identity) -> Result<&mut Transactional, TransactionError> {
        let transactional = self.transactionals.get_mut(&who.id).ok_or(TransactionError::InvalidState)?;
        if (transactional.producer, transactional.epoch) != (who.producer, who.epoch) {
            return Err(TransactionError::Fenced);
        }
        Ok(transactional)
    }

    /// The producer's open transaction, which begins if there is none.
    fn join(&mut self, who: &Identity) -> Result<TransactionKey, TransactionError> {
        let timeout = self.transaction_timeout;
        let transactional = self.known(who)?;
        match transactional.state {
            State::Completing { .. } => return Err(TransactionError::Concurrent),
            State::Ongoing => {}
            State::Empty => {
                transactional.state = State::Ongoing;
                transactional.number += 1;
                let (id, number) = (who.id.clone(), transactional.number);
                self.later(timeout, move |broker| broker.time_out(&id, number));
            }
        }
        let transactional = self.transactional(&who.id);
        Ok((who.producer, transactional.number))
    }

    fn time_out(&mut self, id: &str, number: u64) {
        let transactional = self.transactional(id);
        if transactional.number == number && transactional.state == State::Ongoing {
            transactional.epoch += 1;
            self.complete(id, false);
        }
    }

    /// Sends the markers on their way, each partition's on its own.
    fn complete(&mut self, id: &str, is_commit: bool) {
        let marker_delay_max = self.marker_delay_max;
        let transactional = self.transactional(id);
        let places = std::mem::take(&mut transactional.places);
        let offsets = std::mem::take(&mut transactional.offsets);
        let has_offsets = std::mem::take(&mut transactional.has_offsets);
        let n_left = places.len() + usize::from(has_offsets);
        let (producer, epoch, number) = (transactional.producer, transactional.epoch, transactional.number);
        transactional.state = if n_left == 0 { State::Empty } else { State::Completing { is_commit, n_left } };
        for (topic, partition) in places {
            let (delay, id) = (self.delay(marker_delay_max), id.to_owned());
            self.later(delay, move |broker| {
                broker.write_marker(&topic, partition, (producer, number), epoch, is_commit);
                broker.marker_written(&id);
            });
        }
        if has_offsets {
            let (delay, id) = (self.delay(marker_delay_max), id.to_owned());
            self.later(delay, move |broker| {
                if is_commit {
                    broker.offsets.extend(offsets);
                }
                broker.marker_written(&id);
            });
        }
    }

    fn delay(&mut self, max: u64) -> u64 {
        // Most are quick; now and then one takes its time.
        let bound = if self.rng.u8(0..4) == 0 { max } else { max / 50 };
        self.rng.u64(0..=bound)
    }

    fn marker_written(&mut self, id: &str) {
        let transactional = self.transactional(id);
        if let State::Completing { is_commit, n_left } = transactional.state {
            transactional.state = match n_left {
                1 => State::Empty,
                _ => State::Completing { is_commit, n_left: n_left - 1 },
            };
        }
    }

    fn transactional(&mut self, id: &str) -> &mut Transactional {
        self.transactionals.get_mut(id).expect("the id was initialised")
    }
}
