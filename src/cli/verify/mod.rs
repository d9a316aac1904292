//! `dormouse verify`: recomputes customers from the input and says where what was published differs. Arguments, what
//! people read, exit codes; the work is `pipeline::verify`'s.

mod drawing;
mod json;

use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;

use super::exit::Exit;
use super::paint::Paint;
use super::replay::{instant, is_same_file, progress, span};
use super::{output, rules, service, terminal};
use crate::event::{Instant, Span};
use crate::pipeline::replay::source::is_standard_input;
use crate::pipeline::verify::{self, Error, Files, Options, Report, Sample, Service};
use crate::rules::Plan;
use crate::rules::declared::Declared;

const HELP: &str = "\
Examples:
  dormouse verify -c dormouse.toml
  dormouse verify -c dormouse.toml --sample 1% --json > findings.json
  dormouse verify -c dormouse.toml --customer c-4711
  dormouse verify -c segments.toml --changes changes.jsonl events.jsonl.zst

Customers are worked out anew by an evaluator of its own, which shares nothing with the engine. It reads the topics and
changes nothing there; the service may go on running meanwhile. The exit code is 1 when something was found.";

/// Arguments of `dormouse verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct Args {
    /// The service's settings; with --changes the rules
    #[arg(short, long, value_name = "DORMOUSE.TOML")]
    config: PathBuf,
    /// With --changes: the events that were replayed, in the same order of files
    #[arg(value_name = "FILE", requires = "changes")]
    files: Vec<PathBuf>,
    /// Changes that a replay wrote, in place of the service's topics
    #[arg(long, value_name = "FILE", requires = "files")]
    changes: Option<PathBuf>,
    /// How many of the customers are looked at; the same share is the same customers each time
    #[arg(long, value_name = "SHARE", default_value = "100%", value_parser = share, conflicts_with = "customer")]
    sample: f64,
    /// Look at this customer only
    #[arg(long, value_name = "ID")]
    customer: Option<String>,
    /// With --changes: the moment at which the replay ended, if it was given one
    #[arg(long, value_name = "TIME", value_parser = instant, requires = "changes")]
    until: Option<Instant>,
    /// With --changes: how far the replay's clock stayed behind the latest event
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = span, requires = "changes")]
    grace: Span,
    /// Write JSON instead of text
    #[arg(long)]
    json: bool,
    /// How many findings are listed; the others are counted
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
    /// What customers may take in memory at a time; more of them are read in several passes
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size)]
    memory: usize,
    /// Threads that work on customers; by default as many as there are cores
    #[arg(long, value_name = "N")]
    threads: Option<NonZero<usize>>,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
}

/// Verifies a service's changes, or a replay's.
pub fn run(args: Args) -> Exit {
    if let Err(complaint) = args.check() {
        eprintln!("error: {complaint}");
        return Exit::Usage;
    }
    let verified = match args.verify() {
        Ok(verified) => verified,
        Err(exit) => return exit,
    };
    match verified {
        Ok(report) => args.show(&report),
        Err(error) => {
            eprintln!("error: {error}");
            if matches!(error, Error::OtherRules { .. } | Error::Rules(_)) { Exit::Usage } else { Exit::World }
        }
    }
}

impl Args {
    fn check(&self) -> Result<(), String> {
        let files: Vec<&PathBuf> = self.files.iter().chain(&self.changes).collect();
        if files.iter().any(|file| is_standard_input(file)) {
            return Err("files may be read more than once; standard input (-) cannot be".to_owned());
        }
        if let Some(changes) = &self.changes
            && self.files.iter().any(|file| is_same_file(file, changes))
        {
            return Err(format!("{} is given as changes and as events", changes.display()));
        }
        Ok(())
    }

    /// The outer error: what is wrong with the configuration was said.
    fn verify(&self) -> Result<Result<Report, Error>, Exit> {
        let options = self.options();
        if let Some(changes) = &self.changes {
            let loaded = rules::load_all(&self.config).ok_or(Exit::Usage)?;
            let bar = progress::start(self.files.iter().chain([changes]), &options.n_read, self.quiet);
            let report = self.files(changes, (&loaded.declared, &loaded.plan), &options);
            bar.into_iter().for_each(progress::Bar::end);
            return Ok(report);
        }
        let checked = service::load(&self.config).ok_or(Exit::Usage)?;
        let settings = service::pipeline_settings(&checked.service, &checked.plan);
        let bar = progress::records(&options.n_read, &options.n_to_read, self.quiet);
        let service = Service { settings: &settings, declared: &checked.declared, version: &checked.plan.version };
        let report = verify::topics(&service, &options);
        bar.into_iter().for_each(progress::Bar::end);
        Ok(report)
    }

    fn files(
        &self,
        changes: &std::path::Path,
        (declared, plan): (&Declared, &Plan),
        options: &Options,
    ) -> Result<Report, Error> {
        let files =
            Files { changes: changes.to_owned(), events: self.files.clone(), until: self.until, grace: self.grace };
        verify::files(&files, declared, &plan.version, options)
    }

    fn options(&self) -> Options {
        let all_cores = || std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        Options {
            sample: self.customer.clone().map_or(Sample::Share(self.sample), Sample::One),
            n_threads: self.threads.unwrap_or_else(all_cores),
            memory_bytes_max: self.memory,
            n_findings_max: self.limit,
            n_read: Arc::default(),
            n_to_read: Arc::default(),
        }
    }

    fn show(&self, report: &Report) -> Exit {
        let exit = if report.n_findings_total() > 0 { Exit::Findings } else { Exit::Fine };
        if self.json {
            return output::write(&json::text(report), exit);
        }
        eprint!("{}", drawing::summary(report, self.sample < 1.0));
        output::write(&drawing::findings(report, Paint { is_on: terminal::colours_stdout() }), exit)
    }
}

/// `1%`, or `0.01`.
fn share(text: &str) -> Result<f64, String> {
    let (number, unit) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 100.0));
    match number.parse::<f64>() {
        Ok(number) if number > 0.0 && number <= unit => Ok(number / unit),
        _ => Err("a share is more than 0 and at most 100%, such as 1% or 0.01".to_owned()),
    }
}

/// `512MiB`
fn size(text: &str) -> Result<usize, String> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit = match &text[end..] {
        "" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return Err("a size is a whole number with KiB, MiB or GiB, such as 512MiB".to_owned()),
    };
    let number = text[..end].parse::<usize>().ok().and_then(|number| number.checked_mul(1 << unit));
    number.filter(|bytes| *bytes >= 1 << 20).ok_or_else(|| "a size of at least 1MiB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_part_or_a_percentage_of_all() {
        assert_eq!((share("1%"), share("0.25"), share("100%")), (Ok(0.01), Ok(0.25), Ok(1.0)));
        for wrong in ["0", "0%", "101%", "2", "-1%", "some", "", "NaN"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_size_has_a_unit_and_is_not_tiny() {
        assert_eq!((size("512MiB"), size("2GiB"), size("1048576")), (Ok(512 << 20), Ok(2 << 30), Ok(1 << 20)));
        for wrong in ["", "1KiB", "5", "1GB", "MiB", "99999999999999999999GiB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
