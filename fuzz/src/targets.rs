//! What is fuzzed: each target makes its input from the generator and asserts what must hold for any input.

use bytes::Bytes;
use mirror_agent::capture::pcap::PcapFile;
use mirror_core::dissect::DissectLimits;
use mirror_core::dissect::Dissector;
use mirror_core::http::Answered;
use mirror_core::http::HttpLimits;
use mirror_core::http::Kind;
use mirror_core::http::Message;
use mirror_core::http::Parsed;
use mirror_core::http::Parser;
use mirror_core::http::coding;
use mirror_core::http::h1::Head;
use mirror_core::options::ByteSize;
use mirror_core::packet;
use mirror_core::packet::LinkType;
use mirror_core::packet::Packet;
use mirror_core::packet::PacketReader;
use mirror_core::packet::Seq;
use mirror_core::tcp::Arrival;
use mirror_core::tcp::CloseReason;
use mirror_core::tcp::Piece;
use mirror_core::tcp::Reassembler;
use mirror_core::tcp::StreamEvent;
use mirror_core::time::Timestamp;

use crate::input::{Rng, mutate};

type Target = fn(&mut Rng);

const ALL: [(&str, Target); 7] = [
    ("packet", packet),
    ("tcp", tcp),
    ("head", head),
    ("body", body),
    ("coding", coding),
    ("pcap", pcap),
    ("dissect", dissect),
];

pub(crate) fn names() -> String {
    ALL.map(|(name, _)| name).join(", ")
}

pub(crate) fn find(name: &str) -> Option<Target> {
    ALL.iter()
        .find(|(known, _)| *known == name)
        .map(|(_, target)| *target)
}

const MESSAGES: [&[u8]; 6] = [
    b"GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcde",
    b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;a=\"b\"\r\nabcde\r\n0\r\nT: u\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.0 200 OK\r\nA: b\r\n c\r\n\r\nto the end",
    b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n\x00\x01",
];

fn message(rng: &mut Rng) -> Vec<u8> {
    let mut bytes = rng.pick(&MESSAGES).to_vec();
    if rng.below(2) == 0 {
        bytes.extend(rng.pick(&MESSAGES));
    }
    mutate(&mut bytes, rng);
    bytes
}

fn frame(rng: &mut Rng, seq: u32) -> Packet {
    let from = rng.below(2);
    let payload = message(rng);
    let mut bytes = vec![0; 12];
    bytes.extend([8, 0, 0x45, 0]);
    bytes.extend((40 + payload.len() as u16).to_be_bytes());
    bytes.extend([
        0,
        0,
        0,
        0,
        64,
        6,
        0,
        0,
        10,
        0,
        0,
        from as u8,
        10,
        0,
        0,
        1 - from as u8,
    ]);
    let ports = [4000_u16 + rng.below(3) as u16, 80];
    bytes.extend([ports[from].to_be_bytes(), ports[1 - from].to_be_bytes()].concat());
    bytes.extend([seq.to_be_bytes(), (rng.below(4000) as u32).to_be_bytes()].concat());
    bytes.extend([
        0x50,
        [0x10, 0x18, 0x02, 0x12, 0x11, 0x14][rng.below(6)],
        0,
        0,
        0,
        0,
        0,
        0,
    ]);
    bytes.extend(payload);
    Packet {
        at: Timestamp(rng.below(5_000_000_000) as u64),
        origin: 0,
        link: LinkType::Ethernet,
        wire_len: bytes.len() as u32,
        skip: 0,
        bytes: bytes.into(),
    }
}

/// No frame of any link type panics, and a payload is a part of its frame.
fn packet(rng: &mut Rng) {
    let mut packet = frame(rng, 1);
    let mut bytes = packet.bytes.to_vec();
    mutate(&mut bytes, rng);
    packet.bytes = bytes.into();
    packet.link = [
        LinkType::Ethernet,
        LinkType::RawIp,
        LinkType::Null,
        LinkType::Sll,
        LinkType::Sll2,
    ][rng.below(5)];
    if let Ok(segment) = packet::parse(&packet) {
        assert!(segment.payload.len() <= packet.bytes.len());
    }
    // In pieces, in a tunnel, or both; what is put together is no larger than an IP packet.
    let mut reader = PacketReader::new(true);
    for _ in 0..rng.below(6) {
        let mut bytes = tunnelled(rng);
        mutate(&mut bytes, rng);
        packet.bytes = bytes.into();
        packet.link = LinkType::RawIp;
        if let Ok(segment) = reader.read(&packet) {
            assert!(segment.payload.len() <= 65_535);
        }
    }
}

/// An IP packet around a frame, perhaps a fragment.
fn tunnelled(rng: &mut Rng) -> Vec<u8> {
    const HEADERS: [(u8, &[u8]); 6] = [
        (47, &[0x20, 0, 0x65, 0x58, 0, 0, 0, 1]),
        (
            47,
            &[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0, 0, 0, 0, 0, 0],
        ),
        (137, &[0, 0, 1, 64, 0, 0, 0, 0]),
        (17, &[0, 9, 0x12, 0xb5, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 1, 0]),
        (
            17,
            &[0, 9, 0x17, 0xc1, 0, 0, 0, 0, 0, 0, 0x65, 0x58, 0, 0, 0, 0],
        ),
        (60, &[47, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x65, 0x58]),
    ];
    let (protocol, header) = HEADERS[rng.below(HEADERS.len())];
    let inner = [header, &frame(rng, 1).bytes[..]].concat();
    let fragment = [
        0,
        0,
        0x2000,
        rng.below(40) as u16,
        0x2000 | rng.below(40) as u16,
    ][rng.below(5)];
    let mut bytes = vec![0x45, 0];
    bytes.extend((20 + inner.len() as u16).to_be_bytes());
    bytes.extend([0, 7]);
    bytes.extend(u16::to_be_bytes(fragment));
    bytes.extend([64, protocol, 0, 0, 10, 9, 0, 1, 10, 9, 0, 2]);
    bytes.extend(inner);
    bytes
}

/// No body of any content-coding panics, nor grows over the cap.
fn coding(rng: &mut Rng) {
    const GZIP: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\x03KLJN\x01\0\xc2A$5\x03\0\0\0";
    const BROTLI: &[u8] = b"\x0b\x01\x80abc\x03";
    const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd\x20\x03\x19\0\0abc";
    const BODIES: [(&str, &[u8]); 5] = [
        ("gzip", GZIP),
        ("deflate", b"\x78\x9cKLJ\x06\0\x02M\x01\x27"),
        ("br", BROTLI),
        ("zstd", ZSTD),
        ("gzip, br", BROTLI),
    ];
    let (name, body) = BODIES[rng.below(BODIES.len())];
    let headers = [("content-encoding", name)].into_iter().collect();
    let mut body = body.to_vec();
    mutate(&mut body, rng);
    if let Ok(data) = coding::decoded(&headers, &body) {
        assert!(data.len() <= coding::MOST_DECODED);
    }
}

/// The reassembler against a map of bytes, over the wrap.
fn tcp(rng: &mut Rng) {
    let start = u32::MAX - rng.below(300) as u32;
    let mut side = Reassembler::default();
    side.start(Seq(start));
    let mut map = [None; 600];
    let mut given = 0;
    for _ in 0..rng.below(80) {
        let offset = rng.below(500);
        let bytes: Vec<u8> = (0..=rng.below(60)).map(|_| rng.below(256) as u8).collect();
        for (place, byte) in map[offset..].iter_mut().zip(&bytes) {
            place.get_or_insert(*byte);
        }
        let arrival = Arrival {
            seq: Seq(start.wrapping_add(offset as u32)),
            ..Arrival::default()
        };
        side.insert(Piece {
            arrival,
            bytes: bytes.into(),
        });
        while let Some(piece) = side.pop() {
            for byte in &piece.bytes {
                assert_eq!(map[given], Some(*byte));
                given += 1;
            }
        }
        if rng.below(8) == 0 {
            let hole = side.skip_hole() as usize;
            map[given..given + hole].fill(Some(0));
            given += hole;
            while let Some(piece) = side.pop() {
                given += piece.bytes.len();
            }
        }
        assert_eq!(
            given,
            map.iter().position(Option::is_none).unwrap_or(map.len())
        );
    }
}

/// A head is no longer than its bytes, and the same when more follows.
fn head(rng: &mut Rng) {
    let bytes = Bytes::from(message(rng));
    for kind in [Kind::Request, Kind::Response] {
        if let Ok(Some(found)) = Head::parse(kind, &bytes) {
            assert!(found.length <= bytes.len());
            let exact = Head::parse(kind, &bytes.slice(..found.length));
            assert_eq!(exact, Ok(Some(found)));
        }
    }
}

/// Whole messages are the same however the stream is cut, and none is over the cap.
fn body(rng: &mut Rng) {
    let bytes = message(rng);
    for kind in [Kind::Request, Kind::Response] {
        let whole = parse(kind, &bytes, bytes.len().max(1));
        let cut = parse(kind, &bytes, 1 + rng.below(9));
        // Behind what could not be read it matters where packets begin.
        if !whole.contains(&None) && !cut.contains(&None) {
            assert!(cut.iter().zip(&whole).all(|(left, right)| left == right));
        }
    }
}

fn parse(kind: Kind, bytes: &[u8], size: usize) -> Vec<Option<Message>> {
    const MAX_BODY: usize = 64;
    let limits = HttpLimits {
        max_head: 4096,
        max_body: MAX_BODY,
    };
    let mut parser = Parser::new(kind, limits);
    for piece in bytes.chunks(size) {
        let data = StreamEvent::Data(Bytes::copy_from_slice(piece));
        parser.push(data, Arrival::default());
    }
    let reason = CloseReason::Fin;
    parser.push(StreamEvent::Close { reason }, Arrival::default());
    let mut out = Vec::new();
    while let Some(parsed) = parser.poll() {
        match parsed {
            Parsed::Head => parser.proceed(Answered::Other),
            Parsed::Message { message, .. } => {
                let (body, fault) = match &message {
                    Message::Request(request) => (&request.body, request.fault),
                    Message::Response(response) => (&response.body, response.fault),
                };
                assert!(body.len() <= MAX_BODY);
                out.push(fault.is_none().then_some(message));
            }
            _ => {}
        }
    }
    assert_eq!(parser.queued_bytes(), 0);
    out
}

/// Every request head that was counted becomes one exchange.
fn dissect(rng: &mut Rng) {
    let mut dissector = Dissector::new(DissectLimits {
        max_flows: 2,
        max_held: ByteSize(500),
        max_total: ByteSize(900),
        max_body: ByteSize(64),
        ..DissectLimits::default()
    });
    let mut seq = 1_u32;
    for _ in 0..rng.below(30) {
        let packet = frame(rng, seq);
        dissector.packet(&packet);
        seq = seq.wrapping_add(rng.below(120) as u32);
    }
    dissector.finish();
    let emitted = std::iter::from_fn(|| dissector.poll()).count() as u64;
    assert_eq!(emitted, dissector.stats().http.requests);
}

/// A damaged capture file ends in an error, not in a panic.
fn pcap(rng: &mut Rng) {
    let mut bytes = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 0x4_0000, 1] {
        bytes.extend(word.to_le_bytes());
    }
    for _ in 0..rng.below(5) {
        let frame = frame(rng, 1).bytes;
        let len = frame.len() as u32;
        bytes.extend([0, 0, len, len].map(u32::to_le_bytes).concat());
        bytes.extend(&frame[..]);
    }
    mutate(&mut bytes, rng);
    let path = std::env::temp_dir().join(format!("mirror-fuzz-{}.pcap", std::process::id()));
    std::fs::write(&path, &bytes).expect("the file for the reader can be written");
    if let Ok(file) = PcapFile::open(&path) {
        for packet in file.take(100).flatten() {
            let _ = packet::parse(&packet);
        }
    }
    let _ = std::fs::remove_file(&path);
}
