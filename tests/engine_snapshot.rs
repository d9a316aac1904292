//! Snapshot and tail equal full replay: a shard that goes on while it is exported, and one that is built from the export,
//! folds the events up to a later moment, takes the standings that were published by then and is armed, say the same
//! ever after. Over generated rules and histories, for random cuts, moments and sizes of steps.

mod generate;

use std::collections::BTreeSet;
use std::sync::Arc;

use dormouse::config::rules;
use dormouse::engine::{Change, Cut, Import, Outcome, Packet, Progress, Section, Shard, layout};
use dormouse::event::{Decoder, Event, Format, Instant, Span};
use dormouse::rules::Plan;
use generate::{Case, case};

/// xorshift64*: enough to choose with.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize) % n.max(1)
    }
}

fn plan(text: &str) -> Arc<Plan> {
    Arc::new(rules::load_text("segments.toml", text).expect("generated rules are right").plan)
}

/// The history's events in the order of their files, with the clock after each.
fn events<'c>(case: &'c Case, decoder: &Decoder) -> Vec<(Event<'c>, Instant)> {
    let mut latest = Instant(i64::MIN);
    let lines = case.files.iter().flat_map(|file| file.lines());
    let decoded = lines.filter_map(|line| decoder.decode(Format::Json, line.as_bytes(), None).ok());
    let wanted = decoded.filter(|event| case.until.is_none_or(|until| event.time.0 <= until));
    wanted
        .map(|event| {
            latest = latest.max(event.time);
            (event, latest - Span(case.grace))
        })
        .collect()
}

/// A shard at work, and everything that it says.
struct Live {
    shard: Shard,
    changes: Vec<Change>,
    outcomes: Vec<Outcome>,
}

impl Live {
    fn new(shard: Shard) -> Live {
        Live { shard, changes: Vec::new(), outcomes: Vec::new() }
    }

    /// Applies an event, and now and then lets time pass for some of the others.
    fn take(&mut self, (event, clock): &(Event<'_>, Instant), chance: &mut Chance) {
        self.outcomes.push(self.shard.apply(event, *clock, &mut self.changes));
        if chance.below(3) == 0 {
            self.shard.advance(*clock, chance.below(4), &mut self.changes);
        }
    }

    /// Time passes until nobody can be due any more.
    fn finish(mut self, end: Instant) -> (Vec<Change>, Vec<Outcome>, Vec<Vec<u64>>) {
        while self.shard.advance(end, 100, &mut self.changes) == Progress::More {}
        self.changes.sort_by(|a, b| (&a.customer, a.sequence).cmp(&(&b.customer, b.sequence)));
        (self.changes, self.outcomes, self.shard.sizes())
    }
}

/// Everything of an export that is still to come.
fn rest(shard: &mut Shard, packets: &mut Vec<Packet>) {
    while let Some(packet) = shard.next_packet(700) {
        packets.push(packet);
    }
    assert!(!shard.is_exporting() && shard.export_bytes() == 0);
}

fn imported(plan: &Arc<Plan>, cut: &Cut, packets: &[Packet]) -> Shard {
    let mut import = Import::new(plan.clone(), cut.clone()).expect("it fits the rules");
    packets.iter().for_each(|packet| import.add(packet).expect("it fits"));
    import.finish().expect("all is there")
}

fn check(seed: u64) {
    let case = case(seed);
    let plan = plan(&case.rules);
    let decoder = Decoder::new(&plan.schema);
    let events = events(&case, &decoder);
    let mut chance = Chance(seed + 1);
    let end = Instant(events.iter().map(|(event, _)| event.time.0).max().unwrap_or(0)) + Span(4_000 * 86_400_000);
    let cut_at = chance.below(events.len() + 1);
    let committed_at = cut_at + chance.below(events.len() - cut_at + 1);

    let mut live = Live::new(Shard::new(plan.clone()));
    events[..cut_at].iter().for_each(|event| live.take(event, &mut chance));
    let cut = live.shard.begin_export();
    let n_before = live.changes.len();
    let mut packets = Vec::new();
    for event in &events[cut_at..committed_at] {
        if chance.below(2) == 0 {
            packets.extend(live.shard.next_packet(chance.below(400)));
        }
        live.take(event, &mut chance);
    }
    rest(&mut live.shard, &mut packets);
    let n_customers: u32 =
        packets.iter().filter(|packet| packet.section == Section::Customers).map(|packet| packet.n_items).sum();
    assert_eq!(u64::from(n_customers), cut.n_customers);

    let mut back = imported(&plan, &cut, &packets);
    assert_eq!((back.clock(), back.sizes()), (cut.clock, cut.sizes.clone()));
    if chance.below(4) == 0 {
        // As if the snapshot had no standings: then everyone's is published.
        back.forget_standings();
        let everyone: BTreeSet<&str> = live.changes.iter().map(|change| &*change.customer).collect();
        restore(&mut back, &live.shard, everyone);
    } else {
        let changed = live.changes[n_before..].iter().map(|change| &*change.customer).collect();
        restore(&mut back, &live.shard, changed);
    }
    for (event, clock) in &events[cut_at..committed_at] {
        back.fold(event, *clock);
    }
    let mut next = Some(0);
    while let Some(from) = next {
        next = back.arm_some(live.shard.clock(), from, 1 + chance.below(5));
    }
    assert_eq!(back.sizes(), live.shard.sizes(), "seed {seed}");
    assert_eq!(back.n_customers(), live.shard.n_customers());

    let mut back = Live::new(back);
    live.changes.clear();
    live.outcomes.clear();
    for event in &events[committed_at..] {
        live.take(event, &mut chance);
        back.take(event, &mut chance);
    }
    let (live, back) = (live.finish(end), back.finish(end));
    assert_eq!(live, back, "seed {seed}, cut at {cut_at}, committed at {committed_at} of {}", events.len());
}

fn restore(back: &mut Shard, live: &Shard, customers: BTreeSet<&str>) {
    for customer in customers {
        back.restore(customer, &live.standing(customer).expect("they changed"));
    }
}

#[test]
fn a_shard_from_its_snapshot_and_the_tail_says_what_the_shard_says() {
    (0..240).for_each(check);
}

#[test]
fn an_export_that_is_given_up_leaves_nothing_behind_and_another_begins_afresh() {
    let case = case(3);
    let plan = plan(&case.rules);
    let decoder = Decoder::new(&plan.schema);
    let events = events(&case, &decoder);
    let mut shard = Shard::new(plan.clone());
    let mut changes = Vec::new();
    let (first, second) = events.split_at(events.len() / 2);
    for (event, clock) in first {
        shard.apply(event, *clock, &mut changes);
    }
    shard.begin_export();
    assert!(shard.next_packet(1).is_some());
    shard.end_export();
    assert!(shard.next_packet(1).is_none());
    let clean = {
        shard.begin_export();
        let mut packets = Vec::new();
        for (event, clock) in second {
            shard.apply(event, *clock, &mut changes);
        }
        let cut = shard.begin_export();
        rest(&mut shard, &mut packets);
        imported(&plan, &cut, &packets)
    };
    assert_eq!(clean.sizes(), shard.sizes());
    for change in &changes {
        assert_eq!(clean.standing(&change.customer), shard.standing(&change.customer));
    }
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let case = case(3);
    let plan = plan(&case.rules);
    let decoder = Decoder::new(&plan.schema);
    let mut shard = Shard::new(plan.clone());
    let mut changes = Vec::new();
    for (event, clock) in events(&case, &decoder) {
        shard.apply(&event, clock, &mut changes);
    }
    let cut = shard.begin_export();
    let mut packets = Vec::new();
    rest(&mut shard, &mut packets);
    let outcome = |cut: &Cut, packets: &[Packet]| {
        let mut import = Import::new(plan.clone(), cut.clone()).map_err(|error| error.to_string())?;
        packets.iter().try_for_each(|packet| import.add(packet)).map_err(|error| error.to_string())?;
        import.finish().map(|shard| shard.n_customers()).map_err(|error| error.to_string())
    };
    assert_eq!(outcome(&cut, &packets), Ok(shard.n_customers()));
    let missing = outcome(&cut, &packets[..packets.len() - 1]).expect_err("some customers are missing");
    assert!(missing.contains("customers of"), "{missing}");
    let twice = outcome(&cut, &[packets.clone(), vec![packets[packets.len() - 1].clone()]].concat());
    assert!(twice.is_err());
    let mut short = packets.clone();
    short.last_mut().expect("there are some").bytes.pop();
    assert_eq!(outcome(&cut, &short), Err("a packet is shorter than its items".to_owned()));
    let mut long = packets.clone();
    long.last_mut().expect("there are some").bytes.push(0);
    assert_eq!(outcome(&cut, &long), Err("a packet is longer than its items".to_owned()));
    let mut sizes = cut.clone();
    sizes.sizes[0].push(0);
    assert!(outcome(&sizes, &packets).is_err());
}

/// Every byte may be as it was written, and customers be those of another moment than the cut.
#[test]
fn customers_who_do_not_stand_where_the_cut_says_are_refused() {
    let case = case(3);
    let plan = plan(&case.rules);
    let decoder = Decoder::new(&plan.schema);
    let mut shard = Shard::new(plan.clone());
    let mut changes = Vec::new();
    for (event, clock) in events(&case, &decoder) {
        shard.apply(&event, clock, &mut changes);
    }
    let mut cut = shard.begin_export();
    let mut packets = Vec::new();
    rest(&mut shard, &mut packets);
    let import = |cut: &Cut| {
        let mut import = Import::new(plan.clone(), cut.clone())?;
        packets.iter().try_for_each(|packet| import.add(packet))?;
        import.finish().map(|shard| shard.sizes())
    };
    assert_eq!(import(&cut), Ok(shard.sizes()));
    let sizes = &mut cut.sizes[0];
    let from = sizes.iter().position(|size| *size > 0).expect("somebody is somewhere");
    let to = (from + 1) % sizes.len();
    (sizes[from], sizes[to]) = (sizes[from] - 1, sizes[to] + 1);
    let refused = import(&cut).expect_err("nobody has moved").to_string();
    assert_eq!(refused, "its customers do not stand where the sizes of segments say");
}

#[test]
fn a_customer_whose_bytes_are_none_is_refused() {
    let plan = plan(&case(3).rules);
    let cut = Shard::new(plan.clone()).begin_export();
    let refused = |block: &[u8]| {
        let head = [&[0; 16][..], &(block.len() as u32).to_le_bytes()].concat();
        let packet = Packet { section: Section::Customers, n_items: 1, bytes: [&head, block].concat() };
        let mut import = Import::new(plan.clone(), cut.clone()).expect("it fits the rules");
        import.add(&packet).expect_err("nobody can be made of it").to_string()
    };
    for block in [&[][..], &[5, b'x'], &[1, b'x'], &[1, b'x', 0], &[0xff; 40]] {
        assert_eq!(refused(block), "a customer's block is cut", "{block:?}");
    }
    let places = vec![0xff; plan.dimensions.len()];
    let nowhere = [&[1, b'x', 0], &places[..]].concat();
    assert_eq!(refused(&nowhere), "a customer stands in a segment that the rules do not have");
}

#[test]
fn rules_that_keep_other_facts_have_another_layout() {
    let of = |text: &str| layout(&plan(text));
    let rules = |when: &str, more: &str| {
        format!("[[dimension]]\nname = \"d\"\n[[dimension.segment]]\nname = \"s\"\n{more}\nwhen = '{when}'\n")
    };
    let base = of(&rules("purchase.count(\"30d\") >= 1", ""));
    assert_eq!(base, of(&rules("purchase.count(\"30d\") >= 2", "label = \"S\"")));
    assert_ne!(base, of(&rules("purchase.count(\"40d\") >= 1", "")));
    assert_ne!(base, of(&rules("refund.count(\"30d\") >= 1", "")));
    assert_ne!(base, of(&rules("purchase.count(\"30d\") >= 1", "cooldown = \"1d\"")));
    assert_ne!(base, of(&rules("purchase.sum(\"30d\") >= 1", "")));
}
