//! Starts an instance's threads, takes part in the group, and ends them all.
//!
//! | thread | does |
//! |---|---|
//! | the caller's | membership, status, the end |
//! | `reader` | batches of records from Kafka to the workers |
//! | `ends` | asks how far the inputs reach |
//! | `worker-N` | shards |
//! | `recovery-N` | bring shards back |
//! | `snapshots` | keeps snapshots, where they are configured |
//! | `committer` | transactions |

use std::sync::Arc;
use std::time::{Duration, Instant as Moment};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::board::Board;
use super::committer::{Committer, Inbox, Notice};
use super::error::Error;
use super::gate::Gate;
use super::keeper;
use super::keeping::Told;
use super::ownership::{Hands, Ownership};
use super::pace::{Handle, Pace};
use super::reading::{self, Workers};
use super::recovery::{self, Assignments};
use super::settings::Settings;
use super::status::{Phase, Status};
use super::stop::Stop;
use super::tools::Tools;
use super::worker::Worker;
use crate::kafka::{Brokers, Cluster, Membership, Rebalance, Topics};
use crate::rules::Plan;
use crate::telemetry::metrics;

/// How long one turn of the membership waits.
const POLL: Duration = Duration::from_millis(50);
/// Shards that are brought back at once.
const RECOVERIES_MAX: usize = 4;
const TELL_INTERVAL: Duration = Duration::from_millis(200);
/// Who is not answered for so long at the start gives up.
const START_TIMEOUT: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// How long leaving the group may take.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long threads that have nothing left to do may take to end.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// Works until `stop` is requested, then finishes the last epoch and leaves the group; or until something fails.
pub fn run(settings: Settings, plan: Arc<Plan>, status: &Arc<Status>, stop: &Stop) -> Result<(), Error> {
    let cluster = Arc::new(Brokers(settings.kafka.clone()));
    run_in(cluster, Pace::Machine, settings, plan, status, stop)
}

/// As [`run`], in a world of one's own.
pub fn run_in<C: Cluster>(
    cluster: Arc<C>,
    pace: Pace,
    settings: Settings,
    plan: Arc<Plan>,
    status: &Arc<Status>,
    stop: &Stop,
) -> Result<(), Error> {
    status.set_phase(Phase::Starting);
    status.set_plan(Arc::clone(&plan));
    status.beat();
    metrics::RULES_INFO.set([&plan.version], 1.0);
    let outcome = check_topics(&*cluster, &pace, &settings, stop).and_then(|topics| {
        status.beat();
        let Some(topics) = topics else { return Ok(()) };
        let instance = Instance::start(cluster, pace, settings, plan, status, &topics)?;
        instance.work(stop)
    });
    status.desk().close();
    match &outcome {
        Ok(()) => status.set_phase(Phase::Stopping),
        Err(error) => {
            status.set_phase(Phase::Failed);
            status.set_detail(error.to_string());
        }
    }
    outcome
}

/// The topics, when they are as they must be; none when it was stopped before they were looked at. A cluster that is about
/// to start itself is given some time.
fn check_topics(
    cluster: &impl Cluster,
    pace: &Pace,
    settings: &Settings,
    stop: &Stop,
) -> Result<Option<Topics>, Error> {
    let started = pace.now();
    let topics = loop {
        match cluster.look(&settings.requirements()) {
            Ok(topics) => break topics,
            Err(_) if stop.is_requested() => return Ok(None),
            Err(error) if error.is_silence() && pace.since(started) < START_TIMEOUT => {
                tracing::warn!("{error}; asking again");
                pace.park(LOOK_AGAIN);
            }
            Err(error) => return Err(error.into()),
        }
    };
    for finding in topics.findings.iter().filter(|finding| finding.is_warning) {
        tracing::warn!("{finding}");
    }
    let findings: Vec<_> = topics.errors().cloned().collect();
    if findings.is_empty() { Ok(Some(topics)) } else { Err(Error::Topics { findings }) }
}

/// The threads of an instance.
struct Instance<C: Cluster> {
    tools: Arc<Tools>,
    board: Arc<Board>,
    member: Arc<C::Member>,
    notices: Sender<Notice>,
    assignments: Assignments,
    /// Ends the threads that read.
    no_more_input: Stop,
    ended: Receiver<Ended>,
    threads: Vec<Handle>,
}

/// A thread's last word.
struct Ended {
    name: String,
    outcome: Result<(), Error>,
}

/// Starts threads that report their end.
struct Starter {
    pace: Pace,
    ended: Sender<Ended>,
    threads: Vec<Handle>,
}

impl Starter {
    fn start(
        &mut self,
        name: impl Into<String>,
        work: impl FnOnce() -> Result<(), Error> + Send + 'static,
    ) -> Result<(), Error> {
        let (name, ended) = (name.into(), self.ended.clone());
        let of_thread = name.clone();
        let thread = self.pace.spawn(&of_thread, move || {
            let outcome = work();
            // Nobody listens any more when the instance has ended already.
            drop(ended.send(Ended { name, outcome }));
        });
        self.threads.push(thread.map_err(Error::Thread)?);
        Ok(())
    }
}

impl<C: Cluster> Instance<C> {
    fn start(
        cluster: Arc<C>,
        pace: Pace,
        settings: Settings,
        plan: Arc<Plan>,
        status: &Arc<Status>,
        topics: &Topics,
    ) -> Result<Instance<C>, Error> {
        let (want_sender, wants) = bounded(16);
        let tools = Arc::new(Tools::new(pace.clone(), settings, plan, topics, want_sender));
        let board = Arc::new(Board::new(Arc::clone(status)));
        let (ended_sender, ended) = unbounded();
        let mut starter = Starter { pace: pace.clone(), ended: ended_sender, threads: Vec::new() };
        let no_more_input = Stop::default();

        let workers = start_workers(&mut starter, &tools, &board)?;
        status.desk().open(workers.clone(), tools.settings.placement, tools.n_partitions);
        let (reader_sender, reader_orders) = unbounded();
        {
            let (cluster, tools) = (Arc::clone(&cluster), Arc::clone(&tools));
            let (workers, stop) = (workers.clone(), no_more_input.clone());
            starter.start("reader", move || reading::read(&*cluster, &tools, &workers, &reader_orders, &stop))?;
        }
        {
            let (cluster, tools) = (Arc::clone(&cluster), Arc::clone(&tools));
            let (workers, stop) = (workers.clone(), no_more_input.clone());
            starter.start("ends", move || reading::watch_ends(&*cluster, &tools, &workers, &stop))?;
        }
        let assignments = Assignments::default();
        let (request_sender, requests) = unbounded();
        let (recovered_sender, recovered) = unbounded();
        for number in 0..tools.settings.n_workers.clamp(1, RECOVERIES_MAX) {
            let (cluster, tools, assignments) = (Arc::clone(&cluster), Arc::clone(&tools), Arc::clone(&assignments));
            let (requests, recovered) = (requests.clone(), recovered_sender.clone());
            starter.start(format!("recovery-{number}"), move || {
                recovery::run(&cluster, &tools, &requests, &assignments, &recovered)
            })?;
        }
        drop(recovered_sender);
        if tools.keeping.is_some() {
            let tools = Arc::clone(&tools);
            starter.start("snapshots", move || keeper::keep(&tools))?;
        } else if tools.retention_ms.is_some() {
            tracing::warn!(
                "no snapshots are kept: state can be rebuilt only while the input still has all its records"
            );
        }
        let (notices, notice_receiver) = unbounded();
        let gate = Arc::new(Gate::new(pace));
        let member = join(&*cluster, &tools, &gate, notices.clone())?;
        {
            let (tools, member, assignments) = (Arc::clone(&tools), Arc::clone(&member), Arc::clone(&assignments));
            let inbox = Inbox { notices: notice_receiver, wants, recovered };
            let hands = Hands { workers, reader: reader_sender, requests: request_sender };
            let ownership = Ownership::new(Arc::clone(&tools), hands, assignments);
            starter
                .start("committer", move || Committer::new(cluster, tools, gate, member, inbox, ownership)?.run())?;
        }
        let threads = starter.threads;
        Ok(Instance { tools, board, member, notices, assignments, no_more_input, ended, threads })
    }

    /// Takes part in the group until the end.
    fn work(self, stop: &Stop) -> Result<(), Error> {
        let outcome = self.take_part(stop);
        if let Err(error) = &outcome {
            tracing::error!("{error}");
        }
        let timeout = self.tools.settings.shutdown_timeout;
        let finished = self.finish(timeout, outcome.is_ok());
        outcome.and(finished)
    }

    fn take_part(&self, stop: &Stop) -> Result<(), Error> {
        let pace = &self.tools.pace;
        let mut told = pace.now();
        while !stop.is_requested() {
            self.member.poll(POLL)?;
            if let Ok(ended) = self.ended.try_recv() {
                return self.first_failure(ended);
            }
            if pace.since(told) >= TELL_INTERVAL {
                told = pace.now();
                self.board.tell(self.tools.n_owned(), &self.tools);
            }
        }
        Ok(())
    }

    /// A thread has ended although nobody asked it to. One that has nothing left to do, because another failed, may say so
    /// first.
    fn first_failure(&self, mut ended: Ended) -> Result<(), Error> {
        let pace = &self.tools.pace;
        let deadline = pace.now() + END_TIMEOUT;
        loop {
            ended.outcome?;
            let next = pace.receive(&self.ended, deadline.saturating_duration_since(pace.now()));
            assert!(next.is_ok(), "{} ended although nobody told it to", ended.name);
            ended = next.expect("it was just looked at");
        }
    }

    /// Finishes the last epoch (unless something failed), leaves the group, and ends all threads, in bounded time.
    fn finish(self, timeout: Duration, is_clean: bool) -> Result<(), Error> {
        let Instance { tools, board, member, notices, assignments, no_more_input, ended, threads } = self;
        let pace = tools.pace.clone();
        board.status().set_phase(Phase::Stopping);
        board.status().desk().close();
        no_more_input.request();
        tools.wake_reader();
        tools.ends.demand();
        assignments.fetch_add(u64::from(!is_clean), std::sync::atomic::Ordering::AcqRel);
        let deadline = pace.now() + if is_clean { timeout } else { Duration::ZERO };
        // A committer that has failed does not listen.
        drop(notices.send(Notice::Stop(deadline)));
        let mut outcome = if is_clean { wait_for_committer(&pace, &*member, &board, &ended, deadline) } else { Ok(()) };
        if let Some(keeping) = &tools.keeping {
            keeping.tell(Told::End);
        }
        if tools.settings.leaves_group {
            member.leave(LEAVE_TIMEOUT);
        } else {
            tracing::info!(
                "still a member of the group: its shards wait until this instance is back, or its session is over"
            );
        }
        drop((member, notices, tools));
        assignments.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
        let deadline = pace.now() + END_TIMEOUT;
        for thread in &threads {
            while !thread.is_finished() && pace.now() < deadline {
                if let Ok(last) = pace.receive(&ended, deadline.saturating_duration_since(pace.now())) {
                    outcome = outcome.and(if is_clean { last.outcome } else { Ok(()) });
                }
            }
        }
        if threads.iter().any(|thread| !thread.is_finished()) {
            tracing::warn!("some threads did not end in time and are left behind");
        }
        outcome
    }
}

/// The membership is kept alive until the last epoch is finished.
fn wait_for_committer(
    pace: &Pace,
    member: &impl Membership,
    board: &Board,
    ended: &Receiver<Ended>,
    deadline: Moment,
) -> Result<(), Error> {
    // A little longer than the committer itself has, whose error says more.
    while pace.now() < deadline + POLL * 4 {
        member.poll(Duration::from_millis(5))?;
        board.status().beat();
        while let Ok(Ended { name, outcome }) = ended.try_recv() {
            outcome?;
            if name == "committer" {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn start_workers(starter: &mut Starter, tools: &Arc<Tools>, board: &Arc<Board>) -> Result<Workers, Error> {
    let mut senders = Vec::new();
    for number in 0..tools.settings.n_workers.max(1) {
        let (sender, orders) = unbounded();
        senders.push(sender);
        let worker = Worker::new(Arc::clone(tools), Arc::clone(board), orders);
        starter.start(format!("worker-{number}"), move || worker.run())?;
    }
    Ok(Workers(senders))
}

/// A revoke is answered only when no transaction runs; an assignment says how often the gate was closed by then.
fn join<C: Cluster>(
    cluster: &C,
    tools: &Tools,
    gate: &Arc<Gate>,
    notices: Sender<Notice>,
) -> Result<Arc<C::Member>, Error> {
    let gate = Arc::clone(gate);
    let listener = move |rebalance: Rebalance| match rebalance {
        Rebalance::Assigned(assignment) => drop(notices.send(Notice::Assigned(assignment, gate.n_closed()))),
        Rebalance::Revoked => gate.close(),
    };
    Ok(cluster.join(&tools.topics, Box::new(listener))?)
}
