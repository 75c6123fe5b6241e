//! The exchanges of one connection, whole: heads and bodies as they would be read.

use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

use http::StatusCode;
use mirror_core::exchange::{Body, Exchange, Fault, Headers};
use mirror_core::http::coding::decoded;

use super::{Known, Show, output::harmless};

pub(super) struct Follow {
    connection: u64,
    shown: bool,
}

impl Follow {
    pub(super) fn new(connection: u64) -> Self {
        Self {
            connection,
            shown: false,
        }
    }
}

impl Show for Follow {
    fn exchange(&mut self, exchange: &Exchange, known: &Known, out: &mut String) {
        let (client, server) = (exchange.client, exchange.server);
        if !self.shown {
            let _ = writeln!(
                out,
                "connection {}: {client} → {server}",
                exchange.connection
            );
            if exchange.peer != client {
                let _ = writeln!(out, "through a proxy at {}", exchange.peer);
            }
            self.shown = true;
        }
        let at = UNIX_EPOCH + Duration::from_nanos(exchange.captured_at().0);
        let at = humantime::format_rfc3339_micros(at);
        let _ = writeln!(out, "\n── {} · {at} · {}", exchange.index, known.outcome);
        let request = &exchange.request;
        let _ = writeln!(
            out,
            "{} {} {}",
            harmless(&request.method),
            harmless(&request.target.text()),
            request.version.name()
        );
        let (body, trailers) = (&request.body, &request.trailers);
        message(&request.headers, body, trailers, request.fault, out);
        let Some(response) = &exchange.response else {
            *out += "\n(no response was captured)\n";
            return;
        };
        let status = StatusCode::from_u16(response.status).ok();
        let reason = status.and_then(|status| status.canonical_reason());
        let latency = exchange.latency_nanos().unwrap_or_default() as f64 / 1e6;
        let _ = writeln!(
            out,
            "\n── answered after {latency:.2} ms\n{} {} {}",
            response.version.name(),
            response.status,
            reason.unwrap_or_default()
        );
        let (body, trailers) = (&response.body, &response.trailers);
        message(&response.headers, body, trailers, response.fault, out);
    }

    fn end(&mut self, out: &mut String) {
        if !self.shown {
            let _ = writeln!(
                out,
                "connection {} has no exchange to show",
                self.connection
            );
        }
    }
}

fn message(
    headers: &Headers,
    body: &Body,
    trailers: &Headers,
    fault: Option<Fault>,
    out: &mut String,
) {
    fields(headers, out);
    if !body.is_empty() {
        out.push('\n');
        match decoded(headers, body) {
            Ok(data) => text(&data, out),
            Err(error) => {
                let _ = writeln!(out, "({} bytes: {error})", body.len());
            }
        }
    }
    if !trailers.is_empty() {
        *out += "\n(after the body)\n";
        fields(trailers, out);
    }
    if let Some(fault) = fault {
        let _ = writeln!(out, "(this is {fault})");
    }
}

fn fields(fields: &Headers, out: &mut String) {
    for (name, value) in fields.iter() {
        let value = String::from_utf8_lossy(value);
        let _ = writeln!(out, "{}: {}", harmless(name), harmless(&value));
    }
}

fn text(data: &[u8], out: &mut String) {
    match std::str::from_utf8(data) {
        Ok(text) if !text.contains('\0') => {
            for line in text.lines() {
                *out += &harmless(&line.replace('\t', "    "));
                out.push('\n');
            }
        }
        _ => {
            let _ = writeln!(out, "({} bytes that are no text)", data.len());
        }
    }
}
