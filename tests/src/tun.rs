//! An interface without Ethernet header whose other end is this process.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::process::Command;

use anyhow::{Context, Result, bail};

// include/uapi/linux/if_tun.h
const TUNSETIFF: libc::c_ulong = 0x4004_54ca;
const TUNSETLINK: libc::c_ulong = 0x4004_54cd;
const IFF_TUN: libc::c_short = 1;
const IFF_NO_PI: libc::c_short = 0x1000;

#[derive(Debug)]
pub struct Tun(File);

impl Tun {
    /// Makes it in the calling thread's namespace, and sets it up; it goes when dropped.
    pub fn open(name: &str) -> Result<Self> {
        let tun = Self::down(name)?;
        set_up(name)?;
        Ok(tun)
    }

    /// As `open`, with a number of if_arp.h that says what its packets begin with.
    pub fn of_kind(name: &str, kind: u16) -> Result<Self> {
        let tun = Self::down(name)?;
        // SAFETY: the kernel takes the number itself.
        if unsafe { libc::ioctl(tun.0.as_raw_fd(), TUNSETLINK, libc::c_ulong::from(kind)) } != 0 {
            return Err(std::io::Error::last_os_error()).context("setting a tun interface's kind");
        }
        set_up(name)?;
        Ok(tun)
    }

    fn down(name: &str) -> Result<Self> {
        let device = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/net/tun")
            .context("opening /dev/net/tun")?;
        // SAFETY: all zeroes are a valid ifreq.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        for (to, from) in request.ifr_name.iter_mut().zip(name.bytes().take(15)) {
            *to = from as libc::c_char;
        }
        request.ifr_ifru.ifru_flags = IFF_TUN | IFF_NO_PI;
        // SAFETY: the kernel reads and writes one ifreq.
        if unsafe { libc::ioctl(device.as_raw_fd(), TUNSETIFF, &raw mut request) } != 0 {
            return Err(std::io::Error::last_os_error()).context("making a tun interface");
        }
        Ok(Self(device))
    }

    /// The host receives this packet, from its IP header on.
    pub fn send(&mut self, packet: &[u8]) -> Result<()> {
        self.0.write_all(packet).context("writing a packet")
    }
}

fn set_up(name: &str) -> Result<()> {
    let up = Command::new("ip")
        .args(["link", "set", name, "up"])
        .status()?;
    if !up.success() {
        bail!("setting {name} up: {up}");
    }
    Ok(())
}
