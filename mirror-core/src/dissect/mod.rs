//! Packets in, exchanges out: the pure half of the pipeline behind one door.
//!
//! Two halves: [`Reassembly`] makes bytes of packets, [`Conversations`] makes exchanges of bytes. The second is a door of
//! its own, for bytes from elsewhere: see [`Dissector::conversations`].
//!
//! Calling order: [`Dissector::packet`] for every packet, [`Dissector::tick`] when no packets come, [`Dissector::finish`]
//! once at the end; after each of them [`Dissector::poll`] until it returns `None`.

mod advice;
mod budget;
mod conversations;
mod limits;
mod reassembly;
mod stats;
#[cfg(test)]
mod tests;

use crate::exchange::Exchange;
use crate::filter::PortSet;
use crate::http::{ConversationLimits, HttpLimits};
use crate::packet::{Packet, PacketError, PacketReader, Segment, Side};
use crate::time::Timestamp;

use limits::{bytes, nanoseconds};

pub use conversations::{ConversationId, Conversations};
pub use limits::DissectLimits;
pub use reassembly::Reassembly;
pub use stats::{DissectStats, PacketCounts, StreamCounts};

/// Reads packets and gives exchanges.
pub struct Dissector {
    ports: PortSet,
    max_total: usize,
    packets: PacketReader,
    reassembly: Reassembly,
    conversations: Conversations,
    counts: PacketCounts,
}

impl Dissector {
    pub fn new(limits: DissectLimits) -> Self {
        let http = HttpLimits {
            max_head: bytes(limits.max_head),
            max_body: bytes(limits.max_body),
        };
        Self {
            max_total: bytes(limits.max_total),
            packets: PacketReader::new(limits.tunnels),
            reassembly: Reassembly::new(&limits),
            conversations: Conversations::new(ConversationLimits {
                http,
                max_held: bytes(limits.max_held),
                patience: nanoseconds(limits.patience),
            }),
            counts: PacketCounts::default(),
            ports: limits.ports,
        }
    }

    /// Numbers connections apart from those of the other `readers`, of which this is number `reader` from 0.
    #[must_use]
    pub fn one_of(mut self, reader: u64, readers: u64) -> Self {
        self.conversations.number_from(reader, readers);
        self
    }

    pub fn packet(&mut self, packet: &Packet) {
        self.counts.packets += 1;
        self.tick(packet.at);
        match self.packets.read(packet) {
            Ok(segment) => self.segment(segment),
            Err(PacketError::NotTcp) => self.counts.not_tcp += 1,
            Err(PacketError::Tunnelled(tunnel)) => self.counts.tunnelled.add(tunnel),
            Err(PacketError::Fragment) => self.counts.fragments += 1,
            Err(PacketError::Malformed) => self.counts.malformed += 1,
        }
    }

    /// Lets time pass. `now` is on the packets' clock; packets seen before it should have been given before.
    pub fn tick(&mut self, now: Timestamp) {
        // What is behind a hole comes first: it may be the request that a response waits for.
        self.reassembly.tick(now, &mut self.conversations);
        self.conversations.tick(now);
    }

    /// The capture is over: everything still open ends here.
    pub fn finish(&mut self) {
        self.reassembly.finish(&mut self.conversations);
        self.packets.finish();
    }

    /// The next finished exchange.
    pub fn poll(&mut self) -> Option<Exchange> {
        self.conversations.poll()
    }

    /// Server ports from now on; connections that are followed go on.
    pub fn set_ports(&mut self, ports: PortSet) {
        self.ports = ports;
    }

    /// The door for bytes that do not come from packets. They share limits, counters and numbers with those that do.
    pub fn conversations(&mut self) -> &mut Conversations {
        &mut self.conversations
    }

    pub fn stats(&self) -> DissectStats {
        let fragments = self.packets.fragments();
        DissectStats {
            packets: PacketCounts {
                joined_packets: fragments.joined,
                incomplete_packets: fragments.given_up,
                refused_packets: fragments.refused,
                ..self.counts
            },
            streams: *self.reassembly.counts(),
            http: *self.conversations.counts(),
        }
    }

    fn segment(&mut self, segment: Segment) {
        self.counts.segments += 1;
        let is_server = |side| self.ports.contains(segment.flow.port(side));
        let client = match (is_server(Side::Low), is_server(Side::High)) {
            _ if self.ports.is_empty() => None,
            (true, true) => None,
            (true, false) => Some(Side::High),
            (false, true) => Some(Side::Low),
            (false, false) => {
                self.counts.other_port += 1;
                return;
            }
        };
        let (reassembly, conversations) = (&mut self.reassembly, &mut self.conversations);
        reassembly.segment(segment, client, conversations);
        budget::relieve(self.max_total, reassembly, conversations);
    }
}
