//! Which request a snapshot is of. CONTRACT.md, "Snapshots".

use std::{net::SocketAddr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{Fields, RequestTarget, hash};

/// The version of documents that this code writes and reads.
pub const VERSION: u32 = 1;

/// What names the request that a snapshot is of, so that it cannot be taken for another's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// When production received the request, milliseconds since the epoch.
    pub at: u64,
    /// The microseconds of that moment past `at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub us: Option<u16>,
    /// [`request_hash`] of it.
    pub request: String,
    /// XXH3 of the body, where production read it for the id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The other end of the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// How far the database's log was when production had read, for mirrors that read a replica.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
}

impl Stamp {
    /// Of a request that came `at`, since the epoch; `body` where it was read.
    pub fn new(
        request: &dyn Fields,
        at: Duration,
        body: Option<&[u8]>,
        peer: Option<SocketAddr>,
    ) -> Self {
        Self {
            at: u64::try_from(at.as_millis()).unwrap_or(u64::MAX),
            us: u16::try_from(at.subsec_micros() % 1000).ok(),
            request: request_hash(request.method(), request.target()),
            body: body.map(hash),
            peer: peer.map(peer_text),
            position: None,
        }
    }

    /// The moment of receipt in nanoseconds since the epoch, and how many nanoseconds it may be later.
    pub fn moment(&self) -> (u64, u64) {
        let millis = self.at.saturating_mul(1_000_000);
        match self.us {
            Some(us) => (millis.saturating_add(u64::from(us.min(999)) * 1000), 1000),
            None => (millis, 1_000_000),
        }
    }

    /// The minute of receipt, by which numbered snapshots are listed.
    pub fn minute(&self) -> u64 {
        self.at / 60_000
    }
}

/// An address and port as a stamp writes them: IPv4 where it is one.
pub fn peer_text(peer: SocketAddr) -> String {
    SocketAddr::new(peer.ip().to_canonical(), peer.port()).to_string()
}

/// XXH3-64 in hex of `METHOD path?query`, as sent.
pub fn request_hash(method: &str, target: Option<&RequestTarget>) -> String {
    let local = target.map_or("/".as_bytes().into(), RequestTarget::path_and_query);
    hash(&[method.as_bytes(), b" ", &local].concat())
}
