//! What a running instance says of its segments: their sizes now. It is asked over HTTP, once; flows, stays and money it
//! does not keep.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::grid::Grid;
use crate::cli::paint::{Paint, Tone};
use crate::report::NONE;
use crate::report::model::{SHAPE, Share};
use crate::report::said::{count, percent};

const TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_BYTES_MAX: u64 = 16 << 20;
const PAGE: &str = "/v1/segments";

/// The instance could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0} is not the address of an instance: write it as http://127.0.0.1:8080")]
    Address(String),
    #[error("{url} does not answer: {error}")]
    Unreachable { url: String, error: io::Error },
    #[error("{url}{PAGE} answers {status}")]
    Refused { url: String, status: String },
    #[error("{url}{PAGE} answers something else than sizes of segments: {error}")]
    Answer { url: String, error: serde_json::Error },
}

/// As the instance answers.
#[derive(Debug, Deserialize)]
struct Answer {
    rules_version: String,
    customers: u64,
    dimensions: Vec<AnswerDimension>,
}

#[derive(Debug, Deserialize)]
struct AnswerDimension {
    name: String,
    segments: Vec<AnswerSegment>,
    none: u64,
}

#[derive(Debug, Deserialize)]
struct AnswerSegment {
    name: String,
    label: Option<String>,
    customers: u64,
}

/// What is reported of an instance: a report with nothing but sizes.
#[derive(Debug, PartialEq, Serialize)]
pub struct Sizes {
    report: u32,
    rules_version: String,
    instance: String,
    customers: u64,
    dimensions: Vec<Dimension>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Dimension {
    name: String,
    sizes: BTreeMap<String, u64>,
    segments: Vec<Segment>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Segment {
    name: String,
    label: Option<String>,
    size: u64,
    share: Share,
}

/// Asks the instance at `url`.
pub fn ask(url: &str) -> Result<Sizes, Error> {
    let body = get(url)?;
    let answer: Answer = serde_json::from_slice(&body).map_err(|error| Error::Answer { url: url.to_owned(), error })?;
    Ok(sizes(url, answer))
}

/// HTTP/1.0, so that the answer ends with the connection and comes in one piece.
fn get(url: &str) -> Result<Vec<u8>, Error> {
    let address = || Error::Address(url.to_owned());
    let host = url.strip_prefix("http://").ok_or_else(address)?.trim_end_matches('/');
    if host.is_empty() || host.contains(['/', '@', ' ', '\r', '\n', '?', '#']) {
        return Err(address());
    }
    let with_port = if host.rsplit(']').next().is_some_and(|end| end.contains(':')) {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    let unreachable = |error| Error::Unreachable { url: url.to_owned(), error };
    let mut answer = Vec::new();
    exchange(&with_port, host, &mut answer).map_err(unreachable)?;
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let head = String::from_utf8_lossy(&answer[..end.unwrap_or(answer.len())]).into_owned();
    let status = head.lines().next().and_then(|line| line.split_once(' ')).map_or("nothing", |(_, status)| status);
    match end {
        Some(end) if status.starts_with("200") => Ok(answer.split_off(end + 4)),
        _ => Err(Error::Refused { url: url.to_owned(), status: status.to_owned() }),
    }
}

fn exchange(address: &str, host: &str, answer: &mut Vec<u8>) -> io::Result<()> {
    let resolved = address.to_socket_addrs()?.next().ok_or_else(|| io::Error::other("the name has no address"))?;
    let mut stream = TcpStream::connect_timeout(&resolved, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    write!(stream, "GET {PAGE} HTTP/1.0\r\nHost: {host}\r\nAccept: application/json\r\n\r\n")?;
    stream.take(ANSWER_BYTES_MAX).read_to_end(answer)?;
    Ok(())
}

fn sizes(url: &str, answer: Answer) -> Sizes {
    let customers = answer.customers;
    let share = |size: u64| Share::of(i128::from(size), i128::from(customers)).unwrap_or(Share(0.0));
    let dimension = |dimension: AnswerDimension| {
        let named = dimension.segments.into_iter().map(|segment| (segment.name, segment.label, segment.customers));
        let all = named.chain([(NONE.to_owned(), None, dimension.none)]);
        let segments: Vec<Segment> =
            all.map(|(name, label, size)| Segment { name, label, size, share: share(size) }).collect();
        let sizes = segments.iter().map(|segment| (segment.name.clone(), segment.size)).collect();
        Dimension { name: dimension.name, sizes, segments }
    };
    Sizes {
        report: SHAPE,
        rules_version: answer.rules_version,
        instance: url.to_owned(),
        customers,
        dimensions: answer.dimensions.into_iter().map(dimension).collect(),
    }
}

impl Sizes {
    /// As tables; ends with a line break.
    pub fn text(&self, paint: Paint) -> String {
        let head = format!("{} customers of {} now", count(self.customers), self.instance);
        let mut text = format!("{}\nrules {}\n", paint.tone(Tone::Strong, head), self.rules_version);
        for dimension in &self.dimensions {
            text.push_str(&format!("\n{}\n", paint.tone(Tone::Name, &dimension.name)));
            let mut grid = Grid::new(1, ["segment", "customers", "share"]);
            for segment in &dimension.segments {
                grid.row(vec![segment.name.clone(), count(segment.size), percent(segment.share)]);
            }
            grid.write(paint, &mut text);
        }
        text
    }
}
