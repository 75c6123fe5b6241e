//! Idle connections to the target. The one that was used last is used first, so that the others can end.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;

use tokio::time::{Instant, sleep_until};

use super::connection::Connection;

struct Idle {
    connection: Connection,
    /// Not to be used from then on.
    until: Instant,
}

pub(super) struct Pool {
    idle: Mutex<VecDeque<Idle>>,
    most: usize,
    /// A task ends what is idle for too long.
    is_swept: AtomicBool,
}

impl Pool {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            idle: Mutex::default(),
            most,
            is_swept: AtomicBool::new(false),
        })
    }

    /// A connection that was used before, and that the target has not closed as far as is known here.
    pub(super) async fn take(&self) -> Option<Connection> {
        loop {
            let Idle {
                mut connection,
                until,
            } = self.idle().pop_back()?;
            if until <= Instant::now() {
                continue;
            }
            let open = poll_fn(|context| Poll::Ready(connection.poll_is_open(context)));
            if open.await {
                return Some(connection);
            }
        }
    }

    pub(super) fn put(self: &Arc<Self>, connection: Connection, until: Instant) {
        let mut idle = self.idle();
        let surplus = (idle.len() >= self.most).then(|| idle.pop_front());
        idle.push_back(Idle { connection, until });
        drop(idle);
        // Closing is a system call.
        drop(surplus);
        if !self.is_swept.swap(true, Ordering::AcqRel) {
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
    }

    /// When to look again; `None` when nothing is idle.
    fn close_old(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut idle = self.idle();
        let mut old = Vec::new();
        while idle.front().is_some_and(|first| first.until <= now) {
            old.extend(idle.pop_front());
        }
        let next = idle.front().map(|first| first.until);
        if next.is_none() {
            self.is_swept.store(false, Ordering::Release);
        }
        drop(idle);
        next
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<Idle>> {
        // What a panicking task left are connections all the same.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes what is idle for too long, until nothing is idle.
async fn sweep(pool: Weak<Pool>) {
    while let Some(next) = pool.upgrade().and_then(|pool| pool.close_old()) {
        sleep_until(next).await;
    }
}
