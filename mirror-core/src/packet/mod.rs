//! Frame bytes → [`Segment`]: which connection, which side, which bytes.
//!
//! `layers` walks over headers to the TCP header, without copying; `fragments` holds the pieces of IP packets until
//! they are whole. Checksums are not verified: on the sending host they are filled in by the card, after the capture.
//! Bytes cut off by the capture are simply absent; the tcp stage finds them as a hole.

mod flow;
mod fragments;
mod frame;
mod layers;
mod seq;
mod tunnel;

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use pnet_packet::tcp::{TcpFlags, TcpPacket};

use crate::time::Timestamp;

pub use flow::{FlowKey, Side};
pub use fragments::FragmentCounts;
pub use frame::{LinkType, Packet};
pub use seq::Seq;
pub use tunnel::{Tunnel, TunnelCounts};

use fragments::Fragments;
use layers::{Carried, Fragment, MOST_TUNNELS, Transport};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    pub syn: bool,
    pub ack: bool,
    pub fin: bool,
    pub rst: bool,
    /// The sender is in urgent mode: one byte may be taken out of the stream by the receiver.
    pub urg: bool,
}

/// What one packet says about its connection.
#[derive(Clone, Debug)]
pub struct Segment {
    pub flow: FlowKey,
    pub side: Side,
    pub at: Timestamp,
    pub origin: u32,
    /// Of the first byte of `payload`, or of the SYN.
    pub seq: Seq,
    pub ack: Seq,
    pub flags: Flags,
    /// A slice of the packet's bytes.
    pub payload: Bytes,
}

/// Why a packet is no segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    #[error("not TCP over IP")]
    NotTcp,
    #[error("TCP inside of {}, which is not looked into", .0.name())]
    Tunnelled(Tunnel),
    #[error("a fragment of an IP packet that is not whole yet, or never will be")]
    Fragment,
    #[error("headers are cut short or contradict themselves")]
    Malformed,
}

/// Reads packet after packet, and puts together those that were sent in pieces.
#[derive(Debug, Default)]
pub struct PacketReader {
    /// Tunnels to look into, one in the other.
    depth: usize,
    fragments: Fragments,
}

impl PacketReader {
    /// With `tunnels`, what is inside VXLAN, Geneve, GRE, IP-in-IP and MPLS is read too.
    pub fn new(tunnels: bool) -> Self {
        Self {
            depth: if tunnels { MOST_TUNNELS } else { 0 },
            fragments: Fragments::default(),
        }
    }

    /// The last piece of a fragmented packet gives its segment; the others are an error each.
    pub fn read(&mut self, packet: &Packet) -> Result<Segment, PacketError> {
        let look = |depth| layers::frame(packet.link, &packet.bytes, depth);
        let carried = look(self.depth).map_err(|error| named(error, || look(MOST_TUNNELS)))?;
        match carried {
            Carried::Tcp(transport) => segment(packet, &packet.bytes, &transport),
            Carried::Fragment(piece) => self.join(packet, &packet.bytes, &piece, MOST_TUNNELS),
        }
    }

    /// Adds a piece, and reads the packet that is whole with it. That one may be a piece of the packet around which it was
    /// a tunnel, `more` times.
    fn join(
        &mut self,
        packet: &Packet,
        bytes: &Bytes,
        piece: &Fragment<'_>,
        more: usize,
    ) -> Result<Segment, PacketError> {
        let whole = self.fragments.add(packet.at, bytes, piece);
        let (of, protocol, bytes) = whole.ok_or(PacketError::Fragment)?;
        let look = |depth| layers::transport(of.from, of.to, protocol, &bytes, depth);
        let carried = look(self.depth).map_err(|error| named(error, || look(MOST_TUNNELS)))?;
        match (carried, more.checked_sub(1)) {
            (Carried::Tcp(transport), _) => segment(packet, &bytes, &transport),
            (Carried::Fragment(piece), Some(more)) => self.join(packet, &bytes, &piece, more),
            (Carried::Fragment(_), None) => Err(PacketError::Fragment),
        }
    }

    /// No packet comes any more: what is not whole never will be.
    pub fn finish(&mut self) {
        self.fragments.clear();
    }

    pub fn fragments(&self) -> FragmentCounts {
        self.fragments.counts()
    }
}

/// A tunnel that is not looked into is named only where it carries TCP, as far as a look tells.
fn named<'a>(
    error: PacketError,
    look: impl FnOnce() -> Result<Carried<'a>, PacketError>,
) -> PacketError {
    match error {
        PacketError::Tunnelled(_) if look().is_err() => PacketError::NotTcp,
        error => error,
    }
}

/// A packet by itself: pieces are refused, tunnels not looked into.
pub fn parse(packet: &Packet) -> Result<Segment, PacketError> {
    match layers::frame(packet.link, &packet.bytes, 0)? {
        Carried::Tcp(transport) => segment(packet, &packet.bytes, &transport),
        Carried::Fragment(_) => Err(PacketError::Fragment),
    }
}

fn segment(
    packet: &Packet,
    bytes: &Bytes,
    transport: &Transport<'_>,
) -> Result<Segment, PacketError> {
    let tcp = transport.tcp;
    let header = TcpPacket::new(tcp).ok_or(PacketError::Malformed)?;
    let header_len = usize::from(header.get_data_offset()) * 4;
    let payload = tcp.get(header_len..).ok_or(PacketError::Malformed)?;
    if header_len < TcpPacket::minimum_packet_size() {
        return Err(PacketError::Malformed);
    }
    let address = |ip: IpAddr, port| SocketAddr::new(ip, port);
    let (flow, side) = FlowKey::new(
        address(transport.from, header.get_source()),
        address(transport.to, header.get_destination()),
    );
    let bits = header.get_flags();
    Ok(Segment {
        flow,
        side,
        at: packet.at,
        origin: packet.origin,
        seq: Seq(header.get_sequence()) + packet.skip,
        ack: Seq(header.get_acknowledgement()),
        flags: Flags {
            syn: bits & TcpFlags::SYN != 0,
            ack: bits & TcpFlags::ACK != 0,
            fin: bits & TcpFlags::FIN != 0,
            rst: bits & TcpFlags::RST != 0,
            urg: bits & TcpFlags::URG != 0,
        },
        payload: bytes.slice_ref(payload),
    })
}

#[cfg(test)]
mod tests;
