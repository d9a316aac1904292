//! When transactional calls may run: between an assignment and the next revoke, and one at a time.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::pace::Pace;
use super::sabotage::{self, Bug};

/// In a simulation, how often who closes it looks whether somebody is still inside.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Opened by an assignment, closed by a revoke.
#[derive(Default)]
pub struct Gate {
    pace: Pace,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_open: bool,
    is_busy: bool,
    /// How often it was closed.
    n_closed: u64,
}

/// Somebody is inside; dropped when they leave.
pub struct Pass<'a>(&'a Gate);

impl Gate {
    pub fn new(pace: Pace) -> Gate {
        Gate { pace, ..Gate::default() }
    }

    /// Lets one in, if it is open.
    pub fn enter(&self) -> Option<Pass<'_>> {
        let mut state = self.state();
        assert!(!state.is_busy, "one transaction at a time");
        state.is_busy = state.is_open;
        state.is_open.then(|| Pass(self))
    }

    /// Opens it, unless it was closed again since that number was true: an assignment that was revoked before anybody
    /// came to look at it opens nothing.
    pub fn open(&self, n_closed: u64) {
        let mut state = self.state();
        state.is_open = state.n_closed == n_closed;
    }

    /// How often it was closed.
    pub fn n_closed(&self) -> u64 {
        self.state().n_closed
    }

    /// Closes it, and returns when nobody is inside.
    pub fn close(&self) {
        let mut state = self.state();
        if sabotage::has(Bug::CommitsWhileRevoked) {
            return;
        }
        state.is_open = false;
        state.n_closed += 1;
        while state.is_busy {
            state = match &self.pace {
                Pace::Machine => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Pace::Simulated(_) => {
                    drop(state);
                    self.pace.park(LOOK_AGAIN);
                    self.state()
                }
            };
        }
    }

    /// Whether somebody who is inside for long should come out.
    pub fn is_closed(&self) -> bool {
        !self.state().is_open
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.0.state().is_busy = false;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_that_was_revoked_opens_nothing() {
        let gate = Gate::default();
        let n_closed = gate.n_closed();
        gate.close();
        gate.open(n_closed);
        assert!(gate.is_closed() && gate.enter().is_none());
        gate.open(gate.n_closed());
        assert!(gate.enter().is_some());
    }

    #[test]
    fn nobody_enters_a_closed_gate_and_closing_waits_for_who_is_inside() {
        let gate = Gate::default();
        assert!(gate.enter().is_none());
        gate.open(gate.n_closed());
        let pass = gate.enter().expect("it is open");
        let (closing, is_inside) = (std::sync::Barrier::new(2), Mutex::new(true));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                closing.wait();
                gate.close();
                assert!(!*is_inside.lock().expect("nobody failed"), "closed while somebody was inside");
            });
            closing.wait();
            while !gate.is_closed() {
                std::thread::yield_now();
            }
            *is_inside.lock().expect("nobody failed") = false;
            drop(pass);
        });
        assert!(gate.enter().is_none());
    }
}
