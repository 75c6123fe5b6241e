//! The central type: one request, production's own response to it, and when and where both were seen.

use std::net::SocketAddr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Nanoseconds since the Unix epoch, UTC.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Timestamp(pub u64);

impl Timestamp {
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros * 1_000)
    }

    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// Nanoseconds from `earlier` to `self`, zero when the clock went backwards.
    pub const fn nanos_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
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

/// Header fields in the order and spelling of the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(pub Vec<(String, Bytes)>);

impl Headers {
    /// The first value of `name`, compared without case.
    pub fn first(&self, name: &str) -> Option<&Bytes> {
        self.0
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v)
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Bytes> {
        self.0
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// The request target as sent: origin, absolute or authority form.
    pub target: String,
    /// Minor version of HTTP/1: 0 or 1.
    pub minor: u8,
    pub headers: Headers,
    /// Body with transfer-coding undone, content-coding kept.
    pub body: Bytes,
    /// None when it is whole.
    pub fault: Option<Fault>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub minor: u8,
    pub headers: Headers,
    pub body: Bytes,
    pub fault: Option<Fault>,
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

    /// The target without its query and without scheme and authority.
    pub fn path(&self) -> &str {
        let target = self.request.target.as_str();
        let path = match target.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("/", |slash| &rest[slash..]),
            None => target,
        };
        path.split(['?', '#']).next().unwrap_or(path)
    }

    /// Nanoseconds from the request's last byte to the response's last byte, production's latency.
    pub fn latency_nanos(&self) -> Option<u64> {
        self.timing
            .response_last
            .map(|last| last.nanos_since(self.timing.request_last))
    }
}
