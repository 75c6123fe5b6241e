//! The central type: one request, production's own response to it, and when and where both were seen.

mod body;
mod headers;

use std::{borrow::Cow, net::SocketAddr};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

pub use body::Body;
pub use headers::Headers;
pub use mirror_contract::{RequestTarget, TargetForm};

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

/// Why a message is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Bytes of it were never captured.
    Gap,
    /// The connection or the capture ended inside it.
    Truncated,
    /// Its body is over the cap; the rest was dropped.
    TooLarge,
    /// Two parsers could read it differently (conflicting lengths, bad chunk size, …).
    Ambiguous,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    pub target: RequestTarget,
    pub version: Version,
    pub headers: Headers,
    /// Body with transfer-coding undone, content-coding kept.
    pub body: Body,
    /// Fields after a chunked body (RFC 9112 §7.1.2).
    pub trailers: Headers,
    /// None when it is whole.
    pub fault: Option<Fault>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub version: Version,
    pub headers: Headers,
    pub body: Body,
    pub trailers: Headers,
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
            trailers: Headers::default(),
            fault: None,
        }
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
            trailers: Headers::default(),
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

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Number of the connection within this capture, from 0 in order of appearance.
    pub connection: u64,
    /// Place in its connection, from 0.
    pub index: u32,
    pub client: SocketAddr,
    pub server: SocketAddr,
    /// Interface index; 0 for a file.
    pub origin: u32,
    pub timing: Timing,
    pub request: Request,
    /// None when production's final response was not seen.
    pub response: Option<Response>,
}

impl Exchange {
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
