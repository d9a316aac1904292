//! Where a report's history comes from: files, or the input topics of a service.

use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::listener::Listener;
use super::{Args, Error};
use crate::cli::exit::Exit;
use crate::cli::replay::progress;
use crate::cli::{rules, service};
use crate::config::report::Settings;
use crate::config::service::{Service, check_kinds};
use crate::event::Span;
use crate::pipeline::replay::{self, Options, Topics};
use crate::report::{History, Read, Watch};
use crate::rules::Plan;
use crate::rules::diagnostic::Diagnostic;

/// With --sort each file may take so much memory before it goes to temporary files.
const SORT_BYTES_MAX: usize = 256 << 20;
/// How far the clock of files stays behind the latest event.
const GRACE: Span = Span(5_000);

/// What is read.
pub enum Source {
    Files,
    Topics { topics: Topics, service: Box<Service> },
}

/// Rules to report on.
pub struct Rules {
    pub plan: Plan,
    pub settings: Settings,
}

/// Loads what `-c` names: rules, or with --topics the service's settings and the rules that these name. Says what is
/// wrong.
pub fn load(args: &Args, config: &Path) -> Result<(Source, Rules), Exit> {
    if !args.topics {
        let loaded = rules::load_all(config).ok_or(Exit::Usage)?;
        return Ok((Source::Files, Rules { plan: loaded.plan, settings: loaded.report }));
    }
    let checked = service::load(config).ok_or(Exit::Usage)?;
    let service = Box::new(checked.service);
    let names = service.inputs.iter().map(|input| input.topic.clone()).collect();
    match Topics::look(service::kafka_settings(&service), names, service.time.max_skew) {
        Ok(topics) => Ok((Source::Topics { topics, service }, Rules { plan: checked.plan, settings: checked.report })),
        Err(error) => {
            eprintln!("error: {error}");
            Err(Exit::World)
        }
    }
}

impl Source {
    /// Loads other rules for the same events.
    pub fn load_other(&self, path: &Path) -> Result<Rules, Exit> {
        let loaded = rules::load_all(path).ok_or(Exit::Usage)?;
        if let Source::Topics { service, .. } = self {
            let diagnostics = check_kinds(&service.inputs, &loaded.plan.schema);
            rules::complain(&diagnostics);
            if diagnostics.iter().any(Diagnostic::is_error) {
                return Err(Exit::Usage);
            }
        }
        Ok(Rules { plan: loaded.plan, settings: loaded.report })
    }

    /// Replays the events under the rules.
    pub fn history(&self, args: &Args, rules: Rules) -> Result<(History, Read), Error> {
        let options = self.options(args);
        let plan = Arc::new(rules.plan);
        let watch = Arc::new(Watch::new(plan.clone(), rules.settings, args.from, args.until));
        let listen = || Listener::new(&watch);
        let bar = progress::start(&options.files, &options.n_bytes_read, args.quiet);
        let done = match self {
            Source::Files => replay::watch(&plan, watch.decoder(), &options, None, listen),
            Source::Topics { topics, service } => {
                let inputs = service::inputs(service, &plan);
                replay::watch_topics(&plan, watch.decoder(), &options, (topics, &inputs), listen)
            }
        };
        if let Some(bar) = bar {
            bar.end();
        }
        let (summary, journals) = done?;
        let end = summary.end.ok_or(Error::Nothing)?;
        let read = Read {
            n_events: summary.n_events,
            n_duplicates: summary.n_duplicates,
            n_rejects: summary.n_rejects_total(),
            n_not_read: summary.n_not_read,
            n_changes: summary.n_changes,
        };
        Ok((History::new(watch, journals, end), read))
    }

    fn options(&self, args: &Args) -> Options {
        let all_cores = || std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        let of_service = match self {
            Source::Files => None,
            Source::Topics { service, .. } => Some(service.time.grace),
        };
        Options {
            files: args.files.clone(),
            until: args.until,
            grace: args.grace.or(of_service).unwrap_or(GRACE),
            n_threads: args.threads.unwrap_or_else(all_cores),
            is_sorted_first: args.sort,
            sort_bytes_max: SORT_BYTES_MAX,
            n_bytes_read: Arc::new(AtomicU64::new(0)),
        }
    }
}
