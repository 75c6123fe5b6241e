//! A script for k6, <https://grafana.com/docs/k6/>: each connection's requests in their order, at their times, and a check of each
//! status.

use std::io::{self, Write};

use base64::{Engine, engine::general_purpose::STANDARD};
use mirror_core::exchange::Exchange;
use mirror_core::route::RouteLearner;
use mirror_core::schedule::Speed;
use serde_json::{Value, json};

use super::sent::Sent;
use super::{Offset, WriteOptions};
use crate::printable::printable_json;
use crate::traffic::format::{Format, WriteError};

/// What runs the requests that follow it.
const RUNNER: &str = include_str!("k6.js");

pub(super) struct K6 {
    target: Option<String>,
    speed: Speed,
    routes: RouteLearner,
    offset: Offset,
}

impl K6 {
    pub(super) fn new(options: &WriteOptions) -> Self {
        Self {
            target: options.target.clone(),
            speed: options.speed,
            routes: RouteLearner::default(),
            offset: Offset::default(),
        }
    }
}

impl Format for K6 {
    fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let speed = match self.speed {
            Speed::Times(times) => json!(times.to_string()),
            Speed::Max => json!("max"),
        };
        let target = json!(self.target.as_deref().unwrap_or_default());
        let script = RUNNER.replace("\"{target}\"", &target.to_string());
        out.write_all(script.replace("\"{speed}\"", &speed.to_string()).as_bytes())?;
        out.write_all(b"\nfunction requests() {\n  return [\n")
    }

    fn exchange(&mut self, exchange: &Exchange, out: &mut dyn Write) -> Result<(), WriteError> {
        let sent = Sent::new(exchange)?;
        let route = self.routes.learn(sent.method, &exchange.path());
        let took = exchange.latency_nanos().unwrap_or_default() / 1_000_000;
        let mut request = json!({
            "at": self.offset.millis(exchange.captured_at()),
            "took": took,
            "connection": exchange.connection,
            "route": self.routes.name(route),
            "method": sent.method,
            "target": sent.target,
            "headers": Value::Object(sent.combined_headers()),
        });
        match sent.text() {
            Some("") => {}
            Some(text) => request["body"] = json!(text),
            None => request["base64"] = json!(STANDARD.encode(sent.body)),
        }
        if let Some(answer) = &exchange.response {
            request["status"] = json!(answer.status);
        }
        writeln!(out, "    {},", printable_json(&request.to_string()))?;
        Ok(())
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"  ];\n}\n")
    }
}
