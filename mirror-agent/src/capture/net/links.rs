//! The interfaces of the calling thread's network namespace, and word of their changes.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    time::Duration,
};

use anyhow::{Context, bail};
use glob::Pattern;
use nix::{
    ifaddrs::getifaddrs,
    net::if_::InterfaceFlags,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{
        AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
    },
};

use super::netlink::{self, attribute, half, text, word};

// include/uapi/linux/{rtnetlink,if_link}.h
const RTM_GETLINK: u16 = 18;
const IFINFOMSG: usize = 16;
const IFLA_IFNAME: u16 = 3;

// include/uapi/linux/if_arp.h
const ARPHRD_ETHER: u16 = 1;
const ARPHRD_RAWIP: u16 = 519;
const ARPHRD_TUNNEL: u16 = 768;
const ARPHRD_TUNNEL6: u16 = 769;
const ARPHRD_LOOPBACK: u16 = 772;
const ARPHRD_SIT: u16 = 776;
const ARPHRD_NONE: u16 = 0xfffe;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetLink {
    pub index: u32,
    pub name: String,
    pub framing: Option<Framing>,
    pub up: bool,
    pub loopback: bool,
}

/// What the first byte of a packet belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    Ethernet,
    Ip,
}

/// All interfaces by their index.
pub fn list() -> anyhow::Result<BTreeMap<u32, NetLink>> {
    let messages = netlink::dump(RTM_GETLINK, &[0; IFINFOMSG]).context("listing the interfaces")?;
    let links = messages.iter().filter_map(|message| link(message));
    Ok(links.map(|link| (link.index, link)).collect())
}

fn link(message: &[u8]) -> Option<NetLink> {
    let flags = InterfaceFlags::from_bits_truncate(word(message, 8)?.cast_signed());
    Some(NetLink {
        index: word(message, 4)?,
        name: text(attribute(message.get(IFINFOMSG..)?, IFLA_IFNAME)?),
        framing: match half(message, 2)? {
            ARPHRD_ETHER | ARPHRD_LOOPBACK => Some(Framing::Ethernet),
            ARPHRD_NONE | ARPHRD_RAWIP | ARPHRD_TUNNEL | ARPHRD_TUNNEL6 | ARPHRD_SIT => {
                Some(Framing::Ip)
            }
            _ => None,
        },
        up: flags.contains(InterfaceFlags::IFF_UP),
        loopback: flags.contains(InterfaceFlags::IFF_LOOPBACK),
    })
}

/// The addresses of all interfaces.
pub fn addresses() -> anyhow::Result<Vec<IpAddr>> {
    let entries = getifaddrs().context("listing the interfaces")?;
    let ip = |entry: nix::ifaddrs::InterfaceAddress| {
        let address = entry.address?;
        let v4 = address.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip())))
    };
    Ok(entries.filter_map(ip).collect())
}

/// Names and globs, as in `eth0` and `veth*`.
#[derive(Clone, Debug)]
pub struct LinkPatterns(Vec<Pattern>);

impl LinkPatterns {
    pub fn parse(texts: &[String]) -> anyhow::Result<Self> {
        let parse = |text: &String| {
            Pattern::new(text).with_context(|| format!("`{text}` is no name or glob of interfaces"))
        };
        Ok(Self(
            texts.iter().map(parse).collect::<anyhow::Result<_>>()?,
        ))
    }

    pub fn matches(&self, link: &NetLink) -> bool {
        self.0.iter().any(|pattern| pattern.matches(&link.name))
    }

    /// Refuses a pattern that no interface has.
    pub fn check(&self, links: &BTreeMap<u32, NetLink>) -> anyhow::Result<()> {
        for pattern in &self.0 {
            if !links.values().any(|link| pattern.matches(&link.name)) {
                let names: Vec<_> = links.values().map(|link| link.name.as_str()).collect();
                bail!(
                    "there is no interface {pattern}: give --interface one of {}",
                    names.join(", ")
                );
            }
        }
        Ok(())
    }
}

/// Hears of interfaces that come and go.
pub struct LinkEvents(OwnedFd);

impl LinkEvents {
    pub fn open() -> anyhow::Result<Self> {
        let opened = || -> nix::Result<OwnedFd> {
            let socket = socket(
                AddressFamily::Netlink,
                SockType::Raw,
                SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
                SockProtocol::NetlinkRoute,
            )?;
            let groups = libc::RTMGRP_LINK.unsigned_abs();
            bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
            Ok(socket)
        };
        Ok(Self(
            opened().context("listening to changes of interfaces")?,
        ))
    }

    /// Waits for a change, `limit` at the most; whether there was one. What changed is found by
    /// listing: an event may be lost.
    pub fn wait(&self, limit: Duration) -> bool {
        let timeout = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
        let mut waited = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        let changed = poll(&mut waited, timeout).is_ok_and(|ready| ready > 0);
        let mut buffer = [0; 16_384];
        while recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT).is_ok_and(|n| n > 0) {}
        changed
    }
}
