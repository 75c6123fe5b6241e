//! Relief for a host that has little CPU time left: then the agent as a whole keeps within a share of the CPUs, by taking up fewer
//! requests. On a host with time to spare nothing is held back.
//!
//! The agent's use follows the share of requests that it takes up, so the share is multiplied by how far the use is from
//! the bound, several times a second. What capture itself needs cannot be saved here.

use std::time::Duration;

use crate::filter::Share;
use crate::time::Timestamp;

/// A host that is busier has little time left. Services that wait for each other slow down long before all CPUs are busy.
const BUSY: f64 = 0.75;
/// The kernel counts in ticks, and there are few in the time between two calls: so much of a new count is believed.
const NEWS: f64 = 0.5;
/// The share falls at most by this factor at once.
const STEEPEST: f64 = 0.1;
/// While the host is busy the share rises at most by this factor at once.
const CAREFUL: f64 = 1.1;
/// When the host has time again the share rises by this factor, and this part.
const RISES: (f64, f64) = (1.25, 0.02);
/// So much is always taken, so that the ledger never goes blind.
const LEAST: f64 = 0.01;

/// Which share of the requests is taken up.
#[derive(Debug)]
pub struct Relief {
    /// The agent's bound on a busy host, as a share of all CPUs.
    most: f64,
    share: f64,
    host: f64,
    /// When the agent had used how much CPU time.
    known: Option<(Timestamp, Duration)>,
}

impl Relief {
    /// A bound of 100 % is none.
    pub fn new(most: Share) -> Self {
        Self {
            most: most.fraction().max(0.001),
            share: 1.0,
            host: 0.0,
            known: None,
        }
    }

    /// Whether `tick` can change anything.
    pub fn is_on(&self) -> bool {
        self.most < 1.0
    }

    /// Called several times a second: `cpu_time` is what this process has used since its start, `host_busy` which share of
    /// the host's `cpus` was used since the last call. Gives the share of requests to take up from now on, from 0 to 1.
    pub fn tick(&mut self, now: Timestamp, cpu_time: Duration, host_busy: f64, cpus: usize) -> f64 {
        self.host += NEWS * (host_busy - self.host);
        let Some((then, before)) = self.known.replace((now, cpu_time)) else {
            return self.share;
        };
        let passed = now.nanos_since(then) as f64 / 1e9 * cpus.max(1) as f64;
        if !self.is_on() || passed <= 0.0 {
            return self.share;
        }
        let used = cpu_time.saturating_sub(before).as_secs_f64() / passed;
        self.share = if self.host >= BUSY {
            self.share * (self.most / used.max(1e-6)).clamp(STEEPEST, CAREFUL)
        } else {
            self.share * RISES.0 + RISES.1
        };
        self.share = self.share.clamp(LEAST, 1.0);
        self.share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host of two CPUs, and an agent that needs `whole` of them for all requests, `capture` of it in any case.
    struct Simulated {
        relief: Relief,
        now: Timestamp,
        used: Duration,
        share: f64,
    }

    impl Simulated {
        fn new(most: &str) -> Self {
            Self {
                relief: Relief::new(most.parse().unwrap()),
                now: Timestamp(1_000_000_000),
                used: Duration::ZERO,
                share: 1.0,
            }
        }

        /// The agent's use at the end of some tenths of a second.
        fn run(&mut self, tenths: u32, host: f64, whole: f64, capture: f64) -> f64 {
            for _ in 0..tenths {
                self.share = self.relief.tick(self.now, self.used, host, 2);
                self.now = self.now.after(Duration::from_millis(100));
                let use_now = capture + (whole - capture) * self.share;
                self.used += Duration::from_secs_f64(use_now * 0.2);
            }
            capture + (whole - capture) * self.share
        }
    }

    #[test]
    fn on_a_host_with_time_to_spare_everything_is_taken_up() {
        let mut host = Simulated::new("10%");
        host.run(100, 0.7, 0.6, 0.05);
        assert_eq!(host.share, 1.0);
    }

    #[test]
    fn on_a_busy_host_the_agent_comes_to_its_bound_within_two_seconds_and_stays_there() {
        let mut host = Simulated::new("10%");
        let used = host.run(20, 1.0, 0.4, 0.05);
        assert!((0.09..=0.11).contains(&used), "{used}");
        let used = host.run(200, 1.0, 0.4, 0.05);
        assert!((0.09..=0.11).contains(&used), "{used}");
    }

    #[test]
    fn an_agent_within_its_bound_takes_everything_up_on_a_busy_host() {
        let mut host = Simulated::new("10%");
        host.run(100, 1.0, 0.09, 0.02);
        assert_eq!(host.share, 1.0);
    }

    #[test]
    fn what_capture_needs_by_itself_leaves_the_least_share() {
        let mut host = Simulated::new("10%");
        host.run(100, 1.0, 0.5, 0.2);
        assert_eq!(host.share, LEAST);
    }

    #[test]
    fn when_the_host_has_time_again_everything_is_taken_up_within_three_seconds() {
        let mut host = Simulated::new("10%");
        host.run(100, 1.0, 0.5, 0.2);
        host.run(30, 0.7, 0.5, 0.2);
        assert_eq!(host.share, 1.0);
    }

    #[test]
    fn a_bound_of_all_is_none() {
        let mut host = Simulated::new("100%");
        assert!(!host.relief.is_on());
        host.run(50, 1.0, 1.0, 0.2);
        assert_eq!(host.share, 1.0);
    }
}
