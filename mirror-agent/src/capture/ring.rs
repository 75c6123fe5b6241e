//! Reads one of the kernel's rings: records become packets.

use std::{
    io,
    os::fd::AsRawFd,
    time::{Duration, Instant},
};

use anyhow::Context;
use aya::maps::{MapData, RingBuf};
use bytes::{Bytes, BytesMut};
use mirror_common::{HEAD_AREA, HEADER_LEN, LINK_ETHERNET, RecordHeader};

use mirror_core::packet::{LinkType, Packet};
use mirror_core::time::Timestamp;

/// The wall clock may be set while we run: the offset to the kernel's clock is taken anew this often.
const CLOCK_CHECK: Duration = Duration::from_secs(1);
/// Fresh memory for packets is taken in blocks of this size.
const BLOCK: usize = 1 << 20;

pub struct RingReader {
    ring: RingBuf<MapData>,
    clock: Clock,
    block: BytesMut,
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
    pub(super) fn new(ring: RingBuf<MapData>) -> Self {
        Self {
            ring,
            clock: Clock::new(),
            block: BytesMut::new(),
            #[cfg(feature = "ebpf-log")]
            flush_log: None,
        }
    }

    /// Waits for records, `timeout` at the most, and hands out all there are; returns how many.
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
            if let Some(packet) = packet(&record, &self.clock, &mut self.block) {
                each(packet);
            }
            count += 1;
        }
        Ok(count)
    }

    fn wait(&self, timeout: Duration) -> anyhow::Result<()> {
        let mut poll = libc::pollfd {
            fd: self.ring.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        let millis = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: one valid pollfd, and its count.
        let result = unsafe { libc::poll(&raw mut poll, 1, millis) };
        if result < 0 {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error).context("waiting for the kernel's ring");
            }
        }
        Ok(())
    }
}

/// A record's frame as a packet; None when the record makes no sense.
fn packet(record: &[u8], clock: &Clock, block: &mut BytesMut) -> Option<Packet> {
    let header = RecordHeader::read(record)?;
    let body = record.get(HEADER_LEN..)?;
    let head = body.get(..header.head as usize)?;
    let rest = if header.head == 0 {
        body
    } else {
        body.get(HEAD_AREA..)?
    };
    let rest = rest.get(..header.len as usize)?;
    Some(Packet {
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
            offset: read_clock(libc::CLOCK_REALTIME)
                .wrapping_sub(read_clock(libc::CLOCK_MONOTONIC)),
            checked: Instant::now(),
        }
    }

    fn refresh(&mut self) {
        if self.checked.elapsed() >= CLOCK_CHECK {
            *self = Self::new();
        }
    }

    fn epoch(&self, monotonic: u64) -> Timestamp {
        Timestamp(monotonic.wrapping_add(self.offset))
    }
}

fn read_clock(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a timespec of this frame.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    (time.tv_sec as u64) * 1_000_000_000 + time.tv_nsec as u64
}
