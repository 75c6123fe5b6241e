//! The filters of an interface's clsact: where ours is among them, and those that a killed agent left. These
//! are found by their name and by the silence of their agent, and removed one by one. Filters of others, of living
//! agents, and the qdisc itself stay.

use anyhow::Context;
use aya::programs::{
    SchedClassifier, TcAttachType,
    links::Link,
    tc::{self, NlOptions, SchedClassifierLink, TcAttachOptions, TcError, TcHandle},
};
use netlink_packet_core::{NlasIterator, Parseable};
use netlink_packet_route::{
    RouteNetlinkMessage,
    tc::{TcFilterBpf, TcFilterBpfOption, TcHeader, TcMessage},
};

use super::{
    blind_times::{Cause, Standing},
    liveness::is_alive,
    programs::{chain, is_of_an_agent},
};
use crate::capture::net::{
    links::{self, Interface},
    netlink::{self, RouteMessage, attribute, text},
};

// include/uapi/linux/pkt_sched.h
const CLSACT_INGRESS: u32 = 0xffff_fff2;
const CLSACT_EGRESS: u32 = 0xffff_fff3;
const TC_HEADER: usize = 20;
// include/uapi/linux/rtnetlink.h
const TCA_CHAIN: u16 = 11;

/// The lowest goes first.
const FIRST_PRIORITY: u16 = 1;
/// Priorities tried one after the other, before the kernel is left to choose one.
const MAX_PRIORITY: u16 = 16;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Filter {
    kind: String,
    /// The program's; empty for a filter that is none.
    name: String,
    program: u32,
    handle: u32,
    priority: u16,
    /// In the order of the wire.
    protocol: u16,
}

impl Filter {
    fn is_of_an_agent(&self) -> bool {
        is_of_an_agent(&self.name)
    }

    /// Filters share a priority only with those of their kind and protocol.
    fn shares_its_priority(&self) -> bool {
        self.kind == TcFilterBpf::KIND && self.protocol == (libc::ETH_P_ALL as u16).to_be()
    }
}

/// What was left on any interface of this namespace, as `interface program`.
pub fn find_all() -> anyhow::Result<Vec<String>> {
    let mut left = Vec::new();
    for interface in links::list()?.values() {
        for (filter, _) in stale(interface.index)? {
            left.push(format!("{} {}", interface.name, filter.name));
        }
    }
    Ok(left)
}

/// Removes what was left on all interfaces of this namespace; tells what.
pub fn remove_all() -> anyhow::Result<Vec<String>> {
    let left = find_all()?;
    for interface in links::list()?.values() {
        remove(interface)?;
    }
    Ok(left)
}

/// Removes what was left on one interface.
fn remove(interface: &Interface) -> anyhow::Result<()> {
    for (filter, direction) in stale(interface.index)? {
        tracing::info!(
            interface = interface.name,
            filter = filter.name,
            "removing what a killed agent left"
        );
        let handle = TcHandle::from(filter.handle);
        let link = SchedClassifierLink::attached(
            &interface.name,
            direction,
            filter.priority,
            handle,
            None,
        )?;
        if let Err(error) = link.detach()
            && stale(interface.index)?
                .iter()
                .any(|(still, _)| *still == filter)
        {
            return Err(error)
                .with_context(|| format!("removing {} from {}", filter.name, interface.name));
        }
    }
    Ok(())
}

/// Attaches before the filters of others, which may end the chain. The filter's handle is the program's number, which
/// no other filter of an agent has: an agent that removes its own cannot hit another's.
pub(super) fn attach(
    (id, program): (u32, &mut SchedClassifier),
    interface: &Interface,
    direction: TcAttachType,
) -> anyhow::Result<SchedClassifierLink> {
    add_qdisc(interface)?;
    let mut refusal = String::new();
    // A priority of a filter of another kind cannot be shared: the next is the best then.
    for priority in (FIRST_PRIORITY..=MAX_PRIORITY).chain([0]) {
        let options = TcAttachOptions::Netlink(NlOptions {
            priority,
            handle: TcHandle::from(id),
            ..NlOptions::default()
        });
        match program.attach_with_options(&interface.name, direction, options) {
            Ok(link) => return Ok(program.take_link(link)?),
            Err(error) => refusal = chain(&error),
        }
    }
    anyhow::bail!("clsact did not take the program ({refusal})")
}

/// The qdisc that filters hang on. One that is there is shared with whoever added it.
fn add_qdisc(interface: &Interface) -> anyhow::Result<()> {
    match tc::qdisc_add_clsact(&interface.name) {
        Err(TcError::NetlinkError(error)) if error.raw_os_error() == Some(libc::EEXIST) => {
            remove(interface)
        }
        Err(error) => anyhow::bail!("adding the clsact qdisc: {}", chain(&error)),
        Ok(()) => Ok(()),
    }
}

/// Where a program of ours is; None when that cannot be told, as of an interface that is gone.
pub(super) fn standing(index: u32, direction: TcAttachType, program: u32) -> Option<Standing> {
    let parent = match direction {
        TcAttachType::Ingress => CLSACT_INGRESS,
        _ => CLSACT_EGRESS,
    };
    Some(standing_among(&filters(index, parent).ok()?, program))
}

/// Filters of others with a priority that ours cannot share may go before it. No other filter of others may.
fn standing_among(filters: &[Filter], program: u32) -> Standing {
    let Some(place) = filters.iter().position(|filter| filter.program == program) else {
        return Standing::Blind(Cause::Missing);
    };
    let is_open = |priority: &u16| {
        let mut there = filters.iter().filter(|f| f.priority == *priority);
        there.all(Filter::shares_its_priority)
    };
    let first = (FIRST_PRIORITY..=MAX_PRIORITY).find(is_open);
    let hides = |filter: &Filter| {
        !filter.is_of_an_agent() && first.is_some_and(|first| filter.priority >= first)
    };
    if filters[..place].iter().any(hides) {
        Standing::Blind(Cause::Behind)
    } else {
        Standing::InPlace
    }
}

fn stale(index: u32) -> anyhow::Result<Vec<(Filter, TcAttachType)>> {
    let mut stale = Vec::new();
    for (parent, direction) in [
        (CLSACT_INGRESS, TcAttachType::Ingress),
        (CLSACT_EGRESS, TcAttachType::Egress),
    ] {
        let filters = filters(index, parent)?.into_iter();
        let left = filters.filter(|f| f.is_of_an_agent() && !is_alive(f.program));
        stale.extend(left.map(|filter| (filter, direction)));
    }
    Ok(stale)
}

/// The filters at one side of an interface's clsact, in their order.
fn filters(index: u32, parent: u32) -> anyhow::Result<Vec<Filter>> {
    let mut question = TcMessage::with_index(index.cast_signed());
    question.header.parent = parent.into();
    // Without the qdisc the list is empty.
    match netlink::dump(RouteNetlinkMessage::GetTrafficFilter(question)) {
        Ok(messages) => Ok(messages.iter().filter_map(filter).collect()),
        // A kernel without filters.
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(Vec::new()),
        Err(error) => Err(error).context("listing the filters"),
    }
}

/// None for the head of a priority, which has no handle, and for a filter that runs only when another jumps to its
/// chain.
fn filter(RouteMessage(message): &RouteMessage) -> Option<Filter> {
    let header = TcHeader::parse(message).ok()?;
    let attributes = message.get(TC_HEADER..)?;
    let options = attribute(attributes, libc::TCA_OPTIONS)?;
    let handle = u32::from(header.handle);
    if handle == 0 || attribute(attributes, TCA_CHAIN).is_some_and(|n| n != [0; 4]) {
        return None;
    }
    let mut filter = Filter {
        kind: attribute(attributes, libc::TCA_KIND)
            .map(text)
            .unwrap_or_default(),
        name: String::new(),
        program: 0,
        handle,
        priority: (header.info >> 16) as u16,
        protocol: header.info as u16,
    };
    if filter.kind == TcFilterBpf::KIND {
        for option in NlasIterator::new(options).map_while(Result::ok) {
            match TcFilterBpfOption::parse(&option) {
                Ok(TcFilterBpfOption::ProgName(name)) => filter.name = name,
                Ok(TcFilterBpfOption::ProgId(id)) => filter.program = id,
                _ => {}
            }
        }
    }
    Some(filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: u32 = 70;

    fn filter(priority: u16, kind: &str, name: &str, program: u32) -> Filter {
        Filter {
            kind: kind.into(),
            name: name.into(),
            program,
            handle: 1,
            priority,
            protocol: (libc::ETH_P_ALL as u16).to_be(),
        }
    }

    fn ours(priority: u16) -> Filter {
        filter(priority, "bpf", "mirror_ingress", OURS)
    }

    fn others(priority: u16) -> Filter {
        filter(priority, "bpf", "theirs", 7)
    }

    fn check(filters: &[Filter], expected: Standing) {
        assert_eq!(standing_among(filters, OURS), expected, "{filters:#?}");
    }

    #[test]
    fn first_is_in_place_and_absent_is_missing() {
        check(&[ours(1), others(1)], Standing::InPlace);
        check(&[], Standing::Blind(Cause::Missing));
        check(&[others(1)], Standing::Blind(Cause::Missing));
    }

    #[test]
    fn agents_need_no_order_among_them() {
        let second = filter(1, "bpf", "mirror_ingress", OURS + 1);
        check(&[second.clone(), ours(1)], Standing::InPlace);
        check(
            &[second, others(1), ours(1)],
            Standing::Blind(Cause::Behind),
        );
    }

    #[test]
    fn a_program_of_others_before_ours_may_hide_packets() {
        check(&[others(1), ours(1)], Standing::Blind(Cause::Behind));
        check(&[others(1), ours(2)], Standing::Blind(Cause::Behind));
    }

    #[test]
    fn a_priority_that_cannot_be_shared_is_left_to_its_owner() {
        let u32 = |priority| filter(priority, "u32", "", 0);
        check(&[u32(1), ours(2)], Standing::InPlace);
        check(
            &[u32(1), others(2), ours(2)],
            Standing::Blind(Cause::Behind),
        );
        check(&[u32(1), u32(3), ours(4)], Standing::Blind(Cause::Behind));
        let of_one_protocol = Filter {
            protocol: 8,
            ..others(1)
        };
        check(&[of_one_protocol, ours(2)], Standing::InPlace);
    }
}
