//! The changes as lines of JSON, in their order: encoded by several threads, written by one.
//!
//! What always holds: lines leave in the order of the merge, and only a few portions of them are in memory at a time.

use std::io::{self, Write};
use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::Error;
use super::packed::{self, unpack, unpacked};
use super::spill::{Merged, Portion};
use crate::engine::Change;
use crate::event::Format;
use crate::pipeline::message::{Messages, Origin};
use crate::rules::Plan;

/// So many packed bytes are encoded at a time.
const PORTION_BYTES: usize = 128 << 10;

/// Of change ids: the same history replayed again has the same ones.
const NAMESPACE: &str = "replay";

/// Lines that are written leave their memory to those that come, since fresh memory costs more than filling it.
type Spare = (Sender<Vec<u8>>, Receiver<Vec<u8>>);

/// Some changes, and where their lines go.
type Task = (Portion, Sender<Vec<u8>>);

/// Encodes and writes everything in `changes`; `files` are the names of the replay's files.
pub fn write(
    plan: &Arc<Plan>,
    files: &[String],
    changes: Merged,
    n_threads: NonZero<usize>,
    out: &mut (dyn Write + Send),
) -> Result<(), Error> {
    let messages = &Messages::new(plan.clone(), Format::Json, NAMESPACE);
    let n_waiting = 2 * n_threads.get();
    let (to_encode, tasks) = bounded::<Task>(n_waiting);
    let (to_write, in_order) = bounded(n_waiting);
    let spare: &Spare = &bounded(n_waiting);
    thread::scope(|scope| {
        let writer = scope.spawn(move || write_in_order(&in_order, &spare.0, out));
        for _ in 0..n_threads.get() {
            let tasks = tasks.clone();
            scope.spawn(move || {
                let mut change = unpacked();
                for (portion, to_writer) in tasks {
                    let mut lines = spare.1.try_recv().unwrap_or_default();
                    encode(messages, files, &portion, &mut change, &mut lines);
                    // When the writer is gone, it says why.
                    to_writer.send(lines).ok();
                }
            });
        }
        let dealt = deal(changes, to_encode, to_write).map_err(Error::Temporary);
        let written = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        written.map_err(Error::Changes).and(dealt)
    })
}

/// Cuts the changes into portions and deals them out, until the writer is gone.
fn deal(mut changes: Merged, to_encode: Sender<Task>, to_write: Sender<Receiver<Vec<u8>>>) -> io::Result<()> {
    loop {
        let portion = changes.next_portion(PORTION_BYTES)?;
        if portion.is_empty() {
            return Ok(());
        }
        let (give, lines) = bounded(1);
        if to_write.send(lines).is_err() || to_encode.send((portion, give)).is_err() {
            return Ok(());
        }
    }
}

fn write_in_order(
    in_order: &Receiver<Receiver<Vec<u8>>>,
    spare: &Sender<Vec<u8>>,
    out: &mut (dyn Write + Send),
) -> io::Result<()> {
    // Lines never come only when whoever encodes them has panicked.
    for mut lines in in_order.iter().map_while(|lines| lines.recv().ok()) {
        out.write_all(&lines)?;
        lines.clear();
        // One too many is given back.
        spare.try_send(lines).ok();
    }
    out.flush()
}

/// Appends the lines of a portion. `change` is each in turn.
fn encode(messages: &Messages, files: &[String], portion: &Portion, change: &mut Change, lines: &mut Vec<u8>) {
    for (key, payload) in portion.records() {
        let origin = unpack(key, payload, change);
        let origin = origin.map_or(Origin::Nothing, |packed::Origin { file, line }| Origin::Line {
            file: &files[file as usize],
            line,
        });
        // There is no wall clock in a replay, and the same files give the same bytes: published when it was true.
        messages.append_change(change, origin, Some(change.effective_at), lines);
        lines.push(b'\n');
    }
}
