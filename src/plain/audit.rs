//! What was published of a customer held against what is right: what differs, as data.
//!
//! It decides nothing about why. What always holds: the findings are empty exactly when both sides tell the same, in the
//! same order, numbered from 1 without a gap.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

/// One change as somebody tells it. None is `None`, times in ms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub sequence: u64,
    pub dimension: String,
    pub from: Option<String>,
    pub to: Option<String>,
    pub from_since: Option<i64>,
    pub effective_at: i64,
    /// By its name.
    pub cause: String,
    /// The record that caused it, if one did.
    pub origin: Option<String>,
}

/// A change that was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    pub said: Said,
    /// Where it stands.
    pub place: String,
    pub rules: String,
    /// It may be younger than what is compared with it.
    pub is_new: bool,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It should have been published and was not.
    Missing,
    /// It was published and should not have been.
    Extra,
    /// Both tell of a move here, and not the same.
    Different,
    /// Sequence numbers are left out.
    Gap,
    /// A sequence number was told before.
    Repetition,
    /// A change stands behind one with a higher sequence number.
    Order,
    /// It is no change, or not one of the customer under whose key it stands.
    Unreadable,
    /// Events came late, and it could not be found out in reasonable time whether any order of them gives this.
    Undecided,
}

impl Kind {
    pub const ALL: [Kind; 8] = [
        Kind::Missing,
        Kind::Extra,
        Kind::Different,
        Kind::Gap,
        Kind::Repetition,
        Kind::Order,
        Kind::Unreadable,
        Kind::Undecided,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Missing => "missing",
            Kind::Extra => "extra",
            Kind::Different => "different",
            Kind::Gap => "gap",
            Kind::Repetition => "repetition",
            Kind::Order => "order",
            Kind::Unreadable => "unreadable",
            Kind::Undecided => "undecided",
        }
    }
}

/// One thing that is wrong with one customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub kind: Kind,
    /// The number of the change it is about: the published one's where there is one.
    pub sequence: Option<u64>,
    /// When it is, or should have been, in force.
    pub at: Option<i64>,
    pub right: Option<Said>,
    pub published: Option<Said>,
    /// Where the published one stands.
    pub place: Option<String>,
    /// What is wrong with one that cannot be read.
    pub problem: Option<String>,
}

impl Finding {
    /// What stands at a place is no change.
    pub fn unreadable(place: String, problem: String) -> Finding {
        Finding {
            kind: Kind::Unreadable,
            sequence: None,
            at: None,
            right: None,
            published: None,
            place: Some(place),
            problem: Some(problem),
        }
    }

    fn new(kind: Kind, right: Option<&Said>, published: Option<&Published>) -> Finding {
        let either = published.map(|published| &published.said).or(right);
        Finding {
            kind,
            sequence: either.map(|said| said.sequence),
            at: either.map(|said| said.effective_at),
            right: right.cloned(),
            published: published.map(|published| published.said.clone()),
            place: published.map(|published| published.place.clone()),
            problem: None,
        }
    }
}

/// A few words for one side of a finding.
impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |segment: &'_ Option<String>| segment.clone().unwrap_or_else(|| "none".to_owned());
        write!(f, "{}: {} → {}", self.dimension, name(&self.from), name(&self.to))?;
        write!(f, " at {}, {}", crate::event::Instant(self.effective_at), self.cause)?;
        self.origin.iter().try_for_each(|origin| write!(f, " ({origin})"))
    }
}

impl Said {
    /// Whether both tell the same move. Numbers are looked at apart.
    pub fn agrees(&self, other: &Said) -> bool {
        let Said { sequence: _, dimension, from, to, from_since, effective_at, cause, origin } = self;
        (dimension, from, to, from_since, effective_at, cause, origin)
            == (
                &other.dimension,
                &other.from,
                &other.to,
                &other.from_since,
                &other.effective_at,
                &other.cause,
                &other.origin,
            )
    }
}

/// Holds what was published, in the order of the log, against what is right. Changes before `first` are no longer there;
/// it is 1 when all are.
pub fn audit(published: &[Published], right: &[Said], first: u64) -> Vec<Finding> {
    let mut findings = numbering(published, first);
    let mut told: Vec<&Published> = Vec::new();
    let mut seen = BTreeSet::new();
    told.extend(published.iter().filter(|one| seen.insert(one.said.sequence)));
    told.sort_by_key(|one| one.said.sequence);
    let skipped = right.partition_point(|said| said.sequence < first);
    findings.extend(differences(&told, &right[skipped..]));
    findings
}

/// Gaps, repetitions, and what stands in a wrong order.
fn numbering(published: &[Published], first: u64) -> Vec<Finding> {
    let numbers: BTreeSet<u64> = published.iter().map(|one| one.said.sequence).collect();
    let (mut seen, mut highest, mut findings) = (BTreeSet::new(), first - 1, Vec::new());
    for one in published {
        let sequence = one.said.sequence;
        let kind = if !seen.insert(sequence) {
            Some(Kind::Repetition)
        } else if sequence < highest {
            Some(Kind::Order)
        } else {
            // What is left out here may stand further on: then that is what is wrong.
            (highest + 1..sequence).any(|number| !numbers.contains(&number)).then_some(Kind::Gap)
        };
        highest = highest.max(sequence);
        findings.extend(kind.map(|kind| Finding::new(kind, None, Some(one))));
    }
    findings
}

/// Lists up to so many pairs are aligned by their longest common part.
const PAIRS_MAX: usize = 1 << 20;

fn differences(told: &[&Published], right: &[Said]) -> Vec<Finding> {
    let agree = |a: usize, b: usize| told[a].said.agrees(&right[b]);
    let shorter = told.len().min(right.len());
    let same_start = (0..shorter).take_while(|&index| agree(index, index)).count();
    let same_end = (1..=shorter - same_start).take_while(|&back| agree(told.len() - back, right.len() - back)).count();
    let (told, right) = (&told[same_start..told.len() - same_end], &right[same_start..right.len() - same_end]);
    let common = if told.len() * right.len() <= PAIRS_MAX { common(told, right) } else { Vec::new() };
    let mut findings = Vec::new();
    let (mut a, mut b) = (0, 0);
    for (next_a, next_b) in common.into_iter().chain([(told.len(), right.len())]) {
        // What is younger than the comparison is only at the end, and is nobody's fault there.
        let is_tail = next_a == told.len() && next_b == right.len() && same_end == 0;
        hunk(&told[a..next_a], &right[b..next_b], is_tail, &mut findings);
        (a, b) = (next_a + 1, next_b + 1);
    }
    findings
}

/// The places of the longest common part of both lists.
fn common(told: &[&Published], right: &[Said]) -> Vec<(usize, usize)> {
    let width = right.len() + 1;
    let mut longest = vec![0u32; (told.len() + 1) * width];
    for a in (0..told.len()).rev() {
        for b in (0..right.len()).rev() {
            longest[a * width + b] = if told[a].said.agrees(&right[b]) {
                longest[(a + 1) * width + b + 1] + 1
            } else {
                longest[(a + 1) * width + b].max(longest[a * width + b + 1])
            };
        }
    }
    let (mut a, mut b, mut places) = (0, 0, Vec::new());
    while a < told.len() && b < right.len() {
        if told[a].said.agrees(&right[b]) {
            places.push((a, b));
            (a, b) = (a + 1, b + 1);
        } else if longest[(a + 1) * width + b] >= longest[a * width + b + 1] {
            a += 1;
        } else {
            b += 1;
        }
    }
    places
}

/// Nothing in common: pairs differ, and what is left over is missing or too much.
fn hunk(told: &[&Published], right: &[Said], is_tail: bool, findings: &mut Vec<Finding>) {
    for index in 0..told.len().max(right.len()) {
        let (published, right) = (told.get(index), right.get(index));
        let kind = match (published, right) {
            (Some(_), Some(_)) => Kind::Different,
            (None, Some(_)) => Kind::Missing,
            (Some(published), None) if is_tail && published.is_new => continue,
            _ => Kind::Extra,
        };
        findings.push(Finding::new(kind, right, published.copied()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(sequence: u64, at: i64) -> Said {
        Said {
            sequence,
            dimension: "d".to_owned(),
            from: None,
            to: Some("s".to_owned()),
            from_since: None,
            effective_at: at,
            cause: "elapsed".to_owned(),
            origin: None,
        }
    }

    fn published(told: &[(u64, i64)]) -> Vec<Published> {
        let one = |(index, (sequence, at)): (usize, &(u64, i64))| Published {
            said: said(*sequence, *at),
            place: format!("line {}", index + 1),
            rules: String::new(),
            is_new: false,
        };
        told.iter().enumerate().map(one).collect()
    }

    fn found(told: &[(u64, i64)], right: &[(u64, i64)]) -> Vec<(Kind, u64, i64)> {
        let right: Vec<Said> = right.iter().map(|(sequence, at)| said(*sequence, *at)).collect();
        let findings = audit(&published(told), &right, 1);
        let one = |finding: &Finding| Some((finding.kind, finding.sequence?, finding.at?));
        findings.iter().filter_map(one).collect()
    }

    const RIGHT: [(u64, i64); 4] = [(1, 10), (2, 20), (3, 30), (4, 40)];

    #[test]
    fn the_same_is_no_finding() {
        assert_eq!(found(&RIGHT, &RIGHT), []);
        assert_eq!(found(&[], &[]), []);
    }

    #[test]
    fn what_is_left_out_is_missing_and_leaves_a_gap_unless_it_is_numbered_anew() {
        let gap = [(1, 10), (3, 30), (4, 40)];
        assert_eq!(found(&gap, &RIGHT), [(Kind::Gap, 3, 30), (Kind::Missing, 2, 20)]);
        assert_eq!(found(&[(1, 10), (2, 30), (3, 40)], &RIGHT), [(Kind::Missing, 2, 20)]);
        assert_eq!(found(&RIGHT[..3], &RIGHT), [(Kind::Missing, 4, 40)]);
        assert_eq!(found(&[], &RIGHT[..1]), [(Kind::Missing, 1, 10)]);
    }

    #[test]
    fn what_nobody_should_have_told_is_extra() {
        let forged = [(1, 10), (2, 20), (3, 30), (4, 40), (5, 50)];
        assert_eq!(found(&forged, &RIGHT), [(Kind::Extra, 5, 50)]);
        assert_eq!(found(&[(1, 10), (2, 15), (3, 20), (4, 30), (5, 40)], &RIGHT), [(Kind::Extra, 2, 15)]);
    }

    #[test]
    fn what_is_told_otherwise_is_different_on_both_sides() {
        let right: Vec<Said> = RIGHT.iter().map(|(sequence, at)| said(*sequence, *at)).collect();
        let mut told = published(&RIGHT);
        told[2].said.to = Some("other".to_owned());
        let findings = audit(&told, &right, 1);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!((findings[0].kind, findings[0].place.as_deref()), (Kind::Different, Some("line 3")));
        assert_eq!(findings[0].right.as_ref(), Some(&right[2]));
        assert_eq!(findings[0].published.as_ref(), Some(&told[2].said));
    }

    #[test]
    fn repetitions_and_wrong_orders_are_told_apart() {
        let twice = [(1, 10), (2, 20), (2, 20), (3, 30), (4, 40)];
        assert_eq!(found(&twice, &RIGHT), [(Kind::Repetition, 2, 20)]);
        let swapped = [(1, 10), (3, 30), (2, 20), (4, 40)];
        assert_eq!(found(&swapped, &RIGHT), [(Kind::Order, 2, 20)]);
    }

    #[test]
    fn what_may_be_younger_than_the_comparison_is_left_alone_only_at_the_end() {
        let right: Vec<Said> = RIGHT.iter().map(|(sequence, at)| said(*sequence, *at)).collect();
        let mut told = published(&[(1, 10), (2, 15), (3, 20), (4, 30), (5, 40), (6, 50)]);
        told[1].is_new = true;
        told[5].is_new = true;
        let findings = audit(&told, &right, 1);
        assert_eq!(findings.iter().map(|finding| finding.sequence).collect::<Vec<_>>(), [Some(2)]);
    }

    #[test]
    fn what_is_no_longer_there_is_not_missed() {
        let right: Vec<Said> = RIGHT.iter().map(|(sequence, at)| said(*sequence, *at)).collect();
        assert_eq!(audit(&published(&RIGHT[2..]), &right, 3), []);
    }
}
