//! The seam in a handler's code: reads and writes that are done in production, filed there, and answered from the
//! snapshot in the mirror.

mod calls;
mod errors;
mod inside;
mod serving;

use std::{
    convert::Infallible,
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::OnceCell;

use crate::{
    Document, Effect, EffectsDocument, Fields, OnMiss, OnWrite, Profile, RequestId, SendId,
    SnapshotState, Snapshots, Stamp, Written,
    counts::Counters,
    naming::{Listing, Naming, millis, since_epoch},
};
use calls::{Call, Calls};
use inside::{inside, is_inside};
use serving::Miss;

pub use errors::{LoadError, WriteError};

/// Of an error's text so much is filed.
const LONGEST_ERROR: usize = 200;

impl Snapshots {
    /// The snapshot of a request that arrived now: to be filed in production, to be read in the mirror.
    pub fn begin(&self, request: &dyn Fields, peer: Option<SocketAddr>) -> SnapshotSource {
        let now = since_epoch(SystemTime::now());
        let mut named = Naming::default();
        if self.0.store.is_some() {
            named = match self.profile() {
                Profile::Production => self.name(request, now),
                Profile::Mirror => Naming::given(request),
            };
            if named.id.is_none() {
                Counters::count(&self.0.counters.no_id);
            }
        }
        let at = named.captured_at.unwrap_or(now);
        let reads_body = |target| self.reads_body(request.method(), target);
        let is_read = request.target().is_some_and(reads_body);
        let body = is_read.then(|| request.body());
        let stamp = Stamp::new(request, at, body.flatten(), peer);
        SnapshotSource::new(self.clone(), at, named, stamp)
    }
}

/// The snapshot of one request. It is filed when the last clone is dropped; so are the effects of a replayed request.
#[derive(Clone)]
pub struct SnapshotSource(Arc<Exchange>);

struct Exchange {
    snapshots: Snapshots,
    /// When production received the request, since the epoch.
    at: Duration,
    told_in: Option<String>,
    namespace: Option<String>,
    /// In the mirror, where the agent wants to know what the request does.
    send: Option<SendId>,
    recorded: Mutex<Recorded>,
    snapshot: OnceCell<Result<Document, Miss>>,
}

struct Recorded {
    id: Option<RequestId>,
    /// Where a numbered id is listed.
    listing: Option<Listing>,
    stamp: Stamp,
    /// In production.
    calls: Calls,
    /// Which reads of the snapshot were given out.
    served: Vec<bool>,
    writes: Vec<(String, String)>,
    effects: EffectsDocument,
    state: SnapshotState,
}

impl fmt::Debug for SnapshotSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotSource")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

impl SnapshotSource {
    /// Of a request that production received `at`, since the epoch.
    pub(crate) fn new(snapshots: Snapshots, at: Duration, naming: Naming, stamp: Stamp) -> Self {
        Self(Arc::new(Exchange {
            snapshots,
            at,
            told_in: naming.told_in,
            namespace: naming.namespace,
            send: naming.send,
            recorded: Mutex::new(Recorded {
                id: naming.id,
                listing: naming.listing,
                stamp,
                calls: Calls::default(),
                served: Vec::new(),
                writes: Vec::new(),
                effects: EffectsDocument::default(),
                state: SnapshotState::Unread,
            }),
            snapshot: OnceCell::new(),
        }))
    }

    pub fn id(&self) -> Option<RequestId> {
        self.recorded().id.clone()
    }

    pub fn profile(&self) -> Profile {
        self.0.snapshots.profile()
    }

    /// Names the request, where production tells the id in its response: before its snapshot is filed.
    pub fn set_id(&self, id: RequestId) {
        let mut recorded = self.recorded();
        recorded.id = Some(id);
        recorded.listing = None;
    }

    /// The header by which this response must tell the id, and the id.
    pub fn told(&self) -> Option<(String, RequestId)> {
        Some((self.0.told_in.clone()?, self.id()?))
    }

    /// How far the database's log was when this request read, for mirrors that read a replica.
    pub fn set_position(&self, position: &str) {
        self.recorded().stamp.position = Some(position.into());
    }

    /// The time of the request: in the mirror production's, whole milliseconds on both sides.
    pub fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(millis(self.0.at))
    }

    /// A new random id, the same in the mirror as in production.
    pub async fn random_id(&self) -> Result<uuid::Uuid, LoadError<Infallible>> {
        self.load("random id", "", async || Ok(uuid::Uuid::new_v4()))
            .await
    }

    /// How the look for the snapshot ended so far: `unread`, `hit`, `late`, `missing`, `collided`, `unavailable`, `unreadable`
    /// or `incomplete`.
    pub fn state(&self) -> SnapshotState {
        self.recorded().state
    }

    /// Whether the mirror files what this request reads and would have written, which the header
    /// [`HEADER_EFFECTS`](crate::HEADER_EFFECTS) of its response must say.
    pub fn files_effects(&self) -> bool {
        let shared = &self.0.snapshots.0;
        let is_mirror = shared.settings.profile == Profile::Mirror && shared.store.is_some();
        is_mirror && self.0.send.is_some() && self.id().is_some()
    }

    /// What the mirror would have written: names and keys.
    pub fn writes(&self) -> Vec<(String, String)> {
        self.recorded().writes.clone()
    }

    /// What `database` reads: done and recorded in production, answered from the snapshot in the mirror. Reads of
    /// the same name and key are answered in their order.
    pub async fn load<T, E>(
        &self,
        name: &str,
        key: impl fmt::Display,
        database: impl AsyncFnOnce() -> Result<T, E>,
    ) -> Result<T, LoadError<E>>
    where
        T: Serialize + DeserializeOwned,
        E: fmt::Display,
    {
        let key = key.to_string();
        if self.0.snapshots.0.store.is_none() {
            return database().await.map_err(LoadError::Database);
        }
        match self.profile() {
            Profile::Production => self.record(name, key, None, database).await,
            Profile::Mirror => {
                self.note(|| Effect::Read {
                    name: name.into(),
                    key: key.clone(),
                });
                self.answer(name, &key, database).await
            }
        }
    }

    /// From the snapshot, and where that has no answer from the mirror's database, if that is wanted.
    async fn answer<T: DeserializeOwned, E>(
        &self,
        name: &str,
        key: &str,
        database: impl AsyncFnOnce() -> Result<T, E>,
    ) -> Result<T, LoadError<E>> {
        match self.serve(name, key).await {
            Err(error)
                if self.0.snapshots.0.settings.on_miss == OnMiss::Database
                    && !matches!(error, LoadError::Recorded(_)) =>
            {
                let read = inside(self.address(), async { database().await });
                read.await.map_err(LoadError::Database)
            }
            served => served,
        }
    }

    /// Keeps what a replayed request does, where somebody wants to know. What is done inside of a read that the mirror does itself is a
    /// part of that one.
    fn note(&self, effect: impl FnOnce() -> Effect) {
        if self.0.send.is_some() && !is_inside(self.address()) {
            self.recorded().effects.push(effect());
        }
    }

    /// Like [`SnapshotSource::load`]; what no snapshot answers, `fallback` does.
    pub async fn load_or<T, E>(
        &self,
        name: &str,
        key: impl fmt::Display,
        database: impl AsyncFnOnce() -> Result<T, E>,
        fallback: impl FnOnce() -> T,
    ) -> Result<T, LoadError<E>>
    where
        T: Serialize + DeserializeOwned,
        E: fmt::Display,
    {
        match self.load(name, key, database).await {
            Err(error) if !matches!(error, LoadError::Database(_) | LoadError::Recorded(_)) => {
                Ok(fallback())
            }
            loaded => loaded,
        }
    }

    /// What `database` writes and gives: done in production; never in the mirror, which answers with what it
    /// gave there, or refuses. `written` is what it writes: the agent compares that of production and of the mirror. `&()` says
    /// nothing about it.
    pub async fn write<T, E>(
        &self,
        name: &str,
        key: impl fmt::Display,
        written: &(impl Serialize + ?Sized),
        database: impl AsyncFnOnce() -> Result<T, E>,
    ) -> Result<T, WriteError<E>>
    where
        T: Serialize + DeserializeOwned,
        E: fmt::Display,
    {
        let (key, filed) = (key.to_string(), format!("write:{name}"));
        let shared = &self.0.snapshots.0;
        if shared.store.is_none() {
            return database().await.map_err(WriteError::Database);
        }
        if self.profile() == Profile::Mirror {
            self.note(|| Effect::Write {
                name: name.into(),
                key: key.clone(),
                written: Written::of(written),
            });
        }
        match (self.profile(), shared.settings.on_write) {
            (Profile::Production, _) => {
                let written = Written::of(written);
                let gave = self.record(&filed, key, written, database).await;
                gave.map_err(|error| match error {
                    LoadError::Database(error) => WriteError::Database(error),
                    other => WriteError::Unanswered(other),
                })
            }
            (Profile::Mirror, OnWrite::Refuse) => {
                Counters::count(&shared.counters.writes_refused);
                Err(WriteError::Refused(name.into()))
            }
            (Profile::Mirror, OnWrite::Record) => {
                Counters::count(&shared.counters.writes_recorded);
                let served = self.serve(&filed, &key).await;
                self.recorded().writes.push((name.into(), key));
                served.map_err(WriteError::Unanswered)
            }
        }
    }

    /// Does a call of production. It is listed from now on, whether it ends or not.
    async fn record<T: Serialize, E: fmt::Display>(
        &self,
        name: &str,
        key: String,
        written: Option<Written>,
        database: impl AsyncFnOnce() -> Result<T, E>,
    ) -> Result<T, LoadError<E>> {
        let call = Call {
            name: name.into(),
            key,
            written,
            is_inside: is_inside(self.address()),
        };
        let place = self.recorded().calls.begin(call);
        let read = inside(self.address(), async { database().await }).await;
        let shared = &self.0.snapshots.0;
        // Encoded now: what was read must not change before it is filed.
        let result = match &read {
            Ok(value) => shared.settings.encoding.encode(value).map(Ok),
            Err(error) => Ok(Err(error.to_string().chars().take(LONGEST_ERROR).collect())),
        };
        match result {
            Ok(result) => self.recorded().calls.end(place, result),
            Err(error) => {
                tracing::warn!(name, %error, "a read cannot be recorded: give its type a Serialize that the encoding can write");
                Counters::count(&shared.counters.not_encoded);
                self.recorded().calls.give_up();
            }
        }
        read.map_err(LoadError::Database)
    }

    /// Tells this request from others that are under way.
    fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    fn recorded(&self) -> MutexGuard<'_, Recorded> {
        self.0
            .recorded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// In production what was read is filed now, in the mirror what the request did.
impl Drop for Exchange {
    fn drop(&mut self) {
        let shared = &self.snapshots.0;
        let recorded = self
            .recorded
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        let (Some(store), Some(id)) = (&shared.store, recorded.id.take()) else {
            return;
        };
        match (shared.settings.profile, self.send.take()) {
            (Profile::Production, _) => {
                let calls = std::mem::take(&mut recorded.calls);
                let (stamp, settings) = (recorded.stamp.clone(), &shared.settings);
                let document = calls.document(stamp, settings.encoding, settings.max_bytes);
                if let Some(document) = document {
                    store.filings.file(id, recorded.listing.take(), document);
                }
            }
            (Profile::Mirror, Some(send)) => {
                let effects = std::mem::take(&mut recorded.effects);
                store.filings.file_effects(id, send, effects);
            }
            (Profile::Mirror, None) => {}
        }
    }
}

#[cfg(test)]
mod tests;
