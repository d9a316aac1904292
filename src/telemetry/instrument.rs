//! Counters, gauges and histograms whose names are fixed when the program is compiled.
//!
//! The fields are private to this room and only `metrics.rs` makes values, so a raw string at a call site does not
//! compile, and neither does a call with the wrong number of labels. What is always true: without an installed
//! recorder every call does nothing.

use metrics::{Key, Label, Level, Metadata, Unit};

/// The same for all: we do not filter by target.
static METADATA: Metadata<'static> = Metadata::new("dormouse", Level::INFO, None);

/// Name, label names, unit and meaning of a metric with `N` labels.
#[derive(Debug)]
pub(super) struct Description<const N: usize> {
    name: &'static str,
    labels: [&'static str; N],
    unit: Option<Unit>,
    about: &'static str,
}

impl<const N: usize> Description<N> {
    pub(super) const fn new(
        name: &'static str,
        labels: [&'static str; N],
        unit: Option<Unit>,
        about: &'static str,
    ) -> Description<N> {
        Description { name, labels, unit, about }
    }

    fn key(&self, values: [&str; N]) -> Key {
        let labels: Vec<Label> =
            self.labels.iter().zip(values).map(|(name, value)| Label::new(*name, value.to_owned())).collect();
        Key::from_parts(self.name, labels)
    }
}

/// Only goes up.
#[derive(Debug)]
pub struct Counter<const N: usize>(pub(super) Description<N>);

impl<const N: usize> Counter<N> {
    /// The counter for these label values, to be kept where it is counted often.
    pub fn with(&self, values: [&str; N]) -> metrics::Counter {
        let key = self.0.key(values);
        metrics::with_recorder(|recorder| recorder.register_counter(&key, &METADATA))
    }

    /// Adds `n`.
    pub fn increment(&self, values: [&str; N], n: u64) {
        self.with(values).increment(n);
    }

    pub(super) fn describe(&self) {
        let Description { name, unit, about, .. } = &self.0;
        metrics::with_recorder(|r| r.describe_counter((*name).into(), *unit, (*about).into()));
    }
}

/// Goes up and down.
#[derive(Debug)]
pub struct Gauge<const N: usize>(pub(super) Description<N>);

impl<const N: usize> Gauge<N> {
    /// The gauge for these label values, to be kept where it is set often.
    pub fn with(&self, values: [&str; N]) -> metrics::Gauge {
        let key = self.0.key(values);
        metrics::with_recorder(|recorder| recorder.register_gauge(&key, &METADATA))
    }

    pub fn set(&self, values: [&str; N], value: f64) {
        self.with(values).set(value);
    }

    pub(super) fn describe(&self) {
        let Description { name, unit, about, .. } = &self.0;
        metrics::with_recorder(|r| r.describe_gauge((*name).into(), *unit, (*about).into()));
    }
}

/// A distribution, in the buckets that its description names.
#[derive(Debug)]
pub struct Histogram<const N: usize> {
    pub(super) description: Description<N>,
    /// Upper bounds, ascending, in the metric's unit.
    pub(super) bounds: &'static [f64],
}

impl<const N: usize> Histogram<N> {
    /// The histogram for these label values, to be kept where it is recorded often.
    pub fn with(&self, values: [&str; N]) -> metrics::Histogram {
        let key = self.description.key(values);
        metrics::with_recorder(|recorder| recorder.register_histogram(&key, &METADATA))
    }

    pub fn record(&self, values: [&str; N], value: f64) {
        self.with(values).record(value);
    }

    pub(super) fn describe(&self) {
        let Description { name, unit, about, .. } = &self.description;
        metrics::with_recorder(|r| r.describe_histogram((*name).into(), *unit, (*about).into()));
    }

    pub(super) fn name(&self) -> &'static str {
        self.description.name
    }
}
