//! Asks a running instance, over HTTP.

use std::time::Duration;

use serde::Deserialize;

use crate::http::UNKNOWN_CUSTOMER;
use crate::pipeline::explain::Report;

/// A little longer than an instance lets somebody wait.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The instance knows nobody with that id.
    #[error("{0}")]
    Nobody(String),
    #[error("{url}: {detail}")]
    Refused { url: String, detail: String },
    #[error("{url}: {error}")]
    Unreachable { url: String, error: Box<ureq::Error> },
}

/// As much of a problem document as is needed here.
#[derive(Debug, Deserialize)]
struct Problem {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    #[serde(default)]
    detail: String,
}

/// The instance's document about a customer; `base` is where its pages are: `http://127.0.0.1:8080`.
pub fn explanation(base: &str, customer: &str) -> Result<Report, Failure> {
    let url = format!("{}/v1/customers/{}/explain", base.trim_end_matches('/'), encoded(customer));
    let unreachable = |error: ureq::Error| Failure::Unreachable { url: url.clone(), error: Box::new(error) };
    let agent = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false).build();
    let mut response = ureq::Agent::from(agent).get(&url).call().map_err(unreachable)?;
    let body = response.body_mut().read_to_string().map_err(unreachable)?;
    let refused = |detail: String| Failure::Refused { url: url.clone(), detail };
    if response.status().is_success() {
        return serde_json::from_str(&body).map_err(|error| refused(format!("the answer is no explanation: {error}")));
    }
    Err(match serde_json::from_str::<Problem>(&body) {
        Ok(problem) if problem.kind == UNKNOWN_CUSTOMER => Failure::Nobody(problem.detail),
        Ok(problem) => refused(if problem.detail.is_empty() { problem.title } else { problem.detail }),
        Err(_) => refused(response.status().to_string()),
    })
}

/// A path's segment: all but letters, digits and `-._~` as `%` and two hex digits.
fn encoded(segment: &str) -> String {
    let mut encoded = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn ids_stay_within_their_segment() {
        assert_eq!(encoded("a-7/ö?.."), "a-7%2F%C3%B6%3F..");
    }
}
