//! What the export to OpenTelemetry is told.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{bail, ensure};

use crate::replay::CredentialSource;
use crate::web::WebUrl;

/// A collector is not told more often.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

mirror_core::options! {
    /// Where verdict, differences and ledger are sent to.
    #[derive(Clone, Debug)]
    pub struct OtlpOptions("OpenTelemetry") {
        /// Collector that gets metrics, and logs of decisions and differences, by OTLP over HTTP, as in http://collector:4318
        #[option("otlp", "URL")]
        pub url: Option<WebUrl>,
        /// Header that it gets, from a file or the environment, as in 'authorization: Bearer $OTLP_TOKEN' or
        /// 'x-api-key: @/run/key' (repeatable)
        #[option("otlp-header", "HEADER")]
        pub headers: Vec<CredentialSource>,
        /// File (PEM) with certificates that may have signed its own, beside the system's
        #[option("otlp-ca", "FILE")]
        pub ca: Option<PathBuf>,
        /// Time between two exports
        #[option("otlp-interval", "TIME", default = "15s")]
        pub interval: Duration,
    }
}

impl OtlpOptions {
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.interval >= MIN_INTERVAL,
            "--otlp-interval {}: use 1s or more",
            humantime::format_duration(self.interval)
        );
        if self.url.is_some() {
            return Ok(());
        }
        let alone = [
            (!self.headers.is_empty(), "--otlp-header"),
            (self.ca.is_some(), "--otlp-ca"),
        ];
        match alone.iter().find(|(is_given, _)| *is_given) {
            Some((_, option)) => {
                bail!("{option} does nothing without a collector: add --otlp URL")
            }
            None => Ok(()),
        }
    }
}
