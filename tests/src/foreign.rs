//! Others' TC programs, most of which end the chain: loaded and attached to TCX by bare system calls, or filters of clsact made by `tc`.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::Command;

use anyhow::{Context, Result, bail};

// include/uapi/linux/bpf.h
const PROG_LOAD: libc::c_long = 5;
const LINK_CREATE: libc::c_long = 28;
const SCHED_CLS: u32 = 3;
const TCX_INGRESS: u32 = 46;
const F_BEFORE: u32 = 1 << 3;

/// What another's program does with every packet; all but the first end the chain.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// Leaves it to the programs after it.
    Next,
    Pass,
    Drop,
    /// Sends it out of another interface.
    Redirect(u32),
    /// Hands it to the other end of a wire, in another namespace, past this end: as network plug-ins do.
    RedirectPeer(u32),
}

impl Act {
    fn code(self) -> Vec<[u8; 8]> {
        // One instruction each: r1 = n, r2 = n, r0 = n; then call and exit.
        let set = |register: u8, n: u32| {
            let [a, b, c, d] = n.to_le_bytes();
            [0xb7, register, 0, 0, a, b, c, d]
        };
        const REDIRECT: [u8; 8] = [0x85, 0, 0, 0, 23, 0, 0, 0];
        const REDIRECT_PEER: [u8; 8] = [0x85, 0, 0, 0, 155, 0, 0, 0];
        const EXIT: [u8; 8] = [0x95, 0, 0, 0, 0, 0, 0, 0];
        match self {
            Self::Next => vec![set(0, u32::MAX), EXIT],
            Self::Pass => vec![set(0, 0), EXIT],
            Self::Drop => vec![set(0, 2), EXIT],
            Self::Redirect(interface) => vec![set(1, interface), set(2, 0), REDIRECT, EXIT],
            Self::RedirectPeer(interface) => {
                vec![set(1, interface), set(2, 0), REDIRECT_PEER, EXIT]
            }
        }
    }
}

/// Attached by TCX while it lives.
#[derive(Debug)]
pub struct Foreign {
    _link: OwnedFd,
}

#[repr(C)]
#[derive(Default)]
struct ProgLoad {
    kind: u32,
    instructions: u32,
    code: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    version: u32,
    flags: u32,
    name: [u8; 16],
}

#[repr(C)]
#[derive(Default)]
struct LinkCreate {
    program: u32,
    interface: u32,
    kind: u32,
    flags: u32,
    relative: u32,
    pad: u32,
    revision: u64,
}

impl Foreign {
    /// At an interface's ingress, in the calling thread's namespace; first in the chain or last.
    pub fn attach(interface: u32, act: Act, first: bool) -> Result<Self> {
        let code = act.code();
        let mut name = [0; 16];
        name[..7].copy_from_slice(b"foreign");
        let program = call(
            PROG_LOAD,
            &ProgLoad {
                kind: SCHED_CLS,
                instructions: u32::try_from(code.len())?,
                code: code.as_ptr() as u64,
                license: c"GPL".as_ptr() as u64,
                name,
                ..ProgLoad::default()
            },
        )
        .context("loading another's program")?;
        let link = call(
            LINK_CREATE,
            &LinkCreate {
                program: program.as_raw_fd() as u32,
                interface,
                kind: TCX_INGRESS,
                flags: if first { F_BEFORE } else { 0 },
                ..LinkCreate::default()
            },
        )
        .context("attaching another's program")?;
        Ok(Self { _link: link })
    }
}

/// Adds a clsact filter at an interface's ingress, in the calling thread's namespace, for which the
/// qdisc must be there: `tc`'s words for kind and action.
pub fn add_filter(interface: &str, priority: u16, words: &[&str]) -> Result<()> {
    let priority = priority.to_string();
    let place = [
        "filter", "add", "dev", interface, "ingress", "prio", &priority,
    ];
    tc(&[&place[..], words].concat())?;
    Ok(())
}

/// The qdisc that filters hang on.
pub fn add_clsact(interface: &str) -> Result<()> {
    tc(&["qdisc", "add", "dev", interface, "clsact"])?;
    Ok(())
}

/// Removes all filters at an interface's ingress.
pub fn clear_filters(interface: &str) -> Result<()> {
    tc(&["filter", "delete", "dev", interface, "ingress"])?;
    Ok(())
}

/// The filters at an interface's ingress, as `tc` shows them.
pub fn filters(interface: &str) -> Result<String> {
    tc(&["filter", "show", "dev", interface, "ingress"])
}

fn tc(args: &[&str]) -> Result<String> {
    let output = Command::new("tc").args(args).output();
    let output = output.context("running tc (package iproute2)")?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if !output.status.success() {
        bail!("tc {}: {}", args.join(" "), text(&output.stderr));
    }
    Ok(text(&output.stdout))
}

fn call<T>(command: libc::c_long, attributes: &T) -> io::Result<OwnedFd> {
    let (at, size) = (std::ptr::from_ref(attributes), size_of::<T>());
    // SAFETY: the kernel reads `size` bytes of a struct of plain integers, and what its pointers
    // point to outlives the call.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, command, at, size) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: a fresh descriptor that nobody else has.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
