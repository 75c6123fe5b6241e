//! What a collector of OpenTelemetry gets, read back by the project's own messages.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use mirror_tests::load::Call;
use mirror_tests::needs;
use mirror_tests::net::{Host, Network};
use mirror_tests::nginx::Nginx;
use mirror_tests::stage::{Actor, Stage};
use mirror_tests::wire::{self, Received, Server};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Metric, number_data_point};
use prost::Message;

use super::LIMIT;

const PORT: u16 = 4318;
const KEY: &str = "planted-otlp-key-0123456789";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn collector(network: &Network) -> Result<Server> {
    let well = |_: &Received| wire::answer("200 OK", "");
    Server::start(network, Host::Mirror, PORT, well)
}

fn path(request: &Received) -> String {
    let line = String::from_utf8_lossy(request.line()).into_owned();
    line.split(' ').nth(1).unwrap_or_default().to_owned()
}

/// All logs, and the metrics of the last export by their names.
fn received(collector: &Server) -> Result<(Vec<LogRecord>, BTreeMap<String, Metric>)> {
    let (mut logs, mut metrics) = (Vec::new(), BTreeMap::new());
    for request in collector.received() {
        match path(&request).as_str() {
            "/v1/logs" => {
                let export = ExportLogsServiceRequest::decode(&request.body[..])?;
                let resources = export.resource_logs.into_iter();
                let scopes = resources.flat_map(|resource| resource.scope_logs);
                logs.extend(scopes.flat_map(|scope| scope.log_records));
            }
            "/v1/metrics" => {
                let export = ExportMetricsServiceRequest::decode(&request.body[..])?;
                let [resource] = &export.resource_metrics[..] else {
                    anyhow::bail!("one resource: {export:?}");
                };
                let of = resource.resource.as_ref().context("a resource")?;
                assert_eq!(text(&of.attributes, "service.name"), "mirror-agent");
                assert_eq!(text(&of.attributes, "mirror.run.name"), "canary");
                let scopes = resource.scope_metrics.iter();
                let all = scopes.flat_map(|scope| scope.metrics.iter().cloned());
                metrics = all.map(|metric| (metric.name.clone(), metric)).collect();
            }
            other => anyhow::bail!("no collector has {other}"),
        }
    }
    Ok((logs, metrics))
}

fn text(attributes: &[KeyValue], key: &str) -> String {
    let mut attributes = attributes.iter();
    let found = attributes.find(|attribute| attribute.key == key);
    match found.and_then(|attribute| attribute.value.as_ref()) {
        Some(AnyValue {
            value: Some(Value::StringValue(text)),
        }) => text.clone(),
        other => format!("{other:?}"),
    }
}

/// The value of the point that has this attribute, or of the only one.
fn count(metrics: &BTreeMap<String, Metric>, name: &str, label: Option<(&str, &str)>) -> i64 {
    let points = match metrics.get(name).and_then(|metric| metric.data.as_ref()) {
        Some(Data::Sum(sum)) => &sum.data_points,
        Some(Data::Gauge(gauge)) => &gauge.data_points,
        other => panic!("{name}: {other:?}"),
    };
    let mut points = points.iter();
    let point =
        points.find(|point| label.is_none_or(|(key, value)| text(&point.attributes, key) == value));
    match point.and_then(|point| point.value) {
        Some(number_data_point::Value::AsInt(number)) => number,
        other => panic!("{name} {label:?}: {other:?}"),
    }
}

fn events<'l>(logs: &'l [LogRecord], name: &str) -> Vec<&'l LogRecord> {
    logs.iter()
        .filter(|record| record.event_name == name)
        .collect()
}

#[needs(root)]
fn a_collector_gets_verdict_differences_and_ledger() -> Result<()> {
    let stage = Stage::new()?
        .production(Nginx::answering(r#"{"a":1}"#))?
        .mirror(Nginx::answering(r#"{"a":2}"#))?;
    let collector = collector(&stage.network)?;
    let key = stage.scratch.join("key");
    std::fs::write(&key, format!("{KEY}\n"))?;
    let header = format!("x-api-key: @{}", key.display());
    let url = collector.url();
    let agent = stage.agent(&[
        "--otlp",
        &url,
        "--otlp-interval",
        "1s",
        "--otlp-header",
        &header,
        "--name",
        "canary",
    ])?;
    let traced = Call::get(format!("{}/traced", stage.production.url()))
        .header(format!("traceparent: 00-{TRACE}-00f067aa0ba902b7-01"));
    stage.send(&[traced], 10)?;
    stage.get(20)?;
    agent.wait_settled(21, LIMIT)?;
    mirror_tests::wait_until("an export", LIMIT, || !collector.received().is_empty())?;
    let finished = agent.stop()?;
    assert!(!finished.output.contains(KEY), "{}", finished.output);

    for request in collector.received() {
        assert_eq!(request.header("x-api-key").as_deref(), Some(KEY));
        let media_type = request.header("content-type");
        assert_eq!(media_type.as_deref(), Some("application/x-protobuf"));
    }
    let (logs, metrics) = received(&collector)?;
    assert_eq!(count(&metrics, "mirror.requests_seen", None), 21);
    let differed = Some(("outcome", "differed"));
    assert_eq!(count(&metrics, "mirror.requests", differed), 21);
    let fail = Some(("decision", "FAIL"));
    assert_eq!(count(&metrics, "mirror.decision", fail), 1);
    let Some(Data::Histogram(latency)) = &metrics["mirror.latency"].data else {
        panic!("{:?}", metrics["mirror.latency"]);
    };
    let point = &latency.data_points[0];
    assert_eq!(metrics["mirror.latency"].unit, "s");
    assert_eq!(point.count, 21);
    assert_eq!(point.bucket_counts.iter().sum::<u64>(), 21);
    assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);

    let ended = events(&logs, "mirror.run.ended");
    assert_eq!(ended.len(), 1, "{logs:#?}");
    assert_eq!(text(&ended[0].attributes, "mirror.decision"), "FAIL");
    let differences = events(&logs, "mirror.difference");
    let trace: Vec<u8> = (0..16)
        .map(|at| u8::from_str_radix(&TRACE[2 * at..2 * at + 2], 16))
        .collect::<Result<_, _>>()?;
    let with_trace = differences.iter().find(|record| record.trace_id == trace);
    let record = with_trace.with_context(|| format!("{differences:#?}"))?;
    assert_eq!(text(&record.attributes, "mirror.place"), "body /a");
    assert_eq!(text(&record.attributes, "mirror.production"), "1");
    assert_eq!(text(&record.attributes, "mirror.mirror"), "2");
    Ok(())
}

/// It takes connections and answers nothing; then there is none at all.
#[needs(root)]
fn a_collector_that_is_silent_or_gone_holds_nothing_up() -> Result<()> {
    let stage = Stage::new()?
        .production(Nginx::answering("{}"))?
        .mirror(Nginx::answering("{}"))?;
    let collector = Nginx::start(&stage.network, Host::Mirror, PORT, "{}", &stage.scratch)?;
    collector.freeze()?;
    let gone = format!("http://{}:9", Host::Mirror.address());
    for url in [collector.url(), gone] {
        let scratch = mirror_tests::scratch::Scratch::new()?;
        let mut agent = stage.agent_in(&["--otlp", &url, "--otlp-interval", "1s"], &scratch)?;
        stage.get(20)?;
        agent.wait_settled(20, LIMIT)?;
        // The silent one has ten seconds.
        agent.wait_log("the run goes on", LIMIT)?;
        let finished = agent.stop()?;
        assert_eq!(finished.report.outcome("matched"), 20);
        assert_eq!(finished.exit, 0, "{}", finished.output);
    }
    Ok(())
}
