//! Capture files whose times a test chooses.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

const CLIENT: [u8; 4] = [10, 0, 0, 2];
const SERVER: [u8; 4] = [10, 0, 0, 1];
const SERVER_PORT: u16 = 80;
/// Seconds since the epoch at the file's first moment.
const BEGIN: u64 = 1_700_000_000;
/// Sequence numbers of a connection's first packets.
const FIRST: [u32; 2] = [1000, 5000];
const PUSH: u8 = 0x18;
const SYN: u8 = 0x02;
const SYN_ACK: u8 = 0x12;

/// Exchanges on connections that are told apart by the client's port.
#[derive(Debug, Default)]
pub struct CaptureFile {
    /// Ethernet frames and their times.
    frames: Vec<(Duration, Vec<u8>)>,
    /// Next sequence numbers of each connection: the client's, the server's.
    connections: BTreeMap<u16, [u32; 2]>,
}

impl CaptureFile {
    /// A request that was sent at `at`, and its answer, which came after `took`. Those of a connection in their order.
    pub fn exchange(
        &mut self,
        at: Duration,
        client_port: u16,
        request: &[u8],
        answer: &[u8],
        took: Duration,
    ) {
        let begins = !self.connections.contains_key(&client_port);
        if begins {
            self.send(at, client_port, 0, SYN, b"");
            self.send(at, client_port, 1, SYN_ACK, b"");
        }
        self.send(at, client_port, 0, PUSH, request);
        self.send(at + took, client_port, 1, PUSH, answer);
    }

    fn send(&mut self, at: Duration, client_port: u16, from: usize, flags: u8, payload: &[u8]) {
        let to = 1 - from;
        let numbers = self.connections.entry(client_port).or_insert(FIRST);
        let (sequence, acked) = (numbers[from], numbers[to]);
        let length = u32::try_from(payload.len()).expect("a small payload");
        numbers[from] += length + u32::from(flags & SYN != 0);
        let ports = [client_port.to_be_bytes(), SERVER_PORT.to_be_bytes()];
        let mut tcp = [ports[from], ports[to]].concat();
        tcp.extend(sequence.to_be_bytes());
        tcp.extend(if flags == SYN { 0 } else { acked }.to_be_bytes());
        tcp.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        tcp.extend(payload);
        let addresses = [CLIENT, SERVER];
        let total = u16::try_from(20 + tcp.len())
            .expect("a small packet")
            .to_be_bytes();
        let mut frame = vec![0; 12];
        frame.extend([
            8, 0, 0x45, 0, total[0], total[1], 0, 0, 0x40, 0, 64, 6, 0, 0,
        ]);
        frame.extend(addresses[from]);
        frame.extend(addresses[to]);
        frame.extend(tcp);
        self.frames.push((at, frame));
    }

    /// Writes it as pcap, in the order of time.
    pub fn write(mut self, path: &Path) -> Result<()> {
        self.frames.sort_by_key(|(at, _)| *at);
        let mut file = Vec::new();
        for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 0x4_0000, 1] {
            file.extend(word.to_le_bytes());
        }
        for (at, frame) in &self.frames {
            let seconds = u32::try_from(BEGIN + at.as_secs())?;
            let length = u32::try_from(frame.len())?;
            for word in [seconds, at.subsec_micros(), length, length] {
                file.extend(word.to_le_bytes());
            }
            file.extend(frame);
        }
        std::fs::write(path, file).with_context(|| format!("writing {}", path.display()))
    }
}
