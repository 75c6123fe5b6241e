//! The seam in a handler's code: reads and writes that are done in production, filed there, and answered from the
//! snapshot in the mirror.

use std::{
    convert::Infallible,
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::OnceCell;

use crate::{
    Document, DocumentError, Effect, EffectsDocument, Fields, Filed, OnMiss, OnWrite, Profile,
    Read, RequestId, SendId, SnapshotState, Snapshots, Stamp, StoreError, Waited, Written,
    counts::Counters,
    naming::{Listing, Naming, millis, since_epoch},
    snapshots::Store,
    store::Waiter,
};

/// Of an error's text so much is filed.
const LONGEST_ERROR: usize = 200;

#[derive(Debug, thiserror::Error)]
pub enum LoadError<E> {
    #[error("{0}")]
    Database(E),
    #[error("in production this read failed: {0}")]
    Recorded(String),
    #[error("no snapshot came for this request")]
    Missing,
    #[error("production did not read `{name}` of `{key}` for this request")]
    NotRecorded { name: String, key: String },
    #[error("several requests had this request's id: the rules must tell them apart")]
    Collided,
    #[error(transparent)]
    Store(StoreError),
    #[error(transparent)]
    Document(#[from] DocumentError),
}

#[derive(Debug, thiserror::Error)]
pub enum WriteError<E> {
    #[error("{0}")]
    Database(E),
    #[error("a mirror does not write `{0}`")]
    Refused(String),
    #[error("what the write gave is not known: {0}")]
    Unanswered(LoadError<E>),
}

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
    reads: Vec<Read>,
    /// Something could not be encoded: the document would not be whole.
    broken: bool,
    /// Which reads of the snapshot were given out.
    served: Vec<bool>,
    writes: Vec<(String, String)>,
    effects: EffectsDocument,
    state: SnapshotState,
}

#[derive(Clone, Debug)]
enum Miss {
    Missing,
    Collided,
    Store(StoreError),
    Document(String),
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
                reads: Vec::new(),
                broken: false,
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
                database().await.map_err(LoadError::Database)
            }
            served => served,
        }
    }

    /// Keeps what a replayed request does, where somebody wants to know.
    fn note(&self, effect: impl FnOnce() -> Effect) {
        if self.0.send.is_some() {
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

    async fn record<T: Serialize, E: fmt::Display>(
        &self,
        name: &str,
        key: String,
        written: Option<Written>,
        database: impl AsyncFnOnce() -> Result<T, E>,
    ) -> Result<T, LoadError<E>> {
        let read = database().await;
        let shared = &self.0.snapshots.0;
        if shared.store.is_some() {
            // Encoded now: what was read must not change before it is filed.
            let result = match &read {
                Ok(value) => match shared.settings.encoding.encode(value) {
                    Ok(encoded) => Ok(encoded),
                    Err(error) => {
                        tracing::warn!(name, %error, "a read cannot be recorded: give its type a Serialize that the encoding can write");
                        Counters::count(&shared.counters.not_encoded);
                        self.recorded().broken = true;
                        return read.map_err(LoadError::Database);
                    }
                },
                Err(error) => Err(error.to_string().chars().take(LONGEST_ERROR).collect()),
            };
            self.recorded().reads.push(Read {
                name: name.into(),
                key,
                result,
                written,
            });
        }
        read.map_err(LoadError::Database)
    }

    async fn serve<T: DeserializeOwned, E>(
        &self,
        name: &str,
        key: &str,
    ) -> Result<T, LoadError<E>> {
        let document = match self.0.snapshot.get_or_init(|| self.fetch()).await {
            Ok(document) => document,
            Err(miss) => return Err(miss.clone().into()),
        };
        let place = {
            let mut recorded = self.recorded();
            recorded.served.resize(document.reads.len(), false);
            let is_it = |read: &Read| read.name == name && read.key == key;
            let mut fitting = (0..document.reads.len()).filter(|at| is_it(&document.reads[*at]));
            let place = fitting.find(|at| !recorded.served[*at]);
            match place {
                Some(place) => recorded.served[place] = true,
                None => recorded.state = SnapshotState::Incomplete,
            }
            place
        };
        let Some(place) = place else {
            Counters::count(&self.0.snapshots.0.counters.not_recorded);
            return Err(LoadError::NotRecorded {
                name: name.into(),
                key: key.into(),
            });
        };
        match &document.reads[place].result {
            Ok(value) => document.encoding.decode(value).map_err(|error| {
                self.recorded().state = SnapshotState::Unreadable;
                LoadError::Document(error)
            }),
            Err(error) => Err(LoadError::Recorded(error.clone())),
        }
    }

    /// Waits for the snapshot, once for all reads.
    async fn fetch(&self) -> Result<Document, Miss> {
        let fetched = self.fetch_counted().await;
        if let Err(miss) = &fetched {
            self.recorded().state = match miss {
                Miss::Missing => SnapshotState::Missing,
                Miss::Collided => SnapshotState::Collided,
                Miss::Store(_) => SnapshotState::Unavailable,
                Miss::Document(_) => SnapshotState::Unreadable,
            };
        }
        fetched
    }

    async fn fetch_counted(&self) -> Result<Document, Miss> {
        let shared = &self.0.snapshots.0;
        let counters = &shared.counters;
        let missing = |counter: &AtomicU64, miss| {
            Counters::count(counter);
            Err(miss)
        };
        let (Some(Store { waiter, .. }), Some(id)) = (&shared.store, self.id()) else {
            return missing(&counters.missing, Miss::Missing);
        };
        let accept = Box::new(|_: &RequestId, _: &[u8]| true);
        let hit = match &self.0.namespace {
            None => waiter.wait(vec![id], accept).await,
            // The agent copied it there for this run. Few requests come so: they wait by themselves.
            Some(namespace) => match waiter.store().keys().within(namespace) {
                Err(_) => return missing(&counters.missing, Miss::Missing),
                Ok(keys) => {
                    let copies = waiter.store().with_keys(keys);
                    let waiter = Waiter::new(copies, shared.settings.wait);
                    waiter.wait(vec![id], accept).await
                }
            },
        };
        match hit {
            Waited::Hit(hit) => {
                if Filed::read(&hit.value) == Filed::Collided {
                    return missing(&counters.collided, Miss::Collided);
                }
                let document =
                    Document::from_bytes(&hit.value).map_err(|e| Miss::Document(e.to_string()))?;
                let (counter, state) = if hit.at_once {
                    (&counters.hit, SnapshotState::Hit)
                } else {
                    (&counters.late, SnapshotState::Late)
                };
                Counters::count(counter);
                self.recorded().state = state;
                Ok(document)
            }
            Waited::Missing { .. } => missing(&counters.missing, Miss::Missing),
            Waited::Unavailable(error) => missing(&counters.unavailable, Miss::Store(error)),
        }
    }

    fn recorded(&self) -> MutexGuard<'_, Recorded> {
        self.0
            .recorded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E> From<Miss> for LoadError<E> {
    fn from(miss: Miss) -> Self {
        match miss {
            Miss::Missing => Self::Missing,
            Miss::Collided => Self::Collided,
            Miss::Store(error) => Self::Store(error),
            Miss::Document(error) => Self::Document(DocumentError::new(error)),
        }
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
            (Profile::Production, _) if !recorded.broken => {
                let reads = std::mem::take(&mut recorded.reads);
                let listing = recorded.listing.take();
                store
                    .filings
                    .file(id, listing, recorded.stamp.clone(), reads);
            }
            (Profile::Mirror, Some(send)) => {
                let effects = std::mem::take(&mut recorded.effects);
                store.filings.file_effects(id, send, effects);
            }
            _ => {}
        }
    }
}

/// Without a store: the snapshot is there already.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Encoded, Encoding, IdRules, RedisStore, Settings};

    const UNUSED: &str = "redis://127.0.0.1:1";

    fn read(name: &str, key: &str, value: u32) -> Read {
        let encoded: Encoded = Encoding::Json.encode(&value).unwrap();
        Read {
            name: name.into(),
            key: key.into(),
            result: Ok(encoded),
            written: None,
        }
    }

    /// A request of the mirror whose snapshot holds these reads.
    fn served(reads: Vec<Read>, change: impl FnOnce(&mut Settings)) -> SnapshotSource {
        let mut settings = Settings::new(Profile::Mirror);
        change(&mut settings);
        let store = RedisStore::connect(UNUSED).unwrap();
        let snapshots = Snapshots::new(settings, IdRules::default(), store);
        let document = Document {
            stamp: Stamp::default(),
            encoding: Encoding::Json,
            reads,
        };
        let naming = Naming::default();
        let source = SnapshotSource::new(snapshots, Duration::ZERO, naming, Stamp::default());
        let was_empty = source.0.snapshot.set(Ok(document));
        assert!(was_empty.is_ok());
        source
    }

    async fn load(source: &SnapshotSource, name: &str, key: u32) -> Result<u32, String> {
        let forbidden = async || Err("the database was read");
        let loaded = source.load(name, key, forbidden).await;
        loaded.map_err(|error: LoadError<&str>| error.to_string())
    }

    #[tokio::test]
    async fn reads_of_one_name_and_key_are_answered_in_their_order() {
        let reads = vec![
            read("price", "1", 10),
            read("price", "2", 20),
            read("price", "1", 11),
            read("stock", "1", 30),
        ];
        let source = served(reads, |_| {});
        assert_eq!(load(&source, "stock", 1).await, Ok(30));
        assert_eq!(load(&source, "price", 1).await, Ok(10));
        assert_eq!(load(&source, "price", 2).await, Ok(20));
        assert_eq!(load(&source, "price", 1).await, Ok(11));
        assert_ne!(source.state(), SnapshotState::Incomplete);
        let more = load(&source, "price", 1).await.unwrap_err();
        assert!(more.contains("did not read `price` of `1`"), "{more}");
        assert_eq!(source.state(), SnapshotState::Incomplete);
        assert_eq!(source.0.snapshots.counts().not_recorded, 1);
    }

    #[tokio::test]
    async fn a_read_that_failed_in_production_fails_here_too() {
        let failed = Read {
            result: Err("no connection".into()),
            ..read("user", "3", 0)
        };
        let source = served(vec![failed], |settings| settings.on_miss = OnMiss::Database);
        // Not even with a database to fall back on is it read.
        let error = load(&source, "user", 3).await.unwrap_err();
        assert_eq!(error, "in production this read failed: no connection");
        let again = load(&source, "user", 3).await.unwrap_err();
        assert_eq!(again, "the database was read");
    }

    #[tokio::test]
    async fn a_write_is_never_done_and_may_be_refused() {
        let reads = vec![read("write:stock", "1", 7)];
        let write = async |source: &SnapshotSource| {
            let forbidden = async || Err("the database was written");
            let written = source.write("stock", 1, &(), forbidden).await;
            written.map_err(|error: WriteError<&str>| error.to_string())
        };
        let source = served(reads.clone(), |_| {});
        assert_eq!(write(&source).await, Ok::<u32, _>(7));
        assert_eq!(source.writes(), [("stock".to_string(), "1".to_string())]);
        let source = served(reads, |settings| settings.on_write = OnWrite::Refuse);
        let refused: Result<u32, _> = write(&source).await;
        assert_eq!(refused.unwrap_err(), "a mirror does not write `stock`");
        assert!(source.writes().is_empty());
    }

    #[tokio::test]
    async fn a_fallback_stands_for_what_no_snapshot_answers_and_for_no_error() {
        let failed = Read {
            result: Err("no connection".into()),
            ..read("user", "1", 0)
        };
        let source = served(vec![failed], |_| {});
        let fallback = async |source: &SnapshotSource| {
            let database = async || Err("the database is gone");
            let loaded = source.load_or("user", 1, database, || 5).await;
            loaded.map_err(|error: LoadError<&str>| error.to_string())
        };
        let recorded = fallback(&source).await.unwrap_err();
        assert_eq!(recorded, "in production this read failed: no connection");
        assert_eq!(fallback(&source).await, Ok(5));
        let off = named(Snapshots::off(Profile::Mirror), Naming::default());
        assert_eq!(fallback(&off).await.unwrap_err(), "the database is gone");
    }

    /// A request that production received a while after the epoch.
    fn named(snapshots: Snapshots, naming: Naming) -> SnapshotSource {
        let at = Duration::from_micros(1_234_567);
        SnapshotSource::new(snapshots, at, naming, Stamp::default())
    }

    #[test]
    fn a_request_is_named_by_its_id_and_told_where_production_tells_it() {
        let told_in = |header: Option<&str>| {
            let naming = Naming {
                id: RequestId::new("one"),
                told_in: header.map(Into::into),
                ..Naming::default()
            };
            named(Snapshots::off(Profile::Production), naming)
        };
        let two = RequestId::new("two").unwrap();
        let source = told_in(Some("x-id"));
        assert!(format!("{source:?}").contains("one"), "{source:?}");
        source.set_id(two.clone());
        assert_eq!(source.id(), Some(two.clone()));
        assert_eq!(source.told(), Some(("x-id".into(), two)));
        assert_eq!(told_in(None).told(), None);
    }

    #[tokio::test]
    async fn time_and_random_ids_are_the_requests_own() {
        let source = named(Snapshots::off(Profile::Production), Naming::default());
        assert_eq!(source.now(), UNIX_EPOCH + Duration::from_millis(1234));
        let ids = [
            source.random_id().await.unwrap(),
            source.random_id().await.unwrap(),
        ];
        assert_ne!(ids[0], ids[1]);
    }

    #[tokio::test]
    async fn a_value_of_another_type_is_unreadable() {
        let source = served(vec![read("user", "1", 5)], |_| {});
        let forbidden = async || Err::<String, _>("the database was read");
        assert!(source.load("user", 1, forbidden).await.is_err());
        assert_eq!(source.state(), SnapshotState::Unreadable);
    }
}
