//! An answer that is made at most so often, however many ask for it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::Instant;

/// An answer that took long to make is kept so many times longer: watching a run must not cost more than the run.
const REST: u32 = 10;

/// One answer, and how it is made.
pub(super) struct Fresh<T> {
    make: Arc<dyn Fn() -> T + Send + Sync>,
    /// One that is younger is given again.
    min_age: Duration,
    last: Mutex<Option<Made<T>>>,
}

struct Made<T> {
    answer: Arc<T>,
    at: Instant,
    good_for: Duration,
}

impl<T: Send + Sync + 'static> Fresh<T> {
    pub(super) fn new(min_age: Duration, make: impl Fn() -> T + Send + Sync + 'static) -> Self {
        Self {
            make: Arc::new(make),
            min_age,
            last: Mutex::default(),
        }
    }

    /// One is made at a time, away from the runtime's threads: counters are read from the kernel, and a run is decided.
    pub(super) async fn get(&self) -> Result<Arc<T>, JoinError> {
        let mut last = self.last.lock().await;
        if let Some(made) = &*last
            && made.at.elapsed() < made.good_for
        {
            return Ok(Arc::clone(&made.answer));
        }
        let (began, make) = (Instant::now(), Arc::clone(&self.make));
        let answer = Arc::new(spawn_blocking(move || make()).await?);
        let at = Instant::now();
        *last = Some(Made {
            answer: Arc::clone(&answer),
            at,
            good_for: self.min_age.max(REST * (at - began)),
        });
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    use std::thread;

    use super::*;

    fn counting(min_age: Duration, cost: Duration) -> Fresh<u64> {
        let made = AtomicU64::new(0);
        Fresh::new(min_age, move || {
            thread::sleep(cost);
            made.fetch_add(1, Relaxed) + 1
        })
    }

    #[tokio::test]
    async fn a_young_answer_is_given_again() {
        let fresh = counting(Duration::from_secs(3600), Duration::ZERO);
        for _ in 0..3 {
            assert_eq!(*fresh.get().await.unwrap(), 1);
        }
        let fresh = counting(Duration::ZERO, Duration::ZERO);
        let first = *fresh.get().await.unwrap();
        while *fresh.get().await.unwrap() == first {}
    }

    #[tokio::test]
    async fn an_answer_that_was_hard_to_make_is_kept_longer() {
        let fresh = counting(Duration::ZERO, Duration::from_millis(300));
        // Three seconds, in which nothing else is made.
        for _ in 0..3 {
            assert_eq!(*fresh.get().await.unwrap(), 1);
        }
    }
}
