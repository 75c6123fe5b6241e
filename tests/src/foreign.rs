//! Another's TC program: one that ends the chain with a verdict, loaded and attached by bare system calls.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use anyhow::{Context, Result};

// include/uapi/linux/bpf.h
const PROG_LOAD: libc::c_long = 5;
const LINK_CREATE: libc::c_long = 28;
const SCHED_CLS: u32 = 3;
const TCX_INGRESS: u32 = 46;
const F_BEFORE: u32 = 1 << 3;

/// Lets the packet pass, and has no later program see it.
pub const PASS: i32 = 0;
/// Drops the packet.
pub const DROP: i32 = 2;

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
    pub fn attach(interface: u32, verdict: i32, first: bool) -> Result<Self> {
        let [a, b, c, d] = verdict.to_le_bytes();
        // r0 = verdict; exit
        let code: [u8; 16] = [0xb7, 0, 0, 0, a, b, c, d, 0x95, 0, 0, 0, 0, 0, 0, 0];
        let mut name = [0; 16];
        name[..7].copy_from_slice(b"foreign");
        let program = call(
            PROG_LOAD,
            &ProgLoad {
                kind: SCHED_CLS,
                instructions: 2,
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
