//! What is forgotten: the memory is bounded by number and by age.

use super::{Attribution, Group, GroupKey};

/// Requests and stamps that are remembered, and for how long: a snapshot does not live longer.
const MAX_REMEMBERED: usize = 200_000;
const MAX_AGE: u64 = 300_000_000_000;

impl Attribution {
    pub(super) fn forget(&mut self) {
        self.forget_over(MAX_REMEMBERED);
    }

    /// Drops what is too old, and the oldest of more than `most`.
    pub(super) fn forget_over(&mut self, most: usize) {
        let now = self.now;
        let is_old = |at: u64| now.saturating_sub(at) > MAX_AGE;
        while let Some((first, number)) = self.requests_order.front().copied()
            && (is_old(first) || self.requests_order.len() > most)
        {
            self.requests_order.pop_front();
            if let Some((key, _)) = self.requests.remove(&number) {
                for key in [key, GroupKey { peer: None, ..key }] {
                    self.drop_from(key, |group| {
                        group.requests.remove(&(first, number));
                    });
                }
            }
        }
        while let Some((key, place, id)) = self.documents_order.front().cloned()
            && (is_old(place.0) || self.documents_order.len() > most)
        {
            self.documents_order.pop_front();
            self.known.remove(&id);
            if let Some(key) = key {
                self.drop_from(key, |group| {
                    group.documents.remove(&place);
                });
            }
        }
    }

    fn drop_from(&mut self, key: GroupKey, remove: impl FnOnce(&mut Group)) {
        if let Some(group) = self.groups.get_mut(&key) {
            remove(group);
            if group.requests.is_empty() && group.documents.is_empty() {
                self.groups.remove(&key);
            }
        }
    }
}
