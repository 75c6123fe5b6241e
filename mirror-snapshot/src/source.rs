//! The seam in a service's code: reads and writes that are done in production, filed there, and answered from the
//! snapshot in the mirror.

use std::{
    convert::Infallible,
    fmt,
    net::SocketAddr,
    str::FromStr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::{OnceCell, mpsc};

use crate::{
    DEFAULT_MAX_BYTES, DEFAULT_TTL, Document, DocumentError, Encoding, Fields, Filed,
    HEADER_CAPTURED_AT, HEADER_NAMESPACE, HEADER_REQUEST_ID, IdRules, Occurrences, Read,
    RedisStore, RequestId, Stamp, StoreError, WaitOptions, Waited,
    store::{Put, Waiter},
};

/// Snapshots on their way to the store, and their bytes; what is more is dropped and counted.
const PENDING: usize = 1024;
const PENDING_BYTES: usize = 64 << 20;
/// Snapshots that are filed at once.
const BATCH: usize = 128;
const PUT_TIMEOUT: Duration = Duration::from_secs(1);
/// Identical requests are told apart for this long.
const OCCURRENCES: Duration = Duration::from_secs(60);
/// Of an error's text so much is filed.
const LONGEST_ERROR: usize = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    Production,
    Mirror,
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "production" => Ok(Self::Production),
            "mirror" => Ok(Self::Mirror),
            other => Err(format!(
                "`{other}` is no profile: write production or mirror"
            )),
        }
    }
}

/// What the mirror does with a read that no snapshot answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnMiss {
    #[default]
    Error,
    /// Does the read, on the mirror's own database.
    Database,
}

/// What the mirror does with a write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnWrite {
    /// Notes it and answers with what the write gave in production.
    #[default]
    Record,
    Refuse,
}

#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub profile: Profile,
    pub on_miss: OnMiss,
    pub on_write: OnWrite,
    pub encoding: Encoding,
    pub ttl: Duration,
    /// A larger document is not filed.
    pub max_bytes: usize,
    pub wait: WaitOptions,
}

impl Settings {
    pub fn new(profile: Profile) -> Self {
        Self {
            profile,
            on_miss: OnMiss::default(),
            on_write: OnWrite::default(),
            encoding: Encoding::default(),
            ttl: DEFAULT_TTL,
            max_bytes: DEFAULT_MAX_BYTES,
            wait: WaitOptions::default(),
        }
    }
}

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

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What became of snapshots since the start.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counts { $($(#[$doc])* pub $name: u64,)* }

        #[derive(Debug, Default)]
        struct Counters { $($name: AtomicU64,)* }

        impl Counters {
            fn read(&self) -> Counts {
                Counts { $($name: self.$name.load(Relaxed),)* }
            }
        }

        impl Counts {
            /// Each with its name.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)*].into_iter()
            }
        }
    };
}

counts! {
    filed,
    /// A second request had the id of a snapshot.
    collided,
    /// The queue to the store was full.
    dropped,
    /// The store did not take it.
    failed,
    too_large,
    /// A value could not be encoded.
    not_encoded,
    /// No rule named the request.
    no_id,
    hit,
    late,
    missing,
    unavailable,
    /// A read that production had not done.
    not_recorded,
    writes_recorded,
    writes_refused,
}

/// The snapshots of one service. Clones are the same.
#[derive(Clone)]
pub struct Snapshots(Arc<Shared>);

struct Shared {
    settings: Settings,
    rules: IdRules,
    /// None: every read is done and nothing is filed.
    store: Option<(Waiter, mpsc::Sender<Filing>)>,
    pending_bytes: Arc<AtomicUsize>,
    occurrences: Mutex<Occurrences>,
    counters: Arc<Counters>,
}

impl Snapshots {
    /// Must be called inside a tokio runtime, which files the snapshots.
    pub fn new(settings: Settings, rules: IdRules, store: RedisStore) -> Self {
        let (sender, receiver) = mpsc::channel(PENDING);
        let counters = Arc::new(Counters::default());
        let pending_bytes = Arc::new(AtomicUsize::new(0));
        let filing = file_all(
            store.clone(),
            settings,
            receiver,
            Arc::clone(&counters),
            Arc::clone(&pending_bytes),
        );
        tokio::spawn(filing);
        let waiter = Waiter::new(store, settings.wait);
        Self::shared(
            settings,
            rules,
            Some((waiter, sender)),
            pending_bytes,
            counters,
        )
    }

    /// Switched off: every read and write is done as if there were no snapshots, in a mirror too.
    pub fn off(profile: Profile) -> Self {
        Self::shared(
            Settings::new(profile),
            IdRules::default(),
            None,
            Arc::default(),
            Arc::default(),
        )
    }

    fn shared(
        settings: Settings,
        rules: IdRules,
        store: Option<(Waiter, mpsc::Sender<Filing>)>,
        pending_bytes: Arc<AtomicUsize>,
        counters: Arc<Counters>,
    ) -> Self {
        Self(Arc::new(Shared {
            settings,
            rules,
            store,
            pending_bytes,
            occurrences: Mutex::new(Occurrences::new(OCCURRENCES)),
            counters,
        }))
    }

    pub fn profile(&self) -> Profile {
        self.0.settings.profile
    }

    pub fn counts(&self) -> Counts {
        self.0.counters.read()
    }

    /// Whether the body of such a request is needed before [`Snapshots::begin`].
    pub fn reads_body(&self, method: &str, target: &str) -> bool {
        self.0.store.is_some()
            && self.profile() == Profile::Production
            && self.0.rules.read_body(method, target)
    }

    /// The snapshot of a request that arrived now: to be filed in production, to be read in the mirror.
    pub fn begin(&self, request: &dyn Fields, peer: Option<SocketAddr>) -> SnapshotSource {
        let now = since_epoch(SystemTime::now());
        let mut named = Named::default();
        if self.0.store.is_some() {
            named = match self.profile() {
                Profile::Production => self.name(request, now),
                Profile::Mirror => Named::given(request),
            };
            if named.id.is_none() {
                self.0.counters.no_id.fetch_add(1, Relaxed);
            }
        }
        let at = named.captured_at.unwrap_or(now);
        let body = self
            .reads_body(request.method(), request.target())
            .then(|| request.body());
        let stamp = Stamp::new(request, millis(at), body.flatten(), peer);
        SnapshotSource(Arc::new(Exchange {
            snapshots: self.clone(),
            at,
            told_in: named.told_in,
            namespace: named.namespace,
            recorded: Mutex::new(Recorded {
                id: named.id,
                stamp,
                reads: Vec::new(),
                broken: false,
                served: Vec::new(),
                writes: Vec::new(),
                state: "unread",
            }),
            snapshot: OnceCell::new(),
        }))
    }

    fn name(&self, request: &dyn Fields, now: Duration) -> Named {
        let shared = &self.0;
        if let Some((id, counted)) = shared.rules.derive(request, None, now.as_secs()) {
            let n = if counted {
                let mut occurrences = shared
                    .occurrences
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                occurrences.count(&id, now)
            } else {
                0
            };
            return Named {
                id: id.occurrence(n),
                ..Named::default()
            };
        }
        let told_in = shared.rules.told_in(request.method(), request.target());
        Named {
            id: told_in.and_then(|_| RequestId::new(&uuid::Uuid::new_v4().to_string())),
            told_in: told_in.map(Into::into),
            ..Named::default()
        }
    }
}

#[derive(Default)]
struct Named {
    id: Option<RequestId>,
    told_in: Option<String>,
    namespace: Option<String>,
    captured_at: Option<Duration>,
}

impl Named {
    /// As the agent says.
    fn given(request: &dyn Fields) -> Self {
        let text = |name| std::str::from_utf8(request.header(name, 0)?).ok();
        Self {
            id: text(HEADER_REQUEST_ID).and_then(RequestId::new),
            told_in: None,
            namespace: text(HEADER_NAMESPACE).map(Into::into),
            captured_at: text(HEADER_CAPTURED_AT)
                .and_then(|text| text.parse().ok())
                .map(Duration::from_millis),
        }
    }
}

/// The snapshot of one request. It is filed when the last clone is dropped.
#[derive(Clone)]
pub struct SnapshotSource(Arc<Exchange>);

struct Exchange {
    snapshots: Snapshots,
    /// When production received the request, since the epoch.
    at: Duration,
    told_in: Option<String>,
    namespace: Option<String>,
    recorded: Mutex<Recorded>,
    snapshot: OnceCell<Result<Document, Miss>>,
}

struct Recorded {
    id: Option<RequestId>,
    stamp: Stamp,
    reads: Vec<Read>,
    /// Something could not be encoded: the document would not be whole.
    broken: bool,
    /// Which reads of the snapshot were given out.
    served: Vec<bool>,
    writes: Vec<(String, String)>,
    state: &'static str,
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
    pub fn id(&self) -> Option<RequestId> {
        self.recorded().id.clone()
    }

    pub fn profile(&self) -> Profile {
        self.0.snapshots.profile()
    }

    /// Names the request, where production tells the id in its response: before its snapshot is filed.
    pub fn set_id(&self, id: RequestId) {
        self.recorded().id = Some(id);
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
    pub fn state(&self) -> &'static str {
        self.recorded().state
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
            Profile::Production => self.record(name, key, database).await,
            Profile::Mirror => match self.serve(name, &key).await {
                Err(error)
                    if self.0.snapshots.0.settings.on_miss == OnMiss::Database
                        && !matches!(error, LoadError::Recorded(_)) =>
                {
                    database().await.map_err(LoadError::Database)
                }
                served => served,
            },
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
    /// gave there, or refuses.
    pub async fn write<T, E>(
        &self,
        name: &str,
        key: impl fmt::Display,
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
        match (self.profile(), shared.settings.on_write) {
            (Profile::Production, _) => {
                let written = self.record(&filed, key, database).await;
                written.map_err(|error| match error {
                    LoadError::Database(error) => WriteError::Database(error),
                    other => WriteError::Unanswered(other),
                })
            }
            (Profile::Mirror, OnWrite::Refuse) => {
                shared.counters.writes_refused.fetch_add(1, Relaxed);
                Err(WriteError::Refused(name.into()))
            }
            (Profile::Mirror, OnWrite::Record) => {
                shared.counters.writes_recorded.fetch_add(1, Relaxed);
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
                        shared.counters.not_encoded.fetch_add(1, Relaxed);
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
                None => recorded.state = "incomplete",
            }
            place
        };
        let Some(place) = place else {
            self.0
                .snapshots
                .0
                .counters
                .not_recorded
                .fetch_add(1, Relaxed);
            return Err(LoadError::NotRecorded {
                name: name.into(),
                key: key.into(),
            });
        };
        match &document.reads[place].result {
            Ok(value) => document.encoding.decode(value).map_err(|error| {
                self.recorded().state = "unreadable";
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
                Miss::Missing => "missing",
                Miss::Collided => "collided",
                Miss::Store(_) => "unavailable",
                Miss::Document(_) => "unreadable",
            };
        }
        fetched
    }

    async fn fetch_counted(&self) -> Result<Document, Miss> {
        let shared = &self.0.snapshots.0;
        let counters = &shared.counters;
        let missing = |counter: &AtomicU64, miss| {
            counter.fetch_add(1, Relaxed);
            Err(miss)
        };
        let (Some((waiter, _)), Some(id)) = (&shared.store, self.id()) else {
            return missing(&counters.missing, Miss::Missing);
        };
        let hit = match &self.0.namespace {
            None => waiter.wait(vec![id], Box::new(|_| true)).await,
            // What the agent put back for this run is there already.
            Some(namespace) => copied(waiter.store(), namespace, id).await,
        };
        match hit {
            Waited::Hit(hit) => {
                if Filed::read(&hit.value) == Filed::Collided {
                    return missing(&counters.collided, Miss::Collided);
                }
                let document =
                    Document::from_bytes(&hit.value).map_err(|e| Miss::Document(e.to_string()))?;
                let (counter, state) = if hit.at_once {
                    (&counters.hit, "hit")
                } else {
                    (&counters.late, "late")
                };
                counter.fetch_add(1, Relaxed);
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

async fn copied(store: &RedisStore, namespace: &str, id: RequestId) -> Waited {
    let missing = Waited::Missing {
        waited: Duration::ZERO,
        refused: false,
    };
    let Ok(keys) = store.keys().within(namespace) else {
        return missing;
    };
    let waiter = Waiter::new(store.with_keys(keys), WaitOptions::default());
    waiter.wait(vec![id], Box::new(|_| true)).await
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

/// A document on its way to the store.
struct Filing {
    id: RequestId,
    document: Document,
    bytes: usize,
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let shared = &self.snapshots.0;
        let (Profile::Production, Some((_, queue))) = (shared.settings.profile, &shared.store)
        else {
            return;
        };
        let recorded = self
            .recorded
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        let Some(id) = recorded.id.take() else { return };
        if recorded.broken {
            return;
        }
        let reads = std::mem::take(&mut recorded.reads);
        let size = |read: &Read| {
            let value = read.result.as_ref().map_or_else(|e| e.len(), |v| v.len());
            read.name.len() + read.key.len() + value + 64
        };
        let bytes: usize = reads.iter().map(size).sum();
        if bytes > shared.settings.max_bytes {
            shared.counters.too_large.fetch_add(1, Relaxed);
            return;
        }
        let document = Document {
            stamp: recorded.stamp.clone(),
            encoding: shared.settings.encoding,
            reads,
        };
        let total = shared.pending_bytes.fetch_add(bytes, Relaxed) + bytes;
        let filing = Filing {
            id,
            document,
            bytes,
        };
        if total > PENDING_BYTES || queue.try_send(filing).is_err() {
            shared.pending_bytes.fetch_sub(bytes, Relaxed);
            shared.counters.dropped.fetch_add(1, Relaxed);
        }
    }
}

/// Files what comes out of the queue, many at once, until the service ends.
async fn file_all(
    store: RedisStore,
    settings: Settings,
    mut queue: mpsc::Receiver<Filing>,
    counters: Arc<Counters>,
    pending_bytes: Arc<AtomicUsize>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let file = async |filing: Filing| {
            let put = async {
                let bytes = filing.document.to_bytes().ok()?;
                store.put(&filing.id, &bytes, settings.ttl).await.ok()
            };
            let counter = match tokio::time::timeout(PUT_TIMEOUT, put).await {
                Ok(Some(Put::Filed)) => &counters.filed,
                Ok(Some(Put::Collided)) => &counters.collided,
                Ok(None) | Err(_) => &counters.failed,
            };
            counter.fetch_add(1, Relaxed);
            pending_bytes.fetch_sub(filing.bytes, Relaxed);
        };
        futures_util::future::join_all(batch.drain(..).map(file)).await;
    }
}

fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn millis(since_epoch: Duration) -> u64 {
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}
