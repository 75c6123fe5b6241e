//! From a frame's first byte to the TCP header, over link layer, tags, IP and, when asked, tunnels.

use std::net::IpAddr;

use pnet_packet::ethernet::{EtherType, EtherTypes, EthernetPacket};
use pnet_packet::ip::{IpNextHeaderProtocol, IpNextHeaderProtocols as Protocol};
use pnet_packet::ipv4::Ipv4Packet;
use pnet_packet::ipv6::Ipv6Packet;
use pnet_packet::vlan::VlanPacket;

use super::{PacketError, Tunnel};
use crate::packet::LinkType;

/// Tunnels that may be one in the other.
pub(super) const MOST_TUNNELS: usize = 4;
const MOST_LABELS: usize = 16;

// Ethertypes that pnet has no name for, or another: IEEE 802 numbers, RFC 7348, 1701, ERSPAN drafts.
const PPPOE_SESSION: u16 = 0x8864;
const TRANSPARENT_ETHERNET: u16 = 0x6558;
const MPLS: u16 = 0x8847;
const MPLS_MULTICAST: u16 = 0x8848;
const ERSPAN: u16 = 0x88be;
const ERSPAN_3: u16 = 0x22eb;

// IANA's port numbers; Linux took 8472 before VXLAN had one.
const VXLAN_PORTS: [u16; 2] = [4789, 8472];
const GENEVE_PORT: u16 = 6081;
const MPLS_PORT: u16 = 6635;
const VXLAN_GPE_PORT: u16 = 4790;

/// What a frame carries.
pub(super) enum Carried<'a> {
    Tcp(Transport<'a>),
    Fragment(Fragment<'a>),
}

pub(super) struct Transport<'a> {
    pub(super) from: IpAddr,
    pub(super) to: IpAddr,
    /// From the TCP header on.
    pub(super) tcp: &'a [u8],
}

/// Which fragmented packet: RFC 791 and, without protocol, RFC 8200 §4.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Datagram {
    pub(super) from: IpAddr,
    pub(super) to: IpAddr,
    id: u32,
    protocol: Option<u8>,
}

#[cfg(test)]
impl Datagram {
    pub(super) fn new(from: IpAddr, to: IpAddr, id: u32) -> Self {
        Self {
            from,
            to,
            id,
            protocol: None,
        }
    }
}

/// A fragment of a packet.
pub(super) struct Fragment<'a> {
    pub(super) of: Datagram,
    /// What the whole packet holds, if this is its first piece.
    pub(super) protocol: IpNextHeaderProtocol,
    pub(super) offset: usize,
    pub(super) more: bool,
    pub(super) data: &'a [u8],
}

type Result<T> = std::result::Result<T, PacketError>;

/// `depth` tunnels are looked into.
pub(super) fn frame(link: LinkType, frame: &[u8], depth: usize) -> Result<Carried<'_>> {
    match link {
        LinkType::RawIp => ip(frame, depth),
        LinkType::Null => ip(null(frame)?, depth),
        LinkType::Ethernet => ethernet(frame, depth),
        // 16 bytes, the protocol in the last two.
        LinkType::Sll => behind(be16(frame, 14)?, from(frame, 16)?, depth),
        // 20 bytes, the protocol in the first two.
        LinkType::Sll2 => behind(be16(frame, 0)?, from(frame, 20)?, depth),
    }
}

fn ethernet(frame: &[u8], depth: usize) -> Result<Carried<'_>> {
    let header = EthernetPacket::new(frame).ok_or(PacketError::Malformed)?;
    let rest = &frame[EthernetPacket::minimum_packet_size()..];
    behind(header.get_ethertype().0, rest, depth)
}

/// BSD loopback: the address family in the byte order of whoever captured. IPv6 is 24, 28, 30 or 10 by system, so the
/// IP version nibble decides.
fn null(frame: &[u8]) -> Result<&[u8]> {
    let family = frame.get(..4).ok_or(PacketError::Malformed)?;
    let rest = &frame[4..];
    match (family[0].max(family[3]), rest.first().map(|byte| byte >> 4)) {
        (2, Some(4)) | (10 | 24 | 28 | 30, Some(6)) => Ok(rest),
        _ => Err(PacketError::NotTcp),
    }
}

/// What is behind an ethertype, and behind VLAN and QinQ tags.
fn behind(ethertype: u16, rest: &[u8], depth: usize) -> Result<Carried<'_>> {
    let (mut ethertype, mut rest) = (EtherType(ethertype), rest);
    while matches!(
        ethertype,
        EtherTypes::Vlan | EtherTypes::PBridge | EtherTypes::QinQ
    ) {
        ethertype = VlanPacket::new(rest)
            .ok_or(PacketError::Malformed)?
            .get_ethertype();
        rest = &rest[VlanPacket::minimum_packet_size()..];
    }
    match (ethertype, depth.checked_sub(1)) {
        (EtherTypes::Ipv4 | EtherTypes::Ipv6, _) => ip(rest, depth),
        (EtherType(PPPOE_SESSION), _) => ppp(from(rest, 6)?, depth),
        (EtherType(MPLS | MPLS_MULTICAST), Some(depth)) => mpls(rest, depth),
        (EtherType(TRANSPARENT_ETHERNET), Some(depth)) => ethernet(rest, depth),
        (EtherType(MPLS | MPLS_MULTICAST), None) => Err(PacketError::Tunnelled(Tunnel::Mpls)),
        _ => Err(PacketError::NotTcp),
    }
}

/// PPP after its session header. The protocol field is one byte where its first byte is odd (RFC 1661 §6.5).
fn ppp(frame: &[u8], depth: usize) -> Result<Carried<'_>> {
    const IPV4: usize = 0x21;
    const IPV6: usize = 0x57;
    let (protocol, length) = match byte(frame, 0)? {
        compressed if compressed % 2 == 1 => (compressed, 1),
        _ => (usize::from(be16(frame, 0)?), 2),
    };
    match protocol {
        IPV4 | IPV6 => ip(from(frame, length)?, depth),
        _ => Err(PacketError::NotTcp),
    }
}

fn ip(packet: &[u8], depth: usize) -> Result<Carried<'_>> {
    match packet.first().map(|byte| byte >> 4) {
        Some(4) => ipv4(packet, depth),
        Some(6) => ipv6(packet, depth),
        _ => Err(PacketError::Malformed),
    }
}

fn ipv4(ip: &[u8], depth: usize) -> Result<Carried<'_>> {
    let header = Ipv4Packet::new(ip).ok_or(PacketError::Malformed)?;
    let header_len = usize::from(header.get_header_length()) * 4;
    if header_len < Ipv4Packet::minimum_packet_size() {
        return Err(PacketError::Malformed);
    }
    let protocol = header.get_next_level_protocol();
    let (source, destination) = (header.get_source().into(), header.get_destination().into());
    let length = usize::from(header.get_total_length());
    let offset = usize::from(header.get_fragment_offset()) * 8;
    let more = header.get_flags() & 1 != 0;
    if more || offset != 0 {
        return Ok(Carried::Fragment(Fragment {
            of: Datagram {
                from: source,
                to: destination,
                id: header.get_identification().into(),
                protocol: Some(protocol.0),
            },
            protocol,
            offset,
            more,
            data: from(trim(ip, length), header_len)?,
        }));
    }
    let payload = from(trim(ip, length), header_len)?;
    transport(source, destination, protocol, payload, depth)
}

fn ipv6(ip: &[u8], depth: usize) -> Result<Carried<'_>> {
    let header = Ipv6Packet::new(ip).ok_or(PacketError::Malformed)?;
    let payload_len = usize::from(header.get_payload_length());
    // Zero with a jumbo payload option (RFC 2675), or before segmentation.
    let whole = if payload_len == 0 {
        0
    } else {
        payload_len + 40
    };
    let payload = &trim(ip, whole)[40..];
    let (source, destination) = (header.get_source().into(), header.get_destination().into());
    transport(
        source,
        destination,
        header.get_next_header(),
        payload,
        depth,
    )
}

/// What an IP packet carries, over the extension headers of RFC 8200 §4 and into tunnels.
pub(super) fn transport(
    source: IpAddr,
    destination: IpAddr,
    protocol: IpNextHeaderProtocol,
    payload: &[u8],
    depth: usize,
) -> Result<Carried<'_>> {
    let (mut next, mut rest) = (protocol, payload);
    loop {
        let length = match next {
            Protocol::Tcp => {
                return Ok(Carried::Tcp(Transport {
                    from: source,
                    to: destination,
                    tcp: rest,
                }));
            }
            Protocol::Hopopt | Protocol::Ipv6Route | Protocol::Ipv6Opts => 8 + 8 * byte(rest, 1)?,
            Protocol::Ah => 8 + 4 * byte(rest, 1)?,
            Protocol::Ipv6Frag => {
                let bits = be16(rest, 2)?;
                // An atomic fragment (RFC 6946) is a whole packet.
                if bits & 0xfff9 != 0 {
                    return piece(source, destination, rest, bits);
                }
                8
            }
            _ => break,
        };
        next = IpNextHeaderProtocol(byte(rest, 0)? as u8);
        rest = from(rest, length)?;
    }
    match depth.checked_sub(1) {
        Some(depth) => tunnel(next, rest, depth),
        None => Err(tunnel_kind(next, rest).map_or(PacketError::NotTcp, PacketError::Tunnelled)),
    }
}

fn tunnel(protocol: IpNextHeaderProtocol, rest: &[u8], depth: usize) -> Result<Carried<'_>> {
    match protocol {
        Protocol::Ipv4 | Protocol::Ipv6 => ip(rest, depth),
        Protocol::Gre => gre(rest, depth),
        Protocol::MplsInIp => mpls(rest, depth),
        Protocol::Udp => udp(rest, depth),
        _ => Err(PacketError::NotTcp),
    }
}

/// The tunnel by its protocol or port alone.
fn tunnel_kind(protocol: IpNextHeaderProtocol, rest: &[u8]) -> Option<Tunnel> {
    match protocol {
        Protocol::Ipv4 | Protocol::Ipv6 => Some(Tunnel::IpInIp),
        Protocol::Gre => match be16(rest, 2).ok()? {
            ERSPAN | ERSPAN_3 => Some(Tunnel::Erspan),
            _ => Some(Tunnel::Gre),
        },
        Protocol::MplsInIp => Some(Tunnel::Mpls),
        Protocol::Udp => match be16(rest, 2).ok()? {
            VXLAN_GPE_PORT => Some(Tunnel::Vxlan),
            port if VXLAN_PORTS.contains(&port) => Some(Tunnel::Vxlan),
            GENEVE_PORT => Some(Tunnel::Geneve),
            MPLS_PORT => Some(Tunnel::Mpls),
            _ => None,
        },
        _ => None,
    }
}

fn piece(source: IpAddr, to: IpAddr, header: &[u8], bits: u16) -> Result<Carried<'_>> {
    Ok(Carried::Fragment(Fragment {
        of: Datagram {
            from: source,
            to,
            id: u32::from(be16(header, 4)?) << 16 | u32::from(be16(header, 6)?),
            protocol: None,
        },
        protocol: IpNextHeaderProtocol(byte(header, 0)? as u8),
        offset: usize::from(bits & 0xfff8),
        more: bits & 1 != 0,
        data: from(header, 8)?,
    }))
}

/// RFC 2784 and 2890, and the Ethernet of ERSPAN behind it.
fn gre(header: &[u8], depth: usize) -> Result<Carried<'_>> {
    const CHECKSUM: u16 = 0x8000;
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const VERSION: u16 = 7;
    let bits = be16(header, 0)?;
    if bits & (ROUTING | VERSION) != 0 {
        return Err(PacketError::NotTcp);
    }
    let options = [CHECKSUM, KEY, SEQUENCE];
    let options = options.iter().filter(|option| bits & **option != 0).count();
    let rest = from(header, 4 + 4 * options)?;
    match be16(header, 2)? {
        // The first version has no header, nor a sequence number by which it is told from the second.
        ERSPAN if bits & SEQUENCE == 0 => ethernet(rest, depth),
        ERSPAN => ethernet(from(rest, 8)?, depth),
        ERSPAN_3 => {
            let more = if byte(rest, 11)? & 1 == 0 { 0 } else { 8 };
            ethernet(from(rest, 12 + more)?, depth)
        }
        TRANSPARENT_ETHERNET => ethernet(rest, depth),
        ethertype => behind(ethertype, rest, depth),
    }
}

/// Labels of RFC 3032, then IP, or Ethernet behind a control word (RFC 4448).
fn mpls(labels: &[u8], depth: usize) -> Result<Carried<'_>> {
    let mut rest = labels;
    for _ in 0..MOST_LABELS {
        let is_last = byte(rest, 2)? & 1 != 0;
        rest = from(rest, 4)?;
        if is_last {
            return match byte(rest, 0)? >> 4 {
                4 | 6 => ip(rest, depth),
                0 => ethernet(from(rest, 4)?, depth),
                _ => Err(PacketError::NotTcp),
            };
        }
    }
    Err(PacketError::Malformed)
}

/// VXLAN (RFC 7348) and its generic extension, Geneve (RFC 8926) and MPLS (RFC 7510), by the port they are sent to.
fn udp(header: &[u8], depth: usize) -> Result<Carried<'_>> {
    const HAS_NETWORK: usize = 8;
    let payload = from(header, 8)?;
    match be16(header, 2)? {
        port if VXLAN_PORTS.contains(&port) => {
            if byte(payload, 0)? & HAS_NETWORK == 0 {
                return Err(PacketError::NotTcp);
            }
            ethernet(from(payload, 8)?, depth)
        }
        VXLAN_GPE_PORT => match byte(payload, 3)? {
            1 | 2 => ip(from(payload, 8)?, depth),
            3 => ethernet(from(payload, 8)?, depth),
            _ => Err(PacketError::NotTcp),
        },
        GENEVE_PORT => {
            let options = (byte(payload, 0)? & 0x3f) * 4;
            let rest = from(payload, 8 + options)?;
            match be16(payload, 2)? {
                TRANSPARENT_ETHERNET => ethernet(rest, depth),
                ethertype => behind(ethertype, rest, depth),
            }
        }
        MPLS_PORT => mpls(payload, depth),
        _ => Err(PacketError::NotTcp),
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

fn from(bytes: &[u8], at: usize) -> Result<&[u8]> {
    bytes.get(at..).ok_or(PacketError::Malformed)
}

fn byte(bytes: &[u8], at: usize) -> Result<usize> {
    bytes
        .get(at)
        .map(|byte| usize::from(*byte))
        .ok_or(PacketError::Malformed)
}

fn be16(bytes: &[u8], at: usize) -> Result<u16> {
    match bytes.get(at..at + 2) {
        Some(pair) => Ok(u16::from_be_bytes([pair[0], pair[1]])),
        None => Err(PacketError::Malformed),
    }
}
