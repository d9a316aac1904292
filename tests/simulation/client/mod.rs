//! The simulated cluster as one process reaches it: through a network that delays, loses, doubles and is cut.

mod intake;
mod member;
mod publisher;
mod shelf;
mod watermarks;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dormouse::kafka::{Cluster, Error, Isolation, Listener, Requirement, Topics};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::broker::Broker;
use super::schedule::{Schedule, Threads};

pub use intake::Intake;
pub use member::Member;
pub use publisher::Publisher;
pub use shelf::{Reach, Shelf};
pub use watermarks::Watermarks;

/// When a client gives up on an answer and asks again.
const SOCKET_TIMEOUT: u64 = 1_000_000;
const RETRY_BACKOFF: u64 = 400_000;

/// What all processes share.
pub struct World {
    pub schedule: Arc<Schedule>,
    pub broker: Mutex<Broker>,
    pub weather: Mutex<Weather>,
    pub shelf: Mutex<Shelf>,
    /// How long a tombstone stays on the standing topic, as topics say.
    pub tombstone_ms: Option<i64>,
    /// The wall clock at the start, in milliseconds.
    pub epoch_ms: i64,
    pub topics: Vec<String>,
    pub n_partitions: usize,
}

/// How the network is.
#[derive(Debug, Default)]
pub struct Weather {
    /// Until when a process reaches nobody, in microseconds.
    pub cut_until: BTreeMap<usize, u64>,
    /// One request or answer in so many is lost; 0: none.
    pub one_lost_in: u64,
    /// One commit in so many has no answer; 0: none.
    pub one_unheard_in: u64,
    /// One commit in so many goes astray as its connection breaks; 0: none.
    pub one_astray_in: u64,
    /// The longest that a request or an answer is on its way.
    pub delay_max: u64,
}

impl Weather {
    pub fn draw(rng: &mut fastrand::Rng) -> Weather {
        Weather {
            cut_until: BTreeMap::new(),
            one_lost_in: rng.choice([0, 200, 30, 8]).unwrap_or_default(),
            delay_max: rng.choice([2_000, 50_000, 300_000]).unwrap_or_default(),
            one_astray_in: rng.choice([0, 0, 10, 2]).unwrap_or_default(),
            one_unheard_in: rng.choice([0, 0, 40]).unwrap_or_default(),
        }
    }
}

impl World {
    pub fn broker(&self) -> MutexGuard<'_, Broker> {
        self.broker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn weather(&self) -> MutexGuard<'_, Weather> {
        self.weather.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The wall clock at a moment of the simulation.
    pub fn wall_ms(&self, micros: u64) -> i64 {
        self.epoch_ms + (micros / 1000) as i64
    }
}

/// The cluster, and the process that asks.
#[derive(Clone)]
pub struct Client {
    pub world: Arc<World>,
    pub threads: Arc<Threads>,
    pub instance: String,
}

/// An answer, and whether anything went wrong on the way to it.
struct Answer<R> {
    value: R,
    was_shaken: bool,
}

impl Client {
    fn schedule(&self) -> &Schedule {
        &self.world.schedule
    }

    fn is_cut(&self) -> bool {
        let until = self.world.weather().cut_until.get(&self.threads.process).copied().unwrap_or(0);
        self.schedule().micros() < until
    }

    fn travel(&self) {
        let max = self.world.weather().delay_max;
        let bound = if self.schedule().one_in(10) { max } else { max / 20 };
        self.schedule().rest(self.schedule().below(bound + 1));
    }

    fn is_lost(&self) -> bool {
        let one_in = self.world.weather().one_lost_in;
        one_in > 0 && self.schedule().one_in(one_in)
    }

    /// Whether a commit that went well is never answered.
    fn is_unheard(&self) -> bool {
        let one_in = self.world.weather().one_unheard_in;
        one_in > 0 && self.schedule().one_in(one_in)
    }

    /// Whether a commit goes astray: its connection breaks, the client waits and sends it again, and the first one arrives
    /// when so many partitions of the next transaction are written.
    fn goes_astray(&self) -> Option<usize> {
        let one_in = self.world.weather().one_astray_in;
        if one_in == 0 || !self.schedule().one_in(one_in) {
            return None;
        }
        self.schedule().rest(RETRY_BACKOFF);
        Some(1 + self.schedule().below(3) as usize)
    }

    /// Asks until there is an answer or the time-out has passed. A request whose answer is lost is sent again; one that
    /// seemed lost may arrive later.
    fn call<R: 'static>(
        &self,
        timeout: Duration,
        request: impl Fn(&mut Broker) -> R + Clone + Send + 'static,
    ) -> Option<Answer<R>> {
        let deadline = self.schedule().micros() + timeout.as_micros() as u64;
        let mut was_shaken = false;
        while self.schedule().micros() < deadline {
            self.travel();
            if self.is_cut() {
                was_shaken = true;
                self.schedule().rest(100_000);
                continue;
            }
            if self.is_lost() {
                was_shaken = true;
                if self.schedule().one_in(2) {
                    let (late, delay) = (request.clone(), self.schedule().below(3 * SOCKET_TIMEOUT));
                    self.world.broker().later(delay, move |broker| drop(late(broker)));
                }
                self.schedule().rest(SOCKET_TIMEOUT);
                // Not everybody has the patience to ask again.
                if self.schedule().one_in(3) {
                    return None;
                }
                continue;
            }
            let value = request(&mut self.world.broker());
            if self.is_lost() || self.is_cut() {
                was_shaken = true;
                self.schedule().rest(SOCKET_TIMEOUT);
                if self.schedule().one_in(3) {
                    return None;
                }
                continue;
            }
            self.travel();
            return Some(Answer { value, was_shaken });
        }
        None
    }

    fn unreachable(&self, what: &str, timeout: Duration) -> Error {
        let source = Box::new(KafkaError::OffsetFetch(RDKafkaErrorCode::OperationTimedOut));
        Error::Unreachable { brokers: "simulated".to_owned(), what: what.to_owned(), timeout, source }
    }
}

impl Cluster for Client {
    type Member = Member;
    type Publisher = Publisher;
    type Intake = Intake;
    type Watermarks = Watermarks;

    fn look(&self, _required: &[Requirement]) -> Result<Topics, Error> {
        let ids = self.world.topics.iter().map(|topic| (topic.clone(), format!("id-of-{topic}"))).collect();
        Ok(Topics {
            n_partitions: self.world.n_partitions,
            findings: Vec::new(),
            missing: Vec::new(),
            ids,
            retention_ms: None,
            tombstone_ms: self.world.tombstone_ms,
        })
    }

    fn join(&self, _topics: &[String], listener: Listener) -> Result<Arc<Member>, Error> {
        Ok(Member::join(self.clone(), listener))
    }

    fn open_publisher(&self, id: &str, timeout: Duration) -> Result<Publisher, Error> {
        Publisher::open(self.clone(), id, timeout)
    }

    fn open_intake(&self, isolation: Isolation, topics: &[String], _n_partitions: usize) -> Result<Intake, Error> {
        Ok(Intake::new(self.clone(), isolation, topics))
    }

    fn open_watermarks(&self, isolation: Isolation) -> Result<Watermarks, Error> {
        Ok(Watermarks { client: self.clone(), isolation })
    }
}
