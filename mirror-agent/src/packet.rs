//! Frame bytes → [`Segment`]: which connection, which side, which bytes. No state, no copy.
//!
//! Checksums are not verified: on the sending host they are filled in by the card, after the capture.
//! Bytes cut off by the capture are simply absent; the tcp stage finds them as a hole.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use bytes::Bytes;
use pnet_packet::ethernet::{EtherType, EtherTypes, EthernetPacket};
use pnet_packet::ip::{IpNextHeaderProtocol, IpNextHeaderProtocols};
use pnet_packet::ipv4::Ipv4Packet;
use pnet_packet::ipv6::Ipv6Packet;
use pnet_packet::tcp::{TcpFlags, TcpPacket};
use pnet_packet::vlan::VlanPacket;

use crate::capture::{Link, Packet};
use crate::exchange::Timestamp;
use crate::tcp::Seq;

/// A connection, the same for both directions: the smaller address first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FlowKey {
    low: Address,
    high: Address,
}

/// An address in as few bytes as IPv6 needs; IPv4 is mapped (RFC 4291 §2.5.5.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Address {
    ip: [u8; 16],
    port: u16,
}

impl Address {
    fn new(address: SocketAddr) -> Self {
        let ip = match address.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        Self {
            ip: ip.octets(),
            port: address.port(),
        }
    }

    fn get(self) -> SocketAddr {
        SocketAddr::new(Ipv6Addr::from(self.ip).to_canonical(), self.port)
    }
}

impl FlowKey {
    /// The key of the connection, and the side that `from` is.
    pub fn new(from: SocketAddr, to: SocketAddr) -> (Self, Side) {
        let (from, to) = (Address::new(from), Address::new(to));
        if from <= to {
            (
                Self {
                    low: from,
                    high: to,
                },
                Side::Low,
            )
        } else {
            (
                Self {
                    low: to,
                    high: from,
                },
                Side::High,
            )
        }
    }

    pub fn addr(&self, side: Side) -> SocketAddr {
        self.address(side).get()
    }

    pub fn port(&self, side: Side) -> u16 {
        self.address(side).port
    }

    fn address(&self, side: Side) -> Address {
        match side {
            Side::Low => self.low,
            Side::High => self.high,
        }
    }
}

impl fmt::Debug for FlowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.low.get(), self.high.get())
    }
}

impl Hash for FlowKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(u128::from_ne_bytes(self.low.ip));
        state.write_u128(u128::from_ne_bytes(self.high.ip));
        state.write_u32(u32::from(self.low.port) << 16 | u32::from(self.high.port));
    }
}

/// The end of a connection that sent something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    Low,
    High,
}

impl Side {
    pub const fn other(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }

    pub const fn index(self) -> usize {
        self as usize
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    pub syn: bool,
    pub ack: bool,
    pub fin: bool,
    pub rst: bool,
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
    #[error("a fragment of an IP packet")]
    Fragment,
    #[error("headers are cut short or contradict themselves")]
    Malformed,
}

pub fn parse(packet: &Packet) -> Result<Segment, PacketError> {
    let frame = &packet.bytes[..];
    let ip = network(packet.link, frame)?;
    let (from, to, tcp) = match ip.first().map(|byte| byte >> 4) {
        Some(4) => ipv4(ip)?,
        Some(6) => ipv6(ip)?,
        _ => return Err(PacketError::Malformed),
    };
    let header = TcpPacket::new(tcp).ok_or(PacketError::Malformed)?;
    let header_len = usize::from(header.get_data_offset()) * 4;
    let payload = tcp.get(header_len..).ok_or(PacketError::Malformed)?;
    if header_len < TcpPacket::minimum_packet_size() {
        return Err(PacketError::Malformed);
    }
    let (flow, side) = FlowKey::new(
        SocketAddr::new(from, header.get_source()),
        SocketAddr::new(to, header.get_destination()),
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
        },
        payload: packet.bytes.slice_ref(payload),
    })
}

/// The bytes from the IP header on.
fn network(link: Link, frame: &[u8]) -> Result<&[u8], PacketError> {
    let (ethertype, rest) = match link {
        Link::RawIp => return Ok(frame),
        Link::Null => return null(frame),
        Link::Ethernet => {
            let ethernet = EthernetPacket::new(frame).ok_or(PacketError::Malformed)?;
            (
                ethernet.get_ethertype(),
                &frame[EthernetPacket::minimum_packet_size()..],
            )
        }
        // 16 bytes, the protocol in the last two.
        Link::Sll => (
            EtherType(be16(frame, 14)?),
            frame.get(16..).ok_or(PacketError::Malformed)?,
        ),
        // 20 bytes, the protocol in the first two.
        Link::Sll2 => (
            EtherType(be16(frame, 0)?),
            frame.get(20..).ok_or(PacketError::Malformed)?,
        ),
    };
    untag(ethertype, rest)
}

/// BSD loopback: the address family in the byte order of whoever captured. IPv6 is 24, 28, 30 or 10 by system, so the
/// IP version nibble decides.
fn null(frame: &[u8]) -> Result<&[u8], PacketError> {
    let family = frame.get(..4).ok_or(PacketError::Malformed)?;
    let rest = &frame[4..];
    match (family[0].max(family[3]), rest.first().map(|byte| byte >> 4)) {
        (2, Some(4)) | (10 | 24 | 28 | 30, Some(6)) => Ok(rest),
        _ => Err(PacketError::NotTcp),
    }
}

/// Undoes VLAN and QinQ tags.
fn untag(mut ethertype: EtherType, mut rest: &[u8]) -> Result<&[u8], PacketError> {
    while matches!(
        ethertype,
        EtherTypes::Vlan | EtherTypes::PBridge | EtherTypes::QinQ
    ) {
        ethertype = VlanPacket::new(rest)
            .ok_or(PacketError::Malformed)?
            .get_ethertype();
        rest = &rest[VlanPacket::minimum_packet_size()..];
    }
    match ethertype {
        EtherTypes::Ipv4 | EtherTypes::Ipv6 => Ok(rest),
        _ => Err(PacketError::NotTcp),
    }
}

type Transport<'a> = (IpAddr, IpAddr, &'a [u8]);

fn ipv4(ip: &[u8]) -> Result<Transport<'_>, PacketError> {
    let header = Ipv4Packet::new(ip).ok_or(PacketError::Malformed)?;
    if header.get_next_level_protocol() != IpNextHeaderProtocols::Tcp {
        return Err(PacketError::NotTcp);
    }
    // More fragments to come, or not the first.
    if header.get_flags() & 1 != 0 || header.get_fragment_offset() != 0 {
        return Err(PacketError::Fragment);
    }
    let header_len = usize::from(header.get_header_length()) * 4;
    let ip = trim(ip, usize::from(header.get_total_length()));
    if header_len < Ipv4Packet::minimum_packet_size() {
        return Err(PacketError::Malformed);
    }
    let tcp = ip.get(header_len..).ok_or(PacketError::Malformed)?;
    Ok((
        header.get_source().into(),
        header.get_destination().into(),
        tcp,
    ))
}

fn ipv6(ip: &[u8]) -> Result<Transport<'_>, PacketError> {
    let header = Ipv6Packet::new(ip).ok_or(PacketError::Malformed)?;
    let payload_len = usize::from(header.get_payload_length());
    // Zero with a jumbo payload option (RFC 2675), or before segmentation.
    let whole = if payload_len == 0 {
        0
    } else {
        payload_len + 40
    };
    let tcp = extensions(header.get_next_header(), &trim(ip, whole)[40..])?;
    Ok((
        header.get_source().into(),
        header.get_destination().into(),
        tcp,
    ))
}

/// Walks over extension headers (RFC 8200 §4) to the TCP header.
fn extensions(mut next: IpNextHeaderProtocol, mut rest: &[u8]) -> Result<&[u8], PacketError> {
    loop {
        match next {
            IpNextHeaderProtocols::Tcp => return Ok(rest),
            IpNextHeaderProtocols::Hopopt
            | IpNextHeaderProtocols::Ipv6Route
            | IpNextHeaderProtocols::Ipv6Opts => {
                let &[protocol, length, ..] = rest else {
                    return Err(PacketError::Malformed);
                };
                next = IpNextHeaderProtocol(protocol);
                rest = rest
                    .get((usize::from(length) + 1) * 8..)
                    .ok_or(PacketError::Malformed)?;
            }
            IpNextHeaderProtocols::Ipv6Frag => return Err(PacketError::Fragment),
            _ => return Err(PacketError::NotTcp),
        }
    }
}

/// Cuts Ethernet padding off. A length of zero means that the card will segment it: then all of it counts.
fn trim(ip: &[u8], length: usize) -> &[u8] {
    if length == 0 {
        ip
    } else {
        &ip[..ip.len().min(length)]
    }
}

fn be16(bytes: &[u8], at: usize) -> Result<u16, PacketError> {
    match bytes.get(at..at + 2) {
        Some(pair) => Ok(u16::from_be_bytes([pair[0], pair[1]])),
        None => Err(PacketError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// IPv4 + TCP without options; `total` as the IP header claims it.
    fn v4(total: u16, fragment: u16, payload: &[u8]) -> Vec<u8> {
        let mut ip = vec![0x45, 0];
        ip.extend(total.to_be_bytes());
        ip.extend([0, 0]);
        ip.extend(fragment.to_be_bytes());
        ip.extend([64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        ip.extend(tcp(payload));
        ip
    }

    fn tcp(payload: &[u8]) -> Vec<u8> {
        let mut tcp = vec![
            0x9c, 0x40, 0, 80, 0, 0, 0, 10, 0, 0, 0, 20, 0x50, 0x18, 0, 0, 0, 0, 0, 0,
        ];
        tcp.extend(payload);
        tcp
    }

    fn ether(tags: &[u8], payload: &[u8]) -> Vec<u8> {
        [&[0; 12], tags, payload].concat()
    }

    fn check(link: Link, skip: u32, bytes: Vec<u8>, expect: Result<(&[u8], u32), PacketError>) {
        let packet = Packet {
            at: Timestamp(1),
            origin: 3,
            link,
            wire_len: bytes.len() as u32,
            skip,
            bytes: bytes.into(),
        };
        let segment = parse(&packet);
        let seen = segment
            .as_ref()
            .map(|segment| (&segment.payload[..], segment.seq.0));
        assert_eq!(seen.map_err(|error| *error), expect);
    }

    #[test]
    fn every_link_type() {
        let ip = v4(43, 0, b"abc");
        let want = Ok((&b"abc"[..], 10));
        check(Link::RawIp, 0, ip.clone(), want);
        check(Link::Ethernet, 0, ether(&[8, 0], &ip), want);
        check(Link::Ethernet, 0, ether(&[0x81, 0, 0, 5, 8, 0], &ip), want);
        check(
            Link::Ethernet,
            0,
            ether(&[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0], &ip),
            want,
        );
        check(Link::Null, 0, [&[2, 0, 0, 0], &ip[..]].concat(), want);
        check(Link::Null, 0, [&[0, 0, 0, 2], &ip[..]].concat(), want);
        check(Link::Sll, 0, [&[0; 14][..], &[8, 0], &ip].concat(), want);
        check(Link::Sll2, 0, [&[8, 0][..], &[0; 18], &ip].concat(), want);
    }

    #[test]
    fn ipv6_with_extension_headers() {
        let mut ip = vec![0x60, 0, 0, 0, 0, 39, 0, 64];
        ip.extend([0; 32]);
        ip.extend([60, 0, 0, 0, 0, 0, 0, 0]);
        ip.extend([6, 0, 0, 0, 0, 0, 0, 0]);
        ip.extend(tcp(b"abc"));
        check(Link::RawIp, 0, ip.clone(), Ok((b"abc", 10)));
        ip[40] = 44;
        check(Link::RawIp, 0, ip, Err(PacketError::Fragment));
    }

    #[test]
    fn lengths_come_from_the_ip_header() {
        check(Link::RawIp, 0, v4(41, 0, b"abc"), Ok((b"a", 10)));
        check(Link::RawIp, 0, v4(0, 0, b"abc"), Ok((b"abc", 10)));
        check(Link::RawIp, 0, v4(1000, 0, b"abc"), Ok((b"abc", 10)));
        check(Link::RawIp, 1448, v4(3000, 0, b"abc"), Ok((b"abc", 1458)));
    }

    #[test]
    fn what_is_no_segment_says_why() {
        check(
            Link::RawIp,
            0,
            v4(43, 0x2000, b"abc"),
            Err(PacketError::Fragment),
        );
        check(
            Link::RawIp,
            0,
            v4(43, 0x0001, b"abc"),
            Err(PacketError::Fragment),
        );
        check(
            Link::Ethernet,
            0,
            ether(&[8, 6], &[0; 28]),
            Err(PacketError::NotTcp),
        );
        check(Link::RawIp, 0, vec![0x45; 10], Err(PacketError::Malformed));
        check(Link::RawIp, 0, v4(30, 0, b""), Err(PacketError::Malformed));
        check(Link::RawIp, 0, vec![], Err(PacketError::Malformed));
    }

    #[test]
    fn no_prefix_of_a_frame_panics() {
        let frame = ether(&[0x81, 0, 0, 5, 8, 0], &v4(43, 0, b"abc"));
        for length in 0..frame.len() {
            for link in [
                Link::Ethernet,
                Link::RawIp,
                Link::Null,
                Link::Sll,
                Link::Sll2,
            ] {
                let packet = Packet {
                    at: Timestamp(0),
                    origin: 0,
                    link,
                    wire_len: 0,
                    skip: 0,
                    bytes: Bytes::copy_from_slice(&frame[..length]),
                };
                let _ = parse(&packet);
            }
        }
    }
}
