//! A request's turn: after those before it in its lane, and when a replay is free.

use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time;

use futures_util::FutureExt;
use tokio::{
    sync::Notify,
    task::spawn_local,
    time::{Instant, sleep_until},
};

use super::MirrorSide;
use super::destinations::Destination;
use super::gate_pass::{Pass, Passing};
use super::slots::Slot;
use crate::config::Config;
use crate::pipeline::schedule::Admission;
use crate::report::{End, Ticket};
use crate::transport::{Arrival, Delivery, memory::Room};
use mirror_core::ledger::Outcome;
use mirror_core::policy::Envelope;
use mirror_core::schedule::{self, LaneKey};

/// A request that has no outcome yet.
pub(super) struct Waiting {
    pub(super) envelope: Rc<Envelope>,
    pub(super) ticket: Ticket,
    pub(super) lane: Option<LaneKey>,
    /// When it should be sent.
    pub(super) due: time::Instant,
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
    pub(super) slot: Slot,
}

impl MirrorSide {
    /// Takes what comes out of the queue, in the order of capture.
    pub(super) fn arrive(self: &Rc<Self>, (delivery, room): Arrival) {
        let Delivery {
            envelope,
            ticket,
            due,
        } = *delivery;
        let lane = envelope.lane();
        let config = Arc::clone(&self.config.borrow());
        let entered = self.gate.enter(&envelope);
        if !self.destinations.is_empty() {
            match self.schedule.admit() {
                Admission::Ends(outcome) => return ticket.end(outcome),
                Admission::Admitted => {}
                Admission::Last => {
                    self.stop.send_replace(true);
                }
            }
        }
        let settles_at = Instant::now() + entered.settles;
        let envelope = Rc::new(envelope);
        let passing = self.begin_passing(&envelope, entered, &config, &room);
        let waiting = Waiting {
            envelope,
            ticket,
            lane,
            due,
            settles_at,
            config,
            room,
            pending: self.pending.one(),
        };
        if !self.destinations.is_empty() {
            self.learn_from_production(&waiting);
        }
        let side = Rc::clone(self);
        match lane {
            None => {
                spawn_local(async move { side.end_of(waiting, passing).await });
            }
            Some(key) => {
                let mut lanes = self.lanes.borrow_mut();
                if lanes.push(key, (waiting, passing)) {
                    spawn_local(side.run_lane(key));
                }
                self.schedule.show_lanes(lanes.counts());
            }
        }
    }

    /// Until nothing waits in the lane.
    async fn run_lane(self: Rc<Self>, key: LaneKey) {
        loop {
            let Some((waiting, passing)) = self.next_of(key) else {
                return;
            };
            Rc::clone(&self).end_of(waiting, passing).await;
        }
    }

    fn next_of(&self, key: LaneKey) -> Option<(Waiting, Passing)> {
        let mut lanes = self.lanes.borrow_mut();
        let next = lanes.next(key);
        self.schedule.show_lanes(lanes.counts());
        next
    }

    /// A panic ends its request as `interrupted`, and not its lane.
    async fn end_of(self: Rc<Self>, waiting: Waiting, passing: Passing) {
        let _ = AssertUnwindSafe(self.judge(waiting, passing))
            .catch_unwind()
            .await;
    }

    /// Waits for the request's data, for a free replay, and for its time; data that is there is kept alive meanwhile.
    pub(super) async fn turn(
        &self,
        passing: Passing,
        destination: &Destination,
    ) -> Result<Turn, End> {
        let target = destination.number;
        if let Some(reason) = self.schedule.refuses(target) {
            return Err(End::because(Outcome::ShedBreaker, reason));
        }
        match passing {
            Passing::Passed(pass) => Ok(Turn {
                pass,
                slot: self.slot(target).await?,
            }),
            Passing::Waits(mut wait) => {
                wait.over().await?;
                let slot = self.slot(target).await?;
                Ok(Turn {
                    pass: wait.pass().await?,
                    slot,
                })
            }
        }
    }

    async fn slot(&self, target: usize) -> Result<Slot, End> {
        let slot = self.slots.take().await;
        loop {
            match self.schedule.turn(target) {
                schedule::Turn::Go => return Ok(slot),
                schedule::Turn::Wait(at) => sleep_until(self.schedule.instant(at).into()).await,
                schedule::Turn::Shed(reason) => {
                    return Err(End::because(Outcome::ShedBreaker, reason));
                }
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
