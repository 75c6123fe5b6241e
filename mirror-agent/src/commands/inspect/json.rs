//! One object a line for each exchange.

use mirror_agent::printable::printable_json;
use mirror_core::exchange::{Exchange, Fault, Headers, Timing};
use mirror_core::time::Timestamp;
use serde_json::{Value, json};

use super::{Known, Show};

pub(super) struct Json;

impl Show for Json {
    fn exchange(&mut self, exchange: &Exchange, known: &Known, out: &mut String) {
        *out += &printable_json(&object(exchange, known).to_string());
        out.push('\n');
    }
}

fn object(exchange: &Exchange, known: &Known) -> Value {
    let request = &exchange.request;
    json!({
        "connection": exchange.connection,
        "index": exchange.index,
        "client": exchange.client,
        "peer": exchange.peer,
        "server": exchange.server,
        "captured_at": exchange.captured_at().as_millis(),
        "timing": timing(&exchange.timing),
        "request": {
            "method": request.method.as_str(),
            "target": request.target.text(),
            "version": request.version.name(),
            "headers": pairs(&request.headers),
            "trailers": pairs(&request.trailers),
            "body_bytes": request.body.len(),
            "complete": request.fault.is_none(),
            "fault": request.fault.map(Fault::name),
            "reason": request.fault.map(Fault::reason),
        },
        "response": exchange.response.as_ref().map(|response| json!({
            "status": response.status,
            "version": response.version.name(),
            "headers": pairs(&response.headers),
            "trailers": pairs(&response.trailers),
            "body_bytes": response.body.len(),
            "complete": response.fault.is_none(),
            "fault": response.fault.map(Fault::name),
            "reason": response.fault.map(Fault::reason),
        })),
        "id": known.id,
        "lane": known.lane.map(|lane| format!("{:016x}", lane.0)),
        "outcome": known.outcome,
    })
}

/// Microseconds since the epoch.
fn timing(timing: &Timing) -> Value {
    let micros = |at: Timestamp| at.0 / 1000;
    json!({
        "request_first_us": micros(timing.request_first),
        "request_last_us": micros(timing.request_last),
        "response_first_us": timing.response_first.map(micros),
        "response_last_us": timing.response_last.map(micros),
    })
}

fn pairs(headers: &Headers) -> Vec<[String; 2]> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let pair = |(name, value): (&str, &[u8])| [name.to_owned(), text(value)];
    headers.iter().map(pair).collect()
}
