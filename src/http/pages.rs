//! The pages: what each path answers. Reads handles of the pipeline, changes nothing.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use super::customers;
use super::problem::Problem;
use crate::pipeline::{Phase, Status};
use crate::telemetry::Exposition;

/// What the pages read.
#[derive(Clone)]
pub struct Sources {
    pub status: Arc<Status>,
    pub metrics: Exposition,
}

/// All paths.
pub fn router(sources: Sources) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/v1/segments", get(segments))
        .route("/v1/customers/{id}", get(customers::standing))
        .route("/v1/customers/{id}/explain", get(customers::explanation))
        .fallback(unknown)
        .method_not_allowed_fallback(not_allowed)
        .with_state(sources)
}

async fn metrics(State(sources): State<Sources>) -> Response {
    let media_type = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, media_type)], sources.metrics.render()).into_response()
}

async fn healthz(State(sources): State<Sources>) -> Response {
    let status = &sources.status;
    if status.is_healthy() {
        return Json(Health::of(status)).into_response();
    }
    let detail = match status.phase() {
        Phase::Failed => status.detail(),
        _ => format!("the pipeline has been silent for {} s", status.silence().as_secs()),
    };
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).into_response()
}

async fn readyz(State(sources): State<Sources>) -> Response {
    let status = &sources.status;
    if status.is_ready() {
        return Json(Health::of(status)).into_response();
    }
    let (phase, detail) = (status.phase().name(), status.detail());
    let shards = format!("{} of {} shards restored", status.n_restored(), status.n_assigned());
    let detail = if detail.is_empty() { format!("{phase}: {shards}") } else { format!("{phase}: {shards}: {detail}") };
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).into_response()
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    shards: u64,
}

impl Health {
    fn of(status: &Status) -> Health {
        Health { status: status.phase().name(), shards: status.n_assigned() }
    }
}

/// Customers by dimension and segment, of this instance's shards.
#[derive(Serialize)]
struct Segments {
    rules_version: Box<str>,
    customers: u64,
    dimensions: Vec<DimensionSizes>,
}

#[derive(Serialize)]
struct DimensionSizes {
    name: Box<str>,
    segments: Vec<SegmentSize>,
    /// Customers in no segment.
    none: u64,
}

#[derive(Serialize)]
struct SegmentSize {
    name: Box<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<Box<str>>,
    customers: u64,
}

async fn segments(State(sources): State<Sources>) -> Response {
    let Some(plan) = sources.status.plan() else {
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the rules are not loaded yet").into_response();
    };
    let sizes = sources.status.sizes();
    let size = |dimension: usize, index: usize| -> u64 {
        sizes.get(dimension).and_then(|sizes| sizes.get(index)).copied().unwrap_or(0)
    };
    let dimensions = plan.dimensions.iter().enumerate().map(|(d, dimension)| DimensionSizes {
        name: dimension.name.clone(),
        none: size(d, 0),
        segments: dimension
            .segments
            .iter()
            .enumerate()
            .map(|(s, segment)| SegmentSize {
                name: segment.name.clone(),
                label: segment.label.clone(),
                customers: size(d, 1 + s),
            })
            .collect(),
    });
    Json(Segments {
        rules_version: plan.version.clone(),
        customers: sources.status.n_customers(),
        dimensions: dimensions.collect(),
    })
    .into_response()
}

async fn unknown(uri: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is no page {}", uri.path()))
}

async fn not_allowed(method: Method, uri: Uri) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("{} does not take {method}", uri.path()))
}
