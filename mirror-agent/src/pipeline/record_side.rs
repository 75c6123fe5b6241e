//! The side of the pipeline that records, in the place of the mirror side and on one thread of its own.
//!
//! ```text
//! transport → gate (for its snapshot, where snapshots are recorded) → files → report
//! ```

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::{
    runtime::Builder,
    sync::{Notify, oneshot, watch},
    task::{LocalSet, spawn_blocking, spawn_local},
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use super::schedule::{Admission, RunSchedule};
use crate::clock::wall_clock;
use crate::gate::{Entered, Gate, SnapshotOutcome};
use crate::report::{End, Recorder, Ticket};
use crate::transport::file::{FileCounts, RecordingFiles};
use crate::transport::memory::Room;
use crate::transport::{Arrival, Delivery, Receiver};
use mirror_core::ledger::Outcome;
use mirror_core::policy::Envelope;
use mirror_core::recording::RecordingLedger;

/// What was recorded is on the disk at least this often.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// What is recorded, until its block is written: its ticket, and the room that it takes.
pub(super) type Token = (Ticket, Room);

/// What the recording side is made of.
pub(super) struct RecordParts {
    pub(super) recorder: Arc<Recorder>,
    pub(super) schedule: Arc<RunSchedule>,
    /// Gives the snapshots that are recorded.
    pub(super) gate: Option<Box<dyn FnOnce() -> anyhow::Result<Gate> + Send>>,
    pub(super) files: RecordingFiles<Token>,
    /// Ends the recording.
    pub(super) stop: watch::Sender<bool>,
}

/// The thread that records what comes out of the queue.
pub(super) struct RecordThread(thread::JoinHandle<FileCounts>);

impl RecordThread {
    /// Records until the queue has ended, or until `cut` turns true: what still waits for its snapshot is recorded without one then.
    pub(super) async fn start(
        parts: RecordParts,
        receiver: Receiver,
        cut: watch::Receiver<bool>,
    ) -> anyhow::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .context("starting the runtime that records")?;
        let (ready, started) = oneshot::channel();
        let work = move || {
            LocalSet::new().block_on(&runtime, async {
                let RecordParts {
                    recorder,
                    schedule,
                    gate,
                    files,
                    stop,
                } = parts;
                let gate = match gate.map(|gate| gate()).transpose() {
                    Ok(gate) => gate,
                    Err(error) => {
                        let _ = ready.send(Err(error));
                        return FileCounts::default();
                    }
                };
                let _ = ready.send(Ok(()));
                let side = Rc::new(RecordSide {
                    recorder,
                    schedule,
                    gate,
                    files: RefCell::new(files),
                    stop,
                    waiting: Cell::default(),
                    none_waits: Notify::new(),
                    cut,
                });
                side.run(receiver).await
            })
        };
        let thread = thread::Builder::new()
            .name("record".into())
            .spawn(work)
            .context("starting the thread that records")?;
        started.await.context("starting to record")??;
        Ok(Self(thread))
    }

    /// Resolves when everything is recorded, or lost.
    pub(super) async fn finish(self) -> anyhow::Result<FileCounts> {
        let joined = spawn_blocking(|| self.0.join()).await?;
        joined.map_err(|_| anyhow!("the thread that records panicked"))
    }
}

struct RecordSide {
    recorder: Arc<Recorder>,
    schedule: Arc<RunSchedule>,
    gate: Option<Gate>,
    files: RefCell<RecordingFiles<Token>>,
    stop: watch::Sender<bool>,
    /// Exchanges that wait for their snapshots.
    waiting: Cell<usize>,
    none_waits: Notify,
    cut: watch::Receiver<bool>,
}

impl RecordSide {
    async fn run(self: Rc<Self>, mut receiver: Receiver) -> FileCounts {
        let mut ticks = interval(SYNC_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                goes_on = receiver.take(&mut batch) => {
                    for arrival in batch.drain(..) {
                        self.arrive(arrival);
                    }
                    self.settle();
                    if !goes_on {
                        break;
                    }
                }
                _ = ticks.tick() => self.tick(),
            }
        }
        while self.waiting.get() > 0 {
            tokio::select! {
                () = self.none_waits.notified() => {}
                _ = ticks.tick() => self.tick(),
            }
        }
        self.files.borrow_mut().flush();
        self.settle();
        let counts = self.files.borrow_mut().end(&self.ledger());
        self.settle();
        counts
    }

    fn arrive(self: &Rc<Self>, (delivery, room): Arrival) {
        let Delivery {
            envelope, ticket, ..
        } = *delivery;
        match self.schedule.admit() {
            Admission::Ends(outcome) => return ticket.end(outcome),
            Admission::Admitted => {}
            Admission::Last => {
                self.stop.send_replace(true);
            }
        }
        let Some(gate) = &self.gate else {
            return self.files.borrow_mut().push(&envelope, (ticket, room));
        };
        let entered = gate.enter(&envelope);
        let side = Rc::clone(self);
        self.waiting.set(self.waiting.get() + 1);
        spawn_local(async move {
            let envelope = side.with_snapshot(envelope, entered).await;
            side.files.borrow_mut().push(&envelope, (ticket, room));
            side.settle();
            side.waiting.set(side.waiting.get() - 1);
            if side.waiting.get() == 0 {
                side.none_waits.notify_one();
            }
        });
    }

    /// Waits for the snapshot until it is there and is known to be the request's own. Without it, the exchange is recorded as it is.
    async fn with_snapshot(&self, envelope: Envelope, entered: Entered) -> Envelope {
        let Some(gate) = &self.gate else {
            return envelope;
        };
        let mut cut = self.cut.clone();
        let look = async {
            let outcome = gate.wait(&envelope, entered).await;
            self.recorder.snapshot(&outcome);
            let SnapshotOutcome::Found(found) = outcome else {
                return None;
            };
            sleep_until(found.settles_at.min(Instant::now() + SYNC_INTERVAL)).await;
            if found.is_collided() {
                return None;
            }
            let value = gate.value(&found).await;
            value.map(|value| (found.id.clone(), value))
        };
        let found = tokio::select! {
            found = look => found,
            _ = cut.wait_for(|cut| *cut) => None,
        };
        match found {
            Some((id, value)) => envelope.with_snapshot(value).filed_under(id),
            None => envelope,
        }
    }

    fn tick(&self) {
        // What the recorder counts is known before the files are told.
        self.files.borrow_mut().flush();
        self.settle();
        self.files.borrow_mut().tick(&self.ledger());
        self.settle();
    }

    fn ledger(&self) -> RecordingLedger {
        let ledger = self.recorder.ledger_data();
        RecordingLedger {
            at: wall_clock(),
            seen: ledger.seen,
            outcomes: ledger.outcomes,
        }
    }

    /// Tells the ledger what is in a file, and what is lost.
    fn settle(&self) {
        for ((ticket, _room), lost) in self.files.borrow_mut().take_settled() {
            ticket.end(match lost {
                None => Outcome::Recorded.into(),
                Some(why) => End::because(Outcome::LostNotWritten, why),
            });
        }
    }
}
