//! `dormouse check`: everything that is wrong with a configuration at once, and what it would do. Starts nothing.

use std::path::{Path, PathBuf};

use super::exit::Exit;
use super::rules::complain;
use crate::config::{rules, service};
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

/// What was found in a configuration that may run.
struct Checked {
    plan: Plan,
    warnings: Vec<Diagnostic>,
}

/// Checks the configuration.
pub fn run(args: Args) -> Exit {
    let checked = if is_service(&args.config) { check_service(&args.config) } else { check_rules(&args.config) };
    match checked {
        Ok(checked) => {
            complain(&checked.warnings);
            print!("{}", summary(&checked.plan));
            if checked.warnings.is_empty() { Exit::Fine } else { Exit::Findings }
        }
        Err(diagnostics) => {
            complain(&diagnostics);
            Exit::Usage
        }
    }
}

/// A file with a section that only the service has. Looks at lines, so that it also knows a file that is not TOML.
fn is_service(path: &Path) -> bool {
    const HEADERS: [&str; 9] =
        ["[kafka", "[[input", "[output", "[rules", "[time", "[state", "[http", "[shutdown", "kafka."];
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().any(|line| HEADERS.iter().any(|header| line.trim_start().starts_with(header)))
}

fn check_rules(path: &Path) -> Result<Checked, Vec<Diagnostic>> {
    let loaded = rules::load(path)?;
    Ok(Checked { plan: loaded.plan, warnings: loaded.warnings })
}

/// The settings, and once these are right the rules that they name.
fn check_service(path: &Path) -> Result<Checked, Vec<Diagnostic>> {
    let settings = service::load(path)?;
    let mut diagnostics = settings.warnings;
    match rules::load(&settings.service.rules) {
        Ok(loaded) => {
            diagnostics.extend(service::check_kinds(&settings.service.inputs, &loaded.plan.schema));
            diagnostics.extend(loaded.warnings);
            if diagnostics.iter().any(Diagnostic::is_error) {
                return Err(diagnostics);
            }
            Ok(Checked { plan: loaded.plan, warnings: diagnostics })
        }
        Err(more) => {
            diagnostics.extend(more);
            Err(diagnostics)
        }
    }
}

/// What the rules are, with a line break at its end.
fn summary(plan: &Plan) -> String {
    let mut text = format!("rules {}\n", plan.version);
    for dimension in &plan.dimensions {
        let names: Vec<&str> = dimension.segments.iter().map(|segment| &*segment.name).collect();
        text.push_str(&format!("  {}: {}\n", dimension.name, names.join(", ")));
    }
    text
}
