//! `/metrics` of a run that has something of everything.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use mirror_tests::admin::token_file;
use mirror_tests::needs;
use mirror_tests::nginx::Nginx;
use mirror_tests::redis::Redis;
use mirror_tests::stage::Stage;

use super::{LIMIT, REQUESTS, address, ask, get};

/// Prometheus' own opinion of names, types, units and help.
fn check(metrics: &str) -> Result<()> {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("running promtool")?;
    let mut input = promtool.stdin.take().context("its input")?;
    input.write_all(metrics.as_bytes())?;
    drop(input);
    let output = promtool.wait_with_output()?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(
        output.status.success() && said.is_empty(),
        "{said}\n{metrics}"
    );
    Ok(())
}

#[needs(root, promtool)]
fn metrics_please_prometheus() -> Result<()> {
    let stage = Stage::new()?
        .redis()?
        .production(Nginx::answering("{}"))?
        .mirror(Nginx::answering(r#"{"new":1}"#))?;
    let (address, token) = (address(), token_file(&stage.scratch)?);
    let args = ["--admin", &address, "--admin-token-file", &token];
    // Nothing files snapshots here.
    let args = [
        &args[..],
        &["--on-missing", "replay", "--snapshot-wait", "50ms"],
    ]
    .concat();
    let agent = stage.agent(&[&args[..], &["--redis", &Redis::url()]].concat())?;
    stage.get(REQUESTS as usize)?;
    agent.wait_settled(REQUESTS, LIMIT)?;

    let (status, text) = get(&stage.network, "/metrics")?;
    assert_eq!(status, 200, "{text}");
    for line in [
        format!("mirror_requests_seen_total {REQUESTS}"),
        format!("mirror_requests_total{{outcome=\"differed without snapshot\"}} {REQUESTS}"),
        "mirror_packets_total{interface=\"eth0\",reason=\"ring_full\"} 0".into(),
        format!("mirror_latency_seconds_bucket{{le=\"+Inf\"}} {REQUESTS}"),
        format!("mirror_latency_seconds_count {REQUESTS}"),
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    check(&text)?;

    let accept = [
        "--header",
        "Accept: application/openmetrics-text;version=1.0.0",
    ];
    let (status, open) = ask(&stage.network, &accept, "/metrics")?;
    assert_eq!(status, 200, "{open}");
    assert!(open.ends_with("# EOF\n"), "{open}");
    agent.stop()?;
    Ok(())
}
