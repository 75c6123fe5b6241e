//! A queue in memory, bounded by number and by bytes. The sending side never waits: what does
//! not fit is handed back, so that draining the kernel's ring cannot be held up by a slow mirror.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use tokio::sync::mpsc;

use crate::policy::Admitted;

/// The most that may wait in the queue.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub exchanges: usize,
    pub bytes: usize,
}

/// Makes a queue of items that each hold an admitted exchange.
pub fn queue<T: AsRef<Admitted>>(bounds: Bounds) -> (Sink<T>, Source<T>) {
    let (sender, receiver) = mpsc::channel(bounds.exchanges);
    let held = Arc::new(AtomicUsize::new(0));
    let sink = Sink {
        sender,
        held: Arc::clone(&held),
        cap: bounds.bytes,
    };
    (sink, Source { receiver, held })
}

#[derive(Debug)]
pub struct Sink<T> {
    sender: mpsc::Sender<T>,
    held: Arc<AtomicUsize>,
    cap: usize,
}

impl<T: AsRef<Admitted>> Sink<T> {
    /// Queues an item, or gives it back when the queue is full or its reader is gone.
    pub fn offer(&self, item: T) -> Result<(), T> {
        let bytes = item.as_ref().held_bytes();
        if self.held.fetch_add(bytes, Relaxed) + bytes > self.cap {
            self.held.fetch_sub(bytes, Relaxed);
            return Err(item);
        }
        self.sender.try_send(item).map_err(|refused| {
            self.held.fetch_sub(bytes, Relaxed);
            match refused {
                mpsc::error::TrySendError::Full(item) | mpsc::error::TrySendError::Closed(item) => {
                    item
                }
            }
        })
    }
}

#[derive(Debug)]
pub struct Source<T> {
    receiver: mpsc::Receiver<T>,
    held: Arc<AtomicUsize>,
}

impl<T: AsRef<Admitted>> Source<T> {
    /// The next item; None when the sink is gone and the queue is empty.
    pub async fn next(&mut self) -> Option<T> {
        let item = self.receiver.recv().await?;
        self.held.fetch_sub(item.as_ref().held_bytes(), Relaxed);
        Some(item)
    }
}
