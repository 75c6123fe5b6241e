//! The snapshots of a service: what all its requests share, and how each is named.

use std::{sync::Arc, time::Duration};

use crate::{
    Counts, Fields, IdRules, Profile, RedisStore, RequestId, RequestTarget, Settings,
    counts::Counters, filing::Filings, naming::Naming, store::Waiter,
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

    /// Whether the body of such a request is needed before `Snapshots::begin`.
    pub fn reads_body(&self, method: &str, target: &RequestTarget) -> bool {
        self.0.store.is_some()
            && self.profile() == Profile::Production
            && self.0.rules.read_body(method, target)
    }

    /// Names a request of production that arrived `now`, since the epoch.
    pub(crate) fn name(&self, request: &dyn Fields, now: Duration) -> Naming {
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
