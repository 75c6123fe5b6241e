//! How a capture file is replayed.

use mirror_core::schedule::Speed;

mirror_core::options! {
    /// For `replay FILE`.
    #[derive(Clone, Debug)]
    pub struct FileOptions("A capture file") {
        /// How fast the time of a capture file goes by: 2 is twice as fast, max as fast as the mirror takes it
        #[option("speed", "TIMES", default = "1")]
        pub speed: Speed,
    }
}
