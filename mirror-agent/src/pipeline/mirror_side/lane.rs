//! A request's turn: after those before it in its lane, and when a replay is free.

use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::{
    sync::{Notify, OwnedSemaphorePermit},
    task::spawn_local,
    time::Instant,
};

use super::MirrorSide;
use super::gate_pass::{Pass, Passing};
use crate::config::Config;
use crate::report::{End, Ticket};
use crate::transport::{Arrival, Delivery, memory::Room};
use mirror_core::ledger::Outcome;
use mirror_core::policy::Envelope;
use mirror_core::schedule::LaneKey;

/// A request that has no outcome yet.
pub(super) struct Waiting {
    pub(super) envelope: Rc<Envelope>,
    pub(super) ticket: Ticket,
    /// When it should be sent.
    pub(super) due: std::time::Instant,
    /// Until when another request could turn up with its id.
    pub(super) settles_at: Instant,
    /// One exchange sees one configuration, whatever is changed meanwhile.
    pub(super) config: Arc<Config>,
    pub(super) room: Room,
    pub(super) pending: PendingOne,
}

/// A request's turn to be sent; others wait for a free replay until it is dropped.
pub(super) struct Turn {
    pub(super) pass: Pass,
    /// Held until the answers are compared: it bounds the answers that are in memory.
    pub(super) slot: OwnedSemaphorePermit,
}

impl MirrorSide {
    /// Takes what comes out of the queue, in the order of capture.
    pub(super) fn arrive(self: &Rc<Self>, (delivery, room): Arrival) {
        let Delivery {
            envelope,
            ticket,
            lane,
            due,
        } = *delivery;
        let config = Arc::clone(&self.config.borrow());
        let entered = self.gate.enter(&envelope);
        let settles_at = Instant::now() + entered.settles;
        let envelope = Rc::new(envelope);
        let passing = self.begin_passing(&envelope, entered, &config);
        let waiting = Waiting {
            envelope,
            ticket,
            due,
            settles_at,
            config,
            room,
            pending: self.pending.one(),
        };
        let side = Rc::clone(self);
        match lane {
            None => {
                spawn_local(async move { side.end_of(waiting, passing).await });
            }
            Some(key) => {
                if self.lanes.borrow_mut().push(key, (waiting, passing)) {
                    spawn_local(side.run_lane(key));
                }
            }
        }
    }

    /// Until nothing waits in the lane.
    async fn run_lane(self: Rc<Self>, key: LaneKey) {
        loop {
            let next = self.lanes.borrow_mut().next(key);
            let Some((waiting, passing)) = next else {
                return;
            };
            Rc::clone(&self).end_of(waiting, passing).await;
        }
    }

    /// A panic ends its request as `interrupted`, and not its lane.
    async fn end_of(self: Rc<Self>, waiting: Waiting, passing: Passing) {
        let _ = AssertUnwindSafe(self.judge(waiting, passing))
            .catch_unwind()
            .await;
    }

    /// Waits for the request's data, and for a free replay; data that is there is kept alive meanwhile.
    pub(super) async fn turn(&self, passing: Passing) -> Result<Turn, End> {
        let slot = || async {
            let slot = Arc::clone(&self.slots).acquire_owned().await;
            slot.map_err(|_| End::from(Outcome::Interrupted))
        };
        match passing {
            Passing::Passed(pass) => Ok(Turn {
                pass,
                slot: slot().await?,
            }),
            Passing::Waits(mut wait) => {
                wait.over().await?;
                let slot = slot().await?;
                Ok(Turn {
                    pass: wait.pass().await?,
                    slot,
                })
            }
        }
    }
}

/// Counts the requests that have no outcome yet.
#[derive(Default)]
pub(super) struct Pending(Rc<Count>);

#[derive(Default)]
struct Count {
    count: Cell<usize>,
    none: Notify,
}

/// One of them, until it is dropped.
pub(super) struct PendingOne(Rc<Count>);

impl Pending {
    fn one(&self) -> PendingOne {
        self.0.count.set(self.0.count.get() + 1);
        PendingOne(Rc::clone(&self.0))
    }

    /// Resolves when there is none.
    pub(super) async fn none(&self) {
        while self.0.count.get() > 0 {
            self.0.none.notified().await;
        }
    }
}

impl Drop for PendingOne {
    fn drop(&mut self) {
        let left = self.0.count.get() - 1;
        self.0.count.set(left);
        if left == 0 {
            self.0.none.notify_one();
        }
    }
}
