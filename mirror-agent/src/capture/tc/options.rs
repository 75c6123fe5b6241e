//! What live capture is told.

use std::path::PathBuf;

use clap::ValueEnum;
use mirror_core::filter::FilterSettings;
use mirror_core::options::{ByteSize, FromText};

use crate::capture::net::namespace::Namespace;

mirror_core::options! {
    /// Where live capture takes place, and with which means.
    #[derive(Clone, Debug)]
    pub struct CaptureOptions("Capture") {
        /// Interface to capture on, or a glob as in 'veth*' (repeatable)
        #[option("interface", "NAME", live)]
        pub interfaces: Vec<String>,
        pub filter: FilterSettings,
        /// How to attach: tcx is first in the interface's chain (Linux 6.6), tc is a clsact filter, cgroup sees the
        /// sockets of all pods, and auto takes what the kernel has
        #[option("hook", "HOOK", default = "auto")]
        pub hook: Hook,
        pub namespaces: Namespaces,
        /// Size of each ring between kernel and agent, a power of two
        #[option("ring-size", "SIZE", default = "32MiB")]
        pub ring_size: RingSize,
        /// Rings, each with a thread that reads it: 1, 2 or 4; auto takes 1 below 4 CPUs, 2 below 16, else 4
        #[option("rings", "N", default = "auto")]
        pub rings: Rings,
    }
}

mirror_core::options! {
    /// Network namespaces to capture in.
    #[derive(Clone, Debug)]
    pub struct Namespaces("Capture") {
        /// Process in whose network namespace to capture, as in a container's (repeatable)
        #[option("pid", "PID")]
        pub processes: Vec<u32>,
        /// Network namespace to capture in, by name or path (repeatable)
        #[option("netns", "NAME")]
        pub names: Vec<PathBuf>,
    }
}

impl Namespaces {
    /// At least one: the agent's own unless others are named.
    pub fn list(&self) -> Vec<Namespace> {
        let processes = self.processes.iter().copied().map(Namespace::Process);
        let names = self.names.iter().cloned().map(Namespace::Named);
        let named: Vec<_> = processes.chain(names).collect();
        match named.is_empty() {
            true => vec![Namespace::Own],
            false => named,
        }
    }
}

/// How to attach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Hook {
    /// TCX where the kernel has it, else clsact; the root cgroup when no interface is named
    Auto,
    /// First in the interface's TCX chain (Linux 6.6)
    Tcx,
    /// A clsact filter on the interface
    Tc,
    /// The root cgroup: the sockets of all pods, whatever their interfaces
    Cgroup,
}

/// Bytes of a ring: a power of two, as the kernel wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingSize(u32);

impl RingSize {
    const SMALLEST: u64 = 256 << 10;
    const LARGEST: u64 = 1 << 30;

    pub fn bytes(self) -> u32 {
        self.0
    }
}

impl FromText for RingSize {
    fn from_text(text: &str) -> Result<Self, String> {
        let size = ByteSize::from_text(text)?.as_u64();
        if !(Self::SMALLEST..=Self::LARGEST).contains(&size) {
            return Err("use a size from 256KiB to 1GiB".into());
        }
        if !size.is_power_of_two() {
            let above = size.next_power_of_two();
            return Err(format!(
                "a ring's size is a power of two: use {} or {}",
                binary(above / 2),
                binary(above)
            ));
        }
        Ok(Self(size as u32))
    }
}

fn binary(size: u64) -> String {
    match size >> 20 {
        0 => format!("{}KiB", size >> 10),
        mebibytes => format!("{mebibytes}MiB"),
    }
}

/// How many rings there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rings {
    /// By the number of CPUs.
    Auto,
    Fixed(usize),
}

impl Rings {
    /// A reader keeps up with what several CPUs serve.
    pub fn count(self) -> usize {
        match self {
            Self::Fixed(count) => count,
            Self::Auto => match std::thread::available_parallelism().map_or(1, usize::from) {
                0..4 => 1,
                4..16 => 2,
                _ => 4,
            },
        }
    }
}

impl FromText for Rings {
    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "1" | "2" | "4" => Ok(Self::Fixed(text.parse().unwrap_or(1))),
            _ => Err(
                "use 1, 2 or 4, or auto; one is enough for some 100,000 requests a second".into(),
            ),
        }
    }
}

impl FromText for Hook {
    fn from_text(text: &str) -> Result<Self, String> {
        crate::variants::variant(text)
    }

    fn values() -> Vec<String> {
        crate::variants::variants::<Self>()
    }
}
