//! A queue in memory, bounded by number and by bytes. The sending side never waits: what does
//! not fit is handed back, so that draining the kernel's ring cannot be held up by a slow mirror.
//!
//! An exchange takes up room until its [`Room`] is dropped, not only until it is taken from the
//! queue: the bounds hold for all that is between capture and verdict.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use tokio::sync::mpsc;

use mirror_core::policy::Admitted;

/// The most that may be between sink and verdict.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub exchanges: usize,
    pub bytes: usize,
}

/// Makes a queue of items that each hold an admitted exchange.
pub fn queue<T: AsRef<Admitted>>(bounds: Bounds) -> (Sink<T>, Source<T>) {
    // Never full: there are no more rooms than places.
    let (sender, receiver) = mpsc::channel(bounds.exchanges);
    let taken = Arc::new(Taken {
        bounds,
        exchanges: AtomicUsize::new(0),
        bytes: AtomicUsize::new(0),
    });
    (Sink { sender, taken }, Source { receiver })
}

#[derive(Debug)]
struct Taken {
    bounds: Bounds,
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
        (exchanges <= taken.bounds.exchanges && total <= taken.bounds.bytes).then_some(room)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.taken.exchanges.fetch_sub(1, Relaxed);
        self.taken.bytes.fetch_sub(self.bytes, Relaxed);
    }
}

#[derive(Debug)]
pub struct Sink<T> {
    sender: mpsc::Sender<(T, Room)>,
    taken: Arc<Taken>,
}

impl<T: AsRef<Admitted>> Sink<T> {
    /// Queues an item, or gives it back when there is no room or the reader is gone.
    pub fn offer(&self, item: T) -> Result<(), T> {
        let Some(room) = Room::take(&self.taken, item.as_ref().held_bytes()) else {
            return Err(item);
        };
        self.sender
            .try_send((item, room))
            .map_err(|refused| refused.into_inner().0)
    }
}

#[derive(Debug)]
pub struct Source<T> {
    receiver: mpsc::Receiver<(T, Room)>,
}

impl<T> Source<T> {
    /// The next item and the room that it takes up; None when the sink is gone and the queue empty.
    pub async fn next(&mut self) -> Option<(T, Room)> {
        self.receiver.recv().await
    }
}
