//! Where metrics are kept until somebody asks: a Prometheus recorder without a listener of its own. The HTTP room
//! renders it.

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use super::metrics::{BUILD_INFO, HISTOGRAMS, describe};
use super::revision;

/// Renders the metrics of this process. Cloning is cheap.
#[derive(Clone)]
pub struct Exposition(PrometheusHandle);

impl Exposition {
    /// All metrics as Prometheus text.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Folds what histograms have recorded into their buckets; without a call now and then they grow.
    pub fn fold(&self) {
        self.0.run_upkeep();
    }
}

/// Another recorder is installed already.
#[derive(Debug, thiserror::Error)]
#[error("metrics were already started in this process")]
pub struct AlreadyInstalled;

/// Starts the metrics of this process. May be called once.
pub fn install() -> Result<Exposition, AlreadyInstalled> {
    let recorder = build();
    let exposition = Exposition(recorder.handle());
    metrics::set_global_recorder(recorder).map_err(|_| AlreadyInstalled)?;
    describe();
    BUILD_INFO.set([env!("CARGO_PKG_VERSION"), revision()], 1.0);
    Ok(exposition)
}

fn build() -> PrometheusRecorder {
    let builder = HISTOGRAMS.iter().fold(PrometheusBuilder::new(), |builder, histogram| {
        builder
            .set_buckets_for_metric(Matcher::Full(histogram.name().to_owned()), histogram.bounds)
            .expect("every histogram has bounds")
    });
    builder.build_recorder()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::telemetry::metrics::{CHANGE_LATENCY, CHANGES, CUSTOMERS, EVENTS, STATE_BYTES};

    fn rendered(record: impl FnOnce()) -> String {
        let recorder = build();
        let exposition = Exposition(recorder.handle());
        metrics::with_local_recorder(&recorder, || {
            describe();
            record();
        });
        exposition.fold();
        exposition.render()
    }

    #[test]
    fn counters_and_gauges_carry_the_names_and_labels_of_the_contract() {
        let text = rendered(|| {
            EVENTS.increment(["purchase"], 2);
            EVENTS.increment(["purchase"], 1);
            CHANGES.increment(["activity", "", "new", "event"], 1);
            CUSTOMERS.set(["activity", "new"], 7.0);
            STATE_BYTES.set([], 1024.0);
        });
        for line in [
            r#"dormouse_events_total{kind="purchase"} 3"#,
            r#"dormouse_changes_total{dimension="activity",from="",to="new",cause="event"} 1"#,
            r#"dormouse_customers{dimension="activity",segment="new"} 7"#,
            "dormouse_state_bytes 1024",
            "# TYPE dormouse_events_total counter",
            "# HELP dormouse_events_total Events folded into facts",
        ] {
            assert!(text.lines().any(|found| found == line), "{line:?} is missing in\n{text}");
        }
    }

    #[test]
    fn histograms_have_buckets_not_quantiles() {
        let text = rendered(|| CHANGE_LATENCY.record([], 0.012));
        assert!(text.contains(r#"dormouse_change_latency_seconds_bucket{le="0.015"} 1"#), "{text}");
        assert!(text.contains(r#"dormouse_change_latency_seconds_bucket{le="0.01"} 0"#), "{text}");
        assert!(!text.contains("quantile"), "{text}");
    }

    #[test]
    fn histograms_have_distinct_names_and_ascending_bounds() {
        let names: BTreeSet<_> = HISTOGRAMS.iter().map(|histogram| histogram.name()).collect();
        assert_eq!(names.len(), HISTOGRAMS.len());
        for histogram in HISTOGRAMS {
            assert!(histogram.bounds.is_sorted_by(|a, b| a < b), "{}", histogram.name());
        }
    }
}
