//! Reads an HTTP Archive (HAR 1.2), as browsers and `inspect --format har` write it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use anyhow::{Context, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use mirror_core::exchange::{Body, Exchange, Headers, Request, Response};
use serde_json::Value;

/// Larger archives are not read into memory.
const MAX_ARCHIVE: u64 = 1 << 30;

/// Whether a file begins as JSON does. Standard input keeps what was looked at.
pub(super) fn is_archive(path: &Path) -> anyhow::Result<bool> {
    let begins =
        |start: &[u8]| start.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    if path == Path::new("-") {
        return Ok(begins(
            io::stdin()
                .lock()
                .fill_buf()
                .context("reading standard input")?,
        ));
    }
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let mut file = BufReader::new(file);
    Ok(begins(
        file.fill_buf()
            .with_context(|| format!("reading {}", path.display()))?,
    ))
}

pub(super) fn exchanges(path: &Path) -> anyhow::Result<Vec<Exchange>> {
    let source: Box<dyn Read> = match path == Path::new("-") {
        true => Box::new(io::stdin()),
        false => Box::new(File::open(path).with_context(|| format!("opening {}", path.display()))?),
    };
    let mut text = Vec::new();
    let context = || format!("reading the archive {}", path.display());
    source
        .take(MAX_ARCHIVE + 1)
        .read_to_end(&mut text)
        .with_context(context)?;
    ensure!(
        text.len() as u64 <= MAX_ARCHIVE,
        "{} is larger than {} MiB: take a capture file instead",
        path.display(),
        MAX_ARCHIVE >> 20
    );
    let archive: Value = serde_json::from_slice(&text).with_context(context)?;
    let entries = archive["log"]["entries"].as_array();
    let entries = entries.with_context(|| {
        format!(
            "{} is not an HTTP Archive: it has no log.entries",
            path.display()
        )
    })?;
    entries
        .iter()
        .enumerate()
        .map(|(nth, entry)| {
            let read = exchange(nth as u32, entry);
            read.with_context(|| format!("entry {nth} of {}", path.display()))
        })
        .collect()
}

fn exchange(nth: u32, entry: &Value) -> anyhow::Result<Exchange> {
    let asked = &entry["request"];
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let (method, url) = (text(asked, "method"), text(asked, "url"));
    ensure!(
        !method.is_empty() && !url.is_empty(),
        "a request has a method and a url"
    );
    let (host, target) = split(&url);
    let mut fields = fields(&asked["headers"]);
    if !host.is_empty()
        && !fields
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("host"))
    {
        fields.insert(0, ("Host".into(), host));
    }
    let request = Request {
        headers: fields.into_iter().collect::<Headers>(),
        body: body(&asked["postData"])?,
        ..Request::new(&method, target)
    };
    let server = text(entry, "serverIPAddress");
    let server: IpAddr = server.parse().unwrap_or_else(|_| [127, 0, 0, 1].into());
    let client = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut exchange = Exchange::new(client, SocketAddr::new(server, 80), request);
    exchange.connection = text(entry, "connection").parse().unwrap_or_default();
    exchange.index = nth;
    let answer = &entry["response"];
    let status = answer["status"]
        .as_u64()
        .and_then(|status| u16::try_from(status).ok());
    if let Some(status) = status.filter(|status| *status > 0) {
        exchange.response = Some(Box::new(Response {
            headers: self::fields(&answer["headers"]).into_iter().collect(),
            body: body(&answer["content"])?,
            ..Response::new(status)
        }));
    }
    Ok(exchange)
}

/// Host and request target of a URL.
fn split(url: &str) -> (String, String) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split('#').next().unwrap_or_default();
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, target) = rest.split_at(at);
    let target = if target.starts_with('/') {
        target.into()
    } else {
        format!("/{target}")
    };
    (host.into(), target)
}

/// Without the content-coding, which an archive has undone, and the fields that HTTP/2 has in the place of a request line.
fn fields(list: &Value) -> Vec<(String, String)> {
    let pair = |field: &Value| {
        let name = field["name"].as_str()?;
        let value = field["value"].as_str()?;
        let is_header = !name.starts_with(':') && !name.eq_ignore_ascii_case("content-encoding");
        is_header.then(|| (name.to_owned(), value.to_owned()))
    };
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(pair)
        .collect()
}

fn body(content: &Value) -> anyhow::Result<Body> {
    let text = content["text"].as_str().unwrap_or_default();
    let bytes = match content["encoding"].as_str() {
        Some("base64") => STANDARD.decode(text).context("a body in base64")?,
        _ => text.as_bytes().to_vec(),
    };
    Ok(Body::from(Bytes::from(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_becomes_an_exchange() {
        let entry = serde_json::json!({
            "request": {
                "method": "POST", "url": "https://shop.example:8443/a?b=1#c",
                "headers": [{"name": ":path", "value": "/"}, {"name": "X", "value": "y"}],
                "postData": {"text": "eA==", "encoding": "base64"},
            },
            "response": {"status": 201, "headers": [], "content": {"text": "ok"}},
            "connection": "7", "serverIPAddress": "10.0.0.9",
        });
        let exchange = exchange(3, &entry).unwrap();
        let request = &exchange.request;
        assert_eq!(
            (request.method.as_str(), &*request.target.text()),
            ("POST", "/a?b=1")
        );
        assert_eq!(
            request.headers.first("host"),
            Some(&b"shop.example:8443"[..])
        );
        assert_eq!((request.headers.len(), &request.body[..]), (2, &b"x"[..]));
        assert_eq!((exchange.connection, exchange.index), (7, 3));
        assert_eq!(exchange.response.unwrap().status, 201);
        assert_eq!(split("http://h?x"), ("h".into(), "/?x".into()));
    }
}
