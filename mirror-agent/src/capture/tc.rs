//! Live capture: loads the kernel program, attaches it and opens its rings.
//!
//! Nothing is pinned: what is attached by TCX or to a cgroup goes when the agent goes, in whatever way.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use anyhow::{Context, anyhow, bail, ensure};
use aya::{
    Ebpf, EbpfLoader,
    maps::{PerCpuArray, RingBuf},
};
use mirror_common::RINGS;
use mirror_core::filter::FilterSettings;

use super::{
    attach::{Attached, Hook, Programs},
    counters::Counters,
    filter::Filters,
    links::{self, LinkPatterns},
    namespace::Namespace,
    ring::RingReader,
    watch::Watch,
};

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

/// A ring wakes its reader each time it has filled by so many bytes; below, its timer is soon enough.
const WAKE_AT: u32 = 512 << 10;

const RECORDS: [&str; RINGS] = ["RECORDS_0", "RECORDS_1", "RECORDS_2", "RECORDS_3"];

#[derive(Clone, Debug)]
pub struct TcOptions {
    /// Names and globs; none for the root cgroup.
    pub interfaces: Vec<String>,
    /// Where the interfaces are.
    pub namespaces: Vec<Namespace>,
    pub hook: Hook,
    pub filter: FilterSettings,
    /// Size of each ring in bytes, a power of two and at least a page.
    pub ring_bytes: u32,
    /// 1, 2 or 4.
    pub rings: usize,
}

/// A running capture; dropping it detaches.
pub struct TcCapture {
    pub counters: Counters,
    pub filters: Filters,
    programs: Arc<Mutex<Programs>>,
    namespaces: Vec<Namespace>,
    watches: Vec<Watch>,
    cgroup: Option<Attached>,
}

impl TcCapture {
    /// Loads and attaches; the readers are for a thread each.
    pub fn start(options: &TcOptions) -> anyhow::Result<(Self, Vec<RingReader>)> {
        let mut ebpf = load(options.ring_bytes, options.rings)?;
        let rings = u32::try_from(options.rings).context("the number of rings")?;
        let wake_at = WAKE_AT.min(options.ring_bytes / 4);
        let filters = Filters::new(&mut ebpf, &options.filter, rings, wake_at)?;
        let counts = ebpf.take_map("COUNTS").context("no map COUNTS")?;
        let mut readers = Vec::new();
        for name in RECORDS.iter().take(options.rings) {
            let map = ebpf.take_map(name).context("no map of records")?;
            readers.push(RingReader::new(RingBuf::try_from(map)?));
        }
        #[cfg(feature = "ebpf-log")]
        super::ring::forward_log(&mut readers, &mut ebpf)?;
        let mut capture = Self {
            counters: Counters::new(PerCpuArray::try_from(counts)?),
            filters,
            programs: Arc::new(Mutex::new(Programs::new(ebpf, options.hook))),
            namespaces: options.namespaces.clone(),
            watches: Vec::new(),
            cgroup: None,
        };
        capture.attach(options)?;
        Ok((capture, readers))
    }

    fn attach(&mut self, options: &TcOptions) -> anyhow::Result<()> {
        let cgroup = match options.hook {
            Hook::Cgroup => true,
            Hook::Auto => options.interfaces.is_empty(),
            Hook::Tcx | Hook::Tc => false,
        };
        if cgroup {
            let programs = self.programs.lock();
            let mut programs = programs.map_err(|_| anyhow!("a thread panicked"))?;
            self.cgroup = Some(programs.attach_cgroup()?);
            return Ok(());
        }
        self.watch(&options.interfaces)
    }

    /// Goes over to other interfaces; when one of them is wrong, nothing changes.
    pub fn watch(&mut self, interfaces: &[String]) -> anyhow::Result<()> {
        if self.cgroup.is_some() {
            ensure!(
                interfaces.is_empty(),
                "capture is at the root cgroup: to go over to interfaces, stop and start the agent"
            );
            return Ok(());
        }
        let patterns = LinkPatterns::parse(interfaces)?;
        if !self.watches.is_empty() {
            for watch in &self.watches {
                watch.check(&patterns)?;
            }
            for watch in &self.watches {
                watch.go_over_to(patterns.clone());
            }
            return Ok(());
        }
        for namespace in &self.namespaces {
            self.watches.push(Watch::start(
                namespace.clone(),
                patterns.clone(),
                Arc::clone(&self.programs),
                self.counters.clone(),
            )?);
        }
        Ok(())
    }

    /// Takes the programs away; what they have copied stays in the rings.
    pub fn detach(&mut self) {
        self.watches.clear();
        if let (Some(attached), Ok(mut programs)) = (self.cgroup.take(), self.programs.lock()) {
            programs.detach(attached);
        }
    }

    /// Where it is attached now, and how.
    pub fn places(&self) -> Vec<(String, &'static str)> {
        match &self.cgroup {
            Some(attached) => vec![("root cgroup".into(), attached.how)],
            None => self.watches.iter().flat_map(Watch::places).collect(),
        }
    }

    /// How it is attached: `tcx`, `clsact` or `cgroup`, or several of them.
    pub fn hook(&self) -> String {
        let hooks: BTreeSet<_> = self.places().into_iter().map(|(_, how)| how).collect();
        hooks.into_iter().collect::<Vec<_>>().join(", ")
    }
}

impl Drop for TcCapture {
    fn drop(&mut self) {
        self.detach();
    }
}

/// Tells whether this kernel takes the programs; for `doctor`.
pub fn probe() -> anyhow::Result<String> {
    check_rights()?;
    Programs::new(load(4096, 1)?, Hook::Auto).load_all()?;
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    Ok(format!("Linux {} loads the programs", release.trim()))
}

/// Tries on the loopback interface which way of attaching this kernel takes; for `doctor`.
pub fn try_hooks(wanted: Hook) -> anyhow::Result<String> {
    check_rights()?;
    let mut programs = Programs::new(load(4096, 1)?, wanted);
    let attached = if wanted == Hook::Cgroup {
        programs.attach_cgroup()?
    } else {
        let all = links::list()?;
        let loopback = all.values().find(|link| link.loopback);
        programs.attach(loopback.context("there is no loopback interface to try on")?)?
    };
    let why = match (wanted, attached.how) {
        (Hook::Auto, "tcx") => "first in the chain, and gone with the agent",
        (Hook::Auto, _) => {
            "this kernel has no TCX (Linux 6.6); what a killed agent leaves, the next start removes"
        }
        _ => "as asked for",
    };
    let text = format!("{}: {why}", attached.how);
    programs.detach(attached);
    Ok(text)
}

fn load(ring_bytes: u32, rings: usize) -> anyhow::Result<Ebpf> {
    let mut loader = EbpfLoader::new();
    for name in RECORDS.iter().take(rings) {
        loader.map_max_entries(name, ring_bytes);
    }
    loader.load(OBJECT).map_err(load_error)
}

pub(super) fn load_error(error: impl std::error::Error + Send + Sync + 'static) -> anyhow::Error {
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
