//! What the dissector costs, on one core and from memory: packets that lie ready go in, exchanges come out. `ended` is what
//! comes after it where nothing is replayed: a ticket, the policy's judgement, the ledger.
//!
//! `cargo xtask bench streams` runs it and adds what other programs measure. One scenario by name prints one JSON object;
//! instruction counts collect only inside of `measured`.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use mirror_agent::capture::pcap::PcapFile;
use mirror_agent::report::{CaptureCounters, Recorder, RunInfo, Ticket};
use mirror_core::dissect::{DissectLimits, Dissector};
use mirror_core::exchange::Exchange;
use mirror_core::filter::PortSet;
use mirror_core::ledger::Outcome;
use mirror_core::packet::{LinkType, Packet};
use mirror_core::policy::Policy;
use mirror_core::time::Timestamp;
use serde_json::{Value, json};

/// Head and body of a small message.
const SMALL: usize = 200;
const LARGE_BODY: usize = 64 << 10;
/// Bytes of payload in a packet, as on Ethernet.
const MSS: usize = 1448;
const PER_CONNECTION: usize = 20;
/// A measurement on a shared machine counts by its best round.
const ROUNDS: usize = 7;

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let scenario = args.next().unwrap_or_default();
    let count = args.next().and_then(|count| count.parse().ok());
    let figures = match scenario.as_str() {
        "small" => exchanges(count.unwrap_or(100_000), SMALL, rounds(args.next())),
        "ended" => ended(count.unwrap_or(100_000)),
        "large" => exchanges(count.unwrap_or(1_000), LARGE_BODY, rounds(args.next())),
        "open" => open(count.unwrap_or(100_000)),
        "growing" => growing(count.unwrap_or(4_000_000)),
        "write" => write(count.unwrap_or(100_000), &args.next().unwrap_or_default()),
        "read" => read(count.unwrap_or(100_000), &args.next().unwrap_or_default()),
        other => {
            panic!(
                "no scenario {other:?}: small, large, ended, open, growing, write and read COUNT FILE"
            )
        }
    };
    println!("{figures}");
}

fn rounds(argument: Option<String>) -> usize {
    argument
        .and_then(|text| text.parse().ok())
        .unwrap_or(ROUNDS)
}

/// `count` exchanges on connections of [`PER_CONNECTION`], several times.
fn exchanges(count: usize, size: usize, rounds: usize) -> Value {
    let packets = traffic(count, size);
    let payload: usize = packets.iter().map(|packet| packet.bytes.len() - 54).sum();
    let best = (0..rounds)
        .map(|_| {
            let mut dissector = Dissector::new(limits(65_536));
            let begin = Instant::now();
            let seen = measured(&mut dissector, &packets);
            let time = begin.elapsed();
            assert_eq!(seen, count, "every exchange is found whole");
            time
        })
        .min()
        .unwrap_or_default()
        .as_secs_f64();
    json!({
        "exchanges": count,
        "packets": packets.len(),
        "payload_bytes": payload,
        "exchanges_per_second": (count as f64 / best) as u64,
        "payload_gb_per_second": payload as f64 / best / 1e9,
    })
}

/// How many whole exchanges come out.
#[inline(never)]
fn measured(dissector: &mut Dissector, packets: &[Packet]) -> usize {
    let mut whole = 0;
    for packet in packets {
        dissector.packet(packet);
        whole += drain(dissector);
    }
    dissector.finish();
    whole + drain(dissector)
}

fn drain(dissector: &mut Dissector) -> usize {
    let mut whole = 0;
    while let Some(exchange) = dissector.poll() {
        let response = exchange.response.as_ref();
        let answered = response.is_some_and(|response| response.fault.is_none());
        whole += usize::from(answered && exchange.request.fault.is_none());
    }
    whole
}

/// `count` exchanges from the dissector to their end in the ledger.
fn ended(count: usize) -> Value {
    let mut dissector = Dissector::new(limits(65_536));
    let mut exchanges = Vec::new();
    for packet in traffic(count, SMALL) {
        dissector.packet(&packet);
        exchanges.extend(std::iter::from_fn(|| dissector.poll()));
    }
    assert_eq!(exchanges.len(), count);
    let recorder = Arc::new(Recorder::new(RunInfo::default()));
    let policy = Policy::default();
    let begin = Instant::now();
    measured_ends(&recorder, &policy, exchanges);
    let seconds = begin.elapsed().as_secs_f64();
    let ledger = recorder.results(CaptureCounters::default()).ledger;
    assert_eq!(ledger.outcomes[Outcome::Observed.name()], count as u64);
    json!({ "exchanges": count, "exchanges_per_second": (count as f64 / seconds) as u64 })
}

#[inline(never)]
fn measured_ends(recorder: &Arc<Recorder>, policy: &Policy, exchanges: Vec<Exchange>) {
    for exchange in exchanges {
        let ticket = Ticket::new(recorder, policy.redactor(), &exchange);
        ticket.end(match policy.judge(&exchange) {
            Err(refusal) => refusal.outcome,
            Ok(_) => Outcome::Observed,
        });
    }
}

/// Connections that had one exchange and wait in the middle of the next request.
fn open(count: usize) -> Value {
    let mut dissector = Dissector::new(limits(count));
    let before = resident("VmRSS");
    let mut whole = 0;
    for number in 0..count {
        let mut sender = Sender::new(number);
        sender.open();
        sender.exchange(SMALL);
        sender.send(
            0,
            0x18,
            &message("POST /begun HTTP/1.1\r\n", SMALL, SMALL)[..SMALL / 2],
        );
        for packet in sender.packets {
            dissector.packet(&packet);
        }
        whole += drain(&mut dissector);
    }
    let after = resident("VmRSS");
    assert_eq!(whole, count);
    assert_eq!(dissector.stats().streams.evicted_flows, 0, "all are open");
    json!({ "connections": count, "resident_bytes": after - before })
}

/// The peak after half of the traffic and after all of it: what grows with the traffic would show.
fn growing(count: usize) -> Value {
    let mut dissector = Dissector::new(limits(65_536));
    let mut halfway = 0;
    let connections = count / PER_CONNECTION;
    for number in 0..connections {
        if number == connections / 2 {
            halfway = resident("VmHWM");
        }
        let mut sender = Sender::new(number);
        sender.connection(PER_CONNECTION, SMALL);
        for packet in sender.packets {
            dissector.packet(&packet);
        }
        drain(&mut dissector);
    }
    json!({
        "exchanges": dissector.stats().http.requests,
        "peak_bytes_halfway": halfway,
        "peak_bytes": resident("VmHWM"),
    })
}

/// The small traffic as a capture file, for other programs.
fn write(count: usize, path: &str) -> Value {
    let packets = traffic(count, SMALL);
    let mut file = Vec::new();
    for word in [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 0x4_0000, 1] {
        file.extend(word.to_le_bytes());
    }
    for packet in &packets {
        let len = packet.bytes.len() as u32;
        let (secs, nanos) = (packet.at.0 / 1_000_000_000, packet.at.0 % 1_000_000_000);
        for word in [secs as u32, nanos as u32, len, len] {
            file.extend(word.to_le_bytes());
        }
        file.extend(&packet.bytes[..]);
    }
    std::fs::write(path, &file).expect("the file can be written");
    json!({ "exchanges": count, "packets": packets.len(), "file_bytes": file.len() })
}

/// The time for such a file.
fn read(count: usize, path: &str) -> Value {
    let begin = Instant::now();
    let mut dissector = Dissector::new(limits(65_536));
    let mut whole = 0;
    for packet in PcapFile::open(Path::new(path)).expect("the file is there") {
        dissector.packet(&packet.expect("the file is whole"));
        whole += drain(&mut dissector);
    }
    dissector.finish();
    assert_eq!(whole + drain(&mut dissector), count);
    json!({ "seconds": begin.elapsed().as_secs_f64() })
}

fn limits(max_flows: usize) -> DissectLimits {
    DissectLimits {
        ports: PortSet::parse(&["80"]).expect("a port"),
        max_flows,
        ..DissectLimits::default()
    }
}

/// Connections side by side, a hundred at a time, as a server sees them.
fn traffic(count: usize, size: usize) -> Vec<Packet> {
    let mut packets = Vec::new();
    let connections = count.div_ceil(PER_CONNECTION);
    for first in (0..connections).step_by(100) {
        let group = first..connections.min(first + 100);
        let mut queues: Vec<_> = group
            .map(|number| {
                let mut sender = Sender::new(number);
                let rest = count - number * PER_CONNECTION;
                sender.connection(rest.min(PER_CONNECTION), size);
                sender.packets.into_iter()
            })
            .collect();
        loop {
            let before = packets.len();
            packets.extend(queues.iter_mut().filter_map(Iterator::next));
            if packets.len() == before {
                break;
            }
        }
    }
    in_a_block(&mut packets);
    packets
}

/// As the capture gives them: one behind the other, in order of their times.
fn in_a_block(packets: &mut [Packet]) {
    let block: Vec<u8> = packets
        .iter()
        .flat_map(|packet| packet.bytes.to_vec())
        .collect();
    let mut block = Bytes::from(block);
    for (at, packet) in packets.iter_mut().enumerate() {
        packet.bytes = block.split_to(packet.bytes.len());
        packet.at = Timestamp(1_000_000_000 + at as u64 * 1_000);
    }
}

/// Writes one connection's frames.
struct Sender {
    number: usize,
    seqs: [u32; 2],
    packets: Vec<Packet>,
}

impl Sender {
    fn new(number: usize) -> Self {
        let packets = Vec::new();
        Self {
            number,
            seqs: [1, 1],
            packets,
        }
    }

    fn connection(&mut self, exchanges: usize, size: usize) {
        self.open();
        for _ in 0..exchanges {
            self.exchange(size);
        }
        self.send(0, 0x11, b"");
        self.send(1, 0x11, b"");
    }

    fn open(&mut self) {
        self.send(0, 0x02, b"");
        self.send(1, 0x12, b"");
    }

    fn exchange(&mut self, size: usize) {
        let request = "GET /products/17?colour=red HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: load/1.0\r\nAccept: */*\r\n";
        let response = "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: application/json\r\n";
        for (from, head, size) in [(0, request, SMALL), (1, response, size)] {
            for piece in message(head, SMALL, size).chunks(MSS) {
                self.send(from, 0x18, piece);
            }
        }
    }

    fn send(&mut self, from: usize, flags: u8, payload: &[u8]) {
        let mut bytes = Vec::with_capacity(54 + payload.len());
        bytes.extend([0; 12]);
        bytes.extend([8, 0, 0x45, 0]);
        bytes.extend((40 + payload.len() as u16).to_be_bytes());
        bytes.extend([0, 0, 0, 0, 64, 6, 0, 0]);
        let client = [10, 1, (self.number >> 23) as u8, (self.number >> 15) as u8];
        let ports = [1 + (self.number & 0x7fff) as u16 + 1024, 80];
        let hosts = [client, [10, 0, 0, 1]];
        bytes.extend([hosts[from], hosts[1 - from]].concat());
        bytes.extend(ports[from].to_be_bytes());
        bytes.extend(ports[1 - from].to_be_bytes());
        bytes.extend(self.seqs[from].to_be_bytes());
        bytes.extend(self.seqs[1 - from].to_be_bytes());
        bytes.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        bytes.extend(payload);
        let counted = u32::from(flags & 3 != 0);
        self.seqs[from] += payload.len() as u32 + counted;
        self.packets.push(Packet {
            at: Timestamp(1_000_000_000 + self.number as u64 * 1_000_000),
            origin: 0,
            link: LinkType::Ethernet,
            wire_len: bytes.len() as u32,
            skip: 0,
            bytes: Bytes::from(bytes),
        });
    }
}

/// `head` with a body behind it: together `small` bytes, or a body of `size` when that is more.
fn message(head: &str, small: usize, size: usize) -> Vec<u8> {
    let rest = small.saturating_sub(head.len() + "Content-Length: 99\r\n\r\n".len());
    let body = if size > small { size } else { rest };
    let mut bytes = format!("{head}Content-Length: {body:02}\r\n\r\n").into_bytes();
    bytes.resize(bytes.len() + body, b'x');
    bytes
}

/// A size of this process in bytes, by its name in /proc.
fn resident(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    number.map_or(0, |kib| kib << 10)
}
