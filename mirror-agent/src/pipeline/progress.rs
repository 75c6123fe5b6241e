//! How far a run is, for those who watch it.

use std::{sync::Arc, time::Duration};

use mirror_core::ledger::Outcome;
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::report::Recorder;

const TELL_INTERVAL: Duration = Duration::from_secs(1);

/// What those who watch a run are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It captures: where, and what it does with it.
    Begins(String),
    Goes(Progress),
}

/// The ledger in four numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub seen: u64,
    /// With an outcome, whatever it is.
    pub ended: u64,
    /// Compared, and the answers differed.
    pub differed: u64,
    /// What is left of the time for draining, once capture has ended.
    pub draining: Option<Duration>,
}

impl Progress {
    pub fn in_flight(&self) -> u64 {
        self.seen.saturating_sub(self.ended)
    }
}

/// Tells every second, and at once when `stop` turns true.
pub(super) async fn tell(
    recorder: Arc<Recorder>,
    mut stop: watch::Receiver<bool>,
    drain_timeout: Duration,
    mut show: impl FnMut(Event) + Send,
) {
    let mut ticks = interval(TELL_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut drained_at = None;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.wait_for(|stop| *stop), if drained_at.is_none() => {
                drained_at = Some(Instant::now() + drain_timeout);
            }
        }
        let ledger = recorder.ledger_data();
        let count = |outcome: Outcome| ledger.outcomes.get(outcome.name()).copied().unwrap_or(0);
        show(Event::Goes(Progress {
            seen: ledger.seen,
            ended: ledger.outcomes.values().sum(),
            differed: count(Outcome::Differed) + count(Outcome::DifferedWithoutSnapshot),
            draining: drained_at.map(|at| at.saturating_duration_since(Instant::now())),
        }));
    }
}
