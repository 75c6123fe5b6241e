//! How it is found out what differs by nature.

crate::options! {
    /// How it is found out what differs by nature.
    #[derive(Clone, Debug)]
    pub struct NoiseOptions("Noise") {
        /// Send no request to the mirror twice: what varies by nature is then learnt from a --control, and from
        /// requests that production itself answers twice
        #[option("no-repeats", "", live)]
        pub no_repeats: bool,
        /// What an earlier run has learnt of what varies by nature, as a report has it in noise.json
        #[option("noise", "FILE")]
        pub file: Option<std::path::PathBuf>,
    }
}
