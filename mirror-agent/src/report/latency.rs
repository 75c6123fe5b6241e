//! Latencies in a bounded space: a histogram with buckets an eighth of a power of two wide.

use std::time::Duration;

use serde::{Deserialize, Serialize};

const BUCKETS: usize = 64 * 8;

/// Milliseconds; the percentiles are the upper edges of their buckets, at most 12.5% too high.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Percentiles {
    pub count: u64,
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

#[derive(Default)]
pub struct Latencies {
    counts: Vec<u64>,
    count: u64,
    max: u64,
}

impl Latencies {
    pub fn add(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        if self.counts.is_empty() {
            self.counts = vec![0; BUCKETS];
        }
        self.counts[bucket(nanos)] += 1;
        self.count += 1;
        self.max = self.max.max(nanos);
    }

    pub fn percentiles(&self) -> Percentiles {
        Percentiles {
            count: self.count,
            p50: self.at(0.50),
            p95: self.at(0.95),
            p99: self.at(0.99),
            max: self.max as f64 / 1e6,
        }
    }

    /// For what matters when it is short: the percentiles count from the longest.
    pub fn shortest(&self) -> Percentiles {
        Percentiles {
            count: self.count,
            p50: self.at(0.50),
            p95: self.at(0.05),
            p99: self.at(0.01),
            max: self.max as f64 / 1e6,
        }
    }

    /// How many are at most so many milliseconds, up to the width of a bucket here.
    pub fn histogram(&self, edges_ms: &[u64]) -> Vec<(u64, u64)> {
        let below = |edge: u64| {
            let buckets = self.counts.iter().take(bucket(edge * 1_000_000) + 1);
            buckets.sum::<u64>()
        };
        edges_ms.iter().map(|edge| (*edge, below(*edge))).collect()
    }

    fn at(&self, share: f64) -> f64 {
        let wanted = (self.count as f64 * share).ceil() as u64;
        let mut below = 0;
        for (index, count) in self.counts.iter().enumerate() {
            below += count;
            if below >= wanted && below > 0 {
                return upper_edge(index).min(self.max) as f64 / 1e6;
            }
        }
        0.0
    }
}

fn bucket(nanos: u64) -> usize {
    let nanos = nanos.max(8);
    let exponent = nanos.ilog2();
    let eighth = (nanos >> (exponent - 3)) & 7;
    exponent as usize * 8 + eighth as usize
}

fn upper_edge(bucket: usize) -> u64 {
    let (exponent, eighth) = ((bucket / 8) as u32, (bucket % 8) as u128);
    let edge = ((8 + eighth + 1) << exponent) >> 3;
    u64::try_from(edge).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_at_most_an_eighth_too_high() {
        let mut latencies = Latencies::default();
        for micros in 1..=1000 {
            latencies.add(Duration::from_micros(micros));
        }
        let got = latencies.percentiles();
        assert!((0.5..0.5625).contains(&got.p50), "{got:?}");
        assert!((0.99..=1.0).contains(&got.p99), "{got:?}");
        assert_eq!(got.max, 1.0);
    }

    #[test]
    fn the_extremes_have_a_bucket() {
        let mut latencies = Latencies::default();
        latencies.add(Duration::ZERO);
        latencies.add(Duration::MAX);
        assert_eq!(latencies.percentiles().count, 2);
    }
}
