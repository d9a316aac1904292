//! The events of the demo: a year of a real shop, part of the program.

use std::io::{BufRead, BufReader, Read};

use serde::Deserialize;

use crate::event::Instant;

/// Orders and refunds of a gift wholesaler in the UK, in order of time (D. Chen, UCI, CC BY 4.0; see data/README.md).
const ONLINE_RETAIL: &[u8] = include_bytes!("../../../data/online-retail.jsonl.zst");

/// An event as it goes into the topic, with what is needed to put it there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShopEvent {
    pub time: Instant,
    pub customer: String,
    /// The event in JSON.
    pub payload: Vec<u8>,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    customer_id: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    time: std::borrow::Cow<'a, str>,
}

/// All events in order of time.
pub fn events() -> impl Iterator<Item = ShopEvent> {
    let decoder = zstd::Decoder::new(ONLINE_RETAIL).expect("the program holds a zstd stream");
    read(decoder)
}

fn read(text: impl Read) -> impl Iterator<Item = ShopEvent> {
    BufReader::new(text).split(b'\n').map(|line| {
        let payload = line.expect("the program's own data is whole");
        let head: Head<'_> = serde_json::from_slice(&payload).expect("the program's own data are events");
        let time = Instant::parse(&head.time).expect("the program's own data have times");
        ShopEvent { time, customer: head.customer_id.into_owned(), payload }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_of_events_in_order_of_time() {
        let (mut n, mut last) = (0, Instant::ORIGIN);
        for event in events() {
            assert!(event.time >= last, "event {n} is earlier than the one before it");
            (n, last) = (n + 1, event.time);
        }
        assert_eq!((n, last.to_string().as_str()), (22_190, "2011-12-09T12:50:00.000Z"));
    }
}
