//! Sends a request to the mirror and reads the answer.

mod builds;
mod client;
mod credentials;
mod jwt;
mod options;
mod own_sockets;
mod prepare;
mod target;
mod targets;

use std::{
    sync::Arc,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use mirror_core::dissect::DissectLimits;
use mirror_core::exchange::{Request, Response};
use mirror_core::http::HttpLimits;
use mirror_core::options::ByteSize;

use client::{Client, ClientParts, Connector, Http2Client};

pub use builds::{BuildSources, BuildUrl, BuildUrls};
pub use credentials::{CredentialOptions, CredentialSource, TokenPlace};
pub use options::{ReplayOptions, SocketMark};
pub use own_sockets::OwnSockets;
pub use prepare::{Prepared, Preparer, edited};
pub use target::Target;
pub use targets::{WeightedTarget, choose};

/// What a replayed request says beside what was captured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Marks<'a> {
    pub id: Option<&'a str>,
    /// Where its snapshot was copied to.
    pub namespace: Option<&'a str>,
    /// When production says that it received the request, milliseconds since the epoch; else when it was captured.
    pub at: u64,
    /// Names this sending, for what the mirror files about it.
    pub send: Option<&'a str>,
}

#[derive(Debug)]
pub enum ReplayOutcome {
    Answered {
        response: Box<Response>,
        /// When its first byte was written.
        sent_at: Instant,
        /// From `sent_at` to the last byte of the answer.
        latency: Duration,
        /// 2 when it was sent again on a new connection, because a used one turned out to be closed.
        attempts: u8,
    },
    Timeout {
        reason: String,
    },
    ConnectFailed {
        reason: String,
    },
    Failed {
        reason: String,
    },
}

/// Sends requests to one target.
pub struct Replayer {
    protocol: Protocol,
    sent_twice: Arc<AtomicU64>,
}

enum Protocol {
    Http1(Client),
    Http2(Http2Client),
}

impl Replayer {
    /// Answers are read within the limits that hold for production's; `own_sockets` is told of each connection before its
    /// first packet.
    pub fn new(
        target: Target,
        options: &ReplayOptions,
        limits: &DissectLimits,
        own_sockets: Option<Arc<dyn OwnSockets>>,
    ) -> anyhow::Result<Self> {
        let bytes = |size: ByteSize| usize::try_from(size.as_u64()).unwrap_or(usize::MAX);
        let limits = HttpLimits {
            max_head: bytes(limits.max_head),
            max_body: bytes(limits.max_body),
        };
        let sent_twice = Arc::default();
        let parts = ClientParts {
            connector: Connector::new(target, options, own_sockets)?,
            limits,
            sent_twice: Arc::clone(&sent_twice),
        };
        let protocol = match options.http2 {
            false => Protocol::Http1(Client::new(parts, options)),
            true => Protocol::Http2(Http2Client::new(parts, options)),
        };
        Ok(Self {
            protocol,
            sent_twice,
        })
    }

    /// Sends the request as it is, with its marks, and reads the whole answer within `allowance`.
    pub async fn send(
        &self,
        request: &Request,
        marks: &Marks<'_>,
        allowance: Duration,
    ) -> ReplayOutcome {
        match &self.protocol {
            Protocol::Http1(client) => client.send(request, marks, allowance).await,
            Protocol::Http2(client) => client.send(request, marks, allowance).await,
        }
    }

    /// Requests that were sent a second time since this was asked last.
    pub fn take_sent_twice(&self) -> u64 {
        match self.sent_twice.load(Ordering::Relaxed) {
            0 => 0,
            _ => self.sent_twice.swap(0, Ordering::Relaxed),
        }
    }
}

/// Whether the target takes a connection, with TLS where it is meant.
pub async fn probe(target: &Target, options: &ReplayOptions) -> anyhow::Result<()> {
    let connector = Connector::new(target.clone(), options, None)?;
    match connector.connect().await {
        Ok(_) => Ok(()),
        Err(failure) => Err(anyhow::anyhow!(failure.reason())),
    }
}

/// Whether sockets to the mirror can be marked.
pub fn probe_mark(mark: SocketMark) -> anyhow::Result<()> {
    let socket = std::net::UdpSocket::bind(("127.0.0.1", 0))?;
    Ok(client::set_mark(&socket, mark)?)
}
