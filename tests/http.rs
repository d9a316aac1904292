//! The HTTP pages over a real socket: what an operator's probes and Prometheus see.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use dormouse::http::{Server, Sources};
use dormouse::pipeline::{Phase, Status};
use dormouse::telemetry::{Exposition, metrics};

/// Metrics belong to the process, so all tests here share them.
fn exposition() -> Exposition {
    static SHARED: OnceLock<Exposition> = OnceLock::new();
    SHARED.get_or_init(|| dormouse::telemetry::install().expect("installed once")).clone()
}

fn start(status: &Arc<Status>) -> Server {
    let sources = Sources { status: status.clone(), metrics: exposition() };
    dormouse::http::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), sources).expect("a free port")
}

/// The status line, headers in lower case, and body of a request on a connection of its own.
fn request(server: &Server, method: &str, path: &str) -> (String, String, String) {
    let mut stream = TcpStream::connect(server.address()).expect("the server listens");
    write!(stream, "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer in text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let (status, headers) = head.split_once("\r\n").expect("a status line");
    (status.to_owned(), headers.to_lowercase(), body.to_owned())
}

#[test]
fn metrics_are_prometheus_text() {
    let server = start(&Arc::default());
    metrics::EVENTS.increment(["refund"], 5);
    let (status, headers, body) = request(&server, "GET", "/metrics");
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(headers.contains("content-type: text/plain; version=0.0.4"), "{headers}");
    assert!(body.contains("dormouse_events_total{kind=\"refund\"} 5"), "{body}");
    assert!(body.contains("dormouse_build_info{version="), "{body}");
}

#[test]
fn readiness_follows_the_pipeline() {
    let status = Arc::new(Status::default());
    let server = start(&status);
    status.set_phase(Phase::Restoring);
    status.set_shards(3, 1);
    let (line, headers, body) = request(&server, "GET", "/readyz");
    assert_eq!(line, "HTTP/1.1 503 Service Unavailable");
    assert!(headers.contains("content-type: application/problem+json"), "{headers}");
    assert_eq!(
        body,
        r#"{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"restoring: 1 of 3 shards restored"}"#
    );
    assert_eq!(request(&server, "GET", "/healthz").0, "HTTP/1.1 200 OK");
    status.set_phase(Phase::Live);
    assert_eq!(request(&server, "GET", "/readyz").2, r#"{"status":"live","shards":3}"#);
    status.set_detail("topic purchases is gone");
    status.set_phase(Phase::Failed);
    let (line, _, body) = request(&server, "GET", "/healthz");
    assert_eq!(line, "HTTP/1.1 503 Service Unavailable");
    assert!(body.contains("topic purchases is gone"), "{body}");
}

#[test]
fn wrong_paths_and_methods_are_problem_documents() {
    let server = start(&Arc::default());
    let (line, headers, body) = request(&server, "GET", "/v2/nothing?x=1");
    assert_eq!(line, "HTTP/1.1 404 Not Found");
    assert!(headers.contains("content-type: application/problem+json"), "{headers}");
    assert!(body.contains(r#""status":404,"detail":"there is no page /v2/nothing""#), "{body}");
    let (line, headers, body) = request(&server, "POST", "/metrics");
    assert_eq!(line, "HTTP/1.1 405 Method Not Allowed");
    assert!(headers.contains("allow: get,head"), "{headers}");
    assert!(body.contains(r#""status":405,"detail":"/metrics does not take POST""#), "{body}");
}

#[test]
fn sizes_need_rules_first() {
    let server = start(&Arc::default());
    let (line, _, body) = request(&server, "GET", "/v1/segments");
    assert_eq!(line, "HTTP/1.1 503 Service Unavailable");
    assert!(body.contains("the rules are not loaded yet"), "{body}");
}

#[test]
fn customers_need_an_instance_at_work() {
    let status = Arc::new(Status::default());
    let server = start(&status);
    let (line, headers, body) = request(&server, "GET", "/v1/customers/c");
    assert_eq!(line, "HTTP/1.1 503 Service Unavailable");
    assert!(headers.contains("content-type: application/problem+json"), "{headers}");
    assert!(body.contains("the rules are not loaded yet"), "{body}");
    let rules = "[[dimension]]\nname = \"d\"\n[[dimension.segment]]\nname = \"s\"\nwhen = 'purchase.count() >= 1'\n";
    let loaded = dormouse::config::rules::load_text("segments.toml", rules).expect("they are right");
    status.set_plan(Arc::new(loaded.plan));
    let (line, _, body) = request(&server, "GET", "/v1/customers/c/explain");
    assert_eq!(line, "HTTP/1.1 503 Service Unavailable");
    assert!(body.contains("the instance is starting"), "{body}");
    let (line, headers, _) = request(&server, "GET", "/v1/customers/%ff");
    assert_eq!(line, "HTTP/1.1 400 Bad Request");
    assert!(headers.contains("content-type: application/problem+json"), "{headers}");
    let long = "c".repeat(257);
    assert_eq!(request(&server, "GET", &format!("/v1/customers/{long}")).0, "HTTP/1.1 400 Bad Request");
}

#[test]
fn an_open_connection_does_not_hold_up_the_end() {
    let server = start(&Arc::default());
    let mut open = TcpStream::connect(server.address()).expect("the server listens");
    open.write_all(b"GET /healthz HT").expect("half a request");
    let before = Instant::now();
    drop(server);
    assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
}

#[test]
fn a_taken_port_is_named() {
    let server = start(&Arc::default());
    let sources = Sources { status: Arc::default(), metrics: exposition() };
    let error = dormouse::http::start(server.address(), sources).expect_err("the port is taken").to_string();
    assert!(error.contains(&server.address().to_string()) && error.contains("http.listen"), "{error}");
}
