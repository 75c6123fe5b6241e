//! The interfaces of the calling thread's network namespace, and word of their changes.

use std::{collections::BTreeMap, io, net::IpAddr, os::fd::AsFd, time::Duration};

use anyhow::{Context, bail};
use glob::Pattern;
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{LinkFlags, LinkHeader, LinkLayerType, LinkMessage},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::{
    ifaddrs::getifaddrs,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

use super::netlink::{self, RouteMessage, attribute, text};

const LINK_HEADER: usize = 16;
// include/uapi/linux/rtnetlink.h
const RTMGRP_LINK: u32 = 1;
const RTMGRP_TC: u32 = 8;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    pub index: u32,
    pub name: String,
    /// None for a kind that capture cannot read.
    pub packets: Option<PacketStart>,
    pub up: bool,
    pub loopback: bool,
}

/// What the packets of an interface begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketStart {
    Ethernet,
    Ip,
}

/// All interfaces by their index.
pub fn list() -> anyhow::Result<BTreeMap<u32, Interface>> {
    let question = RouteNetlinkMessage::GetLink(LinkMessage::default());
    let messages = netlink::dump(question).context("listing the interfaces")?;
    let interfaces = messages.iter().filter_map(interface);
    Ok(interfaces.map(|found| (found.index, found)).collect())
}

fn interface(RouteMessage(message): &RouteMessage) -> Option<Interface> {
    let header = LinkHeader::parse(message).ok()?;
    Some(Interface {
        index: header.index,
        name: text(attribute(message.get(LINK_HEADER..)?, libc::IFLA_IFNAME)?),
        packets: match header.link_layer_type {
            LinkLayerType::Ether | LinkLayerType::Loopback => Some(PacketStart::Ethernet),
            LinkLayerType::None
            | LinkLayerType::Rawip
            | LinkLayerType::Tunnel
            | LinkLayerType::Tunnel6
            | LinkLayerType::Sit => Some(PacketStart::Ip),
            _ => None,
        },
        up: header.flags.contains(LinkFlags::Up),
        loopback: header.flags.contains(LinkFlags::Loopback),
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
            Pattern::new(text).with_context(|| {
                format!("invalid interface `{text}`: write a name or a glob, as in eth0 or veth*")
            })
        };
        Ok(Self(
            texts.iter().map(parse).collect::<anyhow::Result<_>>()?,
        ))
    }

    pub fn matches(&self, interface: &Interface) -> bool {
        self.0
            .iter()
            .any(|pattern| pattern.matches(&interface.name))
    }

    /// Refuses a pattern that no interface matches.
    pub fn check(&self, interfaces: &BTreeMap<u32, Interface>) -> anyhow::Result<()> {
        for pattern in &self.0 {
            let names = interfaces.values().map(|interface| interface.name.as_str());
            if !names.clone().any(|name| pattern.matches(name)) {
                bail!(
                    "there is no interface {pattern}: give --interface one of {}",
                    names.collect::<Vec<_>>().join(", ")
                );
            }
        }
        Ok(())
    }
}

/// Hears of interfaces that come and go, and of clsact filters that do.
pub struct LinkEvents(Socket);

impl LinkEvents {
    pub fn open() -> anyhow::Result<Self> {
        let opened = || -> io::Result<Socket> {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.set_non_blocking(true)?;
            socket.bind(&SocketAddr::new(0, RTMGRP_LINK | RTMGRP_TC))?;
            Ok(socket)
        };
        Ok(Self(
            opened().context("listening to changes of interfaces")?,
        ))
    }

    /// Waits up to `limit` for a change; whether there was one. What changed is found by listing,
    /// because an event may be lost.
    pub fn wait(&self, limit: Duration) -> bool {
        let timeout = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
        let mut waited = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        let changed = poll(&mut waited, timeout).is_ok_and(|ready| ready > 0);
        let mut buffer = [0; 16_384];
        while self.0.recv(&mut &mut buffer[..], 0).is_ok_and(|n| n > 0) {}
        changed
    }
}
