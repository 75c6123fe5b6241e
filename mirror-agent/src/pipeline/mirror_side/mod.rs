//! The mirror side of the pipeline, on one thread of its own: a request takes no lock that another waits for, and no step of it
//! wakes another thread.
//!
//! ```text
//! transport → gate_pass (waits for its data) → lane (its turn) → send → judge (compare) → settle (verdict) → report
//! ```
//!
//! A request begins to wait for its data when it arrives, and is sent when those before it in its lane were answered. So
//! a lane waits at most as long for missing data as a single request does.

mod builds;
mod compared;
mod destinations;
mod effects;
mod gate_pass;
mod judge;
mod lane;
mod load;
mod own_repeats;
mod send;
mod sends;
mod settle;
mod slots;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use anyhow::{Context, anyhow};
use tokio::{
    runtime::Builder,
    sync::{Semaphore, oneshot, watch},
    task::{LocalSet, spawn_blocking, yield_now},
};

use super::schedule::RunSchedule;
use crate::config::Config;
use crate::gate::Gate;
use crate::replay::{BuildSources, OwnSockets};
use crate::report::Recorder;
use crate::transport::Receiver;
use mirror_core::noise::Repeats;
use mirror_core::schedule::Lanes;

use destinations::Destinations;
use gate_pass::Passing;
use lane::{Pending, Waiting};
use sends::Sends;
use settle::Settling;
use slots::Slots;

pub(super) use gate_pass::gate;

/// What the mirror side is made of.
pub(super) struct MirrorParts {
    /// The rules of gate and comparison may change while the run goes on.
    pub(super) config: watch::Receiver<Arc<Config>>,
    pub(super) recorder: Arc<Recorder>,
    pub(super) schedule: Arc<RunSchedule>,
    pub(super) own_sockets: Option<Arc<dyn OwnSockets>>,
    /// Ends the run.
    pub(super) stop: watch::Sender<bool>,
    /// Most replays at once.
    pub(super) replays: usize,
}

/// The thread that judges what comes out of the queue.
pub(super) struct MirrorThread(thread::JoinHandle<()>);

impl MirrorThread {
    /// Judges until the queue has ended and all its exchanges have an outcome, or until `cut` turns true: what is still
    /// in flight ends as `interrupted` then.
    pub(super) async fn start(
        parts: MirrorParts,
        receiver: Receiver,
        cut: watch::Receiver<bool>,
    ) -> anyhow::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .context("starting the mirror side's runtime")?;
        let (ready, started) = oneshot::channel();
        let work = move || {
            let local = LocalSet::new();
            local.block_on(&runtime, async {
                match MirrorSide::new(parts) {
                    Ok(side) => {
                        let _ = ready.send(Ok(()));
                        side.run(receiver, cut).await;
                    }
                    Err(error) => {
                        let _ = ready.send(Err(error));
                    }
                }
            });
            // What it still holds ends in the ledger here.
        };
        let thread = thread::Builder::new()
            .name("mirror".into())
            .spawn(work)
            .context("starting the mirror side's thread")?;
        started.await.context("starting the mirror side")??;
        Ok(Self(thread))
    }

    /// Resolves when each exchange has its outcome.
    pub(super) async fn finish(self) -> anyhow::Result<()> {
        let joined = spawn_blocking(|| self.0.join()).await?;
        joined.map_err(|_| anyhow!("the mirror side's thread panicked"))
    }
}

struct MirrorSide {
    gate: Gate,
    destinations: Destinations,
    builds: BuildSources,
    config: watch::Receiver<Arc<Config>>,
    recorder: Arc<Recorder>,
    lanes: RefCell<Lanes<(Waiting, Passing)>>,
    schedule: Arc<RunSchedule>,
    slots: Slots,
    /// For the pairs of answers that need more memory than the light limits: one at a time, so that all comparisons
    /// together hold a bounded number of bytes.
    heavy: Semaphore,
    settling: Settling,
    sends: Sends,
    own_repeats: RefCell<Repeats>,
    pending: Pending,
    stop: watch::Sender<bool>,
}

impl MirrorSide {
    fn new(parts: MirrorParts) -> anyhow::Result<Rc<Self>> {
        let config = Arc::clone(&parts.config.borrow());
        Ok(Rc::new(Self {
            gate: gate(&config)?,
            builds: BuildSources::new(
                &config.build_urls,
                &config.replay,
                &config.dissect,
                parts.own_sockets.as_ref(),
            )?,
            destinations: Destinations::new(&config, parts.own_sockets)?,
            config: parts.config,
            recorder: parts.recorder,
            lanes: RefCell::default(),
            schedule: parts.schedule,
            slots: Slots::new(parts.replays),
            heavy: Semaphore::new(1),
            settling: Settling::default(),
            sends: Sends::default(),
            own_repeats: RefCell::default(),
            pending: Pending::default(),
            stop: parts.stop,
        }))
    }

    async fn run(self: Rc<Self>, receiver: Receiver, mut cut: watch::Receiver<bool>) {
        tokio::select! {
            () = Rc::clone(&self).judge_all(receiver) => {}
            () = self.settling.run(|judged| self.settle(judged)) => {}
            () = self.tell_load() => {}
            () = self.ask_builds() => {}
            _ = cut.wait_for(|cut| *cut) => {}
        }
    }

    async fn judge_all(self: Rc<Self>, mut receiver: Receiver) {
        let mut batch = Vec::new();
        while receiver.take(&mut batch).await {
            for arrival in batch.drain(..) {
                self.arrive(arrival);
            }
            yield_now().await;
        }
        // All that was captured has entered: who is alone with its id stays so.
        self.settling.finish();
        self.pending.none().await;
    }
}
