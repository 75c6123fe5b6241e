//! Times in which capture may have been blind, because a program of others was before ours or had taken its place.
//! What passed then is in no counter, so that it is told as a time.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

/// Interfaces that are told apart; more are told as one.
const MAX_INTERFACES: usize = 64;
const OTHERS: &str = "other interfaces";

/// Where a program of ours is among those of others. The worst is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// Before all programs that could hide a packet from it.
    InPlace,
    Blind(Cause),
}

/// Why a program of ours may not see a packet.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub(super) enum Cause {
    /// It is after a program that may end the chain.
    Behind,
    /// Others took it away.
    Missing,
}

/// May be read from any thread.
#[derive(Clone, Default)]
pub(super) struct BlindTimes(Arc<Mutex<BTreeMap<(String, Cause), Blind>>>);

#[derive(Clone, Copy, Default)]
struct Blind {
    times: u64,
    at_most: Duration,
    last: Option<SystemTime>,
    goes_on: bool,
}

/// How long capture on an interface may have been blind.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct BlindTime {
    pub interface: String,
    cause: Cause,
    pub times: u64,
    /// In all, and at most: the others' program was noticed when it was looked for.
    pub seconds: f64,
    /// When it ended last, or was noticed last.
    last: String,
    /// Whether it is so still.
    pub goes_on: bool,
}

impl BlindTimes {
    /// Adds a time that ends now, with our program in its place again, or goes on.
    pub(super) fn add(
        &self,
        interface: &str,
        cause: Cause,
        at_most: Duration,
        now: SystemTime,
        goes_on: bool,
    ) {
        let mut times = self.lock();
        let mut key = (interface.to_owned(), cause);
        if times.len() >= MAX_INTERFACES && !times.contains_key(&key) {
            key.0 = OTHERS.to_owned();
        }
        let blind = times.entry(key).or_default();
        // The parts of one that goes on are one.
        blind.times += u64::from(!blind.goes_on);
        blind.at_most += at_most;
        blind.last = Some(now);
        blind.goes_on = goes_on;
    }

    /// Our program is in its place again, or not wanted there any more.
    pub(super) fn end(&self, interface: &str) {
        let mut times = self.lock();
        for ((name, _), blind) in times.iter_mut() {
            blind.goes_on &= name != interface;
        }
    }

    pub(super) fn list(&self) -> Vec<BlindTime> {
        let times = self.lock();
        let list = times.iter().map(|((interface, cause), blind)| BlindTime {
            interface: interface.clone(),
            cause: *cause,
            times: blind.times,
            seconds: (blind.at_most.as_secs_f64() * 100.0).ceil() / 100.0,
            last: blind.last.map_or_else(String::new, |last| {
                humantime::format_rfc3339_seconds(last).to_string()
            }),
            goes_on: blind.goes_on,
        });
        list.collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, Cause), Blind>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BlindTime {
    /// What happened, for how long, and what can be done.
    pub fn advice(&self) -> String {
        let Self {
            interface,
            times,
            seconds,
            last,
            ..
        } = self;
        let (what, remedy) = match self.cause {
            Cause::Missing => (
                "others removed the agent's program",
                "let them remove only what is theirs",
            ),
            Cause::Behind => (
                "another program was before the agent's",
                "attach it after the agent's, or let it return TC_ACT_UNSPEC",
            ),
        };
        let still = if self.goes_on { ", and still so" } else { "" };
        let times = match times {
            1 => format!("once, at {last}"),
            n => format!("{n} times, last at {last}"),
        };
        format!(
            "capture on {interface} may have been blind for up to {seconds} s ({times}{still}): {what}. Requests \
             of that time may be missing in the ledger: {remedy}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_time_that_goes_on_is_one() {
        let times = BlindTimes::default();
        let add = |after: u32, goes_on| {
            let now = SystemTime::UNIX_EPOCH + after * SECOND;
            times.add("eth0", Cause::Behind, SECOND, now, goes_on);
        };
        let check = |count, seconds, advice: &str| {
            let [time] = &times.list()[..] else {
                panic!("one interface and cause")
            };
            assert_eq!((time.times, time.seconds), (count, seconds));
            assert!(time.advice().contains(advice), "{}", time.advice());
        };
        add(1, true);
        add(2, true);
        check(1, 2.0, "2 s (once, at 1970-01-01T00:00:02Z, and still so)");
        times.end("eth1");
        assert!(times.list()[0].goes_on);
        times.end("eth0");
        add(60, false);
        check(2, 3.0, "3 s (2 times, last at 1970-01-01T00:01:00Z)");
    }

    #[test]
    fn interfaces_that_come_and_go_do_not_fill_the_memory() {
        let times = BlindTimes::default();
        for n in 0..10_000 {
            let name = format!("veth{n}");
            times.add(&name, Cause::Missing, SECOND, SystemTime::UNIX_EPOCH, false);
        }
        let list = times.list();
        assert_eq!(list.len(), MAX_INTERFACES + 1);
        let seconds: f64 = list.iter().map(|time| time.seconds).sum();
        assert_eq!(seconds, 10_000.0);
    }
}
