//! The central type: one request, production's own response to it, and when and where both were seen.

mod body;
mod digest;
mod fault;
mod headers;
mod method;
mod trailers;

use std::{borrow::Cow, net::SocketAddr, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

pub use body::Body;
pub use digest::{BodyDigest, Digester};
pub use fault::{Ambiguity, Fault};
pub use headers::{Headers, Line};
pub use method::Method;
pub use mirror_contract::{RequestTarget, TargetForm};
pub use trailers::Trailers;

/// The version of HTTP that a message was sent in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Version {
    #[serde(rename = "HTTP/1.0")]
    Http10,
    #[serde(rename = "HTTP/1.1")]
    Http11,
    #[serde(rename = "HTTP/2")]
    Http2,
}

impl Version {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: Method,
    pub target: RequestTarget,
    pub version: Version,
    pub headers: Headers,
    /// Body with transfer-coding undone, content-coding kept.
    pub body: Body,
    /// Fields after a chunked body (RFC 9112 §7.1.2).
    pub trailers: Trailers,
    /// None when it is whole.
    pub fault: Option<Fault>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub version: Version,
    pub headers: Headers,
    pub body: Body,
    pub trailers: Trailers,
    pub fault: Option<Fault>,
}

impl Request {
    /// A whole HTTP/1.1 request without headers and body.
    pub fn new(method: &str, target: impl Into<Bytes>) -> Self {
        Self {
            method: method.into(),
            target: RequestTarget::parse(method, target),
            version: Version::Http11,
            headers: Headers::default(),
            body: Body::default(),
            trailers: Trailers::default(),
            fault: None,
        }
    }

    /// Its transfer coding is chunked: where its body ends is not told by Content-Length.
    pub fn is_chunked(&self) -> bool {
        self.headers.first("transfer-encoding").is_some()
    }

    /// Gives it another body, and its Content-Length the length of that. A chunked request stays chunked.
    pub fn set_body(&mut self, body: Bytes) {
        let had_length = self.headers.first("content-length").is_some();
        if !self.is_chunked() && (had_length || !body.is_empty()) {
            let length = body.len().to_string();
            self.headers.set("Content-Length", length.as_bytes());
        }
        self.body = body.into();
    }

    /// The protocols that the client asks to switch to (RFC 9110 §7.8), as they were sent.
    pub fn upgrade(&self) -> Option<&[u8]> {
        let options = self.headers.all("connection");
        let mut options = options.flat_map(|value| value.split(|byte| *byte == b','));
        let asks = options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade"));
        self.headers.first("upgrade").filter(|_| asks)
    }
}

impl Response {
    /// A whole HTTP/1.1 response without headers and body.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            version: Version::Http11,
            headers: Headers::default(),
            body: Body::default(),
            trailers: Trailers::default(),
            fault: None,
        }
    }
}

/// When the four edges of an exchange were seen on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    pub request_first: Timestamp,
    pub request_last: Timestamp,
    pub response_first: Option<Timestamp>,
    pub response_last: Option<Timestamp>,
}

impl Timing {
    /// How long a mirror may take for the whole answer: three times as long as production took, and `floor` at least. So a
    /// slow endpoint is not a time-out.
    pub fn allowance(&self, floor: Duration) -> Duration {
        let taken = self
            .response_last
            .map_or(0, |last| last.nanos_since(self.request_first));
        floor.max(Duration::from_nanos(taken.saturating_mul(3)))
    }
}

/// A request with its response. The two are boxed, because an exchange is moved from stage to stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Number of the connection within this capture, from 0 in order of appearance.
    pub connection: u64,
    /// Place in its connection, from 0.
    pub index: u32,
    /// The client that a PROXY header names, else the connection's peer.
    pub client: SocketAddr,
    /// The other end of the server's connection: the client, or a proxy before it.
    pub peer: SocketAddr,
    pub server: SocketAddr,
    /// Interface index; 0 for a file.
    pub origin: u32,
    pub timing: Timing,
    pub request: Box<Request>,
    /// None when production's final response was not seen.
    pub response: Option<Box<Response>>,
    /// Nothing was seen of the server: nobody is known to have received the request.
    pub one_sided: bool,
}

impl Exchange {
    /// The first exchange of a connection, without response and times.
    pub fn new(client: SocketAddr, server: SocketAddr, request: impl Into<Box<Request>>) -> Self {
        Self {
            connection: 0,
            index: 0,
            client,
            peer: client,
            server,
            origin: 0,
            timing: Timing::default(),
            request: request.into(),
            response: None,
            one_sided: false,
        }
    }

    /// The connection went on in another protocol after it: a WebSocket, or a tunnel.
    pub fn is_upgrade(&self) -> bool {
        let status = self.response.as_ref().map(|response| response.status);
        match self.request.method.as_str() {
            "CONNECT" => status.is_some_and(|status| (200..300).contains(&status)),
            _ => status == Some(101),
        }
    }

    pub fn captured_at(&self) -> Timestamp {
        self.timing.request_first
    }

    /// The path as text, for people.
    pub fn path(&self) -> Cow<'_, str> {
        self.request.target.path_text()
    }

    /// Nanoseconds from the request's last byte to the response's last byte, production's latency.
    pub fn latency_nanos(&self) -> Option<u64> {
        self.timing
            .response_last
            .map(|last| last.nanos_since(self.timing.request_last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upgrade_is_asked_for_by_two_fields() {
        let check = |fields: &[(&str, &str)], expect: Option<&[u8]>| {
            let mut request = Request::new("GET", "/");
            request.headers = fields.iter().copied().collect();
            assert_eq!(request.upgrade(), expect, "{fields:?}");
        };
        let upgrade = ("Upgrade", "websocket");
        check(
            &[upgrade, ("Connection", "keep-alive, Upgrade")],
            Some(b"websocket"),
        );
        check(&[upgrade, ("Connection", "keep-alive")], None);
        check(&[("Connection", "upgrade")], None);
        check(&[], None);
    }

    #[test]
    fn the_allowance_follows_what_production_took() {
        let floor = Duration::from_secs(5);
        let check = |last: Option<u64>, expect_ms: u64| {
            let timing = Timing {
                request_first: Timestamp(1_000_000),
                response_last: last.map(Timestamp),
                ..Timing::default()
            };
            let expect = Duration::from_millis(expect_ms);
            assert_eq!(timing.allowance(floor), expect, "{last:?}");
        };
        check(None, 5000);
        check(Some(2_000_000), 5000);
        check(Some(1_667_000_000), 5000);
        check(Some(2_001_000_000), 6000);
        check(Some(10_001_000_000), 30_000);
        // A clock that was set back.
        check(Some(0), 5000);
    }

    #[test]
    fn another_body_has_another_length() {
        let check = |fields: &[(&str, &str)], body: &'static str, expect: &[(&str, &str)]| {
            let mut request = Request::new("PUT", "/");
            request.headers = fields.iter().copied().collect();
            request.set_body(Bytes::from_static(body.as_bytes()));
            let expect: Headers = expect.iter().copied().collect();
            assert_eq!(request.headers, expect, "{fields:?} {body}");
            assert_eq!(&request.body[..], body.as_bytes());
        };
        let chunked = [("Transfer-Encoding", "chunked")];
        let length = |length| [("content-length", length)];
        check(&length("5"), "abc", &length("3"));
        check(&length("5"), "", &length("0"));
        check(&chunked, "abc", &chunked);
        check(&[], "abc", &[("Content-Length", "3")]);
        check(&[], "", &[]);
    }

    #[test]
    fn an_answered_switch_is_an_upgrade() {
        let address = "127.0.0.1:80".parse().unwrap();
        let check = |method: &str, status: Option<u16>, expect: bool| {
            let mut exchange = Exchange::new(address, address, Request::new(method, "/"));
            exchange.response = status.map(Response::new).map(Box::new);
            assert_eq!(exchange.is_upgrade(), expect, "{method} {status:?}");
        };
        check("GET", Some(101), true);
        check("GET", Some(200), false);
        check("GET", None, false);
        check("CONNECT", Some(200), true);
        check("CONNECT", Some(299), true);
        check("CONNECT", Some(101), false);
        check("CONNECT", Some(300), false);
        check("CONNECT", None, false);
    }
}
