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

pub(crate) fn doctor(config: &Config, fix: bool, json: bool) -> anyhow::Result<ExitCode> {
    let mut findings = vec![Finding::new(
        "kernel",
        tc::probe(),
        "run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, on Linux 5.10 or newer",
    )];
    for namespace in config.capture.namespaces.list() {
        findings.push(Finding::new(
            "hook",
            namespace.run(|| tc::try_hooks(config.capture.hook)),
            "use --hook auto, which takes what the kernel has",
        ));
        for name in &config.capture.interfaces {
            findings.push(Finding::new(
                "interface",
                namespace.run(|| interface(name)),
                "name one that `ip link` lists; inside a container it is the container's own unless it runs with the host's network",
            ));
        }
        findings.push(Finding::new(
            "leftovers",
            namespace.run(|| leftovers(fix)),
            "run `mirror-agent doctor --fix`, which removes them and nothing else",
        ));
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    // None runs: that is not for doctor to say.
    let answer = runtime.block_on(ask(&config.control.socket, &Order::Status));
    if let Some(status) = answer
        .ok()
        .and_then(|answer| serde_json::from_value(answer).ok())
    {
        findings.push(Finding::new(
            "agent",
            running(&status),
            "capture where these connections can be read; all others are captured meanwhile",
        ));
    }
    for (check, url, remedy) in [
        (
            "redis",
            &config.gate.store,
            "start Redis, or correct --redis; without it the snapshot gate is off",
        ),
        (
            "mirror-redis",
            &config.gate.mirror_store,
            "start the mirror's Redis, or correct --mirror-redis",
        ),
    ] {
        if let Some(url) = url {
            findings.push(Finding::new(
                check,
                runtime.block_on(ask_store(url)),
                remedy,
            ));
        }
    }
    if let Some(url) = &config.gate.replica {
        findings.push(Finding::new(
            "replica",
            runtime.block_on(ask_replica(url)),
            "start the replica, or correct --replica",
        ));
    }
    if let Some(target) = &config.replay.target {
        let reached = runtime.block_on(async {
            let addresses = target.resolve().await?;
            pipeline::check_own(config, &addresses)?;
            pipeline::reach(&addresses).await?;
            Ok(format!("{target} answers"))
        });
        findings.push(Finding::new(
            "target",
            reached,
            "start the mirror, or correct --target",
        ));
    }
    if json {
        terminal::print_json(&findings)?;
    } else {
        terminal::print(&findings.iter().map(Finding::text).collect::<String>())?;
    }
    let well = findings.iter().all(|f| f.ok);
    Ok(if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(2)
    })
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
