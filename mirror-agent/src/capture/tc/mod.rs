//! Live capture: loads the kernel program, attaches it and opens its rings.
//!
//! `programs` is the object, `maps` and `counters` are what it is told and what it counts, `tcx` and `clsact` are the
//! two ways of attaching to an interface, `attach` chooses one of them or the root cgroup, and `watch` keeps the
//! programs attached while interfaces and other programs come and go.
//!
//! Nothing is pinned: what is attached by TCX or to a cgroup goes when the agent goes, in whatever way. A clsact filter
//! stays, and `liveness` tells later that its agent is dead.

mod attach;
mod blind_times;
pub mod clsact;
mod counters;
mod liveness;
mod maps;
mod options;
mod probe;
mod programs;
mod tcx;
mod watch;

pub use blind_times::BlindTime;
pub use counters::KernelCounters;
pub use maps::Filters;
pub use options::{CaptureOptions, Hook, Namespaces, RingSize, Rings};
pub use probe::{check_rights, probe, try_hooks};
pub use watch::Attachment;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, ensure};
use aya::maps::{PerCpuArray, RingBuf};

use attach::AttachedToCgroup;
use blind_times::BlindTimes;
use programs::{Programs, RECORDS};
use watch::{SharedCapture, Watch};

use super::{
    net::{links::LinkPatterns, namespace::Namespace},
    ring::{RingReader, UnreadRecords},
};

/// A ring wakes its reader each time it has filled by so many bytes; below, its timer is soon enough.
const WAKE_AT: u32 = 512 << 10;
/// Interfaces that are named when they cannot be captured on.
const MAX_REFUSED: usize = 16;

/// A running capture; dropping it detaches.
pub struct TcCapture {
    pub counters: KernelCounters,
    pub filters: Filters,
    shared: SharedCapture,
    namespaces: Vec<Namespace>,
    watches: Vec<Watch>,
    /// Of watches that have ended.
    refused: Vec<String>,
    cgroup: Option<AttachedToCgroup>,
}

impl TcCapture {
    /// Loads and attaches; the readers are for a thread each.
    pub fn start(options: &CaptureOptions) -> anyhow::Result<(Self, Vec<RingReader>)> {
        let (ring_bytes, rings) = (options.ring_size.bytes(), options.rings.count());
        let mut programs = Programs::read(ring_bytes, rings)?;
        let object = programs.object();
        let wake_at = WAKE_AT.min(ring_bytes / 4);
        let count = u32::try_from(rings).context("the number of rings")?;
        let filters = Filters::new(object, &options.filter, count, wake_at)?;
        let counts = object.take_map("COUNTS").context("no map COUNTS")?;
        let unread = UnreadRecords::default();
        let counters = KernelCounters::new(PerCpuArray::try_from(counts)?, unread.clone());
        let mut readers = Vec::new();
        for name in RECORDS.iter().take(rings) {
            let map = object.take_map(name).context("no map of records")?;
            readers.push(RingReader::new(RingBuf::try_from(map)?, unread.clone()));
        }
        #[cfg(feature = "ebpf-log")]
        super::ring::forward_log(&mut readers, object)?;
        let mut capture = Self {
            counters: counters.clone(),
            filters,
            shared: SharedCapture {
                programs: Arc::new(Mutex::new(programs)),
                hook: options.hook,
                counters,
                blind_times: BlindTimes::default(),
            },
            namespaces: options.namespaces.list(),
            watches: Vec::new(),
            refused: Vec::new(),
            cgroup: None,
        };
        capture.attach(options)?;
        Ok((capture, readers))
    }

    fn attach(&mut self, options: &CaptureOptions) -> anyhow::Result<()> {
        let cgroup = match options.hook {
            Hook::Cgroup => true,
            Hook::Auto => options.interfaces.is_empty(),
            Hook::Tcx | Hook::Tc => false,
        };
        if cgroup {
            let programs = self.shared.programs.lock();
            let mut programs = programs.unwrap_or_else(PoisonError::into_inner);
            self.cgroup = Some(AttachedToCgroup::new(&mut programs)?);
            return Ok(());
        }
        self.watch(&options.interfaces)
    }

    /// Switches to other interfaces; when one of them is wrong, nothing changes.
    pub fn watch(&mut self, interfaces: &[String]) -> anyhow::Result<()> {
        if self.cgroup.is_some() {
            ensure!(
                interfaces.is_empty(),
                "capture is at the root cgroup: to switch to interfaces, stop and start the agent"
            );
            return Ok(());
        }
        let patterns = LinkPatterns::parse(interfaces)?;
        if !self.watches.is_empty() {
            for watch in &self.watches {
                watch.check(&patterns)?;
            }
            for watch in &self.watches {
                watch.switch_to(patterns.clone());
            }
            return Ok(());
        }
        for namespace in &self.namespaces {
            let watch = Watch::start(namespace.clone(), patterns.clone(), self.shared.clone())?;
            self.watches.push(watch);
        }
        Ok(())
    }

    /// Takes the programs away; what they have copied stays in the rings.
    pub fn detach(&mut self) {
        self.refused = self.refused();
        self.watches.clear();
        self.cgroup = None;
    }

    /// Where it is attached now, and how.
    pub fn attachments(&self) -> Vec<Attachment> {
        match &self.cgroup {
            Some(_) => vec![Attachment {
                interface: "root cgroup".into(),
                how: "cgroup",
            }],
            None => self.watches.iter().flat_map(Watch::attachments).collect(),
        }
    }

    /// How it is attached: `tcx`, `clsact` or `cgroup`, or several of them.
    pub fn hook(&self) -> String {
        let attachments = self.attachments();
        let ways: BTreeSet<_> = attachments
            .iter()
            .map(|attachment| attachment.how)
            .collect();
        ways.into_iter().collect::<Vec<_>>().join(", ")
    }

    /// The times in which programs of others may have kept packets from capture.
    pub fn blind_times(&self) -> Vec<BlindTime> {
        self.shared.blind_times.list()
    }

    /// Why wanted interfaces are not captured on.
    fn refused(&self) -> Vec<String> {
        let now = self.watches.iter().flat_map(Watch::refused);
        let all = self.refused.iter().cloned().chain(now);
        all.take(MAX_REFUSED).collect()
    }

    /// What a user should know of packets that are in no counter.
    pub fn advice(&self) -> Vec<String> {
        let times = self.blind_times();
        let mut advice: Vec<String> = times.iter().map(BlindTime::advice).collect();
        advice.extend(
            self.refused()
                .iter()
                .map(|why| format!("not captured: {why}")),
        );
        advice.extend(self.counters.unread().advice());
        advice
    }
}
