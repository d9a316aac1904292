//! Reads one snapshot back into a shard. Parts are fetched ahead, blocks opened on a thread of their own, customers put in
//! place on the caller's.

use std::collections::VecDeque;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};

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
    let name = manifest.name().to_string();
    let misfit = |misfit: Misfit| Error::damaged(&name, misfit.to_string());
    let mut import = Import::new(Arc::clone(plan), manifest.cut()).map_err(misfit)?;
    let (packets, opened) = bounded(OPENED);
    let (used, free) = bounded(OPENED);
    std::thread::scope(|scope| {
        let opener = scope.spawn(move || open_all(store, manifest, &packets, &free));
        let (mut n_customers, mut n_fingerprints, mut outcome) = (0, 0, Ok(()));
        for packet in &opened {
            match packet.section {
                Section::Customers => n_customers += u64::from(packet.n_items),
                Section::Fingerprints => n_fingerprints += u64::from(packet.n_items),
                Section::Names => {}
            }
            watch.loaded(n_customers);
            outcome = import.add(&packet).map_err(misfit);
            if outcome.is_ok() && watch.is_cancelled() {
                outcome = Err(Error::Cancelled);
            }
            if outcome.is_err() {
                break;
            }
            // A buffer that nobody takes is freed.
            drop(used.try_send(packet.bytes));
        }
        drop((opened, used));
        // What keeps the opener from going on comes before what was missing then.
        let opened = opener.join().expect("the opener does not panic");
        outcome.and(opened)?;
        if n_fingerprints != manifest.n_fingerprints {
            let damage = format!("it has {n_fingerprints} fingerprints of {}", manifest.n_fingerprints);
            return Err(Error::damaged(&name, damage));
        }
        import.finish().map_err(misfit)
    })
}

/// Fetches, checks and opens all parts in their order.
fn open_all(
    store: &Store,
    manifest: &Manifest,
    packets: &Sender<Packet>,
    free: &Receiver<Vec<u8>>,
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
        while let Some(packet) = opener.next(free.try_recv().unwrap_or_default())? {
            n_blocks += 1;
            if packets.send(packet).is_err() {
                // Whoever took them has a reason of their own.
                return Ok(());
            }
        }
        if n_blocks != info.n_blocks {
            return Err(Error::damaged(&object, format!("it has {n_blocks} blocks of {}", info.n_blocks)));
        }
    }
    Ok(())
}
