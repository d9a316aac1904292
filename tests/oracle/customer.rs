//! One customer: its facts, its standing, and SPEC 4 to the letter.
//!
//! There is no due: every instant that could matter is judged, one after the other.

use std::cell::RefCell;

use jiff::{Timestamp, ToSpan};

use super::event::Event;
use super::facts::{Facts, zoned};
use super::interests::Interests;
use super::moment::{Moment, Standing};
use super::rules::{Dimension, Rule, Rules, Segment};
use super::{Cause, Change};

pub struct Customer<'a> {
    id: String,
    rules: &'a Rules,
    facts: Facts,
    standings: Vec<Standing>,
    /// The later of the latest event time and of the latest instant at which the standing changed.
    latest: i64,
    /// Everything up to here has been judged.
    looked: i64,
    /// Kind, id and time of the events that a duplicate is told by.
    remembered: Vec<(String, String, i64)>,
    pub changes: Vec<Change>,
    /// What each of the changes offers, where the rules ask for it.
    pub interests: Vec<Interests>,
}

impl<'a> Customer<'a> {
    pub fn new(id: &str, rules: &'a Rules) -> Customer<'a> {
        let standing =
            |dimension: &Dimension| Standing { current: None, since: None, left: vec![None; dimension.segments.len()] };
        Customer {
            id: id.to_owned(),
            rules,
            facts: Facts::new(rules),
            standings: rules.dimensions.iter().map(standing).collect(),
            latest: i64::MIN,
            looked: i64::MIN,
            remembered: Vec::new(),
            changes: Vec::new(),
            interests: Vec::new(),
        }
    }

    /// `clock`: the clock before this event's record.
    pub fn take(&mut self, event: Event, clock: i64) {
        self.pass_time(clock);
        if self.is_duplicate(&event, clock) {
            return;
        }
        let time = event.time;
        self.pass_time(time - 1);
        self.facts.fold(event, self.rules);
        let cause = if time < self.latest { Cause::LateEvent } else { Cause::Event };
        self.latest = self.latest.max(time);
        self.looked = self.latest;
        self.judge(self.latest, cause);
    }

    fn is_duplicate(&mut self, event: &Event, clock: i64) -> bool {
        let window = self.rules.kinds[&event.kind].dedup_window;
        let Some(id) = &event.id else { return false };
        if clock > event.time + window {
            return false;
        }
        let same = |(kind, known, time): &(String, String, i64)| {
            *kind == event.kind && known == id && clock <= time + window && (event.time - time).abs() <= window
        };
        if self.remembered.iter().any(same) {
            return true;
        }
        self.remembered.push((event.kind.clone(), id.clone(), event.time));
        false
    }

    /// Judges every instant up to and including `to` at which something may turn by time alone.
    pub fn pass_time(&mut self, to: i64) {
        while self.looked != i64::MIN && self.looked < to {
            let instants = self.instants(self.looked, to);
            let turned = instants.into_iter().find(|instant| self.judge(*instant, Cause::Elapsed));
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
        found.extend(moment.turns.expect("given above").into_inner());
        found.retain(|instant| from < *instant && *instant <= to);
        self.facts.exits(self.rules, from, to, &mut found);
        if self.rules.dimensions.iter().any(reads_days) || self.rules.scores.iter().any(|score| days(&score.of)) {
            self.midnights(from, to, &mut found);
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The first instant of every local day, and where the zone's offset changes.
    fn midnights(&self, from: i64, to: i64, found: &mut Vec<i64>) {
        let mut day = zoned(from, self.rules).date();
        loop {
            day = day.checked_add(1.day()).expect("a date in range");
            let start = day.to_zoned(self.rules.zone.clone()).expect("a date in range");
            let start = start.timestamp().as_millisecond();
            if start > to {
                break;
            }
            found.push(start);
        }
        let moment = Timestamp::from_millisecond(from).expect("a time in range");
        let transitions = self.rules.zone.following(moment).map(|one| one.timestamp().as_millisecond());
        found.extend(transitions.take_while(|instant| *instant <= to).filter(|instant| from < *instant));
    }

    fn moment(&self, at: i64) -> Moment<'_> {
        Moment { rules: self.rules, facts: &self.facts, standings: &self.standings, at, turns: None }
    }

    /// Whether anything changed.
    fn judge(&mut self, at: i64, cause: Cause) -> bool {
        let before = self.changes.len();
        for dimension in 0..self.rules.dimensions.len() {
            let mut is_first_look = true;
            while let Some(target) = self.move_from(dimension, at, cause, is_first_look) {
                self.publish(dimension, target, at, cause);
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

    fn publish(&mut self, number: usize, target: Option<usize>, at: i64, cause: Cause) {
        self.interests.extend(self.facts.interests(self.rules));
        let dimension = &self.rules.dimensions[number];
        let standing = &mut self.standings[number];
        let name = |segment: Option<usize>| segment.map(|segment| dimension.segments[segment].name.clone());
        self.changes.push(Change {
            customer_id: self.id.clone(),
            sequence: self.changes.len() as u64 + 1,
            dimension: dimension.name.clone(),
            from: name(standing.current),
            to: name(target),
            effective_at: at,
            cause,
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

fn reads_days(dimension: &Dimension) -> bool {
    dimension.segments.iter().any(|segment| days(&segment.when) || segment.stay.as_ref().is_some_and(days))
}

/// Whether a rule reads `days_until`.
fn days(rule: &Rule) -> bool {
    match rule {
        Rule::DaysUntil(_) => true,
        Rule::Not(inner) | Rule::Negated(inner) | Rule::In(inner, _) => days(inner),
        Rule::Binary(_, left, right) => days(left) || days(right),
        _ => false,
    }
}
