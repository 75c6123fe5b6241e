//! Snapshots in Redis or Valkey: file, look, wait, keep. One node, Sentinel or Cluster: see [`StoreOptions`].

mod error;
mod link;
mod options;
mod wait;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::join_all;
use redis::{aio::PubSub, cmd};

use crate::{COLLIDED, Keys, ListEntry, RequestId, SendId};

/// A list lives longer than the snapshots in it, which were received within one minute.
const LISTED_LONGER: Duration = Duration::from_secs(60);

pub use error::StoreError;
pub use link::{Link, LinkError};
pub use options::StoreOptions;
pub use wait::{Accept, WaitHit, WaitOptions, Waited, Waiter};

/// How a snapshot was filed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    Filed,
    /// Another one stood under its id: the mark of a collision stands there now.
    Collided,
    /// Another one stood under its number, and still does.
    NumberTaken,
}

/// A connection that is made at the first command and made again whenever it broke. Clones share it.
#[derive(Clone)]
pub struct RedisStore {
    link: Arc<Link>,
    keys: Keys,
}

impl RedisStore {
    /// Fails on a bad URL only. Must be called inside a tokio runtime.
    pub fn connect(url: &str) -> Result<Self, StoreError> {
        Self::open(StoreOptions::parse(url)?)
    }

    pub fn open(options: StoreOptions) -> Result<Self, StoreError> {
        Ok(Self {
            keys: Keys::new(&options.prefix),
            link: Arc::new(Link::new(options)),
        })
    }

    /// The same connection with other keys.
    pub fn with_keys(&self, keys: Keys) -> Self {
        Self {
            link: Arc::clone(&self.link),
            keys,
        }
    }

    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    pub async fn ping(&self) -> Result<(), StoreError> {
        self.link.run(&cmd("PING")).await
    }

    /// Files `value` under the id for `ttl`, in whole milliseconds, unless there is one already: then
    /// the mark of a collision takes its place. Must not be tried twice for one request.
    pub async fn put(
        &self,
        id: &RequestId,
        value: &[u8],
        ttl: Duration,
    ) -> Result<Put, StoreError> {
        if self.set_new(id, value, ttl).await? {
            return Ok(Put::Filed);
        }
        self.set(id, COLLIDED, ttl).await?;
        Ok(Put::Collided)
    }

    /// Files `value` under a derived id and a number for `ttl`, and lists it there. Must not be tried twice for one request.
    pub async fn put_listed(
        &self,
        derived: &RequestId,
        entry: &ListEntry,
        value: &[u8],
        ttl: Duration,
    ) -> Result<Put, StoreError> {
        let Some(id) = derived.numbered(entry.n) else {
            return Err(StoreError::TooLong(derived.clone()));
        };
        if !self.set_new(&id, value, ttl).await? {
            return Ok(Put::NumberTaken);
        }
        let list = self.keys.list(derived, entry.stamp.minute());
        let mut both = redis::pipe();
        both.rpush(&list, entry.to_bytes()).ignore();
        let expiry = i64::try_from(millis(ttl + LISTED_LONGER)).unwrap_or(i64::MAX);
        both.pexpire(&list, expiry).ignore();
        self.link.run_together(&both).await?;
        Ok(Put::Filed)
    }

    /// The entries of a list from the one at `start` on.
    pub async fn list(&self, list: &str, start: usize) -> Result<Vec<Bytes>, StoreError> {
        let command = cmd("LRANGE").arg(list).arg(start).arg(-1).take();
        self.link.run(&command).await
    }

    /// Whether it was written: false where there is a value already.
    async fn set_new(
        &self,
        id: &RequestId,
        value: &[u8],
        ttl: Duration,
    ) -> Result<bool, StoreError> {
        let mut command = cmd("SET");
        command.arg(self.keys.key(id)).arg(value);
        command.arg("NX").arg("PX").arg(millis(ttl));
        let written: Option<String> = self.link.run(&command).await?;
        Ok(written.is_some())
    }

    /// Writes `value` under the id whatever stood there.
    pub async fn set(&self, id: &RequestId, value: &[u8], ttl: Duration) -> Result<(), StoreError> {
        let key = self.keys.key(id);
        self.link
            .run(cmd("SET").arg(key).arg(value).arg("PX").arg(millis(ttl)))
            .await
    }

    /// Files what one sending of a request did, for `ttl`. Must not be tried twice.
    pub async fn set_effects(
        &self,
        send: &SendId,
        id: &RequestId,
        value: &[u8],
        ttl: Duration,
    ) -> Result<(), StoreError> {
        let key = self.keys.effects(send, id);
        self.link
            .run(cmd("SET").arg(key).arg(value).arg("PX").arg(millis(ttl)))
            .await
    }

    /// What stands under each of the ids, in one command.
    pub async fn look(&self, ids: &[RequestId]) -> Result<Vec<Option<Bytes>>, StoreError> {
        let keys: Vec<_> = ids.iter().map(|id| self.keys.key(id)).collect();
        self.fetch(keys.iter().map(String::as_str)).await
    }

    async fn fetch(
        &self,
        keys: impl Iterator<Item = &str>,
    ) -> Result<Vec<Option<Bytes>>, StoreError> {
        let mut command = cmd("MGET");
        for key in keys {
            command.arg(key);
        }
        self.link.run(&command).await
    }

    /// Tells of every write to a snapshot. Not on a cluster, whose nodes tell of their own keys only.
    async fn subscribe(&self) -> Result<PubSub, StoreError> {
        let mut subscription = self.link.subscription().await?;
        let pattern = self.keys.pattern();
        subscription
            .psubscribe(format!("__keyspace@*__:{pattern}"))
            .await?;
        Ok(subscription)
    }

    /// What stands under one of the ids and is not a snapshot, because it is not a string. `look` cannot see it.
    pub async fn misfit(&self, ids: &[RequestId]) -> Option<StoreError> {
        for id in ids {
            let key = self.keys.key(id);
            let kind: Result<String, _> = self.link.run(cmd("TYPE").arg(&key)).await;
            match kind.ok()?.as_str() {
                "none" | "string" => {}
                kind => {
                    let kind = kind.to_owned();
                    return Some(StoreError::WrongType { key, kind });
                }
            }
        }
        None
    }

    /// How much longer each lives; none for one that is gone or stays for ever.
    pub async fn ttls(&self, ids: &[RequestId]) -> Vec<Option<Duration>> {
        let left = async |id: &RequestId| {
            let millis: Result<i64, _> = self.link.run(cmd("PTTL").arg(self.keys.key(id))).await;
            u64::try_from(millis.ok()?).ok().map(Duration::from_millis)
        };
        join_all(ids.iter().map(left)).await
    }

    /// Lets a snapshot live for `ttl` from now; false when it is gone.
    pub async fn extend(&self, id: &RequestId, ttl: Duration) -> Result<bool, StoreError> {
        let key = self.keys.key(id);
        self.link
            .run(cmd("PEXPIRE").arg(key).arg(millis(ttl)))
            .await
    }
}

fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1)
}
