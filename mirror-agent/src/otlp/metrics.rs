//! The metrics of `/metrics` as OTLP has them: `mirror_send_lag_seconds` is `mirror.send_lag` in `s`, labels are attributes, and a
//! collector that writes them for Prometheus gives them the names of `/metrics` again.

use std::fmt;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, Sum,
    number_data_point::Value,
};

use super::values::{attribute, now};
use crate::report::{Buckets, Labels, MetricSink, Metrics, Samples, Status};

pub(super) fn metrics(metrics: &Metrics, status: &Status) -> Vec<Metric> {
    let mut sink = OtlpSink {
        metrics: Vec::new(),
        since: status.started_at.saturating_mul(1_000_000_000),
        now: now(),
    };
    // This sink takes everything.
    let _ = metrics.tell(status, &mut sink);
    sink.metrics
}

struct OtlpSink {
    metrics: Vec<Metric>,
    /// Nanoseconds since 1970: when the totals began, and now.
    since: u64,
    now: u64,
}

impl MetricSink for OtlpSink {
    fn family(&mut self, name: &str, help: &str, samples: Samples<'_>) -> fmt::Result {
        let name = name.strip_prefix("mirror_").unwrap_or(name);
        let (name, unit) = match name.strip_suffix("_seconds") {
            Some(name) => (name, "s"),
            // With `1`, collectors would call gauges ratios.
            None => (name, ""),
        };
        let data = match samples {
            Samples::Counters(samples) => Data::Sum(Sum {
                data_points: self.points(samples, |count| Value::AsInt(whole(count))),
                aggregation_temporality: AggregationTemporality::Cumulative.into(),
                is_monotonic: true,
            }),
            Samples::Gauges(samples) => Data::Gauge(Gauge {
                data_points: self.points(samples, Value::AsInt),
            }),
            Samples::Histograms(samples) => Data::Histogram(Histogram {
                data_points: samples
                    .into_iter()
                    .map(|(labels, buckets)| self.histogram(labels, &buckets))
                    .collect(),
                aggregation_temporality: AggregationTemporality::Cumulative.into(),
            }),
        };
        self.metrics.push(Metric {
            name: format!("mirror.{name}"),
            description: help.into(),
            unit: unit.into(),
            data: Some(data),
            ..Metric::default()
        });
        Ok(())
    }
}

impl OtlpSink {
    fn points<T>(
        &self,
        samples: Vec<(Labels<'_>, T)>,
        value: impl Fn(T) -> Value,
    ) -> Vec<NumberDataPoint> {
        let point = |(labels, sample)| NumberDataPoint {
            attributes: attributes(labels),
            start_time_unix_nano: self.since,
            time_unix_nano: self.now,
            value: Some(value(sample)),
            ..NumberDataPoint::default()
        };
        samples.into_iter().map(point).collect()
    }

    fn histogram(&self, labels: Labels<'_>, buckets: &Buckets) -> HistogramDataPoint {
        let between = buckets.between();
        // The last bound is infinite, and is not written.
        let bounds = between.iter().map(|(edge, _)| *edge);
        HistogramDataPoint {
            attributes: attributes(labels),
            start_time_unix_nano: self.since,
            time_unix_nano: self.now,
            count: buckets.count(),
            sum: Some(buckets.sum()),
            explicit_bounds: bounds.filter(|edge| edge.is_finite()).collect(),
            bucket_counts: between.into_iter().map(|(_, count)| count).collect(),
            ..HistogramDataPoint::default()
        }
    }
}

fn attributes(labels: Labels<'_>) -> Vec<KeyValue> {
    let labels = labels.into_iter();
    labels.map(|(key, value)| attribute(key, value)).collect()
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
