//! Asks the sides again and again which build they run, where they say it at a URL.

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::MirrorSide;

impl MirrorSide {
    /// Never ends. What they said at the start is known already, and one that does not answer now says nothing.
    pub(super) async fn ask_builds(&self) {
        if self.builds.is_empty() {
            return std::future::pending().await;
        }
        let interval = self.config.borrow().build_urls.interval;
        let mut ticks = interval_at(Instant::now() + interval, interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            for (side, build) in self.builds.ask().await {
                match build {
                    Ok(build) => self.recorder.run_builds([(side, build)]),
                    Err(error) => tracing::debug!("{error:#}"),
                }
            }
        }
    }
}
