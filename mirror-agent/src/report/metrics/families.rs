//! Writes metrics family by family, and sums what has no room for a label of its own.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;

use super::super::latency::LatencyData;

/// Upper edges, in milliseconds, of times that a request takes.
pub(super) const REQUEST_EDGES_MS: &[u64] =
    &[1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000];
/// Upper edges, in milliseconds, of the life that a snapshot has left.
pub(super) const LIFE_EDGES_MS: &[u64] = &[
    1_000, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 3_600_000,
];

pub type Labels<'a> = Vec<(&'static str, &'a str)>;

/// Times of one sample, by the edges of its family.
#[derive(Clone, Debug)]
pub struct Buckets {
    edges_ms: &'static [u64],
    /// How many are at most at each edge.
    below: Vec<u64>,
    count: u64,
    sum_ms: f64,
}

impl Buckets {
    pub(super) fn new<'a>(
        edges_ms: &'static [u64],
        all: impl IntoIterator<Item = &'a LatencyData>,
    ) -> Self {
        let mut buckets = Self {
            edges_ms,
            below: vec![0; edges_ms.len()],
            count: 0,
            sum_ms: 0.0,
        };
        for data in all {
            for (sum, (_, count)) in buckets.below.iter_mut().zip(data.below(edges_ms)) {
                *sum += count;
            }
            buckets.count += data.count;
            buckets.sum_ms += data.sum;
        }
        buckets
    }

    /// Of all times, in seconds.
    pub fn sum(&self) -> f64 {
        self.sum_ms / 1000.0
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    /// By upper edge, in seconds, how many are between it and the edge before. The last edge is infinite: the encoder of OpenMetrics
    /// does not add it, and the format demands it.
    pub fn between(&self) -> Vec<(f64, u64)> {
        let edges = self.edges_ms.iter().map(|edge| *edge as f64 / 1000.0);
        let below = self.below.iter().copied();
        let all = edges.zip(below).chain([(f64::INFINITY, self.count)]);
        let mut before = 0;
        all.map(|(edge, below)| (edge, below - std::mem::replace(&mut before, below)))
            .collect()
    }
}

/// The samples of a family.
#[derive(Debug)]
pub enum Samples<'a> {
    /// These only grow.
    Counters(Vec<(Labels<'a>, u64)>),
    Gauges(Vec<(Labels<'a>, i64)>),
    Histograms(Vec<(Labels<'a>, Buckets)>),
}

/// Takes metrics, family by family.
pub trait MetricSink {
    /// A name that ends in `_seconds` has that unit. The name of counters is without `_total`.
    fn family(&mut self, name: &str, help: &str, samples: Samples<'_>) -> fmt::Result;
}

/// Gives whole families to a sink.
pub(super) struct Families<'s>(pub(super) &'s mut dyn MetricSink);

impl Families<'_> {
    pub(super) fn counters<'a>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'a>, u64)>,
    ) -> fmt::Result {
        let samples = samples.into_iter().collect();
        self.0.family(name, help, Samples::Counters(samples))
    }

    pub(super) fn gauges<'a>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'a>, i64)>,
    ) -> fmt::Result {
        let samples = samples.into_iter().collect();
        self.0.family(name, help, Samples::Gauges(samples))
    }

    pub(super) fn histograms<'a>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'a>, Buckets)>,
    ) -> fmt::Result {
        let samples = samples.into_iter().collect();
        self.0.family(name, help, Samples::Histograms(samples))
    }
}

/// Both text formats.
pub(super) struct TextSink<'e>(pub(super) DescriptorEncoder<'e>);

impl MetricSink for TextSink<'_> {
    fn family(&mut self, name: &str, help: &str, samples: Samples<'_>) -> fmt::Result {
        let kind = match samples {
            Samples::Counters(_) => MetricType::Counter,
            Samples::Gauges(_) => MetricType::Gauge,
            Samples::Histograms(_) => MetricType::Histogram,
        };
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        match samples {
            Samples::Counters(samples) => {
                for (labels, value) in samples {
                    let none = None::<&Exemplar<[(&str, &str); 0], u64>>;
                    family
                        .encode_family(&labels)?
                        .encode_counter(&value, none)?;
                }
            }
            Samples::Gauges(samples) => {
                for (labels, value) in samples {
                    family.encode_family(&labels)?.encode_gauge(&value)?;
                }
            }
            Samples::Histograms(samples) => {
                for (labels, data) in samples {
                    family
                        .encode_family(&labels)?
                        .encode_histogram::<[(&str, &str); 0]>(
                            data.sum(),
                            data.count(),
                            &data.between(),
                            None,
                        )?;
                }
            }
        }
        Ok(())
    }
}
