//! Tells a collector of OpenTelemetry how a run goes: its metrics, and logs of decisions and differences.
//!
//! An export holds nothing up. There is one at a time, it is bounded in time and size, and nothing is queued: metrics are totals,
//! and what could not be delivered is tried again with the next export.

mod logs;
mod metrics;
mod options;
mod values;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Error, anyhow};
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{ResourceMetrics, ScopeMetrics};
use prost::Message;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{sleep, timeout};

use crate::report::{Metrics, Status};
use crate::web::WebClient;
use logs::Told;
use values::{resource, scope};

pub use options::OtlpOptions;

/// For one request to the collector.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// For the last export, at the end of a run.
const LAST_TIMEOUT: Duration = Duration::from_secs(5);
const MEDIA_TYPE: &str = "application/x-protobuf";

/// Sends what a run comes to, again and again.
pub struct Exporter {
    client: WebClient,
    interval: Duration,
    metrics: Metrics,
    told: Told,
    /// The last export failed, and the user knows.
    is_failing: bool,
}

impl Exporter {
    /// None without `--otlp`. What can be wrong with the options is an error here.
    pub fn new(options: &OtlpOptions) -> anyhow::Result<Option<Self>> {
        let Some(url) = options.url.clone() else {
            return Ok(None);
        };
        let certificates = ("--otlp-ca", options.ca.as_deref());
        let mut client = WebClient::new(url, certificates, SEND_TIMEOUT)?;
        for header in &options.headers {
            let value = header.read("--otlp-header")?;
            client = client.with_secret(header.name(), value.expose())?;
        }
        Ok(Some(Self {
            client,
            interval: options.interval,
            metrics: Metrics::default(),
            told: Told::default(),
            is_failing: false,
        }))
    }

    /// Exports while the run goes on, and once more at its end.
    pub fn begin(self, status: impl Fn() -> Status + Send + Sync + 'static) -> Exporting {
        let end = watch::Sender::new(false);
        let task = tokio::spawn(self.run(Arc::new(status), end.subscribe()));
        Exporting { end, task }
    }

    async fn run(
        mut self,
        status: Arc<dyn Fn() -> Status + Send + Sync>,
        mut end: watch::Receiver<bool>,
    ) {
        // Its sender lives as long as the run.
        let mut ends = async || drop(end.wait_for(|end| *end).await);
        loop {
            let exported = tokio::select! {
                exported = async {
                    sleep(self.interval).await;
                    self.export(&status, false).await
                } => exported,
                () = ends() => break,
            };
            self.note(exported);
        }
        let exported = match timeout(LAST_TIMEOUT, self.export(&status, true)).await {
            Ok(exported) => exported,
            Err(_) => Err(anyhow!("not within {LAST_TIMEOUT:?}")),
        };
        self.note(exported);
    }

    async fn export(
        &mut self,
        status: &Arc<dyn Fn() -> Status + Send + Sync>,
        is_last: bool,
    ) -> anyhow::Result<()> {
        let making = Arc::clone(status);
        // Counters are read from the kernel, and a run is decided.
        let status = spawn_blocking(move || making()).await?;
        let metrics = ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(resource(&status)),
                scope_metrics: vec![ScopeMetrics {
                    scope: Some(scope()),
                    metrics: metrics::metrics(&self.metrics, &status),
                    ..ScopeMetrics::default()
                }],
                ..ResourceMetrics::default()
            }],
        };
        let metrics_taken = self.send("/v1/metrics", &metrics).await?;
        // A collector that refuses metrics may take logs; one that does not answer is not asked twice.
        let logs_taken = self.export_logs(&status, is_last).await?;
        metrics_taken.and(logs_taken).map_err(Error::msg)
    }

    async fn export_logs(&mut self, status: &Status, is_last: bool) -> anyhow::Result<Taken> {
        let (log_records, news) = self.told.news(status, is_last);
        if log_records.is_empty() {
            return Ok(Ok(()));
        }
        let logs = ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs {
                resource: Some(resource(status)),
                scope_logs: vec![ScopeLogs {
                    scope: Some(scope()),
                    log_records,
                    ..ScopeLogs::default()
                }],
                ..ResourceLogs::default()
            }],
        };
        let taken = self.send("/v1/logs", &logs).await?;
        if taken.is_ok() {
            self.told.remember(news);
        }
        Ok(taken)
    }

    /// An error where the collector did not answer.
    async fn send(&self, path: &str, message: &impl Message) -> anyhow::Result<Taken> {
        let body = Bytes::from(message.encode_to_vec());
        let answer = self.client.post(path, MEDIA_TYPE, body).await?;
        Ok(match answer.status.is_success() {
            true => Ok(()),
            false => Err(format!(
                "{}{path} answered {}",
                self.client.url(),
                answer.status
            )),
        })
    }

    /// Says when exports begin to fail, and when they are well again.
    fn note(&mut self, exported: anyhow::Result<()>) {
        match exported.context("telling the collector of --otlp") {
            Ok(()) if self.is_failing => tracing::info!("the collector of --otlp answers again"),
            Ok(()) => {}
            Err(error) if !self.is_failing => {
                tracing::warn!("{error:#}; the run goes on, and it is tried again");
                self.is_failing = true;
                return;
            }
            Err(error) => {
                tracing::debug!("{error:#}");
                return;
            }
        }
        self.is_failing = false;
    }
}

/// What a collector that answered said: the reason where it refused.
type Taken = Result<(), String>;

/// Exports that go on.
pub struct Exporting {
    end: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Exporting {
    /// Tells the collector what the run came to. A collector that does not answer is waited for a few seconds.
    pub async fn finish(self) {
        self.end.send_replace(true);
        // It ends by itself, and a panic in it is no reason to lose a run.
        let _ = self.task.await;
    }
}
