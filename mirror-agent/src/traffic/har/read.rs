//! Entries → exchanges, as browsers and we write them.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use mirror_core::exchange::{
    Body, BodyDigest, Exchange, Fault, Headers, Request, Response, Timing, Trailers, Version,
};
use mirror_core::time::Timestamp;
use serde_json::Value;

use super::super::{LeftOut, Step, Traffic};
use super::entries::Entries;
use crate::capture::input;

/// Whether a file begins as JSON does.
pub(in crate::traffic) fn is_json(start: &[u8]) -> bool {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    start.trim_ascii_start().starts_with(b"{")
}

pub(in crate::traffic) struct Archive {
    entries: Entries<input::Bytes>,
    /// Entries that were read so far.
    read: u64,
    reached: Option<Timestamp>,
    /// Entries of other protocols, and those that the browser answered itself.
    not_http: u64,
    from_cache: u64,
    is_over: bool,
}

impl Archive {
    pub(in crate::traffic) fn new(bytes: input::Bytes) -> anyhow::Result<Self> {
        Ok(Self {
            entries: Entries::open(bytes)?,
            read: 0,
            reached: None,
            not_http: 0,
            from_cache: 0,
            is_over: false,
        })
    }

    pub(in crate::traffic) fn step(&mut self) -> anyhow::Result<Step> {
        if self.is_over {
            return Ok(Step::End);
        }
        let nth = self.read;
        let step = self
            .next()
            .with_context(|| format!("entry {nth} of the archive, counted from 0"));
        self.is_over = !matches!(step, Ok(Step::Traffic(_) | Step::More));
        step
    }

    fn next(&mut self) -> anyhow::Result<Step> {
        let Some(entry) = self.entries.next()? else {
            return Ok(Step::End);
        };
        let nth = self.read;
        self.read += 1;
        let url = entry["request"]["url"].as_str().unwrap_or_default();
        let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
        if !matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") {
            self.not_http += 1;
        } else if entry["_fromCache"].is_string() {
            self.from_cache += 1;
        } else {
            let exchange = exchange(nth, &entry)?;
            self.reached = Some(exchange.captured_at());
            return Ok(Step::Traffic(Traffic::Captured(Box::new(exchange))));
        }
        Ok(Step::More)
    }

    /// When the last entry began.
    pub(in crate::traffic) fn reached(&self) -> Option<Timestamp> {
        self.reached
    }

    pub(in crate::traffic) fn left_out(&self) -> LeftOut {
        LeftOut::from([("not_http", self.not_http), ("from_cache", self.from_cache)])
    }
}

fn exchange(nth: u64, entry: &Value) -> anyhow::Result<Exchange> {
    let url = Url::split(text(&entry["request"], "url"));
    let server = text(entry, "serverIPAddress").trim_matches(['[', ']']);
    let server: IpAddr = server.parse().unwrap_or_else(|_| [127, 0, 0, 1].into());
    let address = |name: &str| text(entry, name).parse::<SocketAddr>().ok();
    let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut exchange = Exchange::new(
        address("_client").unwrap_or(unknown),
        address("_server").unwrap_or(SocketAddr::new(server, url.port)),
        request(&entry["request"], url)?,
    );
    if let Some(peer) = address("_peer") {
        exchange.peer = peer;
    }
    // Requests without a connection are not kept in an order of their own.
    exchange.connection = text(entry, "connection").parse().unwrap_or(nth);
    let index = entry["_index"].as_u64().unwrap_or(nth);
    exchange.index = u32::try_from(index).unwrap_or(u32::MAX);
    exchange.one_sided = entry["_oneSided"].as_bool().unwrap_or_default();
    let answer = &entry["response"];
    let status = answer["status"].as_u64();
    let status = status.and_then(|status| u16::try_from(status).ok());
    if let Some(status) = status.filter(|status| *status > 0) {
        let answer = response(status, answer, &exchange.request)?;
        exchange.response = Some(Box::new(answer));
    }
    exchange.timing = timing(entry, exchange.response.is_some());
    Ok(exchange)
}

fn request(asked: &Value, url: Url<'_>) -> anyhow::Result<Request> {
    let method = text(asked, "method");
    ensure!(!method.is_empty(), "a request has a method");
    let (mut headers, was_coded) = fields(&asked["headers"]);
    if !url.host.is_empty() && headers.first("host").is_none() {
        let all = headers.iter();
        let all = std::iter::once(("Host", url.host.as_bytes())).chain(all);
        headers = all.collect();
    }
    let mut request = Request {
        headers,
        version: version(asked),
        trailers: trailers(asked),
        ..Request::new(method, url.target())
    };
    let body = posted(&asked["postData"])?;
    let is_missing = match &body {
        None => asked["bodySize"].as_i64().is_some_and(|size| size > 0),
        // A browser shows bytes that are not text as other text.
        Some(body) => !was_coded && length(&request.headers).is_some_and(|size| size != body.len()),
    };
    if let Some(body) = body {
        request.set_body(body);
    }
    request.fault = fault(asked).or(is_missing.then_some(Fault::Gap));
    Ok(request)
}

fn response(status: u16, answer: &Value, request: &Request) -> anyhow::Result<Response> {
    let content = &answer["content"];
    let body = body(content)?;
    let (mut headers, _) = fields(&answer["headers"]);
    let is_whole = body.is_some() || content["size"].as_i64().unwrap_or_default() <= 0;
    let body = body.unwrap_or_default();
    let has_body = request.method != "HEAD" && !body.is_empty() && digest(answer).is_none();
    if has_body && length(&headers).is_some_and(|size| size != body.len()) {
        headers.set("Content-Length", body.len().to_string().as_bytes());
    }
    let mut body = Body::from(body);
    if let Some(of_all) = digest(answer) {
        body.set_digest(of_all);
    }
    Ok(Response {
        headers,
        version: version(answer),
        trailers: trailers(answer),
        body,
        fault: fault(answer).or((!is_whole).then_some(Fault::Gap)),
        ..Response::new(status)
    })
}

/// What our own archives say of a message that is not whole.
fn fault(message: &Value) -> Option<Fault> {
    serde_json::from_value(message["_fault"].clone()).ok()?
}

fn digest(message: &Value) -> Option<BodyDigest> {
    let digest = &message["_digest"];
    Some(BodyDigest {
        len: digest["bytes"].as_u64()?,
        hash: u128::from_str_radix(digest["xxh3"].as_str()?, 16).ok()?,
    })
}

/// The parts of a URL that a request is sent by.
struct Url<'a> {
    host: &'a str,
    port: u16,
    path: &'a str,
}

impl<'a> Url<'a> {
    fn split(url: &'a str) -> Self {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let rest = rest.split('#').next().unwrap_or_default();
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(at);
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        let usual = match scheme {
            "https" => 443,
            _ => 80,
        };
        let port = host
            .rsplit_once(':')
            .and_then(|(_, port)| port.parse().ok());
        Self {
            host,
            port: port.unwrap_or(usual),
            path,
        }
    }

    fn target(&self) -> String {
        match self.path.starts_with('/') {
            true => self.path.into(),
            false => format!("/{}", self.path),
        }
    }
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

/// HTTP/2 has no lines that could be sent as they were; what is sent of it is HTTP/1.1.
fn version(message: &Value) -> Version {
    match text(message, "httpVersion") {
        "HTTP/1.0" | "http/1.0" => Version::Http10,
        _ => Version::Http11,
    }
}

/// Without the content-coding, which an archive has undone, and the fields that HTTP/2 has in the place of a request line. True
/// where there was a coding.
fn fields(list: &Value) -> (Headers, bool) {
    let mut was_coded = false;
    let mut fields = Vec::new();
    for field in list.as_array().into_iter().flatten() {
        let (name, value) = (text(field, "name"), text(field, "value"));
        if name.eq_ignore_ascii_case("content-encoding") {
            was_coded = true;
        } else if !name.is_empty() && !name.starts_with(':') {
            // Chromium joins several fields of one name so.
            fields.extend(value.split('\n').map(|value| (name, value)));
        }
    }
    (fields.into_iter().collect(), was_coded)
}

fn trailers(message: &Value) -> Trailers {
    fields(&message["_trailers"]).0.into()
}

fn length(headers: &Headers) -> Option<usize> {
    let value = std::str::from_utf8(headers.first("content-length")?).ok()?;
    value.trim().parse().ok()
}

/// A form may be given as its members.
fn posted(posted: &Value) -> anyhow::Result<Option<Bytes>> {
    let body = body(posted)?;
    let is_form = text(posted, "mimeType").starts_with("application/x-www-form-urlencoded");
    let members = posted["params"].as_array().filter(|_| is_form);
    match (body, members) {
        (None, Some(members)) if !members.is_empty() => {
            let pairs = members.iter();
            let pairs = pairs.map(|member| (text(member, "name"), text(member, "value")));
            let mut form = form_urlencoded::Serializer::new(String::new());
            Ok(Some(form.extend_pairs(pairs).finish().into()))
        }
        (body, _) => Ok(body),
    }
}

/// `None` where the archive does not hold it.
fn body(content: &Value) -> anyhow::Result<Option<Bytes>> {
    let Some(text) = content["text"].as_str() else {
        return Ok(None);
    };
    let bytes = match content["encoding"].as_str() {
        Some("base64") => STANDARD.decode(text).context("a body in base64")?,
        _ => text.as_bytes().to_vec(),
    };
    Ok(Some(bytes.into()))
}

/// The request is sent when what comes before it, as connecting, is over.
fn timing(entry: &Value, is_answered: bool) -> Timing {
    let started = text(entry, "startedDateTime").parse::<jiff::Timestamp>();
    let started = started.map_or(0, |at| {
        u64::try_from(at.as_nanosecond()).unwrap_or_default()
    });
    let took = |name: &str| {
        let millis = entry["timings"][name].as_f64().unwrap_or_default();
        Duration::try_from_secs_f64(millis.max(0.0) / 1e3).unwrap_or_default()
    };
    // `ssl` is part of `connect`.
    let before = took("blocked") + took("dns") + took("connect");
    let request_first = Timestamp(started).after(before);
    let request_last = request_first.after(took("send"));
    let response_first = request_last.after(took("wait"));
    let response_last = response_first.after(took("receive"));
    Timing {
        request_first,
        request_last,
        response_first: is_answered.then_some(response_first),
        response_last: is_answered.then_some(response_last),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(entry: &Value) -> Exchange {
        exchange(3, entry).unwrap()
    }

    #[test]
    fn an_entry_becomes_an_exchange() {
        let exchange = read(&json!({
            "startedDateTime": "2026-11-27T09:00:00.5+01:00",
            "timings": {"blocked": 100, "dns": -1, "connect": 50, "ssl": 20, "send": 1, "wait": 30.5, "receive": 2},
            "request": {
                "method": "POST", "url": "https://u:p@shop.example:8443/a?b=1#c",
                "headers": [{"name": ":path", "value": "/"}, {"name": "X", "value": "y"}],
                "postData": {"text": "eA==", "encoding": "base64"},
            },
            "response": {"status": 201, "headers": [], "content": {"text": "ok"}},
            "connection": "7", "serverIPAddress": "[fd00::9]",
        }));
        let request = &exchange.request;
        assert_eq!(
            (&*request.method, &*request.target.text()),
            ("POST", "/a?b=1")
        );
        let fields: Headers = [
            ("Host", "shop.example:8443"),
            ("X", "y"),
            ("Content-Length", "1"),
        ]
        .into_iter()
        .collect();
        assert_eq!((&request.headers, &request.body[..]), (&fields, &b"x"[..]));
        assert_eq!((exchange.connection, exchange.index), (7, 3));
        assert_eq!(exchange.server.to_string(), "[fd00::9]:8443");
        let began = 1_795_766_400_650_000_000;
        assert_eq!(exchange.captured_at(), Timestamp(began));
        assert_eq!(
            exchange.timing.response_last,
            Some(Timestamp(began + 33_500_000))
        );
        assert_eq!(exchange.response.unwrap().status, 201);
        let bare = read(&json!({"request": {"method": "GET", "url": "http://h?x"}}));
        assert_eq!(bare.request.target.text(), "/?x");
        assert_eq!((bare.connection, bare.response), (3, None));
    }

    #[test]
    fn a_body_that_is_not_there_is_not_taken_for_an_empty_one() {
        let check = |post: Value, expect: Option<Fault>| {
            let mut asked = json!({"method": "POST", "url": "http://h/"});
            asked
                .as_object_mut()
                .unwrap()
                .extend(post.as_object().unwrap().clone());
            let exchange = read(&json!({"request": asked}));
            assert_eq!(exchange.request.fault, expect, "{post}");
        };
        let length = |n: &str| json!([{"name": "content-length", "value": n}]);
        check(json!({"bodySize": 7}), Some(Fault::Gap));
        check(json!({"bodySize": 0}), None);
        check(json!({"bodySize": -1}), None);
        check(json!({"bodySize": 3, "postData": {"text": "abc"}}), None);
        check(
            json!({"headers": length("3"), "postData": {"text": "abc"}}),
            None,
        );
        check(
            json!({"headers": length("2"), "postData": {"text": "abc"}}),
            Some(Fault::Gap),
        );
        let answer = |content: Value| {
            let entry = json!({
                "request": {"method": "GET", "url": "http://h/"},
                "response": {"status": 200, "content": content},
            });
            read(&entry).response.unwrap().fault
        };
        assert_eq!(answer(json!({"size": 9})), Some(Fault::Gap));
        assert_eq!(answer(json!({"size": 0})), None);
        assert_eq!(answer(json!({"size": 1, "text": "a"})), None);
    }

    #[test]
    fn what_the_archive_has_changed_is_changed_back() {
        let exchange = read(&json!({
            "request": {
                "method": "POST", "url": "http://h/",
                "postData": {
                    "mimeType": "application/x-www-form-urlencoded",
                    "params": [{"name": "a b", "value": "c&d"}, {"name": "e"}],
                },
            },
            "response": {
                "status": 200,
                "headers": [
                    {"name": "Set-Cookie", "value": "a=1\nb=2"},
                    {"name": "content-encoding", "value": "gzip"},
                    {"name": "content-length", "value": "99"},
                ],
                "content": {"text": "four"},
            },
        }));
        assert_eq!(&exchange.request.body[..], b"a+b=c%26d&e=");
        let answer = exchange.response.unwrap();
        let fields: Headers = [
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=2"),
            ("content-length", "4"),
        ]
        .into_iter()
        .collect();
        assert_eq!((answer.headers, &answer.body[..]), (fields, &b"four"[..]));
    }
}
