//! Every metric there is: the names of the contract as typed constants. Label values come from the configuration or
//! from bounded sets of the code, never from events.

use metrics::Unit::{Bytes, Count, Seconds};

use super::instrument::{Counter, Description, Gauge, Histogram};

const fn counter<const N: usize>(name: &'static str, labels: [&'static str; N], about: &'static str) -> Counter<N> {
    Counter(Description::new(name, labels, Some(Count), about))
}

const fn gauge<const N: usize>(
    name: &'static str,
    labels: [&'static str; N],
    unit: Option<metrics::Unit>,
    about: &'static str,
) -> Gauge<N> {
    Gauge(Description::new(name, labels, unit, about))
}

const fn seconds(name: &'static str, bounds: &'static [f64], about: &'static str) -> Histogram<0> {
    Histogram { description: Description::new(name, [], Some(Seconds), about), bounds }
}

/// From half a millisecond to a minute, finest around the goals (15 ms, 40 ms).
const LATENCY_BOUNDS: &[f64] = &[
    0.0005, 0.001, 0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0,
    10.0, 60.0,
];
/// Finest around the goal (grace + 1 s), up to an hour: a shard that was away.
const LATENESS_BOUNDS: &[f64] =
    &[0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 5.25, 5.5, 5.75, 6.0, 7.0, 10.0, 30.0, 60.0, 600.0, 3600.0];
/// From a tenth of a second to an hour.
const RESTORE_BOUNDS: &[f64] = &[0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0];

pub static EVENTS: Counter<1> = counter("dormouse_events_total", ["kind"], "Events folded into facts");
pub static REJECTS: Counter<1> =
    counter("dormouse_rejects_total", ["reason"], "Records that were not taken and went to the rejects topic");
pub static DUPLICATES: Counter<0> =
    counter("dormouse_duplicates_total", [], "Events dropped because the same one was folded before");
pub static UNCHECKED: Counter<0> = counter(
    "dormouse_unchecked_total",
    [],
    "Events folded without looking for a duplicate, because they came later than their dedup_window",
);
pub static CHANGES: Counter<4> = counter(
    "dormouse_changes_total",
    ["dimension", "from", "to", "cause"],
    "Changes published; an empty from or to is in no segment",
);
pub static CUSTOMERS: Gauge<2> = gauge(
    "dormouse_customers",
    ["dimension", "segment"],
    None,
    "Customers in a segment now; an empty segment is in none",
);
pub static CHANGE_LATENCY: Histogram<0> = seconds(
    "dormouse_change_latency_seconds",
    LATENCY_BOUNDS,
    "From the event's append to the log to the commit of the change that it caused",
);
pub static DUE_LATENESS: Histogram<0> = seconds(
    "dormouse_due_lateness_seconds",
    LATENESS_BOUNDS,
    "From the instant at which a change became due by time alone to its commit",
);
pub static CLOCK_LAG: Gauge<1> =
    gauge("dormouse_clock_lag_seconds", ["shard"], Some(Seconds), "Wall clock minus the shard's clock");
pub static CONSUMER_LAG: Gauge<2> =
    gauge("dormouse_consumer_lag", ["topic", "partition"], None, "Records of the input that were not read yet");
pub static EPOCH_COMMIT: Histogram<0> = seconds(
    "dormouse_epoch_commit_seconds",
    LATENCY_BOUNDS,
    "How long an epoch's transaction took, from its first record to its commit",
);
pub static EPOCHS: Counter<1> = counter(
    "dormouse_epochs_total",
    ["outcome"],
    "Epochs by how their transaction ended: committed, aborted or unknown",
);
pub static STATE_BYTES: Gauge<0> =
    gauge("dormouse_state_bytes", [], Some(Bytes), "Memory that customers' facts and standing take");
pub static RESIDENT_BYTES: Gauge<0> =
    gauge("dormouse_resident_bytes", [], Some(Bytes), "Memory that the whole process takes");
pub static SNAPSHOT_AGE: Gauge<1> =
    gauge("dormouse_snapshot_age_seconds", ["shard"], Some(Seconds), "Age of the shard's newest snapshot");
pub static SNAPSHOT_OVERDUE: Gauge<1> = gauge(
    "dormouse_snapshot_overdue",
    ["shard"],
    None,
    "1 when the shard's newest snapshot is older than half of the time for which the inputs are kept",
);
pub static SNAPSHOTS: Counter<1> =
    counter("dormouse_snapshots_total", ["outcome"], "Snapshots by how they ended: published or failed");
pub static RESTORE_PROGRESS: Gauge<2> = gauge(
    "dormouse_restore_progress_ratio",
    ["shard", "step"],
    None,
    "How much of a step of bringing a shard back is done, from 0 to 1: snapshot, standing, input",
);
pub static RESTORE: Histogram<0> =
    seconds("dormouse_restore_seconds", RESTORE_BOUNDS, "How long it took to bring a shard back");
pub static RULES_INFO: Gauge<1> =
    gauge("dormouse_rules_info", ["version"], None, "1 for the version of the rules that decides now");
pub static BUILD_INFO: Gauge<2> = gauge("dormouse_build_info", ["version", "revision"], None, "1 for this build");

/// All histograms, for whoever sets their buckets.
pub(super) static HISTOGRAMS: [&Histogram<0>; 4] = [&CHANGE_LATENCY, &DUE_LATENESS, &EPOCH_COMMIT, &RESTORE];

/// Tells the recorder what each metric means. Names are then known before their first value.
pub(super) fn describe() {
    EVENTS.describe();
    REJECTS.describe();
    DUPLICATES.describe();
    UNCHECKED.describe();
    CHANGES.describe();
    CUSTOMERS.describe();
    CLOCK_LAG.describe();
    CONSUMER_LAG.describe();
    EPOCHS.describe();
    STATE_BYTES.describe();
    RESIDENT_BYTES.describe();
    SNAPSHOT_AGE.describe();
    SNAPSHOT_OVERDUE.describe();
    SNAPSHOTS.describe();
    RESTORE_PROGRESS.describe();
    RULES_INFO.describe();
    BUILD_INFO.describe();
    HISTOGRAMS.iter().for_each(|histogram| histogram.describe());
}
