//! Snapshots in Redis: put with a TTL, look, wait.

use std::time::Duration;

use bytes::Bytes;
use redis::{
    AsyncCommands, Client,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tokio::time::{Instant, sleep};

use crate::{DEFAULT_POLL, DEFAULT_WAIT, RequestId};

/// One command and one connection attempt take this long at the most.
const TIMEOUT: Duration = Duration::from_millis(500);

#[derive(Debug, thiserror::Error)]
#[error("snapshot store: {0}")]
pub struct StoreError(#[from] redis::RedisError);

/// How `wait` waits.
#[derive(Clone, Copy, Debug)]
pub struct WaitOptions {
    pub timeout: Duration,
    pub poll: Duration,
    /// Tries of one look before the store counts as unavailable.
    pub tries: u32,
    pub retry_after: Duration,
}

impl Default for WaitOptions {
    fn default() -> Self {
        Self {
            timeout: DEFAULT_WAIT,
            poll: DEFAULT_POLL,
            tries: 3,
            retry_after: Duration::from_millis(100),
        }
    }
}

/// How a wait ended.
#[derive(Debug)]
pub enum Waited {
    Hit {
        id: RequestId,
        value: Bytes,
        waited: Duration,
    },
    Missing {
        waited: Duration,
    },
    Unavailable(StoreError),
}

/// A connection that is made at the first command and made again whenever it broke. Clones share it.
#[derive(Clone)]
pub struct RedisStore(ConnectionManager);

impl RedisStore {
    /// Fails on a bad URL only. Must be called inside a tokio runtime.
    pub fn connect(url: &str) -> Result<Self, StoreError> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(TIMEOUT))
            .set_number_of_retries(0);
        let client = Client::open(url)?;
        Ok(Self(ConnectionManager::new_lazy_with_config(
            client, config,
        )?))
    }

    pub async fn ping(&self) -> Result<(), StoreError> {
        Ok(self.0.clone().ping::<()>().await?)
    }

    /// Files `value` under the id for `ttl`, in whole milliseconds.
    pub async fn put(&self, id: &RequestId, value: &[u8], ttl: Duration) -> Result<(), StoreError> {
        let millis = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1);
        Ok(self
            .0
            .clone()
            .pset_ex::<_, _, ()>(id.key(), value, millis)
            .await?)
    }

    /// The first of the ids that has a snapshot, in one round trip.
    pub async fn first_of(
        &self,
        ids: &[RequestId],
    ) -> Result<Option<(RequestId, Bytes)>, StoreError> {
        let keys: Vec<_> = ids.iter().map(RequestId::key).collect();
        let values: Vec<Option<Vec<u8>>> = self.0.clone().mget(keys).await?;
        let mut found = ids.iter().zip(values);
        Ok(found.find_map(|(id, value)| Some((id.clone(), value?.into()))))
    }

    /// Looks until one of the ids has a snapshot or the time is over. `ids` must not be empty.
    pub async fn wait(&self, ids: &[RequestId], options: WaitOptions) -> Waited {
        let began = Instant::now();
        loop {
            match self.look(ids, options).await {
                Ok(Some((id, value))) => {
                    let waited = began.elapsed();
                    return Waited::Hit { id, value, waited };
                }
                Ok(None) => {}
                Err(error) => return Waited::Unavailable(error),
            }
            let left = options.timeout.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Waited::Missing {
                    waited: began.elapsed(),
                };
            }
            sleep(options.poll.min(left)).await;
        }
    }

    /// One look, with retries: a connection that just broke is made anew meanwhile.
    async fn look(
        &self,
        ids: &[RequestId],
        options: WaitOptions,
    ) -> Result<Option<(RequestId, Bytes)>, StoreError> {
        let mut tries = options.tries.max(1);
        loop {
            match self.first_of(ids).await {
                Err(_) if tries > 1 => {
                    tries -= 1;
                    sleep(options.retry_after).await;
                }
                result => return result,
            }
        }
    }
}
