//! When each request of a capture file is sent: at its place in the time of the file, faster or slower if it is told to.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Duration;

use crate::options::FromText;
use crate::time::Timestamp;

/// How fast a file's time goes by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// So many seconds of the file in a second.
    Times(f64),
    /// As fast as the mirror takes it.
    Max,
}

impl FromText for Speed {
    fn from_text(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let times = text.strip_suffix('x').unwrap_or(text).parse().ok();
        // Below, a second takes more than a week; above, it is the same as max.
        let times = times.filter(|times| (1e-6..=1e6).contains(times));
        times.map(Self::Times).ok_or_else(|| {
            "use a number, as in 2 for twice as fast or 0.5 for half as fast, or max".into()
        })
    }
}

/// The file's time, told as time on the clock.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    speed: Speed,
    /// The file's first moment, and when it is taken to be.
    first: Timestamp,
    begins: Timestamp,
}

impl Pace {
    /// What was captured at `first` is sent at `begins`.
    pub fn new(speed: Speed, first: Timestamp, begins: Timestamp) -> Self {
        Self {
            speed,
            first,
            begins,
        }
    }

    /// When a request that was captured at `captured` is sent; at once if it is from before the first.
    pub fn due(&self, captured: Timestamp) -> Timestamp {
        match self.speed {
            Speed::Max => self.begins,
            Speed::Times(times) => {
                let nanos = captured.nanos_since(self.first) as f64 / times;
                self.begins.after(Duration::from_nanos(nanos as u64))
            }
        }
    }
}

/// Puts requests into the order in which they were captured: a file tells of each only when it was answered.
#[derive(Debug)]
pub struct ByTime<T> {
    waiting: BinaryHeap<Timed<T>>,
    pushed: u64,
}

#[derive(Debug)]
struct Timed<T> {
    at: Timestamp,
    number: u64,
    value: T,
}

impl<T> Default for ByTime<T> {
    fn default() -> Self {
        Self {
            waiting: BinaryHeap::new(),
            pushed: 0,
        }
    }
}

impl<T> ByTime<T> {
    pub fn push(&mut self, at: Timestamp, value: T) {
        self.waiting.push(Timed {
            at,
            number: self.pushed,
            value,
        });
        self.pushed += 1;
    }

    /// The time of the earliest one.
    pub fn first(&self) -> Option<Timestamp> {
        self.waiting.peek().map(|first| first.at)
    }

    /// The earliest one; of those at the same time the one that came first.
    pub fn pop(&mut self) -> Option<T> {
        self.waiting.pop().map(|timed| timed.value)
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// The largest is the earliest.
impl<T> Ord for Timed<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl<T> PartialOrd for Timed<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Timed<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl<T> Eq for Timed<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_files_time_goes_by_at_the_speed_that_was_given() {
        let check = |speed: &str, captured: u64, expect: u64| {
            let speed = Speed::from_text(speed).unwrap();
            let pace = Pace::new(speed, Timestamp(100 * SECOND), Timestamp(5000 * SECOND));
            let due = pace.due(Timestamp(captured * SECOND));
            assert_eq!(due, Timestamp(expect * SECOND), "{speed:?}");
        };
        check("1", 160, 5060);
        check("2", 160, 5030);
        check("2x", 160, 5030);
        check("0.5", 160, 5120);
        check("max", 160, 5000);
        check("1", 99, 5000);
    }

    #[test]
    fn what_is_not_a_speed_is_refused_with_the_remedy() {
        for text in ["", "0", "-1", "NaN", "inf", "fast"] {
            assert!(
                Speed::from_text(text).unwrap_err().contains("max"),
                "{text}"
            );
        }
    }

    #[test]
    fn requests_come_in_the_order_of_their_time_and_then_of_their_coming() {
        let mut by_time = ByTime::default();
        for (at, name) in [(3, "d"), (1, "a"), (2, "b"), (2, "c")] {
            by_time.push(Timestamp(at), name);
        }
        assert_eq!(by_time.first(), Some(Timestamp(1)));
        let order: Vec<_> = std::iter::from_fn(|| by_time.pop()).collect();
        assert_eq!(order, ["a", "b", "c", "d"]);
        assert!(by_time.is_empty());
    }
}
