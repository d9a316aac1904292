//! Snapshots in a folder: they come back as they were, whatever is wrong with one is noticed, two writers do not spoil each
//! other's, and the two newest that can be used stay.

mod generate;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dormouse::config::rules;
use dormouse::engine::{Shard, layout};
use dormouse::event::{Decoder, Format, Instant, Span};
use dormouse::rules::Plan;
use dormouse::snapshot::{Catalog, Error, Head, Manifest, Store, Watch, Writing, load, look, prune};
use testbed::s3::Server;

/// A place, and a shard to keep there.
struct Place {
    /// Empty for a store that is elsewhere.
    folder: tempfile::TempDir,
    store: Store,
    plan: Arc<Plan>,
    shard: Shard,
}

struct Patient;

impl Watch for Patient {
    fn is_cancelled(&self) -> bool {
        false
    }

    fn loaded(&mut self, _: u64) {}
}

fn place() -> Place {
    place_of(4)
}

fn place_of(seed: u64) -> Place {
    let case = generate::case(seed);
    let plan = Arc::new(rules::load_text("segments.toml", &case.rules).expect("generated rules are right").plan);
    let decoder = Decoder::new(&plan.schema);
    let (mut shard, mut changes) = (Shard::new(plan.clone()), Vec::new());
    let mut latest = Instant(i64::MIN);
    for line in case.files.iter().flat_map(|file| file.lines()) {
        let Ok(event) = decoder.decode(Format::Json, line.as_bytes(), None) else { continue };
        if case.until.is_none_or(|until| event.time.0 <= until) {
            latest = latest.max(event.time);
            shard.apply(&event, latest - Span(case.grace), &mut changes);
        }
    }
    assert!(shard.n_customers() > 0);
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("file://{}/deeper", folder.path().display());
    let store = Store::open(&url, "the group", []).expect("a folder can be opened");
    Place { folder, store, plan, shard }
}

/// A place in a bucket of its own.
fn place_in_bucket(bucket: &str) -> Place {
    let server = Server::shared();
    server.create_bucket(bucket);
    let store = Store::open(&format!("s3://{bucket}/some/where"), "the group", server.environment());
    Place { store: store.expect("it is a bucket"), ..place() }
}

impl Place {
    /// Writes a snapshot, but for its manifest.
    fn written(&mut self, lineage: &str, epoch: u64, token: &str) -> Result<Writing, Error> {
        let head = Head {
            shard: 3,
            lineage: lineage.to_owned(),
            epoch,
            token: token.to_owned(),
            rules: self.plan.version.to_string(),
            layout: layout(&self.plan),
            next: BTreeMap::from([("orders".to_owned(), 40)]),
            standing_at: 5,
            taken_at: 1_700_000_000_000,
            cut: self.shard.begin_export(),
        };
        let mut writing = Writing::begin(&self.store, head);
        while let Some(packet) = self.shard.next_packet(100) {
            writing.add(&packet)?;
        }
        writing.finish()?;
        Ok(writing)
    }

    fn publish(&mut self, lineage: &str, epoch: u64) -> Manifest {
        let token = format!("{lineage}{epoch}");
        self.written(lineage, epoch, &token).and_then(Writing::publish).expect("nothing is in the way")
    }

    fn look(&self) -> Catalog {
        look(&self.store, 3).expect("the folder can be read")
    }

    fn load(&self, manifest: &Manifest) -> Result<Shard, Error> {
        load(&self.store, manifest, &self.plan, &mut Patient)
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        files_under(self.folder.path(), &mut found);
        found.sort();
        found
    }
}

fn files_under(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files_under(&path, found) } else { found.push(path) }
    }
}

fn epochs(catalog: &Catalog) -> Vec<u64> {
    catalog.whole.iter().map(|manifest| manifest.epoch).collect()
}

#[test]
fn a_snapshot_comes_back_as_it_was() {
    let n_changes: usize = (0..8).map(comes_back).sum();
    assert!(n_changes > 0, "time alone changes something");
}

/// Keeps a shard, brings it back, and lets all time pass for both: how many changes that makes.
fn comes_back(seed: u64) -> usize {
    let mut place = place_of(seed);
    let manifest = place.publish("a", 7);
    let catalog = place.look();
    assert_eq!((&catalog.whole, catalog.unusable.len()), (&vec![manifest.clone()], 0));
    let mut back = place.load(&manifest).expect("it is whole");
    assert_eq!(back.n_customers(), place.shard.n_customers());
    assert_eq!((back.clock(), back.sizes()), (place.shard.clock(), place.shard.sizes()));
    let end = back.clock() + Span(4_000 * 86_400_000);
    let (mut before, mut after) = (Vec::new(), Vec::new());
    place.shard.advance(end, usize::MAX, &mut before);
    back.advance(end, usize::MAX, &mut after);
    assert_eq!(before, after);
    before.len()
}

#[test]
fn a_cut_at_every_byte_of_every_object_is_noticed() {
    let mut place = place();
    let manifest = place.publish("a", 7);
    for file in place.files() {
        let whole = fs::read(&file).expect("it can be read");
        for n in 0..whole.len() {
            fs::write(&file, &whole[..n]).expect("it can be written");
            let catalog = place.look();
            assert!(catalog.whole.is_empty(), "{} cut at {n}", file.display());
            assert_eq!(catalog.unusable.len(), 1, "{} cut at {n}", file.display());
            if !file.to_string_lossy().ends_with(".manifest") {
                let error = place.load(&manifest).expect_err("a part is cut").to_string();
                assert!(error.contains("part-00000 is damaged: it has"), "{error}");
            }
        }
        fs::write(&file, &whole).expect("it can be written");
    }
    assert_eq!(place.look().whole.len(), 1);
}

#[test]
fn every_flipped_bit_of_a_part_is_noticed_when_it_is_loaded() {
    let mut place = place();
    let manifest = place.publish("a", 7);
    let file = place.files().into_iter().find(|file| file.ends_with("part-00000")).expect("there is a part");
    let whole = fs::read(&file).expect("it can be read");
    // Every bit in the beginning, then one here and there.
    let bits = (0..400).chain((400..whole.len() * 8).step_by(131));
    for bit in bits {
        let mut damaged = whole.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        fs::write(&file, &damaged).expect("it can be written");
        let error = place.load(&manifest).expect_err("a bit is another").to_string();
        assert!(error.contains("its checksum is not the one that the manifest says"), "bit {bit}: {error}");
    }
    fs::remove_file(&file).expect("it can be removed");
    let Catalog { whole, unusable, .. } = place.look();
    assert!(whole.is_empty());
    assert!(unusable[0].to_string().ends_with("part-00000 is not there"), "{}", unusable[0]);
    assert!(matches!(place.load(&manifest), Err(Error::Missing { .. })));
}

#[test]
fn a_part_of_another_snapshot_is_not_taken_for_ones_own() {
    let mut place = place();
    let first = place.publish("a", 7);
    let customer = r#"{"kind":"purchase","customer_id":"zz","time":1900000000000,"amount":"1"}"#;
    let decoder = Decoder::new(&place.plan.schema);
    let event = decoder.decode(Format::Json, customer.as_bytes(), None).expect("it is an event");
    place.shard.apply(&event, place.shard.clock(), &mut Vec::new());
    place.publish("a", 8);
    let parts: Vec<PathBuf> = place.files().into_iter().filter(|file| file.ends_with("part-00000")).collect();
    fs::copy(&parts[1], &parts[0]).expect("it can be copied");
    assert!(place.load(&first).is_err());
}

#[test]
fn of_two_writers_the_second_changes_nothing() {
    let mut place = place();
    let first = place.written("a", 7, "t").expect("nothing is in the way");
    let second = place.written("a", 7, "t").err().expect("a part is there already").to_string();
    assert!(second.ends_with("part-00000 is there already: somebody else has written it"), "{second}");
    let manifest = first.publish().expect("nothing is in the way");
    assert!(place.load(&manifest).is_ok());
    // Another token is another snapshot.
    place.written("a", 7, "u").and_then(Writing::publish).expect("nothing is in the way");
    assert_eq!(epochs(&place.look()), [7, 7]);
}

#[test]
fn without_its_manifest_there_is_no_snapshot_and_what_is_given_up_is_deleted() {
    let mut place = place();
    let writing = place.written("a", 7, "t").expect("nothing is in the way");
    assert!(place.look().whole.is_empty());
    assert!(!place.files().is_empty());
    writing.discard().expect("it can be deleted");
    assert_eq!(place.files(), Vec::<PathBuf>::new());
}

#[test]
fn the_two_newest_that_can_be_used_stay_and_older_ones_go() {
    let mut place = place();
    for epoch in [1, 2, 3] {
        place.publish("a", epoch);
    }
    // Of another history, of a future of ours, and one that was never finished.
    place.publish("other", 1);
    place.publish("a", 9);
    place.written("a", 2, "unfinished").expect("nothing is in the way");
    let newest = place.publish("a", 4);
    assert_eq!(prune(&place.store, &newest).expect("the folder can be written"), 2);
    let mut left: Vec<(String, u64)> =
        place.look().whole.into_iter().map(|manifest| (manifest.lineage, manifest.epoch)).collect();
    left.sort();
    let expected = [("a", 3), ("a", 4), ("a", 9), ("other", 1)];
    assert_eq!(left, expected.map(|(lineage, epoch)| (lineage.to_owned(), epoch)));
    assert!(!place.files().iter().any(|file| file.to_string_lossy().contains("unfinished")));

    // One that is broken does not count as one of the two: neither one with another bit, nor one without a part.
    let bit = place.files().into_iter().find(|file| file.to_string_lossy().contains("04-a4/part-00000"));
    let bit = bit.expect("it has a part");
    let whole = fs::read(&bit).expect("it can be read");
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    fs::write(&bit, damaged).expect("it can be written");
    let newest = place.publish("a", 5);
    assert_eq!(prune(&place.store, &newest).expect("the folder can be written"), 0);
    assert!(epochs(&place.look()).contains(&3));
    fs::write(&bit, whole).expect("it can be written");
    let broken = place.files().into_iter().find(|file| file.to_string_lossy().contains("04-a4/part-00000"));
    fs::remove_file(broken.expect("it has a part")).expect("it can be removed");
    assert_eq!(prune(&place.store, &newest).expect("the folder can be written"), 0);
    assert!(epochs(&place.look()).contains(&3));
}

#[test]
fn a_bucket_serves_as_a_folder_does() {
    let mut place = place_in_bucket("serves");
    let first = place.publish("a", 7);
    let back = place.load(&first).expect("it is whole");
    assert_eq!((back.clock(), back.sizes()), (place.shard.clock(), place.shard.sizes()));
    // Two writers.
    let writing = place.written("a", 8, "t").expect("nothing is in the way");
    let second = place.written("a", 8, "t").err().expect("a part is there already");
    assert!(matches!(second, Error::Exists { .. }), "{second}");
    assert_eq!(epochs(&place.look()), [7]);
    writing.publish().expect("nothing is in the way");
    // The oldest of three goes, and what was never finished with it.
    place.written("a", 6, "unfinished").expect("nothing is in the way");
    let third = place.publish("a", 9);
    assert_eq!(prune(&place.store, &third).expect("the bucket can be written"), 1);
    assert_eq!(epochs(&place.look()), [9, 8]);
    let objects = place.store.list("shard-00003").expect("the bucket can be listed");
    assert_eq!(objects.len(), 4, "{objects:?}");
    // Gone behind our back.
    Server::shared().delete("serves", &format!("some/where/the%20group/{}", third.name().part(0)));
    let Catalog { whole, unusable, .. } = place.look();
    assert_eq!((whole.len(), unusable.len()), (1, 1));
    assert!(unusable[0].to_string().ends_with("part-00000 is not there"), "{}", unusable[0]);
}

#[test]
fn a_bucket_that_does_not_answer_is_an_error_and_not_an_empty_place() {
    let server = Server::shared();
    let store = Store::open("s3://nobody-made-it/x", "g", server.environment()).expect("it is a bucket's name");
    let error = look(&store, 3).expect_err("there is no such bucket").to_string();
    assert!(error.starts_with("shard-00003: "), "{error}");
}

#[test]
fn a_place_that_cannot_be_is_refused_with_its_name() {
    for url in ["nowhere", "ftp://a/b", "file://host/path"] {
        let error = Store::open(url, "g", []).expect_err("it is none").to_string();
        assert!(error.starts_with(&format!("`{url}` cannot hold snapshots: ")), "{error}");
    }
    // What the keys of clouds are is not asked before something is read; that TLS can be spoken is.
    assert!(Store::open("gs://bucket/prefix", "g", []).is_ok());
}
