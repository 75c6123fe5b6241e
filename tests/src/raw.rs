//! Frames as they are, out of an interface.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use anyhow::{Context, Result};

/// Sends a frame, from its Ethernet header on, in the calling thread's namespace.
pub fn send(interface: &str, frame: &[u8]) -> Result<()> {
    let name = CString::new(interface)?;
    // SAFETY: no pointers; the descriptor is checked before it is owned.
    let socket = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    if socket < 0 {
        return Err(io::Error::last_os_error()).context("opening a packet socket");
    }
    // SAFETY: a fresh descriptor that nobody else has.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    // SAFETY: all zeroes are a valid address, and the name ends with a zero.
    let to = unsafe {
        let mut to: libc::sockaddr_ll = std::mem::zeroed();
        to.sll_family = libc::AF_PACKET as u16;
        to.sll_ifindex = i32::try_from(libc::if_nametoindex(name.as_ptr()))?;
        to
    };
    // SAFETY: the kernel reads the frame, and an address of the size it is told.
    let sent = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            frame.as_ptr().cast(),
            frame.len(),
            0,
            (&raw const to).cast(),
            size_of_val(&to) as u32,
        )
    };
    if usize::try_from(sent) != Ok(frame.len()) {
        return Err(io::Error::last_os_error()).context("sending a frame");
    }
    Ok(())
}
