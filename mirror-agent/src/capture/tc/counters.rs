//! The kernel's counters, in all and by interface.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aya::maps::{MapData, PerCpuArray};
use mirror_common::{COUNTERS, Counter, CounterSlot, SLOTS};

use crate::capture::ring::UnreadRecords;

/// May be read from any thread.
#[derive(Clone)]
pub struct KernelCounters {
    slots: Arc<Mutex<Slots>>,
    unread: UnreadRecords,
}

struct Slots {
    map: PerCpuArray<MapData, CounterSlot>,
    /// The name of the interface that last had a slot.
    names: BTreeMap<u32, String>,
}

/// A count for each name in [`COUNTERS`].
type NamedCounts = BTreeMap<&'static str, u64>;

impl KernelCounters {
    pub(super) fn new(map: PerCpuArray<MapData, CounterSlot>, unread: UnreadRecords) -> Self {
        let names = BTreeMap::new();
        Self {
            slots: Arc::new(Mutex::new(Slots { map, names })),
            unread,
        }
    }

    pub(super) fn name(&self, index: u32, name: &str) {
        self.slots().names.insert(index % SLOTS, name.to_owned());
    }

    /// Each counter summed over interfaces and CPUs, and the records that could not be read.
    pub fn read(&self) -> NamedCounts {
        let slots = self.slots();
        let mut sum: NamedCounts = COUNTERS.iter().map(|(_, name)| (*name, 0)).collect();
        for slot in slots.used() {
            for (name, count) in slots.read(slot) {
                *sum.entry(name).or_default() += count;
            }
        }
        sum.extend(self.unread.counts());
        sum
    }

    pub(super) fn unread(&self) -> &UnreadRecords {
        &self.unread
    }

    pub fn by_interface(&self) -> BTreeMap<String, NamedCounts> {
        let slots = self.slots();
        let named = slots.names.iter();
        named
            .map(|(slot, name)| (name.clone(), slots.read(*slot)))
            .collect()
    }

    /// Requests whose first packet the kernel could not hand over.
    pub fn lost_requests(&self) -> u64 {
        let slots = self.slots();
        let lost = |slot| slots.counts(slot)[Counter::LostRequests as usize];
        slots.used().into_iter().map(lost).sum()
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slots {
    /// At the root cgroup packets come from interfaces that were never attached to.
    fn used(&self) -> Vec<u32> {
        if self.names.is_empty() {
            (0..SLOTS).collect()
        } else {
            self.names.keys().copied().collect()
        }
    }

    fn read(&self, slot: u32) -> NamedCounts {
        let counts = self.counts(slot);
        let named = COUNTERS.iter();
        named
            .map(|(counter, name)| (*name, counts[*counter as usize]))
            .collect()
    }

    fn counts(&self, slot: u32) -> CounterSlot {
        let mut sum = CounterSlot::default();
        if let Ok(cpus) = self.map.get(&slot, 0) {
            for counts in cpus.iter() {
                for (total, count) in sum.iter_mut().zip(counts) {
                    *total += count;
                }
            }
        }
        sum
    }
}
