//! How far the reading of files is, on a terminal only.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::terminal;

const REDRAW: Duration = Duration::from_millis(150);

/// A bar that follows the bytes read until it is ended.
pub struct Bar {
    is_done: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// Shows a bar for what is read of the files, counted in `n_bytes_read`; nothing when nobody looks at standard error, or
/// when it should be quiet.
pub fn start<'a>(
    files: impl IntoIterator<Item = &'a PathBuf>,
    n_bytes_read: &Arc<AtomicU64>,
    is_quiet: bool,
) -> Option<Bar> {
    let sizes = files.into_iter().map(|file| fs::metadata(file).ok().filter(fs::Metadata::is_file));
    let total: Option<u64> = sizes.map(|size| size.map(|size| size.len())).sum();
    let bar = match total {
        Some(total) => {
            ProgressBar::new(total).with_style(style("{bar:40} {percent:>3} %  {bytes_per_sec}  {eta} left"))
        }
        None => ProgressBar::new_spinner().with_style(style("{spinner} {bytes} read  {bytes_per_sec}")),
    };
    follow(bar, n_bytes_read.clone(), None, is_quiet)
}

/// Follows records; how many there are is known once it is not 0.
pub fn records(n_read: &Arc<AtomicU64>, n_to_read: &Arc<AtomicU64>, is_quiet: bool) -> Option<Bar> {
    let bar = ProgressBar::new(0).with_style(style("{bar:40} {percent:>3} %  {per_sec}  {eta} left"));
    follow(bar, n_read.clone(), Some(n_to_read.clone()), is_quiet)
}

fn follow(bar: ProgressBar, position: Arc<AtomicU64>, total: Option<Arc<AtomicU64>>, is_quiet: bool) -> Option<Bar> {
    if is_quiet || !terminal::is_stderr() {
        return None;
    }
    let is_done = Arc::new(AtomicBool::new(false));
    let should_end = is_done.clone();
    let draw = move || {
        while !should_end.load(Ordering::Acquire) {
            if let Some(total) = &total {
                bar.set_length(total.load(Ordering::Relaxed));
            }
            bar.set_position(position.load(Ordering::Relaxed));
            thread::park_timeout(REDRAW);
        }
        bar.finish_and_clear();
    };
    // Without a thread to spare there is no bar, and that is no reason to fail.
    let thread = thread::Builder::new().name("progress".to_owned()).spawn(draw).ok()?;
    Some(Bar { is_done, thread })
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is one of ours")
}

impl Bar {
    /// Takes the bar off the terminal.
    pub fn end(self) {
        self.is_done.store(true, Ordering::Release);
        self.thread.thread().unpark();
        // The thread only draws: however it ended, the replay's result counts.
        self.thread.join().unwrap_or_default();
    }
}
