//! Why a change came, in a sentence: of the comparisons that its outcome rests on, those that turned. What was before is
//! judged from the customer's block, which still holds the facts as they were before the event.
//!
//! Only where the rules ask for reasons, and only once a change is certain: nothing here decides or is paid otherwise.

use super::change::Change;
use super::facts::customer::Customer;
use super::facts::view::{Scratch, View};
use super::judge::{self, Terms};
use crate::event::{Instant, Span};
use crate::rules::plan::{ComparisonId, Condition, Plan, Segment, SegmentId};
use crate::rules::reading;
use crate::rules::words::{Words, duration};

/// The customer as they were, and what they are looked at with.
#[derive(Debug)]
pub struct Reasons {
    past: Customer,
    scratch: Scratch,
}

/// What was before the judgement.
#[derive(Debug, Clone, Copy)]
pub struct Before<'a> {
    pub block: &'a [u8],
    /// The customer's `latest` in the block.
    pub latest: Instant,
    /// The last instant that was judged, or the one before the changes.
    pub at: Instant,
}

/// Puts the customer into a segment of the change's dimension.
fn stand(view: &mut View, change: &Change, (segment, since): (Option<SegmentId>, Instant)) {
    let dimension = usize::from(change.dimension.0);
    view.customer.segments[dimension] = segment;
    view.customer.history_mut(view.plan, view.cooldowns).since[dimension] = since;
}

/// What may have brought a change about.
struct Grounds {
    rests_on: Vec<ComparisonId>,
    turned: Vec<ComparisonId>,
}

impl Reasons {
    pub fn new(plan: &Plan) -> Reasons {
        Reasons { past: Customer::default(), scratch: Scratch::new(plan) }
    }

    /// Gives the changes of one judgement their reasons; the view's customer stands where they led.
    pub fn give(&mut self, view: &mut View, terms: &Terms, before: Before, changes: &mut [Change]) {
        self.past.open(view.plan, before.block);
        for change in changes.iter().rev() {
            stand(view, change, (change.from, change.from_since.unwrap_or(Instant::NEVER)));
        }
        self.past.segments.clone_from(&view.customer.segments);
        let since = &view.customer.history(view.plan, view.cooldowns).since;
        self.past.history_mut(view.plan, view.cooldowns).since.clone_from(since);
        self.scratch.forget();
        for change in changes {
            change.reason = Some(self.reason(view, terms, before, change).into());
            stand(view, change, (change.to, change.effective_at));
        }
    }

    fn reason(&mut self, view: &mut View, terms: &Terms, before: Before, change: &Change) -> String {
        let (plan, at) = (view.plan, change.effective_at);
        let segments = &plan.dimension(change.dimension).segments;
        let declared = |id: SegmentId| &segments[usize::from(id.0)];
        let entered = change.to.map(|id| self.grounds(view, terms, before, &[&declared(id).when], at));
        let left = change.from.map(declared).filter(|from| !judge::stays(view, terms, from, (at, at)).holds);
        let left = left.map(|from| match &from.stay {
            // What is enough to stay says more than what it takes to enter.
            Some(stay) => self.grounds(view, terms, before, &[stay, &from.when], at),
            None => self.grounds(view, terms, before, &[&from.when], at),
        });
        let moves_down = change.to.is_none_or(|to| change.from.is_some_and(|from| from < to));
        let turned = [&entered, &left].into_iter().flatten().map(|grounds| &grounds.turned);
        let rests_on = match moves_down {
            true => [&left, &entered],
            false => [&entered, &left],
        };
        let rests_on = rests_on.into_iter().flatten().map(|grounds| &grounds.rests_on);
        let said = turned.chain(rests_on).find(|ids| !ids.is_empty());
        let Some(said) = said else {
            return if change.to.is_some() { "Applies to everyone" } else { "Applies to nobody" }.to_owned();
        };
        let readings: Vec<_> = said.iter().map(|id| reading::read(plan, &terms.decider, view, *id, at)).collect();
        Words::new(plan, at).sentence(&readings) + &ended(view, terms, change, segments)
    }

    /// What the outcome of conditions rests on, the first of them with any: `a || b` that fails rests on both.
    fn grounds(
        &mut self,
        view: &mut View,
        terms: &Terms,
        before: Before,
        conditions: &[&Condition],
        at: Instant,
    ) -> Grounds {
        let mut grounds = Grounds { rests_on: Vec::new(), turned: Vec::new() };
        for condition in conditions {
            let mut ids = Vec::new();
            reading::comparisons(condition, &mut ids);
            let holding = |id: &ComparisonId| holds(view, terms, *id, at);
            let holding: Vec<ComparisonId> = ids.into_iter().filter(holding).collect();
            let mut found = Vec::new();
            reading::supports(condition, &|id| holding.contains(&id), &mut found);
            for id in &found {
                if self.held(view, terms, before, *id) != holding.contains(id) && !grounds.turned.contains(id) {
                    grounds.turned.push(*id);
                }
            }
            if grounds.rests_on.is_empty() {
                grounds.rests_on = found;
            }
        }
        grounds
    }

    /// Whether a comparison held before.
    fn held(&mut self, view: &View, terms: &Terms, before: Before, id: ComparisonId) -> bool {
        let Reasons { past, scratch } = self;
        let View { plan, calendar, cooldowns, .. } = *view;
        let mut past = View { plan, calendar, cooldowns, customer: past, scratch, latest: before.latest };
        holds(&mut past, terms, id, before.at)
    }
}

fn holds(view: &mut View, terms: &Terms, id: ComparisonId, at: Instant) -> bool {
    terms.decider.comparison(view.plan, view, id, at, at).holds
}

/// What kept the change back until now.
fn ended(view: &mut View, terms: &Terms, change: &Change, segments: &[Segment]) -> String {
    let declared = |id: SegmentId| &segments[usize::from(id.0)];
    let shown = |segment: &Segment| segment.label.as_deref().unwrap_or(&segment.name).to_owned();
    let at = change.effective_at;
    if let Some((from, since)) = change.from.map(declared).zip(change.from_since)
        && let Some(least) = from.min_stay.filter(|least| *least > Span(0) && since + *least == at)
    {
        return format!(", after the least stay of {} in {}", duration(least), shown(from));
    }
    if let Some(to) = change.to
        && judge::cooldown_end(view, terms, (change.dimension, to), declared(to)) == Some(at)
    {
        let cooldown = declared(to).cooldown.unwrap_or_default();
        return format!(", {} after leaving {}", duration(cooldown), shown(declared(to)));
    }
    String::new()
}
