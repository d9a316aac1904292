//! What people read when a replay has ended.

use std::fmt::Write;
use std::path::PathBuf;

use crate::cli::number::number;
use crate::event::Instant;
use crate::pipeline::replay::Summary;
use crate::rules::Plan;

/// Says which files are probably not in order.
pub fn warn(summary: &Summary, files: &[PathBuf], is_sorted: bool) {
    for (file, path) in summary.files.iter().zip(files).filter(|(file, _)| file.is_out_of_order()) {
        let hint = if is_sorted { "" } else { "; is the file in order of time? --sort sorts it first" };
        let (n_late, n_events) = (number(file.n_late), number(file.n_events));
        eprintln!("warning: {}: {n_late} of {n_events} events came late{hint}", path.display());
    }
}

/// The summary, with a newline after each line.
pub fn text(summary: &Summary, plan: &Plan, until: Option<Instant>) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: String| {
        writeln!(text, "{name:<12} {value}").expect("a string takes everything");
    };
    row("events", events(summary));
    row("customers", number(summary.n_customers));
    row("changes", number(summary.n_changes));
    row("rejects", rejects(summary));
    if let Some(until) = until {
        row("not read", format!("{} later than {until}", number(summary.n_not_read)));
    }
    for (dimension, sizes) in plan.dimensions.iter().zip(&summary.sizes) {
        let names = dimension.segments.iter().map(|segment| &*segment.name).chain(["none"]);
        let sizes = sizes[1..].iter().chain(&sizes[..1]);
        let parts: Vec<String> = names.zip(sizes).map(|(name, size)| format!("{name} {}", number(*size))).collect();
        row(&dimension.name, parts.join(", "));
    }
    let seconds = summary.elapsed.as_secs_f64();
    row("took", format!("{seconds:.1} s, {} events/s", number(summary.events_per_second() as u64)));
    text
}

fn events(summary: &Summary) -> String {
    let parts = [
        (summary.n_duplicates, "duplicates"),
        (summary.n_late(), "late"),
        (summary.n_unchecked, "too late to look for duplicates"),
    ];
    let parts: Vec<String> =
        parts.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", number(n))).collect();
    let total = number(summary.n_events);
    if parts.is_empty() { total } else { format!("{total} ({})", parts.join(", ")) }
}

fn rejects(summary: &Summary) -> String {
    let total = number(summary.n_rejects_total());
    let parts: Vec<String> = summary.rejects().map(|(reason, n)| format!("{} {reason}", number(n))).collect();
    if parts.is_empty() { total } else { format!("{total} ({})", parts.join(", ")) }
}
