//! The time until which a connection is served.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// It can be put off by what still goes on.
#[derive(Debug)]
pub(super) struct Deadline(Mutex<Instant>);

impl Deadline {
    pub(super) fn after(time: Duration) -> Self {
        Self(Mutex::new(Instant::now() + time))
    }

    /// From now on there is so much time again, or more.
    pub(super) fn put_off(&self, time: Duration) {
        let mut at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *at = (*at).max(Instant::now() + time);
    }

    pub(super) async fn passed(&self) {
        loop {
            let at = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if at <= Instant::now() {
                return;
            }
            sleep_until(at).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_passes_when_it_is_no_longer_put_off() {
        let deadline = Deadline::after(Duration::from_millis(10));
        deadline.put_off(Duration::from_millis(80));
        deadline.put_off(Duration::from_millis(1));
        let began = Instant::now();
        deadline.passed().await;
        assert!(began.elapsed() >= Duration::from_millis(80));
    }
}
