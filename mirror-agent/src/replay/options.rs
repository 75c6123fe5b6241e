//! What the replay is told.

use std::{num::NonZeroUsize, time::Duration};

use super::Target;

mirror_core::options! {
    /// Where and how requests are sent again.
    #[derive(Clone, Debug)]
    pub struct ReplayOptions("Replay") {
        /// Where to replay to, as in http://mirror:8080; without it the agent only observes
        #[option("target", "URL")]
        pub target: Option<Target>,
        /// Longest time for connecting, and for the whole answer
        #[option("replay-timeout", "TIME", default = "5s")]
        pub timeout: Duration,
        /// Most replays at once
        #[option("concurrency", "N", default = "64")]
        pub concurrency: NonZeroUsize,
    }
}
