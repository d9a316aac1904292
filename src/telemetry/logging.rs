//! The log: `tracing` events on standard error, as text for people or as JSON for machines.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// What a service logs when neither `--log` nor `RUST_LOG` says anything.
pub const SERVICE_FILTER: &str = "warn,dormouse=info";
/// What a command for people logs then: its own output says the rest.
pub const PEOPLE_FILTER: &str = "warn";

/// How the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A line for people
    Text,
    /// A JSON object a line
    Json,
}

/// The filter cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{origin} is not a log filter: {source}; an example: debug,rdkafka=warn")]
pub struct Error {
    origin: &'static str,
    source: ParseError,
}

/// Starts the log: `argument`, else `RUST_LOG`, else `default`. Must be called once.
pub fn install(format: Format, argument: Option<&str>, default: &str) -> Result<(), Error> {
    let filter = filter(argument, std::env::var("RUST_LOG").ok().as_deref(), default)?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        Format::Json => log.json().flatten_event(true).init(),
        Format::Text => log.with_ansi(has_colours()).init(),
    }
    Ok(())
}

fn filter(argument: Option<&str>, environment: Option<&str>, default: &str) -> Result<EnvFilter, Error> {
    let (origin, text) = match (argument, environment) {
        (Some(text), _) => ("--log", text),
        (None, Some(text)) if !text.is_empty() => ("RUST_LOG", text),
        _ => ("the default", default),
    };
    EnvFilter::try_new(text).map_err(|source| Error { origin, source })
}

fn has_colours() -> bool {
    let said_no = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal() && !said_no
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_argument_wins_over_the_environment() {
        let said = |argument, environment| filter(argument, environment, SERVICE_FILTER).map(|f| f.to_string());
        assert_eq!(said(Some("debug"), Some("error")).expect("a level is a filter"), "debug");
        assert_eq!(said(None, Some("error")).expect("a level is a filter"), "error");
        assert_eq!(said(None, None).expect("the default is a filter"), "dormouse=info,warn");
    }

    #[test]
    fn a_wrong_filter_names_where_it_came_from() {
        let error = filter(Some("dormouse=loud"), None, SERVICE_FILTER).expect_err("loud is no level");
        assert!(error.to_string().starts_with("--log is not a log filter"), "{error}");
    }
}
