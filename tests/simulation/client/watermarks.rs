//! Asks how far partitions reach.

use std::time::Duration;

use dormouse::kafka::{Ends, Error, Isolation};

use super::Client;

pub struct Watermarks {
    pub client: Client,
    pub isolation: Isolation,
}

impl Ends for Watermarks {
    fn ends(&self, partitions: &[(&str, i32)], timeout: Duration) -> Result<Vec<i64>, Error> {
        let places: Vec<(String, i32)> = partitions.iter().map(|(topic, n)| ((*topic).to_owned(), *n)).collect();
        let is_committed = self.isolation == Isolation::Committed;
        let answer = self.client.call(timeout.min(Duration::from_secs(2)), move |broker| {
            let logs = places.iter().filter_map(|(topic, partition)| broker.log(topic, *partition));
            logs.map(|log| if is_committed { log.last_stable() } else { log.end() }).collect::<Vec<i64>>()
        });
        match answer {
            Some(answer) if answer.value.len() == partitions.len() => Ok(answer.value),
            _ => Err(self.client.unreachable("tell how far partitions reach", timeout)),
        }
    }

    fn range(&self, topic: &str, partition: i32) -> Result<(i64, i64), Error> {
        let (timeout, place) = (Duration::from_secs(5), (topic.to_owned(), partition));
        let answer =
            self.client.call(timeout, move |broker| broker.log(&place.0, place.1).map(|log| (log.low(), log.end())));
        answer.and_then(|answer| answer.value).ok_or_else(|| self.client.unreachable("tell a range", timeout))
    }

    /// At once: it is asked before each commit, and commits are what a life is to have many of.
    fn n_partitions(&self, topics: &[&str]) -> Result<Vec<Option<usize>>, Error> {
        Ok(topics.iter().map(|_| Some(self.client.world.n_partitions)).collect())
    }
}
