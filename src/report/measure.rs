//! From a history to a report: counts every customer in every dimension, then says what the counts mean.
//!
//! What always holds: the report depends on the history, the rules and the period alone.

use std::collections::BTreeMap;

use super::attraction;
use super::bought::Bought;
use super::history::History;
use super::journal::Customer;
use super::model::{
    Buying, Cell, Dimension, Dwell, Finding, Flaps, Flow, HistoryFacts, Length, Money, Overlap, Report, SHAPE, Sample,
    Segment, Share, Time,
};
use super::period::Period;
use super::tally::{Against, Slot, SlotTally, Tally, Timeline};
use super::verdict::{self, Known};
use crate::event::{Instant, Span};
use crate::rules::plan::{DimensionId, Plan, SegmentId};

/// How being in no segment is written.
pub const NONE: &str = "none";

/// Leavings are counted in so much time.
pub const FLOW_TIME: Span = Span(30 * Span::DAY.0);

/// What those count who were not customers' events.
#[derive(Debug, Clone, Copy, Default)]
pub struct Read {
    pub n_events: u64,
    pub n_duplicates: u64,
    pub n_rejects: u64,
    pub n_not_read: u64,
    pub n_changes: u64,
}

/// Measures a history over a period; `every` is the step of its samples.
pub fn measure(history: &History, period: &Period, every: Span, read: Read) -> Report {
    let watch = &*history.watch;
    let plan = &*watch.plan;
    let mut counts = Counts::new(history, period);
    history.customers.iter().for_each(|customer| counts.add(customer));
    counts.tallies.iter_mut().for_each(Tally::finish);
    let known = Known::new(history);
    let dimensions: Vec<Dimension> =
        (0..plan.dimensions.len()).map(|index| counts.dimension(DimensionId(index as u8), &known)).collect();
    let settings = &watch.settings;
    Report {
        report: SHAPE,
        rules_version: plan.version.to_string(),
        currency: plan.schema.currency.to_string(),
        timezone: plan.zone.iana_name().unwrap_or("UTC").to_owned(),
        period: super::model::Period {
            from: period.from.map(Time),
            first_event: (!history.customers.is_empty()).then(|| Time(history.first())),
            until: Time(period.end),
            every: Length(every),
            value_window: Length(settings.value_window),
            growth_window: Length(settings.growth_window),
            flap_window: Length(settings.flap_window),
        },
        history: HistoryFacts {
            events: read.n_events,
            duplicates: read.n_duplicates,
            rejects: read.n_rejects,
            not_read: read.n_not_read,
            customers: history.customers.len() as u64,
            changes: read.n_changes,
        },
        value: Money(counts.value),
        findings: dimensions.iter().flat_map(findings).collect(),
        dimensions,
        overlaps: counts.overlaps(),
        comparison: None,
    }
}

/// Names of a dimension's slots: none in front.
pub fn slot_names(plan: &Plan, dimension: usize) -> Vec<&str> {
    let segments = plan.dimensions[dimension].segments.iter().map(|segment| &*segment.name);
    std::iter::once(NONE).chain(segments).collect()
}

pub fn slot_of(segment: Option<SegmentId>) -> Slot {
    segment.map_or(0, |segment| usize::from(segment.0) + 1)
}

/// Everything that is counted while customers go by.
struct Counts<'h> {
    history: &'h History,
    period: &'h Period,
    tallies: Vec<Tally>,
    /// `[dimension][slot]`: of those who are there at the end.
    bought: Vec<Vec<Bought>>,
    /// `[first dimension, second dimension]` with `[slot][slot]`.
    overlaps: BTreeMap<(usize, usize), Vec<Vec<u64>>>,
    value: i128,
    /// By dimension, of the customer at hand.
    moves: Vec<Vec<(Instant, Slot)>>,
}

impl<'h> Counts<'h> {
    fn new(history: &'h History, period: &'h Period) -> Counts<'h> {
        let plan = &history.watch.plan;
        let n_slots: Vec<usize> = plan.dimensions.iter().map(|dimension| dimension.segments.len() + 1).collect();
        let pairs = (0..n_slots.len()).flat_map(|one| (one + 1..n_slots.len()).map(move |other| (one, other)));
        Counts {
            history,
            period,
            tallies: n_slots.iter().map(|n| Tally::new(*n, period.samples.len())).collect(),
            bought: n_slots.iter().map(|n| (0..*n).map(|_| Bought::new(history)).collect()).collect(),
            overlaps: pairs.map(|(one, other)| ((one, other), vec![vec![0; n_slots[other]]; n_slots[one]])).collect(),
            value: 0,
            moves: vec![Vec::new(); n_slots.len()],
        }
    }

    fn add(&mut self, customer: &Customer) {
        let settings = &self.history.watch.settings;
        let against =
            Against { period: self.period, growth_window: settings.growth_window, flap_window: settings.flap_window };
        self.moves.iter_mut().for_each(Vec::clear);
        for one in customer.moves.iter() {
            self.moves[usize::from(one.dimension.0)].push((one.at, slot_of(one.to)));
        }
        let value = customer.value(self.period.end, settings.value_window);
        self.value += value;
        let mut slots = Vec::with_capacity(self.moves.len());
        for (dimension, moves) in self.moves.iter().enumerate() {
            let timeline = Timeline { first: customer.first, moves };
            self.tallies[dimension].add(timeline, against);
            let slot = timeline.last();
            self.bought[dimension][slot].add(customer, value, &self.history.watch);
            slots.push(slot);
        }
        for ((one, other), cells) in &mut self.overlaps {
            cells[slots[*one]][slots[*other]] += 1;
        }
    }

    fn dimension(&self, id: DimensionId, known: &Known<'_>) -> Dimension {
        let plan = &self.history.watch.plan;
        let index = usize::from(id.0);
        let (tally, names) = (&self.tallies[index], slot_names(plan, index));
        let order: Vec<Slot> = (1..names.len()).chain([0]).collect();
        let mut segments: Vec<Segment> = order.iter().map(|slot| self.segment(index, *slot)).collect();
        attraction::rank(&mut segments, &self.history.watch.settings.weights);
        for (segment, (slot, needs)) in segments.iter_mut().zip((1..).zip(&self.history.watch.needs[index])) {
            let bought = &self.bought[index][slot];
            segment.tests = Some(verdict::judge(segment, needs, bought, known, &self.history.watch));
        }
        let named =
            |sizes: &[i64]| names.iter().zip(sizes).map(|(name, size)| ((*name).to_owned(), *size as u64)).collect();
        let series = self.period.samples.iter().zip(&tally.sizes).map(|(at, sizes)| Sample {
            at: Time(*at),
            customers: sizes.iter().sum::<i64>() as u64,
            sizes: named(sizes),
        });
        let flows = order.iter().flat_map(|from| order.iter().map(move |to| (*from, *to)));
        let flows = flows.map(|(from, to)| (from, to, tally.flows[from][to])).filter(|(_, _, flow)| flow.n_moves > 0);
        Dimension {
            name: plan.dimensions[index].name.to_string(),
            sizes: segments.iter().map(|segment| (segment.name.clone(), segment.size)).collect(),
            series: series.collect(),
            flows: flows
                .map(|(from, to, flow)| Flow {
                    from: names[from].to_owned(),
                    to: names[to].to_owned(),
                    moves: flow.n_moves,
                    customers: flow.n_customers,
                })
                .collect(),
            segments,
        }
    }

    fn segment(&self, dimension: usize, slot: Slot) -> Segment {
        let plan = &self.history.watch.plan;
        let declared = slot.checked_sub(1).map(|index| &plan.dimensions[dimension].segments[index]);
        let (tally, bought) = (&self.tallies[dimension].slots[slot], &self.bought[dimension][slot]);
        let n_customers = self.history.customers.len() as i128;
        let text = |text: &Option<Box<str>>| text.as_ref().map(|text| text.to_string());
        let span_ms = i128::from(self.period.part(self.history.first(), Instant::NEVER).0);
        let size = i128::from(tally.size);
        Segment {
            name: slot_names(plan, dimension)[slot].to_owned(),
            label: declared.and_then(|segment| text(&segment.label)),
            action: declared.and_then(|segment| text(&segment.action)),
            size: tally.size,
            share: Share::of(size, n_customers).unwrap_or(Share(0.0)),
            value: Money(bought.value),
            value_share: Share::of(bought.value, self.value),
            value_per_customer: bought.value.checked_div(size).map(Money),
            size_before: tally.size_before,
            growth: Share::of(size - i128::from(tally.size_before), i128::from(tally.size_before)),
            entered: tally.n_entered,
            left: tally.n_left,
            size_mean: Share::of(tally.time_ms, span_ms),
            flow: Share::of(i128::from(tally.n_left) * i128::from(FLOW_TIME.0), tally.time_ms),
            dwell: dwell(tally),
            flaps: Flaps {
                flaps: tally.n_flaps,
                left_observed: tally.n_left_observed,
                flaps_observed: tally.n_flaps_observed,
                rate: Share::of(i128::from(tally.n_flaps_observed), i128::from(tally.n_left_observed)),
            },
            buying: Buying {
                buyers: bought.n_buyers,
                orders: bought.n_orders,
                refunds: bought.n_refunds,
                paid: Money(bought.paid),
                refunded: Money(bought.refunded),
                orders_per_buyer: Share::of(i128::from(bought.n_orders), i128::from(bought.n_buyers)),
                order_value: bought.paid.checked_div(i128::from(bought.n_orders)).map(Money),
            },
            regions: bought.regions(self.history, tally.size),
            habits: bought.habits(self.history, tally.size),
            attractiveness: None,
            tests: None,
        }
    }

    fn overlaps(&self) -> Vec<Overlap> {
        let plan = &self.history.watch.plan;
        let overlap = |((one, other), cells): (&(usize, usize), &Vec<Vec<u64>>)| {
            let (ones, others) = (slot_names(plan, *one), slot_names(plan, *other));
            let cell = |(first, second): (Slot, Slot)| Cell {
                segments: [ones[first].to_owned(), others[second].to_owned()],
                customers: cells[first][second],
            };
            let order = |n: usize| (1..n).chain([0]);
            let places = order(ones.len()).flat_map(|first| order(others.len()).map(move |second| (first, second)));
            Overlap {
                dimensions: [*one, *other].map(|index| plan.dimensions[index].name.to_string()),
                cells: places.map(cell).filter(|cell| cell.customers > 0).collect(),
            }
        };
        self.overlaps.iter().map(overlap).collect()
    }
}

fn dwell(tally: &SlotTally) -> Dwell {
    let quantiles = tally.stays.quantiles();
    Dwell {
        stays: tally.stays.n(),
        ended: tally.stays.n_ended(),
        median: quantiles.median.map(Length),
        p90: quantiles.p90.map(Length),
        median_of_ended: tally.stays.median_of_ended().map(Length),
    }
}

/// The tests that segments of a dimension fail.
fn findings(dimension: &Dimension) -> Vec<Finding> {
    let mut findings = Vec::new();
    for segment in &dimension.segments {
        for (test, verdict) in segment.tests.iter().flat_map(|tests| tests.named()) {
            if verdict.passes == Some(false) {
                findings.push(Finding {
                    dimension: dimension.name.clone(),
                    segment: segment.name.clone(),
                    test: test.to_owned(),
                    text: verdict.complaint(),
                });
            }
        }
    }
    findings
}
