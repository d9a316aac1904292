//! `dormouse run`: the service. Wires settings, rules, metrics, pages and signals to the pipeline, and says how it ended.

use std::path::PathBuf;
use std::sync::Arc;

use super::exit::Exit;
use super::{service, signals};
use crate::pipeline::{self, Status, Stop};
use crate::{http, telemetry};

const HELP: &str = "\
Examples:
  dormouse run -c dormouse.toml
  DORMOUSE_KAFKA__BROKERS=kafka-1:9092 dormouse run -c dormouse.toml --log-format json

SIGTERM or Ctrl-C ends it cleanly: the last epoch is finished and the group is left. A second one ends it at once.";

/// Arguments of `dormouse run`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct Args {
    /// The service's settings
    #[arg(short, long, value_name = "DORMOUSE.TOML")]
    config: PathBuf,
}

/// Runs the service until it is told to stop.
pub fn run(args: Args) -> Exit {
    let Some(checked) = service::load(&args.config) else { return Exit::Usage };
    match serve(checked) {
        Ok(()) => Exit::Fine,
        Err(error) => {
            // The log stands on standard error, and a reader of JSON wants nothing else there.
            tracing::error!("ended: {error}");
            Exit::World
        }
    }
}

fn serve(checked: service::Checked) -> Result<(), Box<dyn std::error::Error>> {
    let mut settings = service::pipeline_settings(&checked.service, &checked.plan);
    settings.snapshots = service::snapshots(&checked.service)?;
    let plan = Arc::new(checked.plan);
    let exposition = telemetry::install()?;
    let (status, stop) = (Arc::new(Status::default()), Stop::default());
    let sources = http::Sources { status: status.clone(), metrics: exposition };
    let server = http::start(checked.service.http.listen, sources)?;
    signals::request_on_signal(&stop)?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        rules = %plan.version,
        http = %server.address(),
        group = %checked.service.kafka.group,
        instance = %checked.service.kafka.instance,
        "starting"
    );
    pipeline::run(settings, plan, &status, &stop)?;
    tracing::info!("stopped");
    Ok(())
}
