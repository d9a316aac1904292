//! A transactional producer, as librdkafka is one: it asks again by itself, and tells what it knows in the end.

use std::collections::BTreeMap;
use std::time::Duration;

use dormouse::kafka::{Error, Fence, Membership, Outcome, Outgoing, Publishing, Reason};

use dormouse::pipeline::sabotage::{self, Bug};

use super::{Client, Member};
use crate::broker::group::Refused;
use crate::broker::log::Data;
use crate::broker::transactions::{Identity, TransactionError};

const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(6);
/// A commit that took longer is not believed to have gone well.
const SLOW_COMMIT: u64 = 500_000;

pub struct Publisher {
    client: Client,
    who: Identity,
    is_spent: bool,
    placed: Vec<(String, i32, i64)>,
}

type Place = (String, i32);

impl Publisher {
    pub fn open(client: Client, id: &str, timeout: Duration) -> Result<Publisher, Error> {
        let deadline = client.schedule().micros() + timeout.as_micros() as u64;
        while client.schedule().micros() < deadline {
            let (asked, process) = (id.to_owned(), client.threads.process);
            let answer = client.call(timeout, move |broker| {
                let who = broker.init_producer(&asked)?;
                broker.opened.push((asked.clone(), process));
                Ok::<Identity, TransactionError>(who)
            });
            match answer.map(|answer| answer.value) {
                Some(Ok(who)) => return Ok(Publisher { client, who, is_spent: false, placed: Vec::new() }),
                Some(Err(_)) => client.schedule().rest(20_000),
                None => break,
            }
        }
        Err(Error::Transactions { id: id.to_owned(), text: "no answer in time".to_owned() })
    }

    /// Asks until the answer is another than "markers are still on their way".
    fn ask<R: 'static>(
        &self,
        deadline: u64,
        is_shaken: &mut bool,
        request: impl Fn(&mut crate::broker::Broker) -> Result<R, TransactionError> + Clone + Send + 'static,
    ) -> Result<R, Reason> {
        loop {
            let left = deadline.saturating_sub(self.client.schedule().micros());
            let Some(answer) = self.client.call(Duration::from_micros(left), request.clone()) else {
                return Err(Reason::TimedOut("no answer in time".to_owned()));
            };
            *is_shaken |= answer.was_shaken;
            match answer.value {
                Ok(value) => return Ok(value),
                Err(TransactionError::Concurrent) => self.client.schedule().rest(5_000),
                Err(error) => return Err(reason(&error)),
            }
        }
    }

    /// What is sent twice here does no harm when it comes late: partitions that are added and records that have a number.
    fn send(&mut self, parts: Vec<(Place, Vec<(Data, bool)>)>, deadline: u64) -> Result<(), Reason> {
        let mut is_shaken = false;
        let (who, places) = (self.who.clone(), parts.iter().map(|(place, _)| place.clone()).collect::<Vec<Place>>());
        self.ask(deadline, &mut is_shaken, move |broker| broker.add_partitions(&who, &places))?;
        for ((topic, partition), records) in parts {
            let data: Vec<Data> = records.iter().map(|(data, _)| data.clone()).collect();
            let (who, place) = (self.who.clone(), (topic.clone(), partition));
            // The broker drops what a producer sends twice, so the first answer is the answer.
            let left = deadline.saturating_sub(self.client.schedule().micros());
            let once = std::sync::Arc::new(std::sync::Mutex::new(None));
            let request = move |broker: &mut crate::broker::Broker| {
                let mut once = once.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                if let Some(Ok(offsets)) = &*once {
                    let offsets: &Vec<i64> = offsets;
                    return Ok(offsets.clone());
                }
                let answer = broker.produce(&who, &place.0, place.1, data.clone());
                *once = Some(answer.clone());
                answer
            };
            let offsets = self.ask(self.client.schedule().micros() + left, &mut is_shaken, request)?;
            let marked = records.iter().zip(offsets).filter(|((_, is_marked), _)| *is_marked);
            self.placed.extend(marked.map(|(_, offset)| (topic.clone(), partition, offset)));
        }
        Ok(())
    }

    fn send_offsets(
        &self,
        offsets: &[(&str, i32, i64)],
        fence: &Fence<'_, Member>,
        deadline: u64,
    ) -> Result<bool, Reason> {
        // librdkafka asks nobody when there are none.
        if offsets.is_empty() {
            return Ok(false);
        }
        let now = fence.member.stamp();
        if !sabotage::has(Bug::StampsAnew) {
            fence.check(&now)?;
        }
        // The group may move on from here.
        self.client.travel();
        let offsets: Vec<(String, i32, i64)> =
            offsets.iter().map(|(topic, partition, next)| ((*topic).to_owned(), *partition, *next)).collect();
        let who = self.who.clone();
        let mut is_shaken = false;
        self.ask(deadline, &mut is_shaken, move |broker| {
            broker.add_offsets(&who, (&now.member, now.generation), &offsets)
        })?;
        Ok(is_shaken)
    }
}

impl Publishing<Member> for Publisher {
    fn publish<'a>(
        &mut self,
        records: impl Iterator<Item = Outgoing<'a>>,
        offsets: &[(&str, i32, i64)],
        fence: &Fence<'_, Member>,
    ) -> Outcome {
        self.is_spent = true;
        self.placed.clear();
        let deadline = self.client.schedule().micros() + TRANSACTION_TIMEOUT.as_micros() as u64;
        if let Err(reason) = self.send(requests(records), deadline) {
            return Outcome::NotCommitted(reason);
        }
        let started = self.client.schedule().micros();
        let mut is_shaken = match self.send_offsets(offsets, fence, deadline) {
            Ok(is_shaken) => is_shaken,
            Err(reason) => return Outcome::NotCommitted(reason),
        };
        let who = self.who.clone();
        if let Some(n_written) = self.client.goes_astray() {
            is_shaken = true;
            self.client.world.broker().astray.push((who.clone(), n_written));
        }
        match self.ask(deadline, &mut is_shaken, move |broker| broker.end_transaction(&who, true)) {
            Ok(()) if self.client.is_unheard() => Outcome::Unknown(Reason::TimedOut("no answer in time".to_owned())),
            Ok(()) => {
                let is_doubtful = is_shaken || self.client.schedule().micros() - started > SLOW_COMMIT;
                self.is_spent = is_doubtful && !sabotage::has(Bug::TrustsRepeats);
                Outcome::Committed
            }
            Err(reason) => Outcome::Unknown(reason),
        }
    }

    fn is_spent(&self) -> bool {
        self.is_spent
    }

    fn placed(&self) -> Vec<(String, i32, i64)> {
        self.placed.clone()
    }
}

/// One request for each partition, in the order in which the partitions come first.
fn requests<'a>(records: impl Iterator<Item = Outgoing<'a>>) -> Vec<(Place, Vec<(Data, bool)>)> {
    let mut order: BTreeMap<Place, usize> = BTreeMap::new();
    let mut parts: Vec<(Place, Vec<(Data, bool)>)> = Vec::new();
    for record in records {
        let place = (record.topic.to_owned(), record.partition);
        let index = *order.entry(place.clone()).or_insert_with(|| {
            parts.push((place, Vec::new()));
            parts.len() - 1
        });
        let data = Data { key: record.key.map(<[u8]>::to_vec), value: record.value.map(<[u8]>::to_vec) };
        parts[index].1.push((data, record.is_marked));
    }
    parts
}

fn reason(error: &TransactionError) -> Reason {
    match error {
        TransactionError::Fenced => Reason::Fenced("a newer producer".to_owned()),
        TransactionError::Group(Refused::IllegalGeneration | Refused::UnknownMember | Refused::FencedInstance) => {
            Reason::Stale(format!("{error:?}"))
        }
        other => Reason::Other(format!("{other:?}")),
    }
}
