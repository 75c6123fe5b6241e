//! The seam in a service: one call that reads the database in production and the snapshot in the mirror.

use std::{
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};
use tokio::{sync::Semaphore, time::timeout};

use crate::{DEFAULT_TTL, RedisStore, RequestId, StoreError, WaitOptions, Waited};

/// Snapshots on their way to the store; more are dropped and counted.
const PENDING: usize = 1024;
const PUT_TIMEOUT: Duration = Duration::from_secs(1);

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

/// What the mirror does when no snapshot came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnMiss {
    #[default]
    Error,
    /// Reads the mirror's own database, and says so in [`Loaded::source`].
    Fallback,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Database,
    Snapshot,
    Fallback,
}

#[derive(Debug)]
pub struct Loaded<T> {
    pub value: T,
    pub source: Source,
}

#[derive(Debug, thiserror::Error)]
pub enum LoadError<E> {
    #[error("{0}")]
    Database(E),
    #[error("no snapshot came for this request")]
    Missing,
    #[error(transparent)]
    Store(StoreError),
    #[error("the snapshot is not what this service wrote: {0}")]
    Decode(serde_json::Error),
}

/// The snapshots of one service. Without a store every load reads the database.
#[derive(Clone)]
pub struct Snapshots {
    profile: Profile,
    store: Option<RedisStore>,
    on_miss: OnMiss,
    pending: Arc<Semaphore>,
    dropped: Arc<AtomicU64>,
}

impl Snapshots {
    pub fn new(profile: Profile, store: Option<RedisStore>, on_miss: OnMiss) -> Self {
        Self {
            profile,
            store,
            on_miss,
            pending: Arc::new(Semaphore::new(PENDING)),
            dropped: Arc::default(),
        }
    }

    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// Snapshots that never reached the store.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// The inputs of one request: from `database` in production, which files them for the mirror without
    /// waiting for the store; from the snapshot in the mirror.
    pub async fn load<T, E, F>(
        &self,
        id: Option<&RequestId>,
        database: F,
    ) -> Result<Loaded<T>, LoadError<E>>
    where
        T: Serialize + DeserializeOwned,
        F: AsyncFnOnce() -> Result<T, E>,
    {
        let (Some(store), Some(id)) = (&self.store, id) else {
            return read(database, Source::Database).await;
        };
        match self.profile {
            Profile::Production => {
                let loaded = read(database, Source::Database).await?;
                self.file(store, id, &loaded.value);
                Ok(loaded)
            }
            Profile::Mirror => match store
                .wait(std::slice::from_ref(id), WaitOptions::default())
                .await
            {
                Waited::Hit { value, .. } => {
                    let value = serde_json::from_slice(&value).map_err(LoadError::Decode)?;
                    Ok(Loaded {
                        value,
                        source: Source::Snapshot,
                    })
                }
                _ if self.on_miss == OnMiss::Fallback => read(database, Source::Fallback).await,
                Waited::Missing { .. } => Err(LoadError::Missing),
                Waited::Unavailable(error) => Err(LoadError::Store(error)),
            },
        }
    }

    fn file<T: Serialize>(&self, store: &RedisStore, id: &RequestId, value: &T) {
        let drop_one = |dropped: &AtomicU64| {
            dropped.fetch_add(1, Relaxed);
        };
        // Encoded now: what was read must not change before it is written.
        let (Ok(value), Ok(permit)) = (
            serde_json::to_vec(value),
            Arc::clone(&self.pending).try_acquire_owned(),
        ) else {
            return drop_one(&self.dropped);
        };
        let (store, id, dropped) = (store.clone(), id.clone(), Arc::clone(&self.dropped));
        tokio::spawn(async move {
            let put = timeout(PUT_TIMEOUT, store.put(&id, &value, DEFAULT_TTL)).await;
            if !matches!(put, Ok(Ok(()))) {
                drop_one(&dropped);
            }
            drop(permit);
        });
    }
}

async fn read<T, E>(
    database: impl AsyncFnOnce() -> Result<T, E>,
    source: Source,
) -> Result<Loaded<T>, LoadError<E>> {
    let value = database().await.map_err(LoadError::Database)?;
    Ok(Loaded { value, source })
}
