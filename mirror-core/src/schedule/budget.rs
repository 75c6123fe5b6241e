//! What may be spent: requests, bits and CPU time a second. Each is a bucket that fills at its rate; a request goes when none
//! of them is empty, and what it turns out to cost is taken out afterwards.

use std::time::Duration;

use crate::filter::Share;
use crate::options::FromText;
use crate::time::Timestamp;

/// A bucket holds what comes in this time, so that a burst is short.
const BURST_SECONDS: f64 = 0.1;

crate::options! {
    /// What mirroring may cost.
    #[derive(Clone, Debug)]
    pub struct BudgetOptions("What it may cost") {
        /// Most requests a second to the mirror; what comes faster waits, and is shed when the queue is full
        #[option("max-rps", "N")]
        pub rps: Option<Rate>,
        /// Most megabits a second to and from the mirror
        #[option("max-mbps", "N")]
        pub mbps: Option<Rate>,
        /// Most CPU time of this agent, as a share of one core: 50%, or 150% on several cores. Above it fewer requests are sent;
        /// capture goes on
        #[option("max-cpu", "SHARE")]
        pub cpu: Option<Cores>,
        /// Most CPU time of this agent while the host's CPUs are busy to 75 %, as a share of all of them. Above it fewer requests
        /// are taken up, of each route the same share, and never fewer than 200 a second; 100% is no bound
        #[option("max-cpu-when-busy", "SHARE", default = "10%")]
        pub cpu_when_busy: Share,
    }
}

/// So many a second, more than none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate(pub f64);

impl FromText for Rate {
    fn from_text(text: &str) -> Result<Self, String> {
        let rate = text.parse().ok();
        let rate = rate.filter(|rate: &f64| rate.is_finite() && *rate > 0.0);
        rate.map(Self)
            .ok_or_else(|| "use a number above 0, as in 100 or 0.5".into())
    }
}

/// A share of a core's time; 1 is a whole core.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cores(pub f64);

impl FromText for Cores {
    fn from_text(text: &str) -> Result<Self, String> {
        let percent = text
            .strip_suffix('%')
            .and_then(|number| number.trim().parse().ok());
        let percent = percent.filter(|percent: &f64| percent.is_finite() && *percent > 0.0);
        percent
            .map(|percent| Self(percent / 100.0))
            .ok_or_else(|| "use a share of one core, as in 50% or 150%".into())
    }
}

/// All budgets of a run; without options it never refuses.
#[derive(Debug, Default)]
pub struct Budget {
    requests: Option<Bucket>,
    bits: Option<Bucket>,
    cpu: Option<Bucket>,
    /// CPU time that is taken out already.
    cpu_known: Option<Duration>,
}

impl Budget {
    pub fn new(options: &BudgetOptions) -> Self {
        Self {
            requests: options.rps.map(|rate| Bucket::new(rate.0)),
            bits: options.mbps.map(|rate| Bucket::new(rate.0 * 1_000_000.0)),
            cpu: options.cpu.map(|cores| Bucket::new(cores.0)),
            cpu_known: None,
        }
    }

    /// Takes a request's place at `now`, or says when it is worth while to ask again.
    pub fn request(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        let mut free_at = now;
        for bucket in [&mut self.requests, &mut self.bits, &mut self.cpu] {
            let at = bucket.as_mut().map(|bucket| bucket.free_at(now));
            free_at = free_at.max(at.unwrap_or(now));
        }
        if free_at > now {
            return Err(free_at);
        }
        if let Some(requests) = &mut self.requests {
            requests.spend(1.0);
        }
        Ok(())
    }

    /// Whether `bytes` need to be told.
    pub fn counts_bytes(&self) -> bool {
        self.bits.is_some()
    }

    /// So many bytes went to the mirror and back.
    pub fn bytes(&mut self, bytes: usize) {
        if let Some(bits) = &mut self.bits {
            bits.spend(bytes as f64 * 8.0);
        }
    }

    /// Whether `cpu_time` needs to be told, several times a second.
    pub fn counts_cpu(&self) -> bool {
        self.cpu.is_some()
    }

    /// The process has used so much CPU time since its start.
    pub fn cpu_time(&mut self, total: Duration) {
        if let Some(cpu) = &mut self.cpu {
            let known = self.cpu_known.replace(total).unwrap_or(total);
            cpu.spend(total.saturating_sub(known).as_secs_f64());
        }
    }
}

#[derive(Debug)]
struct Bucket {
    /// Units a second.
    rate: f64,
    /// Below zero it owes.
    level: f64,
    filled_at: Option<Timestamp>,
}

impl Bucket {
    fn new(rate: f64) -> Self {
        Self {
            rate,
            level: rate * BURST_SECONDS,
            filled_at: None,
        }
    }

    fn free_at(&mut self, now: Timestamp) -> Timestamp {
        let passed = now.nanos_since(self.filled_at.unwrap_or(now)) as f64 / 1e9;
        self.level = (self.level + passed * self.rate).min(self.rate * BURST_SECONDS);
        self.filled_at = Some(now.max(self.filled_at.unwrap_or(now)));
        if self.level > 0.0 {
            return now;
        }
        let seconds = (-self.level / self.rate).min(3600.0);
        // At least a little later, so that nobody asks again at the same time.
        now.after(Duration::from_secs_f64(seconds) + Duration::from_micros(100))
    }

    fn spend(&mut self, units: f64) {
        self.level -= units;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Given, Options, Origin};

    fn budget(key: &str, text: &str) -> Budget {
        let mut given = Given::default();
        given.set(key, vec![text.into()], Origin::Flag);
        Budget::new(&BudgetOptions::read(&given).unwrap())
    }

    /// Requests that go within `seconds` of simulated time, when there are always more of them.
    fn sent(budget: &mut Budget, seconds: u64, bytes: usize, cpu: Duration) -> u64 {
        let (mut now, mut sent) = (Timestamp(1), 0);
        while now < Timestamp(seconds * 1_000_000_000) {
            match budget.request(now) {
                Ok(()) => {
                    sent += 1;
                    budget.bytes(bytes);
                    let total = cpu * u32::try_from(sent).unwrap();
                    budget.cpu_time(total);
                }
                Err(at) => {
                    assert!(at > now);
                    now = at;
                }
            }
        }
        sent
    }

    #[test]
    fn no_budget_is_exceeded_and_none_is_left_unused() {
        let check = |key, text, bytes, cpu, expect: u64| {
            let sent = sent(&mut budget(key, text), 10, bytes, cpu);
            let (low, high) = (expect * 97 / 100, expect * 103 / 100 + 1);
            assert!((low..=high).contains(&sent), "--{key} {text}: {sent}");
        };
        check("max-rps", "200", 0, Duration::ZERO, 2000);
        check("max-rps", "0.5", 0, Duration::ZERO, 5);
        // 12,500 bytes are 0.1 Mbit.
        check("max-mbps", "5", 12_500, Duration::ZERO, 500);
        check("max-cpu", "20%", 0, Duration::from_millis(1), 2000);
    }

    #[test]
    fn an_idle_time_gives_a_short_burst_only() {
        let mut budget = budget("max-rps", "100");
        assert!(budget.request(Timestamp(1)).is_ok());
        let later = Timestamp(3_600_000_000_000);
        let burst = (0..1000)
            .take_while(|_| budget.request(later).is_ok())
            .count();
        assert_eq!(burst, 10);
    }

    #[test]
    fn what_is_not_a_rate_is_refused_with_the_remedy() {
        for text in ["", "0", "-1", "NaN", "inf", "many"] {
            assert!(
                Rate::from_text(text).unwrap_err().contains("above 0"),
                "{text}"
            );
            assert!(
                Cores::from_text(text).unwrap_err().contains("50%"),
                "{text}"
            );
        }
        assert_eq!(Cores::from_text("150%"), Ok(Cores(1.5)));
    }
}
