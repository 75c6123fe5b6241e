//! What stands in the way of a run on this host, and what to do about it.

use std::{process::ExitCode, time::Duration};

use mirror_agent::{
    capture::{
        net::links::{self, LinkPatterns},
        tc::{self, clsact},
    },
    config::Config,
    control::{Order, ask},
    pipeline,
};
use mirror_snapshot::RedisStore;
use serde::Serialize;
use serde_json::Value;
use tokio::{runtime::Builder, time::timeout};

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
                found: format!("{error:#}"),
                remedy: remedy.into(),
            },
        }
    }
}

pub(crate) fn doctor(config: &Config, fix: bool, json: bool) -> anyhow::Result<ExitCode> {
    let mut findings = vec![Finding::new(
        "kernel",
        tc::probe(),
        "run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, on Linux 5.10 or newer",
    )];
    for namespace in &config.namespaces {
        findings.push(Finding::new(
            "hook",
            namespace.run(|| tc::try_hooks(config.hook)),
            "use --hook auto, which takes what the kernel has",
        ));
        for name in &config.interfaces {
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
    if let Ok(status) = runtime.block_on(ask(&config.socket, &Order::Status)) {
        findings.push(Finding::new(
            "agent",
            running(&status),
            "capture where these connections can be read; all others are captured meanwhile",
        ));
    }
    if let Some(url) = &config.redis {
        findings.push(Finding::new(
            "redis",
            runtime.block_on(redis(url)),
            "start Redis, or correct --redis; without it the snapshot gate is off",
        ));
    }
    if let Some(target) = &config.target {
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
        println!("{}", serde_json::to_string_pretty(&findings)?);
    } else {
        for finding in &findings {
            let mark = if finding.ok { "ok  " } else { "FAIL" };
            println!("{mark}  {:<10} {}", finding.check, finding.found);
            if !finding.ok {
                println!("                 → {}", finding.remedy);
            }
        }
    }
    let well = findings.iter().all(|f| f.ok);
    Ok(if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(2)
    })
}

/// What the agent that runs has found out about its traffic.
fn running(status: &Value) -> anyhow::Result<String> {
    let advice = status["advice"].as_array().into_iter().flatten();
    let advice: Vec<&str> = advice.filter_map(Value::as_str).collect();
    anyhow::ensure!(advice.is_empty(), "{}", advice.join("; "));
    Ok(format!(
        "process {} captures and can read what it sees",
        status["pid"]
    ))
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

async fn redis(url: &str) -> anyhow::Result<String> {
    let store = RedisStore::connect(url)?;
    timeout(Duration::from_secs(3), store.ping())
        .await
        .map_err(|_| anyhow::anyhow!("no answer within 3 s"))??;
    Ok(format!("{url} answers"))
}
