//! Looks for what the mirror filed about a request that it has answered.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use mirror_core::verdict::Side;
use mirror_snapshot::{
    DEFAULT_WAIT, EffectsDocument, MAX_EFFECTS_BYTES, RedisStore, RequestId, SendId, WaitOptions,
    Waited, store::Waiter,
};
use tokio::time::{sleep, timeout};

/// The mirror files in the background while its answer is on the way: a look at once would mostly be in vain, and the next one
/// comes a tick later.
const HEAD_START: Duration = Duration::from_millis(3);
/// After so many looks in a row that found nothing, each takes `SHORT_LOOK` until one finds something. A mirror that announces
/// what it cannot file would else make each request wait for the whole time.
const MAX_MISSES: u32 = 20;
const SHORT_LOOK: Duration = Duration::from_millis(150);

/// The contract's limit, with room for those who keep it in another way of writing than the one that they file.
const MAX_BYTES: usize = 4 * MAX_EFFECTS_BYTES;

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
    candidate: Misses,
    control: Misses,
}

/// Looks in a row that found nothing, of one side: what the other one files says nothing about it.
#[derive(Default)]
struct Misses(AtomicU32);

impl EffectsWaiter {
    pub(super) fn new(store: RedisStore) -> Self {
        Self {
            waiter: Waiter::new(store, WaitOptions::default()),
            candidate: Misses::default(),
            control: Misses::default(),
        }
    }

    pub(super) async fn look(&self, side: Side, send: &SendId, id: &RequestId) -> EffectsLook {
        sleep(HEAD_START).await;
        let misses = self.misses(side);
        let wait = self.waiter.wait_for_effects(send, id.clone());
        let looked = match timeout(misses.patience(), wait).await {
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
        misses.learn(&looked);
        looked
    }

    fn misses(&self, side: Side) -> &Misses {
        match side {
            Side::Control => &self.control,
            Side::Candidate | Side::Production => &self.candidate,
        }
    }
}

impl Misses {
    fn patience(&self) -> Duration {
        match self.0.load(Relaxed) < MAX_MISSES {
            // The waiter's own end comes first.
            true => 2 * DEFAULT_WAIT,
            false => SHORT_LOOK,
        }
    }

    fn learn(&self, looked: &EffectsLook) {
        match looked {
            EffectsLook::Found(_) => self.0.store(0, Relaxed),
            EffectsLook::Missing | EffectsLook::Failed(_) => {
                self.0.fetch_add(1, Relaxed);
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
        let misses = waiter.misses(Side::Candidate);
        for _ in 0..MAX_MISSES {
            assert!(misses.patience() > DEFAULT_WAIT);
            misses.learn(&EffectsLook::Missing);
        }
        assert_eq!(misses.patience(), SHORT_LOOK);
        misses.learn(&EffectsLook::Failed("no connection".into()));
        assert_eq!(misses.patience(), SHORT_LOOK);
        // A control that files its effects does not make the candidate wait again, nor the other way round.
        let control = waiter.misses(Side::Control);
        assert!(control.patience() > DEFAULT_WAIT);
        control.learn(&EffectsLook::Found(EffectsDocument::default()));
        assert_eq!(misses.patience(), SHORT_LOOK);
        misses.learn(&EffectsLook::Found(EffectsDocument::default()));
        assert!(misses.patience() > DEFAULT_WAIT);
    }
}
