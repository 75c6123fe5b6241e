//! Times as the page draws them: both sides in the same steps of a logarithmic scale.

use serde::Serialize;

use super::super::super::latency::LatencyData;
use super::super::super::trend::TrendPoint;
use super::rounded;

/// Steps between two powers of two; each is 19 % wide.
const STEPS: f64 = 4.0;

/// How many took how long, from the step `from` on; step s begins at 2^(s/4) microseconds.
#[derive(Serialize)]
pub(in crate::report::html) struct Distribution {
    from: i32,
    production: Vec<u64>,
    candidate: Vec<u64>,
}

impl Distribution {
    pub(super) fn new(production: &LatencyData, candidate: &LatencyData) -> Option<Self> {
        let both = [production, candidate];
        let all = || both.iter().flat_map(|side| &side.histogram);
        let from = all().map(|(micros, _)| step(*micros)).min()?;
        let to = all().map(|(micros, _)| step(*micros)).max()?;
        let [production, candidate] = both.map(|side| {
            let mut counts = vec![0; (to - from + 1) as usize];
            for (micros, count) in &side.histogram {
                counts[(step(*micros) - from) as usize] += count;
            }
            counts
        });
        Some(Self {
            from,
            production,
            candidate,
        })
    }
}

fn step(micros: u64) -> i32 {
    ((micros.max(1) as f64).log2() * STEPS).floor() as i32
}

/// The course of a route, a column for each figure.
#[derive(Serialize)]
pub(in crate::report::html) struct Course {
    /// Seconds since the epoch, and the length of an interval.
    from: u64,
    step: u64,
    judged: Vec<u64>,
    differed: Vec<u64>,
    /// p95 in milliseconds.
    production: Vec<Option<f64>>,
    candidate: Vec<Option<f64>>,
}

impl Course {
    /// None where there is nothing to compare.
    pub(super) fn new(trend: &[TrendPoint]) -> Option<Self> {
        let (first, second) = (trend.first()?, trend.get(1)?);
        Some(Self {
            from: first.at,
            step: second.at.saturating_sub(first.at),
            judged: trend.iter().map(|point| point.judged).collect(),
            differed: trend.iter().map(|point| point.differed).collect(),
            production: trend
                .iter()
                .map(|point| point.production_p95_ms.map(rounded))
                .collect(),
            candidate: trend
                .iter()
                .map(|point| point.mirror_p95_ms.map(rounded))
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(histogram: &[(u64, u64)]) -> LatencyData {
        LatencyData {
            histogram: histogram.to_vec(),
            ..LatencyData::default()
        }
    }

    #[test]
    fn both_sides_are_counted_in_the_same_steps() {
        let (ours, theirs) = (
            times(&[(1_024, 3), (1_025, 1)]),
            times(&[(2_048, 7), (0, 1)]),
        );
        let got = Distribution::new(&ours, &theirs).unwrap();
        assert_eq!((got.from, got.production.len()), (0, 45));
        assert_eq!((got.production[40], got.candidate[44]), (4, 7));
        assert_eq!(got.candidate[0], 1);
        assert!(Distribution::new(&times(&[]), &times(&[])).is_none());
    }

    #[test]
    fn a_course_has_at_least_two_points() {
        let point = |at| TrendPoint {
            at,
            mirror_p95_ms: Some(1.234_5),
            ..TrendPoint::default()
        };
        assert!(Course::new(&[point(7)]).is_none());
        let course = Course::new(&[point(7), point(9)]).unwrap();
        assert_eq!((course.from, course.step), (7, 2));
        assert_eq!(course.candidate, [Some(1.23), Some(1.23)]);
    }
}
