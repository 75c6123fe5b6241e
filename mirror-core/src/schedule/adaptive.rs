//! A limit of replays at once that follows how the mirror and this host are: it is lowered by a third while a bound is passed, and
//! raised step by step while none is (additive increase, multiplicative decrease).
//!
//! All bounds are off unless given. What slows down changes the load that the mirror sees, which is often what a run is for; and a
//! mirror that does not answer at all is the breaker's.

use std::time::Duration;

use crate::filter::Share;
use crate::time::Timestamp;

/// Between two looks.
const ADJUST_INTERVAL: Duration = Duration::from_secs(1);
const LOWERED_TO: f64 = 0.67;
/// Steps from none to all.
const STEPS: f64 = 20.0;

crate::options! {
    /// Above which bounds fewer requests are replayed at once.
    #[derive(Clone, Debug)]
    pub struct AdaptiveOptions("What it may cost") {
        /// Replay fewer requests at once while the mirror's answers take longer than this on average
        #[option("max-mirror-latency", "TIME")]
        pub latency: Option<Duration>,
        /// Replay fewer requests at once while a larger share of them has no answer
        #[option("max-mirror-errors", "SHARE")]
        pub errors: Option<Share>,
        /// Replay fewer requests at once while this host's CPUs are busier than this
        #[option("max-host-cpu", "SHARE")]
        pub host_cpu: Option<Share>,
    }
}

/// How many replays may run at once.
#[derive(Debug)]
pub struct Adaptive {
    options: AdaptiveOptions,
    most: f64,
    limit: f64,
    adjust_at: Option<Timestamp>,
    /// Since the last look.
    answers: u32,
    failures: u32,
    latency: Duration,
}

impl Adaptive {
    /// At most `most` at once.
    pub fn new(options: AdaptiveOptions, most: usize) -> Self {
        let most = most.max(1) as f64;
        Self {
            options,
            most,
            limit: most,
            adjust_at: None,
            answers: 0,
            failures: 0,
            latency: Duration::ZERO,
        }
    }

    pub fn is_on(&self) -> bool {
        let AdaptiveOptions {
            latency,
            errors,
            host_cpu,
        } = &self.options;
        latency.is_some() || errors.is_some() || host_cpu.is_some()
    }

    /// How a replay ended; `None` without an answer.
    pub fn ended(&mut self, latency: Option<Duration>) {
        match latency {
            Some(latency) => {
                self.answers += 1;
                self.latency = self.latency.saturating_add(latency);
            }
            None => self.failures += 1,
        }
    }

    /// Called several times a second, with the share of this host's CPU time that was used since the last call.
    pub fn tick(&mut self, now: Timestamp, host_cpu: f64) {
        let at = *self.adjust_at.get_or_insert(now.after(ADJUST_INTERVAL));
        if now < at || !self.is_on() {
            return;
        }
        self.adjust_at = Some(now.after(ADJUST_INTERVAL));
        if self.is_above_a_bound(host_cpu) {
            self.limit = (self.limit * LOWERED_TO).max(1.0);
        } else {
            self.limit = (self.limit + (self.most / STEPS).max(1.0)).min(self.most);
        }
        (self.answers, self.failures, self.latency) = (0, 0, Duration::ZERO);
    }

    /// Replays at once.
    pub fn limit(&self) -> usize {
        self.limit as usize
    }

    fn is_above_a_bound(&self, host_cpu: f64) -> bool {
        let replays = self.answers + self.failures;
        let above = |value: f64, bound: Option<f64>| bound.is_some_and(|bound| value > bound);
        let latency = self.latency.as_secs_f64() / f64::from(self.answers.max(1));
        let errors = f64::from(self.failures) / f64::from(replays.max(1));
        above(
            latency,
            self.options.latency.map(|bound| bound.as_secs_f64()),
        ) || above(errors, self.options.errors.map(Share::fraction))
            || above(host_cpu, self.options.host_cpu.map(Share::fraction))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Given, Options, Origin};

    fn adaptive(key: &str, text: &str) -> Adaptive {
        let mut given = Given::default();
        given.set(key, vec![text.into()], Origin::Flag);
        Adaptive::new(AdaptiveOptions::read(&given).unwrap(), 64)
    }

    /// The limit after so many seconds in which each replay ends like this.
    fn after(adaptive: &mut Adaptive, seconds: u64, ended: Option<Duration>, cpu: f64) -> usize {
        let begin = adaptive.adjust_at.unwrap_or_default();
        for second in 0..=seconds {
            adaptive.ended(ended);
            adaptive.tick(begin.after(Duration::from_secs(second)), cpu);
        }
        adaptive.limit()
    }

    #[test]
    fn above_a_bound_it_falls_and_below_it_rises_again() {
        let (fast, slow) = (Duration::from_millis(10), Duration::from_millis(300));
        let mut latency = adaptive("max-mirror-latency", "100ms");
        assert_eq!(after(&mut latency, 5, Some(fast), 1.0), 64);
        assert!(after(&mut latency, 3, Some(slow), 1.0) < 30);
        assert_eq!(after(&mut latency, 30, Some(slow), 1.0), 1, "never none");
        assert_eq!(after(&mut latency, 60, Some(fast), 1.0), 64);

        let mut errors = adaptive("max-mirror-errors", "10%");
        assert!(after(&mut errors, 5, None, 1.0) < 30);
        let mut cpu = adaptive("max-host-cpu", "80%");
        assert_eq!(after(&mut cpu, 5, None, 0.7), 64);
        assert!(after(&mut cpu, 5, None, 0.9) < 30);
    }

    #[test]
    fn without_a_bound_nothing_slows_down() {
        let mut off = Adaptive::new(AdaptiveOptions::default(), 64);
        assert_eq!(after(&mut off, 30, None, 1.0), 64);
    }

    #[test]
    fn a_second_without_replays_is_no_reason_to_slow_down() {
        let mut latency = adaptive("max-mirror-latency", "100ms");
        for second in 0..10 {
            latency.tick(Timestamp(second * 1_000_000_000), 0.0);
        }
        assert_eq!(latency.limit(), 64);
    }
}
