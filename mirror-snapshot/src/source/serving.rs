//! The mirror's side of a request: its reads wait for the snapshot once, and are answered from it.

use std::sync::atomic::AtomicU64;

use serde::de::DeserializeOwned;

use super::{LoadError, SnapshotSource};
use crate::{
    Document, DocumentError, Filed, Read, RequestId, SnapshotState, StoreError, Waited,
    counts::Counters, snapshots::Store, store::Waiter,
};

/// Why there is no snapshot to answer from.
#[derive(Clone, Debug)]
pub(super) enum Miss {
    Missing,
    Collided,
    Store(StoreError),
    Document(String),
}

impl SnapshotSource {
    /// What production read of this name and key, the first that was not given out yet.
    pub(super) async fn serve<T: DeserializeOwned, E>(
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
