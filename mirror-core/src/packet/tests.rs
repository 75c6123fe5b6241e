use super::*;
use crate::packet::LinkType;

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

fn check(link: LinkType, skip: u32, bytes: Vec<u8>, expect: Result<(&[u8], u32), PacketError>) {
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
    check(LinkType::RawIp, 0, ip.clone(), want);
    check(LinkType::Ethernet, 0, ether(&[8, 0], &ip), want);
    check(
        LinkType::Ethernet,
        0,
        ether(&[0x81, 0, 0, 5, 8, 0], &ip),
        want,
    );
    check(
        LinkType::Ethernet,
        0,
        ether(&[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0], &ip),
        want,
    );
    let pppoe = [0x88, 0x64, 0x11, 0, 0, 1, 0, 45, 0, 0x21];
    check(LinkType::Ethernet, 0, ether(&pppoe, &ip), want);
    let compressed = [0x88, 0x64, 0x11, 0, 0, 1, 0, 44, 0x21];
    check(LinkType::Ethernet, 0, ether(&compressed, &ip), want);
    let other = [0x88, 0x64, 0x11, 0, 0, 1, 0, 44, 0x23];
    check(
        LinkType::Ethernet,
        0,
        ether(&other, &ip),
        Err(PacketError::NotTcp),
    );
    check(LinkType::Null, 0, [&[2, 0, 0, 0], &ip[..]].concat(), want);
    check(LinkType::Null, 0, [&[0, 0, 0, 2], &ip[..]].concat(), want);
    check(
        LinkType::Sll,
        0,
        [&[0; 14][..], &[8, 0], &ip].concat(),
        want,
    );
    check(
        LinkType::Sll2,
        0,
        [&[8, 0][..], &[0; 18], &ip].concat(),
        want,
    );
}

#[test]
fn ipv6_with_extension_headers() {
    let mut ip = vec![0x60, 0, 0, 0, 0, 39, 0, 64];
    ip.extend([0; 32]);
    ip.extend([60, 0, 0, 0, 0, 0, 0, 0]);
    ip.extend([6, 0, 0, 0, 0, 0, 0, 0]);
    ip.extend(tcp(b"abc"));
    check(LinkType::RawIp, 0, ip.clone(), Ok((b"abc", 10)));
    ip[40] = 44;
    ip[51] = 1;
    check(LinkType::RawIp, 0, ip, Err(PacketError::Fragment));
}

#[test]
fn lengths_come_from_the_ip_header() {
    check(LinkType::RawIp, 0, v4(41, 0, b"abc"), Ok((b"a", 10)));
    check(LinkType::RawIp, 0, v4(0, 0, b"abc"), Ok((b"abc", 10)));
    check(LinkType::RawIp, 0, v4(1000, 0, b"abc"), Ok((b"abc", 10)));
    check(
        LinkType::RawIp,
        1448,
        v4(3000, 0, b"abc"),
        Ok((b"abc", 1458)),
    );
}

#[test]
fn what_is_no_segment_says_why() {
    check(
        LinkType::RawIp,
        0,
        v4(43, 0x2000, b"abc"),
        Err(PacketError::Fragment),
    );
    check(
        LinkType::RawIp,
        0,
        v4(43, 0x0001, b"abc"),
        Err(PacketError::Fragment),
    );
    check(
        LinkType::Ethernet,
        0,
        ether(&[8, 6], &[0; 28]),
        Err(PacketError::NotTcp),
    );
    check(
        LinkType::RawIp,
        0,
        vec![0x45; 10],
        Err(PacketError::Malformed),
    );
    check(
        LinkType::RawIp,
        0,
        v4(30, 0, b""),
        Err(PacketError::Malformed),
    );
    check(LinkType::RawIp, 0, vec![], Err(PacketError::Malformed));
}

#[test]
fn no_prefix_of_a_frame_panics() {
    let frame = ether(&[0x81, 0, 0, 5, 8, 0], &v4(43, 0, b"abc"));
    for length in 0..frame.len() {
        for link in [
            LinkType::Ethernet,
            LinkType::RawIp,
            LinkType::Null,
            LinkType::Sll,
            LinkType::Sll2,
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

/// A payload without TCP header of its own, as `protocol` from 10.9.0.1 to 10.9.0.2.
fn outer(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut ip = vec![0x45, 0];
    ip.extend((20 + payload.len() as u16).to_be_bytes());
    ip.extend([0, 0, 0, 0, 64, protocol, 0, 0, 10, 9, 0, 1, 10, 9, 0, 2]);
    ip.extend(payload);
    ip
}

fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let [high, low] = port.to_be_bytes();
    let ports = [0xc0, 0, high, low];
    let length = (8 + payload.len() as u16).to_be_bytes();
    outer(17, &[&ports[..], &length, &[0, 0], payload].concat())
}

fn read(tunnels: bool, packets: Vec<Vec<u8>>) -> Vec<Result<Vec<u8>, PacketError>> {
    let mut reader = PacketReader::new(tunnels);
    let packet = |bytes: Vec<u8>| Packet {
        at: Timestamp(1),
        origin: 0,
        link: LinkType::RawIp,
        wire_len: bytes.len() as u32,
        skip: 0,
        bytes: bytes.into(),
    };
    let read = |bytes| Ok(reader.read(&packet(bytes))?.payload.to_vec());
    packets.into_iter().map(read).collect()
}

#[test]
fn tunnels_are_looked_into_when_asked() {
    let ip = v4(43, 0, b"abc");
    let frame = ether(&[8, 0], &ip);
    let tagged = ether(&[0x81, 0, 0, 5, 8, 0], &ip);
    let with = |header: &[u8], rest: &[u8]| [header, rest].concat();
    let cases = [
        ("IP in IP", Tunnel::IpInIp, outer(4, &ip)),
        ("GRE", Tunnel::Gre, outer(47, &with(&[0, 0, 8, 0], &ip))),
        (
            "GRE with checksum, key and sequence",
            Tunnel::Gre,
            outer(47, &with(&[&[0xb0, 0, 8, 0][..], &[0; 12]].concat(), &ip)),
        ),
        (
            "GRE with Ethernet",
            Tunnel::Gre,
            outer(47, &with(&[0, 0, 0x65, 0x58], &frame)),
        ),
        (
            "ERSPAN",
            Tunnel::Erspan,
            outer(
                47,
                &with(&[&[0x10, 0, 0x88, 0xbe][..], &[0; 12]].concat(), &frame),
            ),
        ),
        (
            "VXLAN-GPE",
            Tunnel::Vxlan,
            udp(4790, &with(&[12, 0, 0, 3, 0, 0, 7, 0], &frame)),
        ),
        (
            "VXLAN",
            Tunnel::Vxlan,
            udp(4789, &with(&[8, 0, 0, 0, 0, 0, 7, 0], &tagged)),
        ),
        (
            "Geneve with an option",
            Tunnel::Geneve,
            udp(
                6081,
                &with(&[&[1, 0, 0x65, 0x58][..], &[0; 8]].concat(), &frame),
            ),
        ),
        (
            "Geneve with IP",
            Tunnel::Geneve,
            udp(6081, &with(&[0, 0, 8, 0, 0, 0, 0, 0], &ip)),
        ),
        (
            "MPLS in UDP",
            Tunnel::Mpls,
            udp(6635, &with(&[0, 1, 0, 64, 0, 2, 1, 64], &ip)),
        ),
        (
            "MPLS with a pseudowire",
            Tunnel::Mpls,
            outer(137, &with(&[0, 2, 1, 64, 0, 0, 0, 0], &frame)),
        ),
        (
            "VXLAN in GRE",
            Tunnel::Gre,
            outer(
                47,
                &with(
                    &[0, 0, 8, 0],
                    &udp(4789, &with(&[8, 0, 0, 0, 0, 0, 7, 0], &frame)),
                ),
            ),
        ),
    ];
    for (name, kind, packet) in cases {
        assert_eq!(
            read(true, vec![packet.clone()]),
            [Ok(b"abc".to_vec())],
            "{name}"
        );
        assert_eq!(
            read(false, vec![packet.clone()]),
            [Err(PacketError::Tunnelled(kind))],
            "{name}"
        );
        for length in 0..packet.len() {
            let _ = read(true, vec![packet[..length].to_vec()]);
        }
    }
    let other = udp(
        4789,
        &with(&[8, 0, 0, 0, 0, 0, 7, 0], &ether(&[8, 6], &[0; 28])),
    );
    assert_eq!(read(false, vec![other]), [Err(PacketError::NotTcp)]);
    let nested = (0..8).fold(ip, |ip, _| outer(4, &ip));
    assert_eq!(read(true, vec![nested]), [Err(PacketError::NotTcp)]);
}

/// `payload` of IP as pieces of `size` bytes, as protocol 6 or what `protocol` says.
fn pieces(protocol: u8, payload: &[u8], size: usize) -> Vec<Vec<u8>> {
    let count = payload.len().div_ceil(size);
    let piece = |(n, data): (usize, &[u8])| {
        let more = if n + 1 < count { 0x2000 } else { 0 };
        let mut ip = outer(protocol, data);
        ip[4..6].copy_from_slice(&77_u16.to_be_bytes());
        ip[6..8].copy_from_slice(&((n * size / 8) as u16 | more).to_be_bytes());
        ip
    };
    payload.chunks(size).enumerate().map(piece).collect()
}

#[test]
fn fragments_are_put_together_in_any_order() {
    let sent = tcp(b"a longer payload, which goes in several pieces");
    let whole = Ok(sent[20..].to_vec());
    for size in [8, 16, 24, 32, 64] {
        let parts = pieces(6, &sent, size);
        for first in 0..parts.len() {
            let mut turned = parts.clone();
            turned.rotate_left(first);
            turned.push(turned[0].clone());
            let last = turned.len() - 2;
            let results = read(false, turned);
            assert_eq!(results[last], whole, "{size} {first}");
            let others = results.iter().filter(|result| result.is_ok());
            assert_eq!(others.count(), 1, "{size} {first}");
        }
    }
}

#[test]
fn a_tunnel_in_fragments_is_looked_into() {
    let inner = pieces(4, &v4(43, 0, b"abc"), 24);
    assert_eq!(read(true, inner).last(), Some(&Ok(b"abc".to_vec())));
}

#[test]
fn ipv6_fragments_are_put_together() {
    let sent = tcp(b"0123456789ab");
    let piece = |at: usize, more: u8, data: &[u8]| {
        let mut ip = vec![0x60, 0, 0, 0, 0, 8 + data.len() as u8, 44, 64];
        ip.extend([0; 32]);
        ip.extend([6, 0, (at >> 8) as u8, at as u8 | more, 0, 0, 0, 9]);
        ip.extend(data);
        ip
    };
    let results = read(
        false,
        vec![piece(16, 0, &sent[16..]), piece(0, 1, &sent[..16])],
    );
    assert_eq!(results[1], Ok(b"0123456789ab".to_vec()));
    // An atomic fragment (RFC 6946) is a whole packet.
    let atomic = read(false, vec![piece(0, 0, &sent)]);
    assert_eq!(atomic, [Ok(b"0123456789ab".to_vec())]);
}
