//! Each exchange travels with a [`Ticket`], so that it ends in the ledger exactly once.

use std::sync::Arc;

use mirror_core::ledger::Outcome;

use super::Recorder;

/// One request on its way to its outcome. Dropped without one, it ends as `interrupted`.
pub struct Ticket {
    recorder: Arc<Recorder>,
    open: bool,
}

impl Ticket {
    /// For a request that was captured here.
    pub fn new(recorder: &Arc<Recorder>) -> Self {
        recorder.saw();
        Self::open(recorder)
    }

    /// For a request that another process handed over: it is counted here from now on.
    pub fn take_over(recorder: &Arc<Recorder>) -> Self {
        recorder.took_over();
        Self::open(recorder)
    }

    fn open(recorder: &Arc<Recorder>) -> Self {
        Self {
            recorder: Arc::clone(recorder),
            open: true,
        }
    }

    pub fn end(mut self, outcome: Outcome) {
        self.open = false;
        self.recorder.ended(outcome);
    }

    /// The request goes on in another process, whose ledger says how it ends.
    pub fn hand_over(self) {
        self.end(Outcome::HandedOver);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.open {
            self.recorder.ended(Outcome::Interrupted);
        }
    }
}
