//! What stands in the way of a run on this host, and what to do about it.

use std::{process::ExitCode, time::Duration};

use anyhow::Context;
use mirror_agent::{
    capture::{
        net::links::{self, LinkPatterns},
        tc::{self, clsact},
    },
    config::Config,
    control::{Order, ask},
    gate::replica,
    pipeline,
    replay::{self, Target},
    report::Status,
    secret::SecretUrl,
};
use mirror_snapshot::RedisStore;
use serde::Serialize;
use tokio::{runtime::Builder, time::timeout};

use crate::terminal;

/// Longest wait for a server.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

#[derive(Serialize)]
struct Finding {
    check: &'static str,
    ok: bool,
    found: String,
    /// Empty when all is well.
    remedy: String,
}

impl Finding {
    fn new(check: &'static str, result: anyhow::Result<String>, remedy: &str) -> Self {
        match result {
            Ok(found) => Self {
                check,
                ok: true,
                found,
                remedy: String::new(),
            },
            Err(error) => Self {
                check,
                ok: false,
                found: terminal::told(&error),
                remedy: remedy.into(),
            },
        }
    }

    fn text(&self) -> String {
        let mark = if self.ok { "ok  " } else { "FAIL" };
        let line = format!("{mark}  {:<12} {}\n", self.check, self.found);
        match self.ok {
            true => line,
            false => format!("{line}                   → {}\n", self.remedy),
        }
    }
}

/// What was found so far. As text it is printed at once: some checks wait for a server.
struct Findings {
    list: Vec<Finding>,
    json: bool,
}

impl Findings {
    fn add(
        &mut self,
        check: &'static str,
        result: anyhow::Result<String>,
        remedy: &str,
    ) -> anyhow::Result<()> {
        let finding = Finding::new(check, result, remedy);
        if !self.json {
            terminal::print(&finding.text())?;
        }
        self.list.push(finding);
        Ok(())
    }
}

pub(crate) fn doctor(config: &Config, fix: bool, json: bool) -> anyhow::Result<ExitCode> {
    let mut findings = Findings {
        list: Vec::new(),
        json,
    };
    check_capture(config, fix, &mut findings)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(check_servers(config, &mut findings))?;
    if json {
        terminal::print_json(&findings.list)?;
    }
    let well = findings.list.iter().all(|finding| finding.ok);
    Ok(if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(2)
    })
}

fn check_capture(config: &Config, fix: bool, findings: &mut Findings) -> anyhow::Result<()> {
    findings.add(
        "kernel",
        tc::probe(),
        "run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, on Linux 5.10 or newer",
    )?;
    for namespace in config.capture.namespaces.list() {
        findings.add(
            "hook",
            namespace.run(|| tc::try_hooks(config.capture.hook)),
            "use --hook auto, which takes what the kernel has",
        )?;
        for name in &config.capture.interfaces {
            findings.add(
                "interface",
                namespace.run(|| interface(name)),
                "name one that `ip link` lists; inside a container it is the container's own unless it runs with the host's network",
            )?;
        }
        findings.add(
            "leftovers",
            namespace.run(|| leftovers(fix)),
            "run `mirror-agent doctor --fix`, which removes them and nothing else",
        )?;
    }
    Ok(())
}

async fn check_servers(config: &Config, findings: &mut Findings) -> anyhow::Result<()> {
    // None runs: that is not for doctor to say.
    let answer = ask(&config.control.socket, &Order::Status).await.ok();
    if let Some(status) = answer.and_then(|answer| serde_json::from_value(answer).ok()) {
        findings.add(
            "agent",
            running(&status),
            "capture where these connections can be read; all others are captured meanwhile",
        )?;
    }
    let gate = &config.gate;
    if let Some(url) = &gate.store {
        let remedy = "start Redis, or correct --redis; without it the snapshot gate is off";
        findings.add("redis", ask_store(url).await, remedy)?;
    }
    if let Some(url) = &gate.mirror_store {
        let remedy = "start the mirror's Redis, or correct --mirror-redis";
        findings.add("mirror-redis", ask_store(url).await, remedy)?;
    }
    if let Some(url) = &gate.replica {
        let remedy = "start the replica, or correct --replica";
        findings.add("replica", ask_replica(url).await, remedy)?;
    }
    for (option, target) in config.replay.destinations() {
        let remedy = match target.is_tls() {
            false => format!("start it, or correct {option}"),
            true => format!(
                "start it, or correct {option}: http:// if it does not speak TLS; --target-ca, --target-name or --target-insecure if its certificate is the reason"
            ),
        };
        let name = option.trim_start_matches('-');
        findings.add(name, reach(target, config).await, &remedy)?;
    }
    if config.replay.has_target() {
        let mark = config.replay.socket_mark;
        let marked =
            replay::probe_mark(mark).map(|()| format!("sockets to the mirror have {mark}"));
        let remedy = "run with CAP_NET_ADMIN, or with --socket-mark 0: the mark is for firewall and routing rules of yours alone";
        findings.add("mark", marked, remedy)?;
    }
    Ok(())
}

async fn reach(target: &Target, config: &Config) -> anyhow::Result<String> {
    let addresses = target.resolve().await?;
    pipeline::check_own(config, &addresses)?;
    replay::probe(target, &config.replay).await?;
    Ok(format!("{target} accepts connections"))
}

/// What the agent that runs has found out about its traffic.
fn running(status: &Status) -> anyhow::Result<String> {
    let advice = &status.results.counters.advice;
    anyhow::ensure!(advice.is_empty(), "{}", advice.join("; "));
    let pid = status.pid;
    Ok(format!("process {pid} captures and can read what it sees"))
}

fn interface(pattern: &str) -> anyhow::Result<String> {
    let patterns = LinkPatterns::parse(&[pattern.to_owned()])?;
    let all = links::list()?;
    patterns.check(&all)?;
    let matched: Vec<_> = all.values().filter(|link| patterns.matches(link)).collect();
    let down: Vec<_> = matched.iter().filter(|link| !link.up).collect();
    anyhow::ensure!(down.len() < matched.len(), "{pattern} is down");
    let names: Vec<_> = matched.iter().map(|link| link.name.as_str()).collect();
    Ok(match names.as_slice() {
        [name] if *name == pattern => format!("{name} is up"),
        names => format!("{pattern} is {}", names.join(", ")),
    })
}

/// clsact filters of an agent that was killed.
fn leftovers(fix: bool) -> anyhow::Result<String> {
    if fix {
        let removed = clsact::remove_all()?;
        return Ok(match removed.as_slice() {
            [] => "nothing was left by a killed agent".into(),
            some => format!("removed: {}", some.join(", ")),
        });
    }
    let found = clsact::find_all()?;
    anyhow::ensure!(
        found.is_empty(),
        "left by a killed agent: {}",
        found.join(", ")
    );
    Ok("nothing is left of a killed agent".into())
}

async fn ask_store(url: &SecretUrl) -> anyhow::Result<String> {
    let store = RedisStore::connect(url.expose())?;
    timeout(ANSWER_TIMEOUT, store.ping())
        .await
        .map_err(|_| anyhow::anyhow!("{url} gives no answer within {ANSWER_TIMEOUT:?}"))?
        .with_context(|| format!("asking {url}"))?;
    Ok(format!("{url} answers"))
}

async fn ask_replica(url: &SecretUrl) -> anyhow::Result<String> {
    replica::probe(url)
        .await
        .with_context(|| format!("asking {url}"))?;
    Ok(format!("{url} answers"))
}
