//! A replay: events from files through the engine, and the changes out in one order, on all cores.
//!
//! ```text
//! reader (one a file) ──chunks──▶ workers decode ──▶ merge: one order, one clock ──batches──▶ workers apply, each its own
//!                                                                           shard ──▶ sort ──▶ merge ──▶ encode, write
//! ```
//!
//! SPEC 3 says in which order records are taken and what the clock is. There is no record timestamp and no wall clock.
//! What always holds: the output depends on the files, their order, the rules and the end moment alone, not on the
//! number of threads or the memory given; and memory grows with the customers, not with the files.
//!
//! This room knows no arguments and draws nothing on a terminal.

pub mod chunk;
pub mod decode;
mod follow;
pub mod merge;
mod output;
pub mod packed;
mod reader;
pub mod rejects;
mod sorted;
pub mod source;
pub mod spill;
pub mod summary;
mod worker;

use std::io::{self, Write};
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::{self, JoinHandle};
use std::time;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use self::follow::Focus;
pub use self::follow::{Followed, follow};
use self::merge::{BEFORE_ALL, File, FromFile, Merge, Stop};
pub use self::packed::Origin;
use self::reader::{Raw, Reader, Sort};
use self::spill::Merged;
pub use self::summary::{FileSummary, Summary};
use self::worker::{Done, Job, Kept, Worker};
use crate::engine::Shard;
use crate::event::{Decoder, Instant, Reason, Span};
use crate::rules::Plan;

/// Chunks that are read and not applied yet take about so much, and their events twice as much again.
const CHUNKS_BYTES: usize = 64 << 20;
const CHUNK_BYTES_MIN: usize = 64 << 10;
const CHUNK_BYTES_MAX: usize = 1 << 20;
/// Batches that may wait for a shard.
const JOBS_WAITING: usize = 2;

/// What is replayed, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Each is a topic; `-` is standard input.
    pub files: Vec<PathBuf>,
    /// Events after it are not read, and the clock ends there.
    pub until: Option<Instant>,
    /// How far the clock stays behind the latest event.
    pub grace: Span,
    /// Shards, and threads that work on them.
    pub n_threads: NonZero<usize>,
    /// Whether each file is sorted by event time first.
    pub is_sorted_first: bool,
    /// What changes, and with sorting the files, each may take in memory before they go to temporary files.
    pub sort_bytes_max: usize,
    /// Counts what is read from the files, as it stands there.
    pub n_bytes_read: Arc<AtomicU64>,
}

/// What the world did to a replay.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{file}: {error}")]
    Input { file: String, error: io::Error },
    #[error("starting a thread: {0}")]
    Thread(io::Error),
    #[error("the temporary file for sorting: {0}")]
    Temporary(io::Error),
    #[error("writing the rejects: {0}")]
    Rejects(io::Error),
    #[error("{file} cannot be written: {error}")]
    Output { file: String, error: io::Error },
    #[error("writing the changes: {0}")]
    Changes(io::Error),
}

/// Replays the files. Rejected records are written as they come, changes when all is read, in the order of
/// (`effective_at`, customer, `sequence`).
pub fn run(
    plan: &Arc<Plan>,
    options: &Options,
    rejects: Option<&mut dyn Write>,
    changes: &mut (dyn Write + Send),
) -> Result<Summary, Error> {
    let start = time::Instant::now();
    let Played { done, files, n_not_read, n_rejects, .. } = play(plan, options, rejects, None)?;
    let (names, files): (Vec<String>, Vec<FileSummary>) =
        files.into_iter().map(|file| (file.name, file.summary)).unzip();
    let mut summary = Summary::new(plan, files);
    (summary.n_not_read, summary.n_rejects) = (n_not_read, n_rejects);
    let sorted = done.into_iter().map(|shard| summary.add(shard));
    let sorted = Merged::new(sorted).map_err(Error::Temporary)?;
    output::write(plan, &names, sorted, options.n_threads, changes)?;
    summary.elapsed = start.elapsed();
    Ok(summary)
}

/// What is there when all is read and judged.
struct Played {
    done: Vec<Done>,
    files: Vec<File>,
    n_not_read: u64,
    n_rejects: [u64; Reason::ALL.len()],
    /// `None` without any event or end moment.
    clock: Option<Instant>,
}

/// Reads the files to their end, for everybody or for one customer alone.
fn play(
    plan: &Arc<Plan>,
    options: &Options,
    rejects: Option<&mut dyn Write>,
    customer: Option<&str>,
) -> Result<Played, Error> {
    let Crew { files, from_files, jobs, workers } = Crew::start(plan, options, customer).map_err(Error::Thread)?;
    let mut merge = Merge::new(files, from_files, jobs, options.until, options.grace, rejects);
    let stopped = merge.run();
    let Merge { files, n_not_read, n_rejects, jobs, clock, .. } = merge;
    // Without jobs to wait for, the workers end.
    drop(jobs);
    let done = join(workers);
    if let Err(Stop::Failed(error)) = stopped {
        return Err(error);
    }
    let done = done.map_err(Error::Temporary)?;
    Ok(Played { done, files, n_not_read, n_rejects, clock: (clock > BEFORE_ALL).then_some(clock) })
}

/// The threads at work, and what they are reached by.
struct Crew {
    files: Vec<File>,
    from_files: Receiver<FromFile>,
    jobs: Vec<Sender<Job>>,
    workers: Vec<JoinHandle<io::Result<Done>>>,
}

impl Crew {
    fn start(plan: &Arc<Plan>, options: &Options, customer: Option<&str>) -> io::Result<Crew> {
        let decoder = Arc::new(Decoder::new(&plan.schema));
        let (to_decode, raws) = unbounded();
        let (to_merge, from_files) = unbounded();
        let files = start_readers(options, &decoder, &to_decode, &to_merge)?;
        let n_threads = options.n_threads.get();
        let mut jobs = Vec::new();
        let mut workers = Vec::new();
        for number in 0..n_threads {
            let worker = Worker {
                shard: Shard::new(plan.clone()),
                decoder: decoder.clone(),
                n_shards: n_threads as u32,
                grace: options.grace,
                kept: Kept::new(options.sort_bytes_max / n_threads),
                focus: customer.map(Focus::new),
            };
            let (to_worker, waiting) = bounded(JOBS_WAITING);
            let (raws, to_merge) = (raws.clone(), to_merge.clone());
            jobs.push(to_worker);
            let thread = thread::Builder::new().name(format!("shard {number}"));
            workers.push(thread.spawn(move || worker.run(waiting, raws, to_merge))?);
        }
        Ok(Crew { files, from_files, jobs, workers })
    }
}

/// Readers are not waited for: one of standard input may never come back. When the replay ends, so do they.
fn start_readers(
    options: &Options,
    decoder: &Arc<Decoder>,
    to_decode: &Sender<Raw>,
    to_merge: &Sender<FromFile>,
) -> io::Result<Vec<File>> {
    let n_files = options.files.len().max(1);
    let n_tokens = options.n_threads.get() + 2;
    let chunk_bytes = (CHUNKS_BYTES / (n_files * n_tokens)).clamp(CHUNK_BYTES_MIN, CHUNK_BYTES_MAX);
    let start = |(file, path): (usize, &PathBuf)| {
        let (give, tokens) = bounded(n_tokens);
        for _ in 0..n_tokens {
            give.send(()).expect("there is room for every token, and the receiver is here");
        }
        let memory_bytes_max = options.sort_bytes_max / n_files;
        let reader = Reader {
            path: path.clone(),
            file: file as u32,
            chunk_bytes,
            n_bytes_read: options.n_bytes_read.clone(),
            sort: options.is_sorted_first.then(|| Sort { decoder: decoder.clone(), memory_bytes_max }),
            tokens,
            to_decode: to_decode.clone(),
            to_merge: to_merge.clone(),
        };
        thread::Builder::new().name(format!("reader {file}")).spawn(move || reader.run())?;
        Ok(File::new(path.display().to_string(), give))
    };
    options.files.iter().enumerate().map(start).collect()
}

/// Waits for all; an error is the first one's.
fn join(workers: Vec<JoinHandle<io::Result<Done>>>) -> io::Result<Vec<Done>> {
    let done = workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
    // All are joined before the first error is looked at.
    done.collect::<Vec<_>>().into_iter().collect()
}
