//! The alert rules and the dashboard in `deploy/monitoring`, by Prometheus' own program.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use mirror_tests::needs;
use mirror_tests::scratch::Scratch;
use mirror_tests::workspace;
use serde_json::{Value, json};

fn promtool(folder: &Path, args: &[&str]) -> Result<()> {
    let output = Command::new("promtool")
        .args(args)
        .current_dir(folder)
        .output()
        .context("running promtool")?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{args:?}: {said}");
    Ok(())
}

#[needs(promtool)]
fn the_alerts_are_rules_and_are_raised_by_what_they_are_for() -> Result<()> {
    let folder = workspace::root().join("deploy/monitoring");
    promtool(&folder, &["check", "rules", "alerts.yaml"])?;
    promtool(&folder, &["test", "rules", "alerts.test.yaml"])
}

/// Each question of the dashboard, as the expression of a rule.
#[needs(promtool)]
fn the_dashboard_asks_what_prometheus_understands() -> Result<()> {
    let path = workspace::root().join("deploy/monitoring/grafana.json");
    let board: Value = serde_json::from_str(&fs::read_to_string(path)?)?;
    let panels = board["panels"].as_array().context("panels")?;
    let targets = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array())
        .flatten();
    let rules: Vec<Value> = targets
        .enumerate()
        .map(|(number, target)| {
            let expr = target["expr"].as_str().unwrap_or_default();
            let expr = expr.replace("$__rate_interval", "5m");
            let expr = expr.replace("$job", ".*").replace("$instance", ".*");
            json!({ "record": format!("question_{number}"), "expr": expr })
        })
        .collect();
    assert!(rules.len() > 20, "{}", rules.len());
    let scratch = Scratch::new()?;
    // JSON is YAML.
    let rules = json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    fs::write(scratch.join("rules.yaml"), rules.to_string())?;
    promtool(scratch.path(), &["check", "rules", "rules.yaml"])
}
