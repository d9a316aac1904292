//! `dormouse report`: how good a segment is, over events from files or topics. Arguments, files to write, exit codes; what is
//! measured is `report`'s.

mod compared;
mod grid;
mod instance;
mod listener;
mod source;
mod tables;

use std::num::NonZero;
use std::path::PathBuf;

use serde::Serialize;

use super::exit::Exit;
use super::paint::Paint;
use super::replay::{instant, is_same_file, span};
use super::{output, terminal};
use crate::event::{Instant, Span};
use crate::pipeline::replay;
use crate::report::{self, Period, Report};

const HELP: &str = "\
Examples:
  dormouse report -c segments.toml events.jsonl.zst
  dormouse report -c segments.toml orders.jsonl clicks.jsonl --from 2026-01-01T00:00:00Z --every 1d --json > report.json
  dormouse report -c segments.toml events.jsonl.zst --html report.html
  dormouse report -c segments.toml events.jsonl.zst --compare new-segments.toml --limit 20
  dormouse report -c dormouse.toml --topics --until now
  dormouse report --url http://127.0.0.1:8080

What is measured, and against which bounds, stands in the rules file under [report]; docs/report.md explains each
number. With --strict the exit code is 1 when a segment fails one of the four tests.";

/// Arguments of `dormouse report`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct Args {
    /// The rules; with --topics the service's settings, which name them
    #[arg(short, long, value_name = "SEGMENTS.TOML", required_unless_present = "url")]
    config: Option<PathBuf>,
    /// Events, a JSON object a line, plain or compressed with zstd or gzip; - is standard input
    #[arg(required_unless_present_any = ["topics", "url"], conflicts_with_all = ["topics", "url"], value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Read the service's input topics, from their first record to where they end now, in place of files
    #[arg(long, conflicts_with_all = ["url", "sort"])]
    topics: bool,
    /// Ask a running instance how large its segments are now; it knows nothing else
    #[arg(long, value_name = "URL", conflicts_with_all = ["html", "compare", "strict", "from", "until"])]
    url: Option<String>,
    /// Write JSON instead of tables
    #[arg(long)]
    json: bool,
    /// Write a page with pictures too: one file of HTML that needs nothing else
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Exit with 1 when a segment fails a test
    #[arg(long)]
    strict: bool,
    /// Other rules: say who stands elsewhere under them, and from when on
    #[arg(long, value_name = "OTHER.TOML")]
    compare: Option<PathBuf>,
    /// How many of the customers who differ are listed
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// The period begins after this moment (RFC 3339, or milliseconds since 1970); without it with the first event
    #[arg(long, value_name = "TIME", value_parser = instant)]
    from: Option<Instant>,
    /// The period ends at this moment (or `now`); later events are not read; without it with the last event
    #[arg(long, value_name = "TIME", value_parser = instant_or_now)]
    until: Option<Instant>,
    /// How far apart the sizes over time are taken, back from the end
    #[arg(long, value_name = "DURATION", default_value = "1w", value_parser = step)]
    every: Span,
    /// How far the clock stays behind the latest event; without it 5s, and with --topics as long as the service's
    #[arg(long, value_name = "DURATION", value_parser = span)]
    grace: Option<Span>,
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
    #[error("{file} cannot be written: {error}")]
    Page { file: String, error: std::io::Error },
    /// What is wrong was said.
    #[error("said already")]
    Said(Exit),
    #[error("no event and no --until: there is no time to report on")]
    Nothing,
}

/// Reports on files, topics, or an instance.
pub fn run(args: Args) -> Exit {
    if let Some(url) = &args.url {
        return args.ask(url);
    }
    if let Err(complaint) = args.check() {
        eprintln!("error: {complaint}");
        return Exit::Usage;
    }
    match args.report() {
        Ok(exit) | Err(Error::Said(exit)) => exit,
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
        if self.compare.is_some() && self.files.iter().any(|file| replay::source::is_standard_input(file)) {
            return Err("--compare reads the files twice; standard input (-) can be read only once".to_owned());
        }
        let mut inputs = self.files.iter().chain(&self.config).chain(&self.compare);
        if let Some(page) = &self.html
            && inputs.any(|input| is_same_file(input, page))
        {
            return Err(format!("--html {} would overwrite what is read", page.display()));
        }
        match (self.from, self.until) {
            (Some(from), Some(until)) if from >= until => Err(format!("--from {from} is not before --until {until}")),
            _ => Ok(()),
        }
    }

    fn report(&self) -> Result<Exit, Error> {
        let config = self.config.as_deref().expect("it is required unless an instance is asked");
        let (source, rules) = source::load(self, config).map_err(Error::Said)?;
        // Loaded before the work, so that what is wrong with them is said before it.
        let load = |path| -> Result<_, Error> { Ok((path, source.load_other(path).map_err(Error::Said)?)) };
        let other = self.compare.as_deref().map(load);
        let other = other.transpose()?;
        let (history, read) = source.history(self, rules)?;
        let period = Period::new(self.from, history.first(), history.end, self.every)?;
        let mut report = report::measure(&history, &period, self.every, read);
        if let Some((path, rules)) = other {
            let (other, _) = source.history(self, rules)?;
            let (one_name, other_name) = (config.display().to_string(), path.display().to_string());
            let (one, other) = ((&*one_name, &history), (&*other_name, &other));
            report.comparison = Some(report::compare(one, other, &period, self.limit));
        }
        self.show(&report)
    }

    fn ask(&self, url: &str) -> Exit {
        match instance::ask(url) {
            Ok(sizes) if self.json => output::write(&json(&sizes), Exit::Fine),
            Ok(sizes) => output::write(&sizes.text(Paint { is_on: terminal::colours_stdout() }), Exit::Fine),
            Err(error) => {
                eprintln!("error: {error}");
                if matches!(error, instance::Error::Address(_)) { Exit::Usage } else { Exit::World }
            }
        }
    }

    fn show(&self, report: &Report) -> Result<Exit, Error> {
        if let Some(path) = &self.html {
            let written = std::fs::write(path, report::page::page(report));
            written.map_err(|error| Error::Page { file: path.display().to_string(), error })?;
        }
        let exit = if self.strict && !report.findings.is_empty() { Exit::Findings } else { Exit::Fine };
        let text =
            if self.json { json(report) } else { tables::text(report, Paint { is_on: terminal::colours_stdout() }) };
        Ok(output::write(&text, exit))
    }
}

fn json(report: &impl Serialize) -> String {
    let json = serde_json::to_string_pretty(report).expect("a report has only texts as keys");
    format!("{json}\n")
}

fn instant_or_now(text: &str) -> Result<Instant, String> {
    if text == "now" { Ok(Instant(jiff::Timestamp::now().as_millisecond())) } else { instant(text) }
}

fn step(text: &str) -> Result<Span, String> {
    match span(text)? {
        step if step >= Span::MINUTE => Ok(step),
        _ => Err("a step is at least a minute".to_owned()),
    }
}
