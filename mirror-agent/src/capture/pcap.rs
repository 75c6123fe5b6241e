//! A capture file, pcap or pcapng, plain or compressed, as packets.
//!
//! A damaged file gives every packet up to the damage, then one error, then nothing. Packets of a link type that is not
//! ours are counted and left out. Blocks that hold no packet are passed over.

use std::path::Path;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use pcap_parser::traits::PcapReaderIterator;
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError};

use super::input::{Input, Progress, Trouble};
use mirror_core::packet::{LinkType, Packet};
use mirror_core::time::Timestamp;

/// Bytes read ahead at first; it grows for a block that does not fit, up to `MAX_BUFFER`.
const BUFFER: usize = 1 << 20;
const MAX_BUFFER: usize = 64 << 20;
const NANOS: u128 = 1_000_000_000;

/// `PcapFile::open`, then iterate.
pub struct PcapFile {
    reader: Box<dyn PcapReaderIterator + Send>,
    /// One for pcap; for pcapng those of the current section, in order of their id.
    interfaces: Vec<InterfaceBlock>,
    buffer: usize,
    progress: Progress,
    trouble: Trouble,
    /// Packets and bytes of the file, decompressed, so far.
    packets: u64,
    offset: u64,
    unsupported: u64,
    done: bool,
}

impl PcapFile {
    /// Opens a file, or standard input for `-`.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        Self::new(Input::open(path)?, path)
    }

    /// Reads what was opened as `path`.
    pub(crate) fn new(input: Input, path: &Path) -> anyhow::Result<Self> {
        let Input {
            bytes,
            progress,
            trouble,
        } = input;
        let reader = pcap_parser::create_reader(BUFFER, bytes).map_err(|error| {
            let why = trouble.told().unwrap_or_else(|| reason(&error));
            anyhow!("{} is not a pcap or pcapng file: {why}", path.display())
        })?;
        Ok(Self {
            reader,
            interfaces: Vec::new(),
            buffer: BUFFER,
            progress,
            trouble,
            packets: 0,
            offset: 0,
            unsupported: 0,
            done: false,
        })
    }

    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Packets left out so far because of their link type.
    pub fn unsupported_link(&self) -> u64 {
        self.unsupported
    }

    /// The next packet, `None` at the end of the file.
    fn read(&mut self) -> anyhow::Result<Option<Packet>> {
        loop {
            let error = match self.reader.next() {
                Ok((size, block)) => {
                    let packet = packet(&block, &mut self.interfaces, &mut self.unsupported);
                    self.reader.consume(size);
                    self.offset += size as u64;
                    match packet? {
                        Some(packet) => {
                            self.packets += 1;
                            return Ok(Some(packet));
                        }
                        None => continue,
                    }
                }
                Err(error) => error.to_owned_vec(),
            };
            match error {
                PcapError::Eof => return Ok(None),
                PcapError::Incomplete(_) if self.reader.reader_exhausted() => {
                    return Err(anyhow!("it ends in the middle of a packet"));
                }
                PcapError::Incomplete(_) => {
                    if let Err(error) = self.reader.refill() {
                        let why = self.trouble.told().unwrap_or_else(|| reason(&error));
                        return Err(anyhow!("it cannot be read on: {why}"));
                    }
                }
                PcapError::BufferTooSmall
                    if self.buffer < MAX_BUFFER && self.reader.grow(self.buffer * 2) =>
                {
                    self.buffer *= 2;
                    // Growing reads nothing; what is wrong with reading, the next round reports.
                    let _ = self.reader.refill();
                }
                error => return Err(anyhow!("{}", reason(&error))),
            }
        }
    }
}

impl Iterator for PcapFile {
    type Item = anyhow::Result<Packet>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let item = self.read().transpose();
        let (packets, offset) = (self.packets, self.offset);
        let item = item.map(|read| {
            read.with_context(|| format!("damaged behind packet {packets}, at byte {offset}"))
        });
        self.done = !matches!(item, Some(Ok(_)));
        item
    }
}

/// How to read the packets of one interface of the file.
#[derive(Clone, Copy)]
struct InterfaceBlock {
    link: Option<LinkType>,
    /// Timestamp units per second.
    resolution: u64,
    offset_secs: i64,
}

fn packet(
    block: &PcapBlockOwned<'_>,
    interfaces: &mut Vec<InterfaceBlock>,
    unsupported: &mut u64,
) -> anyhow::Result<Option<Packet>> {
    let (interface, ticks, data, captured, wire_len) = match block {
        PcapBlockOwned::LegacyHeader(header) => {
            let nanos = header.is_nanosecond_precision();
            interfaces.push(InterfaceBlock {
                link: link(header.network),
                resolution: if nanos { 1_000_000_000 } else { 1_000_000 },
                offset_secs: 0,
            });
            return Ok(None);
        }
        PcapBlockOwned::Legacy(frame) => {
            let interface = interfaces.first().copied();
            let resolution = interface.map_or(1, |i| i.resolution);
            let ticks = u64::from(frame.ts_sec) * resolution + u64::from(frame.ts_usec);
            (interface, ticks, frame.data, frame.caplen, frame.origlen)
        }
        PcapBlockOwned::NG(Block::SectionHeader(_)) => {
            interfaces.clear();
            return Ok(None);
        }
        PcapBlockOwned::NG(Block::InterfaceDescription(description)) => {
            interfaces.push(InterfaceBlock {
                link: link(description.linktype),
                resolution: description.ts_resolution().unwrap_or(1_000_000).max(1),
                offset_secs: description.ts_offset(),
            });
            return Ok(None);
        }
        PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
            let interface = interfaces.get(packet.if_id as usize).copied();
            let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
            (interface, ticks, packet.data, packet.caplen, packet.origlen)
        }
        PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
            // It has no time of its own: the epoch says so.
            let interface = interfaces.first().copied();
            (interface, 0, packet.data, packet.origlen, packet.origlen)
        }
        PcapBlockOwned::NG(_) => return Ok(None),
    };
    let interface = interface.context("a packet of an interface that is not described")?;
    let Some(link) = interface.link else {
        *unsupported += 1;
        return Ok(None);
    };
    // The data of a pcapng block is padded to four bytes.
    let data = &data[..data.len().min(captured as usize)];
    Ok(Some(Packet {
        at: interface.timestamp(ticks),
        origin: 0,
        link,
        wire_len: wire_len.max(captured),
        skip: 0,
        bytes: Bytes::copy_from_slice(data),
    }))
}

impl InterfaceBlock {
    fn timestamp(&self, ticks: u64) -> Timestamp {
        let nanos = (u128::from(ticks) * NANOS / u128::from(self.resolution)) as i128;
        let nanos = nanos + i128::from(self.offset_secs) * NANOS as i128;
        Timestamp(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
    }
}

/// Numbers from the registry of link types, <https://www.tcpdump.org/linktypes.html>; 12 and 14 are DLT_RAW as some systems wrote it.
fn link(linktype: Linktype) -> Option<LinkType> {
    match linktype.0 {
        1 => Some(LinkType::Ethernet),
        12 | 14 | 101 | 228 | 229 => Some(LinkType::RawIp),
        0 | 108 => Some(LinkType::Null),
        113 => Some(LinkType::Sll),
        276 => Some(LinkType::Sll2),
        _ => None,
    }
}

/// The library's own message prints the damaged bytes.
fn reason<I>(error: &PcapError<I>) -> String {
    match error {
        PcapError::Eof | PcapError::UnexpectedEof | PcapError::Incomplete(_) => {
            "it ends too early".into()
        }
        PcapError::BufferTooSmall => "a block is too large".into(),
        PcapError::ReadError => "reading failed".into(),
        PcapError::HeaderNotRecognized => "its first bytes are neither's".into(),
        PcapError::NomError(_, kind) | PcapError::OwnedNomError(_, kind) => {
            format!("a block does not parse ({kind:?})")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes `bytes` to a file of its own; gives the lengths and times of the packets, and whether an error ended them.
    fn check(name: &str, bytes: &[u8], expect: &[(usize, u64)], damaged: bool) {
        let path = std::env::temp_dir().join(format!("mirror-pcap-{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        let items: Vec<_> = PcapFile::open(&path).unwrap().collect();
        std::fs::remove_file(&path).unwrap();
        let packets: Vec<_> = items
            .iter()
            .flatten()
            .map(|packet| (packet.bytes.len(), packet.at.0))
            .collect();
        assert_eq!(packets, expect, "{name}");
        assert_eq!(items.last().is_some_and(Result::is_err), damaged, "{name}");
    }

    fn pcap(magic: u32, little: bool, packets: &[(u32, u32, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        let word = |value: u32| {
            if little {
                value.to_le_bytes()
            } else {
                value.to_be_bytes()
            }
        };
        out.extend(word(magic));
        out.extend(if little { [2, 0, 4, 0] } else { [0, 2, 0, 4] });
        for value in [0, 0, 65_535, 1] {
            out.extend(word(value));
        }
        for (secs, fraction, data) in packets {
            for value in [*secs, *fraction, data.len() as u32, data.len() as u32] {
                out.extend(word(value));
            }
            out.extend(*data);
        }
        out
    }

    #[test]
    fn both_byte_orders_and_both_precisions() {
        for little in [true, false] {
            let micros = pcap(0xa1b2_c3d4, little, &[(1, 2, b"abc"), (3, 4, b"")]);
            check(
                "micros",
                &micros,
                &[(3, 1_000_002_000), (0, 3_000_004_000)],
                false,
            );
            let nanos = pcap(0xa1b2_3c4d, little, &[(1, 2, b"abc")]);
            check("nanos", &nanos, &[(3, 1_000_000_002)], false);
        }
    }

    #[test]
    fn packets_before_the_damage_are_kept() {
        let whole = pcap(0xa1b2_c3d4, true, &[(1, 0, b"abcd"), (2, 0, b"efgh")]);
        check(
            "cut",
            &whole[..whole.len() - 1],
            &[(4, 1_000_000_000)],
            true,
        );
    }
}
