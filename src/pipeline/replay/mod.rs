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
pub mod topics;
mod worker;

use std::io::{self, Write};
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::{self, JoinHandle};
use std::time;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

pub use self::follow::{Followed, follow};
use self::merge::{File, FromFile, Merge, Stop};
pub use self::packed::Origin;
use self::reader::{Raw, Reader, Sort};
use self::spill::Merged;
pub use self::summary::{FileSummary, Summary};
pub use self::topics::Topics;
pub use self::worker::Sink;
use self::worker::{Done, Job, Kept, Worker};
use crate::engine::Shard;
use crate::event::{Decoder, Instant, Span};
use crate::pipeline::settings::Input;
use crate::rules::Plan;

/// Chunks that are read and not applied yet take at most about so much, and their events twice as much again.
const CHUNKS_BYTES: usize = 64 << 20;
const CHUNK_BYTES_MIN: usize = 64 << 10;
/// What is decoded should still be in the processor's caches when it is applied.
const CHUNK_BYTES_MAX: usize = 256 << 10;
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
    let memory_bytes_max = options.sort_bytes_max / options.n_threads.get();
    let (mut summary, sorted) =
        watch(plan, Decoder::new(&plan.schema), options, rejects, || Kept::new(memory_bytes_max))?;
    let sorted = Merged::new(sorted).map_err(Error::Temporary)?;
    let names: Vec<String> = options.files.iter().map(|path| path.display().to_string()).collect();
    output::write(plan, &names, sorted, options.n_threads, changes)?;
    summary.elapsed = start.elapsed();
    Ok(summary)
}

/// Replays the files for whoever wants something else of a replay than its changes: a sink for each shard, and what all of
/// them left at the end. The decoder keeps all that the rules read, and what the sinks want beside it.
pub fn watch<S: Sink>(
    plan: &Arc<Plan>,
    decoder: Decoder,
    options: &Options,
    rejects: Option<&mut dyn Write>,
    sink: impl FnMut() -> S,
) -> Result<(Summary, Vec<S::Left>), Error> {
    work(plan, decoder, options, From::Files, rejects, sink)
}

/// As [`watch`], of topics in place of files; `inputs` say how they are read, in the order in which they were looked at.
pub fn watch_topics<S: Sink>(
    plan: &Arc<Plan>,
    decoder: Decoder,
    options: &Options,
    (topics, inputs): (&Topics, &[Input]),
    sink: impl FnMut() -> S,
) -> Result<(Summary, Vec<S::Left>), Error> {
    work(plan, decoder, options, From::Topics(topics, inputs), None, sink)
}

/// Where events come from.
#[derive(Clone, Copy)]
enum From<'a> {
    Files,
    Topics(&'a Topics, &'a [Input]),
}

fn work<S: Sink>(
    plan: &Arc<Plan>,
    decoder: Decoder,
    options: &Options,
    from: From<'_>,
    rejects: Option<&mut dyn Write>,
    sink: impl FnMut() -> S,
) -> Result<(Summary, Vec<S::Left>), Error> {
    let start = time::Instant::now();
    let crew = Crew::start(plan, decoder, options, from, sink).map_err(Error::Thread)?;
    let Crew { files, from_files, jobs, workers } = crew;
    let mut merge = Merge::new(files, from_files, jobs, options.until, options.grace, rejects);
    let stopped = merge.run();
    let Merge { files, n_not_read, n_rejects, end, jobs, .. } = merge;
    // Without jobs to wait for, the workers end.
    drop(jobs);
    let shards = join(workers);
    if let Err(Stop::Failed(error)) = stopped {
        return Err(error);
    }
    let shards = shards.map_err(Error::Temporary)?;
    let mut summary = Summary::new(plan, files.into_iter().map(|file| file.summary).collect());
    (summary.n_not_read, summary.n_rejects, summary.end) = (n_not_read, n_rejects, end);
    let left = shards.into_iter().map(|shard| summary.add(shard)).collect();
    summary.elapsed = start.elapsed();
    Ok((summary, left))
}

/// The threads at work, and what they are reached by.
struct Crew<L> {
    files: Vec<File>,
    from_files: Receiver<FromFile>,
    jobs: Vec<Sender<Job>>,
    workers: Vec<JoinHandle<io::Result<Done<L>>>>,
}

impl<L: Send + 'static> Crew<L> {
    fn start<S: Sink<Left = L>>(
        plan: &Arc<Plan>,
        decoder: Decoder,
        options: &Options,
        from: From<'_>,
        mut sink: impl FnMut() -> S,
    ) -> io::Result<Crew<L>> {
        let decoder = Arc::new(decoder);
        let (to_decode, raws) = unbounded();
        let (to_merge, from_files) = unbounded();
        let files = match from {
            From::Files => start_readers(options, &decoder, &to_decode, &to_merge)?,
            From::Topics(topics, inputs) => {
                topics::start(topics, inputs, &options.n_bytes_read, &to_decode, &to_merge)?
            }
        };
        let n_threads = options.n_threads.get();
        let mut jobs = Vec::new();
        let mut workers = Vec::new();
        for number in 0..n_threads {
            let worker = Worker {
                shard: Shard::new(plan.clone()),
                decoder: decoder.clone(),
                n_shards: n_threads as u32,
                grace: options.grace,
                sink: sink(),
                n_changes: 0,
                n_duplicates: 0,
                n_unchecked: 0,
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
fn join<L>(workers: Vec<JoinHandle<io::Result<Done<L>>>>) -> io::Result<Vec<Done<L>>> {
    let done = workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
    // All are joined before the first error is looked at.
    done.collect::<Vec<_>>().into_iter().collect()
}
