//! A queue in memory, bounded by number and by bytes.
//!
//! An exchange takes up room until its [`Room`] is dropped, not only until it is taken from the
//! queue: the bounds hold for all that is between capture and verdict. What the mirror answered takes up room too. It may pass the
//! bound of bytes, because it is there already; then no more exchanges are let in until there is room again.
//!
//! The receiver takes all that is there at once, and is woken once for all that the sender has offered since it last flushed:
//! waking another thread costs more than anything else here.

use std::mem;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use tokio::sync::Notify;

use super::{Delivery, TransportOptions};

/// Deliveries after which the receiver is woken even if the sender has more to come.
const WAKE_AFTER: usize = 32;

pub fn queue(bounds: &TransportOptions) -> (Sender, Receiver) {
    let queue = Arc::new(Queue::default());
    let taken = Arc::new(Taken {
        bounds: bounds.clone(),
        exchanges: AtomicUsize::new(0),
        bytes: AtomicUsize::new(0),
    });
    let sender = Sender {
        queue: Arc::clone(&queue),
        taken,
    };
    (sender, Receiver { queue })
}

/// What was offered and not yet taken. There is never more of it than there are rooms.
#[derive(Default)]
struct Queue {
    offered: Mutex<Offered>,
    wake: Notify,
}

#[derive(Default)]
struct Offered {
    deliveries: Vec<Arrival>,
    /// How many of them the receiver was not woken for.
    unannounced: usize,
    /// One of the two ends is gone.
    is_closed: bool,
}

/// A delivery, and the room that it takes up until it is judged.
pub type Arrival = (Box<Delivery>, Room);

impl Queue {
    fn offered(&self) -> MutexGuard<'_, Offered> {
        self.offered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.offered().is_closed = true;
        self.wake.notify_one();
    }
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
    /// 1 while it counts as an exchange.
    exchanges: usize,
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
            exchanges: 1,
            bytes,
        };
        let bounds = &taken.bounds;
        (exchanges <= bounds.exchanges.get() && total as u64 <= bounds.bytes.as_u64())
            .then_some(room)
    }

    /// What else is held for the exchange takes up room of its own, whatever the bound is.
    pub fn beside(&self, bytes: usize) -> Self {
        self.taken.bytes.fetch_add(bytes, Relaxed);
        Self {
            taken: Arc::clone(&self.taken),
            exchanges: 0,
            bytes,
        }
    }

    /// Takes up so many bytes more, whatever the bound is.
    pub fn grow(&mut self, bytes: usize) {
        self.taken.bytes.fetch_add(bytes, Relaxed);
        self.bytes += bytes;
    }

    /// The exchange is gone, and only its verdict waits: from now on it takes up these bytes.
    pub fn shrink_to_verdict(&mut self, bytes: usize) {
        self.taken.exchanges.fetch_sub(self.exchanges, Relaxed);
        self.taken.bytes.fetch_add(bytes, Relaxed);
        self.taken.bytes.fetch_sub(self.bytes, Relaxed);
        (self.exchanges, self.bytes) = (0, bytes);
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.taken.exchanges.fetch_sub(self.exchanges, Relaxed);
        self.taken.bytes.fetch_sub(self.bytes, Relaxed);
    }
}

pub struct Sender {
    queue: Arc<Queue>,
    taken: Arc<Taken>,
}

impl Sender {
    pub(super) fn offer(&self, delivery: Box<Delivery>) -> Result<(), Box<Delivery>> {
        let Some(room) = Room::take(&self.taken, delivery.envelope.held_bytes()) else {
            // Whoever makes room must know of what is there.
            self.flush();
            return Err(delivery);
        };
        let mut offered = self.queue.offered();
        if offered.is_closed {
            return Err(delivery);
        }
        offered.deliveries.push((delivery, room));
        offered.unannounced += 1;
        let is_much = offered.unannounced >= WAKE_AFTER;
        drop(offered);
        if is_much {
            self.flush();
        }
        Ok(())
    }

    pub(super) fn is_full(&self) -> bool {
        let Taken {
            bounds,
            exchanges,
            bytes,
        } = &*self.taken;
        // No exchange takes more than half of all bytes: `Config` sees to it.
        exchanges.load(Relaxed) >= bounds.exchanges.get()
            || bytes.load(Relaxed) as u64 > bounds.bytes.as_u64() / 2
    }

    pub(super) fn flush(&self) {
        if mem::take(&mut self.queue.offered().unannounced) > 0 {
            self.queue.wake.notify_one();
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.queue.close();
    }
}

pub struct Receiver {
    queue: Arc<Queue>,
}

impl Receiver {
    pub(super) async fn take(&mut self, batch: &mut Vec<Arrival>) -> bool {
        loop {
            {
                let mut offered = self.queue.offered();
                offered.unannounced = 0;
                if !offered.deliveries.is_empty() {
                    batch.append(&mut offered.deliveries);
                    return true;
                }
                if offered.is_closed {
                    return false;
                }
            }
            self.queue.wake.notified().await;
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.queue.close();
        // Away from the lock: what is dropped ends in the ledger.
        let left = mem::take(&mut self.queue.offered().deliveries);
        drop(left);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use futures_util::FutureExt;
    use mirror_core::exchange::{Exchange, Request};
    use mirror_core::identity::Identity;
    use mirror_core::ledger::Outcome;
    use mirror_core::policy::Policy;

    use super::*;
    use crate::report::{CaptureCounters, Recorder, RunInfo, Ticket};

    /// A queue for so many exchanges, and the ledger of what goes through it.
    fn queue_of(exchanges: usize) -> (Sender, Receiver, Arc<Recorder>) {
        let bounds = TransportOptions {
            exchanges: exchanges.try_into().unwrap(),
            ..TransportOptions::default()
        };
        let (sender, receiver) = queue(&bounds);
        let recorder = Recorder::new(RunInfo::default());
        (sender, receiver, Arc::new(recorder))
    }

    fn delivery(recorder: &Arc<Recorder>, path: &str) -> Box<Delivery> {
        let address = "127.0.0.1:80".parse().unwrap();
        let exchange = Exchange::new(address, address, Request::new("GET", path.to_owned()));
        let policy = Policy::default();
        let ticket = Ticket::new(recorder, policy.redactor(), &exchange);
        let identity = |_: &Exchange| Identity::default();
        let admitted = policy.admit(&"host".into(), exchange, identity);
        Box::new(Delivery {
            envelope: admitted.unwrap(),
            ticket,
            due: Instant::now(),
        })
    }

    fn take_now(receiver: &mut Receiver) -> Option<Vec<Arrival>> {
        let mut batch = Vec::new();
        let took = receiver.take(&mut batch).now_or_never()?;
        assert_eq!(took, !batch.is_empty());
        Some(batch)
    }

    #[test]
    fn all_that_is_there_is_taken_at_once_and_in_order() {
        let (sender, mut receiver, recorder) = queue_of(10);
        assert!(take_now(&mut receiver).is_none(), "it waits");
        for path in ["/1", "/2", "/3"] {
            assert!(sender.offer(delivery(&recorder, path)).is_ok());
        }
        let batch = take_now(&mut receiver).unwrap();
        let path = |(delivery, _): &Arrival| delivery.envelope.exchange().path().into_owned();
        assert_eq!(
            batch.iter().map(path).collect::<Vec<_>>(),
            ["/1", "/2", "/3"]
        );
        drop(sender);
        assert!(
            take_now(&mut receiver).unwrap().is_empty(),
            "no more will come"
        );
    }

    #[test]
    fn an_exchange_takes_room_until_it_is_judged() {
        let (sender, mut receiver, recorder) = queue_of(2);
        assert!(sender.offer(delivery(&recorder, "/1")).is_ok());
        assert!(!sender.is_full());
        assert!(sender.offer(delivery(&recorder, "/2")).is_ok());
        let batch = take_now(&mut receiver).unwrap();
        assert!(sender.is_full());
        assert!(sender.offer(delivery(&recorder, "/3")).is_err());
        drop(batch);
        assert!(!sender.is_full());
        assert!(sender.offer(delivery(&recorder, "/4")).is_ok());
    }

    #[test]
    fn answers_take_up_bytes_until_they_are_judged_and_a_verdict_that_waits_takes_up_its_own() {
        let (sender, mut receiver, recorder) = queue_of(2);
        let bound = sender.taken.bounds.bytes.as_u64() as usize;
        let taken = || {
            let Taken {
                exchanges, bytes, ..
            } = &*sender.taken;
            (exchanges.load(Relaxed), bytes.load(Relaxed))
        };
        assert!(sender.offer(delivery(&recorder, "/1")).is_ok());
        let own = taken().1;
        let mut batch = take_now(&mut receiver).unwrap();
        let (_, room) = &mut batch[0];
        room.grow(bound + 1);
        assert_eq!(taken(), (1, own + bound + 1));
        assert!(sender.is_full());
        assert!(sender.offer(delivery(&recorder, "/2")).is_err());
        let beside = room.beside(30);
        assert_eq!(taken(), (1, own + bound + 1 + 30));
        room.shrink_to_verdict(700);
        assert_eq!(taken(), (0, 730));
        drop(beside);
        assert_eq!(taken(), (0, 700));
        assert!(sender.offer(delivery(&recorder, "/3")).is_ok());
        drop(batch);
        assert_eq!(taken(), (1, own));
    }

    #[test]
    fn what_nobody_takes_ends_in_the_ledger() {
        let (sender, receiver, recorder) = queue_of(10);
        assert!(sender.offer(delivery(&recorder, "/1")).is_ok());
        drop(receiver);
        assert!(sender.offer(delivery(&recorder, "/2")).is_err());
        let ledger = recorder.results(CaptureCounters::default()).ledger;
        assert_eq!((ledger.seen, ledger.in_flight()), (2, 0));
        assert_eq!(ledger.outcomes[Outcome::Interrupted.name()], 2);
    }

    #[test]
    fn a_waiting_receiver_is_woken_by_a_flush() {
        let (sender, mut receiver, recorder) = queue_of(10);
        let mut batch = Vec::new();
        let mut taking = Box::pin(receiver.take(&mut batch));
        assert!((&mut taking).now_or_never().is_none());
        assert!(sender.offer(delivery(&recorder, "/1")).is_ok());
        sender.flush();
        assert_eq!(taking.now_or_never(), Some(true));
    }
}
