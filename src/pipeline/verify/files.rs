//! The changes of a replay: events from files, as the replay takes them, and its changes from a file.
//!
//! The clock of a replay depends on the files alone, so nothing is left open.

use std::path::{Path, PathBuf};

use super::gather::{Gather, Slice};
use super::judge::{Cut, judge};
use super::published::{self, Read};
use super::{Error, Judging, Options, Report};
use crate::event::{Event, Format, Instant, MAX_MESSAGE_BYTES, Span};
use crate::pipeline::replay::chunk::{Chunk, Chunks, lines};
use crate::pipeline::replay::source::{self, Source};
use crate::plain::{self, Finding, Published, Record};
use crate::rules::declared::Declared;

const CHUNK_BYTES: usize = 256 << 10;

/// What is compared.
#[derive(Debug, Clone)]
pub struct Files {
    pub changes: PathBuf,
    /// In the order of the replay.
    pub events: Vec<PathBuf>,
    pub until: Option<Instant>,
    pub grace: Span,
}

/// Holds a file of changes against files of events; `version` is that of the rules.
pub fn files(files: &Files, declared: &Declared, version: &str, options: &Options) -> Result<Report, Error> {
    let judging = Judging::new(declared, version)?;
    let mut report = Report::default();
    let mut slices = vec![Slice::of(&options.sample)];
    while let Some(slice) = slices.pop() {
        report.n_passes += 1;
        let mut gather = Gather::new(&options.sample, slice, options.memory_bytes_max);
        let is_first = report.n_passes == 1;
        read_changes(&files.changes, options, &mut gather, is_first.then_some(&mut report))?;
        let end = read_events(files, &judging, options, &mut gather)?;
        slices.append(&mut gather.rest);
        let names: Vec<String> = files.events.iter().map(|path| path.display().to_string()).collect();
        let origin = |record: &Record| published::line(&names[record.input], record.position);
        let cut = Cut { end, has_dues: false, has_lost: false, is_cut_off: false, origin: &origin };
        judge(&judging, gather, &cut, options, &mut report);
    }
    Ok(report)
}

/// With a report, what cannot be read is put into it.
fn read_changes(
    path: &Path,
    options: &Options,
    gather: &mut Gather<'_>,
    mut report: Option<&mut Report>,
) -> Result<(), Error> {
    let mut reader = Lines::open(path, options)?;
    while let Some((number, line)) = reader.next()? {
        let place = format!("line {number}");
        match published::read(Format::Json, line) {
            Ok(Read { customer, rules, said }) if gather.wants(&customer) => {
                gather.add_published(&customer, Published { said, place, rules, is_new: false });
            }
            Ok(_) => {}
            Err(problem) => {
                if let Some(report) = &mut report {
                    report.find("", Finding::unreadable(place, problem), options);
                }
            }
        }
    }
    Ok(())
}

/// Up to where time passes.
fn read_events(files: &Files, judging: &Judging, options: &Options, gather: &mut Gather<'_>) -> Result<i64, Error> {
    let mut open: Vec<Lines> =
        files.events.iter().map(|path| Lines::open(path, options)).collect::<Result<_, Error>>()?;
    let mut heads: Vec<Option<Head>> = Vec::new();
    for reader in &mut open {
        heads.push(next_head(reader, files, judging, gather)?);
    }
    let (mut latest, mut clock) = (None, i64::MIN);
    // The earliest; of equal ones that of the first file.
    while let Some(input) = (0..heads.len()).filter(|&n| heads[n].is_some()).min_by_key(|&n| time(&heads[n])) {
        let next = next_head(&mut open[input], files, judging, gather)?;
        let Some(head) = std::mem::replace(&mut heads[input], next) else { continue };
        let time = head.time.0;
        if let Some((customer, event)) = head.wanted
            && gather.wants(&customer)
        {
            let (partition, position) = (0, head.line);
            let record = Record { event, input, partition, position, clock, clock_min: clock, clock_max: clock };
            gather.add_record(&customer, record);
        }
        latest = latest.max(Some(time));
        clock = clock.max((head.time - files.grace).0);
    }
    Ok(files.until.map(|until| until.0).or(latest).unwrap_or(clock))
}

fn time(head: &Option<Head>) -> Option<Instant> {
    head.as_ref().map(|head| head.time)
}

/// The next event of a file.
struct Head {
    time: Instant,
    line: u64,
    /// When the customer is of this pass.
    wanted: Option<(String, plain::Event)>,
}

/// Passes over what is no event, and what is later than the end.
fn next_head(reader: &mut Lines, files: &Files, judging: &Judging, gather: &Gather<'_>) -> Result<Option<Head>, Error> {
    while let Some((number, line)) = reader.next()? {
        let Ok(event) = judging.decoder.decode(Format::Json, line, None) else { continue };
        if files.until.is_some_and(|until| event.time > until) {
            continue;
        }
        let keep = |event: &Event<'_>| (event.customer.to_string(), plain::Event::new(event, &judging.schema));
        let wanted = gather.wants(&event.customer).then(|| keep(&event));
        return Ok(Some(Head { time: event.time, line: number, wanted }));
    }
    Ok(None)
}

/// The lines of a file that are not empty, with their numbers, from 1.
struct Lines {
    name: String,
    chunks: Chunks<Source>,
    /// The present chunk's lines: where each begins and ends.
    bytes: Vec<u8>,
    ranges: std::vec::IntoIter<(usize, usize)>,
    n_lines: u64,
}

impl Lines {
    fn open(path: &Path, options: &Options) -> Result<Lines, Error> {
        let name = path.display().to_string();
        let source =
            source::open(path, options.n_read.clone()).map_err(|error| Error::File { file: name.clone(), error })?;
        let chunks = Chunks::new(source, CHUNK_BYTES, MAX_MESSAGE_BYTES);
        Ok(Lines { name, chunks, bytes: Vec::new(), ranges: Vec::new().into_iter(), n_lines: 0 })
    }

    fn next(&mut self) -> Result<Option<(u64, &[u8])>, Error> {
        loop {
            if let Some((start, end)) = self.ranges.next() {
                self.n_lines += 1;
                if start < end {
                    return Ok(Some((self.n_lines, &self.bytes[start..end])));
                }
                continue;
            }
            let failed = |error| Error::File { file: self.name.clone(), error };
            match self.chunks.next_chunk().map_err(failed)? {
                None => return Ok(None),
                Some(Chunk::Lines(bytes) | Chunk::Numbered(bytes, _)) => {
                    let start = bytes.as_ptr() as usize;
                    let range = |line: &[u8]| {
                        let at = line.as_ptr() as usize - start;
                        (at, at + line.len())
                    };
                    self.ranges = lines(&bytes).map(range).collect::<Vec<_>>().into_iter();
                    self.bytes = bytes;
                }
                // No message is so long: a reject.
                Some(Chunk::TooLong { .. }) => self.n_lines += 1,
            }
        }
    }
}
