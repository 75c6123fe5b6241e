//! What this kernel and this process can do, before anything is captured; for `doctor`.

use anyhow::{Context, bail};
use caps::{CapSet, Capability};

use super::{
    attach::{Attached, AttachedToCgroup},
    options::Hook,
    programs::Programs,
};
use crate::capture::net::links;

/// A ring of one page: nothing is captured.
const RING_BYTES: u32 = 4096;

/// Tells whether this kernel takes the programs.
pub fn probe() -> anyhow::Result<String> {
    check_rights()?;
    Programs::read(RING_BYTES, 1)?.load_all()?;
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    Ok(format!("Linux {} loads the programs", release.trim()))
}

/// Tries on the loopback interface which way of attaching this kernel takes.
pub fn try_hooks(wanted: Hook) -> anyhow::Result<String> {
    check_rights()?;
    let mut programs = Programs::read(RING_BYTES, 1)?;
    if wanted == Hook::Cgroup {
        AttachedToCgroup::new(&mut programs)?;
        return Ok("cgroup: as asked for".into());
    }
    let interfaces = links::list()?;
    let loopback = interfaces.values().find(|interface| interface.loopback);
    let loopback = loopback.context("there is no loopback interface to try on")?;
    let how = Attached::new(&mut programs, wanted, loopback)?.how();
    let why = match (wanted, how) {
        (Hook::Auto, "tcx") => "first in the chain, and gone with the agent",
        (Hook::Auto, _) => {
            "this kernel has no TCX (Linux 6.6); what a killed agent leaves, the next start removes"
        }
        _ => "as asked for",
    };
    Ok(format!("{how}: {why}"))
}

/// Whether this process may load and attach programs.
pub fn check_rights() -> anyhow::Result<()> {
    let held =
        caps::read(None, CapSet::Effective).context("reading this process's capabilities")?;
    let bpf = held.contains(&Capability::CAP_BPF) || held.contains(&Capability::CAP_SYS_ADMIN);
    if held.contains(&Capability::CAP_NET_ADMIN) && bpf {
        return Ok(());
    }
    bail!(
        "not root: capture needs root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON. Run it with sudo"
    )
}
