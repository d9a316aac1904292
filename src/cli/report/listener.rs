//! Hands what a replay says to the journal of a report.

use std::io;
use std::sync::Arc;

use crate::engine::{Change, Shard};
use crate::event::Event;
use crate::pipeline::replay::{Origin, Sink};
use crate::report::{Journal, Watch};

/// One shard's.
pub struct Listener(Journal);

impl Listener {
    pub fn new(watch: &Arc<Watch>) -> Listener {
        Listener(Journal::new(watch.clone()))
    }
}

impl Sink for Listener {
    type Left = Journal;

    fn take(&mut self, changes: &mut Vec<Change>, _: Option<Origin>) -> io::Result<()> {
        changes.iter().for_each(|change| self.0.moved(change));
        Ok(())
    }

    fn folded(&mut self, event: &Event<'_>) {
        self.0.folded(event);
    }

    fn end(self, _: Shard) -> Journal {
        self.0
    }
}
