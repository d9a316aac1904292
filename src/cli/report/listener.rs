//! Hands what a replay says to the journal of a report.

use std::io;
use std::sync::Arc;

use crate::engine::Change;
use crate::event::Event;
use crate::pipeline::replay::{Origin, Sink};
use crate::report::{Journal, Watch};

/// One shard's.
pub struct Listener(Journal);

impl Listener {
    pub fn new(watch: &Arc<Watch>) -> Listener {
        Listener(Journal::new(watch.clone()))
    }

    pub fn into_journal(self) -> Journal {
        self.0
    }
}

impl Sink for Listener {
    fn take(&mut self, changes: &mut Vec<Change>, _: Option<Origin>) -> io::Result<()> {
        changes.iter().for_each(|change| self.0.moved(change));
        Ok(())
    }

    fn folded(&mut self, event: &Event<'_>) {
        self.0.folded(event);
    }
}
