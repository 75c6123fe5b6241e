//! What the schedule is told of this host, for the limits that need it.

use tokio::time::{MissedTickBehavior, interval};

use super::MirrorSide;
use crate::pipeline::host::{HostTime, TICK_INTERVAL, own_cpu_time};

impl MirrorSide {
    /// Tells it several times a second; never ends.
    pub(super) async fn tell_load(&self) {
        if !self.schedule.needs_ticks() {
            return std::future::pending().await;
        }
        let mut ticks = interval(TICK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = HostTime::read();
        loop {
            ticks.tick().await;
            let now = HostTime::read();
            let limit = self
                .schedule
                .tick(own_cpu_time(), now.busy_share_since(last));
            self.slots.limit_to(limit);
            last = now;
        }
    }
}
