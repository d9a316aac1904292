//! Reads the files of a history into what a suggestion needs, merged by event time as a replay does.
//!
//! The events themselves say in which currency they are and which kinds the shop added: the first currency that is named
//! is the base, unless one was asked for, and a kind that nobody declared is declared. What is still rejected then, a
//! replay of the suggested rules rejects too.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::config::rules;
use crate::event::{Decoder, Event, Instant, MAX_MESSAGE_BYTES, Reason, Schema};
use crate::pipeline::replay::Error;
use crate::pipeline::replay::chunk::Chunks;
use crate::pipeline::replay::decode::{Decoded, Piece, Rejected, decode};
use crate::pipeline::replay::source::{Source, open};
use crate::suggest::history::History;

const CHUNK_BYTES: usize = 256 << 10;
/// More kinds than that are names gone wrong.
const KINDS_MAX: usize = 50;

/// What decoding has learned of the history.
pub struct Language {
    /// The currency that was asked for, or the first that an event names.
    pub currency: Option<Box<str>>,
    /// Kinds of the shop's own, sorted.
    pub kinds: Vec<Box<str>>,
    schema: Schema,
    decoder: Decoder,
}

/// What was read beside the history.
pub struct Counts {
    pub rejects: BTreeMap<Reason, u64>,
    pub n_not_read: u64,
}

/// A file and where it is read.
struct Stream {
    name: String,
    chunks: Chunks<Source>,
    decoded: Option<Decoded>,
    /// Of the decoded events, the next one.
    next: usize,
}

/// Reads everything up to `until`.
pub fn read(
    files: &[PathBuf],
    until: Option<Instant>,
    language: &mut Language,
    history: &mut History,
    n_bytes_read: &Arc<AtomicU64>,
) -> Result<Counts, Error> {
    let mut counts = Counts { rejects: BTreeMap::new(), n_not_read: 0 };
    let mut streams = Vec::new();
    for path in files {
        let name = path.display().to_string();
        let source = open(path, n_bytes_read.clone()).map_err(|error| Error::Input { file: name.clone(), error })?;
        let chunks = Chunks::new(source, CHUNK_BYTES, MAX_MESSAGE_BYTES);
        let mut stream = Stream { name, chunks, decoded: None, next: 0 };
        stream.fill(language, &mut counts)?;
        streams.push(stream);
    }
    loop {
        let heads = streams.iter().enumerate().filter_map(|(index, stream)| Some((stream.head()?.time, index)));
        let Some((time, index)) = heads.min() else { return Ok(counts) };
        let stream = &mut streams[index];
        if until.is_none_or(|until| time <= until) {
            let event = stream.head().expect("it was the earliest");
            history.take(event, language.schema.kinds[usize::from(event.kind.0)].builtin);
        } else {
            counts.n_not_read += 1;
        }
        stream.next += 1;
        stream.fill(language, &mut counts)?;
    }
}

impl Stream {
    /// The next event; none at the end.
    fn head(&self) -> Option<&Event<'_>> {
        let records = self.decoded.as_ref()?.borrow_dependent();
        records.events.get(self.next).map(|taken| &taken.event)
    }

    /// Reads on until there is a next event, or no more.
    fn fill(&mut self, language: &mut Language, counts: &mut Counts) -> Result<(), Error> {
        while self.head().is_none() {
            let chunk = self.chunks.next_chunk();
            let chunk = chunk.map_err(|error: io::Error| Error::Input { file: self.name.clone(), error })?;
            let Some(chunk) = chunk else { return Ok(()) };
            let decoded = language.decode(Piece::Lines(chunk));
            for rejected in &decoded.borrow_dependent().rejects {
                *counts.rejects.entry(rejected.reject.reason).or_default() += 1;
            }
            (self.decoded, self.next) = (Some(decoded), 0);
        }
        Ok(())
    }
}

impl Language {
    /// Events in `currency`, which was checked, or in the first that is named.
    pub fn new(currency: Option<&str>) -> Language {
        let currency = currency.map(Box::from);
        let schema = schema(currency.as_deref(), &[]).expect("the currency was checked");
        Language { currency, kinds: Vec::new(), decoder: Decoder::new(&schema), schema }
    }

    /// Decodes a chunk, again when it taught something.
    fn decode(&mut self, mut piece: Piece) -> Decoded {
        loop {
            let decoded = decode(&self.decoder, 1, piece);
            let rejects = &decoded.borrow_dependent().rejects;
            if !rejects.iter().any(|rejected| self.learn(rejected)) {
                return decoded;
            }
            piece = decoded.into_owner();
        }
    }

    /// Whether a rejected record said something that makes it one to take.
    fn learn(&mut self, rejected: &Rejected<'_>) -> bool {
        let (mut currency, mut kinds) = (self.currency.clone(), self.kinds.clone());
        match (rejected.reject.reason, said(rejected.bytes)) {
            (Reason::UnknownCurrency, Some(Said { currency: Some(named), .. })) if currency.is_none() => {
                currency = Some(named.into());
            }
            (Reason::UnknownKind, Some(Said { kind: Some(named), .. })) if kinds.len() < KINDS_MAX => {
                kinds.push(named.into());
                kinds.sort();
            }
            _ => return false,
        }
        let Some(schema) = schema(currency.as_deref(), &kinds) else { return false };
        self.decoder = Decoder::new(&schema);
        (self.currency, self.kinds, self.schema) = (currency, kinds, schema);
        true
    }
}

/// What a record says of its currency and kind.
#[derive(serde::Deserialize)]
struct Said<'a> {
    #[serde(borrow, default)]
    currency: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    kind: Option<Cow<'a, str>>,
}

fn said(bytes: &[u8]) -> Option<Said<'_>> {
    serde_json::from_slice(bytes).ok()
}

/// The schema of rules in this currency and with these kinds; none if they could not stand in a rules file. Before a
/// currency is known it is one that no event has.
fn schema(currency: Option<&str>, kinds: &[Box<str>]) -> Option<Schema> {
    let mut text = format!("currency = {}\n", quoted(currency.unwrap_or("XXX")));
    for kind in kinds {
        text.push_str(&format!("[kind.{}]\n", quoted(kind)));
    }
    text.push_str("[[dimension]]\nname = \"d\"\n[[dimension.segment]]\nname = \"s\"\nwhen = 'purchase.count() >= 1'\n");
    rules::load_text("the history", &text).ok().map(|loaded| loaded.plan.schema)
}

/// Text as TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
