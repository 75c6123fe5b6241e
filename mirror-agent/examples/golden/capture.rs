//! Writes capture files packet by packet.

use std::net::Ipv4Addr;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
/// Payload of a packet, as on Ethernet.
const MSS: usize = 1448;

pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const PSH: u8 = 0x08;
pub(crate) const ACK: u8 = 0x10;
pub(crate) const URG: u8 = 0x20;

/// A capture file of Ethernet frames, one millisecond apart.
#[derive(Default)]
pub(crate) struct Capture {
    frames: Vec<Vec<u8>>,
}

impl Capture {
    /// A connection from port `port` to port 80 of the server.
    pub(crate) fn connection(&mut self, port: u16) -> Connection<'_> {
        Connection {
            capture: self,
            ports: [port, 80],
            seqs: [1000, 5000],
            wrap: |ip| [&[0; 12][..], &[8, 0], &ip].concat(),
        }
    }

    /// As a pcap file with times in microseconds.
    pub(crate) fn file(&self) -> Vec<u8> {
        let mut file = Vec::new();
        for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 0x4_0000, 1] {
            file.extend(word.to_le_bytes());
        }
        for (number, frame) in self.frames.iter().enumerate() {
            let micros = 1000 * (number as u32 + 1);
            let len = frame.len() as u32;
            let words = [
                1_700_000_000 + micros / 1_000_000,
                micros % 1_000_000,
                len,
                len,
            ];
            words
                .iter()
                .for_each(|word| file.extend(word.to_le_bytes()));
            file.extend(frame);
        }
        file
    }
}

/// One TCP connection. Each side acknowledges what the other one has sent.
pub(crate) struct Connection<'a> {
    capture: &'a mut Capture,
    /// Client, server; the same order everywhere.
    ports: [u16; 2],
    seqs: [u32; 2],
    /// What is around the IP packets.
    wrap: fn(Vec<u8>) -> Vec<u8>,
}

impl Connection<'_> {
    /// Puts something else around the IP packets than Ethernet.
    pub(crate) fn wrapped(mut self, wrap: fn(Vec<u8>) -> Vec<u8>) -> Self {
        self.wrap = wrap;
        self
    }

    /// The three packets of a handshake.
    pub(crate) fn handshake(&mut self) -> &mut Self {
        self.seqs = [999, 4999];
        self.send(0, SYN, b"")
            .send(1, SYN | ACK, b"")
            .send(0, ACK, b"")
    }

    pub(crate) fn client(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.bytes(0, bytes.as_ref())
    }

    pub(crate) fn server(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.bytes(1, bytes.as_ref())
    }

    /// An answer with this body.
    pub(crate) fn ok(&mut self, body: &str) -> &mut Self {
        let length = body.len();
        self.server(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }

    /// A GET and its answer.
    pub(crate) fn get(&mut self, path: &str) -> &mut Self {
        self.client(format!("GET {path} HTTP/1.1\r\nHost: shop\r\n\r\n"))
            .ok("ok")
    }

    /// Bytes that a side sent and nobody captured.
    pub(crate) fn lost(&mut self, from: usize, len: u32) -> &mut Self {
        self.seqs[from] += len;
        self
    }

    /// Both sides end.
    pub(crate) fn close(&mut self) {
        self.send(0, FIN | ACK, b"")
            .send(1, FIN | ACK, b"")
            .send(0, ACK, b"");
    }

    fn bytes(&mut self, from: usize, bytes: &[u8]) -> &mut Self {
        for piece in bytes.chunks(MSS) {
            self.send(from, PSH | ACK, piece);
        }
        self
    }

    /// One packet, from the client (0) or the server (1).
    pub(crate) fn send(&mut self, from: usize, flags: u8, payload: &[u8]) -> &mut Self {
        let to = 1 - from;
        let addresses = [CLIENT.octets(), SERVER.octets()];
        let acked = if flags & ACK == 0 { 0 } else { self.seqs[to] };
        let urgent = if flags & URG == 0 {
            0
        } else {
            payload.len() as u16
        };
        let mut tcp = [self.ports[from].to_be_bytes(), self.ports[to].to_be_bytes()].concat();
        tcp.extend(self.seqs[from].to_be_bytes());
        tcp.extend(acked.to_be_bytes());
        tcp.extend([0x50, flags, 0xff, 0xff, 0, 0]);
        tcp.extend(urgent.to_be_bytes());
        tcp.extend(payload);
        let packet = ip(6, addresses[from], addresses[to], &tcp);
        self.capture.frames.push((self.wrap)(packet));
        self.seqs[from] += payload.len() as u32 + u32::from(flags & (SYN | FIN) != 0);
        self
    }
}

/// An IPv4 packet; its checksum is left to nobody, as on a host that lets its card do that.
pub(crate) fn ip(protocol: u8, from: [u8; 4], to: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let length = (20 + payload.len() as u16).to_be_bytes();
    let mut packet = vec![
        0x45, 0, length[0], length[1], 0, 0, 0x40, 0, 64, protocol, 0, 0,
    ];
    packet.extend(from);
    packet.extend(to);
    packet.extend(payload);
    packet
}
