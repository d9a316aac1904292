//! The changes of a service: shard by shard, what the changes topic holds against what the input topics give up to the
//! shard's record.
//!
//! What always holds: a record is read only when every transaction before it is decided. The shard's record is read
//! after the end of the changes was noted and before the rest of them is read: so it covers all changes before that end,
//! and all changes that it covers are read.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant as Moment};

use super::gather::{Gather, Slice};
use super::judge::{Cut, judge};
use super::published::{self, Read};
use super::{Error, Judging, Lost, Options, Report};
use crate::event::{Event, Instant, Reason, Reject};
use crate::kafka::{Batch, Ends as _, Intake, Isolation, Reading as _, Record, Stamped, Watermarks};
use crate::pipeline::merge::{self, Merge, Pause, Taken};
use crate::pipeline::record::{KEY, ShardRecord};
use crate::pipeline::settings::Settings;
use crate::pipeline::writer::appended;
use crate::plain::{self, Finding, Published};
use crate::rules::declared::Declared;

/// A transaction may stay open so long: its time-out is a minute unless somebody configured more.
const DECIDED_PATIENCE: Duration = Duration::from_secs(75);
const SILENCE_PATIENCE: Duration = Duration::from_secs(60);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const WAIT: Duration = Duration::from_millis(10);
/// What one partition may hold of records that are read and not taken.
const QUOTA_BYTES: usize = 8 << 20;
const TURN_RECORDS: usize = 4_096;

/// A service, by its settings and the rules that it runs.
pub struct Service<'a> {
    pub settings: &'a Settings,
    pub declared: &'a Declared,
    /// Of the rules.
    pub version: &'a str,
}

/// Holds what the service published against its input.
pub fn topics(service: &Service<'_>, options: &Options) -> Result<Report, Error> {
    let judging = Judging::new(service.declared, service.version)?;
    let settings = service.settings;
    let mut verifier = Verifier {
        settings,
        topics: settings.topics(),
        high: Watermarks::open(&settings.kafka, Isolation::Uncommitted)?,
        stable: Watermarks::open(&settings.kafka, Isolation::Committed)?,
        n_partitions: 0,
        judging,
        options,
        report: Report::default(),
    };
    verifier.n_partitions = verifier.look()?;
    let shards = (0..verifier.n_partitions as i32).map(|shard| Ok((shard, verifier.cut(shard)?)));
    let shards = shards.collect::<Result<Vec<_>, Error>>()?;
    for (_, cut) in &shards {
        options.n_to_read.fetch_add(cut.n_records(), Ordering::Relaxed);
    }
    for (shard, cut) in shards {
        verifier.shard(shard, &cut)?;
    }
    Ok(verifier.report)
}

struct Verifier<'a> {
    settings: &'a Settings,
    /// The input topics in their order.
    topics: Vec<String>,
    high: Watermarks,
    stable: Watermarks,
    n_partitions: usize,
    judging: Judging,
    options: &'a Options,
    report: Report,
}

/// Up to where a shard is compared.
struct ShardCut {
    /// Of every input.
    starts: Vec<i64>,
    until: Vec<i64>,
    clock: Option<i64>,
    has_dues: bool,
    has_lost: bool,
    /// The first change that is still there, the end that the shard's record covers, and the end.
    changes: (i64, i64, i64),
}

impl ShardCut {
    fn n_records(&self) -> u64 {
        let inputs: i64 = self.starts.iter().zip(&self.until).map(|(start, until)| until - start).sum();
        (inputs + self.changes.2 - self.changes.0).max(0) as u64
    }
}

impl Verifier<'_> {
    /// How many partitions there are, of every topic.
    fn look(&self) -> Result<usize, Error> {
        let mut names: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        names.extend([self.settings.output.changes.as_str(), self.settings.output.standing.as_str()]);
        let counts = self.high.n_partitions(&names)?;
        if let Some((name, _)) = names.iter().zip(&counts).find(|(_, count)| count.is_none()) {
            return Err(Error::Missing((*name).to_owned()));
        }
        let n_partitions = counts.first().copied().flatten().unwrap_or(0);
        if counts.iter().any(|count| *count != Some(n_partitions)) {
            return Err(Error::Uneven);
        }
        Ok(n_partitions)
    }

    /// The end of a partition, once everything before it is decided.
    fn decided_end(&self, topic: &str, partition: i32) -> Result<i64, Error> {
        let end = |ends: &Watermarks| -> Result<i64, Error> {
            Ok(ends.ends(&[(topic, partition)], REQUEST_TIMEOUT)?.first().copied().unwrap_or(0))
        };
        let mark = end(&self.high)?;
        let started = Moment::now();
        loop {
            let stable = end(&self.stable)?;
            if stable >= mark {
                return Ok(mark);
            }
            if started.elapsed() > DECIDED_PATIENCE {
                return Err(Error::Open { topic: topic.to_owned(), partition, stable });
            }
            thread::park_timeout(WAIT);
        }
    }

    /// Looks up to where the shard can be compared.
    fn cut(&mut self, shard: i32) -> Result<ShardCut, Error> {
        let changes = &self.settings.output.changes;
        let (low, covered) = self.high.range(changes, shard)?;
        let record = self.latest_record(shard)?;
        let end = self.decided_end(changes, shard)?;
        if let Some(record) = &record
            && record.rules != self.judging.version
        {
            let (recorded, loaded) = (record.rules.clone(), self.judging.version.clone());
            return Err(Error::OtherRules { shard, recorded, loaded });
        }
        let mut cut = ShardCut {
            starts: Vec::new(),
            until: Vec::new(),
            clock: record.as_ref().and_then(|record| record.clock),
            has_dues: record.as_ref().is_some_and(|record| record.has_dues),
            has_lost: false,
            changes: (low, covered, end),
        };
        for topic in &self.topics {
            let (low, end) = self.high.range(topic, shard)?;
            let of = |offsets: fn(&ShardRecord) -> &BTreeMap<String, i64>| {
                record.as_ref().and_then(|record| offsets(record).get(topic).copied()).unwrap_or(low)
            };
            let (begin, next) = (of(|record| &record.begin), of(|record| &record.next));
            if end < next {
                return Err(Error::Shortened { topic: topic.clone(), partition: shard, end, next });
            }
            if low > begin {
                cut.has_lost = true;
                let lost = Lost { topic: topic.clone(), partition: shard, from: begin, to: low - 1 };
                self.report.lost.push(lost);
            }
            cut.starts.push(begin.max(low));
            cut.until.push(next.max(low));
        }
        Ok(cut)
    }

    fn latest_record(&self, shard: i32) -> Result<Option<ShardRecord>, Error> {
        let topic = &self.settings.output.standing;
        let mark = self.decided_end(topic, shard)?;
        let (low, _) = self.high.range(topic, shard)?;
        let mut found = None;
        self.read(topic, shard, (low, mark), &mut |record| {
            if record.key == Some(KEY) {
                found = Some((record.offset, record.value.unwrap_or_default().to_vec()));
            }
        })?;
        let Some((offset, bytes)) = found else { return Ok(None) };
        let record = ShardRecord::decode(&bytes).map_err(|error| Error::Record {
            topic: topic.clone(),
            partition: shard,
            offset,
            error,
        })?;
        Ok(Some(record))
    }

    fn open(&self, topics: &[String]) -> Result<Intake, Error> {
        Ok(Intake::open(&self.settings.kafka, Isolation::Committed, topics, self.n_partitions)?)
    }

    /// Hands over the committed records of a range of one partition.
    fn read(
        &self,
        topic: &str,
        partition: i32,
        (from, end): (i64, i64),
        each: &mut dyn FnMut(&Record<'_>),
    ) -> Result<(), Error> {
        if from >= end {
            return Ok(());
        }
        let mut intake = self.open(&[topic.to_owned()])?;
        intake.start(0, partition, &[from])?;
        let (mut position, mut heard) = (from, Moment::now());
        while position < end {
            let any = intake.read(QUOTA_BYTES, &mut |batch: Batch| {
                let records = (0..batch.n_records()).filter_map(|index| batch.record(index));
                records.take_while(|record| record.offset < end).for_each(|record| each(&record));
                position = batch.position;
            })?;
            wait(any, &mut heard, topic)?;
        }
        Ok(())
    }

    fn shard(&mut self, shard: i32, cut: &ShardCut) -> Result<(), Error> {
        let mut slices = vec![Slice::of(&self.options.sample)];
        let mut is_first = true;
        while let Some(slice) = slices.pop() {
            self.report.n_passes += 1;
            let mut gather = Gather::new(&self.options.sample, slice, self.options.memory_bytes_max);
            self.read_changes(shard, cut, is_first, &mut gather)?;
            self.read_events(shard, cut, &mut gather)?;
            slices.append(&mut gather.rest);
            is_first = false;
            let topics = &self.topics;
            let origin = |record: &plain::Record| {
                published::record(&topics[record.input], record.partition, record.position as i64)
            };
            let judged = Cut {
                end: cut.clock.unwrap_or(i64::MIN),
                has_dues: cut.has_dues,
                has_lost: cut.has_lost,
                is_cut_off: cut.changes.0 > 0,
                origin: &origin,
            };
            judge(&self.judging, gather, &judged, self.options, &mut self.report);
        }
        Ok(())
    }

    /// Reads what was published; what cannot be read is reported in the first pass.
    fn read_changes(
        &mut self,
        shard: i32,
        cut: &ShardCut,
        is_first: bool,
        gather: &mut Gather<'_>,
    ) -> Result<(), Error> {
        let (topic, format) = (self.settings.output.changes.clone(), self.settings.output.format);
        let (low, covered, end) = cut.changes;
        let (mut unreadable, n_read) = (Vec::new(), &self.options.n_read);
        self.read(&topic, shard, (low, end), &mut |record| {
            n_read.fetch_add(1, Ordering::Relaxed);
            let place = published::record(&topic, shard, record.offset);
            let key = String::from_utf8_lossy(record.key.unwrap_or_default());
            match published::read(format, record.value.unwrap_or_default()) {
                Ok(Read { customer, .. }) if customer != key => {
                    unreadable.push((customer, place, format!("its key is `{key}`")));
                }
                Ok(Read { customer, rules, said }) if gather.wants(&customer) => {
                    let is_new = record.offset >= covered;
                    gather.add_published(&customer, Published { said, place, rules, is_new });
                }
                Ok(_) => {}
                Err(problem) => unreadable.push((key.into_owned(), place, problem)),
            }
        })?;
        if is_first {
            for (customer, place, problem) in unreadable {
                self.report.find(&customer, Finding::unreadable(place, problem), self.options);
            }
        }
        Ok(())
    }

    fn read_events(&self, shard: i32, cut: &ShardCut, gather: &mut Gather<'_>) -> Result<(), Error> {
        let mut intake = self.open(&self.topics)?;
        intake.start(0, shard, &cut.starts)?;
        let mut merge = Merge::new(&cut.starts);
        let mut taking = Taking {
            verifier: self,
            partition: shard,
            until: &cut.until,
            clock: i64::MIN,
            clocks: vec![i64::MIN; self.topics.len()],
            gather,
        };
        let mut heard = Moment::now();
        loop {
            let (pause, _) = merge.run(TURN_RECORDS, &mut taking);
            let is_read = merge.next().iter().zip(&cut.until).all(|(next, until)| next >= until);
            if is_read && pause == Pause::Empty {
                return Ok(());
            }
            let any = intake.read(QUOTA_BYTES, &mut |batch| merge.push(batch))?;
            wait(any || pause == Pause::Turn, &mut heard, &self.topics.join(", "))?;
        }
    }
}

fn wait(any: bool, heard: &mut Moment, topic: &str) -> Result<(), Error> {
    if any {
        *heard = Moment::now();
    } else if heard.elapsed() > SILENCE_PATIENCE {
        return Err(Error::Silent(topic.to_owned()));
    } else {
        thread::park_timeout(WAIT);
    }
    Ok(())
}

/// Takes the events of a shard in the order in which recovery folds them.
struct Taking<'t, 'g> {
    verifier: &'t Verifier<'t>,
    partition: i32,
    until: &'t [i64],
    /// As far as the records so far have moved it.
    clock: i64,
    /// The same by topic.
    clocks: Vec<i64>,
    gather: &'t mut Gather<'g>,
}

impl merge::Judge for Taking<'_, '_> {
    fn decode<'r>(&self, input: usize, record: &Record<'r>) -> Result<Event<'r>, Reject> {
        let Verifier { settings, judging, .. } = self.verifier;
        let Some(value) = record.value else {
            return Err(Reject::new(Reason::Undecodable, "the record has no value"));
        };
        let event = judging.decoder.decode(settings.inputs[input].format, value, settings.inputs[input].kind)?;
        match appended(record.stamped) {
            Some(stamped) if event.time > stamped + settings.max_skew => {
                Err(Reject::new(Reason::Future, "ahead of its record"))
            }
            _ => Ok(event),
        }
    }

    fn is_wanted(&self, input: usize, offset: i64) -> bool {
        offset < self.until[input]
    }

    fn is_at_end(&self, input: usize, position: i64, _: Moment) -> bool {
        position >= self.until[input]
    }

    fn take(&mut self, input: usize, record: &Record<'_>, taken: Taken<'_>) -> ControlFlow<()> {
        self.verifier.options.n_read.fetch_add(1, Ordering::Relaxed);
        if let Taken::Event(event) = taken {
            self.event(input, record, event);
        }
        ControlFlow::Continue(())
    }
}

impl Taking<'_, '_> {
    fn event(&mut self, input: usize, record: &Record<'_>, event: &Event<'_>) {
        let stamped: Option<Instant> = appended(record.stamped);
        if self.gather.wants(&event.customer) {
            let clock_max = match record.stamped {
                // Nobody had come further when it was appended, and from then on it was there to be read.
                Stamped::Appended(at) => at.max(self.clock),
                _ => i64::MAX,
            };
            let (clock, clock_min) = (self.clock, self.clocks[input]);
            let (partition, position) = (self.partition, record.offset as u64);
            let event_kept = plain::Event::new(event, &self.verifier.judging.schema);
            let record = plain::Record { event: event_kept, input, partition, position, clock, clock_min, clock_max };
            self.gather.add_record(&event.customer, record);
        }
        let moved = event.time.min(stamped.unwrap_or(event.time)) - self.verifier.settings.grace;
        self.clock = self.clock.max(moved.0);
        self.clocks[input] = self.clocks[input].max(moved.0);
    }
}
