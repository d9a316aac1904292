//! A request to stop, seen by all threads that hold it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Cloning gives another handle of the same request.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks for a clean end: the epoch is finished, the group is left. Cannot be taken back.
    pub fn request(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
