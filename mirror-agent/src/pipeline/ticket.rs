//! Each exchange carries a [`Ticket`], so that it ends in the ledger exactly once.

use std::sync::Arc;

use crate::report::Recorder;
use mirror_core::ledger::Outcome;
use mirror_core::policy::Admitted;

/// One seen request on its way to its outcome; dropped without one, it ends as `interrupted`.
pub(super) struct Ticket {
    recorder: Arc<Recorder>,
    open: bool,
}

impl Ticket {
    pub(super) fn new(recorder: &Arc<Recorder>) -> Self {
        recorder.saw();
        Self {
            recorder: Arc::clone(recorder),
            open: true,
        }
    }

    pub(super) fn end(mut self, outcome: Outcome) {
        self.open = false;
        self.recorder.ended(outcome);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.open {
            self.recorder.ended(Outcome::Interrupted);
        }
    }
}

pub(super) struct Job {
    pub(super) admitted: Admitted,
    pub(super) ticket: Ticket,
}

impl AsRef<Admitted> for Job {
    fn as_ref(&self) -> &Admitted {
        &self.admitted
    }
}
