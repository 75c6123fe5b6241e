//! A circuit breaker: a mirror that does not answer is left alone for a while, so that requests neither wait for it nor for each
//! other.
//!
//! ```text
//! closed ──(failures in a row, or a share of them)──▶ open ──(--breaker-pause)──▶ half-open: one request is tried
//!    ▲                                                  ▲                            │
//!    └────────────────(it was answered)─────────────────┴──────(it was not)──────────┘
//! ```
//!
//! An answer is an answer, whatever its status: a mirror that answers 500 is compared, not left alone.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::filter::Share;
use crate::time::Timestamp;

/// Replays that the share of failures is taken of.
const WINDOW: u32 = 64;

crate::options! {
    /// When a mirror that does not answer is left alone.
    #[derive(Clone, Debug)]
    pub struct BreakerOptions("A mirror in trouble") {
        /// Connect failures and time-outs in a row after which the mirror is left alone for a while; 0 for never
        #[option("breaker-failures", "N", default = "20")]
        pub failures: u32,
        /// The mirror is left alone, too, when this share of the last 64 replays had no answer
        #[option("breaker-share", "SHARE", default = "50%")]
        pub share: Share,
        /// Time for which the mirror is left alone before one request is tried
        #[option("breaker-pause", "TIME", default = "5s")]
        pub pause: Duration,
    }
}

/// Why a replay had no answer, in words too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure<'a> {
    /// No connection, or no answer in time: the mirror is not there.
    Silent(&'a str),
    /// Anything else: the connection broke, say. It counts in the share only.
    Broken(&'a str),
}

impl<'a> Failure<'a> {
    fn reason(self) -> &'a str {
        match self {
            Self::Silent(reason) | Self::Broken(reason) => reason,
        }
    }
}

#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum BreakerState {
    /// All is sent.
    #[default]
    Closed,
    /// Nothing is sent.
    Open,
    /// One request is on its way.
    HalfOpen,
}

impl BreakerState {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// What reports say of a breaker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct BreakerData {
    /// Whose it is.
    pub target: String,
    pub state: BreakerState,
    /// How often it opened.
    pub opened: u64,
    /// Why it opened last, with the last failure.
    pub reason: Option<String>,
}

/// One target's breaker.
#[derive(Debug)]
pub struct Breaker {
    options: BreakerOptions,
    data: BreakerData,
    /// When the next request is tried, unless it is closed.
    try_at: Timestamp,
    in_a_row: u32,
    /// The last replays, a bit each: set for a failure.
    last: u64,
    replays: u32,
}

impl Breaker {
    /// Of the target with this name.
    pub fn new(options: BreakerOptions, target: String) -> Self {
        Self {
            options,
            data: BreakerData {
                target,
                ..BreakerData::default()
            },
            try_at: Timestamp(0),
            in_a_row: 0,
            last: 0,
            replays: 0,
        }
    }

    /// Whether the mirror is left alone now; asking changes nothing.
    pub fn refuses(&self, now: Timestamp) -> Option<&str> {
        let is_left_alone = self.data.state != BreakerState::Closed && now < self.try_at;
        is_left_alone.then(|| self.data.reason.as_deref().unwrap_or_default())
    }

    /// Called for a request that is sent now, unless it is refused: after a pause it is the one that is tried.
    pub fn admit(&mut self, now: Timestamp) -> Result<(), &str> {
        if self.data.state != BreakerState::Closed {
            if now < self.try_at {
                return Err(self.data.reason.as_deref().unwrap_or_default());
            }
            self.data.state = BreakerState::HalfOpen;
            // If this one never ends, another is tried.
            self.try_at = self.after_pause(now);
        }
        Ok(())
    }

    /// How a replay ended: with an answer, or without.
    pub fn ended(&mut self, now: Timestamp, failure: Option<Failure<'_>>) {
        match (self.data.state, failure) {
            // Of a request that was sent before it opened.
            (BreakerState::Open, _) => {}
            (BreakerState::HalfOpen, None) => {
                self.data.state = BreakerState::Closed;
                (self.in_a_row, self.last, self.replays) = (0, 0, 0);
            }
            (BreakerState::HalfOpen, Some(failure)) => {
                self.open(now, "the mirror was tried again, in vain", failure);
            }
            (BreakerState::Closed, failure) => self.count(now, failure),
        }
    }

    pub fn data(&self) -> &BreakerData {
        &self.data
    }

    fn count(&mut self, now: Timestamp, failure: Option<Failure<'_>>) {
        self.last = self.last << 1 | u64::from(failure.is_some());
        self.replays = (self.replays + 1).min(WINDOW);
        self.in_a_row = match failure {
            Some(Failure::Silent(_)) => self.in_a_row + 1,
            Some(Failure::Broken(_)) => self.in_a_row,
            None => 0,
        };
        let Some(failure) = failure else { return };
        let failures = self.last.count_ones();
        let is_share = f64::from(failures) >= self.options.share.fraction() * f64::from(WINDOW);
        let most = self.options.failures;
        if most == 0 {
            return;
        }
        if self.in_a_row >= most {
            let why = format!("no connection or no answer in time, {most} times in a row");
            self.open(now, &why, failure);
        } else if self.replays == WINDOW && is_share {
            let why = format!("{failures} of the last {WINDOW} replays had no answer");
            self.open(now, &why, failure);
        }
    }

    fn open(&mut self, now: Timestamp, why: &str, last: Failure<'_>) {
        self.data.state = BreakerState::Open;
        self.data.opened += 1;
        self.data.reason = Some(format!("{why}; the last: {}", last.reason()));
        self.try_at = self.after_pause(now);
    }

    fn after_pause(&self, now: Timestamp) -> Timestamp {
        now.after(self.options.pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENT: Option<Failure<'_>> = Some(Failure::Silent("connection refused"));

    fn breaker() -> Breaker {
        Breaker::new(BreakerOptions::default(), "http://mirror".into())
    }

    fn second(n: u64) -> Timestamp {
        Timestamp(n * 1_000_000_000)
    }

    fn opened_at(now: Timestamp) -> Breaker {
        let mut breaker = breaker();
        for _ in 0..20 {
            assert!(breaker.admit(now).is_ok());
            breaker.ended(now, SILENT);
        }
        breaker
    }

    #[test]
    fn silence_in_a_row_opens_it_and_says_why() {
        let mut breaker = breaker();
        for _ in 0..19 {
            breaker.ended(second(0), SILENT);
        }
        assert_eq!(breaker.data().state, BreakerState::Closed);
        let mut breaker = opened_at(second(0));
        assert_eq!(breaker.data().state, BreakerState::Open);
        assert_eq!(
            breaker.refuses(second(4)).unwrap(),
            "no connection or no answer in time, 20 times in a row; the last: connection refused"
        );
        assert!(breaker.admit(second(4)).is_err());
    }

    #[test]
    fn an_answer_in_between_keeps_it_closed() {
        let mut breaker = breaker();
        for n in 0..1000 {
            // Two of three: below no share, and never three in a row.
            let failure = if n % 3 == 0 { SILENT } else { None };
            breaker.ended(second(0), failure);
        }
        assert_eq!(breaker.data().state, BreakerState::Closed);
    }

    #[test]
    fn half_of_the_last_replays_open_it() {
        let mut breaker = breaker();
        let mut replays = 0;
        while breaker.data().state == BreakerState::Closed {
            let failure = (replays % 2 == 1).then_some(Failure::Broken("reset"));
            breaker.ended(second(0), failure);
            replays += 1;
        }
        assert_eq!(replays, WINDOW);
        let reason = breaker.refuses(second(0)).unwrap();
        assert_eq!(
            reason,
            "32 of the last 64 replays had no answer; the last: reset"
        );
    }

    #[test]
    fn after_the_pause_one_request_is_tried_and_its_answer_closes_it() {
        let mut breaker = opened_at(second(0));
        assert!(breaker.refuses(second(5)).is_none());
        assert!(breaker.admit(second(5)).is_ok());
        assert_eq!(breaker.data().state, BreakerState::HalfOpen);
        assert!(breaker.admit(second(5)).is_err(), "one at a time");
        breaker.ended(second(6), None);
        assert_eq!(breaker.data().state, BreakerState::Closed);
        assert!(breaker.admit(second(6)).is_ok());
        // What was before counts no more.
        for _ in 0..19 {
            breaker.ended(second(6), SILENT);
        }
        assert_eq!(breaker.data().state, BreakerState::Closed);
    }

    #[test]
    fn a_try_without_an_answer_opens_it_again() {
        let mut breaker = opened_at(second(0));
        assert!(breaker.admit(second(5)).is_ok());
        breaker.ended(second(8), SILENT);
        let refused = breaker.admit(second(12)).unwrap_err();
        assert!(refused.contains("tried again, in vain"), "{refused}");
        assert!(breaker.admit(second(13)).is_ok());
        assert_eq!(breaker.data().opened, 2);
    }

    #[test]
    fn late_ends_of_what_was_sent_before_do_not_close_it() {
        let mut breaker = opened_at(second(0));
        breaker.ended(second(1), None);
        assert_eq!(breaker.data().state, BreakerState::Open);
    }

    #[test]
    fn a_try_that_never_ends_does_not_keep_it_half_open() {
        let mut breaker = opened_at(second(0));
        assert!(breaker.admit(second(5)).is_ok());
        assert!(breaker.admit(second(9)).is_err());
        assert!(breaker.admit(second(10)).is_ok());
    }

    #[test]
    fn it_can_be_switched_off() {
        let mut breaker = Breaker::new(
            BreakerOptions {
                failures: 0,
                ..BreakerOptions::default()
            },
            "http://mirror".into(),
        );
        for _ in 0..1000 {
            breaker.ended(second(0), SILENT);
        }
        assert!(breaker.admit(second(0)).is_ok());
    }
}
