//! The connections that are followed, found by their addresses, given up by their age.
//!
//! Two lists, open and closed, each from the least to the most recently used. Closed connections stay a while, so that a
//! late copy of their packets is known for what it is; they are the first to go when room is needed.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::packet::FlowKey;
use crate::time::Timestamp;

/// The place of a connection in its table; another one may have it later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(u32);

const NONE: u32 = u32::MAX;

pub struct FlowTable<T> {
    /// Places in `entries`, by the hash of the key that is there.
    slots: HashTable<u32>,
    hash: RandomState,
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
    /// Open, closed.
    lists: [List; 2],
    /// Packets of a connection come in runs.
    last: u32,
}

struct Entry<T> {
    key: FlowKey,
    used: Timestamp,
    before: u32,
    after: u32,
    closed: bool,
    value: Option<T>,
}

#[derive(Clone, Copy)]
struct List {
    oldest: u32,
    newest: u32,
}

impl<T> Default for FlowTable<T> {
    fn default() -> Self {
        let empty = List {
            oldest: NONE,
            newest: NONE,
        };
        Self {
            slots: HashTable::new(),
            hash: RandomState::default(),
            entries: Vec::new(),
            free: Vec::new(),
            lists: [empty; 2],
            last: NONE,
        }
    }
}

impl<T> FlowTable<T> {
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    #[inline]
    pub fn find(&mut self, key: &FlowKey) -> Option<Slot> {
        if let Some(entry) = self.entries.get(self.last as usize)
            && entry.value.is_some()
            && entry.key == *key
        {
            return Some(Slot(self.last));
        }
        let hash = self.hash.hash_one(key);
        let is_it = |slot: &u32| self.entries[*slot as usize].key == *key;
        self.last = *self.slots.find(hash, is_it)?;
        Some(Slot(self.last))
    }

    /// Adds an open connection that is not there yet.
    pub fn insert(&mut self, key: FlowKey, value: T, now: Timestamp) -> Slot {
        let entry = Entry {
            key,
            used: now,
            before: NONE,
            after: NONE,
            closed: false,
            value: Some(value),
        };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.entries[slot as usize] = entry;
                slot
            }
            None => {
                self.entries.push(entry);
                (self.entries.len() - 1) as u32
            }
        };
        let hash_of = |slot: &u32| self.hash.hash_one(self.entries[*slot as usize].key);
        self.slots
            .insert_unique(self.hash.hash_one(key), slot, hash_of);
        self.link(slot);
        self.last = slot;
        Slot(slot)
    }

    #[inline]
    pub fn value(&mut self, slot: Slot) -> Option<&mut T> {
        self.entries.get_mut(slot.0 as usize)?.value.as_mut()
    }

    #[inline]
    pub fn touch(&mut self, slot: Slot, now: Timestamp) {
        let entry = &mut self.entries[slot.0 as usize];
        entry.used = now;
        if entry.after != NONE {
            self.unlink(slot.0);
            self.link(slot.0);
        }
    }

    /// Moves a connection to the closed ones.
    pub fn retire(&mut self, slot: Slot) {
        if !self.entries[slot.0 as usize].closed {
            self.unlink(slot.0);
            self.entries[slot.0 as usize].closed = true;
            self.link(slot.0);
        }
    }

    pub fn remove(&mut self, slot: Slot) -> Option<T> {
        let value = self.entries.get_mut(slot.0 as usize)?.value.take()?;
        self.unlink(slot.0);
        let hash = self.hash.hash_one(self.entries[slot.0 as usize].key);
        if let Ok(found) = self.slots.find_entry(hash, |other| *other == slot.0) {
            found.remove();
        }
        self.free.push(slot.0);
        Some(value)
    }

    /// The one to give up when room is needed, and whether it is closed.
    pub fn oldest(&self) -> Option<(Slot, bool)> {
        let [open, closed] = self.lists;
        match (closed.oldest, open.oldest) {
            (NONE, NONE) => None,
            (NONE, open) => Some((Slot(open), false)),
            (closed, _) => Some((Slot(closed), true)),
        }
    }

    /// A connection that was last used before `limit` nanoseconds ago.
    pub fn idle(&self, now: Timestamp, limit: u64) -> Option<Slot> {
        self.lists
            .iter()
            .map(|list| list.oldest)
            .find(|&slot| slot != NONE && now.nanos_since(self.entries[slot as usize].used) > limit)
            .map(Slot)
    }

    /// Every connection, in no order.
    pub fn slots(&self) -> Vec<Slot> {
        self.slots.iter().copied().map(Slot).collect()
    }

    fn link(&mut self, slot: u32) {
        let closed = self.entries[slot as usize].closed;
        let list = &mut self.lists[usize::from(closed)];
        let before = list.newest;
        list.newest = slot;
        if before == NONE {
            list.oldest = slot;
        } else {
            self.entries[before as usize].after = slot;
        }
        let entry = &mut self.entries[slot as usize];
        entry.before = before;
        entry.after = NONE;
    }

    fn unlink(&mut self, slot: u32) {
        let Entry {
            before,
            after,
            closed,
            ..
        } = self.entries[slot as usize];
        let list = &mut self.lists[usize::from(closed)];
        if before == NONE {
            list.oldest = after;
        } else {
            self.entries[before as usize].after = after;
        }
        if after == NONE {
            list.newest = before;
        } else {
            self.entries[after as usize].before = before;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(port: u16) -> FlowKey {
        FlowKey::new(([10, 0, 0, 1], port).into(), ([10, 0, 0, 2], 80).into()).0
    }

    /// Runs `build` on a table of connections 1, 2, 3 and drains it; the order in which room is made.
    fn check(build: impl FnOnce(&mut FlowTable<u16>, [Slot; 3]), expect: &[u16]) {
        let mut table = FlowTable::default();
        let slots = [1, 2, 3].map(|port| table.insert(key(port), port, Timestamp(u64::from(port))));
        build(&mut table, slots);
        let mut order = Vec::new();
        while let Some((slot, _)) = table.oldest() {
            order.extend(table.remove(slot));
        }
        assert_eq!(order, expect);
        assert!(table.is_empty());
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        check(|_, _| {}, &[1, 2, 3]);
        check(
            |table, slots| table.touch(slots[0], Timestamp(4)),
            &[2, 3, 1],
        );
        check(
            |table, slots| table.touch(slots[1], Timestamp(4)),
            &[1, 3, 2],
        );
    }

    #[test]
    fn closed_ones_go_before_open_ones() {
        check(|table, slots| table.retire(slots[2]), &[3, 1, 2]);
    }

    #[test]
    fn a_slot_is_used_again() {
        check(
            |table, slots| {
                table.remove(slots[1]);
                assert_eq!(table.find(&key(2)), None);
                assert_eq!(table.insert(key(4), 4, Timestamp(4)), slots[1]);
            },
            &[1, 3, 4],
        );
    }

    #[test]
    fn idle_ones_are_found() {
        check(
            |table, slots| {
                assert_eq!(table.idle(Timestamp(11), 10), None);
                assert_eq!(table.idle(Timestamp(12), 10), Some(slots[0]));
            },
            &[1, 2, 3],
        );
    }
}
