//! Reads one of the kernel's rings: records become packets. A record that this agent does not know is skipped and counted.

use std::{
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use aya::maps::{MapData, RingBuf};
use bytes::{Bytes, BytesMut};
use mirror_common::{
    HEAD_AREA, HEADER_LEN, LINK_ETHERNET, RecordHeader, RecordKind, UnknownRecord,
};
use mirror_core::packet::{LinkType, Packet};
use mirror_core::time::Timestamp;
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    time::ClockId,
};

/// The wall clock may be set while we run, and is made to run faster or slower: the offset to the kernel's clock is taken
/// anew this often.
const CLOCK_INTERVAL: Duration = Duration::from_millis(100);
const CLOCK_READINGS: usize = 5;
/// Fresh memory for packets is taken in blocks of this size.
const BLOCK: usize = 1 << 20;

pub struct RingReader {
    ring: RingBuf<MapData>,
    clock: Clock,
    block: BytesMut,
    unread: UnreadRecords,
    #[cfg(feature = "ebpf-log")]
    flush_log: Option<Box<dyn FnMut() + Send>>,
}

/// Has the first reader hand on the program's own log lines.
#[cfg(feature = "ebpf-log")]
pub(super) fn forward_log(readers: &mut [RingReader], ebpf: &mut aya::Ebpf) -> anyhow::Result<()> {
    let mut log = aya_log::EbpfLogger::init(ebpf).context("the kernel program's log")?;
    if let Some(reader) = readers.first_mut() {
        reader.flush_log = Some(Box::new(move || log.flush()));
    }
    Ok(())
}

impl RingReader {
    pub(super) fn new(ring: RingBuf<MapData>, unread: UnreadRecords) -> Self {
        Self {
            ring,
            clock: Clock::new(),
            block: BytesMut::new(),
            unread,
            #[cfg(feature = "ebpf-log")]
            flush_log: None,
        }
    }

    /// Waits up to `timeout` for records and hands out all there are; returns how many.
    pub fn read(
        &mut self,
        timeout: Duration,
        mut each: impl FnMut(Packet),
    ) -> anyhow::Result<usize> {
        self.wait(timeout)?;
        #[cfg(feature = "ebpf-log")]
        if let Some(flush) = &mut self.flush_log {
            flush();
        }
        self.clock.refresh();
        let mut count = 0;
        while let Some(record) = self.ring.next() {
            match packet(&record, &self.clock, &mut self.block) {
                Ok(packet) => each(packet),
                Err(reason) => self.unread.add(reason),
            }
            count += 1;
        }
        Ok(count)
    }

    fn wait(&self, timeout: Duration) -> anyhow::Result<()> {
        let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX);
        match poll(
            &mut [PollFd::new(self.ring.as_fd(), PollFlags::POLLIN)],
            timeout,
        ) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(error).context("waiting for the kernel's ring"),
        }
    }
}

/// Records that were skipped, over all readers of a capture. May be read from any thread.
#[derive(Clone, Default)]
pub struct UnreadRecords(Arc<[AtomicU64; 3]>);

impl UnreadRecords {
    /// The counts by the names that reports show.
    pub fn counts(&self) -> [(&'static str, u64); 3] {
        let [version, kind, malformed] = &*self.0;
        [
            ("record_version_unknown", version),
            ("record_kind_unknown", kind),
            ("record_malformed", malformed),
        ]
        .map(|(name, count)| (name, count.load(Relaxed)))
    }

    pub(super) fn advice(&self) -> Option<String> {
        let sum: u64 = self.counts().iter().map(|(_, count)| count).sum();
        (sum > 0).then(|| {
            format!(
                "{sum} records of the kernel program could not be read, and what they held is not in the ledger: the \
                 program is of another version than this agent. Rebuild it with `cargo xtask ebpf`"
            )
        })
    }

    fn add(&self, reason: UnknownRecord) {
        let [version, kind, malformed] = &*self.0;
        let counter = match reason {
            UnknownRecord::Version(_) => version,
            UnknownRecord::Kind(_) => kind,
            UnknownRecord::TooShort => malformed,
        };
        counter.fetch_add(1, Relaxed);
    }
}

/// A record as a packet.
fn packet(record: &[u8], clock: &Clock, block: &mut BytesMut) -> Result<Packet, UnknownRecord> {
    match RecordKind::read(record)? {
        RecordKind::Frame => frame(record, clock, block),
    }
}

fn frame(record: &[u8], clock: &Clock, block: &mut BytesMut) -> Result<Packet, UnknownRecord> {
    let header = RecordHeader::read(record)?;
    let (head, rest) = parts(record, &header).ok_or(UnknownRecord::TooShort)?;
    Ok(Packet {
        at: clock.epoch(header.at),
        origin: header.ifindex,
        link: if header.link == LINK_ETHERNET {
            LinkType::Ethernet
        } else {
            LinkType::RawIp
        },
        wire_len: header.wire_len,
        skip: header.skip,
        bytes: copied(head, rest, block),
    })
}

/// The repeated headers and the bytes of the frame; None when the record is shorter than its header says.
fn parts<'a>(record: &'a [u8], header: &RecordHeader) -> Option<(&'a [u8], &'a [u8])> {
    let body = record.get(HEADER_LEN..)?;
    let (area, rest) = match header.head {
        0 => (&[][..], body),
        _ => body.split_at_checked(HEAD_AREA)?,
    };
    let head = area.get(..header.head as usize)?;
    Some((head, rest.get(..header.len as usize)?))
}

/// Copies into a shared block: one allocation a megabyte, not one a packet.
fn copied(head: &[u8], rest: &[u8], block: &mut BytesMut) -> Bytes {
    let len = head.len() + rest.len();
    if block.capacity() < len {
        *block = BytesMut::with_capacity(BLOCK.max(len));
    }
    block.extend_from_slice(head);
    block.extend_from_slice(rest);
    block.split().freeze()
}

/// Turns the kernel's monotonic time into time since the epoch.
struct Clock {
    offset: u64,
    checked: Instant,
}

impl Clock {
    fn new() -> Self {
        Self {
            offset: offset_of_clocks(),
            checked: Instant::now(),
        }
    }

    fn refresh(&mut self) {
        if self.checked.elapsed() >= CLOCK_INTERVAL {
            *self = Self::new();
        }
    }

    fn epoch(&self, monotonic: u64) -> Timestamp {
        Timestamp(monotonic.wrapping_add(self.offset))
    }
}

/// How far the wall clock is ahead of the monotonic one. Another thread may run between two readings, so the readings that
/// are closest together count: snapshots are told apart by the time of their packets.
fn offset_of_clocks() -> u64 {
    let reading = |_| {
        let before = read_clock(ClockId::CLOCK_MONOTONIC);
        let wall = read_clock(ClockId::CLOCK_REALTIME);
        let took = read_clock(ClockId::CLOCK_MONOTONIC) - before;
        (took, wall.wrapping_sub(before + took / 2))
    };
    let readings = (0..CLOCK_READINGS).map(reading);
    readings.min().map_or(0, |(_, offset)| offset)
}

/// In nanoseconds. Linux has both clocks, so the error does not happen.
fn read_clock(clock: ClockId) -> u64 {
    clock.now().map_or(0, |time| {
        let seconds = time.tv_sec().cast_unsigned() * 1_000_000_000;
        seconds + time.tv_nsec().cast_unsigned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record of the frame `body`, with its header's words changed by `change`.
    fn record(body: &[u8], change: impl FnOnce(&mut RecordHeader)) -> Vec<u8> {
        let mut header = RecordHeader {
            version: mirror_common::RECORD_VERSION,
            kind: RecordKind::Frame as u8,
            direction: 0,
            link: LINK_ETHERNET,
            ifindex: 3,
            at: 5,
            wire_len: body.len() as u32,
            skip: 0,
            len: body.len() as u32,
            head: 0,
        };
        change(&mut header);
        let mut bytes = vec![header.version, header.kind, header.direction, header.link];
        bytes.extend_from_slice(&header.ifindex.to_ne_bytes());
        bytes.extend_from_slice(&header.at.to_ne_bytes());
        for word in [header.wire_len, header.skip, header.len, header.head] {
            bytes.extend_from_slice(&word.to_ne_bytes());
        }
        bytes.extend_from_slice(body);
        bytes
    }

    fn read(record: &[u8]) -> Result<Packet, UnknownRecord> {
        packet(record, &Clock::new(), &mut BytesMut::new())
    }

    #[test]
    fn a_frame_and_a_later_part_of_one_become_packets() {
        // The size class is larger than the frame.
        let mut padded = record(b"frame", |_| {});
        padded.extend_from_slice(&[9; 251]);
        let packet = read(&padded).unwrap();
        assert_eq!((&packet.bytes[..], packet.origin), (&b"frame"[..], 3));
        let mut body = vec![0; HEAD_AREA];
        body[..4].copy_from_slice(b"head");
        body.extend_from_slice(b"rest");
        let later = record(&body, |header| {
            (header.head, header.len, header.skip) = (4, 4, 65_000);
        });
        let packet = read(&later).unwrap();
        assert_eq!((&packet.bytes[..], packet.skip), (&b"headrest"[..], 65_000));
    }

    #[test]
    fn an_unknown_version_or_kind_is_counted_and_skipped() {
        let unread = UnreadRecords::default();
        let check = |record: &[u8], expected: [u64; 3]| {
            unread.add(read(record).unwrap_err());
            assert_eq!(unread.counts().map(|(_, count)| count), expected);
        };
        let of = |change: fn(&mut RecordHeader)| record(b"frame", change);
        check(&of(|header| header.version = 2), [1, 0, 0]);
        check(&of(|header| header.kind = 2), [1, 1, 0]);
        check(&of(|header| header.kind = 0), [1, 2, 0]);
        // As long as a record of another kind may be.
        check(&[mirror_common::RECORD_VERSION, 200], [1, 3, 0]);
        check(&of(|header| header.len = 6), [1, 3, 1]);
        check(&of(|header| header.head = 1), [1, 3, 2]);
        check(b"", [1, 3, 3]);
    }
}
