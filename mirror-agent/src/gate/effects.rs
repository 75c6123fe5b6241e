//! Looks for what the mirror filed about a request that it has answered.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use mirror_snapshot::{
    DEFAULT_WAIT, EffectsDocument, RedisStore, RequestId, SendId, WaitOptions, Waited,
    store::Waiter,
};
use tokio::time::{sleep, timeout};

/// The mirror files in the background while its answer is on the way: a look at once would mostly be in vain, and the next one
/// comes a tick later.
const HEAD_START: Duration = Duration::from_millis(3);
/// After so many looks in a row that found nothing, each takes `SHORT_LOOK` until one finds something. A mirror that announces
/// what it cannot file would else make each request wait for the whole time.
const MAX_MISSES: u32 = 20;
const SHORT_LOOK: Duration = Duration::from_millis(150);

/// The contract's limit, with room for another way to write the same.
const MAX_BYTES: usize = 1 << 20;

/// How the look for a mirror's effects ended.
#[derive(Debug)]
pub enum EffectsLook {
    Found(EffectsDocument),
    Missing,
    Failed(String),
}

/// One loop looks for all effects, in the store that the mirror writes to.
pub(super) struct EffectsWaiter {
    waiter: Waiter,
    misses: AtomicU32,
}

impl EffectsWaiter {
    pub(super) fn new(store: RedisStore) -> Self {
        Self {
            waiter: Waiter::new(store, WaitOptions::default()),
            misses: AtomicU32::new(0),
        }
    }

    pub(super) async fn look(&self, send: &SendId, id: &RequestId) -> EffectsLook {
        sleep(HEAD_START).await;
        let wait = self.waiter.wait_for_effects(send, id.clone());
        let looked = match timeout(self.patience(), wait).await {
            Ok(Waited::Hit(hit)) if hit.value.len() > MAX_BYTES => EffectsLook::Failed(format!(
                "it has {} bytes, and {MAX_BYTES} are the most",
                hit.value.len()
            )),
            Ok(Waited::Hit(hit)) => match EffectsDocument::from_bytes(&hit.value) {
                Ok(document) => EffectsLook::Found(document),
                Err(error) => EffectsLook::Failed(error.to_string()),
            },
            Ok(Waited::Missing { .. }) | Err(_) => EffectsLook::Missing,
            Ok(Waited::Unavailable(error)) => EffectsLook::Failed(error.to_string()),
        };
        self.learn(&looked);
        looked
    }

    fn patience(&self) -> Duration {
        match self.misses.load(Relaxed) < MAX_MISSES {
            // The waiter's own end comes first.
            true => 2 * DEFAULT_WAIT,
            false => SHORT_LOOK,
        }
    }

    fn learn(&self, looked: &EffectsLook) {
        match looked {
            EffectsLook::Found(_) => self.misses.store(0, Relaxed),
            EffectsLook::Missing | EffectsLook::Failed(_) => {
                self.misses.fetch_add(1, Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn looks_are_short_after_many_in_vain_until_one_finds_something() {
        let store = RedisStore::connect("redis://127.0.0.1:1").unwrap();
        let waiter = EffectsWaiter::new(store);
        for _ in 0..MAX_MISSES {
            assert!(waiter.patience() > DEFAULT_WAIT);
            waiter.learn(&EffectsLook::Missing);
        }
        assert_eq!(waiter.patience(), SHORT_LOOK);
        waiter.learn(&EffectsLook::Failed("no connection".into()));
        assert_eq!(waiter.patience(), SHORT_LOOK);
        waiter.learn(&EffectsLook::Found(EffectsDocument::default()));
        assert!(waiter.patience() > DEFAULT_WAIT);
    }
}
