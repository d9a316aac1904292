//! `dormouse replay`: events from files, changes as JSON lines.

use std::path::PathBuf;

use super::exit::Exit;

/// Arguments of `dormouse replay`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The rules
    #[arg(short, long, value_name = "SEGMENTS.TOML")]
    config: PathBuf,
    /// Events: .jsonl, also .zst and .gz; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Replays the files.
pub fn run(args: Args) -> Exit {
    eprintln!("replaying {} files by {} is not part of this build", args.files.len(), args.config.display());
    Exit::Usage
}
