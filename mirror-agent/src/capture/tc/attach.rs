//! Attaches the programs to one place: TCX, clsact or the root cgroup.

use std::{fs::File, path::PathBuf};

use anyhow::{Context, anyhow, bail};
use aya::{
    Ebpf,
    programs::{
        CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, LinkOrder, ProgramError, SchedClassifier,
        TcAttachType,
        cgroup_skb::CgroupSkbLinkId,
        tc::{self, NlOptions, SchedClassifierLinkId, TcAttachOptions, TcError},
    },
};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::{
    super::net::links::{Framing, NetLink},
    clsact, load_error,
};

/// How to attach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Hook {
    /// TCX where the kernel has it, else clsact; the root cgroup when no interface is named
    #[default]
    Auto,
    /// First in the interface's TCX chain (Linux 6.6)
    Tcx,
    /// A clsact filter on the interface
    Tc,
    /// The root cgroup: the sockets of all pods, whatever their interfaces
    Cgroup,
}

const INGRESS: [&str; 2] = ["mirror_ingress", "mirror_ip_in"];
const EGRESS: [&str; 2] = ["mirror_egress", "mirror_ip_out"];
pub(super) const CLASSIFIERS: [&str; 4] = [INGRESS[0], INGRESS[1], EGRESS[0], EGRESS[1]];
const CGROUP: [(&str, CgroupSkbAttachType); 2] = [
    ("mirror_cg_in", CgroupSkbAttachType::Ingress),
    ("mirror_cg_out", CgroupSkbAttachType::Egress),
];

/// The programs of one loaded object.
pub struct Programs {
    ebpf: Ebpf,
    hook: Hook,
}

/// Programs attached to one interface, or to the root cgroup.
#[derive(Debug)]
pub struct Attached {
    /// `tcx`, `clsact` or `cgroup`.
    pub how: &'static str,
    classifiers: Vec<(&'static str, SchedClassifierLinkId)>,
    cgroups: Vec<(&'static str, CgroupSkbLinkId)>,
}

impl Programs {
    pub(super) fn new(ebpf: Ebpf, hook: Hook) -> Self {
        Self { ebpf, hook }
    }

    /// Attaches to an interface of the calling thread's namespace.
    pub fn attach(&mut self, link: &NetLink) -> anyhow::Result<Attached> {
        let kind = match link.framing {
            Some(Framing::Ethernet) => 0,
            Some(Framing::Ip) => 1,
            None => bail!(
                "{} has neither Ethernet nor IP framing: capture on the interface below or above it",
                link.name
            ),
        };
        let mut attached = Attached {
            how: "",
            classifiers: Vec::new(),
            cgroups: Vec::new(),
        };
        let places = [
            (INGRESS[kind], TcAttachType::Ingress),
            (EGRESS[kind], TcAttachType::Egress),
        ];
        for (program, direction) in places {
            // Each packet on the loopback interface leaves and arrives there: once is enough.
            if link.loopback && matches!(direction, TcAttachType::Egress) {
                continue;
            }
            match self.attach_one(program, &link.name, direction) {
                Ok((how, id)) => {
                    attached.how = how;
                    attached.classifiers.push((program, id));
                }
                Err(error) => {
                    self.detach(attached);
                    return Err(error.context(format!("attaching to {}", link.name)));
                }
            }
        }
        Ok(attached)
    }

    fn attach_one(
        &mut self,
        program: &str,
        interface: &str,
        direction: TcAttachType,
    ) -> anyhow::Result<(&'static str, SchedClassifierLinkId)> {
        let hook = self.hook;
        let program = self.classifier(program)?;
        let mut refused = String::new();
        if hook != Hook::Tc {
            let first = TcAttachOptions::TcxOrder(LinkOrder::first());
            match program.attach_with_options(interface, direction, first) {
                Ok(id) => return Ok(("tcx", id)),
                Err(error) => refused = chain(&error),
            }
        }
        if hook == Hook::Tcx {
            bail!("this kernel or interface takes no TCX program ({refused}): use --hook auto");
        }
        add_clsact(interface)?;
        let id = attach_clsact(program, interface, direction).map_err(|error| {
            let refusal = chain(&error);
            match refused.as_str() {
                "" => anyhow!("clsact did not take the program ({refusal})"),
                tcx => anyhow!("neither TCX ({tcx}) nor clsact ({refusal}) took the program"),
            }
        })?;
        Ok(("clsact", id))
    }

    /// Attaches to the root cgroup, which sees the sockets of all namespaces.
    pub fn attach_cgroup(&mut self) -> anyhow::Result<Attached> {
        let root = root_cgroup()?;
        let root = File::open(&root).with_context(|| format!("opening {}", root.display()))?;
        let mut attached = Attached {
            how: "cgroup",
            classifiers: Vec::new(),
            cgroups: Vec::new(),
        };
        for (name, direction) in CGROUP {
            let program = self.cgroup_program(name)?;
            // The mode of a link, which always stands beside others.
            match program.attach(&root, direction, CgroupAttachMode::Single) {
                Ok(id) => attached.cgroups.push((name, id)),
                Err(error) => {
                    self.detach(attached);
                    bail!("attaching to the root cgroup: {}", chain(&error));
                }
            }
        }
        Ok(attached)
    }

    /// Whether another program has come before ours since, and may hide packets from it, or has taken
    /// its place.
    pub fn is_displaced(&mut self, link: &NetLink, attached: &Attached) -> bool {
        let names: Vec<_> = attached.classifiers.iter().map(|(name, _)| *name).collect();
        names.into_iter().any(|name| {
            let direction = if INGRESS.contains(&name) {
                TcAttachType::Ingress
            } else {
                TcAttachType::Egress
            };
            let Some(ours) = self.classifier(name).ok().and_then(|p| p.info().ok()) else {
                return false;
            };
            // An interface that is gone is nobody's.
            if attached.how == "tcx" {
                let chain = SchedClassifier::query_tcx(&link.name, direction);
                chain.is_ok_and(|(_, programs)| {
                    programs.first().is_some_and(|p| p.id() != ours.id())
                })
            } else {
                clsact::is_at_its_place(link.index, direction, ours.id()) == Some(false)
            }
        })
    }

    /// Takes the programs away again. The interface may be gone, and its links with it.
    pub fn detach(&mut self, attached: Attached) {
        for (name, id) in attached.classifiers {
            if let Ok(program) = self.classifier(name)
                && let Err(error) = program.detach(id)
            {
                tracing::debug!(name, error = chain(&error), "detaching");
            }
        }
        for (name, id) in attached.cgroups {
            if let Ok(program) = self.cgroup_program(name)
                && let Err(error) = program.detach(id)
            {
                tracing::debug!(name, error = chain(&error), "detaching");
            }
        }
    }

    fn classifier(&mut self, name: &str) -> anyhow::Result<&mut SchedClassifier> {
        let program = self.ebpf.program_mut(name);
        let program: &mut SchedClassifier = program
            .with_context(|| format!("the object has no program {name}"))?
            .try_into()?;
        if program.fd().is_err() {
            program.load().map_err(load_error)?;
        }
        Ok(program)
    }

    fn cgroup_program(&mut self, name: &str) -> anyhow::Result<&mut CgroupSkb> {
        let program = self.ebpf.program_mut(name);
        let program: &mut CgroupSkb = program
            .with_context(|| format!("the object has no program {name}"))?
            .try_into()?;
        if program.fd().is_err() {
            program.load().map_err(load_error)?;
        }
        Ok(program)
    }

    /// Loads every program, as each may be needed; for `doctor`.
    pub(super) fn load_all(&mut self) -> anyhow::Result<()> {
        for name in CLASSIFIERS {
            self.classifier(name)?;
        }
        for (name, _) in CGROUP {
            self.cgroup_program(name)?;
        }
        Ok(())
    }
}

/// Before the filters of others, which may end the chain. Where one of another kind has the first priority it
/// stays first: the kernel does not let it be shared.
fn attach_clsact(
    program: &mut SchedClassifier,
    interface: &str,
    direction: TcAttachType,
) -> Result<SchedClassifierLinkId, ProgramError> {
    let first = NlOptions {
        priority: clsact::FIRST_PRIORITY,
        ..NlOptions::default()
    };
    if let Ok(id) =
        program.attach_with_options(interface, direction, TcAttachOptions::Netlink(first))
    {
        return Ok(id);
    }
    let anywhere = TcAttachOptions::Netlink(NlOptions::default());
    let id = program.attach_with_options(interface, direction, anywhere)?;
    tracing::warn!("another filter stays first on {interface}: it may hide packets from capture");
    Ok(id)
}

/// The qdisc that filters hang on. One that is there is shared with whoever added it.
fn add_clsact(interface: &str) -> anyhow::Result<()> {
    match tc::qdisc_add_clsact(interface) {
        Err(TcError::NetlinkError(error)) if error.raw_os_error() == Some(libc::EEXIST) => {
            clsact::remove(interface)
        }
        Err(error) => bail!("adding the clsact qdisc: {}", chain(&error)),
        Ok(()) => Ok(()),
    }
}

/// Where the second version of cgroups is mounted.
fn root_cgroup() -> anyhow::Result<PathBuf> {
    let mounts =
        std::fs::read_to_string("/proc/self/mounts").context("reading /proc/self/mounts")?;
    let mounted = mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let (_, path, kind) = (fields.next()?, fields.next()?, fields.next()?);
        (kind == "cgroup2").then(|| path.into())
    });
    mounted.context(
        "no cgroup2 file system is mounted: mount one (`mount -t cgroup2 none /sys/fs/cgroup/unified`), or name interfaces",
    )
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}
