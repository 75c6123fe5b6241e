//! What may be between capture and verdict, and for how long.

use std::{num::NonZeroUsize, time::Duration};

use mirror_core::options::ByteSize;

mirror_core::options! {
    /// The most that may be in flight; what comes beyond is shed and counted.
    #[derive(Clone, Debug)]
    pub struct TransportOptions("In flight") {
        /// Most exchanges that wait for a snapshot or a replay; what comes beyond is shed and counted
        #[option("queue", "N", default = "20000")]
        pub exchanges: NonZeroUsize,
        /// Most bytes of these exchanges
        #[option("queue-bytes", "SIZE", default = "256MiB")]
        pub bytes: ByteSize,
        /// Longest time after the end of the capture for what is in flight
        #[option("drain-timeout", "TIME", default = "10s")]
        pub drain_timeout: Duration,
    }
}
