//! The bytes of both sides of a connection → exchanges. A protocol is a folder, and an arm of [`Conversation`].

pub mod coding;
mod counts;
pub mod h1;
pub mod h2;
mod protocol;
mod proxy;
#[cfg(test)]
mod script;
mod sniff;

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::exchange::{Body, Exchange, Fault, Headers, Request, Response, Trailers, Version};
use crate::packet::{FlowKey, Side};
use crate::tcp::{Arrival, StreamEvent};
use crate::time::Timestamp;

pub use counts::{HttpCounts, PortCounts, ProtocolCounts, UnreadExample, UnreadExamples};
pub use h1::{Answered, BodyLength, HttpLimits, Kind, Parsed, Parser};
pub use protocol::Protocol;

use sniff::{Sniffed, Sniffing};

/// What one side says at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Request(Box<Request>),
    Response(Box<Response>),
}

impl Message {
    pub fn version(&self) -> Version {
        match self {
            Self::Request(request) => request.version,
            Self::Response(response) => response.version,
        }
    }

    pub fn headers(&self) -> &Headers {
        match self {
            Self::Request(request) => &request.headers,
            Self::Response(response) => &response.headers,
        }
    }

    pub fn body(&self) -> &Body {
        match self {
            Self::Request(request) => &request.body,
            Self::Response(response) => &response.body,
        }
    }

    pub fn body_mut(&mut self) -> &mut Body {
        match self {
            Self::Request(request) => &mut request.body,
            Self::Response(response) => &mut response.body,
        }
    }

    pub fn fault(&self) -> Option<Fault> {
        match self {
            Self::Request(request) => request.fault,
            Self::Response(response) => response.fault,
        }
    }

    pub fn fault_mut(&mut self) -> &mut Option<Fault> {
        match self {
            Self::Request(request) => &mut request.fault,
            Self::Response(response) => &mut response.fault,
        }
    }

    fn set_trailers(&mut self, trailers: Trailers) {
        match self {
            Self::Request(request) => request.trailers = trailers,
            Self::Response(response) => response.trailers = trailers,
        }
    }
}

/// What a conversation may hold, and how long (ns) a response waits for its request.
#[derive(Clone, Copy, Debug)]
pub struct ConversationLimits {
    pub http: HttpLimits,
    pub max_held: usize,
    pub patience: u64,
}

/// Which connection it is, for its exchanges.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionInfo {
    pub number: u64,
    pub flow: FlowKey,
    pub origin: u32,
    /// The sides that are known to have sent something.
    pub heard: [bool; 2],
}

impl ConnectionInfo {
    pub fn addr(&self, side: Side) -> SocketAddr {
        self.flow.addr(side)
    }

    /// Clients take high ports.
    fn server_port(&self, client: Option<Side>) -> u16 {
        let port = |side| self.flow.port(side);
        match client {
            Some(client) => port(client.other()),
            None => port(Side::Low).min(port(Side::High)),
        }
    }

    fn unread(&self, from: Side, first_bytes: Protocol) -> UnreadExample {
        UnreadExample {
            from: self.addr(from),
            to: self.addr(from.other()),
            first_bytes,
        }
    }
}

/// Where conversations put what they find.
pub struct Output<'a> {
    pub counts: &'a mut HttpCounts,
    pub ready: &'a mut VecDeque<Exchange>,
}

/// What is said on one connection.
pub enum Conversation {
    /// Its protocol is not known yet.
    Sniffing(Box<Sniffing>),
    H1(Box<h1::Conversation>),
    H2(h2::Conversation),
    /// Nothing that is read.
    Other,
}

impl Conversation {
    /// `client` when the handshake or the port tells.
    pub fn new(info: ConnectionInfo, client: Option<Side>, limits: ConversationLimits) -> Self {
        Self::Sniffing(Box::new(Sniffing::new(info, client, limits)))
    }

    /// Something of this side was seen.
    pub fn heard(&mut self, side: Side) {
        match self {
            Self::Sniffing(sniffing) => sniffing.info.heard[side.index()] = true,
            Self::H1(h1) => h1.heard(side),
            Self::H2(_) | Self::Other => {}
        }
    }

    /// The next event of one side.
    #[inline]
    pub fn take(&mut self, side: Side, event: StreamEvent, at: Arrival, out: &mut Output<'_>) {
        match self {
            Self::Sniffing(sniffing) => {
                let sniffed = sniffing.take(side, event, at);
                self.settle(sniffed, out);
            }
            Self::H1(h1) => h1.take(side, event, at, out),
            Self::H2(_) | Self::Other => {}
        }
    }

    /// Gives up waiting for what should have come `patience` ago.
    pub fn expire(&mut self, now: Timestamp, out: &mut Output<'_>) {
        if let Self::H1(h1) = self {
            h1.expire(now, out);
        }
    }

    /// The connection is over.
    pub fn finish(&mut self, out: &mut Output<'_>) {
        if let Self::Sniffing(sniffing) = self {
            let sniffed = sniffing.finish();
            self.settle(sniffed, out);
        }
        if let Self::H1(h1) = self {
            h1.finish(out);
        }
        *self = Self::Other;
    }

    /// Nothing of this connection matters any more.
    #[inline]
    pub fn is_over(&self) -> bool {
        match self {
            Self::Sniffing(_) | Self::H1(_) => false,
            Self::H2(_) | Self::Other => true,
        }
    }

    /// Bytes of messages that are not finished, and of requests without response.
    #[inline]
    pub fn held_bytes(&self) -> usize {
        match self {
            Self::Sniffing(sniffing) => sniffing.held_bytes(),
            Self::H1(h1) => h1.held_bytes(),
            Self::H2(_) | Self::Other => 0,
        }
    }

    /// Something waits for time to pass: [`Self::expire`] is to be called.
    #[inline]
    pub fn is_waiting(&self) -> bool {
        match self {
            Self::H1(h1) => h1.is_waiting(),
            Self::Sniffing(_) | Self::H2(_) | Self::Other => false,
        }
    }

    fn settle(&mut self, sniffed: Sniffed, out: &mut Output<'_>) {
        let Self::Sniffing(sniffing) = self else {
            return;
        };
        let port = sniffing.info.server_port(sniffing.client);
        match sniffed {
            Sniffed::Undecided => {}
            Sniffed::Unread(example) => {
                out.counts.unread += 1;
                out.counts.unread_examples.add(example);
            }
            Sniffed::H1(client) => {
                let (mut h1, events) = sniffing.become_h1(client);
                for (side, event, at) in events {
                    h1.take(side, event, at, out);
                }
                *self = Self::H1(Box::new(h1));
            }
            Sniffed::Foreign(Protocol::Http2, _) => {
                out.counts.http2 += 1;
                out.counts.http2_ports.add(port);
                *self = Self::H2(h2::Conversation);
            }
            Sniffed::Foreign(Protocol::Tls, _) => {
                out.counts.tls += 1;
                out.counts.tls_ports.add(port);
                *self = Self::Other;
            }
            Sniffed::Foreign(protocol, from) => {
                out.counts.not_http += 1;
                out.counts.protocols.add(protocol);
                let example = sniffing.info.unread(from, protocol);
                out.counts.unread_examples.add(example);
                *self = Self::Other;
            }
        }
    }
}
