//! Who receives webhooks: an HTTP server on loopback that notes every delivery, checks its signature, and refuses some.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;

/// A request as it came, and whether it was taken.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub change_id: String,
    pub customer: String,
    pub sequence: u64,
    pub body: Vec<u8>,
    pub is_taken: bool,
}

/// Listens until the test program ends. What is sent to it at `/`, it takes, but for what [`answer`] says.
#[derive(Clone)]
pub struct Receiver {
    pub address: SocketAddr,
    pub secret: String,
    noted: Arc<Mutex<Vec<Delivery>>>,
}

impl Receiver {
    pub fn start(secret: &str) -> Receiver {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        listener.set_nonblocking(true).expect("it can be non-blocking");
        let address = listener.local_addr().expect("it is bound");
        let receiver = Receiver { address, secret: secret.to_owned(), noted: Arc::default() };
        let router = Router::new().route("/", post(take)).with_state(receiver.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("the runtime takes it");
                axum::serve(listener, router).await
            })
        });
        receiver
    }

    /// What has come so far, in order.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.noted().clone()
    }

    pub fn n_deliveries(&self) -> usize {
        self.noted().len()
    }

    fn noted(&self) -> MutexGuard<'_, Vec<Delivery>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> (StatusCode, HeaderMap) {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let change: Value = serde_json::from_slice(&body).unwrap_or_default();
    let id = change["change_id"].as_str().unwrap_or_default().to_owned();
    let signature = signature(&receiver.secret, &id, header("webhook-timestamp"), &body);
    let is_genuine = header("webhook-signature") == signature
        && header("webhook-timestamp").parse::<u64>().is_ok()
        && header("webhook-id") == id
        && header("idempotency-key") == id
        && header("content-type") == "application/json";
    let mut noted = receiver.noted();
    let n_before = noted.iter().filter(|delivery| delivery.change_id == id).count();
    let customer = change["customer_id"].as_str().unwrap_or_default().to_owned();
    let status = if is_genuine { answer(&customer, &id, n_before) } else { StatusCode::UNAUTHORIZED };
    noted.push(Delivery {
        change_id: id,
        customer,
        sequence: change["sequence"].as_u64().unwrap_or_default(),
        body: body.to_vec(),
        is_taken: status.is_success(),
    });
    let mut answer = HeaderMap::new();
    if status.is_redirection() {
        answer.insert("location", "/elsewhere".parse().expect("it is a header's value"));
    }
    (status, answer)
}

/// The customer whom this receiver never takes.
pub const REFUSED: &str = "c-7";

/// One customer is refused always, one change in 64 at first, in two ways.
fn answer(customer: &str, change_id: &str, n_before: usize) -> StatusCode {
    match change_id.as_bytes() {
        _ if customer == REFUSED => StatusCode::INTERNAL_SERVER_ERROR,
        [b'0', b'0'..=b'3', ..] if n_before == 0 => StatusCode::SERVICE_UNAVAILABLE,
        [b'0', b'0'..=b'3', ..] if n_before == 1 => StatusCode::FOUND,
        _ => StatusCode::OK,
    }
}

/// The `webhook-signature` of a message as <https://www.standardwebhooks.com> has it.
fn signature(secret: &str, id: &str, timestamp: &str, body: &[u8]) -> String {
    let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").expect("a secret")).expect("base64");
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).expect("any length will do");
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

/// The accepted deliveries: each customer's changes came in order, a repeat being one that was there before.
pub fn assert_in_order(taken: &[(&str, u64)]) {
    let mut last: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (customer, sequence) in taken {
        let seen = last.entry(customer).or_default();
        let is_next = seen.iter().all(|before| before < sequence);
        assert!(is_next || seen.contains(sequence), "{customer}: {sequence} came after {seen:?}");
        if is_next {
            seen.push(*sequence);
        }
    }
}

#[test]
fn the_signature_is_that_of_the_published_example() {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let found = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", br#"{"test": 2432232314}"#);
    assert_eq!(found, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}
