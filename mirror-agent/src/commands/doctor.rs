//! What stands in the way of a run on this host, and what to do about it.

use std::{process::ExitCode, time::Duration};

use mirror_agent::{capture::tc, config::Config, pipeline};
use mirror_snapshot::RedisStore;
use serde::Serialize;
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

pub(crate) fn doctor(config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    let mut findings = vec![Finding::new(
        "kernel",
        tc::probe(),
        "run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, on Linux 5.10 or newer",
    )];
    for name in &config.interfaces {
        findings.push(Finding::new(
            "interface",
            interface(name),
            "name one that `ip link` lists; inside a container it is the container's own unless it runs with the host's network",
        ));
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
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

fn interface(name: &str) -> anyhow::Result<String> {
    let all = pnet_datalink::interfaces();
    let Some(found) = all.iter().find(|i| i.name == name) else {
        let names: Vec<_> = all.iter().map(|i| i.name.as_str()).collect();
        anyhow::bail!(
            "{name} does not exist; this network namespace has {}",
            names.join(", ")
        );
    };
    anyhow::ensure!(found.is_up(), "{name} is down");
    Ok(format!("{name} is up"))
}

async fn redis(url: &str) -> anyhow::Result<String> {
    let store = RedisStore::connect(url)?;
    timeout(Duration::from_secs(3), store.ping())
        .await
        .map_err(|_| anyhow::anyhow!("no answer within 3 s"))??;
    Ok(format!("{url} answers"))
}
