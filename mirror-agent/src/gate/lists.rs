//! Reads the lists of numbered snapshots, each entry about once however many requests wait for one of them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::try_join_all;
use mirror_snapshot::{ListEntry, RedisStore, RequestId, StoreError};
use tokio::time::Instant;

/// Lists that are remembered. Of more, those are forgotten that nobody read lately.
const MAX_LISTS: usize = 10_000;
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// The numbers of one derived id that production received in one minute.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ListName {
    pub(super) derived: RequestId,
    pub(super) minute: u64,
}

pub(super) struct Lists {
    store: RedisStore,
    known: Mutex<HashMap<ListName, Arc<tokio::sync::Mutex<Progress>>>>,
}

/// How far a list was read.
#[derive(Debug, Default)]
struct Progress {
    entries: usize,
    /// The last entry that was read, to see whether the list is still the same.
    last: Option<Bytes>,
    read_at: Option<Instant>,
}

impl Lists {
    pub(super) fn new(store: RedisStore) -> Self {
        Self {
            store,
            known: Mutex::default(),
        }
    }

    /// What was listed since the last look, of all lists that nobody has looked at since `not_before`.
    pub(super) async fn fresh(
        &self,
        names: &[ListName],
        not_before: Instant,
    ) -> Result<Vec<(RequestId, ListEntry)>, StoreError> {
        let looks = names.iter().map(|name| self.look(name, not_before));
        let found = try_join_all(looks).await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn look(
        &self,
        name: &ListName,
        not_before: Instant,
    ) -> Result<Vec<(RequestId, ListEntry)>, StoreError> {
        let progress = self.progress(name, Instant::now());
        let mut progress = progress.lock().await;
        if progress.read_at.is_some_and(|at| at >= not_before) {
            return Ok(Vec::new());
        }
        let key = self.store.keys().list(&name.derived, name.minute);
        let began = Instant::now();
        let start = progress.entries.saturating_sub(1);
        let mut values = self.store.list(&key, start).await?;
        if !progress.continues(&values) {
            // The store lost entries in a failover.
            *progress = Progress::default();
            values = self.store.list(&key, 0).await?;
        }
        progress.read_at = Some(began);
        Ok(progress
            .advance(values)
            .iter()
            .filter_map(|value| ListEntry::from_bytes(value))
            .filter_map(|entry| Some((name.derived.numbered(entry.n)?, entry)))
            .collect())
    }

    fn progress(&self, name: &ListName, now: Instant) -> Arc<tokio::sync::Mutex<Progress>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_LISTS && !known.contains_key(name) {
            let is_in_use = |progress: &Arc<tokio::sync::Mutex<Progress>>| {
                let Ok(progress) = progress.try_lock() else {
                    return true;
                };
                let age = progress.read_at.map(|at| now.duration_since(at));
                age.is_none_or(|age| age < FORGOTTEN_AFTER)
            };
            known.retain(|_, progress| is_in_use(progress));
        }
        Arc::clone(known.entry(name.clone()).or_default())
    }
}

impl Progress {
    /// Whether values that were read from the last known entry on begin with it.
    fn continues(&self, values: &[Bytes]) -> bool {
        self.last.is_none() || self.last.as_ref() == values.first()
    }

    /// Takes values that continue the list, and gives the new ones.
    fn advance(&mut self, mut values: Vec<Bytes>) -> Vec<Bytes> {
        if self.last.is_some() {
            values.remove(0);
        }
        self.entries += values.len();
        if let Some(last) = values.last() {
            self.last = Some(last.clone());
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(texts: &[&'static str]) -> Vec<Bytes> {
        texts.iter().map(|text| Bytes::from(*text)).collect()
    }

    #[test]
    fn each_entry_is_given_once() {
        let mut progress = Progress::default();
        assert!(progress.continues(&[]));
        assert_eq!(progress.advance(values(&[])), values(&[]));
        assert_eq!(progress.advance(values(&["a", "b"])), values(&["a", "b"]));
        assert_eq!(progress.entries, 2);
        // It is read from `b` on.
        assert!(progress.continues(&values(&["b", "c"])));
        assert_eq!(progress.advance(values(&["b", "c"])), values(&["c"]));
        assert_eq!(progress.advance(values(&["c"])), values(&[]));
        assert_eq!(progress.entries, 3);
    }

    #[test]
    fn a_list_that_lost_entries_does_not_continue() {
        let mut progress = Progress::default();
        progress.advance(values(&["a", "b"]));
        assert!(!progress.continues(&values(&[])));
        assert!(!progress.continues(&values(&["x"])));
    }

    fn list(minute: u64) -> ListName {
        ListName {
            derived: RequestId::new("a").unwrap(),
            minute,
        }
    }

    /// Without a server: nothing is read.
    fn lists() -> Lists {
        Lists::new(RedisStore::connect("redis://127.0.0.1:1").unwrap())
    }

    #[tokio::test]
    async fn lists_that_nobody_read_lately_make_room() {
        let lists = lists();
        let count = || lists.known.lock().unwrap().len();
        let began = Instant::now();
        let read = async |minute, at| {
            lists.progress(&list(minute), at).lock().await.read_at = Some(at);
        };
        let second = began + Duration::from_nanos(1);
        read(0, began).await;
        for minute in 1..MAX_LISTS as u64 - 1 {
            read(minute, second).await;
        }
        // One that nobody has read yet is about to be read.
        let unread = list(u64::MAX);
        lists.progress(&unread, second);
        assert_eq!(count(), MAX_LISTS);
        let later = began + FORGOTTEN_AFTER;
        // One that is known needs no room.
        read(1, later).await;
        assert_eq!(count(), MAX_LISTS);
        // Only the very first was read so long ago.
        read(MAX_LISTS as u64, later).await;
        assert_eq!(count(), MAX_LISTS);
        assert!(!lists.known.lock().unwrap().contains_key(&list(0)));
        let being_read = lists.progress(&list(2), later);
        let _guard = being_read.lock().await;
        lists.progress(&list(3), second + FORGOTTEN_AFTER);
        lists.progress(&list(MAX_LISTS as u64 + 1), second + FORGOTTEN_AFTER);
        let known = lists.known.lock().unwrap();
        let mut minutes: Vec<_> = known.keys().map(|name| name.minute).collect();
        minutes.sort_unstable();
        let most = MAX_LISTS as u64;
        assert_eq!(minutes, [1, 2, most, most + 1, u64::MAX]);
    }

    #[tokio::test]
    async fn a_list_that_is_known_goes_on_where_it_was() {
        let lists = lists();
        let now = Instant::now();
        lists.progress(&list(1), now).lock().await.entries = 7;
        assert_eq!(lists.progress(&list(1), now).lock().await.entries, 7);
        assert_eq!(lists.progress(&list(2), now).lock().await.entries, 0);
    }
}
