//! clsact filters that a killed agent left: found by their name, and by no process holding their
//! program any more; removed one by one. Others' filters and the qdisc itself stay.

use std::fs;

use super::{
    attach::CLASSIFIERS,
    links,
    netlink::{self, attribute, word},
};
use anyhow::Context;
use aya::programs::{
    TcAttachType,
    links::Link,
    tc::{SchedClassifierLink, TcHandle},
};

// include/uapi/linux/{rtnetlink,pkt_sched,pkt_cls}.h
const RTM_GETTFILTER: u16 = 46;
const CLSACT_INGRESS: u32 = 0xffff_fff2;
const CLSACT_EGRESS: u32 = 0xffff_fff3;
const TCA_OPTIONS: u16 = 2;
const TCA_BPF_NAME: u16 = 7;
const TCA_BPF_ID: u16 = 11;
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
    let mut body = Vec::new();
    for word in [0, index, 0, parent, 0] {
        body.extend_from_slice(&u32::to_ne_bytes(word));
    }
    // No such qdisc is an empty answer.
    let messages = netlink::dump(RTM_GETTFILTER, &body).context("asking for filters")?;
    Ok(messages
        .iter()
        .filter_map(|message| filter(message))
        .collect())
}

/// A filter of ours; None for any other.
fn filter(message: &[u8]) -> Option<Filter> {
    let options = attribute(message.get(TCMSG..)?, TCA_OPTIONS)?;
    let name = netlink::text(attribute(options, TCA_BPF_NAME)?);
    CLASSIFIERS.contains(&name.as_str()).then_some(())?;
    Some(Filter {
        name,
        program: word(attribute(options, TCA_BPF_ID)?, 0)?,
        handle: word(message, 8)?,
        priority: (word(message, 16)? >> 16) as u16,
    })
}
