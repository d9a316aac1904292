//! Time, waiting and threads of an instance: the machine's, or a simulation's, where one thing happens at a time, in an
//! order that a seed decides.
//!
//! Whatever else the pipeline does runs unchanged in both. What always holds: the pipeline starts no thread, reads no
//! monotonic clock and waits for nobody except through this file.

use std::sync::Arc;
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant as Moment};

use crossbeam_channel::{Receiver, RecvTimeoutError, Select, TryRecvError};

/// In a simulation, somebody who waits for what no clock brings looks again so often.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Cloning gives another handle of the same.
#[derive(Clone, Default)]
pub enum Pace {
    #[default]
    Machine,
    Simulated(Arc<dyn Simulated>),
}

/// Time and threads that somebody else runs.
pub trait Simulated: Send + Sync {
    fn now(&self) -> Moment;

    /// Lets others go on until then, or until somebody wakes the caller, or earlier for no reason.
    fn park_until(&self, until: Moment);

    /// The number of the calling thread.
    fn current(&self) -> usize;

    fn wake(&self, thread: usize);

    /// Starts a thread. It is told apart from others by its number.
    fn spawn(&self, name: &str, work: Box<dyn FnOnce() + Send>) -> usize;

    fn is_finished(&self, thread: usize) -> bool;
}

/// Wakes a thread that is parked.
#[derive(Clone)]
pub enum Waker {
    Machine(Thread),
    Simulated(Arc<dyn Simulated>, usize),
}

impl Waker {
    pub fn wake(&self) {
        match self {
            Waker::Machine(thread) => thread.unpark(),
            Waker::Simulated(simulated, thread) => simulated.wake(*thread),
        }
    }
}

/// A thread that was started.
pub enum Handle {
    Machine(JoinHandle<()>),
    Simulated(Arc<dyn Simulated>, usize),
}

impl Handle {
    pub fn is_finished(&self) -> bool {
        match self {
            Handle::Machine(thread) => thread.is_finished(),
            Handle::Simulated(simulated, thread) => simulated.is_finished(*thread),
        }
    }
}

impl Pace {
    pub fn now(&self) -> Moment {
        match self {
            Pace::Machine => Moment::now(),
            Pace::Simulated(simulated) => simulated.now(),
        }
    }

    /// How long ago a moment was.
    pub fn since(&self, moment: Moment) -> Duration {
        self.now().saturating_duration_since(moment)
    }

    /// Waits until somebody wakes the caller, or for at most `timeout`.
    pub fn park(&self, timeout: Duration) {
        match self {
            Pace::Machine => thread::park_timeout(timeout),
            Pace::Simulated(simulated) => simulated.park_until(simulated.now() + timeout),
        }
    }

    /// Wakes the calling thread from elsewhere.
    pub fn waker(&self) -> Waker {
        match self {
            Pace::Machine => Waker::Machine(thread::current()),
            Pace::Simulated(simulated) => Waker::Simulated(Arc::clone(simulated), simulated.current()),
        }
    }

    pub fn spawn(&self, name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<Handle> {
        Ok(match self {
            Pace::Machine => Handle::Machine(thread::Builder::new().name(name.to_owned()).spawn(work)?),
            Pace::Simulated(simulated) => {
                Handle::Simulated(Arc::clone(simulated), simulated.spawn(name, Box::new(work)))
            }
        })
    }

    /// What comes next, within `timeout`.
    pub fn receive<T>(&self, receiver: &Receiver<T>, timeout: Duration) -> Result<T, RecvTimeoutError> {
        match self {
            Pace::Machine => receiver.recv_timeout(timeout),
            Pace::Simulated(simulated) => {
                let deadline = simulated.now() + timeout;
                if timeout.is_zero() {
                    // Who only looks gives the others their turn, too.
                    simulated.park_until(deadline);
                }
                loop {
                    match receiver.try_recv() {
                        Ok(message) => return Ok(message),
                        Err(TryRecvError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
                        Err(TryRecvError::Empty) if simulated.now() >= deadline => {
                            return Err(RecvTimeoutError::Timeout);
                        }
                        Err(TryRecvError::Empty) => simulated.park_until(deadline),
                    }
                }
            }
        }
    }

    /// What comes next, however long it takes; `None` when nobody is left to send anything.
    pub fn next<T>(&self, receiver: &Receiver<T>) -> Option<T> {
        match self {
            Pace::Machine => receiver.recv().ok(),
            Pace::Simulated(_) => loop {
                match self.receive(receiver, LOOK_AGAIN) {
                    Ok(message) => return Some(message),
                    Err(RecvTimeoutError::Disconnected) => return None,
                    Err(RecvTimeoutError::Timeout) => {}
                }
            },
        }
    }

    /// Waits until one of the receivers has something, or nobody is left to send it anything, for at most `timeout`.
    pub fn wait_for_any(&self, receivers: &[&dyn Awaited], timeout: Duration) {
        match self {
            Pace::Machine => {
                let mut select = Select::new();
                receivers.iter().for_each(|receiver| receiver.join(&mut select));
                // Whether anything came shows when one looks.
                let _ = select.ready_timeout(timeout);
            }
            Pace::Simulated(simulated) => {
                let deadline = simulated.now() + timeout;
                while receivers.iter().all(|receiver| receiver.has_nothing()) && simulated.now() < deadline {
                    simulated.park_until(deadline);
                }
            }
        }
    }
}

/// A receiver of whatever, to be waited for together with others.
pub trait Awaited {
    fn join<'a>(&'a self, select: &mut Select<'a>);
    fn has_nothing(&self) -> bool;
}

impl<T> Awaited for Receiver<T> {
    fn join<'a>(&'a self, select: &mut Select<'a>) {
        select.recv(self);
    }

    fn has_nothing(&self) -> bool {
        self.is_empty()
    }
}
