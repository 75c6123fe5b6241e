//! The way to the store: a bounded queue that nobody waits for, and the task that empties it. Production files its snapshots
//! so, a mirror the effects of requests.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::future::join_all;
use tokio::sync::mpsc;

use crate::{
    Document, EffectsDocument, ListEntry, RedisStore, RequestId, SendId, Settings, StoreError,
    counts::Counters, naming::Listing, size::size, store::Put,
};

/// Documents on their way to the store, and their bytes; what is more is dropped and counted.
const PENDING: usize = 1024;
const PENDING_BYTES: usize = 64 << 20;
/// Documents that are filed at once.
const BATCH: usize = 128;
const PUT_TIMEOUT: Duration = Duration::from_secs(1);

pub(crate) struct Filings {
    queue: mpsc::Sender<Filing>,
    settings: Settings,
    shared: Arc<Shared>,
}

struct Shared {
    pending_bytes: AtomicUsize,
    counters: Arc<Counters>,
}

/// A document on its way.
struct Filing {
    id: RequestId,
    what: Contents,
    bytes: usize,
}

enum Contents {
    Snapshot {
        listing: Option<Listing>,
        document: Document,
    },
    Effects {
        send: SendId,
        document: EffectsDocument,
    },
}

impl Filings {
    /// Starts the task that files, which ends with the queue.
    pub(crate) fn start(store: RedisStore, settings: Settings, counters: Arc<Counters>) -> Self {
        let (queue, filings) = mpsc::channel(PENDING);
        let shared = Arc::new(Shared {
            pending_bytes: AtomicUsize::new(0),
            counters,
        });
        tokio::spawn(file_all(store, settings, filings, Arc::clone(&shared)));
        Self {
            queue,
            settings,
            shared,
        }
    }

    /// Hands over what was read for a request; drops and counts what is too large or too much.
    pub(crate) fn file(&self, id: RequestId, listing: Option<Listing>, document: Document) {
        let bytes = size(&document);
        if bytes > self.settings.max_bytes {
            Counters::count(&self.shared.counters.too_large);
            return;
        }
        if document.dropped > 0 || !document.unfinished.is_empty() {
            Counters::count(&self.shared.counters.unfinished);
        }
        let what = Contents::Snapshot { listing, document };
        self.hand_over(Filing { id, what, bytes });
    }

    /// Hands over what a replayed request did.
    pub(crate) fn file_effects(&self, id: RequestId, send: SendId, document: EffectsDocument) {
        let bytes = document.size();
        let what = Contents::Effects { send, document };
        self.hand_over(Filing { id, what, bytes });
    }

    fn hand_over(&self, filing: Filing) {
        let counters = &self.shared.counters;
        let pending = &self.shared.pending_bytes;
        let bytes = filing.bytes;
        let total = pending.fetch_add(bytes, Relaxed) + bytes;
        if total > PENDING_BYTES || self.queue.try_send(filing).is_err() {
            pending.fetch_sub(bytes, Relaxed);
            Counters::count(&counters.dropped);
        }
    }
}

/// Files what comes out of the queue, many at once.
async fn file_all(
    store: RedisStore,
    settings: Settings,
    mut queue: mpsc::Receiver<Filing>,
    shared: Arc<Shared>,
) {
    let counters = &shared.counters;
    let mut batch = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let file = async |filing: Filing| {
            let id = &filing.id;
            let filed = match &filing.what {
                Contents::Snapshot { listing, document } => {
                    let put = put(&store, id, listing.as_ref(), document, settings.ttl);
                    match tokio::time::timeout(PUT_TIMEOUT, put).await {
                        Ok(Some(Put::Filed)) => &counters.filed,
                        Ok(Some(Put::Collided)) => &counters.collided,
                        Ok(Some(Put::NumberTaken) | None) | Err(_) => &counters.failed,
                    }
                }
                Contents::Effects { send, document } => {
                    let set = async {
                        let bytes = document.to_bytes(settings.encoding).ok()?;
                        let set = store.set_effects(send, id, &bytes, settings.ttl);
                        set.await.ok()
                    };
                    match tokio::time::timeout(PUT_TIMEOUT, set).await {
                        Ok(Some(())) => &counters.effects_filed,
                        Ok(None) | Err(_) => &counters.effects_failed,
                    }
                }
            };
            Counters::count(filed);
            shared.pending_bytes.fetch_sub(filing.bytes, Relaxed);
        };
        join_all(batch.drain(..).map(file)).await;
    }
}

async fn put(
    store: &RedisStore,
    id: &RequestId,
    listing: Option<&Listing>,
    document: &Document,
    ttl: Duration,
) -> Option<Put> {
    let bytes = document.to_bytes().ok()?;
    let put: Result<Put, StoreError> = match listing {
        None => store.put(id, &bytes, ttl).await,
        Some(Listing { derived, number }) => {
            let entry = ListEntry::new(*number, &document.stamp);
            store.put_listed(derived, &entry, &bytes, ttl).await
        }
    };
    put.ok()
}
