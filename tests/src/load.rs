//! Real traffic from the client's host.

use std::fmt::Write;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::net::{Host, Network};
use crate::process::Process;
use crate::scratch::Scratch;

/// One request of a plan.
#[derive(Clone, Debug)]
pub struct Call {
    pub url: String,
    pub headers: Vec<String>,
    /// JSON to POST; a GET without.
    pub body: Option<String>,
}

impl Call {
    pub fn get(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            headers: Vec::new(),
            body: None,
        }
    }

    pub fn post(url: impl Into<String>, json: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            headers: Vec::new(),
            body: Some(json.into()),
        }
    }

    pub fn header(mut self, line: impl Into<String>) -> Self {
        self.headers.push(line.into());
        self
    }
}

/// What the client got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    pub ok: usize,
    pub failed: usize,
}

/// The orders service's routes in turn, every request with an id of its own.
pub fn orders_mix(base: &str, count: usize, label: &str) -> Vec<Call> {
    (0..count)
        .map(|n| {
            let (user, product, quantity) = (n % 7 + 1, n % 5 + 1, n % 3 + 1);
            let call = match n % 4 {
                0 | 2 => Call::get(format!("{base}/products/{product}?userId={user}")),
                1 => Call::get(format!(
                    "{base}/cart/{user}/total?productId={product}&qty={quantity}"
                )),
                _ => Call::post(
                    format!("{base}/orders"),
                    format!(r#"{{"userId":{user},"productId":{product},"quantity":{quantity}}}"#),
                ),
            };
            call.header(format!("x-request-id: {label}-{n}"))
        })
        .collect()
}

/// A curl that works through a plan on keep-alive connections.
#[derive(Debug)]
pub struct Load {
    process: Process,
    planned: usize,
}

impl Load {
    /// Sends `calls` one after the other at `per_second`, in the background.
    pub fn start(
        network: &Network,
        calls: &[Call],
        per_second: u32,
        scratch: &Scratch,
    ) -> Result<Self> {
        let plan = scratch.join("load.curl");
        std::fs::write(&plan, config(calls))
            .with_context(|| format!("writing {}", plan.display()))?;
        // A log of its own: it is the client's count of the answers.
        let log = scratch.join("load.log");
        if log.exists() {
            std::fs::remove_file(&log).context("removing the last load's log")?;
        }
        let mut command = network.command(Host::Client, "curl");
        command
            .args(["--rate", &format!("{per_second}/s"), "--config"])
            .arg(&plan);
        let process = Process::spawn("load", command, scratch.path())?;
        Ok(Self {
            process,
            planned: calls.len(),
        })
    }

    /// Waits for the last answer.
    pub fn finish(mut self) -> Result<Answers> {
        self.process.wait(Duration::from_secs(120))?;
        let log = self.process.log();
        let statuses: Vec<&str> = log
            .lines()
            .filter_map(|line| line.strip_prefix("status="))
            .collect();
        if statuses.len() != self.planned {
            bail!(
                "curl made {} of {} requests:\n{log}",
                statuses.len(),
                self.planned
            );
        }
        let ok = statuses
            .iter()
            .filter(|status| status.starts_with('2'))
            .count();
        Ok(Answers {
            ok,
            failed: statuses.len() - ok,
        })
    }
}

/// curl's configuration file: a section per request.
fn config(calls: &[Call]) -> String {
    let sections = calls.iter().map(|call| {
        let mut section = String::from("silent\nshow-error\nmax-time = 10\noutput = /dev/null\n");
        section.push_str("write-out = \"status=%{http_code}\\n\"\n");
        let mut option = |name: &str, value: &str| {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"");
            writeln!(section, "{name} = \"{value}\"").expect("writing to a string");
        };
        option("url", &call.url);
        for line in &call.headers {
            option("header", line);
        }
        if let Some(body) = &call.body {
            option("header", "content-type: application/json");
            option("data", body);
        }
        section
    });
    sections.collect::<Vec<_>>().join("next\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_has_a_section_per_call_with_quotes_escaped() {
        let calls = [
            Call::get("http://a/"),
            Call::post("http://b/", r#"{"x":1}"#),
        ];
        let text = config(&calls);
        assert_eq!(text.matches("next\n").count(), 1);
        assert!(text.contains(r#"data = "{\"x\":1}""#), "{text}");
    }

    #[test]
    fn the_mix_has_an_id_of_its_own_for_every_request() {
        let mix = orders_mix("http://p", 40, "t");
        let ids: std::collections::BTreeSet<_> =
            mix.iter().map(|call| call.headers.clone()).collect();
        assert_eq!(ids.len(), 40);
        assert_eq!(mix.iter().filter(|call| call.body.is_some()).count(), 10);
    }
}
