//! What live capture is told.

use clap::ValueEnum;
use mirror_core::filter::FilterSettings;
use serde::{Deserialize, Serialize};

use crate::capture::net::namespace::Namespace;

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

#[derive(Clone, Debug, PartialEq)]
pub struct CaptureOptions {
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
