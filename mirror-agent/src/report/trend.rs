//! How a route did in the course of a run: at most 60 intervals of one length, which doubles as the run grows.
//!
//! Intervals begin at multiples of their length since the epoch. So those of several hosts add up, and the order does not matter.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mirror_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Intervals that a trend has at most.
const MAX_POINTS: u64 = 60;
/// The least of [`TimeSketch`] is above this quantile.
const HIGH: f64 = 0.95;

/// One interval of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TrendPoint {
    /// Start of the interval, in seconds since the epoch. It ends where the next one starts.
    pub at: u64,
    /// Requests that were captured in it, and judged.
    pub judged: u64,
    /// Those of them that differ.
    pub differed: u64,
    pub mirror_p95_ms: Option<f64>,
    pub production_p95_ms: Option<f64>,
}

/// What is counted for [`TrendPoint`]s.
#[derive(Clone, Debug)]
pub(super) struct Trend {
    /// Length of an interval, in seconds.
    length: u64,
    /// By start divided by length.
    intervals: BTreeMap<u64, Interval>,
    /// Those that have changed since they were kept last.
    changed: BTreeSet<u64>,
}

/// Where an interval is in its trend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct IntervalKey {
    pub(super) length: u64,
    /// Start divided by length.
    pub(super) start: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Interval {
    judged: u64,
    differed: u64,
    mirror: TimeSketch,
    production: TimeSketch,
}

/// A judged request.
pub(super) struct TrendRequest {
    pub(super) at: Timestamp,
    pub(super) differs: bool,
    pub(super) mirror: Duration,
    pub(super) production: Option<Duration>,
}

/// Counts of times by the power of 1.1 microseconds that they are below: some tens of numbers where a histogram takes kilobytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct TimeSketch(BTreeMap<u16, u64>);

impl Default for Trend {
    fn default() -> Self {
        Self {
            length: 1,
            intervals: BTreeMap::new(),
            changed: BTreeSet::new(),
        }
    }
}

impl Trend {
    pub(super) fn count(&mut self, request: &TrendRequest) {
        let start = request.at.as_secs() / self.length;
        self.changed.insert(start);
        let interval = self.intervals.entry(start).or_default();
        interval.judged += 1;
        interval.differed += u64::from(request.differs);
        interval.mirror.add(request.mirror);
        if let Some(time) = request.production {
            interval.production.add(time);
        }
        self.widen();
    }

    pub(super) fn merge(&mut self, other: &Self) {
        let mut other = other.clone();
        while self.length < other.length {
            self.double();
        }
        while other.length < self.length {
            other.double();
        }
        for (start, interval) in &other.intervals {
            self.intervals.entry(*start).or_default().merge(interval);
            self.changed.insert(*start);
        }
        self.widen();
    }

    /// The intervals that have changed since they were asked for last, or all of them.
    pub(super) fn changes(&mut self, all: bool) -> Vec<(IntervalKey, Interval)> {
        let changed = std::mem::take(&mut self.changed);
        let intervals = self.intervals.iter();
        let intervals = intervals.filter(|(start, _)| all || changed.contains(start));
        let key = |start: u64| IntervalKey {
            length: self.length,
            start,
        };
        intervals
            .map(|(start, interval)| (key(*start), interval.clone()))
            .collect()
    }

    /// Of what [`changes`](Self::changes) has said from the start on: of intervals that became longer, the shorter ones do not count any more.
    pub(super) fn of(kept: impl IntoIterator<Item = (IntervalKey, Interval)>) -> Self {
        let mut kept: Vec<_> = kept.into_iter().collect();
        let length = kept.iter().map(|(key, _)| key.length).max().unwrap_or(1);
        kept.retain(|(key, _)| key.length == length);
        let mut trend = Self {
            length: length.max(1).next_power_of_two(),
            intervals: kept
                .into_iter()
                .map(|(key, interval)| (key.start, interval))
                .collect(),
            changed: BTreeSet::new(),
        };
        trend.widen();
        trend
    }

    /// One point for each interval from the first to the last, empty ones too.
    pub(super) fn points(&self) -> Vec<TrendPoint> {
        let (Some((first, _)), Some((last, _))) = (
            self.intervals.first_key_value(),
            self.intervals.last_key_value(),
        ) else {
            return Vec::new();
        };
        let empty = Interval::default();
        let point = |start: u64| {
            let interval = self.intervals.get(&start).unwrap_or(&empty);
            TrendPoint {
                at: start * self.length,
                judged: interval.judged,
                differed: interval.differed,
                mirror_p95_ms: interval.mirror.high_ms(),
                production_p95_ms: interval.production.high_ms(),
            }
        };
        (*first..=*last).map(point).collect()
    }

    fn widen(&mut self) {
        while let (Some((first, _)), Some((last, _))) = (
            self.intervals.first_key_value(),
            self.intervals.last_key_value(),
        ) && last - first >= MAX_POINTS
        {
            self.double();
        }
    }

    fn double(&mut self) {
        self.length *= 2;
        self.changed.clear();
        for (start, interval) in std::mem::take(&mut self.intervals) {
            self.intervals
                .entry(start / 2)
                .or_default()
                .merge(&interval);
            self.changed.insert(start / 2);
        }
    }
}

impl Interval {
    fn merge(&mut self, other: &Self) {
        self.judged += other.judged;
        self.differed += other.differed;
        self.mirror.merge(&other.mirror);
        self.production.merge(&other.production);
    }
}

impl TimeSketch {
    fn add(&mut self, time: Duration) {
        let micros = (time.as_secs_f64() * 1e6).max(1.0);
        // The longest time is below 2^64 seconds, and its power below 700.
        let power = (micros.ln() / 1.1_f64.ln()).ceil() as u16;
        *self.0.entry(power).or_default() += 1;
    }

    fn merge(&mut self, other: &Self) {
        for (power, count) in &other.0 {
            *self.0.entry(*power).or_default() += count;
        }
    }

    /// At most 10 % too high.
    fn high_ms(&self) -> Option<f64> {
        let all: u64 = self.0.values().sum();
        let rank = (all as f64 * HIGH).ceil() as u64;
        let mut below = 0;
        let power = self.0.iter().find(|(_, count)| {
            below += **count;
            below >= rank
        });
        power.map(|(power, _)| 1.1_f64.powi(i32::from(*power)) / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_800_000_000;

    fn request(second: u64, differs: bool, millis: u64) -> TrendRequest {
        TrendRequest {
            at: Timestamp::default().after(Duration::from_secs(START + second)),
            differs,
            mirror: Duration::from_millis(millis),
            production: None,
        }
    }

    #[test]
    fn a_request_is_counted_in_its_second_and_empty_seconds_have_a_point() {
        let mut trend = Trend::default();
        assert_eq!(trend.points(), []);
        trend.count(&request(2, true, 10));
        trend.count(&request(0, false, 10));
        trend.count(&request(2, false, 30));
        let points = trend.points();
        let counts: Vec<_> = points
            .iter()
            .map(|point| (point.at - START, point.judged, point.differed))
            .collect();
        assert_eq!(counts, [(0, 1, 0), (1, 0, 0), (2, 2, 1)]);
        assert_eq!(points[1].mirror_p95_ms, None);
        let high = points[2].mirror_p95_ms.unwrap();
        assert!((30.0..33.0).contains(&high), "{high}");
    }

    #[test]
    fn a_long_run_has_wider_intervals_and_loses_no_request() {
        let mut trend = Trend::default();
        for second in (0..86_400).step_by(7) {
            trend.count(&request(second, second % 2 == 0, 5));
        }
        let points = trend.points();
        assert!((30..=60).contains(&points.len()), "{}", points.len());
        assert_eq!(points[1].at - points[0].at, 2048);
        let judged: u64 = points.iter().map(|point| point.judged).sum();
        assert_eq!(judged, 86_400_u64.div_ceil(7));
    }

    #[test]
    fn parts_add_up_to_the_whole_in_any_order() {
        let (mut whole, mut short, mut long) =
            (Trend::default(), Trend::default(), Trend::default());
        for second in 0..500 {
            let part = if second % 40 == 3 {
                &mut short
            } else {
                &mut long
            };
            let one = request(second, second % 5 == 0, second);
            part.count(&one);
            whole.count(&one);
        }
        let mut merged = short.clone();
        merged.merge(&long);
        assert_eq!(merged.points(), whole.points());
        long.merge(&short);
        assert_eq!(long.points(), whole.points());
    }

    #[test]
    fn what_was_kept_second_by_second_is_the_whole() {
        let (mut trend, mut kept) = (Trend::default(), BTreeMap::new());
        for second in 0..400 {
            trend.count(&request(second, second % 3 == 0, second));
            let changes = trend.changes(false);
            assert!(
                changes.len() == 1 || second % 10 == 0,
                "{second}: {changes:?}"
            );
            kept.extend(changes);
            assert_eq!(Trend::of(kept.clone()).points(), trend.points(), "{second}");
        }
        assert_eq!(trend.changes(false), []);
        assert_eq!(Trend::of(trend.changes(true)).points(), trend.points());
    }

    #[test]
    fn the_extremes_have_a_place() {
        let mut trend = Trend::default();
        for (at, time) in [(0, Duration::ZERO), (u64::MAX, Duration::MAX)] {
            trend.count(&TrendRequest {
                at: Timestamp(at),
                differs: true,
                mirror: time,
                production: Some(time),
            });
        }
        assert!(trend.points().len() <= 60);
    }
}
