//! The changes as lines of JSON, in their order: encoded by several threads, written by one.
//!
//! What always holds: lines leave in the order of the merge, and only a few blocks are in memory at a time.

use std::io::{self, Write};
use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::Error;
use super::packed::{self, unpack, unpacked};
use super::spill::Merged;
use crate::engine::Change;
use crate::event::Format;
use crate::pipeline::message::{Messages, Origin};
use crate::rules::Plan;

/// So many packed bytes are encoded at a time.
const BLOCK_BYTES: usize = 128 << 10;

/// Packed changes, one behind the other.
#[derive(Default)]
struct Block {
    bytes: Vec<u8>,
    /// Where each one's key and payload end.
    ends: Vec<(u32, u32)>,
}

/// Of change ids: the same history replayed again has the same ones.
const NAMESPACE: &str = "replay";

/// Lines that are written leave their memory to those that come, since fresh memory costs more than filling it.
type Spare = (Sender<Vec<u8>>, Receiver<Vec<u8>>);

/// A block, and where its lines go.
type Task = (Block, Sender<Vec<u8>>);

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
                for (block, to_writer) in tasks {
                    let mut lines = spare.1.try_recv().unwrap_or_default();
                    encode(messages, files, &block, &mut change, &mut lines);
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

/// Cuts the changes into blocks and deals them out, until the writer is gone.
fn deal(mut changes: Merged, to_encode: Sender<Task>, to_write: Sender<Receiver<Vec<u8>>>) -> io::Result<()> {
    let mut block = Block::default();
    loop {
        let is_last = match changes.next()? {
            Some((key, payload)) => {
                block.push(key, payload);
                false
            }
            None => true,
        };
        if is_last || block.bytes.len() >= BLOCK_BYTES {
            let (give, lines) = bounded(1);
            let is_heard = to_write.send(lines).is_ok() && to_encode.send((std::mem::take(&mut block), give)).is_ok();
            if is_last || !is_heard {
                return Ok(());
            }
        }
    }
}

fn write_in_order(
    in_order: &Receiver<Receiver<Vec<u8>>>,
    spare: &Sender<Vec<u8>>,
    out: &mut (dyn Write + Send),
) -> io::Result<()> {
    // A block whose lines never come was not dealt: the temporary file failed, which the dealer says.
    for mut lines in in_order.iter().map_while(|lines| lines.recv().ok()) {
        out.write_all(&lines)?;
        lines.clear();
        // One too many is given back.
        spare.try_send(lines).ok();
    }
    out.flush()
}

/// Appends the lines of a block. `change` is each in turn.
fn encode(messages: &Messages, files: &[String], block: &Block, change: &mut Change, lines: &mut Vec<u8>) {
    let mut start = 0;
    for &(key_end, payload_end) in &block.ends {
        let (key_end, payload_end) = (key_end as usize, payload_end as usize);
        let origin = unpack(&block.bytes[start..key_end], &block.bytes[key_end..payload_end], change);
        let origin = origin.map_or(Origin::Nothing, |packed::Origin { file, line }| Origin::Line {
            file: &files[file as usize],
            line,
        });
        // There is no wall clock in a replay, and the same files give the same bytes: published when it was true.
        messages.append_change(change, origin, Some(change.effective_at), lines);
        lines.push(b'\n');
        start = payload_end;
    }
}

impl Block {
    fn push(&mut self, key: &[u8], payload: &[u8]) {
        self.bytes.extend_from_slice(key);
        let key_end = self.bytes.len() as u32;
        self.bytes.extend_from_slice(payload);
        self.ends.push((key_end, self.bytes.len() as u32));
    }
}
