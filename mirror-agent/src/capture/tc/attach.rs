//! Attaches the programs to one place: an interface, by TCX or clsact, or the root cgroup.

use std::{fs::File, path::PathBuf};

use anyhow::{Context, anyhow, bail};
use aya::programs::{CgroupAttachMode, cgroup_skb::CgroupSkbLink, tc::SchedClassifierLink};

use super::{
    blind_times::{Cause, Standing},
    clsact,
    liveness::SignOfLife,
    options::Hook,
    programs::{CGROUP, Classifier, Programs, chain},
    tcx,
};
use crate::capture::net::links::Interface;

/// Programs attached to one interface; dropping it detaches, in the interface's network namespace.
#[derive(Debug)]
pub(super) struct Attached(Vec<AttachedProgram>);

#[derive(Debug)]
struct AttachedProgram {
    classifier: Classifier,
    /// The number of the instance that is attached.
    id: u32,
    way: Way,
    /// Dropped before the sign of life is.
    _link: SchedClassifierLink,
    _sign: Option<SignOfLife>,
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Tcx,
    Clsact,
}

impl Attached {
    /// Attaches to an interface of the calling thread's network namespace.
    pub(super) fn new(
        programs: &mut Programs,
        hook: Hook,
        interface: &Interface,
    ) -> anyhow::Result<Self> {
        let Some(packets) = interface.packets else {
            bail!(
                "attaching to {}: its packets begin with neither an Ethernet nor an IP header: capture on the \
                 interface below or above it",
                interface.name
            );
        };
        let mut attached = Self(Vec::new());
        for classifier in Classifier::both(packets) {
            // Each packet on the loopback interface leaves and arrives there: once is enough.
            if interface.loopback && classifier.is_for_egress() {
                continue;
            }
            let program = AttachedProgram::new(programs, hook, classifier, interface, None)
                .with_context(|| format!("attaching to {}", interface.name))?;
            attached.0.push(program);
        }
        Ok(attached)
    }

    /// `tcx` or `clsact`.
    pub(super) fn how(&self) -> &'static str {
        match self.0.first().map(|program| program.way) {
            Some(Way::Tcx) => "tcx",
            Some(Way::Clsact) => "clsact",
            None => "",
        }
    }

    /// Where the programs are among those of others: the worst of both directions. None when that cannot be
    /// told.
    pub(super) fn standing(&self, interface: &Interface) -> Option<Standing> {
        let standings = self.0.iter().map(|p| p.standing(interface));
        standings.max().flatten()
    }

    /// Puts the programs before those of others again, in the way that they are attached. The new place is taken
    /// before the old one is left: a packet in between is seen twice, as a retransmission would be.
    pub(super) fn come_first(
        &mut self,
        programs: &mut Programs,
        interface: &Interface,
    ) -> anyhow::Result<()> {
        for program in &mut self.0 {
            if matches!(program.standing(interface), Some(Standing::Blind(_))) {
                let hook = match program.way {
                    Way::Tcx => Hook::Tcx,
                    Way::Clsact => Hook::Tc,
                };
                let (classifier, id) = (program.classifier, Some(program.id));
                *program = AttachedProgram::new(programs, hook, classifier, interface, id)
                    .with_context(|| format!("coming first on {}", interface.name))?;
            }
        }
        Ok(())
    }
}

impl AttachedProgram {
    /// Attaches an instance of a program that is not `attached` there already.
    fn new(
        programs: &mut Programs,
        hook: Hook,
        classifier: Classifier,
        interface: &Interface,
        attached: Option<u32>,
    ) -> anyhow::Result<Self> {
        let (id, program) = programs.other_instance(classifier.name, attached)?;
        let direction = classifier.direction;
        let with = |way, link, sign| Self {
            classifier,
            id,
            way,
            _link: link,
            _sign: sign,
        };
        let mut refusal = String::new();
        if hook != Hook::Tc {
            match tcx::attach(program, &interface.name, direction) {
                Ok(link) => return Ok(with(Way::Tcx, link, None)),
                Err(error) => refusal = format!("{error:#}"),
            }
        }
        if hook == Hook::Tcx {
            bail!("this kernel or interface takes no TCX program ({refusal}): use --hook auto");
        }
        let sign = SignOfLife::give(id).context("giving a sign of life to other agents")?;
        match clsact::attach((id, program), interface, direction) {
            Ok(link) => Ok(with(Way::Clsact, link, Some(sign))),
            Err(error) if refusal.is_empty() => Err(error),
            Err(error) => Err(anyhow!(
                "neither TCX ({refusal}) nor clsact ({error:#}) took the program"
            )),
        }
    }

    fn standing(&self, interface: &Interface) -> Option<Standing> {
        let direction = self.classifier.direction;
        match self.way {
            Way::Tcx => tcx::standing(&interface.name, direction, self.id),
            // The kernel runs TCX first, on an interface that has both.
            Way::Clsact if tcx::has_others(&interface.name, direction) => {
                Some(Standing::Blind(Cause::Behind))
            }
            Way::Clsact => clsact::standing(interface.index, direction, self.id),
        }
    }
}

/// Programs attached to the root cgroup, which sees the sockets of all namespaces; dropping it detaches. Any number
/// of agents stand there side by side: the kernel runs all programs of a cgroup, whatever each returns.
#[derive(Debug)]
pub(super) struct AttachedToCgroup {
    _links: Vec<CgroupSkbLink>,
}

impl AttachedToCgroup {
    pub(super) fn new(programs: &mut Programs) -> anyhow::Result<Self> {
        let root = root_cgroup()?;
        let root = File::open(&root).with_context(|| format!("opening {}", root.display()))?;
        let mut links = Vec::new();
        for (name, direction) in CGROUP {
            let program = programs.cgroup(name)?;
            // The mode of a link, which always stands beside others.
            let link = program
                .attach(&root, direction, CgroupAttachMode::Single)
                .map_err(|error| anyhow!("attaching to the root cgroup: {}", chain(&error)))?;
            links.push(program.take_link(link).context("keeping the link")?);
        }
        Ok(Self { _links: links })
    }
}

/// Where the second version of cgroups is mounted.
fn root_cgroup() -> anyhow::Result<PathBuf> {
    let mounts = procfs::mounts().context("reading the list of mounts")?;
    let mount = mounts
        .into_iter()
        .find(|mount| mount.fs_vfstype == "cgroup2");
    let mount = mount.context(
        "no cgroup2 file system is mounted: mount one (`mount -t cgroup2 none /sys/fs/cgroup/unified`), or name interfaces",
    )?;
    Ok(mount.fs_file.into())
}
