//! What the shop's customers do in a simulated minute, and what an engine that never failed says of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use dormouse::config::rules;
use dormouse::engine::{Change, Progress, Shard};
use dormouse::event::{Decoder, Format, Instant, Span};
use dormouse::pipeline::Placement;
use dormouse::rules::Plan;

pub const INPUTS: [&str; 2] = ["purchases", "behaviour"];
pub const GRACE: Span = Span(500);
pub const MAX_SKEW: Span = Span(1_000);

/// Windows of seconds, so that a minute is a lifetime.
const RULES: &str = r#"
timezone = "UTC"
currency = "EUR"

[kind.purchase]
dedup_window = "10s"

[[dimension]]
name = "activity"

[[dimension.segment]]
name = "new"
when = 'purchase.count() == 1 && purchase.since_first() < duration("3s")'

[[dimension.segment]]
name = "active"
when = 'purchase.count("6s") >= 2'
stay = 'purchase.count("8s") >= 1'
cooldown = "2s"

[[dimension.segment]]
name = "dormant"
when = 'purchase.count() >= 1 && purchase.since_last() > duration("5s")'

[[dimension]]
name = "interest"

[[dimension.segment]]
name = "curious"
when = 'browse.count("4s") >= 2'
min_stay = "1s"

[[dimension]]
name = "care"

[[dimension.segment]]
name = "wake"
when = 'segment.activity == "dormant" && segment.activity.age() >= duration("2s")'

[[dimension.segment]]
name = "greet"
when = 'segment.interest == "curious" && purchase.sum("20s") > 50'
"#;

pub fn plan() -> Arc<Plan> {
    load(RULES)
}

/// Rules that somebody else has: another version, which says other things of the same customers.
pub fn other_plan() -> Arc<Plan> {
    load(&RULES.replace("duration(\"5s\")", "duration(\"3s\")"))
}

fn load(text: &str) -> Arc<Plan> {
    match rules::load_text("simulation.toml", text) {
        Ok(loaded) => Arc::new(loaded.plan),
        Err(errors) => panic!("the rules of the simulation are wrong: {errors:?}"),
    }
}

/// A record as it was appended.
#[derive(Debug, Clone)]
pub struct Fed {
    pub input: usize,
    pub partition: i32,
    pub customer: String,
    pub at_ms: i64,
    pub value: Vec<u8>,
    pub is_good: bool,
}

/// Draws what happens next.
pub struct Shop {
    pub rng: fastrand::Rng,
    pub n_customers: u32,
    pub n_partitions: usize,
    n_events: u64,
    /// The last good event, which may be sent again.
    last: Option<Fed>,
}

impl Shop {
    pub fn new(seed: u64, n_partitions: usize) -> Shop {
        let mut rng = fastrand::Rng::with_seed(seed);
        let n_customers = if rng.u8(0..3) == 0 { rng.u32(8..40) } else { rng.u32(1..8) };
        Shop { rng, n_customers, n_partitions, n_events: 0, last: None }
    }

    /// One record at this moment of the wall clock. No two have the same, so that nobody's order is a matter of taste.
    pub fn next(&mut self, at_ms: i64) -> Fed {
        if self.rng.u8(0..12) == 0
            && let Some(last) = self.last.clone().filter(|last| at_ms - last.at_ms < 3_000)
        {
            return last;
        }
        self.n_events += 1;
        let customer = format!("c-{}", self.rng.u32(0..self.n_customers));
        let partition =
            Placement::Murmur2.partition(customer.as_bytes(), self.n_partitions).expect("murmur2 places all");
        let (input, kind) = if self.rng.bool() { (0, "purchase") } else { (1, "browse") };
        let amount = if kind == "purchase" { format!(",\"amount\":{}", self.rng.u8(1..40)) } else { String::new() };
        let (is_good, time_ms) = match self.rng.u8(0..20) {
            0 => (false, at_ms),
            // From a future that this clock will see.
            1 => (false, at_ms + MAX_SKEW.0 + self.rng.i64(1..3_000)),
            _ => (true, at_ms),
        };
        let number = self.n_events;
        let value = match is_good || time_ms > at_ms {
            true => format!(
                "{{\"event_id\":\"e{number}\",\"kind\":\"{kind}\",\"customer_id\":\"{customer}\",\"time\":{time_ms}{amount}}}"
            ),
            false => format!("{{\"kind\":\"{kind}\",\"customer_id\":\"{customer}\",\"number\":{number}"),
        };
        let fed = Fed { input, partition, customer, at_ms, value: value.into_bytes(), is_good };
        if is_good {
            self.last = Some(fed.clone());
        }
        fed
    }
}

/// A change as it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub sequence: u64,
    pub dimension: String,
    pub from: Option<String>,
    pub to: Option<String>,
    pub effective_at: String,
    pub cause: String,
}

/// The changes of every customer up to an instant, when nothing ever goes wrong.
pub fn expected(plan: &Arc<Plan>, fed: &[Fed], n_partitions: usize, until: Instant) -> BTreeMap<String, Vec<Told>> {
    let decoder = Decoder::new(&plan.schema);
    let mut shards: Vec<Shard> = (0..n_partitions).map(|_| Shard::new(Arc::clone(plan))).collect();
    let mut changes = Vec::new();
    for record in fed.iter().filter(|record| record.is_good) {
        let event = decoder.decode(Format::Json, &record.value, None).expect("good records are good");
        let clock = event.time - GRACE;
        shards[record.partition as usize].apply(&event, clock, &mut changes);
    }
    for shard in &mut shards {
        while shard.advance(until, usize::MAX, &mut changes) == Progress::More {}
    }
    let mut told: BTreeMap<String, Vec<Told>> = BTreeMap::new();
    for change in changes {
        told.entry(change.customer.to_string()).or_default().push(of(plan, &change));
    }
    for of_customer in told.values_mut() {
        of_customer.sort_by_key(|change| change.sequence);
    }
    told
}

fn of(plan: &Plan, change: &Change) -> Told {
    let name = |segment: Option<_>| segment.map(|id| plan.segment_name(change.dimension, Some(id)).to_owned());
    let mut effective_at = Vec::new();
    change.effective_at.append_to(&mut effective_at);
    Told {
        sequence: change.sequence,
        dimension: plan.dimension(change.dimension).name.to_string(),
        from: name(change.from),
        to: name(change.to),
        effective_at: String::from_utf8(effective_at).expect("an instant is text"),
        cause: change.cause.name().to_owned(),
    }
}
