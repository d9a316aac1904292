//! Errors of the HTTP pages as problem documents (RFC 9457).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// What went wrong with one request, for people and programs.
#[derive(Debug, Serialize)]
pub struct Problem {
    /// What kind of problem; `about:blank` where the status says it all.
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
    /// The shard that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    partition: Option<i32>,
}

/// Nobody has the id that was asked for. Tells it from a page that is not there.
pub const UNKNOWN_CUSTOMER: &str = "urn:dormouse:unknown-customer";

impl Problem {
    /// A problem of which the status says what kind it is.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        let title = status.canonical_reason().unwrap_or("Error");
        Problem { kind: "about:blank", title, status: status.as_u16(), detail: detail.into(), partition: None }
    }

    pub fn unknown_customer(customer: &str) -> Problem {
        let detail = format!("there is no customer `{customer}`");
        Problem { kind: UNKNOWN_CUSTOMER, title: "Unknown customer", ..Problem::new(StatusCode::NOT_FOUND, detail) }
    }

    /// With the shard that it is about.
    pub fn at(self, partition: Option<i32>) -> Problem {
        Problem { partition, ..self }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).expect("it was made from a status");
        let mut response = (status, Json(self)).into_response();
        let media_type = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, media_type);
        response
    }
}
