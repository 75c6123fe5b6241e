//! What the agent's control is told.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::{bail, ensure};

mirror_core::options! {
    /// Where a run can be asked and changed.
    #[derive(Clone, Debug)]
    pub struct ControlOptions("Control") {
        /// Socket for status, top, wait, pause, resume, filter, reload and stop; `replay` opens one only where another is named
        #[option("socket", "PATH", default = "/run/mirror-agent.sock")]
        pub socket: PathBuf,
        /// Address of the live page, /verdict, /metrics and probes, as in 127.0.0.1:9464. Without a token every user of this host
        /// can read them there; an address that other hosts reach needs --admin-token-file
        #[option("admin", "ADDRESS")]
        pub admin: Option<SocketAddr>,
        /// File with the token that the admin side asks for: as a Bearer token, or as the password of any user. Pausing from there
        /// always needs it
        #[option("admin-token-file", "FILE")]
        pub admin_token_file: Option<PathBuf>,
        /// Certificates (PEM) of the admin side, its own first; it then speaks HTTPS
        #[option("admin-tls-cert", "FILE")]
        pub admin_tls_cert: Option<PathBuf>,
        /// Private key (PEM) of the admin side
        #[option("admin-tls-key", "FILE")]
        pub admin_tls_key: Option<PathBuf>,
        /// Answer /metrics without the token
        #[option("admin-open-metrics", "")]
        pub admin_open_metrics: bool,
    }
}

impl ControlOptions {
    /// What concerns several options.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.admin_tls_cert.is_some() == self.admin_tls_key.is_some(),
            "--admin-tls-cert and --admin-tls-key belong together: give both or none"
        );
        let Some(address) = self.admin else {
            let alone = [
                (self.admin_token_file.is_some(), "--admin-token-file"),
                (self.admin_tls_cert.is_some(), "--admin-tls-cert"),
                (self.admin_open_metrics, "--admin-open-metrics"),
            ];
            if let Some((_, option)) = alone.iter().find(|(is_given, _)| *is_given) {
                bail!(
                    "{option} does nothing without the admin side: add --admin ADDRESS, as in 127.0.0.1:9464"
                );
            }
            return Ok(());
        };
        let has_token = self.admin_token_file.is_some();
        ensure!(
            has_token || address.ip().to_canonical().is_loopback(),
            "--admin {address} can be reached by other hosts: add --admin-token-file FILE, or use an address of this host alone, as in 127.0.0.1:9464"
        );
        ensure!(
            has_token || !self.admin_open_metrics,
            "--admin-open-metrics does nothing without --admin-token-file: leave it out"
        );
        Ok(())
    }

    /// Whether the token travels so that others on the way can read it.
    pub fn exposes_token(&self) -> bool {
        let is_far = self
            .admin
            .is_some_and(|address| !address.ip().to_canonical().is_loopback());
        is_far && self.admin_tls_cert.is_none()
    }
}

impl ControlOptions {
    /// Whether the socket is that of an agent which was not told another one.
    pub fn is_usual_socket(&self) -> bool {
        self.socket == Self::default().socket
    }

    /// The name of a run that was given none: that of its socket, unless it is the usual one.
    pub fn name(&self) -> String {
        let stem = self.socket.file_stem();
        let stem = stem.filter(|_| !self.is_usual_socket());
        stem.unwrap_or_default().to_string_lossy().into_owned()
    }
}
