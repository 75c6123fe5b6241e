//! The kernel programs on single packets, by the kernel's own test run: what each shape of frame is
//! counted as, and what comes out of the ring.

use std::process::ExitCode;

use anyhow::{Context, Result};
use aya::maps::{Array, PerCpuArray, RingBuf};
use aya::programs::{SchedClassifier, TestRun, TestRunOptions};
use aya::{Ebpf, EbpfLoader};
use mirror_common::{
    COUNTERS, Counter, CounterSlot, HEADER_LEN, LINK_ETHERNET, LINK_IP, RecordHeader,
};
use mirror_tests::workspace;
use mirror_tests::{needs, testing};

const PORT: u16 = 8080;
/// TC_ACT_UNSPEC.
const NEXT: u32 = u32::MAX;

type Record = (RecordHeader, Vec<u8>);

struct Program {
    ebpf: Ebpf,
    name: &'static str,
}

impl Program {
    fn load(name: &'static str) -> Result<Self> {
        let object = workspace::root().join("mirror-ebpf/mirror.bpf.o");
        let mut ebpf = EbpfLoader::new()
            .map_max_entries("RECORDS_0", 1 << 20)
            .load_file(object)?;
        let mut ports: Array<_, u8> = ebpf.map_mut("PORTS").context("PORTS")?.try_into()?;
        ports.set(u32::from(PORT), 1, 0)?;
        Self::classifier(&mut ebpf, name)?.load()?;
        Ok(Self { ebpf, name })
    }

    fn classifier<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut SchedClassifier> {
        Ok(ebpf.program_mut(name).context("the program")?.try_into()?)
    }

    /// The counters that this frame moved, `packets_seen` aside, and its record.
    fn run(&mut self, frame: &[u8]) -> Result<(Vec<&'static str>, Option<Record>)> {
        let before = self.counts()?;
        let mut options = TestRunOptions::new();
        options.data_in = Some(frame);
        let result = Self::classifier(&mut self.ebpf, self.name)?.test_run(options)?;
        assert_eq!(result.return_value, NEXT, "the verdict");
        let after = self.counts()?;
        assert_eq!(after[0], before[0] + 1, "packets_seen");
        let moved = COUNTERS.iter().filter(|(counter, _)| {
            *counter != Counter::Seen && after[*counter as usize] > before[*counter as usize]
        });
        let moved = moved.map(|(_, name)| *name).collect();
        let ring = self.ebpf.map_mut("RECORDS_0").context("RECORDS_0")?;
        let mut ring = RingBuf::try_from(ring)?;
        let record = ring.next().map(|bytes| {
            let header = RecordHeader::read(&bytes).expect("a whole header");
            let frame = bytes[HEADER_LEN..][..header.len as usize].to_vec();
            (header, frame)
        });
        Ok((moved, record))
    }

    fn counts(&self) -> Result<CounterSlot> {
        let map: PerCpuArray<_, CounterSlot> =
            self.ebpf.map("COUNTS").context("COUNTS")?.try_into()?;
        let mut sum = CounterSlot::default();
        for slot in 0..16 {
            for cpu in map.get(&slot, 0)?.iter() {
                for (total, count) in sum.iter_mut().zip(cpu) {
                    *total += count;
                }
            }
        }
        Ok(sum)
    }

    /// The frame is counted as `name` and nothing of it is copied.
    fn left(&mut self, what: &str, frame: &[u8], name: &str) -> Result<()> {
        let (moved, record) = self.run(frame).context(what.to_owned())?;
        assert_eq!(moved, [name], "{what}");
        assert!(record.is_none(), "{what}");
        Ok(())
    }

    /// The frame is copied, up to the `len` bytes that its IP header tells of.
    fn copied(&mut self, what: &str, frame: &[u8], len: usize, link: u8) -> Result<()> {
        let (moved, record) = self.run(frame).context(what.to_owned())?;
        assert_eq!(moved, ["copied"], "{what}");
        let (header, bytes) = record.with_context(|| format!("{what}: no record"))?;
        assert!(bytes == frame[..len], "{what}: other bytes");
        assert_eq!(
            (header.wire_len as usize, header.link),
            (len, link),
            "{what}"
        );
        Ok(())
    }
}

const ACK: u8 = 0x10;
const SYN: u8 = 0x02;

fn tcp(options: usize, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&40_000_u16.to_be_bytes());
    bytes.extend_from_slice(&PORT.to_be_bytes());
    bytes.extend_from_slice(&[0; 8]);
    bytes.push((((20 + options) / 4) << 4) as u8);
    bytes.push(flags);
    bytes.extend_from_slice(&[0; 6]);
    bytes.extend(std::iter::repeat_n(1, options));
    bytes.extend_from_slice(payload);
    bytes
}

fn ipv4(options: usize, protocol: u8, fragment: u16, inner: &[u8]) -> Vec<u8> {
    let header = 20 + options;
    let total = (header + inner.len()) as u16;
    let mut bytes = vec![0x40 | (header / 4) as u8, 0];
    bytes.extend_from_slice(&total.to_be_bytes());
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(&fragment.to_be_bytes());
    bytes.extend_from_slice(&[64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    bytes.extend(std::iter::repeat_n(1, options));
    bytes.extend_from_slice(inner);
    bytes
}

/// IPv6 with a chain of extension headers, each with its own number and bytes; the first byte of
/// each is the number of the next.
fn ipv6(extensions: &[(u8, Vec<u8>)], last: u8, inner: &[u8]) -> Vec<u8> {
    let numbers: Vec<u8> = extensions
        .iter()
        .map(|(number, _)| *number)
        .chain([last])
        .collect();
    let mut chain = Vec::new();
    for ((_, bytes), next) in extensions.iter().zip(&numbers[1..]) {
        chain.push(*next);
        chain.extend_from_slice(&bytes[1..]);
    }
    let payload = (chain.len() + inner.len()) as u16;
    let mut bytes = vec![0x60, 0, 0, 0];
    bytes.extend_from_slice(&payload.to_be_bytes());
    bytes.extend_from_slice(&[numbers[0], 64]);
    for last in [1, 2] {
        bytes.extend_from_slice(&[0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    bytes.extend_from_slice(&chain);
    bytes.extend_from_slice(inner);
    bytes
}

fn ethernet(tags: &[u16], ethertype: u16, inner: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2; 12];
    for tag in tags {
        bytes.extend_from_slice(&tag.to_be_bytes());
        bytes.extend_from_slice(&[0, 7]);
    }
    bytes.extend_from_slice(&ethertype.to_be_bytes());
    bytes.extend_from_slice(inner);
    bytes
}

fn plain(payload: &[u8]) -> Vec<u8> {
    ethernet(&[], 0x0800, &ipv4(0, 6, 0, &tcp(0, ACK, payload)))
}

fn main() -> ExitCode {
    testing::main()
}

#[needs(root)]
fn every_shape_of_frame_that_carries_tcp_is_copied() -> Result<()> {
    let mut program = Program::load("mirror_ingress")?;
    let segment = tcp(12, ACK, b"GET / HTTP/1.1\r\n\r\n");
    let v4 = ipv4(0, 6, 0, &segment);
    let v6 = |extensions: &[(u8, Vec<u8>)]| ethernet(&[], 0x86dd, &ipv6(extensions, 6, &segment));
    let options = |len: u8| {
        vec![0, len]
            .into_iter()
            .chain([1; 6])
            .chain(vec![1; usize::from(len) * 8])
            .collect::<Vec<u8>>()
    };
    let shapes = [
        ("IPv4", ethernet(&[], 0x0800, &v4)),
        (
            "IPv4 with options",
            ethernet(&[], 0x0800, &ipv4(40, 6, 0, &segment)),
        ),
        ("a VLAN", ethernet(&[0x8100], 0x0800, &v4)),
        ("QinQ", ethernet(&[0x88a8, 0x8100], 0x0800, &v4)),
        ("IPv6", v6(&[])),
        ("IPv6 with hop-by-hop options", v6(&[(0, options(0))])),
        (
            "IPv6 with three headers",
            v6(&[(0, options(1)), (43, options(2)), (60, options(0))]),
        ),
        (
            "an atomic fragment",
            v6(&[(44, vec![0, 0, 0, 0, 1, 2, 3, 4])]),
        ),
        (
            "the longest TCP header",
            ethernet(&[], 0x0800, &ipv4(0, 6, 0, &tcp(40, ACK, b"x"))),
        ),
        ("one byte", plain(b"x")),
        (
            "a SYN",
            ethernet(&[], 0x0800, &ipv4(0, 6, 0, &tcp(0, SYN, b""))),
        ),
        ("a full packet", plain(&[7; 1460])),
    ];
    for (what, frame) in shapes {
        program.copied(what, &frame, frame.len(), LINK_ETHERNET)?;
    }
    Ok(())
}

#[needs(root)]
fn padding_is_no_payload() -> Result<()> {
    let mut program = Program::load("mirror_ingress")?;
    let mut padded = plain(b"");
    padded.resize(60, 0);
    program.left("an acknowledgement", &padded, "no_payload")?;
    let mut padded = plain(b"x");
    let len = padded.len();
    padded.resize(60, 0);
    program.copied("one byte", &padded, len, LINK_ETHERNET)
}

#[needs(root)]
fn what_is_not_wanted_is_counted_by_its_reason() -> Result<()> {
    let mut program = Program::load("mirror_egress")?;
    let segment = tcp(0, ACK, b"GET / HTTP/1.1\r\n\r\n");
    let v4 = |bytes: &[u8]| ethernet(&[], 0x0800, bytes);
    let mut other = segment.clone();
    other[2..4].copy_from_slice(&9_u16.to_be_bytes());
    let mut short_tcp = segment.clone();
    short_tcp[12] = 4 << 4;
    let mut short_ip = ipv4(0, 6, 0, &segment);
    short_ip[0] = 0x44;
    let fragment = |bytes: Vec<u8>| ethernet(&[], 0x86dd, &ipv6(&[(44, bytes)], 6, &segment));
    let endless = vec![(60, vec![0, 0, 1, 1, 1, 1, 1, 1]); 7];
    let cases = [
        ("ARP", ethernet(&[], 0x0806, &[0; 46]), "not_tcp"),
        ("UDP", v4(&ipv4(0, 17, 0, &segment)), "not_tcp"),
        (
            "UDP over IPv6",
            ethernet(&[], 0x86dd, &ipv6(&[], 17, &segment)),
            "not_tcp",
        ),
        (
            "a first fragment",
            v4(&ipv4(0, 6, 0x2000, &segment)),
            "fragment",
        ),
        (
            "a later fragment",
            v4(&ipv4(0, 6, 0x0010, &segment)),
            "fragment",
        ),
        (
            "a fragment of IPv6",
            fragment(vec![0, 0, 0, 1, 1, 2, 3, 4]),
            "fragment",
        ),
        (
            "a later one",
            fragment(vec![0, 0, 1, 0, 1, 2, 3, 4]),
            "fragment",
        ),
        ("another port", v4(&ipv4(0, 6, 0, &other)), "other_port"),
        (
            "an acknowledgement",
            v4(&ipv4(0, 6, 0, &tcp(0, ACK, b""))),
            "no_payload",
        ),
        (
            "a TCP header of 16 bytes",
            v4(&ipv4(0, 6, 0, &short_tcp)),
            "not_parsable",
        ),
        ("an IPv4 header of 16 bytes", v4(&short_ip), "not_parsable"),
        (
            "a TCP header cut short",
            v4(&ipv4(0, 6, 0, &segment[..13])),
            "not_parsable",
        ),
        (
            "a long chain of headers",
            ethernet(&[], 0x86dd, &ipv6(&endless, 6, &segment)),
            "not_parsable",
        ),
    ];
    for (what, frame, name) in cases {
        program.left(what, &frame, name)?;
    }
    Ok(())
}

/// As on interfaces without Ethernet header.
#[needs(root)]
fn a_frame_may_start_with_its_ip_header() -> Result<()> {
    let mut program = Program::load("mirror_ip_in")?;
    let segment = tcp(0, ACK, b"GET / HTTP/1.1\r\n\r\n");
    for (what, frame) in [
        ("IPv4", ipv4(0, 6, 0, &segment)),
        ("IPv6", ipv6(&[], 6, &segment)),
    ] {
        program.copied(what, &frame, frame.len(), LINK_IP)?;
    }
    program.left("Ethernet", &plain(b"x"), "not_tcp")
}
