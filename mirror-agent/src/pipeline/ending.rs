//! How a run ends.

use tokio::sync::watch;

/// How a run is ended from outside.
#[derive(Clone)]
pub struct Ending {
    /// Ends the capture; what is in flight is drained.
    pub stop: watch::Sender<bool>,
    /// Ends the draining: what is still in flight ends as `interrupted`.
    pub abort: watch::Sender<bool>,
}

impl Default for Ending {
    fn default() -> Self {
        Self {
            stop: watch::Sender::new(false),
            abort: watch::Sender::new(false),
        }
    }
}
