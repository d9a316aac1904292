//! Pages about one customer. The worker that has the customer's shard answers; a page waits, in bounded time.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::pages::Sources;
use super::problem::Problem;
use crate::event::MAX_CUSTOMER_BYTES;
use crate::pipeline::desk::{Answer, Refusal, Topic};
use crate::pipeline::{Status, explain};

/// A worker answers within a turn; one that does not has more urgent things to do.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(2);

/// `/v1/customers/{id}`: where the customer is.
pub async fn standing(id: Result<Path<String>, PathRejection>, State(sources): State<Sources>) -> Response {
    page(id, &sources.status, Topic::Standing).await.unwrap_or_else(IntoResponse::into_response)
}

/// `/v1/customers/{id}/explain`: why, how far from changing, and what comes next.
pub async fn explanation(id: Result<Path<String>, PathRejection>, State(sources): State<Sources>) -> Response {
    page(id, &sources.status, Topic::Explanation).await.unwrap_or_else(IntoResponse::into_response)
}

async fn page(id: Result<Path<String>, PathRejection>, status: &Status, topic: Topic) -> Result<Response, Problem> {
    let Path(customer) = id.map_err(|wrong| Problem::new(StatusCode::BAD_REQUEST, wrong.body_text()))?;
    if customer.len() > MAX_CUSTOMER_BYTES {
        let detail = format!("a customer's id has at most {MAX_CUSTOMER_BYTES} bytes");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    let unavailable = |detail: String| Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
    let plan = status.plan().ok_or_else(|| unavailable("the rules are not loaded yet".to_owned()))?;
    let asked = status.desk().ask(&customer, topic).map_err(|refusal| match refusal {
        Refusal::Closed => unavailable(format!("the instance is {}", status.phase().name())),
        Refusal::Busy => unavailable("too many questions are waiting for their answers".to_owned()),
    })?;
    let partition = asked.partition;
    let answer = tokio::time::timeout(ANSWER_WAIT_MAX, asked.answer()).await;
    let answer = answer.map_err(|_| unavailable(format!("no answer within {} s", ANSWER_WAIT_MAX.as_secs())))?;
    let answer = answer.ok_or_else(|| unavailable("the instance has ended".to_owned()))?;
    Ok(match answer {
        Answer::Standing(known) => Json(explain::customer(&plan, &customer, &known, partition)).into_response(),
        Answer::Explanation(explanation) => Json(explain::compose(&plan, &customer, &explanation)).into_response(),
        Answer::Nobody => return Err(Problem::unknown_customer(&customer)),
        Answer::Restoring => {
            return Err(unavailable(format!("{} is being restored", shard(partition))).at(partition));
        }
        Answer::Elsewhere => {
            let detail = format!("{} of customer `{customer}` is not this instance's: ask another", shard(partition));
            return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail).at(partition));
        }
    })
}

fn shard(partition: Option<i32>) -> String {
    partition.map_or_else(|| "the shard".to_owned(), |partition| format!("shard {partition}"))
}
