//! The dissector packet by packet.

use super::*;
use crate::http::Protocol;
use crate::options::ByteSize;
use crate::packet::LinkType;

const MILLI: u64 = 1_000_000;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;
const FIN: u8 = 17;
const GET: &str = "GET /a HTTP/1.1\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Packets between 10.0.0.2 and 10.0.0.1:80, a millisecond apart.
struct Wire {
    dissector: Dissector,
    at: u64,
}

/// A connection by its client's port, and where both sides stand: client, server.
struct Pair(u16, [u32; 2]);

impl Wire {
    fn new(limits: DissectLimits) -> Self {
        Self {
            dissector: Dissector::new(limits),
            at: 0,
        }
    }

    fn send(&mut self, pair: &mut Pair, from: usize, flags: u8, payload: &str) {
        self.at += MILLI;
        let ports = [pair.0, 80];
        let acked = if flags & ACK == 0 {
            0
        } else {
            pair.1[1 - from]
        };
        let length = (40 + payload.len() as u16).to_be_bytes();
        let hosts = [2, 1];
        let mut bytes = vec![0x45, 0, length[0], length[1], 0, 0, 0, 0, 64, 6, 0, 0];
        bytes.extend([10, 0, 0, hosts[from], 10, 0, 0, hosts[1 - from]]);
        bytes.extend(ports[from].to_be_bytes());
        bytes.extend(ports[1 - from].to_be_bytes());
        bytes.extend(pair.1[from].to_be_bytes());
        bytes.extend(acked.to_be_bytes());
        bytes.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        bytes.extend(payload.as_bytes());
        pair.1[from] += payload.len() as u32 + u32::from(flags & 3 != 0);
        self.dissector.packet(&Packet {
            at: Timestamp(self.at),
            origin: 9,
            link: LinkType::RawIp,
            wire_len: bytes.len() as u32,
            skip: 0,
            bytes: bytes.into(),
        });
    }

    fn handshake(&mut self, port: u16) -> Pair {
        let mut pair = Pair(port, [999, 4999]);
        self.send(&mut pair, 0, SYN, "");
        self.send(&mut pair, 1, SYN | ACK, "");
        pair
    }

    fn exchange(&mut self, pair: &mut Pair) {
        self.send(pair, 0, ACK, GET);
        self.send(pair, 1, ACK, OK);
    }

    fn wait(&mut self, nanos: u64) {
        self.at += nanos;
        self.dissector.tick(Timestamp(self.at));
    }

    /// Exchanges as `<connection>/<index>` and the status.
    fn ready(&mut self) -> String {
        let told = |exchange: Exchange| {
            let status = exchange.response.map(|response| response.status);
            let status = status.map_or("-".to_owned(), |status| status.to_string());
            format!("{}/{} {status}", exchange.connection, exchange.index)
        };
        let exchanges = std::iter::from_fn(|| self.dissector.poll());
        exchanges.map(told).collect::<Vec<_>>().join(", ")
    }

    fn finish(&mut self) -> String {
        self.dissector.finish();
        self.ready()
    }
}

fn wire() -> Wire {
    Wire::new(DissectLimits::default())
}

#[test]
fn exchanges_are_given_as_soon_as_they_are_whole() {
    let mut wire = wire();
    let mut pair = wire.handshake(1);
    wire.send(&mut pair, 0, ACK, GET);
    assert_eq!(wire.ready(), "");
    wire.send(&mut pair, 1, ACK, OK);
    assert_eq!(wire.ready(), "0/0 200");
    wire.exchange(&mut pair);
    assert_eq!(wire.ready(), "0/1 200");
    let stats = wire.dissector.stats();
    assert_eq!((stats.packets.packets, stats.packets.segments), (6, 6));
    assert_eq!(stats.streams.flows, 1);
}

#[test]
fn readers_number_their_connections_apart() {
    let mut wire = wire();
    wire.dissector = Dissector::new(DissectLimits::default()).one_of(2, 3);
    for port in [1, 2] {
        let mut pair = wire.handshake(port);
        wire.exchange(&mut pair);
    }
    assert_eq!(wire.finish(), "2/0 200, 5/0 200");
}

#[test]
fn only_the_ports_that_are_wanted_are_read() {
    let ports = |text: &str| PortSet::parse(&[text]).unwrap();
    let mut wire = Wire::new(DissectLimits {
        ports: ports("8080"),
        ..DissectLimits::default()
    });
    let mut pair = wire.handshake(1);
    wire.exchange(&mut pair);
    assert_eq!(wire.finish(), "");
    assert_eq!(wire.dissector.stats().packets.other_port, 4);
    wire.dissector.set_ports(ports("80"));
    wire.exchange(&mut pair);
    assert_eq!(wire.finish(), "0/0 200");
    // The port tells who the client is, before any start line does.
    let mut pair = Pair(2, [1, 1]);
    wire.send(&mut pair, 0, ACK, "FETCH /a HTTP/1.1\r\n\r\n");
    wire.send(&mut pair, 1, ACK, OK);
    assert_eq!(wire.dissector.stats().http.not_http, 0);
}

#[test]
fn a_port_on_both_sides_tells_nothing() {
    let mut wire = Wire::new(DissectLimits {
        ports: PortSet::parse(&["80"]).unwrap(),
        ..DissectLimits::default()
    });
    let mut pair = Pair(80, [1, 1]);
    wire.send(&mut pair, 1, ACK, GET);
    wire.send(&mut pair, 0, ACK, OK);
    assert_eq!(wire.finish(), "0/0 200");
}

#[test]
fn what_says_nothing_begins_no_connection() {
    let mut wire = wire();
    wire.send(&mut Pair(1, [1, 1]), 0, ACK, "");
    wire.send(&mut Pair(1, [1, 1]), 0, RST, "");
    assert_eq!(wire.dissector.stats().streams.flows, 0);
    wire.send(&mut Pair(1, [1, 1]), 0, SYN, "");
    assert_eq!(wire.dissector.stats().streams.flows, 1);
}

#[test]
fn the_handshake_tells_who_the_client_is() {
    for flags in [SYN, SYN | ACK] {
        let mut wire = wire();
        let mut pair = Pair(1, [1, 1]);
        let from = usize::from(flags != SYN);
        wire.send(&mut pair, from, flags, "");
        // A method that nobody knows counts only from the client.
        wire.send(&mut pair, 1 - from, ACK, "");
        let text = "FETCH /a HTTP/1.1\r\n\r\n";
        wire.send(&mut pair, 1, ACK, text);
        assert_eq!(wire.finish(), "", "{flags}");
    }
    let mut wire = wire();
    let mut pair = wire.handshake(2);
    wire.send(&mut pair, 1, ACK, "FETCH /a HTTP/1.1\r\n\r\n");
    assert_eq!(wire.finish(), "");
}

#[test]
fn the_same_addresses_may_begin_another_connection() {
    let mut wire = wire();
    let mut pair = wire.handshake(1);
    wire.send(&mut pair, 0, ACK, GET);
    let mut again = Pair(1, [70_999, 8999]);
    wire.send(&mut again, 0, SYN, "");
    assert_eq!(wire.ready(), "0/0 -");
    wire.exchange(&mut again);
    assert_eq!(wire.finish(), "1/0 200");
}

#[test]
fn a_closed_connection_ends_its_exchanges_and_knows_late_copies() {
    let mut wire = wire();
    let mut pair = wire.handshake(1);
    wire.exchange(&mut pair);
    wire.send(&mut pair, 0, ACK, GET);
    let late = pair.1;
    wire.send(&mut pair, 0, FIN, "");
    assert_eq!(wire.ready(), "0/0 200");
    wire.send(&mut pair, 1, FIN, "");
    assert_eq!(wire.ready(), "0/1 -");
    let repeated = wire.dissector.stats().streams.retransmitted_bytes;
    let mut copy = Pair(1, [late[0] - GET.len() as u32, late[1]]);
    wire.send(&mut copy, 0, ACK, GET);
    let stats = wire.dissector.stats().streams;
    assert_eq!(stats.retransmitted_bytes - repeated, GET.len() as u64);
    assert_eq!((wire.finish(), stats.flows), (String::new(), 1));
}

#[test]
fn an_idle_connection_is_given_up() {
    let mut wire = wire();
    let mut pair = wire.handshake(1);
    wire.send(&mut pair, 0, ACK, GET);
    let idle = nanoseconds(DissectLimits::default().idle);
    wire.wait(idle);
    assert_eq!(wire.ready(), "");
    wire.wait(1);
    assert_eq!(wire.ready(), "0/0 -");
    assert_eq!(wire.dissector.stats().streams.idle_flows, 1);
}

#[test]
fn a_hole_is_given_up_after_patience() {
    let mut wire = wire();
    let mut pair = wire.handshake(1);
    wire.send(&mut pair, 0, ACK, GET);
    pair.1[1] += 100;
    wire.send(&mut pair, 1, ACK, "some body");
    wire.send(&mut pair, 0, ACK, GET);
    wire.send(&mut pair, 1, ACK, OK);
    assert_eq!(wire.ready(), "");
    let patience = nanoseconds(DissectLimits::default().patience);
    wire.wait(patience / 2);
    assert_eq!(wire.ready(), "");
    wire.wait(patience);
    assert_eq!(wire.ready(), "0/0 -, 0/1 200");
    let stats = wire.dissector.stats().streams;
    assert_eq!((stats.gaps, stats.gap_bytes, stats.shed_gaps), (1, 100, 0));
    // Another hole later is waited for again.
    pair.1[1] += 50;
    wire.exchange(&mut pair);
    wire.send(&mut pair, 0, ACK, GET);
    wire.wait(2 * patience);
    assert_eq!(wire.dissector.stats().streams.gap_bytes, 150);
}

#[test]
fn the_least_recently_used_connection_makes_room() {
    let mut wire = Wire::new(DissectLimits {
        max_flows: 2,
        ..DissectLimits::default()
    });
    let mut pairs = [1, 2].map(|port| wire.handshake(port));
    for pair in &mut pairs {
        wire.send(pair, 0, ACK, GET);
    }
    wire.send(&mut pairs[0], 0, ACK, "GET /");
    let mut third = wire.handshake(3);
    assert_eq!(wire.ready(), "1/0 -");
    assert_eq!(wire.dissector.stats().streams.evicted_flows, 1);
    // A closed one goes first, and is no loss.
    wire.send(&mut third, 0, FIN, "");
    wire.send(&mut third, 1, FIN, "");
    wire.handshake(4);
    assert_eq!(wire.dissector.stats().streams.evicted_flows, 1);
}

#[test]
fn bytes_of_all_connections_have_one_budget() {
    let mut wire = Wire::new(DissectLimits {
        max_total: ByteSize(250),
        ..DissectLimits::default()
    });
    let body = "x".repeat(100);
    let text = format!("POST /a HTTP/1.1\r\nContent-Length: 200\r\n\r\n{body}");
    let mut pairs = [1, 2].map(|port| wire.handshake(port));
    for pair in &mut pairs {
        wire.send(pair, 0, ACK, &text);
    }
    assert_eq!(wire.dissector.stats().streams.evicted_for_bytes, 0);
    // Bytes behind a hole count too.
    pairs[1].1[0] += 10;
    wire.send(&mut pairs[1], 0, ACK, &body[..50]);
    assert_eq!(wire.dissector.stats().streams.evicted_for_bytes, 0);
    wire.send(&mut pairs[1], 0, ACK, &body[..1]);
    assert_eq!(wire.dissector.stats().streams.evicted_for_bytes, 1);
    assert_eq!(wire.ready(), "0/0 -");
    // What is given up holds nothing any more.
    let mut third = wire.handshake(3);
    wire.send(&mut third, 0, ACK, &text[..text.len() - 10]);
    assert_eq!(wire.dissector.stats().streams.evicted_for_bytes, 1);
    assert_eq!(wire.finish(), "1/0 -, 2/0 -");
}

#[test]
fn plaintext_that_holds_too_much_makes_room_too() {
    let mut wire = Wire::new(DissectLimits {
        max_total: ByteSize(50),
        ..DissectLimits::default()
    });
    let text = format!(
        "POST /a HTTP/1.1\r\nContent-Length: 200\r\n\r\n{}",
        "x".repeat(100)
    );
    let ids = [1, 2].map(|port| {
        let (flow, side) =
            crate::packet::FlowKey::new(([10, 0, 0, 2], port).into(), ([10, 0, 0, 1], 443).into());
        let conversations = wire.dissector.conversations();
        let id = conversations.open(flow, 0, Some(side));
        let data = crate::tcp::StreamEvent::Data(text.clone().into());
        conversations.take(id, side, data, crate::tcp::Arrival::default());
        id
    });
    let open = |wire: &mut Wire| ids.map(|id| wire.dissector.conversations().is_open(id));
    assert_eq!(open(&mut wire), [true; 2]);
    // One packet of any connection is enough.
    wire.send(&mut Pair(1, [1, 1]), 0, SYN, "");
    assert_eq!(open(&mut wire), [false; 2]);
    assert_eq!(wire.ready(), "1/0 -, 0/0 -");
}

#[test]
fn a_connection_that_is_not_read_is_not_followed() {
    let mut wire = wire();
    let mut pair = wire.handshake(1);
    wire.send(&mut pair, 0, ACK, "SSH-2.0-x\r\n");
    pair.1[0] += 10;
    wire.send(&mut pair, 0, ACK, "behind a hole");
    wire.send(&mut pair, 0, FIN, "");
    wire.finish();
    let stats = wire.dissector.stats();
    assert_eq!((stats.streams.gaps, stats.http.not_http), (0, 1));
    let protocols: Vec<_> = stats.http.protocols.iter().collect();
    assert_eq!(protocols, [(Protocol::Ssh, 1)]);
}

#[test]
fn a_request_without_any_sign_of_the_server_is_one_sided() {
    let one_sided = |play: fn(&mut Wire)| {
        let mut wire = wire();
        play(&mut wire);
        wire.dissector.finish();
        wire.dissector.poll().unwrap().one_sided
    };
    assert!(one_sided(|wire| wire.send(
        &mut Pair(1, [1, 1]),
        0,
        ACK,
        GET
    )));
    assert!(one_sided(|wire| {
        let mut pair = Pair(1, [1, 1]);
        wire.send(&mut pair, 0, ACK, GET);
        wire.send(&mut pair, 1, RST | ACK, "");
    }));
    assert!(!one_sided(|wire| {
        let mut pair = Pair(1, [1, 1]);
        wire.send(&mut pair, 0, ACK, GET);
        wire.send(&mut pair, 1, ACK, "");
    }));
    assert!(!one_sided(|wire| {
        let mut pair = wire.handshake(1);
        wire.send(&mut pair, 0, ACK, GET);
    }));
}

#[test]
fn packets_that_are_no_segments_are_counted() {
    let mut wire = wire();
    let mut ip = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0];
    ip.extend([10, 0, 0, 1, 10, 0, 0, 2]);
    ip.extend([0; 8]);
    let mut feed = |bytes: &[u8]| {
        wire.dissector.packet(&Packet {
            at: Timestamp(1),
            origin: 0,
            link: LinkType::RawIp,
            wire_len: bytes.len() as u32,
            skip: 0,
            bytes: bytes.to_vec().into(),
        });
    };
    feed(&ip);
    feed(&ip[..10]);
    ip[6] = 0x20;
    feed(&ip);
    wire.dissector.finish();
    let counts = wire.dissector.stats().packets;
    assert_eq!((counts.packets, counts.segments), (3, 0));
    assert_eq!(
        (counts.not_tcp, counts.malformed, counts.fragments),
        (1, 1, 1)
    );
    assert_eq!(counts.incomplete_packets, 1);
}

#[test]
fn pieces_of_packets_are_put_together_unless_they_contradict_each_other() {
    let mut wire = wire();
    let text = GET.as_bytes();
    let mut tcp = [&1_u16.to_be_bytes()[..], &80_u16.to_be_bytes()].concat();
    tcp.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, ACK, 0xff, 0xff, 0, 0, 0, 0]);
    tcp.extend(text);
    // The number of the whole packet, and its bytes from `at` on.
    let mut piece = |number: u8, at: usize, bytes: &[u8], is_last: bool| {
        let offset = (at / 8) as u8;
        let more = if is_last { 0 } else { 0x20 };
        let length = (20 + bytes.len()) as u8;
        let mut packet = vec![0x45, 0, 0, length, 0, number, more, offset, 64, 6, 0, 0];
        packet.extend([10, 0, 0, 2, 10, 0, 0, 1]);
        packet.extend(bytes);
        wire.dissector.packet(&Packet {
            at: Timestamp(1),
            origin: 0,
            link: LinkType::RawIp,
            wire_len: packet.len() as u32,
            skip: 0,
            bytes: packet.into(),
        });
    };
    piece(1, 0, &tcp[..24], false);
    piece(1, 24, &tcp[24..], true);
    piece(2, 0, &tcp[..24], false);
    piece(2, 16, &[b'x'; 8], false);
    assert_eq!(wire.finish(), "0/0 -");
    let counts = wire.dissector.stats().packets;
    assert_eq!((counts.joined_packets, counts.refused_packets), (1, 1));
}

#[test]
fn bytes_that_differ_from_their_first_copy_are_counted() {
    let mut wire = wire();
    let mut pair = wire.handshake(1);
    let mut copy = Pair(1, pair.1);
    wire.send(&mut pair, 0, ACK, GET);
    wire.send(&mut copy, 0, ACK, &GET.replace("/a", "/b"));
    let stats = wire.dissector.stats().streams;
    assert_eq!(stats.conflicting_bytes, 1);
    assert_eq!(stats.retransmitted_bytes, GET.len() as u64);
}

#[test]
fn a_hole_is_given_up_when_too_much_is_behind_it() {
    let mut wire = Wire::new(DissectLimits {
        max_held: ByteSize(10),
        ..DissectLimits::default()
    });
    let mut pair = wire.handshake(1);
    pair.1[0] += 7;
    wire.send(&mut pair, 0, ACK, "0123456789");
    assert_eq!(wire.dissector.stats().streams.shed_gaps, 0);
    wire.send(&mut pair, 0, ACK, "0");
    let stats = wire.dissector.stats().streams;
    assert_eq!((stats.shed_gaps, stats.gaps, stats.gap_bytes), (1, 1, 7));
}

#[test]
fn a_hole_is_looked_at_when_its_own_time_is_over() {
    let limits = DissectLimits::default();
    let patience = nanoseconds(limits.patience);
    let mut wire = Wire::new(DissectLimits {
        unacked_patience: limits.patience,
        ..limits
    });
    let mut pair = wire.handshake(1);
    wire.exchange(&mut pair);
    let began = wire.at;
    wire.wait(patience / 2);
    pair.1[1] += 7;
    wire.send(&mut pair, 1, ACK, "behind");
    let hole = wire.at;
    wire.send(&mut pair, 1, ACK, "it");
    assert_eq!(wire.dissector.reassembly.waiting.len(), 1);
    wire.wait(began + patience - wire.at);
    assert_eq!(wire.dissector.stats().streams.gaps, 0);
    wire.wait(hole + patience - wire.at);
    assert_eq!(wire.dissector.stats().streams.gaps, 1);
    assert_eq!(wire.dissector.reassembly.waiting.len(), 0);
}
