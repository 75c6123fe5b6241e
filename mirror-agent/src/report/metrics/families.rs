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

pub(super) type Labels<'a> = Vec<(&'static str, &'a str)>;

/// Times of one sample, by the edges of its family.
#[derive(Clone, Debug)]
pub(super) struct Buckets {
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

    /// By upper edge, in seconds, how many are between it and the edge before. The last edge is infinite: the encoder of OpenMetrics
    /// does not add it, and the format demands it.
    fn between(&self) -> Vec<(f64, u64)> {
        let edges = self.edges_ms.iter().map(|edge| *edge as f64 / 1000.0);
        let below = self.below.iter().copied();
        let all = edges.zip(below).chain([(f64::INFINITY, self.count)]);
        let mut before = 0;
        all.map(|(edge, below)| (edge, below - std::mem::replace(&mut before, below)))
            .collect()
    }
}

/// Writes whole families: name, help and samples.
pub(super) struct Families<'e>(pub(super) DescriptorEncoder<'e>);

impl Families<'_> {
    pub(super) fn counters<'a>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'a>, u64)>,
    ) -> fmt::Result {
        let mut family = self
            .0
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in samples {
            let none = None::<&Exemplar<[(&str, &str); 0], u64>>;
            family
                .encode_family(&labels)?
                .encode_counter(&value, none)?;
        }
        Ok(())
    }

    pub(super) fn gauges<'a>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'a>, i64)>,
    ) -> fmt::Result {
        let mut family = self
            .0
            .encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in samples {
            family.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    pub(super) fn histograms<'a>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'a>, Buckets)>,
    ) -> fmt::Result {
        let mut family = self
            .0
            .encode_descriptor(name, help, None, MetricType::Histogram)?;
        for (labels, data) in samples {
            family
                .encode_family(&labels)?
                .encode_histogram::<[(&str, &str); 0]>(
                    data.sum_ms / 1000.0,
                    data.count,
                    &data.between(),
                    None,
                )?;
        }
        Ok(())
    }
}
