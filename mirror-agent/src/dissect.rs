//! Packets in, exchanges out: the pure half of the pipeline behind one door.
//!
//! Calling order: [`Dissector::packet`] for every packet, [`Dissector::tick`] when no packets come, [`Dissector::finish`]
//! once at the end; after each of them [`Dissector::poll`] until it returns `None`.

use std::collections::VecDeque;

use serde::Serialize;

use crate::capture::Packet;
use crate::exchange::{Exchange, Timestamp};

/// What the dissector may hold, and for how long.
#[derive(Clone, Debug)]
pub struct DissectLimits {
    /// Server ports to look at; empty for any.
    pub ports: Vec<u16>,
    /// Body bytes kept per message; the rest is dropped and the message faulted.
    pub max_body: usize,
    /// Bytes of start line and headers.
    pub max_head: usize,
    /// Connections followed at once; the least recently used goes first.
    pub max_flows: usize,
    /// Out-of-order bytes held per connection.
    pub max_held: usize,
    /// Nanoseconds without a packet after which a connection is taken for closed.
    pub idle: u64,
    /// Nanoseconds that packets of one connection may be captured out of their order.
    pub patience: u64,
    /// Nanoseconds to wait for bytes that the receiver was not seen to acknowledge.
    pub unacked_patience: u64,
}

impl Default for DissectLimits {
    fn default() -> Self {
        Self {
            ports: Vec::new(),
            max_body: 1 << 20,
            max_head: 64 << 10,
            max_flows: 65_536,
            max_held: 1 << 20,
            idle: 300_000_000_000,
            patience: 200_000_000,
            unacked_patience: 3_000_000_000,
        }
    }
}

/// What was seen and what was lost on the way, each with its reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DissectStats {
    pub packets: u64,
    pub segments: u64,
    pub not_tcp: u64,
    pub fragments: u64,
    pub malformed: u64,
    pub other_port: u64,
    pub retransmitted_bytes: u64,
    pub gaps: u64,
    pub gap_bytes: u64,
    pub flows: u64,
    pub evicted_flows: u64,
    pub idle_flows: u64,
    /// Connections that do not speak HTTP/1: TLS, HTTP/2, anything else.
    pub not_http: u64,
    /// Connections that became something else by 101 or CONNECT.
    pub tunnels: u64,
    /// Heads that looked like a message and could not be parsed.
    pub bad_heads: u64,
    /// Request heads parsed.
    pub requests: u64,
    /// Final response heads parsed, orphans included.
    pub responses: u64,
    /// 1xx responses other than 101.
    pub interim_responses: u64,
    /// Final responses whose request was not seen.
    pub orphan_responses: u64,
    pub exchanges: u64,
}

pub struct Dissector {
    stats: DissectStats,
    ready: VecDeque<Exchange>,
}

impl Dissector {
    pub fn new(_limits: DissectLimits) -> Self {
        Self {
            stats: DissectStats::default(),
            ready: VecDeque::new(),
        }
    }

    pub fn packet(&mut self, _packet: &Packet) {
        self.stats.packets += 1;
    }

    /// Lets time pass: `now` is on the packets' clock.
    pub fn tick(&mut self, _now: Timestamp) {}

    /// The capture is over: everything still open ends here.
    pub fn finish(&mut self) {}

    pub fn poll(&mut self) -> Option<Exchange> {
        self.ready.pop_front()
    }

    pub fn stats(&self) -> &DissectStats {
        &self.stats
    }
}
