//! What is sent when: in which order, at what time, and whether at all. Time is an argument, so that a simulated clock can drive
//! all of it.
//!
//! A request is asked for twice. [`Schedule::admit`] decides when it comes: a pause, a closed window or a limit ends it there.
//! [`Schedule::turn`] decides when those before it in its lane are done: a breaker ends it, a budget lets it wait.
//! [`Schedule::ended`] hears how each replay ended, and [`Schedule::tick`] what it costs this host.
//!
//! Before both, [`Relief`] says which share of the requests is taken up at all, so that a busy host is left alone.
//!
//! A target is named by its number in the list that the schedule is made with: each has a breaker of its own.

mod adaptive;
mod breaker;
mod budget;
mod lanes;
mod order;
mod pace;
mod relief;
mod window;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ledger::Outcome;
use crate::time::Timestamp;

pub use adaptive::{Adaptive, AdaptiveOptions};
pub use breaker::{Breaker, BreakerData, BreakerOptions, BreakerState, Failure};
pub use budget::{Budget, BudgetOptions, Cores, Rate};
pub use lanes::{LaneCounts, Lanes};
pub use order::{LaneKey, Order, SessionField};
pub use pace::{ByTime, Pace, Speed};
pub use relief::Relief;
pub use window::Window;

crate::options! {
    /// When requests are sent to the mirror.
    #[derive(Clone, Debug)]
    pub struct ScheduleOptions("When it is sent") {
        /// Whose requests keep their order: those of a `connection`, those of a session over all its connections, as in
        /// session:cookie:sid or session:header:x-user, or `none`. Each is sent when the one before it was answered
        #[option("order", "WHAT", default = "connection")]
        pub order: Order,
        /// Times of day in which requests are replayed, as in '01:00-05:00 Asia/Seoul' or 'Mon-Fri 22:00-06:00 Europe/Berlin'
        /// (repeatable); always unless given
        #[option("schedule", "WINDOW")]
        pub windows: Vec<Window>,
        /// End the run with its verdict after this time
        #[option("duration", "TIME")]
        pub duration: Option<Duration>,
        /// End the run with its verdict when so many requests were taken up for replay
        #[option("requests", "N")]
        pub requests: Option<u64>,
        pub budget: BudgetOptions,
        pub adaptive: AdaptiveOptions,
        pub breaker: BreakerOptions,
    }
}

/// Whether a request is sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    Go,
    /// Ask again then.
    Wait(Timestamp),
    /// It ends as `shed: breaker` for this reason.
    Shed(String),
}

/// How a replay ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended<'a> {
    Answered(Duration),
    Failed(Failure<'a>),
}

impl Ended<'_> {
    /// `None` without an answer.
    pub fn latency(self) -> Option<Duration> {
        match self {
            Self::Answered(latency) => Some(latency),
            Self::Failed(_) => None,
        }
    }
}

/// What a run sends at which time.
#[derive(Debug)]
pub struct Schedule {
    windows: Vec<Window>,
    requests: Option<u64>,
    is_paused: bool,
    /// Requests that were admitted.
    admitted: u64,
    budget: Budget,
    adaptive: Adaptive,
    /// In the order of the targets.
    breakers: Vec<Breaker>,
}

/// What reports say of a schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct ScheduleData {
    pub paused: bool,
    /// Whether a window is open now; true without windows.
    pub open: bool,
    /// Replays at once, now.
    pub limit: usize,
    pub lanes: LaneCounts,
    /// Of each target, and of the control.
    pub breakers: Vec<BreakerData>,
}

impl Schedule {
    /// With at most so many `replays` at once, to targets of these names.
    pub fn new(options: &ScheduleOptions, replays: usize, targets: Vec<String>) -> Self {
        let breaker = |target| Breaker::new(options.breaker.clone(), target);
        Self {
            windows: options.windows.clone(),
            requests: options.requests,
            is_paused: false,
            admitted: 0,
            budget: Budget::new(&options.budget),
            adaptive: Adaptive::new(options.adaptive.clone(), replays),
            breakers: targets.into_iter().map(breaker).collect(),
        }
    }

    /// What comes from now on is not replayed, until it is resumed.
    pub fn pause(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
    }

    /// Takes up a request that comes now, or says how it ends.
    pub fn admit(&mut self, now: Timestamp) -> Result<(), Outcome> {
        if self.is_paused {
            return Err(Outcome::FilteredPaused);
        }
        if !self.is_open(now) {
            return Err(Outcome::FilteredSchedule);
        }
        if self.is_finished() {
            return Err(Outcome::FilteredEnough);
        }
        self.admitted += 1;
        Ok(())
    }

    /// All requests that were asked for have been admitted: the run may end.
    pub fn is_finished(&self) -> bool {
        self.requests.is_some_and(|most| self.admitted >= most)
    }

    /// Why a request that waits for its turn need not wait any longer.
    pub fn refuses(&self, now: Timestamp, target: usize) -> Option<&str> {
        self.breakers.get(target)?.refuses(now)
    }

    /// Asked when nothing before a request is in its way any more. `Go` is taken as sent.
    pub fn turn(&mut self, now: Timestamp, target: usize) -> Turn {
        if let Some(reason) = self.refuses(now, target) {
            return Turn::Shed(reason.into());
        }
        if let Err(at) = self.budget.request(now) {
            return Turn::Wait(at);
        }
        match self.admits(now, target) {
            Ok(()) => Turn::Go,
            Err(reason) => Turn::Shed(reason.into()),
        }
    }

    /// Asked for a target that gets a request beside another one, which has had its turn. What is admitted is taken as sent.
    pub fn admits(&mut self, now: Timestamp, target: usize) -> Result<(), &str> {
        let breaker = self.breakers.get_mut(target);
        breaker.map_or(Ok(()), |breaker| breaker.admit(now))
    }

    /// Whether `ended` needs to know how many bytes went there and back.
    pub fn counts_bytes(&self) -> bool {
        self.budget.counts_bytes()
    }

    /// A replay ended, after so many bytes both ways.
    pub fn ended(&mut self, now: Timestamp, target: usize, ended: Ended<'_>, bytes: usize) {
        self.adaptive.ended(ended.latency());
        self.ended_beside(now, target, ended, bytes);
    }

    /// The same, for a target that got the request beside another one: its latency slows nothing down.
    pub fn ended_beside(&mut self, now: Timestamp, target: usize, ended: Ended<'_>, bytes: usize) {
        let failure = match ended {
            Ended::Answered(_) => None,
            Ended::Failed(failure) => Some(failure),
        };
        self.budget.bytes(bytes);
        if let Some(breaker) = self.breakers.get_mut(target) {
            breaker.ended(now, failure);
        }
    }

    /// Whether `tick` must be called, several times a second.
    pub fn needs_ticks(&self) -> bool {
        self.budget.counts_cpu() || self.adaptive.is_on()
    }

    /// What this process has used of CPU time since its start, and which share of this host's CPU time was used since the
    /// last call. Gives the number of replays that may run at once.
    pub fn tick(&mut self, now: Timestamp, cpu_time: Duration, host_cpu: f64) -> usize {
        self.budget.cpu_time(cpu_time);
        self.adaptive.tick(now, host_cpu);
        self.adaptive.limit()
    }

    pub fn data(&self, now: Timestamp, lanes: LaneCounts) -> ScheduleData {
        ScheduleData {
            paused: self.is_paused,
            open: self.is_open(now),
            limit: self.adaptive.limit(),
            lanes,
            breakers: self.breakers.iter().map(Breaker::data).cloned().collect(),
        }
    }

    fn is_open(&self, now: Timestamp) -> bool {
        self.windows.is_empty() || self.windows.iter().any(|window| window.contains(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Given, Options, Origin};

    fn schedule(options: &[(&str, &str)]) -> Schedule {
        let mut given = Given::default();
        for (key, text) in options {
            given.set(key, vec![(*text).into()], Origin::Flag);
        }
        let targets = ["http://a", "http://b"].map(String::from);
        Schedule::new(&ScheduleOptions::read(&given).unwrap(), 64, targets.into())
    }

    fn second(n: u64) -> Timestamp {
        Timestamp(n * 1_000_000_000)
    }

    const A: usize = 0;
    const B: usize = 1;
    const SILENT: Ended<'_> = Ended::Failed(Failure::Silent("no answer"));

    #[test]
    fn without_options_everything_goes_at_once() {
        let mut schedule = schedule(&[]);
        for n in 0..10_000 {
            assert_eq!(schedule.admit(second(n)), Ok(()));
            assert_eq!(schedule.turn(second(0), A), Turn::Go);
        }
        assert!(!schedule.needs_ticks() && !schedule.counts_bytes() && !schedule.is_finished());
    }

    #[test]
    fn what_comes_in_a_pause_is_filtered_and_what_comes_after_is_not() {
        let mut schedule = schedule(&[]);
        schedule.pause(true);
        assert_eq!(schedule.admit(second(0)), Err(Outcome::FilteredPaused));
        schedule.pause(false);
        assert_eq!(schedule.admit(second(0)), Ok(()));
    }

    #[test]
    fn what_comes_outside_of_all_windows_is_filtered() {
        let mut schedule = schedule(&[("schedule", "00:00-01:00 UTC")]);
        assert_eq!(schedule.admit(second(3599)), Ok(()));
        assert_eq!(schedule.admit(second(3600)), Err(Outcome::FilteredSchedule));
        assert!(!schedule.data(second(3600), LaneCounts::default()).open);
    }

    #[test]
    fn so_many_requests_are_taken_up_and_no_more() {
        let mut schedule = schedule(&[("requests", "3")]);
        for n in 0..3 {
            assert!(!schedule.is_finished(), "{n}");
            assert_eq!(schedule.admit(second(0)), Ok(()));
        }
        assert!(schedule.is_finished());
        assert_eq!(schedule.admit(second(0)), Err(Outcome::FilteredEnough));
    }

    #[test]
    fn a_refused_request_takes_nothing_from_the_budget() {
        let options = [
            ("max-rps", "10"),
            ("breaker-failures", "1"),
            ("breaker-pause", "60s"),
        ];
        let mut schedule = schedule(&options);
        assert_eq!(schedule.turn(second(0), A), Turn::Go);
        schedule.ended(second(0), A, SILENT, 0);
        for _ in 0..100 {
            assert!(matches!(schedule.turn(second(1), A), Turn::Shed(_)));
        }
        assert!(schedule.refuses(second(1), A).is_some());
        assert_eq!(
            schedule.turn(second(60), A),
            Turn::Go,
            "the one that is tried"
        );
        schedule.ended(second(60), A, Ended::Answered(Duration::ZERO), 0);
        assert_eq!(schedule.turn(second(61), A), Turn::Go);
    }

    #[test]
    fn one_targets_trouble_is_not_anothers() {
        let mut schedule = schedule(&[("breaker-failures", "1"), ("breaker-pause", "60s")]);
        assert_eq!(schedule.turn(second(0), A), Turn::Go);
        schedule.ended(second(0), A, SILENT, 0);
        assert!(schedule.refuses(second(1), A).is_some());
        assert_eq!(schedule.turn(second(1), B), Turn::Go);
        assert_eq!(schedule.admits(second(1), B), Ok(()));
        schedule.ended_beside(second(1), B, SILENT, 0);
        assert!(schedule.admits(second(2), B).is_err());
        let data = schedule.data(second(2), LaneCounts::default());
        let opened = data
            .breakers
            .iter()
            .map(|one| (one.target.as_str(), one.opened));
        assert_eq!(
            opened.collect::<Vec<_>>(),
            [("http://a", 1), ("http://b", 1)]
        );
    }

    #[test]
    fn a_budget_lets_requests_wait() {
        let mut schedule = schedule(&[("max-rps", "10")]);
        assert_eq!(schedule.turn(second(1), A), Turn::Go);
        let Turn::Wait(at) = schedule.turn(second(1), A) else {
            panic!("ten a second");
        };
        assert!(at > second(1) && at <= second(2), "{at:?}");
        assert_eq!(schedule.turn(at, A), Turn::Go);
    }
}
