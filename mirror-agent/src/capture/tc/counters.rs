//! The kernel's counters, in all and by interface.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aya::maps::{MapData, PerCpuArray};
use mirror_common::{COUNTERS, Counter, Counts, SLOTS};

/// May be read from any thread.
#[derive(Clone)]
pub struct Counters(Arc<Mutex<Slots>>);

struct Slots {
    map: PerCpuArray<MapData, Counts>,
    /// Slots that interfaces were given, by the name of the last.
    names: BTreeMap<u32, String>,
}

/// A count for each name in [`COUNTERS`].
type Named = BTreeMap<&'static str, u64>;

impl Counters {
    pub(super) fn new(map: PerCpuArray<MapData, Counts>) -> Self {
        let names = BTreeMap::new();
        Self(Arc::new(Mutex::new(Slots { map, names })))
    }

    pub(super) fn name(&self, index: u32, name: &str) {
        self.slots().names.insert(index % SLOTS, name.to_owned());
    }

    /// Each counter summed over interfaces and CPUs.
    pub fn read(&self) -> Named {
        let slots = self.slots();
        let mut sum: Named = COUNTERS.iter().map(|(_, name)| (*name, 0)).collect();
        for slot in slots.used() {
            for (name, count) in slots.read(slot) {
                *sum.entry(name).or_default() += count;
            }
        }
        sum
    }

    pub fn by_interface(&self) -> BTreeMap<String, Named> {
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

    fn read(&self, slot: u32) -> Named {
        let counts = self.counts(slot);
        let named = COUNTERS.iter();
        named
            .map(|(counter, name)| (*name, counts[*counter as usize]))
            .collect()
    }

    fn counts(&self, slot: u32) -> Counts {
        let mut sum = Counts::default();
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
