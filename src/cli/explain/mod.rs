//! `dormouse explain`: why a customer is where they are, how far from changing, and what comes next. Arguments, and
//! where the answer comes from; the answer is the engine's, the document `pipeline::explain`'s.

mod ask;
mod moment;
mod plain;
mod view;

use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::exit::Exit;
use super::number::number;
use super::paint::Paint;
use super::{dimension, output, terminal};
use crate::event::{Instant, Span};
use crate::pipeline::explain::{self, Report};
use crate::pipeline::replay::{self, Error, Followed, Options, source};
use crate::rules::Plan;

/// As in a replay: what does not fit goes to temporary files.
const SORT_BYTES_MAX: usize = 256 << 20;
const HELP: &str = "\
Examples:
  dormouse explain c-7 -c segments.toml events.jsonl
  dormouse explain c-7 -c segments.toml orders.jsonl.zst clicks.jsonl.gz --at 2026-12-24T18:00:00Z --history
  dormouse explain c-7 -c segments.toml events.jsonl --plain --dimension behaviour,spend
  dormouse explain c-7 --url http://127.0.0.1:8080

Files are read as by `dormouse replay`, and the answer is as of the latest event in them, or of --at. With --url a running instance is asked: the one that has the customer's shard.

Exit codes: 0 explained, 1 nobody has that id, 2 usage or configuration, 3 the world failed.";

/// Arguments of `dormouse explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct Args {
    /// The customer's id, as in events
    #[arg(value_name = "CUSTOMER")]
    customer: String,
    /// The rules
    #[arg(short, long, value_name = "SEGMENTS.TOML", required_unless_present = "url", conflicts_with = "url")]
    config: Option<PathBuf>,
    /// Events, a JSON object a line, plain or compressed with zstd or gzip; - is standard input
    #[arg(value_name = "FILE", required_unless_present = "url", conflicts_with = "url")]
    files: Vec<PathBuf>,
    /// Ask a running instance instead: where its pages are
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The instant that the answer is about (RFC 3339, or milliseconds since 1970); later events are not read
    #[arg(long, alias = "until", value_name = "TIME", value_parser = super::replay::instant, conflicts_with = "url")]
    at: Option<Instant>,
    /// How far the clock stays behind the latest event
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = super::replay::span)]
    grace: Span,
    /// Sort each file by event time first
    #[arg(long, conflicts_with = "url")]
    sort: bool,
    /// Show all changes so far too, with what decided them
    #[arg(long, conflicts_with = "url")]
    history: bool,
    /// Only these dimensions, separated by commas
    #[arg(long = "dimension", value_name = "NAME", value_delimiter = ',')]
    dimensions: Vec<String>,
    /// The answer in plain words, for people who do not read rules
    #[arg(long, conflicts_with = "json")]
    plain: bool,
    /// The answer as a JSON document
    #[arg(long)]
    json: bool,
}

/// Explains the customer.
pub fn run(args: Args) -> Exit {
    let Some(config) = &args.config else { return args.ask() };
    if args.files.iter().filter(|file| source::is_standard_input(file)).count() > 1 {
        eprintln!("error: standard input (-) can be read only once");
        return Exit::Usage;
    }
    let Some(mut plan) = super::rules::load(config) else { return Exit::Usage };
    // Here they are always asked for.
    plan.reasons = true;
    let plan = Arc::new(plan);
    if let Err(unknown) = dimension::check(&args.dimensions, plan.dimensions.iter().map(|known| &*known.name)) {
        eprintln!("error: {unknown}");
        return Exit::Usage;
    }
    match replay::follow(&plan, &args.options(), &args.customer) {
        Ok(followed) => args.answer(&plan, followed),
        Err(error) => world(&error),
    }
}

fn world(error: &Error) -> Exit {
    eprintln!("error: {error}");
    Exit::World
}

impl Args {
    fn options(&self) -> Options {
        Options {
            files: self.files.clone(),
            until: self.at,
            grace: self.grace,
            n_threads: std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN),
            is_sorted_first: self.sort,
            sort_bytes_max: SORT_BYTES_MAX,
            n_bytes_read: Arc::new(AtomicU64::new(0)),
        }
    }

    /// A running instance, which clap has seen to be named when there is no file.
    fn ask(&self) -> Exit {
        match ask::explanation(self.url.as_deref().unwrap_or_default(), &self.customer) {
            Ok(report) => {
                let known = report.dimensions.iter().map(|known| &*known.dimension);
                if let Err(unknown) = dimension::check(&self.dimensions, known) {
                    eprintln!("error: {unknown}");
                    return Exit::Usage;
                }
                output::write(&self.shown(report), Exit::Fine)
            }
            Err(failure) => {
                eprintln!("error: {failure}");
                if matches!(failure, ask::Failure::Nobody(_)) { Exit::Findings } else { Exit::World }
            }
        }
    }

    fn answer(&self, plan: &Plan, mut followed: Followed) -> Exit {
        let Some(explanation) = followed.shard.explain(&self.customer) else {
            eprintln!("error: {}", self.nobody(&followed));
            return Exit::Findings;
        };
        let mut report = explain::compose(plan, &self.customer, &explanation);
        if self.history {
            let entry = |(change, origin): &(_, Option<replay::Origin>)| {
                let file = |file: u32| self.files[file as usize].display().to_string();
                let origin = origin.map(|origin| (file(origin.file), origin.line));
                explain::history(plan, change, origin.as_ref().map(|(file, line)| (&**file, *line)))
            };
            report.history = Some(followed.changes.iter().map(entry).collect());
        }
        output::write(&self.shown(report), Exit::Fine)
    }

    fn shown(&self, mut report: Report) -> String {
        let is_asked = |name: &String| self.dimensions.is_empty() || self.dimensions.contains(name);
        report.dimensions.retain(|dimension| is_asked(&dimension.dimension));
        if let Some(history) = &mut report.history {
            history.retain(|change| is_asked(&change.dimension));
        }
        let report = &report;
        if self.json {
            let text = serde_json::to_string_pretty(report).expect("a report is texts and numbers");
            return text + "\n";
        }
        let paint = Paint { is_on: terminal::colours_stdout() };
        if self.plain { plain::text(report, paint) } else { view::text(report, paint) }
    }

    /// Why there is nothing to explain.
    fn nobody(&self, followed: &Followed) -> String {
        let mut text = match self.at {
            Some(at) => format!("no event of customer `{}` up to {at}", self.customer),
            None => format!("no event of customer `{}`", self.customer),
        };
        text.push_str(&format!(" among {} events", number(followed.n_events_read)));
        if followed.n_not_read > 0 {
            text.push_str(&format!(" ({} later ones were not read)", number(followed.n_not_read)));
        }
        let near: Vec<String> = followed.near.iter().map(|id| format!("`{id}`")).collect();
        match &near[..] {
            [] => {}
            [one] => text.push_str(&format!("; did you mean {one}?")),
            [first @ .., last] => text.push_str(&format!("; did you mean {} or {last}?", first.join(", "))),
        }
        text
    }
}
