//! What becomes of snapshots and of the input behind them in a simulated life.

use std::collections::BTreeMap;
use std::sync::Arc;

use dormouse::engine::{Shard, layout};
use dormouse::event::{Decoder, Format, Instant};
use dormouse::rules::Plan;
use dormouse::snapshot::{Head, Manifest, Objects, Store, Writing};

use super::broker::Broker;
use super::client::{Shelf, World};
use super::history::{GRACE, INPUTS, Shop};
use super::verdict::Seen;

/// What may happen to snapshots. The input is deleted only where no snapshot is damaged: what nobody has cannot come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// None are kept.
    Nothing,
    /// They are, and bits of them change, or they go.
    Damaged,
    /// They are, and what the newest of them covers is deleted from the inputs.
    Trimmed,
}

impl Keeping {
    pub fn draw(rng: &mut fastrand::Rng) -> Keeping {
        match rng.u8(0..6) {
            0 => Keeping::Nothing,
            1..=2 => Keeping::Damaged,
            _ => Keeping::Trimmed,
        }
    }
}

/// Deletes from the inputs what the newest snapshot of each shard covers.
pub fn trim(world: &World) {
    let shelf = world.shelf();
    let mut newest: BTreeMap<i32, &Manifest> = BTreeMap::new();
    for manifest in standing(&shelf) {
        let known = newest.entry(manifest.shard).or_insert(manifest);
        if known.epoch < manifest.epoch {
            *known = manifest;
        }
    }
    let mut broker = world.broker();
    for manifest in newest.into_values() {
        for (topic, next) in &manifest.next {
            if let Some(log) = broker.logs.get_mut(&(topic.clone(), manifest.shard)) {
                log.trim(*next);
            }
        }
    }
}

/// What was deleted from the inputs is in a snapshot that stands.
pub fn check_cover(shelf: &Shelf, broker: &Broker) -> Result<(), String> {
    for ((topic, shard), log) in broker.logs.iter().filter(|(_, log)| log.low() > 0) {
        let covers = |one: &Manifest| one.shard == *shard && one.next.get(topic).is_some_and(|next| *next >= log.low());
        if !standing(shelf).any(covers) {
            return Err(format!("{topic}/{shard} is deleted up to {}, and no snapshot covers that", log.low()));
        }
    }
    Ok(())
}

/// The manifests that are there.
fn standing(shelf: &Shelf) -> impl Iterator<Item = &Manifest> {
    shelf.published.iter().filter(|manifest| shelf.objects.contains_key(&manifest.name().manifest()))
}

/// Changes a bit of some object, cuts it, or takes it away.
pub fn damage(shelf: &mut Shelf, rng: &mut fastrand::Rng) {
    let Some(object) = rng.choice(shelf.objects.keys().cloned().collect::<Vec<_>>()) else { return };
    let Some(bytes) = shelf.objects.get_mut(&object).filter(|bytes| !bytes.is_empty()) else { return };
    let at = rng.usize(0..bytes.len());
    match rng.u8(0..4) {
        0..=1 => bytes[at] ^= 1 << rng.u8(0..8),
        2 => bytes.truncate(at),
        _ => drop(shelf.objects.remove(&object)),
    }
}

/// Every manifest that ever came is of an epoch that was committed.
pub fn check(shelf: &Shelf, seen: &Seen) -> Result<(), String> {
    let is_strange = |one: &&Manifest| !seen.tokens.contains(&(one.shard, one.token.clone()));
    let strange = shelf.published.iter().find(is_strange);
    strange.map_or(Ok(()), |one| Err(format!("snapshot {} is of an epoch that was never committed", one.name())))
}

const ELSEWHERE: &str = "elsewhere";

/// Puts a snapshot of another history there: as when topics are made anew and the folder is not.
pub fn plant(world: &Arc<World>, plan: &Arc<Plan>, rng: &mut fastrand::Rng) {
    let (decoder, mut changes) = (Decoder::new(&plan.schema), Vec::new());
    let mut shard = Shard::new(Arc::clone(plan));
    let mut shop = Shop::new(rng.u64(..), 1);
    let at_ms = world.epoch_ms - 5_000;
    for number in 0..20 {
        let fed = shop.next(at_ms + number * 100);
        if let Ok(event) = decoder.decode(Format::Json, &fed.value, None) {
            shard.apply(&event, event.time - GRACE, &mut changes);
        }
    }
    let token = ELSEWHERE.to_owned();
    let head = Head {
        shard: rng.i32(0..world.n_partitions as i32),
        lineage: ELSEWHERE.to_owned(),
        epoch: rng.u64(1..40),
        token,
        rules: plan.version.to_string(),
        layout: layout(plan),
        next: INPUTS.iter().map(|topic| ((*topic).to_owned(), rng.i64(0..4))).collect(),
        standing_at: 0,
        taken_at: Instant(at_ms).0,
        cut: shard.begin_export(),
    };
    let mut writing = Writing::begin(&Store::given(Arc::new(Planting(Arc::clone(world)))), head);
    while let Some(packet) = shard.next_packet(1 << 10) {
        writing.add(&packet).expect("there is room");
    }
    writing.finish().and_then(|()| writing.publish()).expect("nothing stands there yet");
    world.shelf().published.clear();
}

/// The shelf from beside it.
struct Planting(Arc<World>);

impl Objects for Planting {
    fn create(&self, object: &str, bytes: Vec<u8>) -> Result<(), dormouse::snapshot::Error> {
        assert!(self.0.shelf().create(object, bytes), "nothing stands there yet");
        Ok(())
    }

    fn read(&self, object: &str) -> Result<Vec<u8>, dormouse::snapshot::Error> {
        let found = self.0.shelf().objects.get(object).cloned();
        found.ok_or_else(|| dormouse::snapshot::Error::Missing { object: object.to_owned() })
    }

    fn list(&self, folder: &str) -> Result<Vec<(String, u64)>, dormouse::snapshot::Error> {
        Ok(self.0.shelf().list(folder))
    }

    fn delete(&self, object: &str) -> Result<(), dormouse::snapshot::Error> {
        self.0.shelf().objects.remove(object);
        Ok(())
    }
}
