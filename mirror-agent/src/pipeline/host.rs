//! The CPU time of this process and of this host.

use std::fs;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// How often limits are told what was used.
const TICK_INTERVAL: Duration = Duration::from_millis(100);

/// Looks at what is used, several times a second.
pub(super) struct LoadWatch {
    ticks: Interval,
    last: HostTime,
}

/// What was used until now.
pub(super) struct Load {
    /// By this process, since its start.
    pub(super) own: Duration,
    /// Which share of the host's CPU time, since the last look.
    pub(super) busy: f64,
    /// Of the host, however many of them this process may use.
    pub(super) cpus: usize,
}

impl LoadWatch {
    pub(super) fn start() -> Self {
        let mut ticks = interval(TICK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            ticks,
            last: HostTime::read(),
        }
    }

    pub(super) async fn next(&mut self) -> Load {
        self.ticks.tick().await;
        let now = HostTime::read();
        let busy = now.busy_share_since(self.last);
        self.last = now;
        Load {
            own: own_cpu_time(),
            busy,
            cpus: now.cpus,
        }
    }
}

/// CPU time of all threads of this process.
fn own_cpu_time() -> Duration {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
        return Duration::ZERO;
    };
    [usage.user_time(), usage.system_time()]
        .iter()
        .map(|time| {
            let micros = time.tv_sec() * 1_000_000 + time.tv_usec();
            Duration::from_micros(micros.unsigned_abs())
        })
        .sum()
}

/// CPU time of this host since it started, over all CPUs, in the kernel's ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct HostTime {
    busy: u64,
    all: u64,
    cpus: usize,
}

impl HostTime {
    fn read() -> Self {
        let text = fs::read_to_string("/proc/stat").unwrap_or_default();
        Self::parse(&text)
    }

    /// The first line: `cpu`, then user, nice, system, idle, iowait, irq, softirq and steal; then a line for each CPU (proc_stat(5)).
    fn parse(text: &str) -> Self {
        let fields = text.lines().next().unwrap_or_default().split_whitespace();
        let times: Vec<u64> = fields.skip(1).take(8).flat_map(str::parse).collect();
        let all = times.iter().sum();
        let is_of_cpu = |line: &&str| line.starts_with("cpu");
        let idle: u64 = times.iter().skip(3).take(2).sum();
        Self {
            busy: all - idle,
            all,
            cpus: text.lines().skip(1).take_while(is_of_cpu).count(),
        }
    }

    fn busy_share_since(self, earlier: Self) -> f64 {
        let all = self.all.saturating_sub(earlier.all);
        let busy = self.busy.saturating_sub(earlier.busy);
        busy as f64 / all.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busy_share_is_what_was_not_idle() {
        let before = HostTime::parse("cpu  10 0 10 100 0 0 0 0 0 0\ncpu0 1 2 3\n");
        let after = HostTime::parse("cpu  40 5 20 140 10 3 2 0 7 7\ncpu0 1 2 3\n");
        assert_eq!(after.busy_share_since(before), 0.5);
        assert_eq!((before.cpus, after.cpus), (1, 1));
        assert_eq!(HostTime::parse(""), HostTime::default());
        assert_eq!(before.busy_share_since(before), 0.0);
    }

    #[test]
    fn this_process_has_used_some_time() {
        assert!(own_cpu_time() > Duration::ZERO);
        let host = HostTime::read();
        assert!(host.all > 0 && host.cpus > 0, "{host:?}");
    }
}
