//! The snapshots of a service: names each request and begins what is recorded or served for it.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{
    Counts, Fields, HEADER_CAPTURED_AT, HEADER_NAMESPACE, HEADER_REQUEST_ID, IdRules, Profile,
    RedisStore, RequestId, RequestTarget, Settings, SnapshotNumber, SnapshotSource, Stamp,
    counts::Counters, filing::Filings, store::Waiter,
};

/// The snapshots of one service. Clones are the same.
#[derive(Clone)]
pub struct Snapshots(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) settings: Settings,
    rules: IdRules,
    /// None: every read is done and nothing is filed.
    pub(crate) store: Option<Store>,
    pub(crate) counters: Arc<Counters>,
}

pub(crate) struct Store {
    pub(crate) waiter: Waiter,
    pub(crate) filings: Filings,
}

impl Snapshots {
    /// Must be called inside a tokio runtime, which files the snapshots.
    pub fn new(settings: Settings, rules: IdRules, store: RedisStore) -> Self {
        let counters = Arc::new(Counters::default());
        let store = Store {
            filings: Filings::start(store.clone(), settings, Arc::clone(&counters)),
            waiter: Waiter::new(store, settings.wait),
        };
        Self::shared(settings, rules, Some(store), counters)
    }

    /// Switched off: every read and write is done as if there were no snapshots, in a mirror too.
    pub fn off(profile: Profile) -> Self {
        let settings = Settings::new(profile);
        Self::shared(settings, IdRules::default(), None, Arc::default())
    }

    fn shared(
        settings: Settings,
        rules: IdRules,
        store: Option<Store>,
        counters: Arc<Counters>,
    ) -> Self {
        Self(Arc::new(Shared {
            settings,
            rules,
            store,
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
    pub fn reads_body(&self, method: &str, target: &RequestTarget) -> bool {
        self.0.store.is_some()
            && self.profile() == Profile::Production
            && self.0.rules.read_body(method, target)
    }

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

    fn name(&self, request: &dyn Fields, now: Duration) -> Naming {
        let shared = &self.0;
        match shared.rules.derive(request, None, now.as_secs()) {
            Some((derived, true)) => return Naming::numbered(derived),
            Some((id, false)) => {
                return Naming {
                    id: Some(id),
                    ..Naming::default()
                };
            }
            None => {}
        }
        let target = request.target();
        let told_in = target.and_then(|target| shared.rules.told_in(request.method(), target));
        Naming {
            id: told_in.and_then(|_| RequestId::new(&uuid::Uuid::new_v4().to_string())),
            told_in: told_in.map(Into::into),
            ..Naming::default()
        }
    }
}

/// How a request is named, and what else the agent said of it.
#[derive(Default)]
pub(crate) struct Naming {
    pub(crate) id: Option<RequestId>,
    /// Of a numbered id: where it is listed.
    pub(crate) listing: Option<Listing>,
    pub(crate) told_in: Option<String>,
    pub(crate) namespace: Option<String>,
    captured_at: Option<Duration>,
}

/// A derived id that many requests have, and the number of one of them.
#[derive(Clone, Debug)]
pub(crate) struct Listing {
    pub(crate) derived: RequestId,
    pub(crate) number: SnapshotNumber,
}

impl Naming {
    /// Draws a number for one of the requests that have this derived id.
    fn numbered(derived: RequestId) -> Self {
        // Each half has bits that are not random, at other places than the other half.
        let (one, other) = uuid::Uuid::new_v4().as_u64_pair();
        let number = SnapshotNumber(one ^ other);
        let id = derived.numbered(number);
        Self {
            listing: id.as_ref().map(|_| Listing { derived, number }),
            id,
            ..Self::default()
        }
    }

    /// As the agent says.
    fn given(request: &dyn Fields) -> Self {
        let text = |name| std::str::from_utf8(request.header(name, 0)?).ok();
        Self {
            id: text(HEADER_REQUEST_ID).and_then(RequestId::new),
            told_in: None,
            listing: None,
            namespace: text(HEADER_NAMESPACE).map(Into::into),
            captured_at: text(HEADER_CAPTURED_AT)
                .and_then(|text| text.parse().ok())
                .map(Duration::from_millis),
        }
    }
}

fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

pub(crate) fn millis(since_epoch: Duration) -> u64 {
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}
