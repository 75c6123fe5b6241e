//! The state of a run for monitoring: in the text format that Prometheus reads (version 0.0.4), and as OpenMetrics 1.0.
//!
//! Every number that only grows is a counter. What a run comes to so far may shrink when more is known, so it is a gauge.

mod collect;
mod families;
mod routes;

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, prometheus_text, text};
use prometheus_client::registry::Registry;

use super::status::Status;
pub use families::{Buckets, Labels, MetricSink, Samples};
use families::{Families, TextSink};
use routes::LabelledRoutes;

/// A text format of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsFormat {
    Prometheus,
    OpenMetrics,
}

impl MetricsFormat {
    /// The one that a client asks for in its `Accept` fields; what everybody reads, if it does not say.
    pub fn wanted<'a>(accepted: impl IntoIterator<Item = &'a str>) -> Self {
        let mut ranges = accepted.into_iter().flat_map(|field| field.split(','));
        let is_asked_for = |range: &str| {
            let media_type = range.split(';').next().unwrap_or_default().trim();
            media_type.eq_ignore_ascii_case("application/openmetrics-text")
        };
        match ranges.any(is_asked_for) {
            true => Self::OpenMetrics,
            false => Self::Prometheus,
        }
    }

    pub fn media_type(self) -> &'static str {
        match self {
            Self::Prometheus => prometheus_text::CONTENT_TYPE,
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The metrics of a run, as often as they are asked for.
#[derive(Debug, Default)]
pub struct Metrics {
    routes: Arc<LabelledRoutes>,
}

impl Metrics {
    /// Gives all of them to a sink.
    pub fn tell(&self, status: &Status, sink: &mut dyn MetricSink) -> fmt::Result {
        collect::collect(status, &self.routes, &mut Families(sink))
    }

    pub fn text(&self, status: Status, format: MetricsFormat) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(StatusCollector {
            status,
            routes: Arc::clone(&self.routes),
        }));
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = match format {
            MetricsFormat::Prometheus => prometheus_text::encode(&mut out, &registry),
            MetricsFormat::OpenMetrics => text::encode(&mut out, &registry),
        };
        out
    }
}

#[derive(Debug)]
struct StatusCollector {
    status: Status,
    routes: Arc<LabelledRoutes>,
}

impl Collector for StatusCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut sink = TextSink(encoder);
        collect::collect(&self.status, &self.routes, &mut Families(&mut sink))
    }
}

#[cfg(test)]
mod tests;
