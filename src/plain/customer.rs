//! One customer: its facts, its standing, and SPEC 4 to the letter.
//!
//! There is no due: every instant that could matter is judged, one after the other.

use std::cell::{Cell, RefCell};
use std::fmt;

use jiff::{Timestamp, ToSpan};

use super::event::Event;
use super::facts::{Facts, zoned};
use super::interests::Interests;
use super::moment::{Moment, Standing};
use super::rules::{Dimension, Rules, Segment};
use crate::event::Builtin;

/// What made a customer change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    Event,
    LateEvent,
    Elapsed,
    Rules,
}

impl Cause {
    /// Its name outside.
    pub fn name(self) -> &'static str {
        match self {
            Cause::Event => "event",
            Cause::LateEvent => "late_event",
            Cause::Elapsed => "elapsed",
            Cause::Rules => "rules",
        }
    }

    pub fn named(name: &str) -> Option<Cause> {
        [Cause::Event, Cause::LateEvent, Cause::Elapsed, Cause::Rules].into_iter().find(|cause| cause.name() == name)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One move. None is `None`, times in ms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub sequence: u64,
    pub dimension: String,
    pub from: Option<String>,
    pub to: Option<String>,
    pub from_since: Option<i64>,
    pub effective_at: i64,
    pub cause: Cause,
    /// The event that caused it, by its number among those that the customer was given, from 0.
    pub event: Option<usize>,
}

/// See [`Customer::memory`].
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Memory {
    folded: Vec<usize>,
    remembered: Vec<(usize, String, i64)>,
    /// By time, equal ones in the order of reading: only with these does that order show.
    profiles: Vec<usize>,
}

#[derive(Debug, Clone)]
pub struct Customer<'a> {
    rules: &'a Rules,
    facts: Facts,
    standings: Vec<Standing>,
    /// The later of the latest event time and of the latest instant at which the standing changed.
    latest: i64,
    /// Everything up to here has been judged.
    looked: i64,
    /// Kind, id and time of the events that a duplicate is told by.
    remembered: Vec<(usize, String, i64)>,
    n_given: usize,
    /// Number, kind and time of those that were folded.
    folded: Vec<(usize, usize, i64)>,
    work: Cell<u64>,
    pub changes: Vec<Change>,
    /// What each of the changes offers, where the rules ask for it.
    pub interests: Vec<Interests>,
}

impl<'a> Customer<'a> {
    pub fn new(rules: &'a Rules) -> Customer<'a> {
        let standing =
            |dimension: &Dimension| Standing { current: None, since: None, left: vec![None; dimension.segments.len()] };
        Customer {
            rules,
            facts: Facts::new(rules),
            standings: rules.dimensions.iter().map(standing).collect(),
            latest: i64::MIN,
            looked: i64::MIN,
            remembered: Vec::new(),
            n_given: 0,
            folded: Vec::new(),
            work: Cell::new(0),
            changes: Vec::new(),
            interests: Vec::new(),
        }
    }

    pub fn rules(&self) -> &'a Rules {
        self.rules
    }

    /// The later of the latest event time and of the latest instant at which the standing changed.
    pub fn latest(&self) -> i64 {
        self.latest
    }

    /// A measure of what all judging has cost so far: the events that were there each time.
    pub fn work(&self) -> u64 {
        self.work.get()
    }

    /// What the future depends on beside the changes so far, the clock having come to `clock`; `names` of the events that
    /// the customer was given, in their order.
    pub fn memory(&self, clock: i64, names: &[usize]) -> Memory {
        let kinds = &self.rules.kinds;
        let is_looked_for = |(kind, _, time): &&(usize, String, i64)| clock <= time + kinds[*kind].dedup_window;
        let mut folded: Vec<usize> = self.folded.iter().map(|(number, ..)| names[*number]).collect();
        folded.sort_unstable();
        let mut remembered: Vec<_> = self.remembered.iter().filter(is_looked_for).cloned().collect();
        remembered.sort_unstable();
        let is_profile = |(_, kind, _): &&(usize, usize, i64)| kinds[*kind].builtin == Builtin::Profile;
        let mut profiles: Vec<_> = self.folded.iter().filter(is_profile).collect();
        profiles.sort_by_key(|(.., time)| time);
        Memory { folded, remembered, profiles: profiles.into_iter().map(|(number, ..)| names[*number]).collect() }
    }

    /// `clock`: the clock before this event's record.
    pub fn take(&mut self, event: &Event, clock: i64) {
        self.pass_time(clock);
        let number = self.n_given;
        self.n_given += 1;
        if self.is_duplicate(event, clock) {
            return;
        }
        let time = event.time;
        self.pass_time(time - 1);
        self.facts.fold(event, self.rules);
        self.folded.push((number, event.kind, time));
        let cause = if time < self.latest { Cause::LateEvent } else { Cause::Event };
        self.latest = self.latest.max(time);
        self.looked = self.latest;
        self.judge(self.latest, cause, Some(number));
    }

    fn is_duplicate(&mut self, event: &Event, clock: i64) -> bool {
        let window = self.rules.kinds[event.kind].dedup_window;
        let Some(id) = &event.id else { return false };
        if clock > event.time + window {
            return false;
        }
        let same = |(kind, known, time): &(usize, String, i64)| {
            *kind == event.kind && known == id && clock <= time + window && (event.time - time).abs() <= window
        };
        if self.remembered.iter().any(same) {
            return true;
        }
        let kinds = &self.rules.kinds;
        self.remembered.retain(|(kind, _, time)| clock <= time + kinds[*kind].dedup_window);
        self.remembered.push((event.kind, id.clone(), event.time));
        false
    }

    /// Judges every instant up to and including `to` at which something may turn by time alone.
    pub fn pass_time(&mut self, to: i64) {
        while self.looked != i64::MIN && self.looked < to {
            let instants = self.instants(self.looked, to);
            let turned = instants.into_iter().find(|instant| self.judge(*instant, Cause::Elapsed, None));
            self.looked = turned.unwrap_or(to);
        }
    }

    /// In `from < instant <= to`, ascending.
    fn instants(&self, from: i64, to: i64) -> Vec<i64> {
        let moment = Moment { turns: Some(RefCell::default()), ..self.moment(from) };
        let mut found = Vec::new();
        for (dimension, standing) in self.rules.dimensions.iter().zip(&self.standings) {
            for (segment, left) in dimension.segments.iter().zip(&standing.left) {
                moment.holds(&segment.when);
                segment.stay.as_ref().map(|stay| moment.holds(stay));
                found.extend(left.zip(segment.cooldown).map(|(left, cooldown)| left + cooldown));
                found.extend(standing.since.zip(segment.min_stay).map(|(since, min_stay)| since + min_stay));
            }
        }
        found.extend(moment.turns.map(RefCell::into_inner).unwrap_or_default());
        found.retain(|instant| from < *instant && *instant <= to);
        self.facts.exits(self.rules, from, to, &mut found);
        if self.facts.has_texts() && self.rules.read_days() {
            self.midnights(from, to, &mut found);
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The first instant of every local day, and where the zone's offset changes.
    fn midnights(&self, from: i64, to: i64, found: &mut Vec<i64>) {
        let mut day = zoned(from, self.rules).date();
        while let Ok(next) = day.checked_add(1.day())
            && let Ok(start) = next.to_zoned(self.rules.zone.clone())
            && let start = start.timestamp().as_millisecond()
            && start <= to
        {
            day = next;
            found.push(start);
        }
        let moment = Timestamp::from_millisecond(from).unwrap_or_default();
        let transitions = self.rules.zone.following(moment).map(|one| one.timestamp().as_millisecond());
        found.extend(transitions.take_while(|instant| *instant <= to).filter(|instant| from < *instant));
    }

    fn moment(&self, at: i64) -> Moment<'_> {
        self.work.set(self.work.get() + 1 + self.folded.len() as u64);
        Moment { rules: self.rules, facts: &self.facts, standings: &self.standings, at, turns: None }
    }

    /// Whether anything changed.
    fn judge(&mut self, at: i64, cause: Cause, event: Option<usize>) -> bool {
        let before = self.changes.len();
        for dimension in 0..self.rules.dimensions.len() {
            let mut is_first_look = true;
            while let Some(target) = self.move_from(dimension, at, cause, is_first_look) {
                self.publish(dimension, target, at, (cause, event));
                is_first_look = false;
            }
        }
        self.changes.len() > before
    }

    /// The target, when it is not the present segment.
    fn move_from(&self, number: usize, at: i64, cause: Cause, is_first_look: bool) -> Option<Option<usize>> {
        let standing = &self.standings[number];
        let segments = &self.rules.dimensions[number].segments;
        let min_stay = standing.current.and_then(|current| segments[current].min_stay);
        let corrects = cause == Cause::LateEvent && standing.since == Some(at) && is_first_look;
        let is_bound = min_stay.zip(standing.since).is_some_and(|(min_stay, since)| at < since + min_stay);
        if is_bound && !corrects {
            return None;
        }
        let moment = self.moment(at);
        let target = (0..segments.len()).find(|segment| holds(&moment, standing, *segment, &segments[*segment]));
        (target != standing.current).then_some(target)
    }

    fn publish(&mut self, number: usize, target: Option<usize>, at: i64, (cause, event): (Cause, Option<usize>)) {
        self.interests.extend(self.facts.interests(self.rules));
        let dimension = &self.rules.dimensions[number];
        let standing = &mut self.standings[number];
        let name = |segment: Option<usize>| segment.map(|segment| dimension.segments[segment].name.clone());
        self.changes.push(Change {
            sequence: self.changes.len() as u64 + 1,
            dimension: dimension.name.clone(),
            from: name(standing.current),
            to: name(target),
            from_since: standing.since,
            effective_at: at,
            cause,
            event,
        });
        if let Some(current) = standing.current {
            standing.left[current] = Some(at);
        }
        standing.current = target;
        standing.since = Some(at);
        self.latest = self.latest.max(at);
    }
}

fn holds(moment: &Moment<'_>, standing: &Standing, number: usize, segment: &Segment) -> bool {
    if standing.current == Some(number) {
        return moment.holds(&segment.when) || segment.stay.as_ref().is_some_and(|stay| moment.holds(stay));
    }
    let may_enter = segment.from.as_ref().is_none_or(|from| from.contains(&standing.current));
    let cooling = segment.cooldown.zip(standing.left[number]);
    let has_cooled = cooling.is_none_or(|(cooldown, left)| moment.at >= left + cooldown);
    may_enter && has_cooled && moment.holds(&segment.when)
}
