//! The filters of an interface's clsact: whether ours is there and first, and those that a killed agent
//! left. These are found by their name, and by no process holding their program any more, and removed
//! one by one. Others' filters and the qdisc itself stay.

use std::fs;

use super::{
    super::net::{
        links,
        netlink::{self, attribute, word},
    },
    attach::CLASSIFIERS,
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
const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_BPF_NAME: u16 = 7;
const TCA_BPF_ID: u16 = 11;
const TCMSG: usize = 20;

/// The lowest, which goes first.
pub(super) const FIRST_PRIORITY: u16 = 1;

#[derive(Debug, PartialEq, Eq)]
struct Filter {
    kind: String,
    /// The program's; empty for a filter that is none.
    name: String,
    program: u32,
    handle: u32,
    priority: u16,
}

impl Filter {
    fn is_ours(&self) -> bool {
        CLASSIFIERS.contains(&self.name.as_str())
    }
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

/// Whether a program of ours is at its place: first, unless a filter of another kind has the first priority, which
/// cannot be shared. None when that cannot be told, as of an interface that is gone.
pub(super) fn is_at_its_place(index: u32, direction: TcAttachType, program: u32) -> Option<bool> {
    let parent = match direction {
        TcAttachType::Ingress => CLSACT_INGRESS,
        _ => CLSACT_EGRESS,
    };
    let found = filters(index, parent).ok()?;
    let place = found.iter().position(|filter| filter.program == program);
    let blocked = found
        .first()
        .is_some_and(|first| first.priority == FIRST_PRIORITY && first.kind != "bpf");
    Some(place.is_some_and(|place| place == 0 || blocked))
}

fn stale(index: u32) -> anyhow::Result<Vec<(Filter, TcAttachType)>> {
    let mut stale = Vec::new();
    for (parent, direction) in [
        (CLSACT_INGRESS, TcAttachType::Ingress),
        (CLSACT_EGRESS, TcAttachType::Egress),
    ] {
        for filter in filters(index, parent)? {
            if filter.is_ours() && !is_held(filter.program) {
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

/// The filters at one side of an interface's clsact, in their order.
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

/// None for the head of a priority, which has no handle.
fn filter(message: &[u8]) -> Option<Filter> {
    let attributes = message.get(TCMSG..)?;
    let handle = word(message, 8)?;
    let options = attribute(attributes, TCA_OPTIONS)?;
    let text = |bytes: Option<&[u8]>| bytes.map(netlink::text).unwrap_or_default();
    (handle != 0).then_some(Filter {
        kind: text(attribute(attributes, TCA_KIND)),
        name: text(attribute(options, TCA_BPF_NAME)),
        program: attribute(options, TCA_BPF_ID)
            .and_then(|id| word(id, 0))
            .unwrap_or(0),
        handle,
        priority: (word(message, 16)? >> 16) as u16,
    })
}
