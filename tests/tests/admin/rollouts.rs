//! What the controllers of rollouts ask, by the examples in `deploy/rollouts`.
//!
//! The requests are those that the controllers' documents and sources state: a GET with the metric's headers for Argo Rollouts, a
//! POST with the canary as JSON for Flagger.

use std::fs;

use anyhow::{Context, Result, bail};
use mirror_tests::admin::{TOKEN, token_file};
use mirror_tests::agent::Agent;
use mirror_tests::http;
use mirror_tests::load::Call;
use mirror_tests::needs;
use mirror_tests::net::{Host, Network};
use mirror_tests::stage::{Actor, Stage};
use mirror_tests::wire::{Answering, Received, Server};
use mirror_tests::workspace;
use serde_json::Value;

use super::{LIMIT, address};

/// What Argo Rollouts makes of a measurement, and of an analysis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Successful,
    Failed,
    Inconclusive,
    Error,
}

/// A metric of an AnalysisTemplate.
struct Metric {
    url: String,
    header: (String, String),
    member: String,
    success: String,
    failure: String,
    count: u64,
    failure_limit: u64,
    inconclusive_limit: u64,
    /// Versions before 1.8 do not know it.
    consecutive_success_limit: Option<u64>,
}

fn example(name: &str) -> Result<String> {
    let path = workspace::root().join("deploy/rollouts").join(name);
    fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
}

/// The value after the first `key:` of a YAML text that has it on one line.
fn value(yaml: &str, key: &str) -> Result<String> {
    let found = yaml.lines().find_map(|line| {
        let line = line.trim_start().trim_start_matches("- ");
        line.strip_prefix(key)?.strip_prefix(": ")
    });
    let found = found.with_context(|| format!("a line `{key}: …`"))?;
    Ok(found.trim().trim_matches('"').to_owned())
}

impl Metric {
    fn read() -> Result<Self> {
        let yaml = example("argo-rollouts.yaml")?;
        let agent = format!("http://{}", address());
        let filled = |text: String| {
            let text = text.replace("{{args.agent}}", &agent);
            text.replace("{{args.token}}", TOKEN)
        };
        // As the expression language compares a text with a text.
        let text_of = |key: &str| -> Result<String> {
            let condition = value(&yaml, key)?;
            let text = condition.strip_prefix("result == ");
            Ok(text.context("result == …")?.trim_matches('"').to_owned())
        };
        let number = |key: &str| -> Result<u64> { Ok(value(&yaml, key)?.parse()?) };
        let path = value(&yaml, "jsonPath")?;
        let member = path
            .strip_prefix("{$.")
            .and_then(|rest| rest.strip_suffix('}'));
        let (_, after) = yaml.split_once("headers:").context("headers")?;
        Ok(Self {
            url: filled(value(&yaml, "url")?),
            header: (value(after, "key")?, filled(value(after, "value")?)),
            member: member.context("a member")?.to_owned(),
            success: text_of("successCondition")?,
            failure: text_of("failureCondition")?,
            count: number("count")?,
            failure_limit: number("failureLimit")?,
            inconclusive_limit: number("inconclusiveLimit")?,
            consecutive_success_limit: Some(number("consecutiveSuccessLimit")?),
        })
    }

    /// As `metricproviders/webmetric` does it.
    fn measure(&self, network: &Network) -> Result<Phase> {
        let (key, value) = &self.header;
        let header = format!("{key}: {value}");
        let options = ["--header", &header, "--user-agent", "Go-http-client/1.1"];
        let (status, body) = http::ask(network, Host::Client, &options, &self.url)?;
        if !(200..300).contains(&status) {
            return Ok(Phase::Error);
        }
        let document: Value = serde_json::from_str(&body)?;
        let Some(result) = document[&self.member].as_str() else {
            return Ok(Phase::Error);
        };
        Ok(if result == self.failure {
            Phase::Failed
        } else if result == self.success {
            Phase::Successful
        } else {
            Phase::Inconclusive
        })
    }

    /// What becomes of an analysis that measures `phase` again and again, after how many measurements.
    fn assess(&self, phase: Phase) -> (Phase, u64) {
        for measured in 1.. {
            if phase == Phase::Failed && measured > self.failure_limit {
                return (Phase::Failed, measured);
            }
            if phase == Phase::Inconclusive && measured > self.inconclusive_limit {
                return (Phase::Inconclusive, measured);
            }
            let enough = self.consecutive_success_limit;
            if phase == Phase::Successful && enough.is_some_and(|enough| measured >= enough) {
                return (Phase::Successful, measured);
            }
            if measured >= self.count {
                return (Phase::Successful, measured);
            }
        }
        unreachable!("the count is reached")
    }
}

/// Both answer alike, but for one path.
fn stage() -> Result<Stage<Server, Server>> {
    fn answer(body: &str) -> Vec<u8> {
        let length = body.len();
        format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
    }
    let is_changed = |request: &Received| request.line().starts_with(b"GET /changed");
    Stage::new()?
        .production(Answering(|_: &Received| answer("old")))?
        .mirror(Answering(move |request: &Received| {
            match is_changed(request) {
                true => answer("new"),
                false => answer("old"),
            }
        }))
}

/// Takes an agent from HOLD to PASS to FAIL, and calls `at` in each.
fn through_all_decisions(
    mut at: impl FnMut(&Stage<Server, Server>, &Agent, &str) -> Result<()>,
) -> Result<()> {
    let stage = stage()?;
    let (address, token) = (address(), token_file(&stage.scratch)?);
    let agent = stage.agent(&["--admin", &address, "--admin-token-file", &token])?;
    at(&stage, &agent, "HOLD")?;
    stage.get(20)?;
    agent.wait_settled(20, LIMIT)?;
    at(&stage, &agent, "PASS")?;
    let changed = Call::get(format!("{}/changed", stage.production.url()));
    stage.send(&vec![changed; 20], 100)?;
    agent.wait_settled(40, LIMIT)?;
    at(&stage, &agent, "FAIL")?;
    agent.stop()?;
    Ok(())
}

#[needs(root)]
fn argo_rollouts_goes_on_rolls_back_or_waits() -> Result<()> {
    let metric = Metric::read()?;
    through_all_decisions(|stage, _, decision| {
        let expect = match decision {
            "PASS" => Phase::Successful,
            "FAIL" => Phase::Failed,
            _ => Phase::Inconclusive,
        };
        // What was answered half a second ago may be answered again.
        mirror_tests::wait_until(decision, LIMIT, || {
            metric
                .measure(&stage.network)
                .is_ok_and(|phase| phase == expect)
        })
    })
}

#[needs(nothing)]
fn a_run_that_never_decides_is_no_success_in_any_version() -> Result<()> {
    let mut metric = Metric::read()?;
    for limit in [metric.consecutive_success_limit, None] {
        metric.consecutive_success_limit = limit;
        let (phase, _) = metric.assess(Phase::Inconclusive);
        assert_eq!(phase, Phase::Inconclusive);
        assert_eq!(metric.assess(Phase::Failed), (Phase::Failed, 1));
        let (phase, measured) = metric.assess(Phase::Successful);
        assert_eq!(phase, Phase::Successful);
        assert_eq!(measured, limit.unwrap_or(metric.count));
    }
    Ok(())
}

#[needs(root)]
fn argo_rollouts_takes_a_wrong_token_for_an_error() -> Result<()> {
    let mut metric = Metric::read()?;
    metric.header.1 = "Bearer something-else-0123".into();
    let stage = stage()?;
    let (address, token) = (address(), token_file(&stage.scratch)?);
    let agent = stage.agent(&["--admin", &address, "--admin-token-file", &token])?;
    assert_eq!(metric.measure(&stage.network)?, Phase::Error);
    agent.stop()?;
    Ok(())
}

/// The URL of a webhook of the example, for the agent of this test.
fn hook(kind: &str) -> Result<String> {
    let yaml = example("flagger.yaml")?;
    let (_, after) = yaml
        .split_once(&format!("type: {kind}"))
        .context("the hook")?;
    let url = value(after, "url")?;
    Ok(url
        .replace("TOKEN", TOKEN)
        .replace("10.0.0.7:9464", &address()))
}

/// As Flagger's `CallWebhook` does it: 200 to 202 is yes, and else the body says why.
fn call(network: &Network, url: &str) -> Result<Result<(), String>> {
    let payload = r#"{"name":"shop","namespace":"shop","phase":"Progressing","checksum":"85d557f47b","metadata":{}}"#;
    let options = [
        "--header",
        "Content-Type: application/json",
        "--data",
        payload,
    ];
    let (status, body) = http::ask(network, Host::Client, &options, url)?;
    match status {
        200..=202 => Ok(Ok(())),
        412 => Ok(Err(body)),
        _ => bail!("{url} answered {status}: {body}"),
    }
}

#[needs(root)]
fn flagger_promotes_waits_or_rolls_back() -> Result<()> {
    let (promotion, rollback) = (hook("confirm-promotion")?, hook("rollback")?);
    through_all_decisions(|stage, _, decision| {
        let ask = |url: &str| call(&stage.network, url);
        mirror_tests::wait_until(decision, LIMIT, || {
            let (promoted, rolled_back) = (ask(&promotion), ask(&rollback));
            let (Ok(promoted), Ok(rolled_back)) = (promoted, rolled_back) else {
                return false;
            };
            let is_as_expected = promoted.is_ok() == (decision == "PASS")
                && rolled_back.is_ok() == (decision == "FAIL");
            let mut reasons = [promoted, rolled_back].into_iter().filter_map(Result::err);
            is_as_expected && reasons.all(|why| why.starts_with(&format!("{decision}: ")))
        })
    })
}
