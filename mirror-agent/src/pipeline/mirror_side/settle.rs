//! Verdicts that wait, because another request with the same id may still turn up. They hold neither their lane nor a replay.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::collections::BinaryHeap;

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::MirrorSide;
use super::lane::PendingOne;
use crate::gate::FoundSnapshot;
use crate::report::{End, JudgedPair, Ticket};
use crate::transport::memory::Room;
use mirror_core::ledger::Outcome;

/// A request whose answers were compared.
pub(super) struct Judged {
    pub(super) pair: JudgedPair,
    /// The snapshot that it was replayed with.
    pub(super) found: Option<FoundSnapshot>,
    pub(super) ticket: Ticket,
    /// For what is kept of the answers.
    pub(super) room: Room,
    pub(super) pending: PendingOne,
}

/// Those that wait, in the order of their time: one timer for all.
#[derive(Default)]
pub(super) struct Settling {
    waiting: RefCell<BinaryHeap<Timed>>,
    /// The first one has changed, or all may end.
    changed: Notify,
    /// No other request will come.
    is_finished: Cell<bool>,
}

struct Timed {
    at: Instant,
    judged: Judged,
}

impl Settling {
    pub(super) fn add(&self, at: Instant, judged: Judged) {
        let mut waiting = self.waiting.borrow_mut();
        let is_first = waiting.peek().is_none_or(|first| at < first.at);
        waiting.push(Timed { at, judged });
        if is_first || self.is_finished.get() {
            self.changed.notify_one();
        }
    }

    /// All has entered: nothing needs to wait any more.
    pub(super) fn finish(&self) {
        self.is_finished.set(true);
        self.changed.notify_one();
    }

    /// Hands each to `settle` at its time. Never ends.
    pub(super) async fn run(&self, settle: impl Fn(Judged)) {
        loop {
            while let Some(judged) = self.pop_due() {
                settle(judged);
            }
            let first = self.waiting.borrow().peek().map(|first| first.at);
            match first {
                None => self.changed.notified().await,
                Some(at) => tokio::select! {
                    () = self.changed.notified() => {}
                    () = sleep_until(at) => {}
                },
            }
        }
    }

    fn pop_due(&self) -> Option<Judged> {
        let mut waiting = self.waiting.borrow_mut();
        let first = waiting.peek()?;
        let is_due = self.is_finished.get() || first.at <= Instant::now();
        if is_due { waiting.pop() } else { None }.map(|timed| timed.judged)
    }
}

impl MirrorSide {
    pub(super) fn settle(&self, judged: Judged) {
        let Judged {
            pair,
            found,
            ticket,
            room,
            pending,
        } = judged;
        ticket.end(end_of(pair, found));
        drop((room, pending));
    }
}

fn end_of(pair: JudgedPair, found: Option<FoundSnapshot>) -> End {
    if let Some(found) = found.filter(FoundSnapshot::is_collided) {
        return match found.doubt() {
            Some(why) => End::because(Outcome::SnapshotUnproven, why.text()),
            None => Outcome::SnapshotCollided.into(),
        };
    }
    End::judged(pair)
}

/// The largest is the earliest.
impl Ord for Timed {
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.cmp(&self.at)
    }
}

impl PartialOrd for Timed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Timed {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Timed {}
