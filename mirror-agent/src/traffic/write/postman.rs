//! A collection for Postman, <https://schema.postman.com/collection/json/v2.1.0/draft-07/docs/index.html>, with a test of each status
//! and production's answer as example.

use std::io::{self, Write};

use http::StatusCode;
use mirror_core::exchange::{Exchange, Response};
use mirror_core::http::coding::decoded;
use serde_json::{Value, json};

use super::WriteOptions;
use super::sent::Sent;
use crate::printable::printable_json;
use crate::traffic::format::{Format, WriteError};

const SCHEMA: &str = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json";

pub(super) struct Postman {
    name: String,
    target: Option<String>,
    items: u64,
}

impl Postman {
    pub(super) fn new(options: &WriteOptions) -> Self {
        Self {
            name: options.name.clone(),
            target: options.target.clone(),
            items: 0,
        }
    }
}

impl Format for Postman {
    fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let info = json!({ "name": self.name, "schema": SCHEMA });
        let target = self.target.as_deref().unwrap_or_default();
        let variable = json!([{ "key": "target", "value": target.trim_end_matches('/') }]);
        let info = printable_json(&info.to_string()).into_owned();
        write!(out, "{{\"info\":{info},\"variable\":{variable},\"item\":[")
    }

    fn exchange(&mut self, exchange: &Exchange, out: &mut dyn Write) -> Result<(), WriteError> {
        let sent = Sent::new(exchange)?;
        let request = request(&sent)?;
        let mut item = json!({
            "name": format!("{} {}", sent.method, exchange.path()),
            "request": request,
            "response": [],
        });
        if let Some(answer) = &exchange.response {
            let status = answer.status;
            let test = format!(
                "pm.test('status as in production', () => pm.response.to.have.status({status}));"
            );
            item["event"] = json!([{
                "listen": "test",
                "script": { "type": "text/javascript", "exec": [test] },
            }]);
            item["response"] = json!([example(answer, &item["request"])]);
        }
        let comma = if self.items == 0 { "" } else { "," };
        self.items += 1;
        write!(out, "{comma}\n{}", printable_json(&item.to_string()))?;
        Ok(())
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "\n]}}")
    }
}

fn request(sent: &Sent<'_>) -> Result<Value, WriteError> {
    let (path, query) = match sent.target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (&*sent.target, None),
    };
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    // Postman puts variables in the place of what stands in double braces.
    if sent.target.contains("{{") || sent.headers.iter().any(|(_, value)| value.contains("{{")) {
        return Err(WriteError::Unfit(
            "it has double braces, which name variables in Postman",
        ));
    }
    let mut url = json!({
        "raw": format!("{{{{target}}}}{}", sent.target),
        "host": ["{{target}}"],
        "path": segments,
    });
    if let Some(query) = query {
        let pairs = query.split('&').map(|pair| match pair.split_once('=') {
            Some((key, value)) => json!({ "key": key, "value": value }),
            None => json!({ "key": pair, "value": null }),
        });
        url["query"] = pairs.collect();
    }
    let header = |(name, value): &(&str, &str)| json!({ "key": name, "value": value });
    let mut request = json!({
        "method": sent.method,
        "header": sent.headers.iter().map(header).collect::<Vec<_>>(),
        "url": url,
    });
    if !sent.body.is_empty() {
        let text = sent.text();
        let text = text.ok_or(WriteError::Unfit("its body is not text"))?;
        if text.contains("{{") {
            return Err(WriteError::Unfit(
                "it has double braces, which name variables in Postman",
            ));
        }
        request["body"] = json!({ "mode": "raw", "raw": text });
    }
    Ok(request)
}

/// Production's answer, with a body that is text.
fn example(answer: &Response, request: &Value) -> Value {
    let headers = answer.headers.iter();
    let header = |(name, value): (&str, &[u8])| json!({ "key": name, "value": String::from_utf8_lossy(value) });
    let status = StatusCode::from_u16(answer.status).ok();
    let body = decoded(&answer.headers, &answer.body).ok();
    let body = body.and_then(|body| String::from_utf8(body.to_vec()).ok());
    json!({
        "name": "production",
        "originalRequest": request,
        "code": answer.status,
        "status": status.and_then(|status| status.canonical_reason()).unwrap_or_default(),
        "header": headers.map(header).collect::<Vec<_>>(),
        "body": body,
    })
}
