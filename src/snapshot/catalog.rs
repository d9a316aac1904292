//! Which snapshots of a shard there are, and which may go.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::error::Error;
use super::manifest::Manifest;
use super::name::Name;
use super::store::Store;

/// So many are kept for each shard.
const KEPT: usize = 2;

/// A shard's snapshots.
#[derive(Debug, Default)]
pub struct Catalog {
    /// Whose parts are all there in their sizes; the newest first.
    pub whole: Vec<Manifest>,
    pub unusable: Vec<Unusable>,
    /// Parts that belong to no manifest.
    orphans: BTreeMap<Name, Vec<String>>,
}

/// One that cannot be read, and why.
#[derive(Debug)]
pub struct Unusable {
    pub name: Name,
    pub why: Error,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "snapshot {} cannot be used: {}", self.name, self.why)
    }
}

/// Reads all manifests of a shard and looks whether their parts are there. Parts are not opened.
pub fn look(store: &Store, shard: i32) -> Result<Catalog, Error> {
    let listed = store.list(&Name::folder(shard))?;
    let sizes: BTreeMap<&str, u64> = listed.iter().map(|(object, size)| (object.as_str(), *size)).collect();
    let mut catalog = Catalog::default();
    let mut named = BTreeSet::new();
    for (object, _) in &listed {
        match Name::parse(object) {
            Some((name, true)) => drop(named.insert(name)),
            Some((name, false)) => catalog.orphans.entry(name).or_default().push(object.clone()),
            None => {}
        }
    }
    for name in named.into_iter().rev() {
        catalog.orphans.remove(&name);
        let read = store.read(&name.manifest()).and_then(|bytes| Manifest::decode(&name, &bytes));
        match read.and_then(|manifest| check_parts(&manifest, &sizes).map(|()| manifest)) {
            Ok(manifest) => catalog.whole.push(manifest),
            // Deleted since it was listed, by who has a newer one.
            Err(Error::Missing { object }) if object == name.manifest() => {}
            Err(why) => catalog.unusable.push(Unusable { name, why }),
        }
    }
    Ok(catalog)
}

fn check_parts(manifest: &Manifest, sizes: &BTreeMap<&str, u64>) -> Result<(), Error> {
    let name = manifest.name();
    for (number, part) in manifest.parts.iter().enumerate() {
        let object = name.part(number);
        match sizes.get(object.as_str()) {
            None => return Err(Error::Missing { object }),
            Some(size) if *size != part.n_bytes => {
                let damage = format!("it has {size} bytes of {}", part.n_bytes);
                return Err(Error::damaged(&object, damage));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// After a snapshot was published: deletes what is older than the two newest that could be used, and parts of older ones
/// that were never finished. The one that is kept beside the newest is read first: it must be whole, byte by byte, before
/// the one behind it goes. Other lineages are left alone. Says how many snapshots went.
pub fn prune(store: &Store, newest: &Manifest) -> Result<usize, Error> {
    let Catalog { whole, orphans, .. } = look(store, newest.shard)?;
    let is_ours = |manifest: &Manifest| manifest.lineage == newest.lineage && manifest.epoch <= newest.epoch;
    let is_like = |manifest: &Manifest| manifest.rules == newest.rules && manifest.layout == newest.layout;
    let mut kept = vec![newest.name()];
    let is_older = |one: &Manifest| one.name() < newest.name();
    for one in whole.iter().filter(|one| is_ours(one) && is_like(one) && is_older(one)) {
        if kept.len() < KEPT && is_intact(store, one)? {
            kept.push(one.name());
        }
    }
    let Some(oldest) = kept.get(KEPT - 1) else { return Ok(0) };
    let mut n_deleted = 0;
    for manifest in whole.iter().filter(|one| is_ours(one) && one.name() < *oldest) {
        delete(store, manifest)?;
        n_deleted += 1;
    }
    for object in orphans.iter().filter(|(name, _)| name.epoch < oldest.epoch).flat_map(|(_, objects)| objects) {
        store.delete(object)?;
    }
    Ok(n_deleted)
}

/// Reads all parts; what is damaged is said.
fn is_intact(store: &Store, manifest: &Manifest) -> Result<bool, Error> {
    let name = manifest.name();
    for (number, part) in manifest.parts.iter().enumerate() {
        let object = name.part(number);
        match store.read(&object).and_then(|bytes| part.check(&object, &bytes)) {
            Ok(()) => {}
            Err(why @ (Error::Damaged { .. } | Error::Missing { .. })) => {
                tracing::warn!("{}; an older one is kept instead", Unusable { name, why });
                return Ok(false);
            }
            Err(other) => return Err(other),
        }
    }
    Ok(true)
}

/// The manifest first: what is half deleted is none.
fn delete(store: &Store, manifest: &Manifest) -> Result<(), Error> {
    let name = manifest.name();
    store.delete(&name.manifest())?;
    (0..manifest.parts.len()).try_for_each(|number| store.delete(&name.part(number)))
}
