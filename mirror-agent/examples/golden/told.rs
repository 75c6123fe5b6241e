//! What is read of a capture, in a form that people can compare.

use std::path::Path;

use anyhow::Result;
use mirror_agent::capture::pcap::PcapFile;
use mirror_core::dissect::{DissectLimits, Dissector};
use mirror_core::exchange::{Exchange, Fault, Headers};
use mirror_core::policy::Policy;
use serde_json::{Map, Value, json};

use super::cases::Case;

/// Longest target that is shown whole.
const MAX_TARGET: usize = 60;

/// The exchanges of a capture, the counters that are not 0, and the advice.
pub(crate) fn told(path: &Path) -> Result<Value> {
    let mut dissector = Dissector::new(DissectLimits::default());
    for packet in PcapFile::open(path)? {
        dissector.packet(&packet?);
    }
    dissector.finish();
    let mut exchanges: Vec<_> = std::iter::from_fn(|| dissector.poll()).collect();
    exchanges.sort_by_key(|exchange| (exchange.connection, exchange.index));
    let stats = dissector.stats();
    let counters = serde_json::to_value(stats)?;
    let counters: Map<String, Value> = counters
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, value)| !is_nothing(value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    Ok(json!({
        "exchanges": exchanges.iter().map(exchange).collect::<Vec<_>>(),
        "counters": counters,
        "advice": stats.advice(),
    }))
}

pub(crate) fn readme(case: &Case) -> String {
    format!(
        "# {}\n\n{}\n\nMade by `cargo run -p mirror-agent --example golden`.\n",
        case.name, case.purpose
    )
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.is_empty(),
        Value::Array(items) => items.is_empty(),
        other => *other == json!(0),
    }
}

fn exchange(exchange: &Exchange) -> Value {
    let request = &exchange.request;
    let outcome = match Policy::default().judge(exchange) {
        Ok(_) => "replayable",
        Err(refusal) => refusal.outcome.name(),
    };
    let target = request.target.as_bytes().escape_ascii().to_string();
    let target = match target.len() {
        0..=MAX_TARGET => target,
        len => format!("{}... ({len} bytes)", &target[..MAX_TARGET]),
    };
    let mut told = json!({
        "client": exchange.client,
        "request": format!("{} {target}", request.method),
        "status": exchange.response.as_ref().map(|response| response.status),
        "outcome": outcome,
    });
    let mut add = |name: &str, value: Value| {
        if !value.is_null() {
            told[name] = value;
        }
    };
    add(
        "peer",
        json!((exchange.peer != exchange.client).then_some(exchange.peer)),
    );
    add("fault", json!(request.fault.map(|fault| fault.to_string())));
    add("body", body(request.body.len()));
    add("trailers", fields(&request.trailers));
    add("upgrade", json!(exchange.is_upgrade().then_some(true)));
    if let Some(response) = &exchange.response {
        let fault: Option<Fault> = response.fault;
        add(
            "response_fault",
            json!(fault.map(|fault| fault.to_string())),
        );
        add("response_body", body(response.body.len()));
        add("response_trailers", fields(&response.trailers));
    }
    told
}

fn body(length: usize) -> Value {
    match length {
        0 => Value::Null,
        length => json!(length),
    }
}

fn fields(fields: &Headers) -> Value {
    if fields.is_empty() {
        return Value::Null;
    }
    let text = |(name, value): (&str, &[u8])| format!("{name}: {}", value.escape_ascii());
    json!(fields.iter().map(text).collect::<Vec<_>>())
}
