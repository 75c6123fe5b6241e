//! What the agent's control is told.

use std::{net::SocketAddr, path::PathBuf};

mirror_core::options! {
    /// Where a run can be asked and changed.
    #[derive(Clone, Debug)]
    pub struct ControlOptions("Control") {
        /// Socket for status, filter, reload and stop
        #[option("socket", "PATH", default = "/run/mirror-agent.sock")]
        pub socket: PathBuf,
        /// Address to answer GET /metrics on, for Prometheus, as in 127.0.0.1:9464
        #[option("metrics", "ADDRESS")]
        pub metrics: Option<SocketAddr>,
    }
}
