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

impl ControlOptions {
    /// What a run is called that has no name of its own: as its socket, if that is not the usual one.
    pub fn name(&self) -> String {
        let is_usual = self.socket == Self::default().socket;
        let stem = self.socket.file_stem().filter(|_| !is_usual);
        stem.unwrap_or_default().to_string_lossy().into_owned()
    }
}
