//! Segments that no customer can come to, and tiers in the wrong order.

use super::about::{Known, Subject};
use super::possible::Possible;
use crate::rules::declared;
use crate::rules::diagnostic::{Code, Diagnostic};
use crate::rules::plan::{Dimension, Segment};

/// Warns of segments that can never be entered.
pub(in crate::rules::check) fn segments(known: Known<'_>, dimensions: &[Dimension]) -> Vec<Diagnostic> {
    let both = dimensions.iter().zip(&known.declared.dimensions);
    both.flat_map(|(dimension, declared)| Reach::new(known, dimension).diagnostics(dimension, declared)).collect()
}

/// Why a segment cannot be entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Barrier {
    /// Its own condition never holds, which is reported where it stands.
    Condition,
    /// Whenever its condition holds, that of this earlier segment does too.
    Behind(usize),
    /// Whenever its condition holds, one of the earlier segments' conditions does.
    BehindAll,
    /// `from = []`.
    FromNowhere,
    /// It can only be entered from segments that cannot be entered.
    FromUnreachable,
}

struct Reach(Vec<Option<Barrier>>);

impl Reach {
    fn new(known: Known<'_>, dimension: &Dimension) -> Reach {
        let when: Vec<_> = dimension.segments.iter().map(|segment| known.condition(&segment.when)).collect();
        let barriers = (0..when.len()).map(|index| barrier(&dimension.segments, &when, index));
        let mut reach = Reach(barriers.collect());
        reach.follow_from(dimension);
        reach
    }

    /// Spreads from none, where everyone starts, over what `from` allows.
    fn follow_from(&mut self, dimension: &Dimension) {
        let mut reached = vec![false; self.0.len()];
        loop {
            let before = reached.clone();
            for (index, segment) in dimension.segments.iter().enumerate() {
                let open = segment
                    .from
                    .as_ref()
                    .is_none_or(|from| from.none || from.segments.iter().any(|from| reached[from.0 as usize]));
                reached[index] |= open && self.0[index].is_none();
            }
            if reached == before {
                break;
            }
        }
        for (barrier, reached) in self.0.iter_mut().zip(reached) {
            if barrier.is_none() && !reached {
                *barrier = Some(Barrier::FromUnreachable);
            }
        }
    }

    fn diagnostics(&self, dimension: &Dimension, declared: &declared::Dimension) -> Vec<Diagnostic> {
        let mut diagnostics = Vec::new();
        for (index, barrier) in self.0.iter().enumerate() {
            let segment = &declared.segments[index];
            let place = segment.name.whole();
            let title = format!("no customer can come to `{}`", segment.name.text());
            let diagnostic = Diagnostic::new(Code::Unreachable, place.clone(), title);
            diagnostics.push(match barrier {
                None | Some(Barrier::Condition) => continue,
                Some(Barrier::Behind(earlier)) => {
                    let first = &declared.segments[*earlier];
                    if is_comparison(&dimension.segments[*earlier]) && is_comparison(&dimension.segments[index]) {
                        tier_order(segment, first)
                    } else {
                        diagnostic
                            .label("whenever its condition holds, an earlier one does")
                            .related(first.name.whole(), "this one is always taken first")
                            .help("put the narrower segment first")
                    }
                }
                Some(Barrier::BehindAll) => diagnostic
                    .label("whenever its condition holds, that of an earlier segment does")
                    .help("put the narrower segments first"),
                Some(Barrier::FromNowhere) => diagnostic
                    .label("`from` is empty")
                    .help("take `from` out to enter it from anywhere; `from = [\"\"]` is from none"),
                Some(Barrier::FromUnreachable) => {
                    let diagnostic = match &segment.from {
                        Some(from) => diagnostic.related(from.place.clone(), "none of these can be reached"),
                        None => diagnostic,
                    };
                    diagnostic.help("add `\"\"` to `from`: everyone starts in none")
                }
            });
        }
        diagnostics
    }
}

fn tier_order(segment: &declared::Segment, first: &declared::Segment) -> Diagnostic {
    let (name, first_name) = (segment.name.text(), first.name.text());
    let place = segment.when.as_ref().map_or(segment.name.whole(), |when| when.whole());
    let first_place = first.when.as_ref().map_or(first.name.whole(), |when| when.whole());
    Diagnostic::new(Code::TierOrder, place, format!("`{first_name}` takes every customer of `{name}`"))
        .label("whenever this holds…")
        .related(first_place, "…this does too, and it stands first")
        .help(format!("put `{name}` in front of `{first_name}`: the first segment that holds is taken"))
}

fn is_comparison(segment: &Segment) -> bool {
    matches!(segment.when, crate::rules::plan::Condition::Compare(_))
}

fn barrier(segments: &[Segment], when: &[Possible<Subject>], index: usize) -> Option<Barrier> {
    if segments[index].from.as_ref().is_some_and(|from| !from.none && from.segments.is_empty()) {
        return Some(Barrier::FromNowhere);
    }
    if !when[index].can_hold() {
        return Some(Barrier::Condition);
    }
    // An earlier segment is taken whenever its condition holds, unless `from` or `cooldown` keeps it closed.
    let always_open = |segment: &Segment| segment.from.is_none() && segment.cooldown.is_none();
    let earlier: Vec<usize> = (0..index).filter(|earlier| always_open(&segments[*earlier])).collect();
    let fails = |earlier: usize| when[earlier].clone().not();
    for index_earlier in &earlier {
        if !Possible::all([when[index].clone(), fails(*index_earlier)]).can_hold() {
            return Some(Barrier::Behind(*index_earlier));
        }
    }
    let all = earlier.into_iter().map(fails).chain([when[index].clone()]);
    (!Possible::all(all).can_hold()).then_some(Barrier::BehindAll)
}
