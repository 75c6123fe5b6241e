//! The connections of a listener that are served at a time. Their number is bounded, and the newest stay.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{task::JoinHandle, time::sleep};

/// A pause of this length after so many connections bounds what a flood of them costs the host: at most 8,000 a second are
/// accepted, and nobody who wants an answer has to wait for long.
const PAUSE: Duration = Duration::from_millis(1);
const CONNECTIONS_PER_PAUSE: u64 = 8;

/// At most `max` connections, oldest first.
///
/// One more ends the oldest. If it were refused instead, a few clients that say nothing could keep everybody out; this way
/// a client that speaks at once is answered, however many come beside it.
#[derive(Debug)]
pub(super) struct Connections {
    max: usize,
    served: VecDeque<Served>,
    /// Connections that ever came.
    count: u64,
}

#[derive(Debug)]
struct Served {
    task: JoinHandle<()>,
    hold: Hold,
}

/// Set by a connection that must not be ended for a newer one.
#[derive(Clone, Debug, Default)]
pub(super) struct Hold(Arc<AtomicBool>);

impl Hold {
    pub(super) fn set(&self) {
        self.0.store(true, Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Relaxed)
    }
}

impl Connections {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            served: VecDeque::with_capacity(max),
            count: 0,
        }
    }

    /// Serves one more connection. It is dropped at once when all others hold their place.
    pub(super) async fn serve<F>(&mut self, work: impl FnOnce(Hold) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.count += 1;
        if self.count.is_multiple_of(CONNECTIONS_PER_PAUSE) {
            sleep(PAUSE).await;
        }
        self.served.retain(|served| !served.task.is_finished());
        if self.served.len() >= self.max && !self.end_oldest().await {
            return;
        }
        let hold = Hold::default();
        let task = tokio::spawn(work(hold.clone()));
        self.served.push_back(Served { task, hold });
    }

    /// Returns when the connection's descriptor is free again; false if all hold their place.
    async fn end_oldest(&mut self) -> bool {
        let oldest = self.served.iter().position(|s| !s.hold.is_set());
        let Some(served) = oldest.and_then(|index| self.served.remove(index)) else {
            return false;
        };
        served.task.abort();
        // It was aborted, or has just ended: both are what is wanted.
        let _ = served.task.await;
        true
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    /// A connection that never ends by itself; the receiver tells when it was ended.
    fn endless(held: bool) -> (impl FnOnce(Hold) -> BoxedWork, oneshot::Receiver<()>) {
        let (alive, ended) = oneshot::channel::<()>();
        let work = move |hold: Hold| -> BoxedWork {
            if held {
                hold.set();
            }
            Box::pin(async move {
                let _alive = alive;
                std::future::pending::<()>().await;
            })
        };
        (work, ended)
    }

    type BoxedWork = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

    fn is_ended(connection: &mut oneshot::Receiver<()>) -> bool {
        connection.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }

    #[tokio::test]
    async fn one_more_ends_the_oldest() {
        let mut connections = Connections::new(2);
        let mut ends = Vec::new();
        for _ in 0..4 {
            let (work, ended) = endless(false);
            connections.serve(work).await;
            ends.push(ended);
        }
        let ended: Vec<bool> = ends.iter_mut().map(is_ended).collect();
        assert_eq!(ended, [true, true, false, false]);
    }

    #[tokio::test]
    async fn a_held_place_is_kept_and_when_all_are_held_the_newest_goes() {
        let mut connections = Connections::new(2);
        let mut ends = Vec::new();
        for held in [true, false, true, false] {
            let (work, ended) = endless(held);
            connections.serve(work).await;
            ends.push(ended);
        }
        let ended: Vec<bool> = ends.iter_mut().map(is_ended).collect();
        assert_eq!(ended, [false, true, false, true]);
    }

    #[tokio::test]
    async fn places_of_connections_that_ended_are_free() {
        let mut connections = Connections::new(1);
        connections.serve(|_| async {}).await;
        tokio::task::yield_now().await;
        let (work, mut ended) = endless(true);
        connections.serve(work).await;
        assert!(!is_ended(&mut ended));
    }
}
