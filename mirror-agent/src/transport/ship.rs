//! Ships what a host has captured: a thread of its own takes it from the queue, numbers it, and hands it over to an engine. The
//! capture threads never wait for it: when the engine does, the queue gets full, and what comes then is shed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use mirror_core::ledger::Outcome;
use mirror_core::schedule::LaneKey;
use tokio::{sync::watch, time::sleep};

use super::Receiver;
use super::engine::{EngineError, Shipping, StateChange};
use super::memory::{Arrival, Room};
use super::parcel::{ParcelId, ProcessId};
use crate::report::{End, FleetKeeping, Ticket};

/// Bytes that are shipped in one go.
const MAX_BATCH: usize = 1 << 20;
/// Parcels that are shipped in one go.
const MAX_PARCELS: usize = 512;
/// Between two tries.
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// Between two changes of the state.
const KEEP_INTERVAL: Duration = Duration::from_secs(1);
/// Longest time for the last change, when the engine does not answer.
const LAST_CHANGE_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the engine takes nothing, for whoever has to shed meanwhile.
#[derive(Clone, Default)]
pub struct Trouble(Arc<Mutex<Option<String>>>);

impl Trouble {
    /// How a request ends that there is no room for.
    pub fn shed(&self) -> End {
        let why = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let slow = "the engine is slower than production";
        End::because(Outcome::ShedTransport, why.as_deref().unwrap_or(slow))
    }

    fn set(&self, why: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }
}

/// Hands over what comes from a queue.
pub struct Shipper<S> {
    shipping: S,
    process: ProcessId,
    /// Of each partition, the number of the next parcel.
    next: Vec<u64>,
    /// Where a request goes that keeps no order.
    turn: u32,
    keeping: FleetKeeping,
    keep_at: Instant,
    trouble: Trouble,
    cut: watch::Receiver<bool>,
}

/// A request that is to be shipped.
struct Parcel {
    ticket: Ticket,
    room: Room,
    wire: Vec<u8>,
}

impl<S: Shipping> Shipper<S> {
    /// Until `cut` is true it tries again what the engine did not answer.
    pub fn new(
        shipping: S,
        process: ProcessId,
        keeping: FleetKeeping,
        trouble: Trouble,
        cut: watch::Receiver<bool>,
    ) -> Self {
        Self {
            next: vec![0; shipping.partitions() as usize],
            shipping,
            process,
            turn: 0,
            keeping,
            keep_at: Instant::now(),
            trouble,
            cut,
        }
    }

    /// Until the queue has ended and everything in it is handed over or has its outcome.
    pub async fn run(mut self, mut receiver: Receiver) {
        let mut batch = Vec::new();
        // Who it is must be known before anything of it is.
        self.keep().await;
        loop {
            let goes_on = tokio::select! {
                goes_on = receiver.take(&mut batch) => goes_on,
                () = sleep(self.keep_at.saturating_duration_since(Instant::now())) => true,
            };
            for (partition, parcels) in self.sorted(batch.drain(..)) {
                self.ship_to(partition, parcels).await;
            }
            self.keep().await;
            if !goes_on {
                break;
            }
        }
        self.keep_last().await;
    }

    /// By partition, in their order.
    fn sorted(&mut self, batch: impl Iterator<Item = Arrival>) -> BTreeMap<u32, Vec<Parcel>> {
        let mut sorted: BTreeMap<u32, Vec<Parcel>> = BTreeMap::new();
        let partitions = self.shipping.partitions();
        for (delivery, room) in batch {
            let lane = delivery.envelope.lane();
            let partition = match lane {
                Some(LaneKey(key)) => (key % u64::from(partitions)) as u32,
                None => {
                    self.turn = (self.turn + 1) % partitions;
                    self.turn
                }
            };
            sorted.entry(partition).or_default().push(Parcel {
                wire: delivery.envelope.to_wire(),
                ticket: delivery.ticket,
                room,
            });
        }
        sorted
    }

    async fn ship_to(&mut self, partition: u32, parcels: Vec<Parcel>) {
        let mut piece: Vec<Parcel> = Vec::new();
        let mut bytes = 0;
        for parcel in parcels {
            if piece.len() == MAX_PARCELS || (bytes > 0 && bytes + parcel.wire.len() > MAX_BATCH) {
                self.ship(partition, std::mem::take(&mut piece)).await;
                bytes = 0;
            }
            bytes += parcel.wire.len();
            piece.push(parcel);
        }
        self.ship(partition, piece).await;
    }

    async fn ship(&mut self, partition: u32, parcels: Vec<Parcel>) {
        let first = self.next[partition as usize];
        let next = first + parcels.len() as u64;
        let most = self.shipping.max_frame();
        let frames: Vec<Bytes> = (first..)
            .zip(&parcels)
            .flat_map(|(sequence, parcel)| {
                let id = ParcelId {
                    origin: self.process,
                    sequence,
                };
                id.frames(&parcel.wire, most)
            })
            .collect();
        match self.shipped(partition, next, &frames).await {
            Ok(()) => {
                self.next[partition as usize] = next;
                for Parcel { ticket, room, .. } in parcels {
                    ticket.hand_over();
                    drop(room);
                }
            }
            Err(why) => {
                for Parcel { ticket, room, .. } in parcels {
                    ticket.end(End::because(Outcome::ShedTransport, why.as_str()));
                    drop(room);
                }
            }
        }
    }

    /// Tries until the engine has said yes or no. What may be there when the time is over counts as handed over: if it is not,
    /// the replayer sees that it is missing.
    async fn shipped(&mut self, partition: u32, next: u64, frames: &[Bytes]) -> Result<(), String> {
        let mut may_be_there = false;
        loop {
            let why = match self.shipping.ship(partition, next, frames).await {
                Ok(()) => {
                    self.trouble.set(None);
                    return Ok(());
                }
                Err(EngineError::Refused(why) | EngineError::Deposed(why)) => {
                    self.trouble.set(Some(why.clone()));
                    return Err(why);
                }
                Err(EngineError::Unanswered(why)) => {
                    may_be_there = true;
                    why
                }
                Err(EngineError::Unreached(why)) => why,
            };
            self.trouble.set(Some(why.clone()));
            if *self.cut.borrow() {
                return if may_be_there { Ok(()) } else { Err(why) };
            }
            self.keep().await;
            let mut cut = self.cut.clone();
            tokio::select! {
                () = sleep(RETRY_PAUSE) => {}
                _ = cut.wait_for(|cut| *cut) => {}
            }
        }
    }

    /// Each second: what was counted, and that this process lives.
    async fn keep(&mut self) {
        if Instant::now() >= self.keep_at {
            self.keep_at = Instant::now() + KEEP_INTERVAL;
            self.store(false).await;
        }
    }

    async fn keep_last(&mut self) {
        let until = Instant::now() + LAST_CHANGE_TIMEOUT;
        while !self.store(true).await && Instant::now() < until {
            sleep(RETRY_PAUSE).await;
        }
    }

    async fn store(&mut self, ends: bool) -> bool {
        let change = match self.keeping.change(0) {
            Ok(change) => change,
            Err(error) => {
                tracing::warn!("what was counted cannot be kept: {error:#}");
                return false;
            }
        };
        let fields = change.fields.into_iter();
        let change = StateChange {
            is_whole: change.is_whole,
            fields: fields.map(|(name, value)| (name, value.into())).collect(),
            holds: Vec::new(),
            ends,
        };
        let stored = self.shipping.store(&change).await;
        if let Err(error) = &stored {
            self.keeping.forget();
            tracing::debug!("what was counted is not kept yet: {error}");
        }
        stored.is_ok()
    }
}
