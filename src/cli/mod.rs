//! The command line: arguments, wiring, what people read on a terminal, and exit codes. Results go to standard
//! output, everything else to standard error. Nothing here decides what a customer is.
//!
//! One file (or folder) a command, each with `pub struct Args` and `pub fn run(args: Args) -> Exit`.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "runs the program: files, threads, terminal, log"
)]

mod check;
mod cost;
mod demo;
pub mod diagnostics;
mod dimension;
pub mod exit;
mod explain;
mod fault;
pub mod generate;
mod number;
mod output;
mod paint;
mod replay;
mod report;
mod rules;
mod run;
mod service;
mod signals;
mod suggest;
pub mod terminal;
mod topics;
mod trials;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::telemetry::logging;
pub use exit::Exit;

/// Streaming customer segmentation: events in from Kafka, segment changes out, exactly once.
#[derive(Debug, Parser)]
#[command(name = "dormouse", version, about, disable_help_subcommand = true)]
struct Cli {
    /// How the log on standard error looks
    #[arg(long, global = true, value_enum, default_value = "text", help_heading = "Log")]
    log_format: logging::Format,
    /// What is logged: LEVEL or TARGET=LEVEL,…; without it RUST_LOG, else what the command needs
    #[arg(long, global = true, value_name = "FILTER", help_heading = "Log")]
    log: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// See it at work: a year of a real shop in a minute or two, with nothing to install
    Demo(demo::Args),
    /// Run the service: events in from Kafka, changes out
    Run(run::Args),
    /// Replay events from files and print the changes
    Replay(replay::Args),
    /// Say how good each segment is: size, value, flows, and the tests of a useful segment
    Report(report::Args),
    /// Say everything that is wrong with a configuration, and what it does
    Check(check::Args),
    /// Say why a customer is where they are, how far from changing, and what comes next
    Explain(explain::Args),
    /// Read thresholds off a history: a first rules file, with the reason beside each figure
    Suggest(suggest::Args),
    /// Recompute customers from the input and compare with what was published
    Verify(verify::Args),
    /// Say whether the topics are there and right; make them
    Topics(topics::Args),
    /// Write the events of a made-up shop, for trying out rules and for measuring
    Generate(generate::Args),
}

impl Command {
    /// What is logged unless somebody says otherwise.
    fn log_filter(&self) -> &'static str {
        match self {
            Command::Run(_) => logging::SERVICE_FILTER,
            _ => logging::PEOPLE_FILTER,
        }
    }
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    fault::install();
    let cli = Cli::parse();
    if let Err(error) = logging::install(cli.log_format, cli.log.as_deref(), cli.command.log_filter()) {
        eprintln!("error: {error}");
        return Exit::Usage.into();
    }
    let exit = match cli.command {
        Command::Demo(args) => demo::run(args),
        Command::Run(args) => run::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Report(args) => report::run(args),
        Command::Check(args) => check::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Suggest(args) => suggest::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Topics(args) => topics::run(args),
        Command::Generate(args) => generate::run(args),
    };
    exit.into()
}
