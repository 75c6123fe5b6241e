//! The same conversations, captured badly: what a capture may do to packets must not change the exchanges, and a packet
//! that it loses costs the exchanges it belongs to and no other.

use mirror_core::dissect::{DissectLimits, Dissector};
use mirror_core::exchange::Exchange;
use mirror_core::options::ByteSize;
use mirror_core::packet::{LinkType, Packet};
use mirror_core::time::Timestamp;

const MILLI: u64 = 1_000_000;

/// A generator of its own, so that a seed means the same everywhere.
struct Rng(u64);

impl Rng {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// One packet before it becomes a frame.
#[derive(Clone)]
struct Sent {
    at: u64,
    connection: u16,
    from: usize,
    seq: u32,
    ack: u32,
    flags: u8,
    payload: Vec<u8>,
    /// Number of the exchange within its connection.
    exchange: u32,
}

const FIN: u8 = 0x11;
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

impl Sent {
    fn packet(&self) -> Packet {
        let ports = [40_000 + self.connection, 80];
        let mut bytes = vec![0; 12];
        bytes.extend([8, 0, 0x45, 0]);
        bytes.extend((40 + self.payload.len() as u16).to_be_bytes());
        bytes.extend([0, 0, 0, 0, 64, 6, 0, 0]);
        bytes.extend([10, 0, 0, self.from as u8, 10, 0, 0, 1 - self.from as u8]);
        bytes.extend(ports[self.from].to_be_bytes());
        bytes.extend(ports[1 - self.from].to_be_bytes());
        bytes.extend(self.seq.to_be_bytes());
        bytes.extend(self.ack.to_be_bytes());
        bytes.extend([0x50, self.flags, 0, 0, 0, 0, 0, 0]);
        bytes.extend(&self.payload);
        Packet {
            at: Timestamp(self.at),
            origin: 0,
            link: LinkType::Ethernet,
            wire_len: bytes.len() as u32,
            skip: 0,
            bytes: bytes.into(),
        }
    }
}

/// A client that asks one thing after the other, over sequence numbers that wrap.
fn conversation(connection: u16, exchanges: u32, rng: &mut Rng) -> Vec<Sent> {
    let mut seqs = [
        u32::MAX - rng.below(3000) as u32,
        u32::MAX - rng.below(3000) as u32,
    ];
    let mut at = u64::from(connection) * 10 * MILLI + MILLI;
    let mut out = Vec::new();
    let mut send = |seqs: &mut [u32; 2], from: usize, flags: u8, payload: &[u8], exchange: u32| {
        at += 100_000;
        out.push(Sent {
            at,
            connection,
            from,
            seq: seqs[from],
            ack: if flags == SYN { 0 } else { seqs[1 - from] },
            flags,
            payload: payload.to_vec(),
            exchange,
        });
        let counted = u32::from(flags & 3 != 0);
        seqs[from] = seqs[from].wrapping_add(payload.len() as u32 + counted);
    };
    send(&mut seqs, 0, SYN, b"", 0);
    send(&mut seqs, 1, SYN | ACK, b"", 0);
    for exchange in 0..exchanges {
        for (from, message) in messages(connection, exchange, rng) {
            for piece in message.chunks(500) {
                send(&mut seqs, from, ACK | 8, piece, exchange);
            }
        }
    }
    send(&mut seqs, 0, FIN, b"", exchanges);
    send(&mut seqs, 1, FIN, b"", exchanges);
    send(&mut seqs, 0, ACK, b"", exchanges);
    out
}

fn messages(connection: u16, exchange: u32, rng: &mut Rng) -> Vec<(usize, Vec<u8>)> {
    let target = format!("/{connection}/{exchange}");
    let body = target.repeat(rng.below(200) as usize);
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let chunked = if body.is_empty() {
        "0\r\n\r\n".to_owned()
    } else {
        chunked
    };
    let head = "Host: a\r\nX-Long: 0123456789012345678901234567890123456789\r\n";
    let parts = match rng.below(5) {
        0 => vec![
            (
                0,
                format!(
                    "POST {target} HTTP/1.1\r\n{head}Content-Length: {}\r\n\r\n{body}",
                    body.len()
                ),
            ),
            (1, "HTTP/1.1 204 No Content\r\n\r\n".to_owned()),
        ],
        1 => vec![
            (0, format!("HEAD {target} HTTP/1.1\r\n{head}\r\n")),
            (
                1,
                "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n".to_owned(),
            ),
        ],
        2 => vec![
            (
                0,
                format!(
                    "PUT {target} HTTP/1.1\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
                ),
            ),
            (1, "HTTP/1.1 100 Continue\r\n\r\n".to_owned()),
            (0, chunked),
            (
                1,
                format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{target}",
                    target.len()
                ),
            ),
        ],
        3 => vec![
            (0, format!("GET {target} HTTP/1.1\r\n{head}\r\n")),
            (
                1,
                format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}"),
            ),
        ],
        _ => vec![
            (0, format!("GET {target} HTTP/1.1\r\n{head}\r\n")),
            (
                1,
                format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                ),
            ),
        ],
    };
    parts
        .into_iter()
        .map(|(from, text)| (from, text.into_bytes()))
        .collect()
}

/// Three connections at once.
fn traffic(rng: &mut Rng) -> Vec<Sent> {
    let mut all: Vec<_> = (0..3)
        .flat_map(|connection| conversation(connection, 8, rng))
        .collect();
    all.sort_by_key(|sent| sent.at);
    all
}

/// Without what depends on where packets begin: the timing.
fn exchanges(sent: &[Sent]) -> Vec<Exchange> {
    let mut dissector = Dissector::new(DissectLimits::default());
    for sent in sent {
        dissector.packet(&sent.packet());
    }
    dissector.finish();
    let stats = dissector.stats();
    let mut out: Vec<_> = std::iter::from_fn(|| dissector.poll()).collect();
    assert_eq!(out.len() as u64, stats.http.requests, "{stats:?}");
    out.sort_by_key(|exchange| (exchange.client.port(), exchange.index));
    for exchange in &mut out {
        // In order of appearance, which is what changes.
        exchange.connection = 0;
    }
    out
}

/// Runs `perturb` on the same traffic with many seeds; with `timing`, even the times must be the same.
fn check(timing: bool, perturb: impl Fn(&mut Vec<Sent>, &mut Rng)) {
    for seed in 1..200 {
        let mut rng = Rng(seed);
        let mut sent = traffic(&mut rng);
        let mut expect = exchanges(&sent);
        assert_eq!(expect.len(), 24, "seed {seed}");
        assert!(expect.iter().all(is_whole), "seed {seed}");
        perturb(&mut sent, &mut rng);
        let mut seen = exchanges(&sent);
        if !timing {
            for exchange in expect.iter_mut().chain(&mut seen) {
                exchange.timing = Default::default();
            }
        }
        assert_eq!(seen, expect, "seed {seed}");
    }
}

fn is_whole(exchange: &Exchange) -> bool {
    let response = exchange.response.as_ref();
    exchange.request.fault.is_none() && response.is_some_and(|response| response.fault.is_none())
}

#[test]
fn packets_captured_twice_vanish() {
    check(true, |sent, rng| {
        for _ in 0..30 {
            let from = rng.below(sent.len() as u64) as usize;
            let to = (from + 1 + rng.below(20) as usize).min(sent.len());
            sent.insert(to, sent[from].clone());
        }
    });
    check(true, |sent, _| {
        *sent = sent
            .iter()
            .flat_map(|sent| [sent.clone(), sent.clone()])
            .collect()
    });
}

#[test]
fn packets_captured_out_of_order_are_sorted() {
    check(true, |sent, rng| {
        for _ in 0..40 {
            // A connection whose first packet is late may be joined in its middle.
            let at = rng.below(sent.len() as u64 - 4) as usize;
            let far = at + 1 + rng.below(3) as usize;
            if sent[at..=far].iter().all(|sent| sent.flags & 2 == 0) {
                sent.swap(at, far);
            }
        }
    });
}

#[test]
fn retransmitted_and_resegmented_bytes_are_the_same_bytes() {
    check(false, |sent, rng| {
        let mut out = Vec::new();
        for whole in sent.iter() {
            if whole.payload.len() < 2 || rng.below(3) == 0 {
                out.push(whole.clone());
                continue;
            }
            let middle = 1 + rng.below(whole.payload.len() as u64 - 1) as usize;
            let mut left = whole.clone();
            left.payload.truncate(middle);
            let mut right = whole.clone();
            // They may overlap.
            let from = middle - rng.below(middle as u64) as usize;
            right.payload.drain(..from);
            right.seq = right.seq.wrapping_add(from as u32);
            out.extend([left, right]);
        }
        *sent = out;
    });
}

#[test]
fn a_lost_packet_costs_only_its_exchange() {
    let mut hit = 0;
    for seed in 1..400 {
        let mut rng = Rng(seed);
        let mut sent = traffic(&mut rng);
        let expect = exchanges(&sent);
        let lost = rng.below(sent.len() as u64) as usize;
        let lost = sent.remove(lost);
        if lost.payload.is_empty() {
            assert_eq!(exchanges(&sent).len(), 24, "seed {seed}");
            continue;
        }
        let seen = exchanges(&sent);
        for exchange in &expect {
            let is_hit = exchange.client.port() == 40_000 + lost.connection
                && exchange.index == lost.exchange;
            let found = seen
                .iter()
                .find(|other| other.request.target == exchange.request.target);
            if is_hit {
                hit += 1;
                assert!(
                    found.is_none_or(|found| !is_whole(found)),
                    "seed {seed}: {found:?}"
                );
                continue;
            }
            let same = found.is_some_and(|found| {
                found.request == exchange.request
                    && found.response == exchange.response
                    && found.timing == exchange.timing
            });
            assert!(
                same,
                "seed {seed}: lost {} {:?}, expected {exchange:#?}\nfound {found:#?}",
                lost.exchange,
                String::from_utf8_lossy(&lost.payload)
            );
        }
    }
    assert!(hit > 200, "{hit}");
}

#[test]
fn many_lost_packets_never_make_a_wrong_pair() {
    for seed in 1..400 {
        let mut rng = Rng(seed);
        let mut sent = traffic(&mut rng);
        let expect = exchanges(&sent);
        sent.retain(|_| rng.below(6) != 0);
        for exchange in exchanges(&sent)
            .iter()
            .filter(|exchange| is_whole(exchange))
        {
            let whole = expect
                .iter()
                .find(|other| other.request.target == exchange.request.target);
            let whole = whole.unwrap_or_else(|| panic!("seed {seed}: {exchange:#?}"));
            assert_eq!(
                (&exchange.request, &exchange.response),
                (&whole.request, &whole.response),
                "seed {seed}"
            );
        }
    }
}

/// Bytes held over all connections have a cap of their own.
#[test]
fn the_least_recently_used_connection_makes_room() {
    let mut dissector = Dissector::new(DissectLimits {
        max_total: ByteSize(3000),
        ..DissectLimits::default()
    });
    for connection in 0..8 {
        let payload = format!(
            "POST /{connection} HTTP/1.1\r\nContent-Length: 2000\r\n\r\n{}",
            "x".repeat(900)
        );
        let sent = Sent {
            at: u64::from(connection) * MILLI,
            connection,
            from: 0,
            seq: 1,
            ack: 1,
            flags: ACK,
            payload: payload.into_bytes(),
            exchange: 0,
        };
        dissector.packet(&sent.packet());
    }
    let stats = dissector.stats();
    assert_eq!(
        (stats.streams.evicted_for_bytes, stats.streams.evicted_flows),
        (5, 0)
    );
    let first: Vec<_> = std::iter::from_fn(|| dissector.poll())
        .map(|exchange| exchange.request.target)
        .collect();
    assert_eq!(first, ["/0", "/1", "/2", "/3", "/4"]);
    dissector.finish();
    assert_eq!(std::iter::from_fn(|| dissector.poll()).count(), 3);
}
