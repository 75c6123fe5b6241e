//! clsact filters that a killed agent left: found by their name, and by no process holding their
//! program any more; removed one by one. Others' filters and the qdisc itself stay.

use std::{fs, os::fd::AsRawFd};

use anyhow::Context;
use aya::programs::{
    TcAttachType,
    links::Link,
    tc::{SchedClassifierLink, TcHandle},
};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};

use super::{attach::CLASSIFIERS, links};

// include/uapi/linux/{netlink,rtnetlink,pkt_sched,pkt_cls}.h
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const RTM_NEWTFILTER: u16 = 44;
const RTM_GETTFILTER: u16 = 46;
const REQUEST_DUMP: u16 = 0x301;
const CLSACT_INGRESS: u32 = 0xffff_fff2;
const CLSACT_EGRESS: u32 = 0xffff_fff3;
const TCA_OPTIONS: u16 = 2;
const TCA_BPF_NAME: u16 = 7;
const TCA_BPF_ID: u16 = 11;
const ATTRIBUTE_TYPE: u16 = 0x3fff;
const HEADER: usize = 16;
const TCMSG: usize = 20;

/// A filter with one of our names.
#[derive(Debug, PartialEq, Eq)]
struct Filter {
    name: String,
    program: u32,
    handle: u32,
    priority: u16,
}

/// What was left on any interface of this namespace, as `interface program`.
pub fn find_all() -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for link in links::list()?.values() {
        for (filter, _) in stale(link.index)? {
            found.push(format!("{} {}", link.name, filter.name));
        }
    }
    Ok(found)
}

/// Removes what was left on all interfaces of this namespace; tells what.
pub fn remove_all() -> anyhow::Result<Vec<String>> {
    let found = find_all()?;
    for link in links::list()?.values() {
        remove(&link.name)?;
    }
    Ok(found)
}

/// Removes what was left on one interface.
pub(super) fn remove(interface: &str) -> anyhow::Result<()> {
    let index = nix::net::if_::if_nametoindex(interface)
        .with_context(|| format!("looking for {interface}"))?;
    for (filter, direction) in stale(index)? {
        tracing::info!(
            interface,
            filter = filter.name,
            "removing what a killed agent left"
        );
        let handle = TcHandle::from(filter.handle);
        SchedClassifierLink::attached(interface, direction, filter.priority, handle, None)?
            .detach()
            .with_context(|| format!("removing {} from {interface}", filter.name))?;
    }
    Ok(())
}

fn stale(index: u32) -> anyhow::Result<Vec<(Filter, TcAttachType)>> {
    let mut stale = Vec::new();
    for (parent, direction) in [
        (CLSACT_INGRESS, TcAttachType::Ingress),
        (CLSACT_EGRESS, TcAttachType::Egress),
    ] {
        for filter in filters(index, parent)? {
            if !is_held(filter.program) {
                stale.push((filter, direction));
            }
        }
    }
    Ok(stale)
}

/// Whether a process has the program open, as every living agent has its own.
fn is_held(program: u32) -> bool {
    let line = format!("prog_id:\t{program}");
    let Ok(processes) = fs::read_dir("/proc") else {
        // Unknown: better a filter too many than another agent's taken away.
        return true;
    };
    processes.flatten().any(|process| {
        let Ok(descriptors) = fs::read_dir(process.path().join("fdinfo")) else {
            return false;
        };
        descriptors.flatten().any(|descriptor| {
            fs::read_to_string(descriptor.path())
                .is_ok_and(|info| info.lines().any(|entry| entry == line))
        })
    })
}

/// Our filters at one side of an interface's clsact.
fn filters(index: u32, parent: u32) -> anyhow::Result<Vec<Filter>> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )
    .context("asking the kernel for its filters")?;
    send(
        socket.as_raw_fd(),
        &question(index, parent),
        MsgFlags::empty(),
    )
    .context("asking the kernel for its filters")?;
    let mut found = Vec::new();
    let mut buffer = vec![0; 65_536];
    loop {
        let len = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())
            .context("reading the kernel's filters")?;
        if answer(&buffer[..len], &mut found) {
            return Ok(found);
        }
    }
}

fn question(index: u32, parent: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + TCMSG);
    bytes.extend_from_slice(&((HEADER + TCMSG) as u32).to_ne_bytes());
    bytes.extend_from_slice(&RTM_GETTFILTER.to_ne_bytes());
    bytes.extend_from_slice(&REQUEST_DUMP.to_ne_bytes());
    bytes.extend_from_slice(&[0; 8]);
    for word in [0, index, 0, parent, 0] {
        bytes.extend_from_slice(&word.to_ne_bytes());
    }
    bytes
}

/// Reads a datagram of answers; true when it was the last. An error means: no such qdisc.
fn answer(mut bytes: &[u8], found: &mut Vec<Filter>) -> bool {
    while let (Some(len), Some(kind)) = (word(bytes, 0), half(bytes, 4)) {
        let len = len as usize;
        match kind {
            NLMSG_DONE | NLMSG_ERROR => return true,
            RTM_NEWTFILTER => found.extend(bytes.get(HEADER..len).and_then(filter)),
            _ => {}
        }
        bytes = bytes
            .get(len.max(HEADER).next_multiple_of(4)..)
            .unwrap_or_default();
    }
    false
}

/// A filter of ours; None for any other.
fn filter(message: &[u8]) -> Option<Filter> {
    let options = attribute(message.get(TCMSG..)?, TCA_OPTIONS)?;
    let name = attribute(options, TCA_BPF_NAME)?;
    let name = String::from_utf8_lossy(name.split(|b| *b == 0).next()?).into_owned();
    CLASSIFIERS.contains(&name.as_str()).then_some(())?;
    Some(Filter {
        name,
        program: word(attribute(options, TCA_BPF_ID)?, 0)?,
        handle: word(message, 8)?,
        priority: (word(message, 16)? >> 16) as u16,
    })
}

fn attribute(mut bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    while let (Some(len), Some(kind)) = (half(bytes, 0), half(bytes, 2)) {
        let len = usize::from(len);
        if kind & ATTRIBUTE_TYPE == wanted {
            return bytes.get(4..len);
        }
        bytes = bytes.get(len.max(4).next_multiple_of(4)..)?;
    }
    None
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}
