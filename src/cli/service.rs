//! The service's settings for a command: checked together with the rules that they name, and handed on in the words of
//! the pipeline.

use std::path::Path;
use std::time::Duration;

use super::rules::complain;
use crate::config::service::Service;
use crate::config::{report, rules, service};
use crate::kafka;
use crate::pipeline::{self, Placement};
use crate::rules::Plan;
use crate::rules::declared::Declared;
use crate::rules::diagnostic::Diagnostic;
use crate::rules::timeline::Test;
use crate::snapshot;

/// Settings and rules that may run together.
pub struct Checked {
    pub service: Service,
    pub plan: Plan,
    /// What the plan was made of.
    pub declared: Declared,
    pub tests: Vec<Test>,
    /// `[report]` of the rules.
    pub report: report::Settings,
    pub warnings: Vec<Diagnostic>,
}

/// Reads and checks the settings, and once these are right the rules that they name.
pub fn check(path: &Path) -> Result<Checked, Vec<Diagnostic>> {
    let settings = service::load(path)?;
    let mut diagnostics = settings.service.kafka.client.check(kafka::refuses);
    diagnostics.extend(settings.warnings);
    match rules::load(&settings.service.rules) {
        Ok(loaded) => {
            diagnostics.extend(service::check_kinds(&settings.service.inputs, &loaded.plan.schema));
            diagnostics.extend(loaded.warnings);
            if diagnostics.iter().any(Diagnostic::is_error) {
                return Err(diagnostics);
            }
            let rules::Loaded { plan, declared, tests, report, .. } = loaded;
            Ok(Checked { service: settings.service, plan, declared, tests, report, warnings: diagnostics })
        }
        Err(more) => {
            diagnostics.extend(more);
            Err(diagnostics)
        }
    }
}

/// As [`check`], with everything that is to be said on standard error; `None` when it is refused.
pub fn load(path: &Path) -> Option<Checked> {
    match check(path) {
        Ok(checked) => {
            complain(&checked.warnings);
            Some(checked)
        }
        Err(diagnostics) => {
            complain(&diagnostics);
            None
        }
    }
}

/// How to reach Kafka.
pub fn kafka_settings(service: &Service) -> kafka::Settings {
    let client = service.kafka.client.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    kafka::Settings {
        brokers: service.kafka.brokers.clone(),
        group: service.kafka.group.clone(),
        instance: service.kafka.instance.clone(),
        client: client.collect(),
        is_embedded: false,
        prefetch_bytes: kafka::PREFETCH_BYTES,
    }
}

/// Where snapshots go; the place is opened, and made when it is a folder that is not there.
pub fn snapshots(service: &Service) -> Result<Option<pipeline::Snapshots>, snapshot::Error> {
    let Some(url) = &service.state.snapshots else { return Ok(None) };
    let every = Duration::from_millis(service.state.snapshot_every.0.unsigned_abs());
    let environment =
        std::env::vars_os().filter_map(|(name, value)| name.into_string().ok().zip(value.into_string().ok()));
    Ok(Some(pipeline::Snapshots { store: snapshot::Store::open(url, &service.kafka.group, environment)?, every }))
}

/// The topics that events come from. Their kinds are the plan's: see [`check`].
pub fn inputs(service: &Service, plan: &Plan) -> Vec<pipeline::Input> {
    let input = |input: &service::Input| pipeline::Input {
        topic: input.topic.clone(),
        kind: input.kind.as_deref().and_then(|kind| plan.schema.kind(kind)),
        format: input.format,
    };
    service.inputs.iter().map(input).collect()
}

/// Everything that the pipeline works by.
pub fn pipeline_settings(service: &Service, plan: &Plan) -> pipeline::Settings {
    let output = pipeline::Output {
        changes: service.output.changes.clone(),
        standing: service.output.standing.clone(),
        rejects: service.output.rejects.clone(),
        format: service.output.format,
    };
    let mut settings = pipeline::Settings::new(kafka_settings(service), inputs(service, plan), output);
    settings.grace = service.time.grace;
    settings.max_skew = service.time.max_skew;
    settings.max_hold = service.time.max_hold;
    settings.ready_lag = service.http.ready_lag;
    settings.placement = match service.kafka.placement {
        service::Placement::Murmur2 => Placement::Murmur2,
        service::Placement::Crc32 => Placement::Crc32,
        service::Placement::Any => Placement::Any,
    };
    settings.accepts_loss = service.state.accept_loss;
    settings.shutdown_timeout = service.shutdown.timeout;
    settings.leaves_group = service.shutdown.leave;
    if let Some(limit) = service.state.memory_limit_bytes {
        settings.limit_memory(limit);
    }
    settings
}
