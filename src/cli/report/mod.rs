//! `dormouse report`: how good a segment is, over events from files. Arguments, files to write, exit codes; what is
//! measured is `report`'s.

mod grid;
mod listener;
mod tables;

use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::exit::Exit;
use super::paint::Paint;
use super::replay::{instant, progress, span};
use super::{output, rules, terminal};
use crate::config::rules::Loaded;
use crate::event::{Instant, Span};
use crate::pipeline::replay::{self, Options};
use crate::report::{self, History, Period, Read, Report, Watch};
use listener::Listener;

/// With --sort each file may take so much memory before it goes to temporary files.
const SORT_BYTES_MAX: usize = 256 << 20;
const HELP: &str = "\
Examples:
  dormouse report -c segments.toml events.jsonl.zst
  dormouse report -c segments.toml orders.jsonl clicks.jsonl --from 2026-01-01T00:00:00Z --every 1d --json > report.json

What is measured, and against which bounds, stands in the rules file under [report]; docs/report.md explains each
number. With --strict the exit code is 1 when a segment fails one of the four tests.";

/// Arguments of `dormouse report`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct Args {
    /// The rules
    #[arg(short, long, value_name = "SEGMENTS.TOML")]
    config: PathBuf,
    /// Events, a JSON object a line, plain or compressed with zstd or gzip; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write JSON instead of tables
    #[arg(long)]
    json: bool,
    /// Exit with 1 when a segment fails a test
    #[arg(long)]
    strict: bool,
    /// The period begins after this moment (RFC 3339, or milliseconds since 1970); without it with the first event
    #[arg(long, value_name = "TIME", value_parser = instant)]
    from: Option<Instant>,
    /// The period ends at this moment; later events are not read; without it with the last event
    #[arg(long, value_name = "TIME", value_parser = instant)]
    until: Option<Instant>,
    /// How far apart the sizes over time are taken, back from the end
    #[arg(long, value_name = "DURATION", default_value = "1w", value_parser = step)]
    every: Span,
    /// How far the clock stays behind the latest event
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = span)]
    grace: Span,
    /// Sort each file by event time first (through temporary files when it is large; TMPDIR says where)
    #[arg(long)]
    sort: bool,
    /// Threads that work on customers; by default as many as there are cores
    #[arg(long, value_name = "N")]
    threads: Option<NonZero<usize>>,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Replay(#[from] replay::Error),
    #[error(transparent)]
    TooMany(#[from] report::period::TooMany),
    #[error("no event and no --until: there is no time to report on")]
    Nothing,
}

/// Reports on the files.
pub fn run(args: Args) -> Exit {
    if let Err(complaint) = args.check() {
        eprintln!("error: {complaint}");
        return Exit::Usage;
    }
    let Some(rules) = rules::load_all(&args.config) else { return Exit::Usage };
    match args.report(rules) {
        Ok(report) => args.show(&report),
        Err(error) => {
            eprintln!("error: {error}");
            if matches!(error, Error::TooMany(_)) { Exit::Usage } else { Exit::World }
        }
    }
}

impl Args {
    fn check(&self) -> Result<(), String> {
        if self.files.iter().filter(|file| replay::source::is_standard_input(file)).count() > 1 {
            return Err("standard input (-) can be read only once".to_owned());
        }
        match (self.from, self.until) {
            (Some(from), Some(until)) if from >= until => Err(format!("--from {from} is not before --until {until}")),
            _ => Ok(()),
        }
    }

    fn report(&self, rules: Loaded) -> Result<Report, Error> {
        let (history, read) = self.history(rules)?;
        let period = Period::new(self.from, history.first(), history.end, self.every)?;
        Ok(report::measure(&history, &period, self.every, read))
    }

    /// Replays the files under the rules.
    fn history(&self, rules: Loaded) -> Result<(History, Read), Error> {
        let options = self.options();
        let plan = Arc::new(rules.plan);
        let watch = Arc::new(Watch::new(plan.clone(), rules.report, self.from, self.until));
        let bar = progress::start(&options, self.quiet);
        let done = replay::watch(&plan, watch.decoder(), &options, None, || Listener::new(&watch));
        if let Some(bar) = bar {
            bar.end();
        }
        let (summary, listeners) = done?;
        let end = summary.end.ok_or(Error::Nothing)?;
        let journals = listeners.into_iter().map(Listener::into_journal).collect();
        let read = Read {
            n_events: summary.n_events,
            n_duplicates: summary.n_duplicates,
            n_rejects: summary.n_rejects_total(),
            n_not_read: summary.n_not_read,
            n_changes: summary.n_changes,
        };
        Ok((History::new(watch, journals, end), read))
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

    fn show(&self, report: &Report) -> Exit {
        let exit = if self.strict && !report.findings.is_empty() { Exit::Findings } else { Exit::Fine };
        let text = if self.json {
            let json = serde_json::to_string_pretty(report).expect("a report has only texts as keys");
            format!("{json}\n")
        } else {
            tables::text(report, Paint { is_on: terminal::colours_stdout() })
        };
        output::write(&text, exit)
    }
}

fn step(text: &str) -> Result<Span, String> {
    match span(text)? {
        step if step >= Span::MINUTE => Ok(step),
        _ => Err("a step is at least a minute".to_owned()),
    }
}
