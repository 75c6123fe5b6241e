//! Replays at once: as many as the schedule allows now, the longest waiting first.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(super) struct Slots {
    free: Arc<Semaphore>,
    limit: Cell<usize>,
    /// Slots that are in use and must not be used again, since the limit was lowered.
    owed: Rc<Cell<usize>>,
}

/// A replay's place, until it is dropped.
pub(super) struct Slot {
    permit: Option<OwnedSemaphorePermit>,
    owed: Rc<Cell<usize>>,
}

impl Slots {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(limit)),
            limit: Cell::new(limit),
            owed: Rc::default(),
        }
    }

    pub(super) async fn take(&self) -> Slot {
        Slot {
            // Never closed.
            permit: Arc::clone(&self.free).acquire_owned().await.ok(),
            owed: Rc::clone(&self.owed),
        }
    }

    pub(super) fn limit_to(&self, limit: usize) {
        let before = self.limit.replace(limit);
        if limit > before {
            let more = limit - before;
            let paid = self.owed.get().min(more);
            self.owed.set(self.owed.get() - paid);
            self.free.add_permits(more - paid);
        } else {
            let fewer = before - limit;
            let forgotten = self.free.forget_permits(fewer);
            self.owed.set(self.owed.get() + fewer - forgotten);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let owed = self.owed.get();
        if owed > 0
            && let Some(permit) = self.permit.take()
        {
            permit.forget();
            self.owed.set(owed - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    /// As many as are free now.
    fn take_all(slots: &Slots) -> Vec<Slot> {
        std::iter::from_fn(|| slots.take().now_or_never()).collect()
    }

    #[test]
    fn a_limit_that_changes_while_slots_are_in_use_holds_in_the_end() {
        let slots = Slots::new(8);
        let mut held = take_all(&slots);
        assert_eq!(held.len(), 8);
        slots.limit_to(3);
        held.truncate(4);
        assert_eq!(
            take_all(&slots).len(),
            0,
            "four are in use, and three allowed"
        );
        held.truncate(2);
        assert_eq!(take_all(&slots).len(), 1);
        slots.limit_to(1);
        slots.limit_to(6);
        assert_eq!(take_all(&slots).len(), 4);
        held.clear();
        assert_eq!(take_all(&slots).len(), 6);
    }
}
