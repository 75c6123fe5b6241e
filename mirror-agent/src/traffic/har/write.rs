//! Exchanges → entries.

use std::borrow::Cow;
use std::io::{self, Write};
use std::time::{Duration, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::StatusCode;
use mirror_core::exchange::{
    Body, Exchange, Fault, Headers, Request, Response, TargetForm, Timing,
};
use mirror_core::http::coding::decoded;
use serde_json::{Value, json};

use super::super::format::{Format, WriteError};
use crate::printable::printable_json;

/// What the format has for "not known".
const UNKNOWN: i64 = -1;

/// What an archive begins with; then its entries follow, with a comma between them.
pub fn archive_begin() -> String {
    let creator = json!({ "name": "mirror-agent", "version": env!("CARGO_PKG_VERSION") });
    format!("{{\"log\":{{\"version\":\"1.2\",\"creator\":{creator},\"entries\":[\n")
}

/// What an archive ends with.
pub fn archive_end() -> &'static str {
    "\n]}}\n"
}

/// An entry of an archive.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    pub exchange: &'a Exchange,
    /// What is said of it.
    pub comment: Option<&'a str>,
}

impl Entry<'_> {
    /// As JSON in one line, without anything that a terminal would obey.
    pub fn text(&self) -> String {
        printable_json(&entry(self).to_string()).into_owned()
    }
}

#[derive(Default)]
pub(in crate::traffic) struct HarWriter {
    entries: u64,
}

impl Format for HarWriter {
    fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(archive_begin().as_bytes())
    }

    fn exchange(&mut self, exchange: &Exchange, out: &mut dyn Write) -> Result<(), WriteError> {
        let comma = if self.entries == 0 { "" } else { ",\n" };
        self.entries += 1;
        let comment = None;
        write!(out, "{comma}{}", Entry { exchange, comment }.text())?;
        Ok(())
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(archive_end().as_bytes())
    }
}

fn entry(Entry { exchange, comment }: &Entry<'_>) -> Value {
    let began = UNIX_EPOCH + Duration::from_nanos(exchange.captured_at().0);
    let (timings, time) = timings(&exchange.timing);
    let mut entry = json!({
        "startedDateTime": humantime::format_rfc3339_micros(began).to_string(),
        "time": time,
        "request": request(exchange),
        "response": exchange.response.as_deref().map_or_else(no_response, response),
        "cache": {},
        "timings": timings,
        "serverIPAddress": exchange.server.ip().to_string(),
        "connection": exchange.connection.to_string(),
        "_index": exchange.index,
        "_client": exchange.client,
        "_peer": exchange.peer,
        "_server": exchange.server,
    });
    if exchange.one_sided {
        entry["_oneSided"] = json!(true);
    }
    if let Some(comment) = comment {
        entry["comment"] = json!(comment);
    }
    entry
}

/// Milliseconds of each part, and of all.
fn timings(timing: &Timing) -> (Value, f64) {
    let millis = |nanos: u64| nanos as f64 / 1e6;
    let send = millis(timing.request_last.nanos_since(timing.request_first));
    let first = timing
        .response_first
        .map(|at| at.nanos_since(timing.request_last));
    let wait = first.map_or(0.0, millis);
    let receive = timing.response_first.zip(timing.response_last);
    let receive = receive.map_or(0.0, |(first, last)| millis(last.nanos_since(first)));
    let timings = json!({ "send": send, "wait": wait, "receive": receive });
    (timings, send + wait + receive)
}

fn request(exchange: &Exchange) -> Value {
    let request = &exchange.request;
    let query = form_urlencoded::parse(request.target.query().unwrap_or_default());
    let mut value = json!({
        "method": request.method.as_str(),
        "url": url(exchange),
        "httpVersion": request.version.name(),
        "cookies": cookies(request),
        "headers": headers(&request.headers),
        "queryString": query
            .map(|(name, value)| json!({ "name": name, "value": value }))
            .collect::<Vec<_>>(),
        "headersSize": UNKNOWN,
        "bodySize": size(&request.body, request.fault),
    });
    if !request.body.is_empty() {
        let content = content(&request.headers, &request.body);
        let mut posted = json!({ "mimeType": content["mimeType"], "params": [] });
        for name in ["text", "encoding", "comment"] {
            if let Some(part) = content.get(name) {
                posted[name] = part.clone();
            }
        }
        value["postData"] = posted;
    }
    add_own(&mut value, &request.body, &request.trailers, request.fault);
    value
}

/// What the format has no field for, in fields of our own, whose names begin with an underscore.
fn add_own(message: &mut Value, body: &Body, trailers: &Headers, fault: Option<Fault>) {
    if let Some(digest) = body.digest() {
        message["_digest"] =
            json!({ "bytes": digest.len, "xxh3": format!("{:032x}", digest.hash) });
    }
    if !trailers.is_empty() {
        message["_trailers"] = json!(headers(trailers));
    }
    if let Some(fault) = fault {
        message["_fault"] = json!(fault);
        message["comment"] = json!(fault.to_string());
    }
}

fn response(response: &Response) -> Value {
    let status = StatusCode::from_u16(response.status).ok();
    let location = response.headers.first("location").unwrap_or_default();
    let mut value = json!({
        "status": response.status,
        "statusText": status.and_then(|s| s.canonical_reason()).unwrap_or_default(),
        "httpVersion": response.version.name(),
        "cookies": set_cookies(&response.headers),
        "headers": headers(&response.headers),
        "content": content(&response.headers, &response.body),
        "redirectURL": String::from_utf8_lossy(location),
        "headersSize": UNKNOWN,
        "bodySize": size(&response.body, response.fault),
    });
    add_own(
        &mut value,
        &response.body,
        &response.trailers,
        response.fault,
    );
    value
}

/// As browsers write a request that got no answer.
fn no_response() -> Value {
    json!({
        "status": 0, "statusText": "", "httpVersion": "", "cookies": [], "headers": [],
        "content": { "size": 0, "mimeType": "x-unknown" }, "redirectURL": "",
        "headersSize": UNKNOWN, "bodySize": UNKNOWN,
    })
}

/// The body without its content-coding: as text where it is text.
fn content(fields: &Headers, body: &Body) -> Value {
    let kind = fields.first("content-type").unwrap_or_default();
    let kind = String::from_utf8_lossy(kind);
    let kind = if kind.is_empty() {
        "x-unknown".into()
    } else {
        kind
    };
    let (data, comment) = match decoded(fields, body) {
        Ok(data) => (data, None),
        Err(error) => ((&body[..]).into(), Some(error.to_string())),
    };
    let mut content = json!({ "size": data.len(), "mimeType": kind });
    if data.len() != body.len() {
        content["compression"] = json!(data.len() as i64 - body.len() as i64);
    }
    match std::str::from_utf8(&data) {
        Ok(text) if !text.contains('\0') => content["text"] = json!(text),
        _ => {
            content["text"] = json!(STANDARD.encode(&data));
            content["encoding"] = json!("base64");
        }
    }
    if let Some(comment) = comment {
        content["comment"] = json!(comment);
    }
    content
}

fn size(body: &Body, fault: Option<Fault>) -> i64 {
    match fault {
        None => body.len() as i64,
        Some(_) => UNKNOWN,
    }
}

fn url(exchange: &Exchange) -> String {
    let target = &exchange.request.target;
    match target.form() {
        TargetForm::Absolute => target.to_string(),
        TargetForm::Authority => format!("http://{target}"),
        TargetForm::Origin => format!("http://{}{target}", authority(exchange)),
        TargetForm::Asterisk | TargetForm::Other => {
            format!("http://{}/{target}", authority(exchange))
        }
    }
}

fn headers(headers: &Headers) -> Vec<Value> {
    let field = |(name, value): (&str, &[u8])| json!({ "name": name, "value": String::from_utf8_lossy(value) });
    headers.iter().map(field).collect()
}

fn cookies(request: &Request) -> Vec<Value> {
    let all = request.headers.all("cookie");
    let texts: Vec<_> = all.map(String::from_utf8_lossy).collect();
    let pairs = texts.iter().flat_map(|text| text.split(';'));
    let pair = |pair: &str| {
        let (name, value) = pair.trim().split_once('=')?;
        Some(json!({ "name": name, "value": value }))
    };
    pairs.filter_map(pair).collect()
}

fn set_cookies(headers: &Headers) -> Vec<Value> {
    let cookie = |field: &[u8]| {
        let text = String::from_utf8_lossy(field);
        let mut parts = text.split(';').map(str::trim);
        let (name, value) = parts.next()?.split_once('=')?;
        let mut cookie = json!({ "name": name, "value": value });
        for part in parts {
            let (attribute, value) = part.split_once('=').unwrap_or((part, ""));
            match attribute.to_ascii_lowercase().as_str() {
                "path" => cookie["path"] = json!(value),
                "domain" => cookie["domain"] = json!(value),
                "httponly" => cookie["httpOnly"] = json!(true),
                "secure" => cookie["secure"] = json!(true),
                _ => {}
            }
        }
        Some(cookie)
    };
    headers.all("set-cookie").filter_map(cookie).collect()
}

/// Of the target in absolute form, else the Host header; the server's address where there is neither.
pub fn authority(exchange: &Exchange) -> Cow<'_, str> {
    let request = &exchange.request;
    let header = request.headers.first("host");
    match request.target.authority().or(header) {
        Some(host) if !host.is_empty() => String::from_utf8_lossy(host),
        _ => exchange.server.to_string().into(),
    }
}
