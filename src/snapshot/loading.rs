//! Reads one snapshot back into a shard. Parts are fetched ahead, blocks opened on a thread of their own, customers put in
//! place on the caller's; where the store is somebody's own, all of it on the caller's.

use std::collections::VecDeque;
use std::sync::Arc;

use crossbeam_channel::bounded;

use super::block::Opener;
use super::error::Error;
use super::manifest::Manifest;
use super::store::{Store, Transfer};
use crate::engine::{Import, Misfit, Packet, Section, Shard};
use crate::rules::Plan;

/// Parts on their way.
const AHEAD: usize = 3;
/// Packets that were opened and wait.
const OPENED: usize = 8;

/// Who waits for a snapshot, and may stop to.
pub trait Watch {
    fn is_cancelled(&self) -> bool;
    /// Customers so far.
    fn loaded(&mut self, n_customers: u64);
}

/// Reads a snapshot whole; every byte is checked before it is believed.
pub fn load(store: &Store, manifest: &Manifest, plan: &Arc<Plan>, watch: &mut dyn Watch) -> Result<Shard, Error> {
    let mut filling = Filling::new(manifest, plan, watch)?;
    if store.is_given() {
        // On which thread its calls are made is not ours to choose.
        open_all(store, manifest, &mut Vec::new, &mut |packet| filling.take(&packet))?;
        return filling.finish();
    }
    let (packets, opened) = bounded(OPENED);
    let (used, free) = bounded::<Vec<u8>>(OPENED);
    std::thread::scope(|scope| {
        let opener = scope.spawn(move || {
            let mut buffer = || free.try_recv().unwrap_or_default();
            // Whoever takes them and stops has a reason of their own.
            open_all(store, manifest, &mut buffer, &mut |packet| packets.send(packet).map_err(|_| Error::Cancelled))
        });
        let taken = opened.iter().try_for_each(|packet| {
            filling.take(&packet)?;
            // A buffer that nobody takes is freed.
            drop(used.try_send(packet.bytes));
            Ok(())
        });
        drop((opened, used));
        let all_opened = opener.join().expect("the opener does not panic");
        taken.and(all_opened)?;
        filling.finish()
    })
}

/// A shard that is being filled from one snapshot.
struct Filling<'m> {
    manifest: &'m Manifest,
    import: Import,
    watch: &'m mut dyn Watch,
    n_customers: u64,
    n_fingerprints: u64,
}

impl<'m> Filling<'m> {
    fn new(manifest: &'m Manifest, plan: &Arc<Plan>, watch: &'m mut dyn Watch) -> Result<Filling<'m>, Error> {
        let import = Import::new(Arc::clone(plan), manifest.cut()).map_err(|misfit| misfits(manifest, &misfit))?;
        Ok(Filling { manifest, import, watch, n_customers: 0, n_fingerprints: 0 })
    }

    fn take(&mut self, packet: &Packet) -> Result<(), Error> {
        match packet.section {
            Section::Customers => self.n_customers += u64::from(packet.n_items),
            Section::Fingerprints => self.n_fingerprints += u64::from(packet.n_items),
            Section::Names => {}
        }
        self.watch.loaded(self.n_customers);
        self.import.add(packet).map_err(|misfit| misfits(self.manifest, &misfit))?;
        if self.watch.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }

    fn finish(self) -> Result<Shard, Error> {
        let (found, expected) = (self.n_fingerprints, self.manifest.n_fingerprints);
        if found != expected {
            let damage = format!("it has {found} fingerprints of {expected}");
            return Err(Error::damaged(&self.manifest.name().to_string(), damage));
        }
        self.import.finish().map_err(|misfit| misfits(self.manifest, &misfit))
    }
}

fn misfits(manifest: &Manifest, misfit: &Misfit) -> Error {
    Error::damaged(&manifest.name().to_string(), misfit.to_string())
}

/// Fetches, checks and opens all parts in their order.
fn open_all(
    store: &Store,
    manifest: &Manifest,
    buffer: &mut dyn FnMut() -> Vec<u8>,
    take: &mut dyn FnMut(Packet) -> Result<(), Error>,
) -> Result<(), Error> {
    let name = manifest.name();
    let mut ahead: VecDeque<Transfer<Vec<u8>>> = VecDeque::new();
    let mut started = 0;
    for (number, info) in manifest.parts.iter().enumerate() {
        while started < manifest.parts.len() && ahead.len() < AHEAD {
            ahead.push_back(store.start_read(&name.part(started)));
            started += 1;
        }
        let object = name.part(number);
        let bytes = store.wait(ahead.pop_front().expect("as many are on their way as parts are left"))?;
        info.check(&object, &bytes)?;
        let mut opener = Opener::new(&object, &bytes)?;
        let mut n_blocks = 0;
        while let Some(packet) = opener.next(buffer())? {
            n_blocks += 1;
            take(packet)?;
        }
        if n_blocks != info.n_blocks {
            return Err(Error::damaged(&object, format!("it has {n_blocks} blocks of {}", info.n_blocks)));
        }
    }
    Ok(())
}
