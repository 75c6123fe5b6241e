//! Any number of waits on one connection: each tick looks for all of them with a few commands.

use std::{
    collections::HashSet,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt, future::join_all};
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

use super::{RedisStore, StoreError};
use crate::{DEFAULT_POLL, DEFAULT_WAIT, RequestId, SendId};

/// Keys of one command: keeps what one answer may hold, and how long it blocks the store, small.
const KEYS_AT_ONCE: usize = 512;
/// Between ticks where the store tells of snapshots by itself.
const TICK_WHEN_WOKEN: Duration = Duration::from_secs(1);
/// Notifications that come within this time are looked for together.
const GATHER: Duration = Duration::from_millis(10);
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

/// How long is waited, and how often is looked meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct WaitOptions {
    pub timeout: Duration,
    pub poll: Duration,
    /// Also be woken by the store's keyspace notifications, where its `notify-keyspace-events` holds `K$` or
    /// `KA`; once one came, ticks are a second apart.
    pub notify: bool,
    /// Looks that may fail one after the other before the store counts as unavailable.
    pub tries: u32,
}

impl Default for WaitOptions {
    fn default() -> Self {
        Self {
            timeout: DEFAULT_WAIT,
            poll: DEFAULT_POLL,
            notify: false,
            tries: 3,
        }
    }
}

/// How a wait ended.
#[derive(Debug)]
pub enum Waited {
    Hit(WaitHit),
    Missing {
        waited: Duration,
        /// There was one, and it was not accepted.
        refused: bool,
    },
    Unavailable(StoreError),
}

/// A value that was waited for.
#[derive(Clone, Debug)]
pub struct WaitHit {
    pub id: RequestId,
    pub value: Bytes,
    pub waited: Duration,
    /// Found by the first look.
    pub at_once: bool,
    /// How much longer it lives, where the store told.
    pub ttl: Option<Duration>,
}

/// Whether a value that stands under an id is the one that is waited for.
pub type Accept = Box<dyn Fn(&RequestId, &[u8]) -> bool + Send + Sync>;

/// Waits for snapshots, for any number of callers at once. Clones share what they wait for.
#[derive(Clone)]
pub struct Waiter(Arc<Shared>);

struct Shared {
    store: RedisStore,
    options: WaitOptions,
    waiting: Mutex<Waiting>,
    arrived: Notify,
    /// The store has told of a snapshot.
    hears: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    /// Not looked for yet.
    fresh: Vec<Wait>,
    known: Vec<Wait>,
    /// Keys that were written while somebody waited for them.
    written: HashSet<String>,
    running: bool,
}

struct Wait {
    ids: Vec<RequestId>,
    /// Of each id.
    keys: Vec<String>,
    accept: Accept,
    began: Instant,
    looks: u32,
    /// Looks that failed, one after the other.
    failures: u32,
    refused: bool,
    /// Whether it is asked how long a value lives.
    wants_ttl: bool,
    done: oneshot::Sender<Waited>,
}

impl Waiter {
    pub fn new(store: RedisStore, options: WaitOptions) -> Self {
        let shared = Arc::new(Shared {
            store,
            options,
            waiting: Mutex::default(),
            arrived: Notify::new(),
            hears: AtomicBool::new(false),
        });
        if options.notify {
            tokio::spawn(listen(Arc::downgrade(&shared)));
        }
        Self(shared)
    }

    pub fn store(&self) -> &RedisStore {
        &self.0.store
    }

    /// How many are waiting now.
    pub fn waiting(&self) -> usize {
        let waiting = self.0.waiting();
        waiting.fresh.len() + waiting.known.len()
    }

    /// Looks until something acceptable stands under one of the ids, which must not be empty, or the time
    /// is over.
    pub async fn wait(&self, ids: Vec<RequestId>, accept: Accept) -> Waited {
        let keys = ids.iter().map(|id| self.0.store.keys().key(id)).collect();
        let (wait, outcome) = Wait::new(ids, keys, accept);
        self.add(wait, outcome).await
    }

    /// Looks for what the mirror files about one sending of a request.
    pub async fn wait_for_effects(&self, send: &SendId, id: RequestId) -> Waited {
        let keys = vec![self.0.store.keys().effects(send, &id)];
        let (mut wait, outcome) = Wait::new(vec![id], keys, Box::new(|_, _| true));
        wait.wants_ttl = false;
        self.add(wait, outcome).await
    }

    async fn add(&self, wait: Wait, outcome: oneshot::Receiver<Waited>) -> Waited {
        {
            let mut waiting = self.0.waiting();
            waiting.fresh.push(wait);
            if !mem::replace(&mut waiting.running, true) {
                tokio::spawn(Arc::clone(&self.0).run());
            }
        }
        self.0.arrived.notify_one();
        let gone = || Waited::Missing {
            waited: Duration::ZERO,
            refused: false,
        };
        outcome.await.unwrap_or_else(|_| gone())
    }
}

impl Shared {
    /// Looks at once for what is new and every tick for all, until nobody waits.
    async fn run(self: Arc<Self>) {
        let mut next_tick = Instant::now() + self.options.poll;
        loop {
            let is_tick = tokio::select! {
                () = tokio::time::sleep_until(next_tick) => true,
                () = self.arrived.notified() => {
                    self.gather().await;
                    false
                }
            };
            let mut looked = self.waiting().due();
            if is_tick {
                next_tick = Instant::now() + self.tick();
                looked.append(&mut self.waiting().known);
            }
            let mut left = self.look(looked).await;
            let mut waiting = self.waiting();
            waiting.known.append(&mut left);
            if waiting.known.is_empty() && waiting.fresh.is_empty() {
                waiting.running = false;
                return;
            }
        }
    }

    /// Lets notifications come that are on their way.
    async fn gather(&self) {
        if self.hears.load(Relaxed) {
            tokio::time::sleep(GATHER).await;
        }
    }

    fn tick(&self) -> Duration {
        if self.hears.load(Relaxed) {
            self.options.poll.max(TICK_WHEN_WOKEN)
        } else {
            self.options.poll
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the waits that are over and gives back the others.
    async fn look(&self, mut waits: Vec<Wait>) -> Vec<Wait> {
        // Who does not wait any more is not looked for.
        waits.retain(|wait| !wait.done.is_closed());
        let looks = batches(waits).into_iter().map(|batch| self.look_for(batch));
        join_all(looks).await.into_iter().flatten().collect()
    }

    async fn look_for(&self, batch: Vec<Wait>) -> Vec<Wait> {
        let keys = batch.iter().flat_map(|wait| &wait.keys);
        let values = self.store.fetch(keys.map(String::as_str)).await;
        let mut left = Vec::new();
        let mut found = Vec::new();
        let mut values = values.map(Vec::into_iter);
        for mut wait in batch {
            wait.looks += 1;
            let hit = match &mut values {
                Ok(values) => {
                    wait.failures = 0;
                    let theirs: Vec<_> = values.by_ref().take(wait.ids.len()).collect();
                    wait.choose(theirs)
                }
                Err(error) => {
                    wait.failures += 1;
                    if wait.failures >= self.options.tries || wait.has_only_failed(&self.options) {
                        wait.end(Waited::Unavailable(error.clone()));
                        continue;
                    }
                    None
                }
            };
            match hit {
                Some((id, value)) => found.push((wait, id, value)),
                None if wait.is_over(&self.options) => {
                    let outcome = Waited::Missing {
                        waited: wait.began.elapsed(),
                        refused: wait.refused,
                    };
                    wait.end(outcome);
                }
                None => left.push(wait),
            }
        }
        self.finish(found).await;
        left
    }

    async fn finish(&self, found: Vec<(Wait, RequestId, Bytes)>) {
        if found.is_empty() {
            return;
        }
        let ids = found.iter().filter(|(wait, ..)| wait.wants_ttl);
        let ids: Vec<_> = ids.map(|(_, id, _)| id.clone()).collect();
        let mut ttls = self.store.ttls(&ids).await.into_iter();
        for (wait, id, value) in found {
            let ttl = if wait.wants_ttl { ttls.next() } else { None };
            let ttl = ttl.flatten();
            let hit = WaitHit {
                id,
                value,
                waited: wait.began.elapsed(),
                at_once: wait.looks == 1,
                ttl,
            };
            wait.end(Waited::Hit(hit));
        }
    }
}

impl Waiting {
    /// What is new, and what was told of.
    fn due(&mut self) -> Vec<Wait> {
        let mut due = mem::take(&mut self.fresh);
        if !self.written.is_empty() {
            let written = mem::take(&mut self.written);
            let is_due = |wait: &mut Wait| wait.keys.iter().any(|key| written.contains(key));
            due.extend(self.known.extract_if(.., is_due));
        }
        due
    }
}

/// Waits whose keys go into one command each.
fn batches(waits: Vec<Wait>) -> Vec<Vec<Wait>> {
    let mut batches: Vec<Vec<Wait>> = Vec::new();
    let mut keys = 0;
    for wait in waits {
        keys += wait.keys.len();
        match batches.last_mut() {
            Some(batch) if keys <= KEYS_AT_ONCE => batch.push(wait),
            _ => {
                keys = wait.keys.len();
                batches.push(vec![wait]);
            }
        }
    }
    batches
}

/// Hears of snapshots for as long as somebody can wait; connects again where that breaks.
async fn listen(shared: Weak<Shared>) {
    while let Some(store) = shared.upgrade().map(|shared| shared.store.clone()) {
        match store.subscribe().await {
            Ok(mut subscription) => {
                let mut messages = subscription.on_message();
                while let Some(message) = messages.next().await {
                    let Some(shared) = shared.upgrade() else {
                        return;
                    };
                    // `__keyspace@0__:<key>`
                    if let Some((_, key)) = message.get_channel_name().split_once("__:") {
                        shared.hears.store(true, Relaxed);
                        shared.waiting().written.insert(key.to_owned());
                    }
                    shared.arrived.notify_one();
                }
            }
            Err(error) => tracing::debug!(%error, "no notifications from the snapshot store"),
        }
        if let Some(shared) = shared.upgrade() {
            shared.hears.store(false, Relaxed);
        }
        tokio::time::sleep(LISTEN_AGAIN).await;
    }
}

impl Wait {
    fn is_over(&self, options: &WaitOptions) -> bool {
        self.began.elapsed() >= options.timeout
    }

    /// Looks take long where a store does not answer: the time may be over before as many as `tries` have failed.
    fn has_only_failed(&self, options: &WaitOptions) -> bool {
        self.failures == self.looks && self.is_over(options)
    }

    fn new(
        ids: Vec<RequestId>,
        keys: Vec<String>,
        accept: Accept,
    ) -> (Self, oneshot::Receiver<Waited>) {
        let (done, outcome) = oneshot::channel();
        let wait = Self {
            ids,
            keys,
            accept,
            began: Instant::now(),
            looks: 0,
            failures: 0,
            refused: false,
            wants_ttl: true,
            done,
        };
        (wait, outcome)
    }

    fn choose(&mut self, values: Vec<Option<Bytes>>) -> Option<(RequestId, Bytes)> {
        for (id, value) in self.ids.iter().zip(values) {
            let Some(value) = value else { continue };
            if (self.accept)(id, &value) {
                return Some((id.clone(), value));
            }
            self.refused = true;
        }
        None
    }

    fn end(self, outcome: Waited) {
        // Nobody may listen any more.
        let _ = self.done.send(outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(ids: &[&str]) -> (Wait, oneshot::Receiver<Waited>) {
        let ids: Vec<_> = ids.iter().filter_map(|id| RequestId::new(id)).collect();
        let keys = ids.iter().map(|id| format!("snapshot:{id}")).collect();
        let accept = Box::new(|id: &RequestId, value: &[u8]| value == id.as_str().as_bytes());
        Wait::new(ids, keys, accept)
    }

    fn values(texts: &[Option<&'static str>]) -> Vec<Option<Bytes>> {
        let bytes = |text: &Option<&'static str>| text.map(Bytes::from);
        texts.iter().map(bytes).collect()
    }

    #[test]
    fn the_first_id_with_an_acceptable_value_is_chosen() {
        let check = |found: &[Option<&'static str>], expect: Option<&str>, refused| {
            let (mut wait, _outcome) = wait(&["a", "b", "c"]);
            let chosen = wait.choose(values(found)).map(|(id, _)| id.to_string());
            assert_eq!(chosen.as_deref(), expect, "{found:?}");
            assert_eq!(wait.refused, refused, "{found:?}");
        };
        check(&[None, None, None], None, false);
        check(&[None, Some("b"), Some("c")], Some("b"), false);
        check(&[Some("x"), None, Some("c")], Some("c"), true);
        // It is right for another id.
        check(&[Some("b"), None, None], None, true);
    }

    #[test]
    fn a_look_is_due_for_what_is_new_and_for_what_was_told_of() {
        let mut waiting = Waiting::default();
        let (a, _a) = wait(&["a"]);
        let (b, _b) = wait(&["b", "c"]);
        waiting.fresh.push(a);
        waiting.known.push(b);
        assert_eq!(waiting.due().len(), 1);
        assert_eq!(waiting.due().len(), 0);
        waiting.written.insert("snapshot:x".into());
        assert_eq!(waiting.due().len(), 0);
        waiting.written.insert("snapshot:c".into());
        assert_eq!(waiting.due().len(), 1);
        assert!(waiting.known.is_empty() && waiting.written.is_empty());
    }

    #[test]
    fn a_command_holds_no_more_keys_than_is_stated() {
        let sizes = |waits: usize, keys: usize| -> Vec<usize> {
            let ids: Vec<_> = (0..keys).map(|n| n.to_string()).collect();
            let ids: Vec<_> = ids.iter().map(String::as_str).collect();
            let waits = (0..waits).map(|_| wait(&ids).0).collect();
            batches(waits).iter().map(Vec::len).collect()
        };
        assert_eq!(sizes(0, 1), [0; 0]);
        assert_eq!(sizes(512, 1), [512]);
        assert_eq!(sizes(513, 1), [512, 1]);
        assert_eq!(sizes(172, 3), [170, 2]);
        // One wait is never split.
        assert_eq!(sizes(2, 600), [1, 1]);
    }
}
