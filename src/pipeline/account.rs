//! Tells the metrics, and who keeps snapshots, what was committed.

use std::collections::BTreeMap;

use super::epoch::Part;
use super::tools::Tools;
use crate::engine::Cause;
use crate::telemetry::metrics;

/// The part's changes are seen by subscribers now.
pub fn committed(tools: &Tools, part: &Part) {
    if let Some(keeping) = &tools.keeping {
        keeping.committed(part.shard, &part.token);
    }
    let now = tools.clock.now();
    let (latency, lateness) = (metrics::CHANGE_LATENCY.with([]), metrics::DUE_LATENESS.with([]));
    let mut counts = BTreeMap::new();
    for told in part.pieces.iter().flat_map(|piece| &piece.told) {
        *counts.entry((told.dimension, told.from, told.to, told.cause.name())).or_insert(0u64) += 1;
        let Some(since) = told.since else { continue };
        let seconds = (now - since).0.max(0) as f64 / 1000.0;
        match told.cause {
            Cause::Event | Cause::LateEvent => latency.record(seconds),
            Cause::Elapsed => lateness.record(seconds),
            Cause::Rules => {}
        }
    }
    for ((dimension, from, to, cause), n) in counts {
        let plan = &tools.plan;
        let names = [
            &plan.dimension(dimension).name,
            plan.segment_name(dimension, from),
            plan.segment_name(dimension, to),
            cause,
        ];
        metrics::CHANGES.increment(names, n);
    }
}
