//! A thread that has what waits: the calls of librdkafka block, and the task that asks for them must not.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::super::engine::EngineError;

/// A consumer says goodbye to its group; one that cannot is left behind.
const GOODBYE: Duration = Duration::from_secs(3);

const FOREVER: Duration = Duration::from_secs(3600);

type Job<T> = Box<dyn FnOnce(&mut T) + Send>;

/// Does one thing after the other with what it has.
pub(super) struct Worker<T> {
    /// None while it ends.
    jobs: Option<SyncSender<Job<T>>>,
    ended: Receiver<()>,
}

impl<T: 'static> Worker<T> {
    /// `make` runs on the thread.
    pub(super) async fn start(
        make: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
    ) -> Result<Self, EngineError> {
        Self::watched(make, FOREVER, |_| {}).await
    }

    /// When nobody has asked for anything for `silence`, it is as if the process were dead.
    pub(super) async fn watched(
        make: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
        silence: Duration,
        let_go: fn(&mut T),
    ) -> Result<Self, EngineError> {
        // Each waits for the answer to its job, so there is one at a time, and one that nobody waits for any longer.
        let (jobs, queue) = sync_channel::<Job<T>>(8);
        let (end, ended) = sync_channel(1);
        let (made, was_made) = oneshot::channel();
        let work = move || {
            let end: SyncSender<()> = end;
            let mut held = match make() {
                Ok(held) => held,
                Err(error) => {
                    let _ = made.send(Err(error));
                    return;
                }
            };
            if made.send(Ok(())).is_ok() {
                serve(&queue, &mut held, silence, let_go);
            }
            drop(held);
            drop(end);
        };
        thread::Builder::new()
            .name("kafka".into())
            .spawn(work)
            .map_err(|error| EngineError::Refused(format!("kafka: starting a thread: {error}")))?;
        was_made.await.map_err(|_| gone())??;
        Ok(Self {
            jobs: Some(jobs),
            ended,
        })
    }

    /// The result of some work, which may be given back if nobody wants it any longer.
    pub(super) async fn ask<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut T) -> Result<R, EngineError> + Send + 'static,
        take_back: fn(&mut T, R),
    ) -> Result<R, EngineError> {
        let (answer, answered) = oneshot::channel();
        let job = move |held: &mut T| {
            let result = work(held);
            if let Err(Ok(result)) = answer.send(result) {
                take_back(held, result);
            }
        };
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        jobs.try_send(Box::new(job)).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

fn serve<T>(queue: &Receiver<Job<T>>, held: &mut T, silence: Duration, let_go: fn(&mut T)) {
    loop {
        match queue.recv_timeout(silence) {
            Ok(job) => job(held),
            Err(RecvTimeoutError::Timeout) => let_go(held),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn gone() -> EngineError {
    EngineError::Refused("kafka: the thread of its client has ended".into())
}

impl<T> Drop for Worker<T> {
    fn drop(&mut self) {
        self.jobs = None;
        // It ends when the other side is dropped.
        let waited = self.ended.recv_timeout(GOODBYE);
        if matches!(waited, Err(RecvTimeoutError::Timeout)) {
            tracing::debug!("a client of Kafka takes long to end");
        }
    }
}
