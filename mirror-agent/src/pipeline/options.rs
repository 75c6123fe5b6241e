//! What the run as a whole is told.

use std::time::Duration;

mirror_core::options! {
    /// How a run ends.
    #[derive(Clone, Debug)]
    pub struct PipelineOptions("Control") {
        /// Longest time after the end of the capture for what is in flight
        #[option("drain-timeout", "TIME", default = "10s")]
        pub drain_timeout: Duration,
    }
}
