//! The programs of the kernel object: their names, and how they are loaded.

use std::error::Error;

use anyhow::{Context, anyhow};
use aya::{
    Ebpf, EbpfLoader,
    programs::{CgroupSkb, CgroupSkbAttachType, SchedClassifier, TcAttachType},
};
use mirror_common::RINGS;

use crate::capture::net::links::PacketStart;

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

pub(super) const RECORDS: [&str; RINGS] = ["RECORDS_0", "RECORDS_1", "RECORDS_2", "RECORDS_3"];

/// A program for the packets of an interface in one direction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Classifier {
    pub(super) name: &'static str,
    pub(super) direction: TcAttachType,
    packets: PacketStart,
}

const CLASSIFIERS: [Classifier; 4] = [
    Classifier::new(
        "mirror_ingress",
        TcAttachType::Ingress,
        PacketStart::Ethernet,
    ),
    Classifier::new("mirror_egress", TcAttachType::Egress, PacketStart::Ethernet),
    Classifier::new("mirror_ip_in", TcAttachType::Ingress, PacketStart::Ip),
    Classifier::new("mirror_ip_out", TcAttachType::Egress, PacketStart::Ip),
];

/// The programs for the root cgroup.
pub(super) const CGROUP: [(&str, CgroupSkbAttachType); 2] = [
    ("mirror_cg_in", CgroupSkbAttachType::Ingress),
    ("mirror_cg_out", CgroupSkbAttachType::Egress),
];

impl Classifier {
    const fn new(name: &'static str, direction: TcAttachType, packets: PacketStart) -> Self {
        Self {
            name,
            direction,
            packets,
        }
    }

    pub(super) fn is_for_egress(self) -> bool {
        matches!(self.direction, TcAttachType::Egress)
    }

    /// The two for an interface whose packets begin so.
    pub(super) fn both(packets: PacketStart) -> impl Iterator<Item = Self> {
        CLASSIFIERS
            .into_iter()
            .filter(move |classifier| classifier.packets == packets)
    }
}

/// Whether a program at an interface is an agent's, this one's or another's.
pub(super) fn is_of_an_agent(name: &str) -> bool {
    CLASSIFIERS.iter().any(|classifier| classifier.name == name)
}

/// The programs of one loaded object. Each is given to the kernel when it is first needed.
pub(super) struct Programs(Ebpf);

impl Programs {
    /// Reads the object, for so many rings of this size.
    pub(super) fn read(ring_bytes: u32, rings: usize) -> anyhow::Result<Self> {
        let mut loader = EbpfLoader::new();
        for name in RECORDS.iter().take(rings) {
            loader.map_max_entries(name, ring_bytes);
        }
        loader.load(OBJECT).map(Self).map_err(load_error)
    }

    pub(super) fn object(&mut self) -> &mut Ebpf {
        &mut self.0
    }

    /// The program, and the id of its present instance.
    fn classifier(&mut self, name: &str) -> anyhow::Result<(u32, &mut SchedClassifier)> {
        let program = self.0.program_mut(name);
        let program: &mut SchedClassifier = program
            .with_context(|| format!("the object has no program {name}"))?
            .try_into()?;
        if program.fd().is_err() {
            program.load().map_err(load_error)?;
        }
        Ok((program.info()?.id(), program))
    }

    /// An instance of the program that is not `attached`. The kernel attaches an instance only once to a place, so
    /// one that is to come before itself needs another. What is attached stays, because its links are not
    /// the program's any more.
    pub(super) fn other_instance(
        &mut self,
        name: &str,
        attached: Option<u32>,
    ) -> anyhow::Result<(u32, &mut SchedClassifier)> {
        let (id, program) = self.classifier(name)?;
        if attached == Some(id) {
            program.unload()?;
        }
        self.classifier(name)
    }

    pub(super) fn cgroup(&mut self, name: &str) -> anyhow::Result<&mut CgroupSkb> {
        let program = self.0.program_mut(name);
        let program: &mut CgroupSkb = program
            .with_context(|| format!("the object has no program {name}"))?
            .try_into()?;
        if program.fd().is_err() {
            program.load().map_err(load_error)?;
        }
        Ok(program)
    }

    /// Gives every program to the kernel, as each may be needed; for `doctor`.
    pub(super) fn load_all(&mut self) -> anyhow::Result<()> {
        for classifier in CLASSIFIERS {
            self.classifier(classifier.name)?;
        }
        for (name, _) in CGROUP {
            self.cgroup(name)?;
        }
        Ok(())
    }
}

fn load_error(error: impl Error + Send + Sync + 'static) -> anyhow::Error {
    anyhow!(error).context("loading the kernel program")
}

/// An error with its causes, on one line.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}
