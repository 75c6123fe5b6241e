//! Frames of unusual shapes, sent for real.

use mirror_tests::raw;
use mirror_tests::tun::Tun;

use super::*;

/// As tun and WireGuard have them: packets start with their IP header.
#[needs(root)]
fn an_interface_without_ethernet_header_is_captured() -> Result<()> {
    let network = Network::new()?;
    let (segments, _) = network.on(Host::Production, || {
        let mut tun = Tun::open("eth9")?;
        let options = CaptureOptions {
            interfaces: vec!["eth9".into()],
            ..options(port())?
        };
        let (mut capture, rings) = TcCapture::start(&options)?;
        tun.send(&packet_to(PORT, b"GET /tun HTTP/1.1\r\n\r\n"))?;
        capture.detach();
        Ok((drain(rings)?, capture.counters.read()))
    })?;
    let payloads: Vec<&[u8]> = segments.iter().map(|s| &s.payload[..]).collect();
    assert_eq!(payloads, [b"GET /tun HTTP/1.1\r\n\r\n"]);
    Ok(())
}

/// An IPv4 packet with a TCP segment of its own.
fn packet_to(port: u16, payload: &[u8]) -> Vec<u8> {
    let total = (40 + payload.len()) as u16;
    let mut bytes = vec![0x45, 0];
    bytes.extend_from_slice(&total.to_be_bytes());
    bytes.extend_from_slice(&[0, 0, 0, 0, 64, 6, 0, 0, 10, 79, 0, 1, 10, 79, 0, 2]);
    bytes.extend_from_slice(&40_000_u16.to_be_bytes());
    bytes.extend_from_slice(&port.to_be_bytes());
    bytes.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 1, 0, 0, 0, 0, 0]);
    bytes.extend_from_slice(payload);
    bytes
}

/// The kernel takes the outer tag out of a frame that arrives, and hands it to programs beside the packet; of one that leaves
/// through a raw socket it stays in place.
#[needs(root)]
fn tagged_frames_are_captured() -> Result<()> {
    const VLAN: [u8; 4] = [0x81, 0, 0, 5];
    const SERVICE: [u8; 4] = [0x88, 0xa8, 0, 6];
    let network = Network::new()?;
    let tagged = [VLAN.to_vec(), [SERVICE, VLAN].concat()];
    for (sender, taken_out) in [(Host::Client, 4), (Host::Production, 0)] {
        for tags in &tagged {
            let frame = frame(tags, &packet_to(PORT, b"GET /tagged HTTP/1.1\r\n\r\n"));
            let (packets, _) = packets_with(&network, options(port())?, |capture| {
                network.on(sender, || raw::send(INTERFACE, &frame))?;
                mirror_tests::wait_until("the frame", LIMIT, || {
                    capture.counters.read()["copied"] > 0
                })
            })?;
            let found = segments(&packets)?;
            let payloads: Vec<&[u8]> = found.iter().map(|s| &s.payload[..]).collect();
            assert_eq!(
                payloads,
                [b"GET /tagged HTTP/1.1\r\n\r\n"],
                "{sender:?} {tags:x?}"
            );
            assert_eq!(packets[0].wire_len as usize, frame.len() - taken_out);
        }
    }
    Ok(())
}

/// Packets larger than the length field of their IP header can say.
#[needs(root)]
fn packets_above_64_kib_arrive_whole() -> Result<()> {
    let network = Network::new()?;
    network.let_packets_grow_to(400_000)?;
    let address = SocketAddr::from((Host::Production.address_v6(), PORT));
    let sizes = [1, 4_000_000];
    let (packets, counters) = packets_with(&network, options(port())?, |_| {
        echo_of(&network, address, &sizes)
    })?;
    let largest = packets.iter().map(|packet| packet.wire_len).max();
    assert!(largest > Some(100_000), "no packet was larger: {largest:?}");
    let sent: Vec<u8> = sizes.into_iter().flat_map(noise).collect();
    let (request, response) = streams(&segments(&packets)?);
    assert!(request == sent, "what the client sent");
    assert!(response == sent, "what the server sent");
    for lost in ["ring_full", "load_error", "truncated"] {
        assert_eq!(counters[lost], 0, "{lost}: {counters:?}");
    }
    Ok(())
}

/// An Ethernet frame to all hosts, so that no switch needs to know its address.
fn frame(tags: &[u8], packet: &[u8]) -> Vec<u8> {
    const TO_ALL: [u8; 6] = [0xff; 6];
    const FROM: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const IPV4: [u8; 2] = [8, 0];
    [&TO_ALL, &FROM, tags, &IPV4[..], packet].concat()
}
