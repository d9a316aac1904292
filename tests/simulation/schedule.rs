//! One thing at a time, in an order that the seed decides: every thread of every instance is a coroutine on one real
//! thread, and goes on until it waits for something. Time moves only when nobody has anything to do.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant as Moment};

use dormouse::pipeline::pace::Simulated;
use generator::{Generator, Gn};

/// In words. What the pipeline needs is well below it; a guard page ends what is not.
const STACK_WORDS: usize = (256 << 10) / size_of::<usize>();

/// Who runs, who waits and until when. Shared by all threads of a simulation.
pub struct Schedule {
    base: Moment,
    state: Mutex<State>,
}

struct State {
    /// Microseconds since the simulation's start.
    now: u64,
    rng: fastrand::Rng,
    threads: Vec<Thread>,
    /// Spawned and not yet begun.
    unborn: Vec<(usize, Box<dyn FnOnce() + Send>)>,
    current: usize,
    processes: Vec<Process>,
    /// A thread that ended with a panic, and what it said.
    failure: Option<String>,
    n_turns: u64,
    /// Of everything that happened, in its order.
    fingerprint: u64,
}

struct Thread {
    process: usize,
    name: String,
    until: u64,
    is_awake: bool,
    is_done: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Process {
    Running,
    /// As by SIGSTOP.
    Stopped,
    /// As by SIGKILL, or ended.
    Gone,
}

impl Schedule {
    pub fn new(seed: u64) -> Arc<Schedule> {
        let state = State {
            now: 0,
            rng: fastrand::Rng::with_seed(seed),
            threads: Vec::new(),
            unborn: Vec::new(),
            current: usize::MAX,
            processes: Vec::new(),
            failure: None,
            n_turns: 0,
            fingerprint: seed,
        };
        Arc::new(Schedule { base: Moment::now(), state: Mutex::new(state) })
    }

    /// Microseconds since the start.
    pub fn micros(&self) -> u64 {
        self.state().now
    }

    pub fn moment(&self, micros: u64) -> Moment {
        self.base + Duration::from_micros(micros)
    }

    /// A number below `n`.
    pub fn below(&self, n: u64) -> u64 {
        self.state().rng.u64(0..n.max(1))
    }

    /// Whether something happens that does so in one of `n` cases.
    pub fn one_in(&self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub fn fingerprint(&self) -> u64 {
        self.state().fingerprint
    }

    pub fn n_turns(&self) -> u64 {
        self.state().n_turns
    }

    /// What a thread that panicked said.
    pub fn failure(&self) -> Option<String> {
        self.state().failure.clone()
    }

    /// A new process, which has no threads yet.
    pub fn new_process(&self) -> usize {
        let mut state = self.state();
        state.processes.push(Process::Running);
        state.processes.len() - 1
    }

    /// Stops a process where it stands, or lets it go on.
    pub fn set_stopped(&self, process: usize, is_stopped: bool) {
        let mut state = self.state();
        if state.processes[process] != Process::Gone {
            state.processes[process] = if is_stopped { Process::Stopped } else { Process::Running };
        }
    }

    /// Lets the calling thread wait for so long, give or take nothing.
    pub fn rest(&self, micros: u64) {
        let until = self.micros() + micros;
        while self.micros() < until {
            self.wait(until);
        }
    }

    fn wait(&self, until: u64) {
        {
            let mut state = self.state();
            let current = state.current;
            state.threads[current].until = until;
        }
        #[allow(deprecated, reason = "whoever waits is deep in the pipeline, where no scope can be handed to")]
        generator::yield_with(());
    }

    fn spawn_in(&self, process: usize, name: &str, work: Box<dyn FnOnce() + Send>) -> usize {
        let mut state = self.state();
        let number = state.threads.len();
        let is_done = state.processes[process] == Process::Gone;
        state.threads.push(Thread { process, name: name.to_owned(), until: 0, is_awake: true, is_done });
        state.unborn.push((number, work));
        number
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A process as the pipeline knows it: where its threads live.
pub struct Threads {
    pub schedule: Arc<Schedule>,
    pub process: usize,
}

impl Threads {
    /// Starts the process's first thread.
    pub fn start(&self, work: impl FnOnce() + Send + 'static) {
        self.schedule.spawn_in(self.process, "main", Box::new(work));
    }
}

impl Simulated for Threads {
    fn now(&self) -> Moment {
        self.schedule.moment(self.schedule.micros())
    }

    /// Short waits are drawn out now and then, as on a busy machine; it also keeps a simulated second from being made of
    /// idle looks only.
    fn park_until(&self, until: Moment) {
        let until = until.saturating_duration_since(self.schedule.base).as_micros() as u64;
        if until <= self.schedule.micros() {
            return self.schedule.wait(until);
        }
        let late = match self.schedule.below(8) {
            0..=3 => 20_000,
            4..=6 => 40_000 + self.schedule.below(40_000),
            _ => 0,
        };
        self.schedule.wait(until + late);
    }

    fn current(&self) -> usize {
        self.schedule.state().current
    }

    fn wake(&self, thread: usize) {
        self.schedule.state().threads[thread].is_awake = true;
    }

    fn spawn(&self, name: &str, work: Box<dyn FnOnce() + Send>) -> usize {
        self.schedule.spawn_in(self.process, name, work)
    }

    fn is_finished(&self, thread: usize) -> bool {
        self.schedule.state().threads[thread].is_done
    }
}

/// Runs the threads of a schedule.
pub struct Runner {
    schedule: Arc<Schedule>,
    coroutines: Vec<Option<Generator<'static, (), ()>>>,
}

/// How a turn went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Somebody did something.
    Taken,
    /// Nobody has anything to do before that many microseconds since the start.
    IdleUntil(u64),
}

impl Runner {
    pub fn new(schedule: &Arc<Schedule>) -> Runner {
        Runner { schedule: Arc::clone(schedule), coroutines: Vec::new() }
    }

    /// Lets one thread that has something to do go on.
    pub fn turn(&mut self) -> Turn {
        self.give_birth();
        let number = {
            let mut state = self.schedule.state();
            let now = state.now;
            let State { threads, processes, rng, .. } = &mut *state;
            let living = threads
                .iter()
                .enumerate()
                .filter(|(_, thread)| !thread.is_done && processes[thread.process] == Process::Running);
            let (mut n_ready, mut chosen, mut next) = (0, None, u64::MAX);
            for (number, thread) in living {
                if thread.is_awake || thread.until <= now {
                    n_ready += 1;
                    if rng.u32(0..n_ready) == 0 {
                        chosen = Some(number);
                    }
                } else {
                    next = next.min(thread.until);
                }
            }
            let Some(number) = chosen else { return Turn::IdleUntil(next) };
            state.threads[number].is_awake = false;
            state.current = number;
            state.n_turns += 1;
            state.fingerprint = state.fingerprint.rotate_left(5) ^ number as u64 ^ now << 8;
            number
        };
        if let Some(coroutine) = &mut self.coroutines[number] {
            coroutine.resume();
            if coroutine.is_done() {
                self.coroutines[number] = None;
                self.schedule.state().threads[number].is_done = true;
            }
        }
        Turn::Taken
    }

    /// Lets time pass.
    pub fn advance(&self, micros: u64) {
        let mut state = self.schedule.state();
        state.now = state.now.max(micros);
    }

    /// Ends a process where it stands. What its threads hold is dropped, and does nothing more.
    pub fn kill(&mut self, process: usize) {
        self.give_birth();
        let threads: Vec<usize> = {
            let mut state = self.schedule.state();
            state.processes[process] = Process::Gone;
            let threads = state.threads.iter_mut().enumerate().filter(|(_, thread)| thread.process == process);
            threads.map(|(number, thread)| (thread.is_done = true, number).1).collect()
        };
        for number in threads {
            self.coroutines[number] = None;
        }
    }

    fn give_birth(&mut self) {
        let unborn = std::mem::take(&mut self.schedule.state().unborn);
        for (number, work) in unborn {
            if self.coroutines.len() <= number {
                self.coroutines.resize_with(number + 1, || None);
            }
            if self.schedule.state().threads[number].is_done {
                continue;
            }
            let schedule = Arc::clone(&self.schedule);
            self.coroutines[number] = Some(Gn::<()>::new_opt(STACK_WORDS, move || {
                if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
                    // A thread that is cancelled, because its process was killed, has to go on unwinding.
                    if panic.is::<generator::Error>() {
                        resume_unwind(panic);
                    }
                    let said = panic.downcast_ref::<String>().cloned();
                    let said = said.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                    let mut state = schedule.state();
                    let name = state.threads[number].name.clone();
                    let said = format!("{name}: {}", said.unwrap_or_else(|| "a panic".to_owned()));
                    state.failure.get_or_insert(said);
                }
            }));
        }
    }
}
