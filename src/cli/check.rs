//! `dormouse check`: everything that is wrong with a configuration at once, and what it would do. Starts nothing.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::cost;
use super::exit::Exit;
use super::output;
use super::rules::complain;
use super::{service, trials};
use crate::config::{document, rules};
use crate::rules::Plan;
use crate::rules::diagnostic::Diagnostic;
use crate::rules::timeline::Test;

const HELP: &str = "\
Examples:
  dormouse check -c segments.toml
  dormouse check -c dormouse.toml     the service's settings, and the rules that they name
  dormouse check -c segments.toml --only dormant -v

Tests stand in the rules file: what one customer does, and where that should bring them.
  [[test]]
  name = \"ninety days without an order\"
  timeline = '''
  2026-01-05 10:00   purchase amount=40 category=garden
  +0s                => activity = new
  +10d               purchase 25
  +90d               => activity = dormant
  '''

Exit codes: 0 all is right, 1 there are warnings or failed tests, 2 there are errors.";

/// Arguments of `dormouse check`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct Args {
    /// The rules, or the service's settings
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// Runs only the tests whose name has this in it
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Lists the tests that passed, too
    #[arg(short, long)]
    verbose: bool,
}

/// Checks the configuration, and once it is right runs the tests in it.
pub fn run(args: Args) -> Exit {
    let Checked { plan, tests, warnings } = match check(&args.config) {
        Ok(checked) => checked,
        Err(diagnostics) => {
            complain(&diagnostics);
            return Exit::Usage;
        }
    };
    complain(&warnings);
    let summary = summary(&plan);
    let selection = trials::Selection { only: args.only.as_deref(), lists_passed: args.verbose };
    let Some(told) = trials::run(plan, &tests, selection) else { return Exit::Usage };
    let exit = if warnings.is_empty() && told.failures.is_empty() { Exit::Fine } else { Exit::Findings };
    // In this order failures stand above their number, where both streams are one terminal.
    let gap = if told.summary.is_empty() { "" } else { "\n" };
    if output::write(&format!("{summary}{gap}"), exit) != exit {
        return Exit::World;
    }
    eprint!("{}", told.failures);
    output::write(&told.summary, exit)
}

/// What a configuration holds that is right.
struct Checked {
    plan: Plan,
    tests: Vec<Test>,
    warnings: Vec<Diagnostic>,
}

fn check(path: &Path) -> Result<Checked, Vec<Diagnostic>> {
    if is_service(path) {
        let service::Checked { plan, tests, warnings, .. } = service::check(path)?;
        return Ok(Checked { plan, tests, warnings });
    }
    let rules::Loaded { plan, tests, warnings, .. } = rules::load(path)?;
    Ok(Checked { plan, tests, warnings })
}

/// A file with a section that only the service has. Looks at lines, so that it also knows a file that is not TOML.
fn is_service(path: &Path) -> bool {
    const SECTIONS: [&str; 8] = ["kafka", "input", "output", "rules", "time", "state", "http", "shutdown"];
    let mut text = String::new();
    if let Ok(file) = std::fs::File::open(path) {
        // What cannot be read is said by who loads it.
        let _ = file.take(document::BYTES_MAX).read_to_string(&mut text);
    }
    let section = |line: &str| {
        let name = line.trim_start().strip_prefix('[')?.trim_start_matches('[');
        Some(name.split([']', '.']).next()?.trim().to_owned())
    };
    text.lines().filter_map(section).any(|name| SECTIONS.contains(&name.as_str()))
}

/// What the rules are, with a line break at its end.
fn summary(plan: &Plan) -> String {
    let mut text = format!("rules {}\n", plan.version);
    for dimension in &plan.dimensions {
        let names: Vec<&str> = dimension.segments.iter().map(|segment| &*segment.name).collect();
        text.push_str(&format!("  {}: {}\n", dimension.name, names.join(", ")));
    }
    text.push_str(&cost::tables(plan));
    text
}
