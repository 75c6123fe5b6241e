//! Live capture: loads the kernel program, attaches it to interfaces and reads its ring.
//!
//! TCX first in the chain where the kernel has it (6.6 and newer), clsact below. Nothing is pinned, so a
//! TCX program goes when the agent goes.

use std::{
    collections::BTreeMap,
    io,
    os::fd::AsRawFd,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, bail};
use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, MapData, PerCpuArray, RingBuf},
    programs::{
        LinkOrder, SchedClassifier, TcAttachType,
        tc::{self, NlOptions, TcAttachOptions},
    },
};
use bytes::{Bytes, BytesMut};
use mirror_common::{COUNTERS, HEAD_AREA, HEADER_LEN, RecordHeader};

use super::{Link, Packet};
use crate::exchange::Timestamp;

#[cfg(not(feature = "ebpf-log"))]
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../mirror-ebpf/mirror.bpf.o"
));
#[cfg(feature = "ebpf-log")]
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../mirror-ebpf/mirror-log.bpf.o"
));

/// The wall clock may be set while we run: the offset to the kernel's clock is taken anew this often.
const CLOCK_CHECK: Duration = Duration::from_secs(1);
/// Fresh memory for packets is taken in blocks of this size.
const BLOCK: usize = 1 << 20;

#[derive(Clone, Debug)]
pub struct TcOptions {
    pub interfaces: Vec<String>,
    pub ports: Vec<u16>,
    /// Size of the ring in bytes, a power of two.
    pub ring_bytes: u32,
}

/// The kernel's counters; may be read from any thread.
#[derive(Clone)]
pub struct Counters(Arc<Mutex<PerCpuArray<MapData, u64>>>);

impl Counters {
    /// Each counter summed over the CPUs.
    pub fn read(&self) -> BTreeMap<&'static str, u64> {
        let Ok(map) = self.0.lock() else {
            return BTreeMap::new();
        };
        COUNTERS
            .iter()
            .filter_map(|(counter, name)| {
                let values = map.get(&(*counter as u32), 0).ok()?;
                Some((*name, values.iter().sum()))
            })
            .collect()
    }
}

pub struct TcCapture {
    ring: RingBuf<MapData>,
    counters: Counters,
    hook: &'static str,
    clock: Clock,
    block: BytesMut,
    #[cfg(feature = "ebpf-log")]
    flush_log: Box<dyn FnMut() + Send>,
    /// Holds the links: dropping it detaches.
    _ebpf: Ebpf,
}

impl TcCapture {
    /// Loads and attaches in the network namespace of the calling thread.
    pub fn attach(options: &TcOptions) -> anyhow::Result<Self> {
        for name in &options.interfaces {
            check_interface(name)?;
        }
        let mut ebpf = load(options.ring_bytes)?;
        let mut ports: Array<_, u8> = Array::try_from(
            ebpf.map_mut("PORTS")
                .context("the object has no map PORTS")?,
        )?;
        for port in &options.ports {
            ports.set(u32::from(*port), 1, 0)?;
        }
        let mut hook = "tcx";
        for (program, direction) in [
            ("mirror_ingress", TcAttachType::Ingress),
            ("mirror_egress", TcAttachType::Egress),
        ] {
            let classifier: &mut SchedClassifier = ebpf
                .program_mut(program)
                .with_context(|| format!("the object has no program {program}"))?
                .try_into()?;
            classifier.load().map_err(explain)?;
            for name in &options.interfaces {
                // Each packet on the loopback interface leaves and arrives there: once is enough.
                if name == "lo" && direction == TcAttachType::Egress {
                    continue;
                }
                hook = attach_one(classifier, name, direction)
                    .with_context(|| format!("attaching to {name}"))?;
            }
        }
        #[cfg(feature = "ebpf-log")]
        let mut log = aya_log::EbpfLogger::init(&mut ebpf).context("the kernel program's log")?;
        let ring = RingBuf::try_from(ebpf.take_map("RECORDS").context("no map RECORDS")?)?;
        let counts = PerCpuArray::try_from(ebpf.take_map("COUNTS").context("no map COUNTS")?)?;
        Ok(Self {
            ring,
            counters: Counters(Arc::new(Mutex::new(counts))),
            hook,
            clock: Clock::new(),
            block: BytesMut::new(),
            #[cfg(feature = "ebpf-log")]
            flush_log: Box::new(move || log.flush()),
            _ebpf: ebpf,
        })
    }

    /// How the programs are attached: `tcx` or `clsact`.
    pub fn hook(&self) -> &'static str {
        self.hook
    }

    pub fn counters(&self) -> Counters {
        self.counters.clone()
    }

    /// Waits for records, `timeout` at the most, and hands out all there are; returns how many.
    pub fn read(
        &mut self,
        timeout: Duration,
        mut each: impl FnMut(Packet),
    ) -> anyhow::Result<usize> {
        self.wait(timeout)?;
        #[cfg(feature = "ebpf-log")]
        (self.flush_log)();
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

/// Tells whether this kernel takes the programs; for `doctor`.
pub fn probe() -> anyhow::Result<String> {
    check_rights()?;
    let mut ebpf = load(1 << 20)?;
    for name in ["mirror_ingress", "mirror_egress"] {
        let program: &mut SchedClassifier = ebpf
            .program_mut(name)
            .context("program missing")?
            .try_into()?;
        program.load().map_err(explain)?;
    }
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    Ok(format!("Linux {} loads the programs", release.trim()))
}

fn load(ring_bytes: u32) -> anyhow::Result<Ebpf> {
    EbpfLoader::new()
        .map_max_entries("RECORDS", ring_bytes)
        .load(OBJECT)
        .map_err(explain)
}

fn explain(error: impl std::error::Error + Send + Sync + 'static) -> anyhow::Error {
    anyhow!(error).context("loading the kernel program")
}

/// Whether this process may load and attach programs.
pub fn check_rights() -> anyhow::Result<()> {
    const NET_ADMIN: u64 = 1 << 12;
    const SYS_ADMIN: u64 = 1 << 21;
    const BPF: u64 = 1 << 39;
    let status =
        std::fs::read_to_string("/proc/self/status").context("reading /proc/self/status")?;
    let held = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .unwrap_or(0);
    if held & NET_ADMIN != 0 && held & (BPF | SYS_ADMIN) != 0 {
        return Ok(());
    }
    bail!(
        "not root: capture needs root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON. Run it with sudo"
    )
}

fn check_interface(name: &str) -> anyhow::Result<()> {
    let existing = pnet_datalink::interfaces();
    if existing.iter().any(|i| i.name == name) {
        return Ok(());
    }
    let names: Vec<_> = existing.iter().map(|i| i.name.as_str()).collect();
    bail!(
        "there is no interface {name}: give --interface one of {}",
        names.join(", ")
    )
}

fn attach_one(
    program: &mut SchedClassifier,
    interface: &str,
    direction: TcAttachType,
) -> anyhow::Result<&'static str> {
    let first = TcAttachOptions::TcxOrder(LinkOrder::first());
    let Err(tcx) = program.attach_with_options(interface, direction, first) else {
        return Ok("tcx");
    };
    match tc::qdisc_add_clsact(interface) {
        Ok(()) => {}
        Err(error) if error.to_string().contains("exists") => {}
        Err(error) => tracing::debug!(%error, interface, "adding the clsact qdisc"),
    }
    let netlink = TcAttachOptions::Netlink(NlOptions::default());
    program
        .attach_with_options(interface, direction, netlink)
        .map_err(|clsact| anyhow!("neither TCX ({tcx}) nor clsact ({clsact}) took the program"))?;
    Ok("clsact")
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
        link: Link::Ethernet,
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
