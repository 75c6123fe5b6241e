//! wrk: as many requests as the host answers, on keep-alive connections.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::net::{Host, Network};
use crate::process::Process;
use crate::scratch::Scratch;

#[derive(Debug)]
pub struct Wrk {
    process: Process,
    seconds: u32,
}

/// What it printed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    pub requests: u64,
    pub per_second: f64,
    pub p99_ms: f64,
    /// Of reading, writing, connecting, and answers that are not 2xx or 3xx.
    pub errors: u64,
}

impl Wrk {
    pub fn start(
        network: &Network,
        url: &str,
        (threads, connections): (u32, u32),
        seconds: u32,
        scratch: &Scratch,
    ) -> Result<Self> {
        let mut command = network.command(Host::Client, "wrk");
        command
            .args(["--threads", &threads.to_string(), "--latency"])
            .args(["--connections", &connections.to_string()])
            .args(["--duration", &format!("{seconds}s")])
            .arg(url);
        // A log of its own: what it prints is its result.
        let log = scratch.join("wrk.log");
        if log.exists() {
            std::fs::remove_file(&log).context("removing the log of the load before")?;
        }
        let process = Process::spawn("wrk", command, scratch.path())?;
        Ok(Self { process, seconds })
    }

    pub fn finish(mut self) -> Result<Rate> {
        self.process
            .wait(Duration::from_secs(u64::from(self.seconds) + 30))?;
        let log = self.process.log();
        parse(&log).with_context(|| format!("wrk printed no result:\n{log}"))
    }
}

fn parse(text: &str) -> Option<Rate> {
    let after = |word: &str| {
        let line = text
            .lines()
            .find(|line| line.trim_start().starts_with(word))?;
        line.trim_start()[word.len()..].split_whitespace().next()
    };
    let requests = text
        .lines()
        .find_map(|line| line.trim().split_once(" requests in "))?
        .0;
    let errors = text
        .lines()
        .filter(|line| line.contains("Socket errors") || line.contains("Non-2xx"))
        .flat_map(|line| line.split([' ', ',']))
        .filter_map(|word| word.parse::<u64>().ok())
        .sum();
    Some(Rate {
        requests: requests.parse().ok()?,
        per_second: after("Requests/sec:")?.parse().ok()?,
        p99_ms: milliseconds(after("99%")?)?,
        errors,
    })
}

fn milliseconds(text: &str) -> Option<f64> {
    let number = |unit: &str| text.strip_suffix(unit)?.parse::<f64>().ok();
    number("us")
        .map(|us| us / 1000.0)
        .or_else(|| number("ms"))
        .or_else(|| number("s").map(|s| s * 1000.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_read() {
        let text = "Running 1s test @ http://10.77.0.2:8080
  1 threads and 64 connections
  Latency Distribution
     50%  480.00us
     99%    1.12ms
  130541 requests in 1.00s, 30.1MB read
  Socket errors: connect 0, read 2, write 1, timeout 0
Requests/sec: 130012.33
";
        let expect = Rate {
            requests: 130_541,
            per_second: 130_012.33,
            p99_ms: 1.12,
            errors: 3,
        };
        assert_eq!(parse(text), Some(expect));
        assert_eq!(parse("unable to connect"), None);
    }
}
