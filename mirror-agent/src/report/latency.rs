//! Latencies as HDR histograms: at most 1 % off, in bounded space, and mergeable.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Two digits: each value is at most 1 % too high.
const DIGITS: u8 = 2;
/// In microseconds, some 35 minutes: beyond them its length does not matter any more, and its memory would.
const LONGEST: u64 = 1 << 31;

/// Times, in microseconds below.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "LatencyRecord", into = "LatencyRecord")]
pub struct Latencies {
    histogram: Histogram<u64>,
    /// Of all, exactly.
    sum: Duration,
}

/// What reports keep of latencies: milliseconds, and the histogram that they are from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct LatencyData {
    pub count: u64,
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
    pub sum: f64,
    /// How many took so many microseconds, in ascending order; with these, reports can be merged.
    pub histogram: Vec<(u64, u64)>,
}

/// Times as they are kept.
#[derive(Serialize, Deserialize)]
struct LatencyRecord {
    sum: Duration,
    /// How many took so many microseconds.
    counts: Vec<(u64, u64)>,
}

impl From<Latencies> for LatencyRecord {
    fn from(latencies: Latencies) -> Self {
        Self {
            sum: latencies.sum,
            counts: latencies.counts(),
        }
    }
}

impl From<LatencyRecord> for Latencies {
    fn from(record: LatencyRecord) -> Self {
        let mut latencies = Self::default();
        for (micros, count) in record.counts {
            // As in `add`.
            let _ = latencies.histogram.record_n(micros.min(LONGEST), count);
        }
        latencies.sum = record.sum;
        latencies
    }
}

impl Default for Latencies {
    fn default() -> Self {
        let mut histogram = match Histogram::new_with_bounds(1, 2, DIGITS) {
            Ok(histogram) => histogram,
            Err(_) => unreachable!("the bounds and the digits are constants within its limits"),
        };
        histogram.auto(true);
        Self {
            histogram,
            sum: Duration::ZERO,
        }
    }
}

impl Latencies {
    pub fn add(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        // It grows as needed, so recording cannot fail.
        let _ = self.histogram.record(micros.min(LONGEST));
        self.sum = self.sum.saturating_add(latency);
    }

    pub fn merge(&mut self, other: &Self) {
        // Both grow as needed, so adding cannot fail.
        let _ = self.histogram.add(&other.histogram);
        self.sum = self.sum.saturating_add(other.sum);
    }

    pub fn data(&self) -> LatencyData {
        LatencyData {
            p95: self.at(0.95),
            p99: self.at(0.99),
            ..self.middle()
        }
    }

    /// For what matters when it is short: the percentiles count from the longest.
    pub fn shortest(&self) -> LatencyData {
        LatencyData {
            p95: self.at(0.05),
            p99: self.at(0.01),
            ..self.middle()
        }
    }

    fn counts(&self) -> Vec<(u64, u64)> {
        let recorded = self.histogram.iter_recorded();
        recorded
            .map(|step| (step.value_iterated_to(), step.count_at_value()))
            .collect()
    }

    fn middle(&self) -> LatencyData {
        LatencyData {
            count: self.histogram.len(),
            p50: self.at(0.5),
            max: self.at(1.0),
            sum: self.sum.as_secs_f64() * 1000.0,
            histogram: self.counts(),
            ..LatencyData::default()
        }
    }

    fn at(&self, quantile: f64) -> f64 {
        self.histogram.value_at_quantile(quantile) as f64 / 1000.0
    }
}

impl fmt::Debug for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.data().fmt(f)
    }
}

impl LatencyData {
    /// How many are at most so many milliseconds, for each edge.
    pub fn below(&self, edges_ms: &[u64]) -> Vec<(u64, u64)> {
        let count = |edge: u64| {
            let all = self.histogram.iter();
            all.filter(|(micros, _)| *micros <= edge * 1000)
                .map(|(_, count)| count)
                .sum()
        };
        edges_ms.iter().map(|edge| (*edge, count(*edge))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thousand() -> Latencies {
        let mut latencies = Latencies::default();
        for micros in 1..=1000 {
            latencies.add(Duration::from_micros(micros));
        }
        latencies
    }

    #[test]
    fn percentiles_are_at_most_one_hundredth_too_high() {
        let got = thousand().data();
        assert!((0.5..0.505).contains(&got.p50), "{got:?}");
        assert!((0.95..0.96).contains(&got.p95), "{got:?}");
        assert!((0.99..1.0).contains(&got.p99), "{got:?}");
        assert!((1.0..1.01).contains(&got.max), "{got:?}");
        assert_eq!(got.count, 1000);
        assert!((got.sum - 500.5).abs() < 1e-6, "{got:?}");
    }

    #[test]
    fn the_shortest_count_from_the_longest() {
        let got = thousand().shortest();
        assert!((0.05..0.051).contains(&got.p95), "{got:?}");
        assert!((0.01..0.011).contains(&got.p99), "{got:?}");
    }

    #[test]
    fn times_are_read_as_they_were_kept() {
        let mut latencies = thousand();
        latencies.add(Duration::from_secs(7));
        latencies.add(Duration::MAX - Duration::from_secs(9));
        let text = serde_json::to_string(&latencies).unwrap();
        let mut read: Latencies = serde_json::from_str(&text).unwrap();
        assert_eq!(read.data(), latencies.data());
        read.merge(&latencies);
        latencies.merge(&latencies.clone());
        assert_eq!(read.data(), latencies.data());
    }

    #[test]
    fn the_extremes_have_a_place() {
        let mut latencies = Latencies::default();
        latencies.add(Duration::ZERO);
        latencies.add(Duration::MAX);
        assert_eq!(latencies.data().count, 2);
        assert_eq!(Latencies::default().data().p99, 0.0);
    }

    #[test]
    fn merged_parts_are_the_whole() {
        let (mut low, mut high) = (Latencies::default(), Latencies::default());
        (1..=500).for_each(|micros| low.add(Duration::from_micros(micros)));
        (501..=1000).for_each(|micros| high.add(Duration::from_micros(micros)));
        low.merge(&high);
        assert_eq!(low.data(), thousand().data());
    }

    #[test]
    fn buckets_are_cumulative() {
        let mut latencies = Latencies::default();
        for millis in [1, 3, 3, 700] {
            latencies.add(Duration::from_millis(millis));
        }
        let below = latencies.data().below(&[1, 2, 5, 1000]);
        assert_eq!(below, [(1, 0), (2, 1), (5, 3), (1000, 4)]);
    }
}
