//! `dormouse replay`: events from files, changes as JSON lines. Arguments, files to write, what people read; the work is
//! `pipeline::replay`'s.

pub mod progress;
mod summary;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::exit::Exit;
use super::terminal;
use crate::event::{Instant, Span};
use crate::pipeline::replay::{self, Error, Options, source};
use crate::rules::Plan;
use crate::rules::units::parse_span;

/// Changes, and with --sort the files, each may take so much memory before they go to temporary files.
const SORT_BYTES_MAX: usize = 512 << 20;
const HELP: &str = "\
Examples:
  dormouse replay -c segments.toml events.jsonl > changes.jsonl
  dormouse replay -c segments.toml orders.jsonl.zst clicks.jsonl.gz --until 2026-12-31T00:00:00Z --rejects bad.jsonl

Files are read as a topic each and merged by event time; a file's records are taken in their order (see --sort).
A change's published_at is its effective_at: a replay has no wall clock, and the same files give the same bytes.";

/// Arguments of `dormouse replay`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct Args {
    /// The rules
    #[arg(short, long, value_name = "SEGMENTS.TOML")]
    config: PathBuf,
    /// Events, a JSON object a line, plain or compressed with zstd or gzip; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where the changes go; without it to standard output
    #[arg(long, value_name = "FILE")]
    changes: Option<PathBuf>,
    /// Where the records go that cannot be taken, with the reason, as JSON lines; without it they are only counted
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// The moment at which the replay ends (RFC 3339, or milliseconds since 1970); later events are not read
    #[arg(long, value_name = "TIME", value_parser = instant)]
    until: Option<Instant>,
    /// How far the clock stays behind the latest event
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = span)]
    grace: Span,
    /// Sort each file by event time first (through temporary files when it is large; TMPDIR says where)
    #[arg(long)]
    sort: bool,
    /// Threads that work on customers; by default as many as there are cores
    #[arg(long, value_name = "N")]
    threads: Option<NonZero<usize>>,
    /// Show neither progress nor the summary
    #[arg(short, long)]
    quiet: bool,
}

/// Replays the files.
pub fn run(args: Args) -> Exit {
    if let Err(complaint) = args.check() {
        eprintln!("error: {complaint}");
        return Exit::Usage;
    }
    let Some(plan) = super::rules::load(&args.config) else { return Exit::Usage };
    match args.replay(&Arc::new(plan)) {
        Ok(()) => Exit::Fine,
        // Whoever read the changes has seen enough.
        Err(Error::Changes(error)) if args.changes.is_none() && error.kind() == io::ErrorKind::BrokenPipe => Exit::Fine,
        Err(error) => {
            eprintln!("error: {error}");
            Exit::World
        }
    }
}

impl Args {
    fn check(&self) -> Result<(), String> {
        if self.files.iter().filter(|file| source::is_standard_input(file)).count() > 1 {
            return Err("standard input (-) can be read only once".to_owned());
        }
        let outputs = [("--changes", &self.changes), ("--rejects", &self.rejects)];
        for (name, output) in outputs.iter().filter_map(|(name, path)| path.as_ref().map(|path| (name, path))) {
            if self.files.iter().chain([&self.config]).any(|input| is_same_file(input, output)) {
                return Err(format!("{name} {} would overwrite what is read", output.display()));
            }
        }
        if let (Some(changes), Some(rejects)) = (&self.changes, &self.rejects)
            && (changes == rejects || is_same_file(changes, rejects))
        {
            return Err(format!("--changes and --rejects are both {}", changes.display()));
        }
        Ok(())
    }

    fn replay(&self, plan: &Arc<Plan>) -> Result<(), Error> {
        let options = self.options();
        // Opened before the work, so that a place that cannot be written is found before it.
        let mut rejects = self.rejects.as_deref().map(create).transpose()?;
        let mut changes: Box<dyn Write + Send> = match &self.changes {
            Some(path) => Box::new(create(path)?),
            None => Box::new(io::stdout()),
        };
        let bar = progress::start(&options.files, &options.n_bytes_read, self.quiet);
        let done = replay::run(plan, &options, rejects.as_mut().map(|file| file as &mut dyn Write), &mut *changes);
        if let Some(bar) = bar {
            bar.end();
        }
        let done = done?;
        if let Some(file) = &mut rejects {
            file.flush().map_err(Error::Rejects)?;
        }
        summary::warn(&done, &self.files, self.sort);
        if !self.quiet {
            eprint!("{}", summary::text(&done, plan, self.until));
        }
        Ok(())
    }

    fn options(&self) -> Options {
        let all_cores = || std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        Options {
            files: self.files.clone(),
            until: self.until,
            grace: self.grace,
            n_threads: self.threads.unwrap_or_else(all_cores),
            is_sorted_first: self.sort,
            sort_bytes_max: SORT_BYTES_MAX,
            n_bytes_read: Arc::new(AtomicU64::new(0)),
        }
    }
}

fn create(path: &Path) -> Result<BufWriter<File>, Error> {
    match File::create(path) {
        Ok(file) => Ok(BufWriter::with_capacity(1 << 16, file)),
        Err(error) => Err(Error::Output { file: path.display().to_string(), error }),
    }
}

/// Whether both exist and are one.
pub fn is_same_file(a: &Path, b: &Path) -> bool {
    match (std::fs::canonicalize(a), std::fs::canonicalize(b)) {
        (Ok(a), Ok(b)) => a == b && a.is_file(),
        _ => false,
    }
}

/// RFC 3339, or milliseconds since 1970.
pub fn instant(text: &str) -> Result<Instant, String> {
    if let Ok(ms) = text.parse() {
        return Ok(Instant(ms));
    }
    let timestamp: Result<jiff::Timestamp, _> = text.parse();
    timestamp.map(|timestamp| Instant(timestamp.as_nanosecond().div_euclid(1_000_000) as i64)).map_err(|_| {
        "neither RFC 3339 with an offset (2026-12-31T00:00:00Z) nor milliseconds since 1970 (1798675200000)".to_owned()
    })
}

/// A duration such as `30d`.
pub fn span(text: &str) -> Result<Span, String> {
    parse_span(text).map_err(|error| error.explain().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_rfc_3339_or_milliseconds() {
        assert_eq!(instant("2026-01-03T10:12:44.1209+01:00"), Ok(Instant(1_767_431_564_120)));
        assert_eq!(instant("1767431564120"), Ok(Instant(1_767_431_564_120)));
        for wrong in ["", "tomorrow", "2026-01-03", "2026-01-03T10:12:44"] {
            assert!(instant(wrong).is_err(), "{wrong}");
        }
    }
}
