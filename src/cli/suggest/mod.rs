//! `dormouse suggest`: thresholds read off a history. Arguments, files, what people read; the figures are `suggest`'s.

mod reading;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use self::reading::{Counts, Language};
use super::exit::Exit;
use super::number::number;
use super::output;
use super::replay::{instant, is_same_file, progress};
use super::rules::complain;
use crate::config::rules;
use crate::event::{Instant, Reason};
use crate::pipeline::replay::{Error, source};
use crate::rules::calendar::Calendar;
use crate::rules::plan::Plan;
use crate::suggest::history::History;
use crate::suggest::{Settings, Suggestion, figures, rules_file, suggest};

const HELP: &str = "\
Examples:
  dormouse suggest events.jsonl.zst --timezone Europe/Berlin --out segments.toml
  dormouse suggest orders.jsonl clicks.jsonl --json

Suggested are days until a customer counts as dormant, tiers of spending, cuts of recency, frequency and money, and how
often somebody looks who looks much. A part that the history does not carry is left out, with the reason. Look at the
figures, change what you know better, then try them: dormouse check, dormouse replay, dormouse report.

Exit codes: 0 there is a suggestion, 1 there is none, 2 wrong arguments, 3 a file failed.";

/// Arguments of `dormouse suggest`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct Args {
    /// Events, a JSON object a line, plain or compressed with zstd or gzip; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where the rules go; without it to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print the figures as JSON; the rules are then only written with --out
    #[arg(long)]
    json: bool,
    /// The currency of the rules; without it the first that an event names. Amounts in others are rejected
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
    /// The time zone of calendar days; events do not tell it
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// The moment at which the history ends (RFC 3339, or milliseconds since 1970); later events are not read
    #[arg(long, value_name = "TIME", value_parser = instant)]
    until: Option<Instant>,
    /// Show neither progress nor the summary
    #[arg(short, long)]
    quiet: bool,
}

/// Suggests thresholds.
pub fn run(args: Args) -> Exit {
    if let Err(complaint) = args.check() {
        eprintln!("error: {complaint}");
        return Exit::Usage;
    }
    let Some(plan) = args.plan() else { return Exit::Usage };
    let mut language = Language::new(args.currency.as_deref());
    let mut history = History::new(Calendar::new(&plan.zone));
    let read = args.read(&mut language, &mut history);
    let counts = match read {
        Ok(counts) => counts,
        Err(error) => {
            eprintln!("error: {error}");
            return Exit::World;
        }
    };
    args.warn(&language, &history, &counts);
    let Some(suggestion) = suggest(&history, args.until) else {
        eprintln!("error: no event: there is nothing to suggest from");
        return Exit::Findings;
    };
    args.show(&suggestion, &language)
}

impl Args {
    fn check(&self) -> Result<(), String> {
        if self.files.iter().filter(|file| source::is_standard_input(file)).count() > 1 {
            return Err("standard input (-) can be read only once".to_owned());
        }
        match &self.out {
            Some(out) if self.files.iter().any(|file| is_same_file(file, out)) => {
                Err(format!("--out {} would overwrite what is read", out.display()))
            }
            _ => Ok(()),
        }
    }

    /// Rules with the currency and time zone that were asked for; what is wrong with them is drawn.
    fn plan(&self) -> Option<Plan> {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let mut text = String::new();
        for (key, value) in [("timezone", &self.timezone), ("currency", &self.currency)] {
            if let Some(value) = value {
                text.push_str(&format!("{key} = {}\n", quoted(value)));
            }
        }
        text.push_str(
            "[[dimension]]\nname = \"d\"\n[[dimension.segment]]\nname = \"s\"\nwhen = 'purchase.count() >= 1'\n",
        );
        rules::load_text("the command line", &text).map(|loaded| loaded.plan).map_err(|wrong| complain(&wrong)).ok()
    }

    fn read(&self, language: &mut Language, history: &mut History) -> Result<Counts, Error> {
        let n_bytes_read = Arc::new(AtomicU64::new(0));
        let bar = progress::start(&self.files, &n_bytes_read, self.quiet);
        let counts = reading::read(&self.files, self.until, language, history, &n_bytes_read);
        if let Some(bar) = bar {
            bar.end();
        }
        counts
    }

    /// Says what of the files is not in the figures.
    fn warn(&self, language: &Language, history: &History, counts: &Counts) {
        for (reason, n) in &counts.rejects {
            let why = match (reason, &language.currency) {
                (Reason::UnknownCurrency, Some(currency)) => {
                    format!(": not in {currency}; --currency chooses another")
                }
                _ => String::new(),
            };
            eprintln!("warning: {} records rejected ({reason}){why}", number(*n));
        }
        if history.n_too_late > 0 {
            eprintln!(
                "warning: {} purchases came more than a year late and are left out; are the files in order of time?",
                number(history.n_too_late)
            );
        }
        if !self.quiet {
            let days = number(u64::try_from(history.n_days(self.until)).unwrap_or(0));
            let (n_events, n_customers) = (number(history.n_events), number(history.n_customers() as u64));
            eprint!("read {n_events} events of {n_customers} customers, {days} days");
            let more = [(history.n_duplicates, "duplicates"), (counts.n_not_read, "later than --until")];
            for (n, what) in more.into_iter().filter(|(n, _)| *n > 0) {
                eprint!(", {} {what}", number(n));
            }
            eprintln!();
        }
    }

    fn show(&self, suggestion: &Suggestion, language: &Language) -> Exit {
        let settings = self.settings(language);
        for (name, lack) in suggestion.lacks() {
            eprintln!("no suggestion for {name}: {lack}");
        }
        let exit = if suggestion.is_empty() { Exit::Findings } else { Exit::Fine };
        let rules = (!suggestion.is_empty()).then(|| rules_file(suggestion, &settings));
        if let (Some(path), Some(rules)) = (&self.out, &rules)
            && let Err(error) = write(path, rules)
        {
            eprintln!("error: {} cannot be written: {error}", path.display());
            return Exit::World;
        }
        match rules {
            _ if self.json => {
                let text = serde_json::to_string_pretty(&figures(suggestion, &settings));
                output::write(&format!("{}\n", text.expect("figures are JSON")), exit)
            }
            Some(rules) if self.out.is_none() => output::write(&rules, exit),
            _ => exit,
        }
    }

    fn settings<'a>(&'a self, language: &'a Language) -> Settings<'a> {
        let (currency, currency_reason) = match (&self.currency, &language.currency) {
            (Some(currency), _) => (currency.as_str(), "as asked for"),
            (None, Some(currency)) => (&**currency, "the first that an event names"),
            (None, None) => ("EUR", "no event names one; --currency says otherwise"),
        };
        let (timezone, timezone_reason) = match &self.timezone {
            Some(timezone) => (timezone.as_str(), "as asked for"),
            None => ("UTC", "events do not tell it; --timezone does"),
        };
        Settings { currency, currency_reason, timezone, timezone_reason, kinds: &language.kinds }
    }
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    file.write_all(text.as_bytes())
}
