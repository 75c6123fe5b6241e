//! What the schedule is told of this host, for the limits that need it.

use super::MirrorSide;
use crate::pipeline::host::LoadWatch;

impl MirrorSide {
    /// Tells it several times a second; never ends.
    pub(super) async fn tell_load(&self) {
        if !self.schedule.needs_ticks() {
            return std::future::pending().await;
        }
        let mut watch = LoadWatch::start();
        loop {
            let load = watch.next().await;
            self.slots.limit_to(self.schedule.tick(load.own, load.busy));
        }
    }
}
