//! A queue in memory, bounded by number and by bytes.
//!
//! An exchange takes up room until its [`Room`] is dropped, not only until it is taken from the
//! queue: the bounds hold for all that is between capture and verdict.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use tokio::sync::mpsc;

use super::{Delivery, TransportOptions};

pub fn queue(bounds: &TransportOptions) -> (Sender, Receiver) {
    // Never full: there are no more rooms than places.
    let (sender, receiver) = mpsc::channel(bounds.exchanges.get());
    let taken = Arc::new(Taken {
        bounds: bounds.clone(),
        exchanges: AtomicUsize::new(0),
        bytes: AtomicUsize::new(0),
    });
    (Sender { sender, taken }, Receiver { receiver })
}

#[derive(Debug)]
struct Taken {
    bounds: TransportOptions,
    exchanges: AtomicUsize,
    bytes: AtomicUsize,
}

/// What one exchange takes up of the bounds, until it is dropped.
#[derive(Debug)]
pub struct Room {
    taken: Arc<Taken>,
    bytes: usize,
}

impl Room {
    /// None when one of the bounds would be passed.
    fn take(taken: &Arc<Taken>, bytes: usize) -> Option<Self> {
        let exchanges = taken.exchanges.fetch_add(1, Relaxed) + 1;
        let total = taken.bytes.fetch_add(bytes, Relaxed) + bytes;
        // Dropped again, it gives back what was just added.
        let room = Self {
            taken: Arc::clone(taken),
            bytes,
        };
        let bounds = &taken.bounds;
        (exchanges <= bounds.exchanges.get() && total as u64 <= bounds.bytes.as_u64())
            .then_some(room)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.taken.exchanges.fetch_sub(1, Relaxed);
        self.taken.bytes.fetch_sub(self.bytes, Relaxed);
    }
}

pub struct Sender {
    sender: mpsc::Sender<(Delivery, Room)>,
    taken: Arc<Taken>,
}

impl Sender {
    pub(super) fn offer(&self, delivery: Delivery) -> Result<(), Box<Delivery>> {
        let Some(room) = Room::take(&self.taken, delivery.envelope.held_bytes()) else {
            return Err(delivery.into());
        };
        self.sender
            .try_send((delivery, room))
            .map_err(|refused| refused.into_inner().0.into())
    }
}

pub struct Receiver {
    receiver: mpsc::Receiver<(Delivery, Room)>,
}

impl Receiver {
    /// `None` when the sender is gone and the queue empty.
    pub(super) async fn next(&mut self) -> Option<(Delivery, Room)> {
        self.receiver.recv().await
    }
}
