//! wrk at a constant rate on keep-alive connections. On the order service's routes every request has an id of its own, and every other
//! one asks for gzip. Its script is `paced.lua`.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::net::{Host, Network};
use crate::process::Process;
use crate::scratch::Scratch;

const SCRIPT: &str = include_str!("paced.lua");
const CONNECTIONS: u32 = 64;
/// It ends with the last answer, or so long after that should have come.
const PATIENCE_SECONDS: u32 = 15;

#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    pub requests: u32,
    pub per_second: u32,
    pub routes: Routes,
    /// What the ids begin with.
    pub label: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routes {
    /// Products, totals and orders in turn, with an id in `x-request-id`.
    All,
    /// Orders without an id, no two of one user.
    Orders,
    /// The same small GET each time, for any server.
    One,
}

#[derive(Debug)]
pub struct Paced {
    process: Process,
    plan_seconds: u32,
}

/// What the client got.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Answers with status 200.
    pub ok: u64,
    /// Other answers, connections that broke, and answers that did not come in time.
    pub failed: u64,
    pub latency: Latency,
    /// How it failed, and milliseconds from the first request to the last answer.
    pub json: Value,
}

/// From sending a request to its answer. A request is sent at its moment on any connection that is free, so that a late answer
/// holds up no other request.
#[derive(Clone, Debug, Default)]
pub struct Latency {
    /// In microseconds, with how many answers took that.
    counts: BTreeMap<u64, u64>,
}

impl Latency {
    pub fn add(&mut self, other: &Self) {
        for (micros, count) in &other.counts {
            *self.counts.entry(*micros).or_default() += count;
        }
    }

    /// Milliseconds within which that share of the answers came.
    pub fn percentile(&self, share: f64) -> f64 {
        let all: u64 = self.counts.values().sum();
        let rank = (all as f64 * share).ceil() as u64;
        let mut within = 0;
        let found = self.counts.iter().find(|(_, count)| {
            within += **count;
            within >= rank
        });
        found.map_or(0.0, |(micros, _)| *micros as f64 / 1000.0)
    }
}

impl Sent {
    /// In a line.
    pub fn told(&self) -> String {
        let ms = |share| self.latency.percentile(share);
        let (p50, p99, max) = (ms(0.5), ms(0.99), ms(1.0));
        format!("{}; p50 {p50} ms, p99 {p99} ms, max {max} ms", self.json)
    }
}

impl Paced {
    pub fn start(network: &Network, url: &str, plan: Plan<'_>, scratch: &Scratch) -> Result<Self> {
        let script = scratch.join("paced.lua");
        std::fs::write(&script, SCRIPT).with_context(|| format!("writing {}", script.display()))?;
        // A log of its own: what it prints is its result.
        let log = scratch.join("paced.log");
        if log.exists() {
            std::fs::remove_file(&log).context("removing the log of the load before")?;
        }
        let plan_seconds = plan.requests.div_ceil(plan.per_second) + PATIENCE_SECONDS;
        let mut command = network.command(Host::Client, "wrk");
        command
            .args(["--threads", "1", "--timeout", "10s"])
            .args(["--connections", &CONNECTIONS.to_string()])
            .args(["--duration", &format!("{plan_seconds}s")])
            .arg("--script")
            .arg(&script)
            .args([url, "--"])
            .args([plan.per_second, plan.requests].map(|number| number.to_string()))
            .arg(plan.label)
            .arg(match plan.routes {
                Routes::All => "all",
                Routes::Orders => "orders",
                Routes::One => "one",
            });
        Ok(Self {
            process: Process::spawn("paced", command, scratch.path())?,
            plan_seconds,
        })
    }

    pub fn finish(mut self) -> Result<Sent> {
        self.process
            .wait(Duration::from_secs(u64::from(self.plan_seconds) + 30))?;
        let log = self.process.log();
        parse(&log).with_context(|| format!("wrk printed no result:\n{log}"))
    }
}

fn parse(log: &str) -> Option<Sent> {
    let line = |first| log.lines().find(|line| line.starts_with(first));
    let json: Value = serde_json::from_str(line('{')?).ok()?;
    let times: Value = serde_json::from_str(line('[')?).ok()?;
    let pair = |pair: &Value| Some((pair[0].as_u64()?, pair[1].as_u64()?));
    let count = |name: &str| json[name].as_u64();
    let failed = ["failed", "connect", "read", "write", "timeout"].map(count);
    Some(Sent {
        ok: count("ok")?,
        failed: failed.into_iter().sum::<Option<u64>>()?,
        latency: Latency {
            counts: times.as_array()?.iter().map(pair).collect::<Option<_>>()?,
        },
        json,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_read() {
        let text = "Running 1s test @ http://10.77.0.2:8080\n\
            {\"ok\":10,\"failed\":1,\"connect\":0,\"read\":2,\"write\":0,\"timeout\":3}\n\
            [[400,5],[500,4],[9000,1]]\n";
        let sent = parse(text).unwrap();
        assert_eq!((sent.ok, sent.failed), (10, 6));
        let ms = [0.5, 0.9, 0.99, 1.0].map(|share| sent.latency.percentile(share));
        assert_eq!(ms, [0.4, 0.5, 9.0, 9.0]);
        assert!(parse("unable to connect").is_none());
    }
}
