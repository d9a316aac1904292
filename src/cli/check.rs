//! `dormouse check`: everything that is wrong with a configuration at once, and what it would do. Starts nothing.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::cost;
use super::exit::Exit;
use super::output;
use super::rules::complain;
use super::service;
use crate::config::{document, rules};
use crate::rules::Plan;
use crate::rules::diagnostic::Diagnostic;

const HELP: &str = "\
Examples:
  dormouse check -c segments.toml
  dormouse check -c dormouse.toml     the service's settings, and the rules that they name

Exit codes: 0 all is right, 1 there are warnings, 2 there are errors.";

/// Arguments of `dormouse check`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct Args {
    /// The rules, or the service's settings
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
}

/// Checks the configuration.
pub fn run(args: Args) -> Exit {
    match check(&args.config) {
        Ok((plan, warnings)) => {
            complain(&warnings);
            let exit = if warnings.is_empty() { Exit::Fine } else { Exit::Findings };
            output::write(&summary(&plan), exit)
        }
        Err(diagnostics) => {
            complain(&diagnostics);
            Exit::Usage
        }
    }
}

fn check(path: &Path) -> Result<(Plan, Vec<Diagnostic>), Vec<Diagnostic>> {
    if is_service(path) {
        return service::check(path).map(|checked| (checked.plan, checked.warnings));
    }
    rules::load(path).map(|loaded| (loaded.plan, loaded.warnings))
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
